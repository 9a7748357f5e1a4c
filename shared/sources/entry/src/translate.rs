//! From a row to a person: the default flow of attributes, keys, anchors, addresses, enablement. Pure.

use std::borrow::Cow;

use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::ids::{AnchorName, Guid, ImmutableId, PersonKey};
use hardmatch_domain::person::{Address, Addresses, Anchor, Extra, Manager, Person};

use crate::columns::Columns;
use crate::index::{Index, Name};
use crate::known::Meaning;
use crate::list::{self, Proxy};
use crate::row::{EntryFault, Layout, Row};
use crate::switch::{self, Words};
use crate::value::{self, Lines};
use crate::{dn, doubtful, guid, system};

/// `userAccountControl`: the account is disabled.
/// <https://learn.microsoft.com/troubleshoot/windows-server/active-directory/useraccountcontrol-manipulate-account-properties>
const DISABLED: i64 = 0x2;
/// `userAccountControl`: the password has expired. AD keeps this bit only in the computed attribute.
const PASSWORD_EXPIRED: i64 = 0x80_0000;

/// The longest values of one person together: a person is stored as one item, and DynamoDB's have 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const LARGEST: usize = 256 * 1024;

/// A row, the columns it has and what is known of the whole listing.
pub(crate) struct Translation<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) index: &'a Index,
    /// Unix seconds.
    pub(crate) now: i64,
}

impl Translation<'_> {
    /// The person of a row whose key is read already, and what could not be read of them and was left out.
    pub(crate) fn person(&self, row: &Row, key: PersonKey) -> Result<(Person, Vec<EntryFault>), EntryFault> {
        if let Some((line, _)) = self.index.twin(&key, row.line) {
            let fault = EntryFault::new(
                format!("The row has the same key as line {line}"),
                "Make the key unique at the source, or choose another with `key` in [source]",
            );
            return Err(fault.structural().at(self.columns.name(self.columns.key)));
        }
        if let Some(broken) = row.broken() {
            return Err(broken.clone());
        }
        let reader = self.reader(row);
        reader.one_of_each()?;
        let mut left_out = Vec::new();
        let person = Person {
            key,
            anchors: reader.anchors()?,
            attributes: reader.attributes(&mut left_out)?,
            addresses: reader.addresses(&mut left_out)?,
            groups: match reader.groups() {
                Err(fault) if !self.columns.reads_groups && !fault.structural => {
                    left_out.push(fault);
                    Texts::default()
                }
                groups => groups?,
            },
            manager: self.manager(&reader).unwrap_or_else(|fault| {
                left_out.push(fault);
                None
            }),
            enabled: reader.enabled()?,
            password_expired: reader.password_expired().unwrap_or_else(|fault| {
                left_out.push(fault);
                None
            }),
            extra: reader.extra(&mut left_out),
            given_by: None,
        };
        let size = person.attributes.iter().map(|(_, text)| text.len()).sum::<usize>()
            + person.groups.iter().map(str::len).sum::<usize>()
            + person.addresses.all().iter().map(str::len).sum::<usize>()
            + person.extra.iter().map(|(_, text)| text.len()).sum::<usize>();
        if size > LARGEST {
            return Err(EntryFault::new(
                format!("The entry's values are longer than {} KiB together", LARGEST / 1024),
                "Export fewer or shorter values for this person: fewer groups, or no free text",
            ));
        }
        Ok((person, left_out))
    }

    /// Whether the row says plainly that the person may not sign in, whatever else of it cannot be read.
    pub(crate) fn says_disabled(&self, row: &Row) -> bool {
        let reader = self.reader(row);
        let no = |columns: &[usize], says: &dyn Fn(usize, &str) -> bool| {
            columns.iter().any(|column| reader.text(*column, Lines::One).is_ok_and(|text| says(*column, &text)))
        };
        no(&self.columns.enabled, &|_, text| switch::read(text, self.columns.enabled_words.as_ref()) == Ok(false))
            || no(&self.columns.control, &|_, text| value::number(text).is_ok_and(|bits| bits & DISABLED != 0))
            || no(&self.columns.expires, &|column, text| {
                !text.is_empty() && value::has_ended(text, self.index.days(column), self.now) == Ok(true)
            })
    }

    fn reader<'r>(&'r self, row: &'r Row) -> Reader<'r> {
        Reader { columns: self.columns, index: self.index, now: self.now, row }
    }

    fn manager(&self, reader: &Reader<'_>) -> Result<Option<Manager>, EntryFault> {
        if self.columns.manager.is_empty() {
            return Ok(None);
        }
        let text = reader.first(&self.columns.manager, Lines::One)?;
        Ok(Some(match self.index.find(&text) {
            _ if text.is_empty() => Manager::Nobody,
            Some(key) => Manager::Person(key.clone()),
            None => Manager::Unknown(text.into()),
        }))
    }
}

/// The row's unchanging key.
pub fn key(row: &Row, columns: &Columns) -> Result<PersonKey, EntryFault> {
    let nothing = Index::default();
    let reader = Reader { columns, index: &nothing, now: 0, row };
    // Of several columns of the key's name the first filled one counts.
    let filled = |column: &usize| row.values(*column).any(|value| !value.trim_ascii().is_empty());
    let column = columns.keys().find(filled).unwrap_or(columns.key);
    let fault = |fault: EntryFault| fault.at(columns.name(column));
    if let Some(bad) = row.bad(column) {
        return Err(bad.clone());
    }
    let first = row.values(column).next().unwrap_or_default();
    if first.trim_ascii().is_empty() {
        return Err(fault(EntryFault::new(
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
                || fault(EntryFault::new("The value is not a UUID", "Export entryUUID as the directory shows it"));
            Ok(PersonKey::new(guid::text(&uuid.ok_or_else(malformed)?)))
        }
        _ => {
            let text = reader.text(column, Lines::One)?;
            doubtful::refuse_altered_identity(&text)
                .and_then(|()| doubtful::refuse_error_text(&text, false))
                .map_err(fault)?;
            Ok(PersonKey::new(text))
        }
    }
}

/// Notes by what others may refer to the row. Names that cannot be read refer to nobody; the row is refused later.
pub(crate) fn note_names(row: &Row, columns: &Columns, index: &mut Index) {
    for (name, column) in [(Name::Dn, columns.dn), (Name::Upn, columns.upn), (Name::Sam, columns.sam)] {
        let value = column.and_then(|column| row.values(column).next());
        if let Some(Ok(text)) = value.map(|value| value::clean(value, Lines::One)) {
            index.name(name, &text);
        }
    }
}

/// Notes what only all values of a column together tell: what separates groups, and in which order days are written.
pub(crate) fn note_columns(row: &Row, columns: &Columns, index: &mut Index) {
    for column in &columns.groups {
        if let Some(Ok(cell)) = row.values(*column).next().map(std::str::from_utf8) {
            index.note_groups(*column, cell);
        }
    }
    for column in &columns.expires {
        if let Some(Ok(text)) = row.values(*column).next().map(std::str::from_utf8) {
            index.note_day(*column, text.trim());
        }
    }
}

/// Whether the row is an account that the directory or Exchange keeps for itself.
pub(crate) fn is_system(row: &Row, columns: &Columns) -> bool {
    let text = |column: usize| {
        row.values(column).next().and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default().trim()
    };
    let number = |column: usize| value::number(text(column)).ok();
    columns.critical.is_some_and(|column| switch::usual(text(column)) == Some(true))
        || columns.control.iter().filter_map(|column| number(*column)).any(system::is_machine)
        || columns.recipient_type.and_then(number).is_some_and(system::is_own_mailbox)
        || columns.sam.is_some_and(|column| text(column).ends_with('$'))
        || columns.called.iter().any(|column| system::is_own_name(text(*column)))
}

struct Reader<'a> {
    columns: &'a Columns,
    index: &'a Index,
    /// Unix seconds.
    now: i64,
    row: &'a Row,
}

impl<'a> Reader<'a> {
    /// The first value of a column; empty when the row has none.
    fn text(&self, column: usize, lines: Lines) -> Result<Cow<'a, str>, EntryFault> {
        match self.row.value(column) {
            Some(value) => self.clean(column, value, lines),
            None => self.row.bad(column).map_or(Ok(Cow::Borrowed("")), |fault| Err(fault.clone())),
        }
    }

    /// The first filled value of several columns of one meaning.
    fn first(&self, columns: &[usize], lines: Lines) -> Result<Cow<'a, str>, EntryFault> {
        for column in columns {
            let text = self.text(*column, lines)?;
            if !text.is_empty() {
                return Ok(text);
            }
        }
        Ok(Cow::Borrowed(""))
    }

    /// An entry has one key, one sign-in name, one anchor of a kind, and one value of each attribute that the schemas of
    /// directories hold to one: with two it is two entries that ran together.
    fn one_of_each(&self) -> Result<(), EntryFault> {
        if self.row.layout() == Layout::Cells {
            return Ok(());
        }
        let anchors = self.columns.anchors.iter().map(|(_, column)| *column);
        let naming = [self.columns.key].into_iter().chain(self.columns.upn).chain(anchors);
        for column in naming.chain(self.columns.single_valued()) {
            let mut values = self.row.values_for_everybody(column);
            let first = values.next();
            if values.any(|other| Some(other) != first) {
                return Err(EntryFault::new(
                    "The entry has two values where a person has one",
                    "Write one, and separate entries: two entries may have run together",
                )
                .structural()
                .at(self.columns.name(column)));
            }
        }
        Ok(())
    }

    /// Any word against it counts; without a word for it nothing is said.
    fn enabled(&self) -> Result<Option<bool>, EntryFault> {
        let mut said: Option<bool> = None;
        let mut hear = |word: bool| said = Some(said.unwrap_or(true) && word);
        for column in &self.columns.control {
            if let Some(bits) = self.parsed(*column, value::number)? {
                hear(bits & DISABLED == 0);
            }
        }
        for column in &self.columns.enabled {
            if let Some(word) = self.switch(*column, self.columns.enabled_words.as_ref())? {
                hear(word);
            }
        }
        for column in &self.columns.expires {
            let order = self.index.days(*column);
            if self.parsed(*column, |text| value::has_ended(text, order, self.now))? == Some(true) {
                hear(false);
            }
        }
        Ok(said)
    }

    fn clean(&self, column: usize, value: &'a [u8], lines: Lines) -> Result<Cow<'a, str>, EntryFault> {
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

    /// A value that is not empty, understood.
    fn parsed<T>(&self, column: usize, parse: impl Fn(&str) -> Result<T, EntryFault>) -> Result<Option<T>, EntryFault> {
        let text = self.text(column, Lines::One)?;
        if text.is_empty() {
            return Ok(None);
        }
        parse(&text).map(Some).map_err(|fault| fault.at(self.columns.name(column)))
    }

    /// The values of a column of lists, or why they cannot be read.
    fn cells(&self, column: usize) -> Result<Vec<Cow<'a, str>>, EntryFault> {
        if let Some(bad) = self.row.bad(column) {
            return Err(bad.clone());
        }
        let mut cells = Vec::new();
        for value in self.row.values(column) {
            let text = self.clean(column, value, Lines::Many)?;
            doubtful::refuse_type_name(&text).map_err(|fault| fault.at(self.columns.name(column)))?;
            if !text.is_empty() {
                cells.push(text);
            }
        }
        Ok(cells)
    }

    /// A yes or no, in the file's own words where they are named.
    fn switch(&self, column: usize, words: Option<&Words>) -> Result<Option<bool>, EntryFault> {
        let text = self.text(column, Lines::One)?;
        let named = |word: &str| words.is_some_and(|words| words.yes.iter().chain(&words.no).any(|w| w == word));
        // Empty says nothing, unless the configuration says what it means.
        if text.is_empty() && !named("") {
            return Ok(None);
        }
        switch::read(&text, words).map(Some).map_err(|fault| fault.at(self.columns.name(column)))
    }

    fn guid(&self, column: usize, value: &[u8]) -> Result<Guid, EntryFault> {
        // Sixteen characters of CSV or JSON are a misspelt text, not bytes.
        let octets = self.row.layout() == Layout::Octets || value.len() != 16;
        let text = (value.len() != 16).then(|| value::clean(value, Lines::One).ok()).flatten();
        guid::parse(text.as_ref().map_or(value, |text| text.as_bytes())).filter(|_| octets).ok_or_else(|| {
            EntryFault::new(
                "The value is not a GUID",
                "Write it as text (2d72cb73-b186-…), as base64 of its 16 bytes or as 32 hexadecimal digits",
            )
            .at(self.columns.name(column))
        })
    }

    fn anchors(&self) -> Result<Vec<Anchor>, EntryFault> {
        let mut anchors = Vec::with_capacity(self.columns.anchors.len());
        for (from, column) in &self.columns.anchors {
            // Of several columns of the name the first filled one counts.
            if anchors.last().is_some_and(|last: &Anchor| last.from == AnchorName::from(from.as_ref())) {
                continue;
            }
            if let Some(bad) = self.row.bad(*column) {
                return Err(bad.clone());
            }
            let Some(value) = self.row.values(*column).next().filter(|value| !value.trim_ascii().is_empty()) else {
                continue;
            };
            let binary = matches!(self.columns.meaning(*column), Some(Meaning::ObjectGuid | Meaning::ConsistencyGuid));
            let id = if binary {
                ImmutableId::from_guid(&self.guid(*column, value)?)
            } else {
                let text = self.clean(*column, value, Lines::One)?;
                doubtful::refuse_altered_identity(&text)
                    .and_then(|()| doubtful::refuse_error_text(&text, false))
                    .and_then(|()| value::immutable_text(&text))
                    .map_err(|fault| fault.at(self.columns.name(*column)))?
            };
            anchors.push(Anchor { from: from.as_ref().into(), id });
        }
        Ok(anchors)
    }

    /// What cannot be read is left out, and with it what would be written: only the sign-in name and the address, by
    /// which a person is known, refuse the row.
    fn attributes(&self, left_out: &mut Vec<EntryFault>) -> Result<Attributes, EntryFault> {
        let mut values: Vec<(Attr, Cow<'a, str>)> = Vec::with_capacity(self.columns.texts.len() + 2);
        for (attr, from) in &self.columns.texts {
            if *attr == Attr::Mail {
                continue;
            }
            match self.attribute(*attr, from) {
                Ok(value) if *attr == Attr::UsageLocation => values.push((*attr, Cow::Owned(value.to_uppercase()))),
                Ok(value) => values.push((*attr, value)),
                Err(fault) if *attr == Attr::UserPrincipalName => return Err(fault),
                Err(fault) => left_out.push(fault),
            }
        }
        if !self.columns.mail.is_empty() {
            match self.mail()? {
                Mail::One(_, text, _) => values.push((Attr::Mail, Cow::Owned(text.to_lowercase()))),
                Mail::Nothing => values.push((Attr::Mail, Cow::Borrowed(""))),
                // Said where the addresses are read.
                Mail::Several(..) => {}
            }
        }
        if let Err(fault) = self.country(&mut values) {
            left_out.push(fault);
        }
        Ok(values.iter().map(|(attr, value)| (*attr, value.as_ref())).collect())
    }

    fn attribute(&self, attr: Attr, from: &[usize]) -> Result<Cow<'a, str>, EntryFault> {
        let lines = match attr {
            Attr::StreetAddress => Lines::Many,
            Attr::UserPrincipalName => Lines::One,
            _ => Lines::Joined,
        };
        for column in from {
            let value = self.text(*column, lines)?;
            if value.is_empty() {
                continue;
            }
            let name = matches!(attr, Attr::DisplayName | Attr::GivenName | Attr::Surname);
            let checked = doubtful::refuse_error_text(&value, name)
                .and_then(|()| doubtful::refuse_type_name(&value))
                .and_then(|()| doubtful::refuse_lost_letters(&value, name))
                .and_then(|()| doubtful::refuse_doubled_letters(&value, name))
                .and_then(|()| doubtful::refuse_misread(&value))
                .and_then(|()| match attr {
                    Attr::EmployeeId => doubtful::refuse_altered_identity(&value),
                    Attr::BusinessPhones | Attr::MobilePhone | Attr::FaxNumber | Attr::PostalCode => {
                        doubtful::refuse_altered(&value)
                    }
                    _ => Ok(()),
                });
            return checked.map(|()| value).map_err(|fault| fault.at(self.columns.name(*column)));
        }
        Ok(Cow::Borrowed(""))
    }

    /// The address of the first filled column of mail addresses. LDAP promises no order of values: of several, the one
    /// that is the sign-in name counts, or none.
    fn mail(&self) -> Result<Mail, EntryFault> {
        for column in &self.columns.mail {
            let cells = self.cells(*column)?;
            let mut values: Vec<String> = Vec::new();
            for Proxy { kind, value } in cells.iter().flat_map(|cell| list::proxies(cell)) {
                // Another kind of address in a column of mail is a mistake, and none at all would be somebody without mail.
                if !kind.is_empty() && !["smtp", "mailto"].iter().any(|mail| kind.eq_ignore_ascii_case(mail)) {
                    return Err(self.no_address(*column));
                }
                values.push(value.trim().to_owned());
            }
            values.sort_unstable_by_key(|value| value.to_lowercase());
            values.dedup_by_key(|value| value.to_lowercase());
            match values.len() {
                0 => {}
                1 => return Ok(values.pop().map_or(Mail::Nothing, |value| Mail::One(*column, value, Vec::new()))),
                _ => {
                    let upn = self.columns.upn.map(|column| self.text(column, Lines::One)).transpose()?;
                    let is_upn = |value: &String| upn.as_ref().is_some_and(|upn| upn.eq_ignore_ascii_case(value));
                    return Ok(match values.iter().position(is_upn) {
                        Some(at) => Mail::One(*column, values.remove(at), values),
                        None => Mail::Several(*column, values),
                    });
                }
            }
        }
        Ok(Mail::Nothing)
    }

    /// `co` is the country's name, `c` its two letters. Exports also put two letters under `country`.
    fn country(&self, values: &mut Vec<(Attr, Cow<'a, str>)>) -> Result<(), EntryFault> {
        let filled = |columns: &[usize]| {
            let text = (!columns.is_empty()).then(|| self.first(columns, Lines::Joined)).transpose()?;
            if let Some(text) = &text {
                let column = columns.first().copied().unwrap_or_default();
                doubtful::refuse_error_text(text, false)
                    .and_then(|()| doubtful::refuse_misread(text))
                    .map_err(|fault| fault.at(self.columns.name(column)))?;
            }
            Ok::<_, EntryFault>(text)
        };
        let (named, code) = (filled(&self.columns.country_name)?, filled(&self.columns.country_code)?);
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
    fn addresses(&self, left_out: &mut Vec<EntryFault>) -> Result<Addresses, EntryFault> {
        let mut primaries: Vec<Address> = Vec::new();
        let mut all: Vec<Address> = Vec::new();
        for column in &self.columns.proxies {
            for cell in self.cells(*column)? {
                for Proxy { kind, value } in list::proxies(&cell) {
                    if !kind.is_empty() && !kind.eq_ignore_ascii_case("smtp") {
                        continue;
                    }
                    let address = self.address(*column, value)?;
                    if kind == "SMTP" && !primaries.contains(&address) {
                        primaries.push(address.clone());
                    }
                    if !all.contains(&address) {
                        all.push(address);
                    }
                }
            }
        }
        let mail = self.mail()?;
        let (Mail::One(column, _, others) | Mail::Several(column, others)) = &mail else {
            let primary = primaries.pop().filter(|_| primaries.is_empty());
            return Ok(Addresses::new(primary, Texts::new(all.iter().map(Address::as_str))));
        };
        for value in others {
            let address = self.address(*column, value)?;
            if !all.contains(&address) {
                all.push(address);
            }
        }
        if let (Mail::Several(column, _), true) = (&mail, primaries.is_empty()) {
            left_out.push(
                EntryFault::new(
                    "The entry has several mail addresses, and none of them is its sign-in name",
                    "Write one, or mark the primary one in proxyAddresses with SMTP:",
                )
                .at(self.columns.name(*column)),
            );
        }
        if let (true, Mail::One(column, text, _)) = (primaries.is_empty(), mail) {
            let address = self.address(column, &text)?;
            all.retain(|have| *have != address);
            all.insert(0, address.clone());
            primaries.push(address);
        }
        let primary = primaries.pop().filter(|_| primaries.is_empty());
        Ok(Addresses::new(primary, Texts::new(all.iter().map(Address::as_str))))
    }

    fn address(&self, column: usize, text: &str) -> Result<Address, EntryFault> {
        // A point too many is not an address that nobody has, but a misspelt one that somebody may have.
        let domain = text.trim().rsplit('@').next().unwrap_or_default();
        let pointed = domain.contains("..") || domain.starts_with('.') || domain.ends_with('.');
        Address::parse(text).filter(|_| !pointed).ok_or_else(|| self.no_address(column))
    }

    fn no_address(&self, column: usize) -> EntryFault {
        EntryFault::new("The value is not an e-mail address", "Write name@domain, or leave it empty")
            .at(self.columns.name(column))
    }

    /// A DN counts under its name and in full.
    fn groups(&self) -> Result<Texts, EntryFault> {
        let mut groups: Vec<Cow<'a, str>> = Vec::new();
        for column in &self.columns.groups {
            let cells = self.cells(*column)?;
            for cell in &cells {
                doubtful::refuse_error_text(cell, false).map_err(|fault| fault.at(self.columns.name(*column)))?;
            }
            // Values of their own are groups of their own; one text may be a list.
            let alone = self.row.layout() != Layout::Octets && cells.len() == 1;
            for cell in cells {
                let parts = match self.row.layout() {
                    _ if !alone => vec![&*cell],
                    Layout::Cells | Layout::Values | Layout::Octets => {
                        list::groups(&cell, self.index.separated(*column))
                            .map_err(|fault| fault.at(self.columns.name(*column)))?
                    }
                };
                for group in parts {
                    groups.extend(dn::first_value(group).map(Cow::Owned));
                    groups.push(Cow::Owned(group.to_owned()));
                }
            }
        }
        Ok(Texts::new(groups.iter().map(AsRef::as_ref)))
    }

    /// Only the computed attribute and an own column say no; `userAccountControl` without the bit says nothing.
    fn password_expired(&self) -> Result<Option<bool>, EntryFault> {
        let has = |bits: i64| bits & PASSWORD_EXPIRED != 0;
        let mut said: Option<bool> = None;
        let mut hear = |word: bool| said = Some(said.unwrap_or(false) || word);
        for column in &self.columns.password_expired {
            self.switch(*column, self.columns.expired_words.as_ref())?.into_iter().for_each(&mut hear);
        }
        for column in &self.columns.computed_control {
            self.parsed(*column, value::number)?.map(has).into_iter().for_each(&mut hear);
        }
        for column in &self.columns.control {
            self.parsed(*column, value::number)?.map(has).filter(|expired| *expired).into_iter().for_each(&mut hear);
        }
        Ok(said)
    }

    /// A value that cannot be read is not there: an expression that needs it says so.
    fn extra(&self, left_out: &mut Vec<EntryFault>) -> Extra {
        let mut pairs: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(self.columns.extra.len());
        for (name, column) in &self.columns.extra {
            // Of several columns of the name the first filled one counts.
            let before = pairs.last_mut().filter(|(have, _)| have == name);
            if before.as_ref().is_some_and(|(_, value)| !value.is_empty()) {
                continue;
            }
            match (self.joined(*column), before) {
                (Ok(joined), Some((_, value))) => *value = joined.into(),
                (Ok(joined), None) => pairs.push((name.clone(), joined.into())),
                (Err(fault), _) => left_out.push(fault),
            }
        }
        Extra::new(pairs)
    }

    fn joined(&self, column: usize) -> Result<String, EntryFault> {
        if let Some(bad) = self.row.bad(column) {
            return Err(bad.clone());
        }
        let mut joined = String::new();
        for value in self.row.values(column) {
            let text = self.clean(column, value, Lines::Many)?;
            if !joined.is_empty() && !text.is_empty() {
                joined.push(';');
            }
            joined.push_str(&text);
        }
        Ok(joined)
    }
}

/// What the columns of mail addresses say.
enum Mail {
    /// None is filled.
    Nothing,
    /// The column, the address that counts, and those beside it.
    One(usize, String, Vec<String>),
    /// Several, and nobody guesses which is the primary one.
    Several(usize, Vec<String>),
}
