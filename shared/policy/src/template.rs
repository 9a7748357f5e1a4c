//! The file that `hardmatch init` writes: every choice visible, each explained, and it loads as it is.

use std::fmt::Write as _;

use crate::keys::SOURCE_ATTRIBUTES;
use crate::load::TENANT_TO_FILL_IN;
use crate::sources::{SourceKind, YesNo};

/// What was found out about a source before there is a file.
#[derive(Clone, Debug)]
pub struct TemplateColumns {
    /// A name for the connection; characters that do not fit are replaced.
    pub connection: String,
    /// The tenant, when it is known; otherwise the file starts with a simulated one.
    pub tenant: Option<String>,
    /// The form of the people file.
    pub kind: SourceKind,
    /// Where it is, relative to the file that is written.
    pub location: String,
    /// Attributes whose column is called differently, in the order to write them.
    pub columns: Vec<TemplateColumn>,
    /// Entries of `[attributes]`: attribute, the text right of `=`, and why.
    pub attributes: Vec<(String, String, String)>,
    /// The expression for `lifecycle.starts`.
    pub starts: Option<String>,
    /// The expression for `lifecycle.ends`.
    pub ends: Option<String>,
    /// Where days begin and end, when it is known; otherwise UTC.
    pub time_zone: Option<String>,
    /// The column that is the unchanging key.
    pub key: Option<String>,
    /// Anchor attributes that the file has; none leaves the default.
    pub anchor_from: Vec<String>,
    /// Names of groups that people are in, for the example of a scope.
    pub groups: Vec<String>,
    /// How a directory is read, where the source is one.
    pub directory: Option<TemplateDirectory>,
}

/// How a directory is read.
#[derive(Clone, Debug)]
pub struct TemplateDirectory {
    /// The DN below which people are.
    pub base: String,
    /// The account that reads.
    pub bind: String,
    /// Where its password is kept: `env:NAME` or `file:PATH`.
    pub password: String,
    /// The file with the authority's certificate, relative to the file that is written.
    pub ca: String,
    /// A filter that leaves somebody out, and whom: an example.
    pub filter: Option<(String, String)>,
    /// Whether it has `mS-DS-ConsistencyGuid`.
    pub is_active_directory: bool,
}

/// A line of `[source.columns]`.
#[derive(Clone, Debug)]
pub struct TemplateColumn {
    /// The attribute, as [`crate::SOURCE_ATTRIBUTES`] spells it.
    pub attribute: String,
    /// The source's own name.
    pub column: String,
    /// The words for yes and no, where the file has its own.
    pub words: Option<YesNo>,
    /// Why, for the reader of the file.
    pub comment: String,
}

/// The text of a first `hardmatch.toml`.
pub fn template(detected: &TemplateColumns) -> String {
    let connection = name(&detected.connection);
    let mut out = String::new();
    // Writing to a String cannot fail; the results are let go of throughout.
    let mut line = |text: &str| {
        let _ = writeln!(out, "{text}");
    };
    line("# One connection of hardmatch: where people come from, the Microsoft 365 tenant they go to, and the rules.");
    line("# `hardmatch config explain` says in words what this file will do. Paths are relative to this file.");
    line("schema = 1");
    line(&format!("connection = {}", quoted(&connection)));
    line("");
    if let Some(tenant) = &detected.tenant {
        line("[tenant]");
        line(&format!("id = {}", quoted(tenant)));
        line("cloud = \"global\"                # global | usgov | usgov-dod | china | custom | simulated");
        line("[tenant.auth]");
        line(
            "method = \"secret\"                # secret | certificate | federated (no secret at all) | delegated (an",
        );
        line(
            "                                 # administrator signs in); `hardmatch config schema` has the keys of each",
        );
        line(
            "client_id = \"00000000-0000-0000-0000-000000000000\"   # Application (client) ID of the app registration",
        );
        line(
            "secret = \"env:HARDMATCH_CLIENT_SECRET\"               # where the secret is kept: env:NAME, file:PATH, secretsmanager:ARN",
        );
    } else {
        line("[tenant]");
        line(&format!(
            "id = {}                 # for a real tenant: its directory id or one of its domain names",
            quoted(TENANT_TO_FILL_IN)
        ));
        line(
            "cloud = \"simulated\"             # nothing real is touched; for a real tenant write \"global\" and add:",
        );
        line("# [tenant.auth]");
        line("# client_id = \"00000000-0000-0000-0000-000000000000\"");
        line("# method = \"secret\"               # secret | certificate | federated | delegated");
        line("# secret = \"env:HARDMATCH_CLIENT_SECRET\"   # never the secret itself");
    }
    line("");
    line("[source]");
    let kind = match detected.kind {
        SourceKind::Csv => "csv",
        SourceKind::Jsonl => "jsonl",
        SourceKind::Ldif => "ldif",
        SourceKind::Ldap => "ldap",
        SourceKind::Command => "command",
        SourceKind::Scim => "scim",
    };
    line(&format!("kind = \"{kind}\""));
    line(&format!("location = {}", quoted(&detected.location)));
    if let Some(directory) = &detected.directory {
        line(&format!("base = {}", quoted(&directory.base)));
        line(&format!("bind = {}", quoted(&directory.bind)));
        line(&format!(
            "password = {}   # never the password itself: env:NAME or file:PATH",
            quoted(&directory.password)
        ));
        line(&format!("ca = {}", quoted(&directory.ca)));
        if let Some((filter, whom)) = &directory.filter {
            line(&format!("# filter = {}   # leaves out {whom}", quoted(filter)));
        }
    }
    match &detected.key {
        None if detected.directory.is_some() => {}
        Some(key) => line(&format!("key = {}                    # never changes for a person", quoted(key))),
        None => line("# key = \"personnelNumber\"       # the column that never changes for a person"),
    }
    let columns: Vec<_> =
        detected.columns.iter().filter(|column| SOURCE_ATTRIBUTES.contains(&column.attribute.as_str())).collect();
    if columns.is_empty() {
        line("# [source.columns]               # only what is not called as in Active Directory");
        line("# department = \"Abteilung\"");
    } else {
        line("[source.columns]                 # attribute = the source's own name");
        for column in columns {
            let value = match &column.words {
                None => quoted(&column.column),
                Some(words) => format!(
                    "{{ from = {}, yes = {}, no = {} }}",
                    quoted(&column.column),
                    list(&words.yes),
                    list(&words.no)
                ),
            };
            let text = format!("{} = {value}", column.attribute);
            line(&if column.comment.is_empty() { text } else { format!("{text:<32} # {}", column.comment) });
        }
    }
    line("");
    line("[scope]                          # without a rule, everybody in the source is managed");
    let group = detected.groups.iter().find(|group| !group.contains(['\'', '\\', '\n']));
    let group = group.map_or("Office 365", String::as_str);
    line(&format!("# include = {}", quoted(&format!("'{group}' in person.groups")).replace('\n', " ")));
    line("");
    line("[anchor]                         # where immutable IDs come from; a single name means exactly that one");
    if detected.anchor_from.is_empty() {
        line("from = [\"mS-DS-ConsistencyGuid\", \"objectGUID\"]");
    } else {
        let names: Vec<String> = detected.anchor_from.iter().map(|from| quoted(from)).collect();
        line(&format!("from = [{}]", names.join(", ")));
    }
    line("on_conflict = \"stop\"             # stop | tenant-wins | source-wins");
    line("");
    if detected.directory.as_ref().is_some_and(|directory| directory.is_active_directory) {
        line(
            "# [write_back]                   # what the directory is given where it has no value; the account needs the right to",
        );
        line("# mS-DS-ConsistencyGuid = \"immutableId\"");
        line("");
    }
    for text in MATCH {
        line(text);
    }
    for (attribute, value, why) in &detected.attributes {
        line(&format!("{:<32} # {why}", format!("{attribute} = {value}")));
    }
    for text in LIFECYCLE {
        line(text);
    }
    let days = [
        ("starts", &detected.starts, "no account is enabled before the first day"),
        ("ends", &detected.ends, "sign-in is blocked when the last day is over"),
    ];
    for (key, expression, meaning) in days {
        match expression {
            Some(expression) => line(&format!("{:<32} # {meaning}", format!("{key} = {}", quoted(expression)))),
            None => line(&format!("# {:<30} # {meaning}", format!("{key} = \"date(person.source['{key}'])\""))),
        }
    }
    let zone = if detected.starts.is_some() || detected.ends.is_some() { "" } else { "# " };
    let (name, meaning) = match detected.time_zone.as_deref() {
        Some(name) => (name, "where days begin and end: this machine's zone"),
        None => ("UTC", "where days begin and end, such as Europe/Berlin"),
    };
    line(&format!("{:<32} # {meaning}", format!("{zone}time_zone = {}", quoted(name))));
    for text in REST {
        line(text);
    }
    line(&format!("path = {}", quoted(&format!("{connection}.db"))));
    line("");
    line("[passwords]                      # random initial passwords of new accounts in managed domains");
    line("deliver_to = \"discard\"           # discard | file:initial-passwords.csv");
    out
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// What does not depend on anything that was found out: the defaults, written out.
const MATCH: &[&str] = &[
    "[match]                          # how people find the accounts they already have",
    "soft = [\"userPrincipalName\", \"primarySmtp\"]",
    "prove = [\"employeeId\"]           # independent attributes that can prove identity",
    "soft_deleted = \"restore\"         # restore | purge | wait | refuse",
    "",
    "[attributes]                     # only what differs from the source's own values; expressions are CEL",
    "# jobTitle = \"person.jobTitle + ' (' + person.department + ')'\"",
    "# mobilePhone = { from = \"person.mobilePhone\", when_empty = \"keep\" }",
    "# extensionAttribute1 = \"person.source['costCentre']\"",
];

const LIFECYCLE: &[&str] = &[
    "",
    "[lifecycle]                      # ignore | suspend | remove-licenses | delete, or { action = \"delete\", after = \"30d\" },",
    "                                 # or a list of stages: [\"suspend\", { action = \"remove-licenses\", after = \"30d\" }]",
    "absent = \"suspend\"               # gone from a complete listing",
    "left_scope = \"suspend\"",
    "disabled = \"suspend\"",
    "password_expired = \"ignore\"",
    "account_deleted = \"report\"       # report | restore | recreate",
    "create_disabled = false",
    "reenable = \"ours\"                # ours: only what we blocked | always: the source decides, where it says who is enabled",
    "revoke_sessions = false",
];

const REST: &[&str] = &[
    "",
    "[actions]                        # on | approve | off",
    "takeover = \"on\"                  # soft match onto an existing account",
    "rename = \"on\"",
    "license = \"on\"                   # what [[license]] rules give and take",
    "membership = \"on\"                # what [[group]] rules give and take",
    "delete = \"approve\"",
    "repair = \"approve\"",
    "merge = \"approve\"",
    "purge = \"approve\"",
    "",
    "[guard]                          # removals beyond these limits wait for an approval",
    "max_removals = 500",
    "max_removals_percent = 5",
    "always_allow = 3                 # never more than a fifth of a small directory",
    "max_creations_percent = 20       # new accounts a day; 25 always pass",
    "max_identity_changes_percent = 20  # changed names, employee IDs and mail a day; 10 always pass",
    "",
    "# [[license]]                    # whom a rule fits has the licence; licences that no rule names are left alone",
    "# sku = \"SPE_E3\"                 # the part number, which `hardmatch doctor` lists; not the name in the admin centre",
    "# disabled_plans = [\"SWAY\"]      # parts of it that stay off; the first rule of a licence that fits says which",
    "# when = \"person.employeeType == 'Employee'\"",
    "",
    "# [[group]]                      # whom a rule fits is a member; members that others added are left alone",
    "# name = \"All employees\"        # the display name; made with its first member when there is no such group",
    "# kind = \"security\"             # security | microsoft365",
    "# when = \"person.employeeType == 'Employee'\"",
    "",
    "[state]                          # on AWS the stack's table takes its place",
];

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn name(wanted: &str) -> String {
    let name: String = wanted
        .trim()
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    // A hidden folder's dot begins no name.
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "people".to_owned() } else { name.to_owned() }
}
