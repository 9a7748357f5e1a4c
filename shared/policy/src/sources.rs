//! Where people come from, as the configuration says it: one source, or several of one connection.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use hardmatch_domain::attribute::Attr;
use serde::{Deserialize, Serialize};

use crate::places::{AuthorityRef, SecretRef};

/// `[source]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceSettings {
    /// Which form. Of several sources the first one's: `Config::sources` has each.
    pub kind: SourceKind,
    /// Where the people are.
    pub location: Location,
    /// What a program prints: CSV, JSON Lines or LDIF. There where `kind` is `command`.
    pub format: Option<SourceKind>,
    /// `source.columns`: attribute, in the spelling of [`crate::SOURCE_ATTRIBUTES`], to the source's own name of it.
    pub columns: BTreeMap<String, String>,
    /// The words for yes and no of attributes in `columns` that are one or the other, where the file has its own.
    pub words: BTreeMap<String, YesNo>,
    /// What separates CSV fields; `None` finds out.
    pub delimiter: Option<char>,
    /// The CSV's character encoding as a WHATWG label; `None` finds out.
    pub encoding: Option<String>,
    /// The column or attribute that is the unchanging key; `None` lets the reader find it.
    pub key: Option<String>,
    /// How one signs in at a directory, and what is read of it. There where `kind` is `ldap`.
    pub directory: Option<DirectorySettings>,
}

/// What `[source]` says of a directory, beside its location.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectorySettings {
    /// The DN below which people are.
    pub base: String,
    /// Who of them is read; `None`: everybody.
    pub filter: Option<String>,
    /// The account that reads.
    pub bind: String,
    /// Where its password is kept.
    pub password: SecretRef,
    /// Where the certificates of the authorities that are trusted lie.
    pub ca: AuthorityRef,
    /// The name server that is asked for the servers of a domain; `None`: those of this machine.
    pub nameserver: Option<SocketAddr>,
}

/// The words of one column that mean yes and no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct YesNo {
    /// Yes.
    pub yes: Vec<String>,
    /// No.
    pub no: Vec<String>,
}

/// `source.location`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// A file; relative paths are resolved against the configuration's folder.
    File(PathBuf),
    /// `ldaps://HOST:PORT`, `ldap://HOST:PORT` or a domain: the servers of a directory, in the order in which they are tried.
    Directory(Vec<String>),
    /// `s3://BUCKET/KEY`: an object, read by deployed functions.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// The output of a program, which is run in the configuration's folder, without a shell.
    Program {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// The configuration's folder.
        folder: PathBuf,
    },
    /// In the state: identity providers push them there.
    Pushed,
    /// In several sources, each with a location of its own.
    Several(Box<SeveralSources>),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::File(path) => write!(f, "{}", path.display()),
            Location::Directory(servers) => f.write_str(&servers.join(" ")),
            Location::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            // Arguments may hold a secret.
            Location::Program { program, .. } => write!(f, "the program {program}"),
            Location::Pushed => f.write_str("the people who were pushed"),
            Location::Several(several) => {
                let places = several.parts.iter().map(|part| format!("{} ({})", part.name, part.settings.location));
                f.write_str(&places.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// `source.kind`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// LDAP data interchange format.
    Ldif,
    /// A directory, read over LDAP.
    Ldap,
    /// Printed by a program.
    Command,
    /// Pushed by an identity provider.
    Scim,
}

/// `[[source]]`, several times, and `[sources]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeveralSources {
    /// The sources in their order, which is the order in which they count unless `precedence` says otherwise.
    pub parts: Vec<SourcePart>,
    /// `sources.disabled`: when a person of several sources is disabled.
    pub disabled: DisabledIn,
    /// `sources.precedence`: attribute to the sources that give it, by their place in `parts`. Nothing else gives it.
    pub precedence: BTreeMap<String, Vec<usize>>,
}

/// One `[[source]]` of several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourcePart {
    /// `source.name`.
    pub name: String,
    /// Everything that a single source has, too.
    pub settings: SourceSettings,
    /// `source.people`: whether entries that no other source has are people.
    pub adds_people: bool,
    /// `source.keys`: whether keys that are no GUIDs stand as they are, without the source's name before them.
    pub plain_keys: bool,
    /// `source.same_person`, or `sources.same_person`: by what entries of one person are found.
    pub same_person: Option<SamePerson>,
}

/// By what entries of one person in several sources are found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SamePerson {
    /// An account attribute, by its name in Graph.
    Attribute(Attr),
    /// One of the attributes of `anchor.from`.
    Anchor(String),
    /// An attribute of the source.
    Source(String),
}

impl SamePerson {
    /// The attribute's name, as the configuration spells it.
    pub fn name(&self) -> &str {
        match self {
            SamePerson::Attribute(attr) => attr.name(),
            SamePerson::Anchor(name) | SamePerson::Source(name) => name,
        }
    }
}

/// `sources.disabled`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DisabledIn {
    /// As the first source in the order of `precedence` says that says anything.
    First,
    /// Disabled in any of them.
    Any,
    /// Disabled in each of them that says anything.
    All,
}

impl SeveralSources {
    /// Attributes of the sources that are read to find entries of one person.
    pub(crate) fn joined_by(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match &part.same_person {
            Some(SamePerson::Source(name)) => Some(name.as_str()),
            _ => None,
        })
    }
}
