//! From a row to a person: the default flow of attributes, keys, anchors, addresses, enablement. Pure.

use std::borrow::Cow;

use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::{Guid, ImmutableId, PersonKey};
use hardmatch_domain::person::{Address, Addresses, Anchor, Extra, Manager, Person};

use crate::columns::Columns;
use crate::index::{Index, Name};
use crate::known::Meaning;
use crate::row::{Fault, Layout, Row};
use crate::value::{self, Lines};
use crate::{dn, guid};

/// `userAccountControl`: the account is disabled.
/// <https://learn.microsoft.com/troubleshoot/windows-server/active-directory/useraccountcontrol-manipulate-account-properties>
const DISABLED: i64 = 0x2;
/// `userAccountControl`: the password has expired. AD keeps this bit only in the computed attribute.
const PASSWORD_EXPIRED: i64 = 0x80_0000;

/// A row, the columns it has and what is known of the whole listing.
pub(crate) struct Translation<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) index: &'a Index,
    /// Unix seconds.
    pub(crate) now: i64,
}

impl Translation<'_> {
    /// The person of a row whose key is read already.
    pub(crate) fn person(&self, row: &Row, key: PersonKey) -> Result<Person, Fault> {
        if let Some(line) = self.index.twin(&key, row.line) {
            let fault = Fault::new(
                format!("The row has the same key as line {line}"),
                "Make the key unique at the source, or choose another with `key` in [source]",
            );
            return Err(fault.at(self.columns.name(self.columns.key)));
        }
        let reader = Reader { columns: self.columns, row };
        Ok(Person {
            key,
            anchors: reader.anchors()?,
            attributes: reader.attributes()?,
            addresses: reader.addresses()?,
            groups: reader.groups()?,
            manager: self.manager(&reader)?,
            enabled: self.enabled(&reader)?,
            password_expired: reader.password_expired()?,
            extra: reader.extra()?,
        })
    }

    fn manager(&self, reader: &Reader<'_>) -> Result<Option<Manager>, Fault> {
        let Some(column) = self.columns.manager else { return Ok(None) };
        let text = reader.text(column, Lines::One)?;
        Ok(Some(match self.index.find(&text) {
            _ if text.is_empty() => Manager::Nobody,
            Some(key) => Manager::Person(key.clone()),
            None => Manager::Unknown(text.into()),
        }))
    }

    /// Any word against it counts; without a word for it nothing is said.
    fn enabled(&self, reader: &Reader<'_>) -> Result<Option<bool>, Fault> {
        let control = reader.parsed(self.columns.control, value::number)?.map(|bits| bits & DISABLED == 0);
        let switch = reader.parsed(self.columns.enabled, value::switch)?;
        let expires = reader.parsed(self.columns.expires, value::number)?;
        let expired = expires.is_some_and(|time| value::has_expired(time, self.now));
        Ok(match (control, switch) {
            _ if expired => Some(false),
            (Some(control), Some(switch)) => Some(control && switch),
            (one, other) => one.or(other),
        })
    }
}

/// The row's unchanging key.
pub(crate) fn key(row: &Row, columns: &Columns) -> Result<PersonKey, Fault> {
    let reader = Reader { columns, row };
    let column = columns.key;
    let fault = |fault: Fault| fault.at(columns.name(column));
    let first = row.values(column).next().unwrap_or_default();
    if first.trim_ascii().is_empty() {
        return Err(fault(Fault::new(
            "The row has no key",
            "Fill the column at the source, or choose another with `key` in [source]",
        )));
    }
    match columns.meaning(column) {
        Some(Meaning::ObjectGuid | Meaning::ConsistencyGuid) => {
            Ok(PersonKey::new(guid::text(&reader.guid(column, first)?)))
        }
        Some(Meaning::EntryUuid) => {
            let uuid = Guid::parse(&reader.text(column, Lines::One)?);
            let malformed =
                || fault(Fault::new("The value is not a UUID", "Export entryUUID as the directory shows it"));
            Ok(PersonKey::new(guid::text(&uuid.ok_or_else(malformed)?)))
        }
        _ => Ok(PersonKey::new(reader.text(column, Lines::One)?)),
    }
}

/// Notes by what others may refer to the row. Names that cannot be read refer to nobody; the row is refused later.
pub(crate) fn note_names(row: &Row, columns: &Columns, index: &mut Index) {
    let reader = Reader { columns, row };
    for (name, column) in [(Name::Dn, columns.dn), (Name::Upn, columns.upn), (Name::Sam, columns.sam)] {
        if let Some(Ok(text)) = column.map(|column| reader.text(column, Lines::One)) {
            index.name(name, &text);
        }
    }
}

struct Reader<'a> {
    columns: &'a Columns,
    row: &'a Row,
}

impl<'a> Reader<'a> {
    /// The first value of a column; empty when the row has none.
    fn text(&self, column: usize, lines: Lines) -> Result<Cow<'a, str>, Fault> {
        self.row.values(column).next().map_or(Ok(Cow::Borrowed("")), |value| self.clean(column, value, lines))
    }

    fn clean(&self, column: usize, value: &'a [u8], lines: Lines) -> Result<Cow<'a, str>, Fault> {
        let binary = match self.columns.meaning(column) {
            Some(Meaning::ObjectGuid | Meaning::ConsistencyGuid) if value.len() == 16 => {
                guid::parse(value).map(|guid| guid::text(&guid))
            }
            Some(Meaning::Sid) => value::sid(value),
            _ => None,
        };
        match binary {
            Some(text) => Ok(Cow::Owned(text)),
            None => value::clean(value, lines).map_err(|fault| fault.at(self.columns.name(column))),
        }
    }

    /// Every value of a column; a CSV cell is a list.
    fn list(&self, column: usize) -> Result<Vec<Cow<'a, str>>, Fault> {
        let mut all = Vec::new();
        for value in self.row.values(column) {
            let text = self.clean(column, value, Lines::One)?;
            match (self.row.layout(), text) {
                (Layout::Values | Layout::Octets, text) if text.is_empty() => {}
                (Layout::Values | Layout::Octets, text) => all.push(text),
                (Layout::Cells, text) => {
                    value::refuse_type_name(&text).map_err(|fault| fault.at(self.columns.name(column)))?;
                    match text {
                        Cow::Borrowed(text) => all.extend(value::list(text).map(Cow::Borrowed)),
                        Cow::Owned(text) => all.extend(value::list(&text).map(|part| Cow::Owned(part.to_owned()))),
                    }
                }
            }
        }
        Ok(all)
    }

    /// A value that is not empty, understood.
    fn parsed<T>(&self, column: Option<usize>, parse: fn(&str) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let Some(column) = column else { return Ok(None) };
        let text = self.text(column, Lines::One)?;
        if text.is_empty() {
            return Ok(None);
        }
        parse(&text).map(Some).map_err(|fault| fault.at(self.columns.name(column)))
    }

    fn guid(&self, column: usize, value: &[u8]) -> Result<Guid, Fault> {
        // Sixteen characters of CSV or JSON are a misspelt text, not bytes.
        let octets = self.row.layout() == Layout::Octets || value.len() != 16;
        guid::parse(value).filter(|_| octets).ok_or_else(|| {
            Fault::new(
                "The value is not a GUID",
                "Write it as text (2d72cb73-b186-…), as base64 of its 16 bytes or as 32 hexadecimal digits",
            )
            .at(self.columns.name(column))
        })
    }

    fn anchors(&self) -> Result<Vec<Anchor>, Fault> {
        let mut anchors = Vec::with_capacity(self.columns.anchors.len());
        for (from, column) in &self.columns.anchors {
            let Some(value) = self.row.values(*column).next().filter(|value| !value.trim_ascii().is_empty()) else {
                continue;
            };
            let id = match self.columns.meaning(*column) {
                Some(Meaning::ObjectGuid | Meaning::ConsistencyGuid) => {
                    ImmutableId::from_guid(&self.guid(*column, value)?)
                }
                _ => value::immutable_text(&self.clean(*column, value, Lines::One)?)
                    .map_err(|fault| fault.at(self.columns.name(*column)))?,
            };
            anchors.push(Anchor { from: from.as_ref().into(), id });
        }
        Ok(anchors)
    }

    fn attributes(&self) -> Result<Attributes, Fault> {
        let mut values: Vec<(Attr, Cow<'a, str>)> = Vec::with_capacity(self.columns.texts.len() + 2);
        for (attr, from) in &self.columns.texts {
            let lines = if *attr == Attr::StreetAddress { Lines::Many } else { Lines::One };
            let mut value = Cow::Borrowed("");
            for column in from {
                value = self.text(*column, lines)?;
                if !value.is_empty() {
                    break;
                }
            }
            if *attr == Attr::UsageLocation || *attr == Attr::Mail {
                value = Cow::Owned(if *attr == Attr::Mail { value.to_lowercase() } else { value.to_uppercase() });
            }
            values.push((*attr, value));
        }
        self.country(&mut values)?;
        Ok(values.iter().map(|(attr, value)| (*attr, value.as_ref())).collect())
    }

    /// `co` is the country's name, `c` its two letters. Exports also put two letters under `country`.
    fn country(&self, values: &mut Vec<(Attr, Cow<'a, str>)>) -> Result<(), Fault> {
        let named = self.columns.country_name.map(|column| self.text(column, Lines::One)).transpose()?;
        let code = self.columns.country_code.map(|column| self.text(column, Lines::One)).transpose()?;
        let two = |text: &Cow<'a, str>| {
            (text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic())).then(|| text.to_uppercase())
        };
        let filled = |text: &&Cow<'a, str>| !text.is_empty();
        let location = code.as_ref().and_then(two).or_else(|| named.as_ref().and_then(two));
        let country = named.as_ref().filter(filled).or(code.as_ref()).or(named.as_ref()).cloned();
        values.extend(country.map(|country| (Attr::Country, country)));
        let said = values.iter().any(|(attr, value)| *attr == Attr::UsageLocation && !value.is_empty());
        if let (false, Some(location)) = (said, location) {
            values.push((Attr::UsageLocation, Cow::Owned(location)));
        } else if let (false, Some("")) = (said, code.as_deref()) {
            values.push((Attr::UsageLocation, Cow::Borrowed("")));
        }
        Ok(())
    }

    /// One `SMTP:` entry is the primary address; with none it is `mail`; with several nobody guesses.
    /// <https://learn.microsoft.com/troubleshoot/entra/entra-id/user-prov-sync/proxyaddresses-attribute-populate>
    fn addresses(&self) -> Result<Addresses, Fault> {
        let mut primaries: Vec<Address> = Vec::new();
        let mut all: Vec<Address> = Vec::new();
        if let Some(column) = self.columns.proxies {
            for entry in self.list(column)? {
                let (kind, text) = entry.split_once(':').unwrap_or(("smtp", &entry));
                if !kind.eq_ignore_ascii_case("smtp") {
                    continue;
                }
                let address = self.address(column, text)?;
                if kind == "SMTP" && !primaries.contains(&address) {
                    primaries.push(address.clone());
                }
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
        if let (true, Some(column)) = (primaries.is_empty(), self.columns.mail) {
            let mail = self.text(column, Lines::One)?;
            if !mail.is_empty() {
                let address = self.address(column, &mail)?;
                all.retain(|have| *have != address);
                all.insert(0, address.clone());
                primaries.push(address);
            }
        }
        let primary = primaries.pop().filter(|_| primaries.is_empty());
        Ok(Addresses::new(primary, Texts::new(all.iter().map(Address::as_str))))
    }

    fn address(&self, column: usize, text: &str) -> Result<Address, Fault> {
        Address::parse(text).ok_or_else(|| {
            Fault::new("The value is not an e-mail address", "Write name@domain, or leave it empty")
                .at(self.columns.name(column))
        })
    }

    /// A DN counts under its name and in full.
    fn groups(&self) -> Result<Texts, Fault> {
        let mut groups: Vec<Cow<'a, str>> = Vec::new();
        for column in &self.columns.groups {
            for group in self.list(*column)? {
                if let Some(name) = dn::first_value(&group) {
                    groups.push(Cow::Owned(name));
                }
                groups.push(group);
            }
        }
        Ok(Texts::new(groups.iter().map(AsRef::as_ref)))
    }

    /// Only the computed attribute and an own column say no; `userAccountControl` without the bit says nothing.
    fn password_expired(&self) -> Result<Option<bool>, Fault> {
        let explicit = self.parsed(self.columns.password_expired, value::switch)?;
        let computed = self.parsed(self.columns.computed_control, value::number)?;
        let stored = self.parsed(self.columns.control, value::number)?;
        let has = |bits: i64| bits & PASSWORD_EXPIRED != 0;
        let said = [explicit, computed.map(has), stored.map(has).filter(|expired| *expired)];
        Ok(said.into_iter().flatten().reduce(|one, other| one || other))
    }

    fn extra(&self) -> Result<Extra, Fault> {
        let mut pairs = Vec::with_capacity(self.columns.extra.len());
        for (name, column) in &self.columns.extra {
            let mut joined = String::new();
            for value in self.row.values(*column) {
                let text = self.clean(*column, value, Lines::Many)?;
                if !joined.is_empty() && !text.is_empty() {
                    joined.push(';');
                }
                joined.push_str(&text);
            }
            pairs.push((name.clone(), joined.into()));
        }
        Ok(Extra::new(pairs))
    }
}
