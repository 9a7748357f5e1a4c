//! The entries of an Active Directory, and what happens to them: what changed is numbered, names in `member` and `manager`
//! follow their entries without a number of their own, and what is deleted leaves a tombstone.

use std::collections::BTreeMap;

use super::{BASE, DOMAIN, READER};

/// What a tombstone keeps.
const KEPT: [&str; 4] = ["objectclass", "objectsid", "samaccountname", "useraccountcontrol"];

/// Attributes whose values are names of entries.
const LINKS: [&str; 2] = ["member", "manager"];

/// An attribute, and the number of its last change.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) usn: u64,
}

/// An entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    /// Sixteen letters: the codec of the server reads filters as text.
    pub(crate) guid: String,
    pub(crate) usn: u64,
    pub(crate) deleted: bool,
    /// By the name in small letters.
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

impl Entry {
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_lowercase()).map_or(&[], |attribute| &attribute.values)
    }

    fn put(&mut self, name: &str, values: &[&str], usn: u64) {
        let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        self.attributes.insert(name.to_lowercase(), Attribute { name: name.to_owned(), values, usn });
        self.usn = usn;
    }
}

/// What one controller has.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// What the controller is known by until it is restored.
    pub(crate) invocation: String,
    /// The number of the last change.
    pub(crate) usn: u64,
    /// Entries that were ever made.
    pub(crate) made: u64,
    /// Days for which deletions are kept, where the directory says so.
    pub(crate) tombstone_days: Option<u32>,
    /// By GUID.
    pub(crate) entries: BTreeMap<String, Entry>,
}

/// Whether a name is a base or below it.
pub(crate) fn is_below(dn: &str, base: &str) -> bool {
    let (dn, base) = (dn.to_lowercase(), base.to_lowercase());
    base.is_empty() || dn.strip_suffix(&base).is_some_and(|rest| rest.is_empty() || rest.ends_with(','))
}

/// The name of a person below the base.
pub(crate) fn name_of(number: u32) -> String {
    format!("CN=Person {number},{BASE}")
}

impl Tree {
    /// A domain with a unit for people, nobody in it.
    pub(crate) fn new(invocation: &str) -> Self {
        let mut tree = Self {
            invocation: invocation.to_owned(),
            usn: 1_000,
            made: 0,
            tombstone_days: None,
            entries: BTreeMap::new(),
        };
        tree.add(DOMAIN, &[("objectClass", &["top", "domain"])]);
        for unit in [&format!("OU=Lab,{DOMAIN}"), BASE, &format!("OU=Outside,{DOMAIN}")] {
            tree.unit(unit);
        }
        tree.add(READER, &[("objectClass", &["top", "user"])]);
        tree
    }

    /// What another controller of the domain has: the same entries, other numbers.
    pub(crate) fn replica(&self, invocation: &str) -> Self {
        let mut other = self.clone();
        invocation.clone_into(&mut other.invocation);
        other.usn += 5_000;
        for entry in other.entries.values_mut() {
            entry.usn += 5_000;
            entry.attributes.values_mut().for_each(|attribute| attribute.usn += 5_000);
        }
        other
    }

    fn next(&mut self) -> u64 {
        self.usn += 1;
        self.usn
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, dn: &str, attributes: &[(&str, &[&str])]) -> String {
        let usn = self.next();
        self.made += 1;
        let guid = format!("guid{:012}", self.made);
        let mut entry =
            Entry { dn: dn.to_owned(), guid: guid.clone(), usn, deleted: false, attributes: BTreeMap::new() };
        for (name, values) in attributes {
            entry.put(name, values, usn);
        }
        let rdn = dn.split(',').next().and_then(|rdn| rdn.split_once('=')).map_or("", |(_, value)| value).to_owned();
        entry.put("name", &[&rdn], usn);
        self.entries.insert(guid.clone(), entry);
        guid
    }

    pub(crate) fn unit(&mut self, dn: &str) {
        self.add(dn, &[("objectClass", &["top", "organizationalUnit"])]);
    }

    /// A person of a number, by the name of [`name_of`].
    pub(crate) fn person(&mut self, number: u32) -> String {
        self.person_at(number, &name_of(number))
    }

    pub(crate) fn person_at(&mut self, number: u32, dn: &str) -> String {
        let (upn, name) = (format!("p{number}@contoso.com"), format!("Person {number}"));
        self.add(
            dn,
            &[
                ("objectClass", &["top", "person", "organizationalPerson", "user"]),
                ("objectCategory", &["person"]),
                ("sAMAccountName", &[&format!("p{number}")]),
                ("userPrincipalName", &[&upn]),
                ("mail", &[&upn]),
                ("givenName", &["Person"]),
                ("sn", &[&number.to_string()]),
                ("displayName", &[&name]),
                ("title", &["Engineer"]),
                ("userAccountControl", &["512"]),
            ],
        )
    }

    pub(crate) fn group(&mut self, name: &str, members: &[&str]) {
        let dn = format!("CN={name},OU=Lab,{DOMAIN}");
        self.add(&dn, &[("objectClass", &["top", "group"]), ("sAMAccountName", &[name]), ("member", members)]);
    }

    /// The GUID of the entry of a name.
    #[track_caller]
    pub(crate) fn guid(&self, dn: &str) -> String {
        let found = self.entries.values().find(|entry| entry.dn.eq_ignore_ascii_case(dn));
        found.unwrap_or_else(|| panic!("nothing is called {dn}")).guid.clone()
    }

    #[track_caller]
    fn entry(&mut self, dn: &str) -> &mut Entry {
        let guid = self.guid(dn);
        self.entries.get_mut(&guid).unwrap()
    }

    /// Puts values in the place of others; none clears the attribute.
    #[track_caller]
    pub(crate) fn set(&mut self, dn: &str, name: &str, values: &[&str]) {
        let usn = self.next();
        self.entry(dn).put(name, values, usn);
    }

    /// Renames or moves an entry. What is below it has another name from then on, and no change of its own.
    #[track_caller]
    pub(crate) fn rename(&mut self, dn: &str, to: &str) {
        let usn = self.next();
        let rdn = to.split(',').next().and_then(|rdn| rdn.split_once('=')).map_or("", |(_, value)| value).to_owned();
        self.entry(dn).put("name", &[&rdn], usn);
        let moved = |name: &str| match name.len().checked_sub(dn.len()) {
            Some(at) if is_below(name, dn) => Some(format!("{}{to}", &name[..at])),
            _ => None,
        };
        for entry in self.entries.values_mut() {
            if let Some(name) = moved(&entry.dn) {
                entry.dn = name;
            }
            for link in LINKS {
                for value in entry.attributes.get_mut(link).into_iter().flat_map(|attribute| &mut attribute.values) {
                    if let Some(name) = moved(&String::from_utf8_lossy(value)) {
                        *value = name.into_bytes();
                    }
                }
            }
        }
    }

    /// Deletes an entry: a tombstone stays. Gives its GUID.
    #[track_caller]
    pub(crate) fn delete(&mut self, dn: &str) -> String {
        let usn = self.next();
        let entry = self.entry(dn);
        for (name, attribute) in &mut entry.attributes {
            if !KEPT.contains(&name.as_str()) && !attribute.values.is_empty() {
                attribute.values.clear();
                attribute.usn = usn;
            }
        }
        let guid = entry.guid.clone();
        let name = format!("{}\nDEL:{guid}", dn.split(',').next().unwrap_or_default().trim_start_matches("CN="));
        entry.put("isDeleted", &["TRUE"], usn);
        entry.put("name", &[&name], usn);
        entry.dn = format!("CN={}\\0ADEL:{guid},CN=Deleted Objects,{DOMAIN}", name.split('\n').next().unwrap());
        entry.deleted = true;
        for other in self.entries.values_mut() {
            for link in LINKS {
                if let Some(attribute) = other.attributes.get_mut(link) {
                    attribute.values.retain(|value| !String::from_utf8_lossy(value).eq_ignore_ascii_case(dn));
                }
            }
        }
        guid
    }

    /// Brings a deleted person back under a name, with what an administrator fills in again.
    pub(crate) fn restore(&mut self, guid: &str, number: u32) {
        let usn = self.next();
        let (upn, name, dn) = (format!("p{number}@contoso.com"), format!("Person {number}"), name_of(number));
        let entry = self.entries.get_mut(guid).unwrap();
        entry.deleted = false;
        entry.dn = dn;
        for (attribute, values) in [
            ("isDeleted", &[][..]),
            ("objectCategory", &["person"]),
            ("name", &[name.as_str()]),
            ("userPrincipalName", &[upn.as_str()]),
            ("mail", &[upn.as_str()]),
            ("displayName", &[name.as_str()]),
            ("title", &["Engineer"]),
        ] {
            entry.put(attribute, values, usn);
        }
    }

    /// The groups that list entries, by the entries' names in small letters.
    pub(crate) fn groups(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let mut groups: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for entry in self.entries.values() {
            for member in entry.values("member") {
                let member = String::from_utf8_lossy(member).to_lowercase();
                groups.entry(member).or_default().push(entry.dn.clone().into_bytes());
            }
        }
        groups
    }
}
