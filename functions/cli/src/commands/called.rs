//! What people are called, and how well that fits what somebody typed. Pure.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;

/// How well a person fits. The best comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// Each word that was typed is a word of a name, of the sign-in name, of an address or of the key.
    Words,
    /// Each word that was typed begins one.
    Beginnings,
    /// What was typed stands somewhere in one of them.
    Part,
}

/// A person as they are listed when several fit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) upn: String,
    pub(crate) key: String,
}

impl Known {
    pub(crate) fn of(person: &Person) -> Self {
        let said = |attr| person.attributes.filled(attr).unwrap_or_default();
        let name = match said(Attr::DisplayName) {
            "" => format!("{} {}", said(Attr::GivenName), said(Attr::Surname)).trim().to_owned(),
            name => name.to_owned(),
        };
        Self { name, upn: person.upn().unwrap_or_default().to_owned(), key: person.key.as_str().to_owned() }
    }
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, upn, key } = self;
        match (name.as_str(), upn.as_str()) {
            ("", "") => write!(f, "key {key}"),
            (name, "") => write!(f, "{name}, key {key}"),
            ("", upn) => write!(f, "{upn}, key {key}"),
            (name, upn) => write!(f, "{name} <{upn}>, key {key}"),
        }
    }
}

/// Everything that a person is called: names, sign-in name, addresses, employee ID and key.
pub(crate) fn names(person: &Person) -> Vec<&str> {
    const NAMED: [Attr; 6] =
        [Attr::DisplayName, Attr::GivenName, Attr::Surname, Attr::UserPrincipalName, Attr::Mail, Attr::EmployeeId];
    let attributes = NAMED.into_iter().filter_map(|attr| person.attributes.filled(attr));
    std::iter::once(person.key.as_str()).chain(attributes).chain(person.addresses.all().iter()).collect()
}

/// How well these names fit what was typed; `None`: not at all. Upper and lower case are alike.
pub(crate) fn fit(names: &[&str], typed: &str) -> Option<Fit> {
    let typed = typed.trim().to_lowercase();
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let wanted: Vec<&str> = words(&typed).collect();
    if wanted.is_empty() {
        return None;
    }
    let all = |fits: &dyn Fn(&str, &str) -> bool| {
        wanted.iter().all(|wanted| names.iter().flat_map(|name| words(name)).any(|word| fits(word, wanted)))
    };
    if all(&|word, wanted| word == wanted) {
        Some(Fit::Words)
    } else if all(&|word, wanted| word.starts_with(wanted)) {
        Some(Fit::Beginnings)
    } else if names.iter().any(|name| name.contains(&typed)) {
        Some(Fit::Part)
    } else {
        None
    }
}

/// Letters and digits between anything else: `karl.weiss@contoso.com` has four.
pub(crate) fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_words_beginnings_and_parts_of_their_names() {
        let karl = ["00042", "Karl Weiß", "karl.weiss@contoso.com"];
        for (typed, wanted) in [
            ("karl", Some(Fit::Words)),
            ("KARL weiß", Some(Fit::Words)),
            ("weiß karl", Some(Fit::Words)),
            ("weiss", Some(Fit::Words)),
            ("ka", Some(Fit::Beginnings)),
            ("k wei", Some(Fit::Beginnings)),
            ("arl", Some(Fit::Part)),
            ("l.weiss@c", Some(Fit::Part)),
            ("042", Some(Fit::Part)),
            ("karla", None),
            ("karl schmidt", None),
            ("", None),
            (" ", None),
            ("@", None),
        ] {
            assert_eq!(fit(&karl, typed), wanted, "{typed:?}");
        }
    }

    #[test]
    fn a_person_without_a_name_is_listed_by_what_there_is() {
        let known = |name: &str, upn: &str| Known { name: name.into(), upn: upn.into(), key: "7".into() }.to_string();
        assert_eq!(known("Ada", "ada@x.example"), "Ada <ada@x.example>, key 7");
        assert_eq!(known("", "ada@x.example"), "ada@x.example, key 7");
        assert_eq!(known("Ada", ""), "Ada, key 7");
        assert_eq!(known("", ""), "key 7");
    }
}
