//! Which column of an unknown file fills which attribute: by its name, and by its values where the name says nothing.

use std::collections::BTreeMap;

use crate::aliases::{self, Suggests, is_of_somebody_else};
use crate::looks::{Kind, Looks};
use hardmatch_sources_entry::known::{self, Meaning};
use hardmatch_sources_entry::switch::{self, Words};

/// What a proposal goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProposedBy {
    /// The column is called as the attribute; a configuration need not name it.
    Name,
    /// The column is called as exports usually call it.
    UsualName,
    /// The name says nothing, the values look like it.
    Values,
}

/// Which day of an employment a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// The first day.
    First,
    /// The last day.
    Last,
}

/// What one column is proposed to fill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Known attributes, as `[source.columns]` names them.
    pub fills: Vec<&'static str>,
    /// What it goes by; `None`: nothing is proposed.
    pub by: Option<ProposedBy>,
    /// The file's own words for yes and no, where the usual words do not do.
    pub words: Option<Words>,
    /// Values that mean neither yes nor no, with how often they are there.
    pub unclear: Vec<(String, u64)>,
    /// The column holds this day.
    pub day: Option<Day>,
    /// Why an operator should look at it.
    pub doubt: Option<String>,
}

/// A column and what it looks like.
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) looks: &'a Looks,
}

/// One proposal a column, in their order.
pub(crate) fn assign(columns: &[Column<'_>]) -> Vec<Proposal> {
    let mut proposals = vec![Proposal::default(); columns.len()];
    let mut best: BTreeMap<Suggests, (u16, usize)> = BTreeMap::new();
    for (at, column) in columns.iter().enumerate() {
        for (suggests, rank) in candidates(column) {
            let entry = best.entry(suggests).or_insert((rank, at));
            if (rank, at) < *entry {
                *entry = (rank, at);
            }
        }
    }
    for (suggests, (rank, at)) in best {
        // A column is one thing, unless its own name says another one anyway.
        if proposals[at].by.is_some_and(|by| by != ProposedBy::Name) {
            continue;
        }
        let by = if rank < USUAL { ProposedBy::Name } else { ProposedBy::UsualName };
        match suggests {
            Suggests::Attribute(attribute) => proposals[at].fills.push(attribute),
            Suggests::Blocked => proposals[at].fills.push("active"),
            Suggests::Starts => proposals[at].day = Some(Day::First),
            Suggests::Ends => proposals[at].day = Some(Day::Last),
        }
        proposals[at].by = proposals[at].by.or(Some(by));
        if matches!(suggests, Suggests::Blocked | Suggests::Attribute("active")) {
            words(columns[at].looks, suggests == Suggests::Blocked, &mut proposals[at]);
        }
    }
    keep_one_switch(&mut proposals);
    by_values(columns, &mut proposals);
    sign_in_name(columns, &mut proposals);
    proposals
}

/// Usual names rank behind every name that is understood by itself.
const USUAL: u16 = 256;

/// What the column may fill: its own name before usual names, and only where the values agree.
fn candidates(column: &Column<'_>) -> Vec<(Suggests, u16)> {
    let mut found = Vec::new();
    let meaning = known::meaning(column.name).filter(|meaning| *meaning != Meaning::Plain);
    let own = meaning.and_then(|_| known::canonical(column.name)).map(source_name);
    if let Some(own) = own.filter(|own| *own != "manager") {
        // As a run has it: `displayName` before `cn`.
        let rank = match meaning {
            Some(Meaning::Text(_, rank)) => u16::from(rank),
            _ => 0,
        };
        found.push((Suggests::Attribute(own), rank));
    }
    // A name that is understood by itself is read so whatever else is proposed.
    if meaning.is_some_and(|meaning| !matches!(meaning, Meaning::EmployeeNumber | Meaning::Id | Meaning::Uid)) {
        return found;
    }
    for (suggests, rank) in aliases::suggested(column.name) {
        let rank = USUAL + u16::from(rank);
        match agreed(suggests, column.looks) {
            Some(Suggests::Attribute("manager")) | None => {}
            Some(suggests) => found.push((suggests, rank)),
        }
    }
    found
}

/// The attribute's name for `[source.columns]`, where a canonical name is not the one to write.
fn source_name(canonical: &'static str) -> &'static str {
    if canonical == "enabled" { "active" } else { canonical }
}

/// What remains of a suggestion when the values are looked at.
fn agreed(suggests: Suggests, looks: &Looks) -> Option<Suggests> {
    let kind = looks.kind();
    let empty = looks.filled == 0;
    let few = looks.words().count();
    let fits = match suggests {
        Suggests::Attribute("userPrincipalName") if !empty && kind != Kind::Email => {
            let short = looks.samples.iter().all(|text| !text.contains([' ', '@']) && text.len() <= 64);
            return (short && looks.is_many() && kind == Kind::Text).then_some(Suggests::Attribute("sAMAccountName"));
        }
        Suggests::Attribute("userPrincipalName") => !empty,
        Suggests::Attribute("mail") => kind == Kind::Email,
        Suggests::Attribute("active") | Suggests::Blocked => {
            kind == Kind::Switch
                || (few >= 1 && looks.words().any(|(word, _)| switch::usual(word).is_some()))
                || (kind == Kind::Text && (1..=4).contains(&few) && looks.filled > 8)
        }
        Suggests::Starts | Suggests::Ends => kind == Kind::Date,
        Suggests::Attribute("objectGUID") => kind == Kind::Guid,
        Suggests::Attribute("employeeID") => {
            !empty && looks.is_many() && !matches!(kind, Kind::Email | Kind::Date | Kind::Switch | Kind::Guid)
        }
        Suggests::Attribute("displayName") => !matches!(kind, Kind::Email | Kind::Number | Kind::Date | Kind::Guid),
        // "Preferred Name", "Nombre": of some systems the whole name, of others the first one.
        Suggests::Attribute("givenName") if looks.are_several_words() => {
            return Some(Suggests::Attribute("displayName"));
        }
        Suggests::Attribute("co") if kind == Kind::Country => return Some(Suggests::Attribute("c")),
        Suggests::Attribute("c" | "usageLocation") => empty || kind == Kind::Country,
        Suggests::Attribute("sAMAccountName" | "distinguishedName" | "memberOf" | "manager" | "proxyAddresses") => true,
        Suggests::Attribute("userAccountControl" | "accountExpires") => empty || kind == Kind::Number,
        Suggests::Attribute("telephoneNumber" | "mobile" | "facsimileTelephoneNumber") => {
            !matches!(kind, Kind::Email | Kind::Guid | Kind::Switch)
        }
        Suggests::Attribute("postalCode") => !matches!(kind, Kind::Email | Kind::Guid),
        Suggests::Attribute("st") => kind != Kind::Switch && !matches!(kind, Kind::Email | Kind::Date | Kind::Guid),
        Suggests::Attribute(_) => !matches!(kind, Kind::Email | Kind::Date | Kind::Guid),
    };
    fits.then_some(suggests)
}

/// What the words of a switch mean, where not all of them are the usual ones or they mean the opposite.
fn words(looks: &Looks, inverted: bool, proposal: &mut Proposal) {
    let mut words = Words::default();
    let has = |wanted: &str| looks.words().any(|(word, _)| word.trim().eq_ignore_ascii_case(wanted));
    let mut odd = inverted;
    for (word, count) in looks.words() {
        let (meaning, unusual) = match switch::usual(word) {
            Some(meaning) => (Some(meaning), false),
            // One letter means true beside F, terminated beside A.
            None if word.eq_ignore_ascii_case("t") && has("f") => (Some(true), true),
            None if word.eq_ignore_ascii_case("f") && has("t") => (Some(false), true),
            None if word.eq_ignore_ascii_case("t") && has("a") => (Some(false), true),
            None if word.eq_ignore_ascii_case("l") && has("a") => (Some(true), true),
            None => (None, true),
        };
        odd |= unusual;
        match meaning.map(|meaning| meaning != inverted) {
            Some(true) => words.yes.push(word.to_owned()),
            Some(false) => words.no.push(word.to_owned()),
            None => proposal.unclear.push((word.to_owned(), count)),
        }
    }
    // A word that nobody has today is met tomorrow, when the first person leaves.
    if inverted && (words.yes.is_empty() || words.no.is_empty()) {
        words = Words {
            yes: ["False", "No", "0"].map(str::to_owned).into(),
            no: ["True", "Yes", "1"].map(str::to_owned).into(),
        };
    }
    if !proposal.unclear.is_empty() {
        let list: Vec<&str> = proposal.unclear.iter().map(|(word, _)| word.as_str()).collect();
        proposal.doubt = Some(format!("does {} mean employed or not?", list.join(", ")));
    }
    if odd && !(words.yes.is_empty() && words.no.is_empty()) {
        proposal.words = Some(words);
    }
}

/// Whether somebody may sign in is one column's business: the one whose own name says so, else the first.
fn keep_one_switch(proposals: &mut [Proposal]) {
    let says = |proposal: &Proposal| proposal.fills.contains(&"active");
    let control = proposals.iter().any(|proposal| proposal.fills.contains(&"userAccountControl"));
    let token_store =
        proposals.iter().enumerate().filter(|(_, proposal)| says(proposal)).min_by_key(|(_, p)| p.by).map(|(at, _)| at);
    for (at, proposal) in proposals.iter_mut().enumerate() {
        let foreign = proposal.by != Some(ProposedBy::Name);
        if says(proposal) && foreign && (control || token_store != Some(at)) {
            *proposal = Proposal::default();
        }
    }
}

/// Columns whose names say nothing.
fn by_values(columns: &[Column<'_>], proposals: &mut [Proposal]) {
    let unused = |proposals: &[Proposal], kind: Kind| -> Vec<usize> {
        (0..columns.len())
            .filter(|at| proposals[*at].by.is_none() && columns[*at].looks.kind() == kind)
            .filter(|at| known::meaning(columns[*at].name).is_none_or(|meaning| meaning == Meaning::Plain))
            .collect()
    };
    let filled = |proposals: &[Proposal], wanted: &[&str]| {
        proposals.iter().any(|proposal| proposal.fills.iter().any(|fill| wanted.contains(fill)))
    };
    if !filled(proposals, &["userPrincipalName", "mail"]) {
        let mut emails = unused(proposals, Kind::Email);
        emails.retain(|at| !is_of_somebody_else(columns[*at].name));
        // The column that is filled for most people, and for each with another address.
        emails.sort_by_key(|at| (!columns[*at].looks.is_many(), std::cmp::Reverse(columns[*at].looks.filled), *at));
        if let Some(at) = emails.first() {
            let others: Vec<&str> = emails[1..].iter().map(|at| columns[*at].name).collect();
            proposals[*at] = Proposal {
                fills: vec!["mail"],
                by: Some(ProposedBy::Values),
                doubt: Some(if others.is_empty() {
                    "the values look like e-mail addresses".to_owned()
                } else {
                    format!("the values look like e-mail addresses; so do those of {}", others.join(", "))
                }),
                ..Proposal::default()
            };
        }
    }
    for (kind, wanted, fills, what) in [
        (Kind::Country, &["co", "c", "usageLocation"][..], "c", "country codes"),
        (Kind::Phone, &["telephoneNumber", "mobile"][..], "telephoneNumber", "telephone numbers"),
    ] {
        let mut found = unused(proposals, kind);
        found.retain(|at| !is_of_somebody_else(columns[*at].name));
        if let ([at], false) = (found.as_slice(), filled(proposals, wanted)) {
            proposals[*at] = Proposal {
                fills: vec![fills],
                by: Some(ProposedBy::Values),
                doubt: Some(format!("the values look like {what}")),
                ..Proposal::default()
            };
        }
    }
    // A yes or a date could be anything: nobody is blocked because of a column called "Remote". A telephone may be anybody's,
    // and two of them say not which is which.
    for (kind, what) in [(Kind::Switch, "yes and no"), (Kind::Date, "dates"), (Kind::Phone, "telephone numbers")] {
        for at in unused(proposals, kind) {
            if kind == Kind::Phone && is_of_somebody_else(columns[at].name) {
                continue;
            }
            proposals[at].doubt = Some(format!("the values look like {what}; not used"));
        }
    }
}

/// Where no column is a sign-in name, the address is: that is how Microsoft 365 is usually set up.
fn sign_in_name(columns: &[Column<'_>], proposals: &mut [Proposal]) {
    if proposals.iter().any(|proposal| proposal.fills.contains(&"userPrincipalName")) {
        return;
    }
    let mail = (0..columns.len()).find(|at| proposals[*at].fills.contains(&"mail") && columns[*at].looks.filled > 0);
    if let Some(at) = mail {
        proposals[at].fills.insert(0, "userPrincipalName");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(columns: &[(&str, &[&str])]) -> Vec<Proposal> {
        let looks: Vec<Looks> = columns
            .iter()
            .map(|(_, values)| {
                let mut looks = Looks::default();
                values.iter().for_each(|value| looks.feed(value));
                looks
            })
            .collect();
        let columns: Vec<Column<'_>> =
            columns.iter().zip(&looks).map(|((name, _), looks)| Column { name, looks }).collect();
        assign(&columns)
    }

    #[test]
    fn telephones_that_nothing_uses_are_told_unless_they_are_private() {
        let numbers: &[&str] = &["+49 221 5550-12", "0221/5550-13"];
        let found = proposed(&[("Nebenstelle 1", numbers), ("Nebenstelle 2", numbers), ("Telefon privat", numbers)]);
        let doubts: Vec<Option<&str>> = found.iter().map(|one| one.doubt.as_deref()).collect();
        let told = Some("the values look like telephone numbers; not used");
        assert_eq!(doubts, [told, told, None]);
        assert!(found.iter().all(|one| one.fills.is_empty()), "two of them say not which is which");
        let one = proposed(&[("Nebenstelle", numbers), ("E-Mail", &["a@x.example", "b@x.example"])]);
        assert_eq!(one[0].fills, ["telephoneNumber"]);
        let named = proposed(&[("Rufnummer", numbers), ("Nebenstelle", numbers)]);
        assert_eq!((named[0].fills.as_slice(), named[0].doubt.as_deref()), (&["telephoneNumber"][..], None));
        assert_eq!(named[1].doubt.as_deref(), told);
    }
}
