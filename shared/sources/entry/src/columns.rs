//! Which column of a listing says what: known names, `[source.columns]`, and the choice of the key.

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::source::SourceError;

use crate::known::{self, Meaning};
use crate::mapping::ColumnMapping;
use crate::switch::Words;

/// How columns begin that have no name in the header: a delimiter behind the last cell, or a column of row numbers.
/// Nothing refers to them, so they are passed over and said.
pub const NAMELESS: &str = "(column ";

/// The columns of one listing, by what they say. Numbers are places in its list of columns.
#[derive(Debug)]
pub struct Columns {
    /// As the listing has them.
    pub names: Vec<String>,
    meanings: Vec<Option<Meaning>>,
    /// Unchanging key.
    pub key: usize,
    /// Account attributes, each with its columns in order of preference.
    pub(crate) texts: Vec<(Attr, Vec<usize>)>,
    /// Anchors in the order of the policy: the name there, and the column.
    pub(crate) anchors: Vec<(Box<str>, usize)>,
    /// What expressions name, and the column.
    pub(crate) extra: Vec<(Box<str>, usize)>,
    pub(crate) country_name: Vec<usize>,
    pub(crate) country_code: Vec<usize>,
    pub(crate) mail: Vec<usize>,
    pub(crate) proxies: Vec<usize>,
    pub(crate) dn: Option<usize>,
    pub(crate) sam: Option<usize>,
    pub(crate) upn: Option<usize>,
    pub(crate) critical: Option<usize>,
    pub(crate) recipient_type: Option<usize>,
    /// What a system account is known by: `sAMAccountName`, `cn`, `displayName`.
    pub(crate) called: Vec<usize>,
    pub(crate) manager: Vec<usize>,
    pub(crate) groups: Vec<usize>,
    /// Whether an expression reads them.
    pub(crate) reads_groups: bool,
    pub(crate) control: Vec<usize>,
    pub(crate) computed_control: Vec<usize>,
    pub(crate) expires: Vec<usize>,
    pub(crate) enabled: Vec<usize>,
    pub(crate) password_expired: Vec<usize>,
    /// The file's own words for yes and no in these two.
    pub(crate) enabled_words: Option<Words>,
    pub(crate) expired_words: Option<Words>,
}

/// Where the key is looked for when none is configured, around the policy's anchors.
const KEYS_BEFORE: [Meaning; 2] = [Meaning::ObjectGuid, Meaning::EntryUuid];
const KEYS_AFTER: [Meaning; 3] = [Meaning::Text(Attr::EmployeeId, 0), Meaning::EmployeeNumber, Meaning::Id];

impl Columns {
    /// Whether the column says something that no rule reads: groups.
    pub(crate) fn is_unused(&self, column: Option<&str>) -> bool {
        !self.reads_groups && self.groups.iter().any(|&at| Some(self.name(at)) == column)
    }

    /// Understands the columns of a listing.
    pub fn new(names: Vec<String>, mapping: &ColumnMapping) -> Result<Self, SourceError> {
        let configured = configured(&names, mapping)?;
        let find = |wanted: Meaning| {
            let by_config = configured.iter().find(|(meaning, _)| same(*meaning, wanted)).map(|(_, column)| *column);
            by_config.or_else(|| names.iter().position(|name| known::meaning(name) == Some(wanted)))
        };
        // Of several columns of one meaning all count: the first filled one, or any that says no.
        let all = |wanted: Meaning| -> Vec<usize> {
            let by_config: Vec<usize> =
                configured.iter().filter(|(meaning, _)| same(*meaning, wanted)).map(|(_, column)| *column).collect();
            if !by_config.is_empty() {
                return by_config;
            }
            (0..names.len()).filter(|column| known::meaning(&names[*column]) == Some(wanted)).collect()
        };
        let named = |name: &str| {
            let meaning = known::meaning(name);
            let by_config = meaning.and_then(|m| configured.iter().find(|(have, _)| same(*have, m))).map(|(_, c)| *c);
            by_config
                .or_else(|| names.iter().position(|have| have.eq_ignore_ascii_case(name)))
                .or_else(|| meaning.filter(|m| *m != Meaning::Plain).and_then(&find))
        };
        // The column of a name, and those that are called the same.
        let several = |name: &str| -> std::vec::IntoIter<usize> {
            let Some(first) = named(name) else { return Vec::new().into_iter() };
            called(&names, &names[first]).collect::<Vec<_>>().into_iter()
        };
        let key = match &mapping.key {
            Some(name) => named(name).ok_or_else(|| {
                missing(&names, &format!("the key column {name:?}"), "Set `key` in [source] to one of them")
            })?,
            None => KEYS_BEFORE
                .into_iter()
                .find_map(&find)
                .or_else(|| mapping.anchor_from.iter().find_map(|name| named(name)))
                .or_else(|| KEYS_AFTER.into_iter().find_map(&find))
                .ok_or_else(|| {
                    let cure = "Set `key` in [source] to the one that never changes for a person";
                    missing(&names, "a column that is known to never change for a person, such as objectGUID", cure)
                })?,
        };
        let groups = all(Meaning::Groups);
        let mut columns = Self {
            meanings: names.iter().map(|name| known::meaning(name)).collect(),
            key,
            texts: texts(&names, &configured),
            anchors: mapping.anchor_from.iter().flat_map(|name| several(name).map(|at| (name.clone(), at))).collect(),
            extra: mapping.extra.iter().flat_map(|name| several(name).map(|at| (name.as_str().into(), at))).collect(),
            country_name: all(Meaning::CountryName),
            country_code: all(Meaning::CountryCode),
            mail: all(Meaning::Mail),
            proxies: all(Meaning::ProxyAddresses),
            dn: find(Meaning::Dn),
            sam: find(Meaning::Sam),
            upn: None,
            critical: find(Meaning::CriticalSystem),
            recipient_type: find(Meaning::RecipientType),
            called: (0..names.len())
                .filter(|column| {
                    matches!(
                        known::meaning(&names[*column]),
                        Some(Meaning::Sam | Meaning::Dn | Meaning::Text(Attr::DisplayName, _))
                    ) || names[*column].eq_ignore_ascii_case("name")
                })
                .collect(),
            manager: all(Meaning::Manager),
            groups,
            reads_groups: mapping.reads_groups,
            control: all(Meaning::UserAccountControl),
            computed_control: all(Meaning::ComputedControl),
            expires: all(Meaning::AccountExpires),
            enabled: all(Meaning::Enabled),
            password_expired: all(Meaning::PasswordExpired),
            enabled_words: words(mapping, Meaning::Enabled),
            expired_words: words(mapping, Meaning::PasswordExpired),
            names: Vec::new(),
        };
        columns.upn = columns
            .texts
            .iter()
            .find(|(attr, _)| *attr == Attr::UserPrincipalName)
            .and_then(|(_, from)| from.first().copied());
        for (meaning, column) in configured {
            // A column may fill several attributes; how its bytes are read is what a GUID or a SID says.
            let read_as = &mut columns.meanings[column];
            if !matches!(read_as, Some(Meaning::ObjectGuid | Meaning::ConsistencyGuid | Meaning::Sid)) {
                *read_as = Some(meaning);
            }
        }
        columns.names = names;
        Ok(columns)
    }

    /// Columns that nothing here understands and whose names sound as if they said who leaves.
    pub fn may_mean_leaving(&self) -> impl Iterator<Item = &str> {
        const WORDS: [&str; 12] = [
            "terminat",
            "leaving",
            "leave date",
            "leavedate",
            "enddate",
            "end date",
            "end_date",
            "expir",
            "austritt",
            "inactive",
            "disabled",
            "lastday",
        ];
        let used = |column: usize| {
            column == self.key
                || self.extra.iter().any(|(_, at)| *at == column)
                || self.anchors.iter().any(|(_, at)| *at == column)
        };
        self.names.iter().enumerate().filter_map(move |(column, name)| {
            let lower = name.to_lowercase();
            let sounds = WORDS.iter().any(|word| lower.contains(word));
            (sounds && self.meaning(column).is_none() && !used(column)).then_some(name.as_str())
        })
    }

    /// The key's column, and those that are called the same.
    pub(crate) fn keys(&self) -> impl Iterator<Item = usize> + '_ {
        let others = called(&self.names, self.name(self.key)).filter(|at| *at != self.key);
        std::iter::once(self.key).chain(others)
    }

    /// Names that several columns have, each once.
    pub fn repeated(&self) -> Vec<&str> {
        let is_first = |at: usize| called(&self.names, &self.names[at]).next() == Some(at);
        let is_repeated = |at: usize| called(&self.names, &self.names[at]).nth(1).is_some();
        (0..self.names.len()).filter(|at| is_first(*at) && is_repeated(*at)).map(|at| self.name(at)).collect()
    }

    /// The columns that the schemas of directories allow one value only, and that name the person
    /// (<https://www.rfc-editor.org/rfc/rfc2798>, <https://learn.microsoft.com/windows/win32/adschema/a-employeeid>).
    pub(crate) fn single_valued(&self) -> impl Iterator<Item = usize> + '_ {
        const NAMES: [&str; 3] = ["displayName", "employeeID", "employeeNumber"];
        let is = |name: &String| NAMES.iter().any(|single| name.eq_ignore_ascii_case(single));
        self.names.iter().enumerate().filter(move |(_, name)| is(name)).map(|(column, _)| column)
    }

    /// What a column says.
    pub fn meaning(&self, column: usize) -> Option<Meaning> {
        self.meanings.get(column).copied().flatten()
    }

    /// The names of the columns that say who the manager is.
    pub fn managers(&self) -> impl Iterator<Item = &str> {
        self.manager.iter().map(|column| self.name(*column))
    }

    /// The column's name.
    pub fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }
}

/// The columns of a name: a header may have it several times.
fn called<'n>(names: &'n [String], name: &'n str) -> impl Iterator<Item = usize> + 'n {
    names.iter().enumerate().filter(move |(_, have)| have.eq_ignore_ascii_case(name)).map(|(at, _)| at)
}

/// The words that the configuration names for an attribute, under whichever of its names.
fn words(mapping: &ColumnMapping, wanted: Meaning) -> Option<Words> {
    mapping
        .words
        .iter()
        .find(|(attribute, _)| known::meaning(attribute) == Some(wanted))
        .map(|(_, words)| words.clone())
}

/// `[source.columns]`, resolved.
fn configured(names: &[String], mapping: &ColumnMapping) -> Result<Vec<(Meaning, usize)>, SourceError> {
    let mut found = Vec::new();
    for (attribute, column) in &mapping.columns {
        let meaning = known::meaning(attribute).ok_or_else(|| SourceError {
            problem: format!("[source.columns] names {attribute:?}, which is no attribute that hardmatch knows"),
            cure: "Write the Active Directory or Graph name on the left, the file's column on the right".into(),
            retry: false,
        })?;
        // A header may have the name several times.
        let before = found.len();
        found.extend(called(names, column.trim()).map(|at| (meaning, at)));
        // Without a header, an attribute that nobody has is as good as empty.
        if found.len() == before && mapping.header {
            let what = format!("the column {column:?} that [source.columns] names");
            return Err(missing(names, &what, "Correct [source.columns], or the export"));
        }
    }
    Ok(found)
}

/// Columns that feed account attributes.
fn texts(names: &[String], configured: &[(Meaning, usize)]) -> Vec<(Attr, Vec<usize>)> {
    let feeds = |attr: Attr, meaning: Meaning| match meaning {
        Meaning::Text(have, rank) if have == attr => Some(rank),
        Meaning::Mail if attr == Attr::Mail => Some(0),
        _ => None,
    };
    Attr::ALL
        .iter()
        .filter_map(|&attr| {
            let by_config = configured.iter().filter(|(meaning, _)| feeds(attr, *meaning).is_some());
            let by_config: Vec<usize> = by_config.map(|(_, column)| *column).collect();
            if !by_config.is_empty() {
                return Some((attr, by_config));
            }
            let mut from: Vec<(u8, usize)> = names
                .iter()
                .enumerate()
                .filter_map(|(column, name)| Some((feeds(attr, known::meaning(name)?)?, column)))
                .collect();
            from.sort_unstable();
            (!from.is_empty()).then(|| (attr, from.into_iter().map(|(_, column)| column).collect()))
        })
        .collect()
}

/// Whether both say the same, in any rank.
fn same(one: Meaning, other: Meaning) -> bool {
    match (one, other) {
        (Meaning::Text(one, _), Meaning::Text(other, _)) => one == other,
        (Meaning::Plain, _) | (_, Meaning::Plain) => false,
        (one, other) => one == other,
    }
}

fn missing(names: &[String], what: &str, cure: &str) -> SourceError {
    // The others may be a person's values, where a file has no header.
    let known: Vec<&str> = names.iter().filter(|name| known::meaning(name).is_some()).map(String::as_str).collect();
    if names.len() == 1 && known.is_empty() {
        return SourceError {
            problem: format!("The file does not have {what}. Its first line is one column, and none that is known"),
            cure: "Begin the file with the row of column names: a title, a date or a remark before it must go. If that row is the first, set `delimiter` in [source] to what separates its cells"
                .into(),
            retry: false,
        };
    }
    let understood = match known.as_slice() {
        [] => "none has a known name".to_owned(),
        known => format!("these have known names: {}", known.join(", ")),
    };
    SourceError {
        problem: format!("The file does not have {what}. Of its {} columns {understood}", names.len()),
        cure: cure.into(),
        retry: false,
    }
}
