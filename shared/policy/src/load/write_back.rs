//! `[write_back]`: what a directory is given where it has no value.

use hardmatch_domain::write_back::{CONSISTENCY_GUID, TenantValue, WriteBackRule};
use toml::de::DeValue;

use crate::config::AnchorSettings;
use crate::keys::NOT_WRITTEN_BACK;
use crate::names::nearest;
use crate::problem::ProblemKind;
use crate::sources::{Location, SourceKind, SourceSettings};
use crate::tree::{Reader, Section, Value};

type Key<'t> = toml::Spanned<std::borrow::Cow<'t, str>>;

/// The rules, by the attribute's name.
pub(super) fn rules<'t>(
    reader: &mut Reader<'t>,
    root: &Section<'t>,
    source: Option<&SourceSettings>,
    anchor: &AnchorSettings,
) -> Vec<WriteBackRule> {
    let Some(value) = root.get("write_back") else { return Vec::new() };
    let DeValue::Table(table) = value.get_ref() else {
        reader.wrong_type(value, value.get_ref(), "[write_back]", "a table");
        return Vec::new();
    };
    if source.is_some_and(|source| !parts(source).any(|part| part.kind == SourceKind::Ldap)) && !table.is_empty() {
        reader.problem(
            ProblemKind::BadValue,
            value.span(),
            "[write_back] belongs to kind = \"ldap\": nobody writes to this source",
            "does not belong here",
            "remove it; `hardmatch repair learned` lists the immutable IDs that the source's owner enters",
        );
        return Vec::new();
    }
    let mut rules: Vec<WriteBackRule> = Vec::new();
    for (key, value) in table {
        let Some(value) = tenant_value(reader, key, value) else { continue };
        let name = key.get_ref().trim();
        let twice = rules.iter().any(|rule| rule.attribute.eq_ignore_ascii_case(name));
        let why = if twice { Some("is named twice") } else { refused(name, value, source, anchor) };
        match why {
            Some(why) => reader.problem(
                ProblemKind::BadValue,
                key.span(),
                format!("`write_back.{name}` {why}"),
                "cannot be written",
                "name an attribute that nothing else fills, such as mS-DS-ConsistencyGuid or msDS-cloudExtensionAttribute1",
            ),
            None => rules.push(WriteBackRule { attribute: name.into(), value }),
        }
    }
    rules.sort_by(|one, other| one.attribute.cmp(&other.attribute));
    rules
}

/// The source, or each of several. Of several, a person's first entry that can be written to gets the values.
fn parts(source: &SourceSettings) -> Box<dyn Iterator<Item = &SourceSettings> + '_> {
    match &source.location {
        Location::Several(several) => Box::new(several.parts.iter().map(|part| &part.settings)),
        _ => Box::new(std::iter::once(source)),
    }
}

fn tenant_value<'t>(reader: &mut Reader<'t>, key: &Key<'t>, value: &'t Value<'t>) -> Option<TenantValue> {
    let name: String = key.get_ref().chars().take(64).collect();
    let word = reader.text_value(value, &format!("`write_back.{name}`"))?;
    let known = TenantValue::ALL.into_iter().find(|known| known.name() == word.value);
    if known.is_none() {
        let names = TenantValue::ALL.map(TenantValue::name);
        let cure = match nearest(word.value, names) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("right of = stands a value of the account: {}", names.join(", ")),
        };
        let problem = format!("`write_back.{name}` names no value of an account");
        reader.problem(ProblemKind::BadValue, word.span, problem, "not known", cure);
    }
    known
}

/// Why an attribute cannot be written to, as the end of a sentence.
fn refused(
    name: &str,
    value: TenantValue,
    source: Option<&SourceSettings>,
    anchor: &AnchorSettings,
) -> Option<&'static str> {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let spelled = !name.is_empty()
        && name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !spelled {
        return Some("is no name of an attribute");
    }
    if let Some((_, why)) = NOT_WRITTEN_BACK.iter().find(|(known, _)| is(known)) {
        return Some(why);
    }
    if source.is_some_and(|source| parts(source).any(|part| part.key.as_deref().is_some_and(is))) {
        return Some("is the key by which people are told apart");
    }
    if is(CONSISTENCY_GUID) {
        if value != TenantValue::ImmutableId {
            return Some("holds a GUID: give it \"immutableId\"");
        }
        if !anchor.from.iter().any(|from| is(from)) {
            return Some("is not among [anchor] from, so what is written there would never be read");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use hardmatch_domain::write_back::TenantValue;

    use crate::config::Config;
    use crate::{explain, widens};

    const DIRECTORY: &str = "kind = \"ldap\"\nlocation = \"ldaps://dc1\"\nbase = \"DC=x\"\nbind = \"svc@x\"\n\
                             password = \"env:P\"\nca = \"ca.pem\"\nkey = \"uid\"\n";

    fn load(source: &str, more: &str) -> Result<Config, String> {
        let text = format!(
            "schema = 1\nconnection = \"x\"\n[tenant]\nid = \"x.example\"\ncloud = \"simulated\"\n[source]\n{source}{more}"
        );
        Config::load(&text, "hardmatch.toml", Path::new("/x")).map_err(|problems| problems.lines())
    }

    #[test]
    fn attributes_of_a_directory_get_values_of_the_account() {
        let none = load(DIRECTORY, "").unwrap();
        assert!(none.write_back.is_empty() && none.source_attributes().is_empty());
        let more = "[write_back]\nmS-DS-ConsistencyGuid = \"immutableId\"\ninfo = \"proxyAddresses\"\n";
        let config = load(DIRECTORY, more).unwrap();
        let rules: Vec<_> = config.write_back.iter().map(|rule| (&*rule.attribute, rule.value)).collect();
        assert_eq!(rules, [("info", TenantValue::ProxyAddresses), ("mS-DS-ConsistencyGuid", TenantValue::ImmutableId)]);
        assert_eq!(config.policy(1).write_back, config.write_back);
        assert_eq!(config.source_attributes(), ["info"], "anchors are read in any case");
        assert!(widens(&none, &config) && !widens(&config, &none), "more is written than before");
        assert!(explain(&config).contains("`info` gets the account's proxy addresses"), "{}", explain(&config));
        assert!(!explain(&none).contains("directory is given"));
    }

    #[test]
    fn what_cannot_be_written_is_refused_with_its_reason() {
        for (more, said) in [
            ("objectGUID = \"immutableId\"", "is set by the directory itself"),
            ("UNICODEPWD = \"id\"", "holds a password"),
            ("userAccountControl = \"id\"", "says who may sign in"),
            ("uid = \"id\"", "is the key by which people are told apart"),
            ("mS-DS-ConsistencyGuid = \"id\"", "holds a GUID"),
            ("\"in fo\" = \"id\"", "is no name of an attribute"),
            ("\"info)(uid=*\" = \"id\"", "is no name of an attribute"),
            ("info = \"id\"\nINFO = \"mail\"", "is named twice"),
            ("info = \"immutableID\"", "did you mean \"immutableId\"?"),
            ("info = 1", "text"),
        ] {
            let problems = load(DIRECTORY, &format!("[write_back]\n{more}\n")).unwrap_err();
            assert!(problems.contains(said), "{more}: {problems}");
        }
        let unread = "[anchor]\nfrom = \"objectGUID\"\n[write_back]\nmS-DS-ConsistencyGuid = \"immutableId\"\n";
        assert!(load(DIRECTORY, unread).unwrap_err().contains("would never be read"));
    }

    #[test]
    fn nobody_writes_to_a_file() {
        let file = "kind = \"csv\"\nlocation = \"people.csv\"\n";
        let problems = load(file, "[write_back]\ninfo = \"id\"\n").unwrap_err();
        assert!(problems.contains("repair learned"), "{problems}");
        assert!(load(file, "").is_ok());
    }
}
