//! Lists in one cell. What separates their parts is found out; where it cannot be, the cell is refused: a whole list
//! taken for one address or one group is nobody's.

use std::collections::HashSet;

use crate::dn;
use crate::row::EntryFault;

/// Between the parts of a list, besides `;`.
const SEPARATORS: [char; 6] = [';', '|', ',', '\n', '\r', '\t'];

/// One address of `proxyAddresses`, with the type before its colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxy<'a> {
    /// `SMTP` (primary), `smtp`, `X400`, `SIP`, …; empty where none is written.
    pub(crate) kind: &'a str,
    /// What stands behind the colon.
    pub(crate) value: &'a str,
}

/// The addresses of a cell, whatever separates them. A type and a colon at its beginning or behind a separator or a
/// space begins an address, so that the semicolons and spaces of an X.400 address stay inside it.
/// <https://learn.microsoft.com/troubleshoot/entra/entra-id/user-prov-sync/proxyaddresses-attribute-populate>
pub(crate) fn proxies(cell: &str) -> Vec<Proxy<'_>> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut begins = true;
    for (at, c) in cell.char_indices() {
        if begins && let Some(length) = kind(&cell[at..]) {
            starts.push((at, at + length));
        }
        // The Microsoft 365 admin center joins them with a plus; inside an address no type follows it.
        begins = c.is_whitespace() || c == '+' || SEPARATORS.contains(&c);
    }
    let mut found = Vec::new();
    // The plus that joins an address to the next one is no part of it.
    let before = |at: usize| if cell[..at].ends_with('+') { at - 1 } else { at };
    let first = starts.first().map_or(cell.len(), |(at, _)| before(*at));
    found.extend(parts(&cell[..first]).map(|value| Proxy { kind: "", value }));
    for (number, (at, colon)) in starts.iter().enumerate() {
        let end = starts.get(number + 1).map_or(cell.len(), |(next, _)| before(*next));
        let (kind, text) = (&cell[*at..*colon], &cell[*colon + 1..end]);
        if kind.eq_ignore_ascii_case("smtp") {
            let mut values = parts(text);
            // A type without an address is a fault of the reading of that column.
            found.push(Proxy { kind, value: values.next().unwrap_or_default() });
            found.extend(values.map(|value| Proxy { kind: "", value }));
        } else {
            found.push(Proxy { kind, value: text });
            // Behind an X.400 address one without a type may follow: it has an @ and no name before an =.
            let untyped = |part: &&str| part.contains('@') && !part.contains('=');
            let behind = text.split(';').skip(1).map(str::trim).filter(untyped);
            found.extend(behind.map(|value| Proxy { kind: "", value }));
        }
    }
    found
}

/// The length of an address type at the beginning of the text, when a colon follows.
fn kind(text: &str) -> Option<usize> {
    let length = text.find(':')?;
    let kind = &text[..length];
    let named = kind.starts_with(|c: char| c.is_ascii_alphabetic())
        && kind.len() <= 16
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    named.then_some(length)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c)).filter(|part| !part.is_empty())
}

/// What all cells of a column say of its separator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Separated {
    /// A cell has `;`, `|` or a line break between names: then a comma is a part of a name.
    certain: bool,
    /// Names that stand alone somewhere in the column, in lower case. A name that is put together of them is a list.
    names: HashSet<Box<str>>,
}

/// Names of groups that are kept for one column.
const MOST_NAMES: usize = 20_000;
/// What people write between names besides the certain separators. Each may also be a part of a name.
const DOUBTFUL: [char; 9] = [',', '/', '+', '&', ':', '#', '%', '~', '^'];

impl Separated {
    /// Looks at one more cell.
    pub(crate) fn note(&mut self, cell: &str) {
        self.certain |= cell.contains([';', '|', '\n', '\t']);
        for name in cell.split([';', '|', '\n', '\r', '\t']).map(str::trim) {
            let alone = !name.is_empty() && !name.contains(DOUBTFUL) && !dn::is_dn(name);
            if alone && self.names.len() < MOST_NAMES {
                self.names.insert(name.to_lowercase().into());
            }
        }
    }
}

impl Separated {
    /// Whether a name seems to be a list: what separates it stands between names that others have.
    fn joins(&self, name: &str) -> bool {
        DOUBTFUL
            .into_iter()
            .filter(|separator| name.contains(*separator))
            .any(|separator| name.split(separator).any(|part| self.names.contains(part.trim().to_lowercase().as_str())))
    }
}

/// The groups of a cell: distinguished names or plain ones.
pub(crate) fn groups<'a>(cell: &'a str, column: &Separated) -> Result<Vec<&'a str>, EntryFault> {
    let mut found = Vec::new();
    for part in dn::split(cell, |c| matches!(c, ';' | '\n' | '\r' | '\t')) {
        let mut from = 0;
        let pipes: Vec<usize> = part.match_indices('|').map(|(at, _)| at).collect();
        for at in pipes {
            let dn = dn::is_dn(part[from..at].trim());
            // A name in a DN may hold a pipe; a list goes on with another DN.
            if !dn || dn::is_dn(part[at + 1..].trim()) {
                found.push(&part[from..at]);
                from = at + 1;
            }
        }
        found.push(&part[from..]);
    }
    let found: Vec<&str> = found.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    // A cell that has a semicolon shows what separates its own names.
    let shown = cell.contains(';');
    let joined = |part: &&str| {
        if dn::is_dn(part) {
            dn::holds_another(part)
        } else {
            !shown && ((part.contains(',') && !column.certain) || column.joins(part))
        }
    };
    let cell = cell.trim();
    let wrapped = [("{", "}"), ("[", "]")].iter().any(|(open, close)| cell.starts_with(open) && cell.ends_with(close));
    let shortened = cell.ends_with("...") || cell.ends_with('…');
    if wrapped || shortened || found.iter().any(joined) {
        return Err(EntryFault::new(
            "The cell seems to be a list, and what separates its parts is not certain",
            "Separate the groups with ; in the export ($_.memberOf -join ';'). A single name that has a comma is certain with a ; behind it",
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_whatever_separates_them() {
        for cell in [
            "SMTP:a@x.com;smtp:b@x.com",
            "SMTP:a@x.com,smtp:b@x.com",
            "SMTP:a@x.com|smtp:b@x.com",
            "SMTP:a@x.com smtp:b@x.com",
            "SMTP:a@x.com\nsmtp:b@x.com\n",
            "SMTP:a@x.com; smtp:b@x.com;",
            "SMTP:a@x.com+smtp:b@x.com",
        ] {
            let found: Vec<_> = proxies(cell).into_iter().map(|proxy| (proxy.kind, proxy.value)).collect();
            assert_eq!(found, [("SMTP", "a@x.com"), ("smtp", "b@x.com")], "{cell}");
        }
        let values = |cell| proxies(cell).into_iter().map(|proxy| proxy.value.trim()).collect::<Vec<_>>();
        assert_eq!(values("a@x.com, b@x.com"), ["a@x.com", "b@x.com"]);
        assert_eq!(values("SMTP:a+news@x.com+smtp:b@x.com"), ["a+news@x.com", "b@x.com"]);
        assert_eq!(values("smtp:a@x.com;b@x.com"), ["a@x.com", "b@x.com"]);
        assert_eq!(values(""), Vec::<&str>::new());
    }

    #[test]
    fn an_x400_address_keeps_its_semicolons() {
        let cell =
            "X400:C=DE;A= ;P=ORG;O=Exchange;S=Ash;G=Ann;;SMTP:a@x.com;x500:/o=x/cn=y;EUM:1;phone-context=z;b@x.com";
        let kinds: Vec<_> = proxies(cell).into_iter().map(|proxy| proxy.kind).collect();
        assert_eq!(kinds, ["X400", "SMTP", "x500", "EUM", ""]);
    }

    #[test]
    fn groups_are_told_apart_or_refused() {
        let certain = &Separated { certain: true, ..Separated::default() };
        let none = &Separated::default();
        let mut mixed = Separated::default();
        for cell in ["IT;HR", "Sales"] {
            mixed.note(cell);
        }
        let mixed = &mixed;
        for (cell, column, expected) in [
            ("CN=A,DC=x;CN=B,DC=x", none, Some(2)),
            ("CN=A,DC=x|CN=B,DC=x", none, Some(2)),
            ("CN=A,DC=x\nCN=B,DC=x", none, Some(2)),
            ("CN=A|B,OU=x,DC=x", none, Some(1)),
            ("CN=A,OU=x,DC=y,DC=x;IT|Sales", none, Some(3)),
            ("CN=A,DC=x,CN=B,DC=x", none, None),
            ("CN=A,DC=x CN=B,DC=x", none, None),
            ("CN=A,OU=G,O=x, CN=B,OU=G,O=x", none, None),
            ("CN=A,CN=Users,DC=y,DC=x", none, Some(1)),
            ("cn=a,cn=groups,cn=accounts,dc=x", none, Some(1)),
            ("IT|Sales", none, Some(2)),
            ("IT, Sales", none, None),
            ("IT, Support", certain, Some(1)),
            ("IT, Support;", certain, Some(1)),
            ("IT Support", none, Some(1)),
            ("", none, Some(0)),
            ("IT,Sales", mixed, None),
            ("IT / Legal", mixed, None),
            ("IT+Sales", mixed, None),
            ("IT,Sales;", mixed, Some(1)),
            ("Legal, Berlin", mixed, Some(1)),
            ("{IT, HR}", mixed, None),
            ("[IT;HR]", mixed, None),
            ("IT;HR…", mixed, None),
        ] {
            assert_eq!(groups(cell, column).ok().map(|found| found.len()), expected, "{cell}");
        }
    }
}
