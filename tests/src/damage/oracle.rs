//! What somebody who knows the good listing can tell of a damaged one. Written without any code of the product, so that
//! the two check each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::damage::company::{Company, Form};
use crate::damage::looks::Looks;

/// What a listing with missing bytes looks like.
pub fn looks(company: &Company, bytes: &[u8]) -> Looks {
    let Ok(text) = std::str::from_utf8(bytes) else { return Looks::Damaged };
    let Some(rows) = rows(company, text) else { return Looks::Damaged };
    let owners = Owners::of(company);
    let mut keys = BTreeSet::new();
    let mut is_altered = false;
    for row in &rows {
        let Some(owner) = owners.only(company, row) else { return Looks::Damaged };
        if !keys.insert(owner) {
            return Looks::Damaged;
        }
        is_altered |= row.iter().zip(&company.rows[owner]).any(|(values, cell)| values.as_slice() != [cell.as_str()]);
    }
    if is_altered { Looks::LikeLeavingAndChanging } else { Looks::LikeLeaving }
}

/// The values of each column, row by row; `None`: a row has another shape than it should.
fn rows<'a>(company: &Company, text: &'a str) -> Option<Vec<Vec<Vec<&'a str>>>> {
    let columns = company.columns.len();
    if company.form != Form::Ldif {
        let row = |line: &'a str| {
            let cells: Vec<Vec<&str>> = line.split(',').map(|cell| vec![cell]).collect();
            (cells.len() == columns).then_some(cells)
        };
        return text.lines().skip(1).map(row).collect();
    }
    let mut rows = Vec::new();
    for entry in
        text.split("\n\n").skip(1).map(|entry| entry.trim_start_matches('\n')).filter(|entry| !entry.is_empty())
    {
        let mut row: Vec<Vec<&str>> = vec![Vec::new(); columns];
        let mut names = 0;
        for line in entry.lines() {
            let (name, value) = line.split_once(": ")?;
            if name == "dn" {
                names += 1;
            } else {
                row[company.columns.iter().position(|column| *column == name)?].push(value);
            }
        }
        if names != 1 || !entry.starts_with("dn: ") || row[company.key()].len() != 1 {
            return None;
        }
        rows.push(row);
    }
    Some(rows)
}

/// Who has which value in which column.
struct Owners<'a>(BTreeMap<(usize, &'a str), usize>);

impl<'a> Owners<'a> {
    fn of(company: &'a Company) -> Self {
        let columns = company.identifying();
        let mut owners = BTreeMap::new();
        for (number, row) in company.rows.iter().enumerate() {
            for column in &columns {
                owners.insert((*column, row[*column].as_str()), number);
            }
        }
        Self(owners)
    }

    /// The one known person of whom a row has the key and no other's name, address or number.
    fn only(&self, company: &Company, row: &[Vec<&str>]) -> Option<usize> {
        let key = row[company.key()].first()?;
        let owner = *self.0.get(&(company.key(), *key))?;
        let of_others = company.identifying().into_iter().any(|column| {
            row[column].iter().any(|value| self.0.get(&(column, *value)).is_some_and(|other| *other != owner))
        });
        (!of_others).then_some(owner)
    }
}
