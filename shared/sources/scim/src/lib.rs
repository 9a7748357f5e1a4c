#![doc = include_str!("../README.md")]

mod values;

use std::collections::BTreeSet;

use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::{ImmutableId, PersonKey};
use hardmatch_domain::person::{Address, Addresses, Anchor, Extra, Manager, Person};
use hardmatch_ports::source::{Entry, RefusedEntry};
use serde_json::{Map, Value};

use values::{Element, clean, element, elements, extended, text};

/// Schema of what organizations say of their people.
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Our own schema.
const HARDMATCH: &str = "urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User";

/// What an immutable ID may have at most, as the tenant takes it.
const LONGEST_ID: usize = 60;

/// How people are read.
#[derive(Clone, Debug, Default)]
pub struct ScimReading {
    /// `[anchor] from`.
    pub anchor_from: Vec<String>,
    /// The attributes that rules read.
    pub extra: Vec<String>,
}

/// A pushed person.
#[derive(Clone, Copy)]
pub struct PushedEntry<'p> {
    /// The key under which the person is known.
    pub key: &'p PersonKey,
    /// The attributes as they are kept.
    pub attributes: &'p Map<String, Value>,
    /// Names of attributes that the person has, or had.
    pub had: &'p BTreeSet<String>,
    /// Names of the groups that the person is a member of.
    pub groups: &'p [String],
    /// Whom the value of the manager names.
    pub manager: Option<&'p PersonKey>,
}

impl ScimReading {
    /// What is understood of a person; refused where the person would be known by something that cannot be.
    pub fn entry(&self, pushed: &PushedEntry<'_>) -> Entry {
        match self.person(pushed) {
            Ok(person) => Entry::Person(Box::new(person)),
            Err((column, problem, cure)) => Entry::Refused(RefusedEntry {
                key: Some(pushed.key.clone()),
                column: Some(column.to_owned()),
                problem: problem.to_owned(),
                cure: cure.to_owned(),
                disabled: pushed.attributes.get("active") == Some(&Value::Bool(false)),
                ..RefusedEntry::default()
            }),
        }
    }

    fn person(&self, pushed: &PushedEntry<'_>) -> Result<Person, Refusal> {
        let of = pushed.attributes;
        let upn = text(of, "userName").filter(|name| !name.contains(char::is_whitespace)).ok_or((
            "userName",
            "The user name cannot be a sign-in name",
            "Map userName to the sign-in name, such as ada@contoso.com",
        ))?;
        let mail = mail(of)?;
        let mut values: Vec<(Attr, String)> = vec![(Attr::UserPrincipalName, upn)];
        let mut put = |attr: Attr, names: &[&str], value: Option<String>| match value {
            Some(value) => values.push((attr, value)),
            // What was pushed once and is gone since is empty; what never was says nothing.
            None if names.iter().any(|name| pushed.had.contains(*name)) => values.push((attr, String::new())),
            None => {}
        };
        let part = |name: &str| of.get("name").and_then(Value::as_object).and_then(|names| text(names, name));
        put(Attr::DisplayName, &["displayName", "name.formatted"], display_name(of));
        put(Attr::GivenName, &["name.givenName"], part("givenName"));
        put(Attr::Surname, &["name.familyName"], part("familyName"));
        put(Attr::JobTitle, &["title"], text(of, "title"));
        put(Attr::EmployeeType, &["userType"], text(of, "userType"));
        put(Attr::PreferredLanguage, &["preferredLanguage"], text(of, "preferredLanguage"));
        for (attr, name) in [
            (Attr::EmployeeId, "employeeNumber"),
            (Attr::Department, "department"),
            (Attr::CompanyName, "organization"),
        ] {
            put(attr, &[name], extended(of, ENTERPRISE, name));
        }
        for (attr, kind) in [(Attr::BusinessPhones, "work"), (Attr::MobilePhone, "mobile"), (Attr::FaxNumber, "fax")] {
            let name = format!("phoneNumbers.{kind}");
            let number = element(of, "phoneNumbers", |element| element.is_of(kind)).and_then(|one| one.text("value"));
            put(attr, &[&name], number);
        }
        let address = element(of, "addresses", |element| element.is_of("work"))
            .or_else(|| element(of, "addresses", Element::is_primary))
            .or_else(|| element(of, "addresses", |_| true));
        let country = address.as_ref().and_then(|address| address.text("country"));
        for (attr, name) in [
            (Attr::StreetAddress, "streetAddress"),
            (Attr::City, "locality"),
            (Attr::State, "region"),
            (Attr::PostalCode, "postalCode"),
        ] {
            let value = address.as_ref().and_then(|address| address.text(name));
            put(attr, &[&format!("addresses.{name}")], value);
        }
        let two = |text: &String| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        let usage = extended(of, HARDMATCH, "usageLocation").or_else(|| country.clone().filter(two));
        put(Attr::UsageLocation, &[], usage.map(|usage| usage.to_uppercase()));
        put(Attr::Country, &["addresses.country"], country);
        put(Attr::OfficeLocation, &["officeLocation"], extended(of, HARDMATCH, "officeLocation"));
        for attr in Attr::ALL.iter().filter(|attr| attr.extension_number().is_some_and(|number| number <= 15)) {
            put(*attr, &[attr.name()], extended(of, HARDMATCH, attr.name()));
        }
        put(Attr::Mail, &["emails"], mail.as_ref().map(|mail| mail.as_str().to_owned()));
        let attributes: Attributes = values.iter().map(|(attr, value)| (*attr, value.as_str())).collect();
        Ok(Person {
            key: pushed.key.clone(),
            anchors: self.anchors(of)?,
            attributes,
            addresses: addresses(of, mail),
            groups: Texts::new(pushed.groups.iter().map(String::as_str)),
            manager: manager(pushed),
            enabled: of.get("active").and_then(Value::as_bool),
            password_expired: None,
            extra: Extra::new(self.extra.iter().filter_map(|name| {
                let value = values::named(of, name).or_else(|| pushed.had.contains(name).then(String::new))?;
                Some((name.as_str().into(), value.into()))
            })),
            given_by: None,
        })
    }

    /// The immutable ID of our own schema, then those that the configuration names.
    fn anchors(&self, of: &Map<String, Value>) -> Result<Vec<Anchor>, Refusal> {
        let mut anchors: Vec<Anchor> = Vec::new();
        let mut add = |from: &str, value: Option<String>| -> Result<(), Refusal> {
            let Some(value) = value else { return Ok(()) };
            if value.len() >= LONGEST_ID || value.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err((
                    "externalId",
                    "The value is no immutable ID: it is too long, or has blanks",
                    "Push the immutable ID in the hardmatch extension, or choose another attribute with [anchor] from",
                ));
            }
            let id = ImmutableId::new(value);
            if anchors.iter().all(|anchor| anchor.id != id) {
                anchors.push(Anchor { from: from.into(), id });
            }
            Ok(())
        };
        add("immutableId", extended(of, HARDMATCH, "immutableId"))?;
        let mut named = false;
        for name in self.anchor_from.iter().filter(|name| !name.eq_ignore_ascii_case("immutableId")) {
            let value = values::named(of, name);
            named |= value.is_some() || name.eq_ignore_ascii_case("externalId");
            add(name, value)?;
        }
        if !named {
            add("externalId", text(of, "externalId"))?;
        }
        Ok(anchors)
    }
}

/// Which attribute, what is wrong, and the cure.
type Refusal = (&'static str, &'static str, &'static str);

fn display_name(of: &Map<String, Value>) -> Option<String> {
    let names = of.get("name").and_then(Value::as_object);
    let part = |name: &str| names.and_then(|names| text(names, name));
    text(of, "displayName").or_else(|| part("formatted")).or_else(|| {
        let both: Vec<String> = [part("givenName"), part("familyName")].into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join(" "))
    })
}

/// The address that counts: a primary one, else that of work, else the first that is not of home.
fn mail(of: &Map<String, Value>) -> Result<Option<Address>, Refusal> {
    let one = element(of, "emails", Element::is_primary)
        .or_else(|| element(of, "emails", |element| element.is_of("work")))
        .or_else(|| element(of, "emails", |element| !element.is_of("home")));
    let Some(value) = one.and_then(|one| one.text("value")) else { return Ok(None) };
    let address = Address::parse(&value).ok_or((
        "emails",
        "The mail address is none",
        "Push one such as ada@contoso.com, or leave it out",
    ))?;
    Ok(Some(address))
}

/// Private addresses are no addresses of the account.
fn addresses(of: &Map<String, Value>, mail: Option<Address>) -> Addresses {
    let all: Vec<Address> = elements(of, "emails")
        .filter(|element| !element.is_of("home"))
        .filter_map(|element| Address::parse(&element.text("value")?))
        .collect();
    let mut seen = BTreeSet::new();
    let all = all.iter().map(Address::as_str).filter(|address| seen.insert(*address));
    Addresses::new(mail, Texts::new(all))
}

fn manager(pushed: &PushedEntry<'_>) -> Option<Manager> {
    let value = pushed
        .attributes
        .get(ENTERPRISE)
        .and_then(|extension| extension.get("manager"))
        .and_then(|manager| manager.get("value"))
        .and_then(Value::as_str)
        .map(clean)
        .filter(|value| !value.is_empty());
    match (value, pushed.manager) {
        (_, Some(key)) => Some(Manager::Person(key.clone())),
        (Some(value), None) => Some(Manager::Unknown(value.into())),
        (None, None) => pushed.had.contains("manager").then_some(Manager::Nobody),
    }
}

/// The value that names the manager of a person, as it was pushed.
pub fn manager_value(attributes: &Map<String, Value>) -> Option<&str> {
    attributes.get(ENTERPRISE)?.get("manager")?.get("value")?.as_str().map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(attributes: &Value, had: &[&str], from: &[&str]) -> Entry {
        let reading = ScimReading {
            anchor_from: from.iter().map(|name| (*name).to_owned()).collect(),
            extra: vec!["costCenter".to_owned(), "name.middleName".to_owned()],
        };
        let key = PersonKey::new("k");
        let had = had.iter().map(|name| (*name).to_owned()).collect();
        let groups = ["Staff".to_owned()];
        reading.entry(&PushedEntry {
            key: &key,
            attributes: attributes.as_object().unwrap(),
            had: &had,
            groups: &groups,
            manager: None,
        })
    }

    fn understood(entry: Entry) -> Person {
        match entry {
            Entry::Person(person) => *person,
            Entry::Refused(refused) => panic!("{refused:?}"),
        }
    }

    fn ada() -> Value {
        json!({
            "userName": " ada@contoso.com ", "externalId": "E7", "active": false,
            "name": { "givenName": "Ada", "familyName": "Lovelace", "middleName": "Augusta" },
            "emails": [{ "value": "ada@home.example", "type": "home" },
                       { "value": "Ada@contoso.com", "type": "work" }, { "value": "a.l@contoso.com", "type": "other" }],
            "phoneNumbers": [{ "value": "+44 1", "type": "work" }, { "value": "+44 2", "type": "mobile" }],
            "addresses": [{ "locality": "London", "country": "gb", "type": "work" }],
            ENTERPRISE: { "employeeNumber": "0012", "costCenter": "C1", "manager": { "value": "E1" } },
        })
    }

    #[test]
    fn attributes_mean_what_those_of_a_directory_do() {
        let ada = understood(person(&ada(), &[], &["externalId"]));
        let value = |attr| ada.attributes.filled(attr);
        assert_eq!(value(Attr::UserPrincipalName), Some("ada@contoso.com"));
        assert_eq!(value(Attr::DisplayName), Some("Ada Lovelace"));
        assert_eq!(value(Attr::Mail), Some("ada@contoso.com"));
        assert_eq!(value(Attr::EmployeeId), Some("0012"));
        assert_eq!(value(Attr::BusinessPhones), Some("+44 1"));
        assert_eq!(value(Attr::MobilePhone), Some("+44 2"));
        assert_eq!((value(Attr::City), value(Attr::UsageLocation)), (Some("London"), Some("GB")));
        assert_eq!(ada.addresses.primary(), Some("ada@contoso.com"));
        assert_eq!(ada.addresses.all().iter().collect::<Vec<_>>(), ["ada@contoso.com", "a.l@contoso.com"]);
        assert_eq!(ada.enabled, Some(false));
        assert_eq!(ada.manager, Some(Manager::Unknown("E1".into())));
        assert_eq!(ada.groups.iter().collect::<Vec<_>>(), ["Staff"]);
        assert_eq!((ada.extra.get("costCenter"), ada.extra.get("name.middleName")), (Some("C1"), Some("Augusta")));
    }

    #[test]
    fn the_immutable_id_is_ours_then_the_configured_one_and_never_an_id_of_ours() {
        let ids = |from: &[&str], mut ada: Value, own: Option<&str>| -> Vec<String> {
            if let Some(own) = own {
                ada[HARDMATCH] = json!({ "immutableId": own });
            }
            let anchors = understood(person(&ada, &[], from)).anchors;
            anchors.iter().map(|anchor| anchor.id.as_str().to_owned()).collect()
        };
        assert_eq!(ids(&["externalId"], ada(), None), ["E7"]);
        assert_eq!(ids(&["mS-DS-ConsistencyGuid", "objectGUID"], ada(), None), ["E7"]);
        assert_eq!(ids(&["employeeNumber"], ada(), None), ["0012"]);
        assert_eq!(ids(&["externalId"], ada(), Some("AAAA")), ["AAAA", "E7"]);
        let mut nobody = ada();
        nobody.as_object_mut().unwrap().remove("externalId");
        assert_eq!(ids(&["externalId"], nobody, None), Vec::<String>::new());
    }

    #[test]
    fn what_was_never_pushed_says_nothing_and_what_is_gone_is_empty() {
        let ada = understood(person(&ada(), &["title", "manager"], &[]));
        assert_eq!(ada.attributes.get(Attr::JobTitle), Some(""));
        assert_eq!(ada.attributes.get(Attr::Department), None);
        let without = json!({ "userName": "a@b.c" });
        assert_eq!(understood(person(&without, &["manager"], &[])).manager, Some(Manager::Nobody));
        assert_eq!(understood(person(&without, &[], &[])).manager, None);
    }

    #[test]
    fn who_cannot_be_known_is_refused_and_a_no_is_carried_out() {
        for (name, wrong) in [("userName", json!("ada lovelace")), ("emails", json!([{ "value": "no address" }]))] {
            let mut ada = ada();
            ada[name] = wrong;
            let Entry::Refused(refused) = person(&ada, &[], &[]) else { panic!("{name}") };
            assert_eq!(refused.column.as_deref(), Some(name));
            assert!(refused.disabled && refused.key.is_some());
            assert!(!refused.problem.contains("ada"));
        }
    }
}
