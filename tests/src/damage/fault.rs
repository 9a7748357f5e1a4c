//! What happens to a listing between the directory that wrote it and the engine that reads it.

use crate::damage::company::{Company, Form};
use crate::damage::looks::Looks;
use crate::damage::oracle;
use crate::rng::Rng;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Some hundred to some thousand bytes are missing.
    Hole,
    /// As many bytes are zero.
    Zeros,
    /// Line ends are missing; in LDIF empty lines.
    LostLineEnds,
    /// Two columns are exchanged in every row, their names are not.
    SwappedColumns,
    /// A cell is missing in every row, and all that follow it stand one column too early.
    ShiftedColumns,
    /// The letters outside ASCII are in another encoding.
    Encoding,
    /// Every letter outside ASCII is a question mark.
    QuestionMarks,
    /// Rows have the key of other rows.
    SharedKeys,
    /// The whole listing stands in the file twice.
    Doubled,
    /// Numbers have lost their zeros in front.
    LostZeros,
    /// A column has a spreadsheet's error text.
    ErrorTexts,
    /// Many people of another company follow.
    ManyStrangers,
    /// The file ends inside a row.
    CutInLine,
    /// There are column names and nobody.
    Emptied,
    /// Rows are missing.
    RowsMissing,
    /// The file ends after a row, and the rest is missing.
    CutAtLine,
    /// Some people of another company follow: they look like joiners.
    FewStrangers,
}

impl Kind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Kind; 17] = [
        Kind::Hole,
        Kind::Zeros,
        Kind::LostLineEnds,
        Kind::SwappedColumns,
        Kind::ShiftedColumns,
        Kind::Encoding,
        Kind::QuestionMarks,
        Kind::SharedKeys,
        Kind::Doubled,
        Kind::LostZeros,
        Kind::ErrorTexts,
        Kind::ManyStrangers,
        Kind::CutInLine,
        Kind::Emptied,
        Kind::RowsMissing,
        Kind::CutAtLine,
        Kind::FewStrangers,
    ];
}

/// A damaged listing.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// How it was damaged.
    pub kind: Kind,
    /// What it looks like.
    pub looks: Looks,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Damages a listing in some way; `None`: this way does not fit this company.
pub fn damage(company: &Company, kind: Kind, rng: &mut Rng) -> Option<Damaged> {
    let whole = company.whole();
    let bytes = match kind {
        Kind::Hole | Kind::Zeros => {
            let mut bytes = whole.clone().into_bytes();
            let header = whole.find('\n').unwrap_or_default() + 1;
            let length = 512 + rng.below(4096 - 512 + 1);
            let at = header + rng.below(bytes.len().saturating_sub(header + length).max(1));
            let end = (at + length).min(bytes.len());
            if kind == Kind::Hole {
                drop(bytes.drain(at..end));
            } else {
                bytes[at..end].fill(0);
            }
            bytes
        }
        Kind::LostLineEnds => lose_line_ends(company, &whole, rng),
        Kind::SwappedColumns => swap(company, rng)?,
        Kind::ShiftedColumns => shift(company, rng),
        Kind::Encoding => encode(&whole, rng),
        Kind::QuestionMarks => {
            whole.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect::<String>().into_bytes()
        }
        Kind::SharedKeys => share_keys(company, rng),
        Kind::Doubled => company.listing(&[&company.rows[..], &company.rows[..]].concat()).into_bytes(),
        Kind::LostZeros => {
            let column = company.column("employeeID");
            edit(company, |_, row| row[column] = row[column].trim_start_matches('0').to_owned())
        }
        Kind::ErrorTexts => {
            let error = ["#REF!", "#N/A", "#NAME?", "NULL"][rng.below(4)];
            let named: Vec<usize> = ["displayName", "sn", "mail", "employeeID", "userPrincipalName"]
                .map(|name| company.column(name))
                .into();
            let column = named[rng.below(named.len())];
            edit(company, |_, row| error.clone_into(&mut row[column]))
        }
        Kind::ManyStrangers | Kind::FewStrangers => {
            let count = if kind == Kind::ManyStrangers { 26 + rng.below(60) } else { 1 + rng.below(20) };
            let domain = ["contoso.example", "fabrikam.example"][rng.below(2)];
            let strangers = company.strangers(rng, count, domain);
            company.listing(&[&company.rows[..], &strangers[..]].concat()).into_bytes()
        }
        Kind::CutInLine => {
            let mut bytes = whole.clone().into_bytes();
            bytes.truncate(bytes.len() / 4 + rng.below(bytes.len() * 3 / 4 - 1));
            bytes
        }
        Kind::Emptied => company.listing(&[]).into_bytes(),
        Kind::RowsMissing => {
            let mut rows = company.rows.clone();
            for _ in 0..=rng.below(rows.len() / 2) {
                rows.remove(rng.below(rows.len()));
            }
            company.listing(&rows).into_bytes()
        }
        Kind::CutAtLine => company.listing(&company.rows[..=rng.below(company.rows.len() - 1)]).into_bytes(),
    };
    let looks = match kind {
        Kind::Hole | Kind::CutInLine | Kind::LostLineEnds => oracle::looks(company, &bytes),
        Kind::RowsMissing | Kind::CutAtLine => Looks::LikeLeaving,
        Kind::FewStrangers => Looks::LikeJoining,
        _ => Looks::Damaged,
    };
    Some(Damaged { kind, looks, bytes })
}

/// The listing after each row was edited.
fn edit(company: &Company, mut change: impl FnMut(usize, &mut Vec<String>)) -> Vec<u8> {
    let mut rows = company.rows.clone();
    rows.iter_mut().enumerate().for_each(|(number, row)| change(number, row));
    company.listing(&rows).into_bytes()
}

fn lose_line_ends(company: &Company, whole: &str, rng: &mut Rng) -> Vec<u8> {
    let end = if company.form == Form::Ldif { "\n\n" } else { "\n" };
    let mut text = whole.to_owned();
    for _ in 0..=rng.below(3) {
        // Neither the first, which ends the column names, nor the last.
        let ends: Vec<usize> = text.match_indices(end).map(|(at, _)| at).collect();
        if let Some(at) = ends.get(1 + rng.below(ends.len().saturating_sub(2))) {
            text.remove(*at);
        }
    }
    text.into_bytes()
}

fn swap(company: &Company, rng: &mut Rng) -> Option<Vec<u8>> {
    let pairs = [
        ("displayName", "mail"),
        ("givenName", "sn"),
        ("displayName", "employeeID"),
        ("sn", "department"),
        ("mail", "employeeID"),
        ("userPrincipalName", "displayName"),
        ("displayName", "title"),
    ];
    let (one, other) = pairs[rng.below(pairs.len())];
    let (one, other) = (company.column(one), company.column(other));
    // Exchanged keys are another company.
    (one != company.key() && other != company.key()).then(|| edit(company, |_, row| row.swap(one, other)))
}

fn shift(company: &Company, rng: &mut Rng) -> Vec<u8> {
    // From a column that names a person on; the last cell is empty then.
    let from = 1 + rng.below(4);
    edit(company, |_, row| {
        row.remove(from);
        row.push(String::new());
    })
}

fn share_keys(company: &Company, rng: &mut Rng) -> Vec<u8> {
    let key = company.key();
    let mut rows = company.rows.clone();
    for _ in 0..=rng.below(4) {
        let (one, other) = (rng.below(rows.len()), rng.below(rows.len()));
        rows[one][key].clone_from(&company.rows[other][key]);
    }
    company.listing(&rows).into_bytes()
}

/// In an encoding of another machine, and read as if nothing had happened.
fn encode(text: &str, rng: &mut Rng) -> Vec<u8> {
    let tables: [&[(char, u8)]; 2] = [
        // Mac Roman, code page 850.
        &[
            ('ö', 0x9a),
            ('ä', 0x8a),
            ('é', 0x8e),
            ('í', 0x92),
            ('ë', 0x91),
            ('Å', 0x81),
            ('ç', 0x8d),
            ('ü', 0x9f),
            ('ß', 0xa7),
            ('ú', 0x9c),
            ('ñ', 0x96),
            ('Ö', 0x85),
        ],
        &[
            ('ö', 0x94),
            ('ä', 0x84),
            ('é', 0x82),
            ('í', 0xa1),
            ('ë', 0x89),
            ('Å', 0x8f),
            ('ç', 0x87),
            ('ü', 0x81),
            ('ß', 0xe1),
            ('ú', 0xa3),
            ('ñ', 0xa4),
            ('Ö', 0x99),
        ],
    ];
    match rng.below(3) {
        // Once more as UTF-8.
        2 => text.bytes().map(char::from).collect::<String>().into_bytes(),
        table => text
            .chars()
            .map(|letter| match tables[table].iter().find(|(known, _)| *known == letter) {
                Some((_, byte)) => *byte,
                None => u8::try_from(letter).ok().filter(u8::is_ascii).unwrap_or(b'l'),
            })
            .collect(),
    }
}
