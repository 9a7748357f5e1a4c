//! Which column of a file says what: known names, `[source.columns]`, and the choice of the key.

use hardmatch_domain::attribute::Attr;
use hardmatch_ports::source::SourceError;

use crate::known::{self, Meaning};
use crate::shape::{Format, Shape};

/// The columns of one file, by what they say. Numbers are places in the file's list of columns.
#[derive(Debug)]
pub(crate) struct Columns {
    /// As the file has them.
    pub(crate) names: Vec<String>,
    meanings: Vec<Option<Meaning>>,
    /// Unchanging key.
    pub(crate) key: usize,
    /// Account attributes, each with its columns in order of preference.
    pub(crate) texts: Vec<(Attr, Vec<usize>)>,
    /// Anchors in the order of the policy: the name there, and the column.
    pub(crate) anchors: Vec<(Box<str>, usize)>,
    /// What expressions name, and the column.
    pub(crate) extra: Vec<(Box<str>, usize)>,
    pub(crate) country_name: Option<usize>,
    pub(crate) country_code: Option<usize>,
    pub(crate) mail: Option<usize>,
    pub(crate) proxies: Option<usize>,
    pub(crate) dn: Option<usize>,
    pub(crate) sam: Option<usize>,
    pub(crate) upn: Option<usize>,
    pub(crate) manager: Option<usize>,
    pub(crate) groups: Vec<usize>,
    pub(crate) control: Option<usize>,
    pub(crate) computed_control: Option<usize>,
    pub(crate) expires: Option<usize>,
    pub(crate) enabled: Option<usize>,
    pub(crate) password_expired: Option<usize>,
}

/// Where the key is looked for when none is configured, around the policy's anchors.
const KEYS_BEFORE: [Meaning; 2] = [Meaning::ObjectGuid, Meaning::EntryUuid];
const KEYS_AFTER: [Meaning; 3] = [Meaning::Text(Attr::EmployeeId, 0), Meaning::EmployeeNumber, Meaning::Id];

impl Columns {
    /// Understands the columns of a file.
    pub(crate) fn new(names: Vec<String>, shape: &Shape) -> Result<Self, SourceError> {
        let configured = configured(&names, shape)?;
        let find = |wanted: Meaning| {
            let by_config = configured.iter().find(|(meaning, _)| same(*meaning, wanted)).map(|(_, column)| *column);
            by_config.or_else(|| names.iter().position(|name| known::meaning(name) == Some(wanted)))
        };
        let named = |name: &str| {
            let meaning = known::meaning(name);
            let by_config = meaning.and_then(|m| configured.iter().find(|(have, _)| same(*have, m))).map(|(_, c)| *c);
            by_config
                .or_else(|| names.iter().position(|have| have.eq_ignore_ascii_case(name)))
                .or_else(|| meaning.filter(|m| *m != Meaning::Plain).and_then(&find))
        };
        let key = match &shape.key {
            Some(name) => named(name).ok_or_else(|| {
                missing(&names, &format!("the key column {name:?}"), "Set `key` in [source] to one of them")
            })?,
            None => KEYS_BEFORE
                .into_iter()
                .find_map(&find)
                .or_else(|| shape.anchor_from.iter().find_map(|name| named(name)))
                .or_else(|| KEYS_AFTER.into_iter().find_map(&find))
                .ok_or_else(|| {
                    let cure = "Set `key` in [source] to the one that never changes for a person";
                    missing(&names, "a column that is known to never change for a person, such as objectGUID", cure)
                })?,
        };
        let groups = {
            let mut columns: Vec<usize> =
                configured.iter().filter(|(m, _)| *m == Meaning::Groups).map(|c| c.1).collect();
            if columns.is_empty() {
                columns = (0..names.len()).filter(|c| known::meaning(&names[*c]) == Some(Meaning::Groups)).collect();
            }
            columns
        };
        let mut columns = Self {
            meanings: names.iter().map(|name| known::meaning(name)).collect(),
            key,
            texts: texts(&names, &configured),
            anchors: shape.anchor_from.iter().filter_map(|name| Some((name.clone(), named(name)?))).collect(),
            extra: shape.extra.iter().filter_map(|name| Some((name.as_str().into(), named(name)?))).collect(),
            country_name: find(Meaning::CountryName),
            country_code: find(Meaning::CountryCode),
            mail: find(Meaning::Mail),
            proxies: find(Meaning::ProxyAddresses),
            dn: find(Meaning::Dn),
            sam: find(Meaning::Sam),
            upn: None,
            manager: find(Meaning::Manager),
            groups,
            control: find(Meaning::UserAccountControl),
            computed_control: find(Meaning::ComputedControl),
            expires: find(Meaning::AccountExpires),
            enabled: find(Meaning::Enabled),
            password_expired: find(Meaning::PasswordExpired),
            names: Vec::new(),
        };
        columns.upn = columns
            .texts
            .iter()
            .find(|(attr, _)| *attr == Attr::UserPrincipalName)
            .and_then(|(_, from)| from.first().copied());
        for (meaning, column) in configured {
            columns.meanings[column] = Some(meaning);
        }
        columns.names = names;
        Ok(columns)
    }

    /// What a column says.
    pub(crate) fn meaning(&self, column: usize) -> Option<Meaning> {
        self.meanings.get(column).copied().flatten()
    }

    /// The column's name.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", String::as_str)
    }
}

/// `[source.columns]`, resolved.
fn configured(names: &[String], shape: &Shape) -> Result<Vec<(Meaning, usize)>, SourceError> {
    let mut found = Vec::new();
    for (attribute, column) in &shape.columns {
        let meaning = known::meaning(attribute).ok_or_else(|| SourceError {
            problem: format!("[source.columns] names {attribute:?}, which is no attribute that hardmatch knows"),
            cure: "Write the Active Directory or Graph name on the left, the file's column on the right".into(),
            retry: false,
        })?;
        match names.iter().position(|name| name.eq_ignore_ascii_case(column.trim())) {
            Some(at) => found.push((meaning, at)),
            // Without a header, an attribute that nobody has is as good as empty.
            None if shape.format != Format::Csv => {}
            None => {
                let what = format!("the column {column:?} that [source.columns] names");
                return Err(missing(names, &what, "Correct [source.columns], or the export"));
            }
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
            let by_config = configured.iter().find(|(meaning, _)| feeds(attr, *meaning).is_some());
            if let Some((_, column)) = by_config {
                return Some((attr, vec![*column]));
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
    SourceError {
        problem: format!("The file does not have {what}. It has: {}", names.join(", ")),
        cure: cure.into(),
        retry: false,
    }
}
