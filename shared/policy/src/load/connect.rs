//! `[tenant]` and `[source]`: who we talk to, and where secrets are kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hardmatch_domain::ids::Guid;
use toml::de::DeValue;

use super::auth::{self, auth_table};
use super::url::url;
use crate::config::{Cloud, Endpoints, TenantSettings};
use crate::keys::{self, SOURCE_ATTRIBUTES};
use crate::names::nearest;
use crate::places::{AuthorityRef, SecretRef};
use crate::problem::ProblemKind;
use crate::sources::{DirectorySettings, Location, SourceKind, SourceSettings, YesNo};
use crate::tree::{At, Reader, Section, Value};

/// What a new file has in place of the tenant. Fine as long as the tenant is simulated.
pub(crate) const TENANT_TO_FILL_IN: &str = "CHANGE-ME";
/// How a simulated tenant is called that nobody named.
const SIMULATED_TENANT: &str = "simulated.onmicrosoft.com";

pub(super) fn tenant<'t>(reader: &mut Reader<'t>, root: &Section<'t>, base_dir: &Path) -> Option<TenantSettings> {
    if !root.has("tenant") {
        reader.missing_top("[tenant]", "say which tenant is written to: [tenant] with id and cloud");
        return None;
    }
    let section = reader.section(root, "tenant");
    let id = reader.required_text(&section, "id");
    let word = reader.choice::<String>(&section, "cloud");
    let word = word.map(|word| word.map_or_else(|| "global".to_owned(), |at| at.value));
    // A word that was refused says nothing about which other keys belong.
    let cloud = word.ok().and_then(|word| cloud(reader, &section, &word, base_dir));
    let simulated = matches!(cloud, Some(Cloud::Simulated { .. }));
    let id = id.and_then(|id| match id.value.trim().eq_ignore_ascii_case(TENANT_TO_FILL_IN) {
        true if simulated => Some(SIMULATED_TENANT.to_owned()),
        true => {
            reader.problem(
                ProblemKind::BadValue,
                id.span,
                "`tenant.id` is not filled in",
                "to be changed",
                "write the tenant's directory id (Entra admin center, Overview) or one of its domain names",
            );
            None
        }
        false => tenant_id(reader, &id),
    });
    let auth = if section.has("auth") {
        let auth = reader.section(&section, "auth");
        auth_table(reader, &auth, cloud.as_ref(), base_dir).map(Some)
    } else {
        if !simulated && section.exists() && cloud.is_some() {
            reader.problem(
                ProblemKind::MissingKey,
                section.span.clone(),
                "[tenant] lacks [tenant.auth]",
                "no sign-in",
                "add [tenant.auth] with client_id and secret = \"env:HARDMATCH_CLIENT_SECRET\"",
            );
        }
        Some(None)
    };
    let days = reader.number(&section, "full_listing_days", 7);
    let full_listing_days = u32::try_from(days).unwrap_or(7);
    Some(TenantSettings { id: id?, cloud: cloud?, auth: auth?, full_listing_days })
}

fn tenant_id(reader: &mut Reader<'_>, id: &At<&str>) -> Option<String> {
    let text = id.value.trim().to_ascii_lowercase();
    if Guid::parse(&text).is_some() && text.len() == 36 {
        return Some(text);
    }
    let domain = text.contains('.')
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
    if domain {
        return Some(text);
    }
    let (message, cure) = if matches!(text.as_str(), "common" | "organizations" | "consumers") {
        (
            "`tenant.id` names no tenant: an application signs in to one tenant",
            "write the tenant's directory id or domain name",
        )
    } else {
        (
            "`tenant.id` is neither a directory id nor a domain name",
            "it looks like 5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f or contoso.onmicrosoft.com",
        )
    };
    reader.problem(ProblemKind::BadValue, id.span.clone(), message, "not a tenant", cure);
    None
}

fn cloud<'t>(reader: &mut Reader<'t>, section: &Section<'t>, word: &str, base_dir: &Path) -> Option<Cloud> {
    for (key, belongs) in [("login", "custom"), ("graph", "custom"), ("seed", "simulated")] {
        if belongs != word
            && let Some(value) = section.get(key)
        {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("`tenant.{key}` belongs to cloud = \"{belongs}\", and this is \"{word}\""),
                "does not belong here",
                format!("remove it, or set cloud = \"{belongs}\""),
            );
        }
    }
    match word {
        "usgov" => Some(Cloud::UsGov),
        "usgov-dod" => Some(Cloud::UsGovDod),
        "china" => Some(Cloud::China),
        "custom" => {
            let login = reader
                .required_text(section, "login")
                .and_then(|text| url(reader, &text, "`tenant.login`", "https://login.microsoftonline.com"));
            let graph = reader
                .required_text(section, "graph")
                .and_then(|text| url(reader, &text, "`tenant.graph`", "https://graph.microsoft.com"));
            Some(Cloud::Custom(Endpoints { login: login?, graph: graph? }))
        }
        "simulated" => {
            let seed = match reader.text(section, "seed") {
                Some(seed) => Some(path(reader, &seed, base_dir, "`tenant.seed`")?),
                None => None,
            };
            Some(Cloud::Simulated { seed })
        }
        _ => Some(Cloud::Global),
    }
}

pub(super) fn source<'t>(reader: &mut Reader<'t>, root: &Section<'t>, base_dir: &Path) -> Option<SourceSettings> {
    if !root.has("source") {
        reader.missing_top("[source]", "say where people come from: [source] with kind and location");
        return None;
    }
    let section = reader.section(root, "source");
    for key in keys::OF_SEVERAL {
        if let Some(value) = section.get(key) {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("`source.{key}` belongs to one of several sources"),
                "does not belong here",
                "remove it, or write [[source]] twice or more, each with a name",
            );
        }
    }
    one_source(reader, &section, base_dir)
}

/// One source, from its table.
pub(super) fn one_source<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    base_dir: &Path,
) -> Option<SourceSettings> {
    if section.exists() && !section.has("kind") {
        reader.missing(section, "kind");
    }
    let kind = reader.choice::<SourceKind>(section, "kind");
    let (columns, words) = columns(reader, section);
    let key = reader.text(section, "key").map(|key| key.value.trim().to_owned());
    let delimiter = reader.choice_or(section, "delimiter", "auto".to_owned());
    let delimiter = match delimiter.as_str() {
        "auto" => None,
        "tab" => Some('\t'),
        one => one.chars().next(),
    };
    let encoding = Some(reader.choice_or(section, "encoding", "auto".to_owned())).filter(|word| word != "auto");
    // Where another kind of source has its location in another form, nothing is said about it.
    let location = match &kind {
        Err(()) => None,
        Ok(Some(kind)) if kind.value == SourceKind::Scim => {
            pushed_alone(reader, section);
            Some(Location::Pushed)
        }
        Ok(kind) => {
            let text = reader.required_text(section, "location");
            text.and_then(|text| match kind.as_ref().map(|kind| kind.value) {
                Some(SourceKind::Ldap) => servers(reader, &text),
                Some(SourceKind::Command) => program(reader, &text, base_dir),
                _ => place(reader, &text, base_dir, "`source.location`", "s3://my-bucket/people.csv"),
            })
        }
    };
    let kind = kind.ok().flatten().map(|at| at.value);
    let directory = if kind == Some(SourceKind::Ldap) {
        Some(directory(reader, section, base_dir))
    } else {
        only_ldap(reader, section, kind.is_some());
        None
    };
    let format = printed(reader, section, kind);
    if matches!(format.or(kind), Some(SourceKind::Jsonl | SourceKind::Ldif | SourceKind::Ldap)) {
        for key in ["delimiter", "encoding"] {
            if let Some(value) = section.get(key) {
                reader.problem(
                    ProblemKind::BadValue,
                    value.span(),
                    format!("`source.{key}` belongs to kind = \"csv\""),
                    "does not belong here",
                    "remove it: JSON Lines, LDIF and LDAP are UTF-8",
                );
            }
        }
    }
    Some(SourceSettings {
        kind: kind?,
        location: location?,
        format,
        columns,
        words,
        delimiter,
        encoding,
        key,
        directory: directory.map_or(Some(None), |found| found.map(Some))?,
    })
}

/// How one signs in at a directory, and what is read of it.
fn directory<'t>(reader: &mut Reader<'t>, section: &Section<'t>, base_dir: &Path) -> Option<DirectorySettings> {
    for key in ["base", "bind", "password", "ca"] {
        if !section.has(key) {
            reader.missing(section, key);
        }
    }
    let text = |reader: &mut Reader<'t>, key| reader.text(section, key).map(|text| text.value.trim().to_owned());
    let (base, bind) = (text(reader, "base"), text(reader, "bind"));
    let filter = reader.text(section, "filter").and_then(|filter| {
        let value = filter.value.trim();
        let whole = value.starts_with('(') && value.ends_with(')');
        if !whole {
            reader.problem(
                ProblemKind::BadValue,
                filter.span.clone(),
                "`source.filter` is no LDAP filter",
                "no filter",
                "write it in brackets: (department=Sales), (&(a=1)(!(b=2)))",
            );
        }
        whole.then(|| value.to_owned())
    });
    let password = auth::place(reader, section, "password", base_dir);
    let ca = authority(reader, section, base_dir);
    let nameserver = reader.text(section, "nameserver").and_then(|text| nameserver(reader, &text));
    Some(DirectorySettings { base: base?, filter, bind: bind?, password: password?, ca: ca?, nameserver })
}

/// The address of a name server; port 53 where it names none.
fn nameserver(reader: &mut Reader<'_>, text: &At<&str>) -> Option<SocketAddr> {
    let value = text.value.trim();
    let address = value.parse().or_else(|_| value.parse().map(|ip| SocketAddr::new(ip, 53)));
    if address.is_err() {
        reader.problem(
            ProblemKind::BadValue,
            text.span.clone(),
            "`source.nameserver` is no address",
            "not an address",
            "it looks like 10.0.0.2 or 10.0.0.2:53",
        );
    }
    address.ok()
}

/// Where the certificates of the trusted authorities lie.
fn authority<'t>(reader: &mut Reader<'t>, section: &Section<'t>, base_dir: &Path) -> Option<AuthorityRef> {
    let text = reader.text(section, "ca")?;
    if text.value.trim().starts_with("secretsmanager:") {
        return match auth::place(reader, section, "ca", base_dir)? {
            SecretRef::SecretsManager(arn) => Some(AuthorityRef::SecretsManager(arn)),
            SecretRef::Env(_) | SecretRef::File(_) => None,
        };
    }
    match place(reader, &text, base_dir, "`source.ca`", "s3://my-bucket/ca.pem")? {
        Location::File(path) => Some(AuthorityRef::File(path)),
        Location::S3 { bucket, key } => Some(AuthorityRef::S3 { bucket, key }),
        Location::Directory(_) | Location::Program { .. } | Location::Pushed | Location::Several(_) => None,
    }
}

/// What belongs to directories stands nowhere else.
fn only_ldap<'t>(reader: &mut Reader<'t>, section: &Section<'t>, known: bool) {
    for key in ["base", "filter", "bind", "password", "ca", "nameserver"] {
        if let Some(value) = section.get(key).filter(|_| known) {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("`source.{key}` belongs to kind = \"ldap\""),
                "does not belong here",
                "remove it",
            );
        }
    }
}

/// What a program prints; stands nowhere else.
fn printed<'t>(reader: &mut Reader<'t>, section: &Section<'t>, kind: Option<SourceKind>) -> Option<SourceKind> {
    if kind == Some(SourceKind::Command) {
        return Some(reader.choice_or(section, "format", SourceKind::Jsonl));
    }
    if let Some(value) = section.get("format").filter(|_| kind.is_some()) {
        reader.problem(
            ProblemKind::BadValue,
            value.span(),
            "`source.format` belongs to kind = \"command\"",
            "does not belong here",
            "remove it: kind says what the source is",
        );
    }
    None
}

/// The program that prints people.
fn program(reader: &mut Reader<'_>, text: &At<&str>, base_dir: &Path) -> Option<Location> {
    let mut words = auth::words(text.value.trim()).unwrap_or_default().into_iter();
    if let Some(program) = words.next().filter(|program| !program.is_empty()) {
        return Some(Location::Program { program, arguments: words.collect(), folder: base_dir.to_owned() });
    }
    reader.problem(
        ProblemKind::BadValue,
        text.span.clone(),
        "`source.location` names no program, or a quotation in it does not end",
        "not a command",
        "it looks like PROGRAM ARGUMENTS; what has spaces in it stands in single or double quotes",
    );
    None
}

/// The servers of a directory.
fn servers(reader: &mut Reader<'_>, text: &At<&str>) -> Option<Location> {
    let found: Vec<String> = text.value.split([' ', ',']).filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let is_server = |one: &String| {
        let host = one.strip_prefix("ldaps://").or_else(|| one.strip_prefix("ldap://"));
        host.map_or_else(|| is_domain(one), |host| !host.is_empty() && !host.contains(['/', '?', '@']))
    };
    if !found.is_empty() && found.iter().all(is_server) {
        return Some(Location::Directory(found));
    }
    reader.problem(
        ProblemKind::BadValue,
        text.span.clone(),
        "`source.location` names no server of a directory",
        "not a server",
        "it looks like ldaps://dc1.example.com:636, or ldap://dc1.example.com:389 with StartTLS, or the name of a domain, corp.example.com",
    );
    None
}

/// Whether a text is a domain's name, and no address: labels of letters, digits and hyphens, two at least.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let mut labels = text.trim_end_matches('.').split('.').rev();
    let top =
        labels.next().is_some_and(|label| is_label(label) && label.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let mut rest = labels.peekable();
    top && rest.peek().is_some() && rest.all(is_label)
}

/// Who is pushed has no file, no columns and no key of a file's.
fn pushed_alone<'t>(reader: &mut Reader<'t>, section: &Section<'t>) {
    for key in ["location", "columns", "delimiter", "encoding", "key"] {
        if let Some(value) = section.get(key) {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("`source.{key}` does not belong to kind = \"scim\""),
                "does not belong here",
                "remove it: these people are pushed, and their attributes have the names of SCIM",
            );
        }
    }
}

/// Which column fills which attribute, and the words of those that say yes or no in their own way.
type Columns = (BTreeMap<String, String>, BTreeMap<String, YesNo>);

fn columns<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Columns {
    let (mut columns, mut words) = Columns::default();
    let Some(value) = section.get("columns") else { return (columns, words) };
    let DeValue::Table(table) = value.get_ref() else {
        reader.wrong_type(value, value.get_ref(), "[source.columns]", "a table");
        return (columns, words);
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let full = format!("`source.columns.{}`", name.chars().take(64).collect::<String>());
        let long = matches!(value.get_ref(), DeValue::Table(_)).then(|| switch_column(reader, &full, name, value));
        let text = match &long {
            Some(found) => found.as_ref().map(|(from, _)| from.clone()),
            None => reader.text_value(value, &full),
        };
        let known = SOURCE_ATTRIBUTES
            .iter()
            .find(|known| **known == name)
            .or_else(|| SOURCE_ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name)));
        let Some(known) = known else {
            let cure = match nearest(name, SOURCE_ATTRIBUTES.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "left of = stands the attribute it fills, such as department; columns that only expressions read need no entry".to_owned(),
            };
            reader.unknown_key("[source.columns]", key, value, &cure);
            continue;
        };
        let Some(text) = text else { continue };
        columns.insert((*known).to_owned(), text.value.to_owned());
        words.extend(long.flatten().map(|(_, said)| ((*known).to_owned(), said)));
    }
    (columns, words)
}

/// `active = { from = "Status", yes = [...], no = [...] }`.
fn switch_column<'t>(
    reader: &mut Reader<'t>,
    full: &str,
    attribute: &str,
    value: &'t Value<'t>,
) -> Option<(At<&'t str>, YesNo)> {
    let DeValue::Table(table) = value.get_ref() else { return None };
    if !keys::SWITCHES.iter().any(|switch| switch.eq_ignore_ascii_case(attribute)) {
        let known = SOURCE_ATTRIBUTES.iter().any(|known| known.eq_ignore_ascii_case(attribute));
        if known {
            reader.problem(
                ProblemKind::BadValue,
                value.span(),
                format!("{full} is no yes or no"),
                "not a column's name",
                "write the column's name; words for yes and no belong to active and passwordExpired",
            );
        }
        return None;
    }
    let section = reader.open(full, &keys::SWITCH_COLUMN, table, value.span());
    let from = reader.required_text(&section, "from");
    for key in ["yes", "no"] {
        if !section.has(key) {
            reader.missing(&section, key);
        }
    }
    let mut list = |key: &'static str| -> Option<Vec<String>> {
        let value = section.get(key)?;
        let texts = match value.get_ref() {
            DeValue::Array(_) => reader.texts(&section, key)?,
            _ => reader.text_value(value, &section.full_name(key)).into_iter().collect(),
        };
        Some(texts.into_iter().map(|text| text.value.to_owned()).collect())
    };
    let (yes, no) = (list("yes")?, list("no")?);
    if let Some(both) = yes.iter().find(|word| no.iter().any(|other| other.trim().eq_ignore_ascii_case(word.trim()))) {
        reader.problem(
            ProblemKind::BadValue,
            value.span(),
            format!("{full}: {both:?} means yes and no"),
            "both",
            "name each word once",
        );
        return None;
    }
    Some((from?, YesNo { yes, no }))
}

/// A path, or an object of S3.
fn place(reader: &mut Reader<'_>, text: &At<&str>, base_dir: &Path, name: &str, example: &str) -> Option<Location> {
    let value = text.value.trim();
    let Some(object) = value.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("s3://")).map(|_| &value[5..]) else {
        return path(reader, text, base_dir, name).map(Location::File);
    };
    if let Some((bucket, key)) = object.split_once('/')
        && is_bucket(bucket)
        && !key.is_empty()
        && !key.ends_with('/')
    {
        return Some(Location::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
    }
    reader.problem(
        ProblemKind::BadValue,
        text.span.clone(),
        format!("{name} names no object of S3"),
        "not an object",
        format!("it looks like {example}"),
    );
    None
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| inner(byte) || matches!(byte, b'-' | b'.'))
        && name.bytes().next().is_some_and(inner)
        && name.bytes().last().is_some_and(inner)
        && !name.contains("..")
}

/// A path relative to the configuration's folder.
pub(super) fn path(reader: &mut Reader<'_>, text: &At<&str>, base_dir: &Path, name: &str) -> Option<PathBuf> {
    let value = text.value.trim();
    if let Some((scheme, _)) = value.split_once("://") {
        reader.problem(
            ProblemKind::BadValue,
            text.span.clone(),
            format!("{name} is a URL ({}…), and a path belongs there", scheme.chars().take(12).collect::<String>()),
            "not a path",
            "write the path of a file",
        );
        return None;
    }
    Some(base_dir.join(value))
}
