//! From text to [`Config`]: one walk over the parsed file, every problem noted on the way.

mod auth;
mod connect;
mod entitle;
mod flow;
mod leaving;
mod schedule;
mod secrets;
mod several;
mod url;
mod write_back;

pub(crate) use connect::TENANT_TO_FILL_IN;
pub(crate) use flow::{MOST_EXTENSIONS, default_when_empty};

use std::path::Path;
use std::sync::Arc;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_domain::policy::{Actions, Guard, OnConflict, SoftDeleted, SoftRule, Switch};
use jiff::tz::TimeZone;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as NotAWord, StrDeserializer};
use toml::de::{DeTable, DeValue};

use crate::config::{AnchorSettings, Config, Matching, Passwords, SCHEMA};
use crate::expression::{Compiled, Wanted};
use crate::keys;
use crate::names::nearest;
use crate::problem::{ProblemKind, Problems};
use crate::tree::{At, Reader, Section, Value, integer};

/// A configuration is a page or two; what is longer is something else.
const MAX_BYTES: usize = 1 << 20;

impl Config {
    /// Reads and checks the text of a `hardmatch.toml`.
    ///
    /// `origin` is the name shown in problems, `base_dir` the folder that relative paths start from. Nothing but the
    /// text is read: no file, no environment, no secret. On failure every problem is returned, in line order.
    pub fn load(text: &str, origin: &str, base_dir: &Path) -> Result<Config, Problems> {
        let mut reader = Reader::new(text);
        if text.len() > MAX_BYTES {
            let message = "the file is larger than a megabyte";
            reader.problem(ProblemKind::Syntax, 0..0, message, "", "is this a hardmatch.toml?");
            return Err(Problems::new(origin, "", &[], reader.problems));
        }
        let (tree, errors) = DeTable::parse_recoverable(text);
        reader.hidden = secrets::assigned(text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let span = secrets::on_characters(text, span);
            reader.problem(
                ProblemKind::Syntax,
                span,
                format!("not TOML: {}", error.message()),
                "here",
                "https://toml.io describes the syntax",
            );
        }
        let broken = !errors.is_empty();
        let config = read(&mut reader, tree.get_ref(), base_dir);
        if broken {
            // What the parser skipped must not be reported as missing or misspelt as well.
            reader
                .problems
                .retain(|problem| problem.kind == ProblemKind::Syntax || problem.kind == ProblemKind::LiteralSecret);
        }
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(Problems::new(origin, text, &reader.hidden, reader.problems)),
        }
    }
}

/// Reads all of it; `None` as soon as something that has no default is missing, at the very end.
fn read<'t>(reader: &mut Reader<'t>, tree: &'t DeTable<'t>, base_dir: &Path) -> Option<Config> {
    if newer(reader, tree) {
        return None;
    }
    let root = reader.open("", &keys::ROOT, tree, 0..0);
    if !root.has("schema") {
        reader.missing_top("schema", "write schema = 1 at the top");
    }
    let schema = reader.number(&root, "schema", 1);
    let connection = connection(reader, &root);
    let tenant = connect::tenant(reader, &root, base_dir);
    let sources = several::declared(reader, &root, base_dir);
    let scope_section = reader.section(&root, "scope");
    let scope = scope_section.get("include").and_then(|value| rule(reader, value, "`scope.include`"));
    let anchor = anchor(reader, &root);
    let source = several::settled(reader, &root, sources, &anchor);
    let write_back = write_back::rules(reader, &root, source.as_ref(), &anchor);
    let matching = matching(reader, &root);
    let (attributes, manager) = flow::attributes(reader, &root);
    let lifecycle = leaving::lifecycle(reader, &root);
    let (starts, ends) = leaving::days(reader, &root);
    let actions = actions(reader, &root);
    let guard = guard(reader, &root);
    let licenses = entitle::licenses(reader, &root);
    let groups = entitle::groups(reader, &root);
    let schedule = schedule::schedule(reader, &root, source.as_ref());
    let state = reader.section(&root, "state");
    let state_path = match reader.text(&state, "path") {
        Some(path) => connect::path(reader, &path, base_dir, "`state.path`")?,
        None => base_dir.join(format!("{}.db", connection.as_ref().map_or("hardmatch", ConnectionId::as_str))),
    };
    let passwords = passwords(reader, &root, base_dir);
    Some(Config {
        schema: i64::try_from(schema).unwrap_or(SCHEMA),
        connection: connection?,
        tenant: tenant?,
        source: source?,
        scope,
        anchor,
        write_back,
        matching,
        attributes,
        manager,
        lifecycle,
        starts,
        ends,
        actions,
        guard,
        licenses,
        groups,
        schedule,
        state_path,
        passwords,
    })
}

/// A file of a newer form is not picked apart: what looks wrong may be right there.
fn newer<'t>(reader: &mut Reader<'t>, tree: &'t DeTable<'t>) -> bool {
    let Some(value) = tree.get("schema") else { return false };
    let Some(number) = integer(value) else { return false };
    let newer = i64::try_from(number).map_or(true, |number| number > SCHEMA);
    if newer {
        reader.hidden.extend(tree.values().filter(|value| value.get_ref().is_str()).map(toml::Spanned::span));
        reader.problem(
            ProblemKind::NewerSchema,
            value.span(),
            format!("the file is written for a newer hardmatch: schema {number}, and this version reads {SCHEMA}"),
            "newer",
            "install a newer hardmatch, or write the file for schema = 1",
        );
    }
    newer
}

impl Reader<'_> {
    fn missing_top(&mut self, key: &str, cure: &str) {
        self.problem(ProblemKind::MissingKey, 0..0, format!("the file lacks `{key}`"), "", cure);
    }
}

fn connection<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Option<ConnectionId> {
    if !root.has("connection") {
        reader.missing_top("connection", "name the connection: connection = \"contoso\"");
    }
    let name = reader.text(root, "connection")?;
    let fits = name.value.len() <= 64
        && !name.value.starts_with('.')
        && name.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if fits {
        return Some(ConnectionId::new(name.value));
    }
    reader.problem(
        ProblemKind::BadValue,
        name.span,
        "the connection's name has characters that keys and file names do not take, or is too long",
        "not a name",
        "use letters, digits, - _ . and at most 64 of them",
    );
    None
}

/// `time_zone` of a section: UTC where nothing is said, `None` where what is said is no time zone.
pub(crate) fn zone<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<TimeZone> {
    let Some(name) = reader.text(section, "time_zone") else { return Some(TimeZone::UTC) };
    let zone = TimeZone::get(name.value.trim()).ok();
    if zone.is_none() {
        reader.problem(
            ProblemKind::BadValue,
            name.span,
            format!("{} is no time zone", section.full_name("time_zone")),
            "not known",
            "use a name of the IANA list, such as \"Europe/Berlin\" or \"America/New_York\"",
        );
    }
    zone
}

/// A rule in a value.
pub(crate) fn rule<'t>(reader: &mut Reader<'t>, value: &'t Value<'t>, name: &str) -> Option<Arc<Compiled>> {
    let text = reader.text_value(value, name)?;
    expression(reader, &text, Wanted::Rule)
}

/// Compiles; every fault becomes a problem at its place in the text.
pub(crate) fn expression(reader: &mut Reader<'_>, text: &At<&str>, wanted: Wanted) -> Option<Arc<Compiled>> {
    match Compiled::compile(text.value, wanted) {
        Ok(compiled) => Some(Arc::new(compiled)),
        Err(faults) => {
            for fault in faults {
                let span = reader.part(text, fault.at);
                reader.problem(ProblemKind::Expression, span, fault.message, "", fault.cure);
            }
            None
        }
    }
}

fn anchor<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> AnchorSettings {
    let section = reader.section(root, "anchor");
    let on_conflict = reader.choice_or(&section, "on_conflict", OnConflict::Stop);
    let default = || vec!["mS-DS-ConsistencyGuid".to_owned(), "objectGUID".to_owned()];
    let from = one_or_more(reader, &section, "from").unwrap_or_else(default);
    AnchorSettings { from, on_conflict }
}

/// A text or a list of texts, each once and trimmed. `None` when nothing is said.
fn one_or_more<'t>(reader: &mut Reader<'t>, section: &Section<'t>, key: &'static str) -> Option<Vec<String>> {
    let value = section.get(key)?;
    let name = section.full_name(key);
    let texts: Vec<At<&str>> = match value.get_ref() {
        DeValue::String(_) => reader.text_value(value, &name).into_iter().collect(),
        _ => reader.texts(section, key).unwrap_or_default(),
    };
    if matches!(value.get_ref(), DeValue::Array(array) if array.is_empty()) {
        reader.problem(
            ProblemKind::BadValue,
            value.span(),
            format!("{name} names nothing"),
            "empty",
            "name at least one, or remove the key",
        );
    }
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        if names.iter().any(|have| have.eq_ignore_ascii_case(text.value.trim())) {
            reader.problem(ProblemKind::BadValue, text.span, format!("{name} names it twice"), "again", "name it once");
        } else {
            names.push(text.value.trim().to_owned());
        }
    }
    Some(names)
}

fn matching<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Matching {
    let section = reader.section(root, "match");
    let mut soft = vec![SoftRule::Upn, SoftRule::PrimarySmtp];
    if let Some(words) = reader.texts(&section, "soft") {
        soft.clear();
        for word in words {
            let Some(known) = reader.word(&section, "soft", &word) else { continue };
            let source: StrDeserializer<'_, NotAWord> = known.into_deserializer();
            match SoftRule::deserialize(source) {
                Ok(rule) if !soft.contains(&rule) => soft.push(rule),
                _ => {
                    reader.problem(
                        ProblemKind::BadValue,
                        word.span,
                        "the rule is named twice",
                        "again",
                        "name it once",
                    );
                }
            }
        }
    }
    let mut prove = vec![Attr::EmployeeId];
    if let Some(words) = reader.texts(&section, "prove") {
        prove.clear();
        for word in words {
            let Some(attr) = attribute(reader, &word, "`match.prove`") else { continue };
            if matches!(attr, Attr::UserPrincipalName | Attr::Mail | Attr::MailNickname) {
                reader.problem(
                    ProblemKind::BadValue,
                    word.span,
                    format!("{attr} proves nothing: soft match already goes by names and addresses"),
                    "not independent",
                    "name an attribute that is assigned independently, such as employeeId",
                );
            } else if prove.contains(&attr) {
                reader.problem(
                    ProblemKind::BadValue,
                    word.span,
                    "the attribute is named twice",
                    "again",
                    "name it once",
                );
            } else {
                prove.push(attr);
            }
        }
    }
    Matching {
        soft,
        prove,
        soft_deleted: reader.choice_or(&section, "soft_deleted", SoftDeleted::Restore),
        merge_synced: reader.flag(&section, "merge_synced", false),
    }
}

/// An account attribute named in a value.
fn attribute(reader: &mut Reader<'_>, word: &At<&str>, name: &str) -> Option<Attr> {
    if let Some(attr) = Attr::ALL.iter().copied().find(|attr| attr.name() == word.value) {
        return Some(attr);
    }
    let cure = match nearest(word.value, Attr::ALL.iter().map(|attr| attr.name())) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => "use the names of Microsoft Graph's user, such as employeeId".to_owned(),
    };
    reader.problem(
        ProblemKind::BadValue,
        word.span.clone(),
        format!("{name} names an unknown attribute"),
        "not known",
        cure,
    );
    None
}

fn actions<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Actions {
    let section = reader.section(root, "actions");
    let mut switch = |key, default| reader.choice_or(&section, key, default);
    Actions {
        create: switch("create", Switch::On),
        update: switch("update", Switch::On),
        takeover: switch("takeover", Switch::On),
        rename: switch("rename", Switch::On),
        enable: switch("enable", Switch::On),
        suspend: switch("suspend", Switch::On),
        restore: switch("restore", Switch::On),
        license: switch("license", Switch::On),
        membership: switch("membership", Switch::On),
        delete: switch("delete", Switch::Approve),
        repair: switch("repair", Switch::Approve),
        merge: switch("merge", Switch::Approve),
        purge: switch("purge", Switch::Approve),
    }
}

fn guard<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Guard {
    let section = reader.section(root, "guard");
    Guard {
        max_removals: reader.number(&section, "max_removals", 500),
        max_removals_percent: reader.number(&section, "max_removals_percent", 5),
        always_allow: reader.number(&section, "always_allow", 3),
        max_creations_percent: reader.number(&section, "max_creations_percent", 20),
        max_identity_changes_percent: reader.number(&section, "max_identity_changes_percent", 20),
    }
}

fn passwords<'t>(reader: &mut Reader<'t>, root: &Section<'t>, base_dir: &Path) -> Passwords {
    let section = reader.section(root, "passwords");
    let Some(to) = reader.text(&section, "deliver_to") else { return Passwords::Discard };
    if to.value == "discard" {
        return Passwords::Discard;
    }
    if let Some(file) = to.value.strip_prefix("file:").filter(|file| !file.trim().is_empty()) {
        let file = At { value: file, span: to.span };
        return connect::path(reader, &file, base_dir, "`passwords.deliver_to`")
            .map_or(Passwords::Discard, Passwords::File);
    }
    reader.hidden.push(to.span.clone());
    reader.problem(
        ProblemKind::BadValue,
        to.span,
        "`passwords.deliver_to` is neither discard nor a file",
        "not known",
        "use \"discard\", or \"file:initial-passwords.csv\"",
    );
    Passwords::Discard
}
