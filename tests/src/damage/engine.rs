//! Damaged listings through the whole engine: a settled company, a night with the damaged file, and good nights after it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hardmatch_domain::change::Action;

use crate::account::Seen;
use crate::damage::company::{Company, Form, WRITTEN};
use crate::damage::fault::{Damaged, Kind, damage};
use crate::damage::looks::Looks;
use crate::rng::Rng;
use crate::trial::{Night, Trial};

/// How many damaged listings one company sees, one after the other.
pub const FAULTS: usize = 10;

/// What damaged listings did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By kind of damage.
    pub kinds: BTreeMap<Kind, Count>,
    /// What went wrong, with the seed.
    pub wrong: Vec<String>,
}

/// What damaged listings of one kind did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Listings.
    pub listings: u64,
    /// Faults that nobody can tell from people who left or joined.
    pub look_right: u64,
    /// People blocked or deleted, where the damage can be told.
    pub blocks: u64,
    /// Accounts written, where the damage can be told.
    pub overwrites: u64,
    /// Accounts made, where the damage can be told.
    pub creations: u64,
    /// People blocked, within the limits, where it looks as if they left.
    pub left: u64,
    /// Listings after which the next good ones did not bring everything back.
    pub not_undone: u64,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: Tally) {
        for (kind, count) in other.kinds {
            let sum = self.kinds.entry(kind).or_default();
            sum.listings += count.listings;
            sum.look_right += count.look_right;
            sum.blocks += count.blocks;
            sum.overwrites += count.overwrites;
            sum.creations += count.creations;
            sum.left += count.left;
            sum.not_undone += count.not_undone;
        }
        self.wrong.extend(other.wrong);
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:>8} {:>10} {:>7} {:>10} {:>9} {:>6} {:>10}\n",
            "damage", "listings", "look right", "blocks", "overwrites", "creations", "left", "not undone"
        );
        for (kind, count) in &self.kinds {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{:<16} {:>8} {:>10} {:>7} {:>10} {:>9} {:>6} {:>10}",
                format!("{kind:?}"),
                count.listings,
                count.look_right,
                count.blocks,
                count.overwrites,
                count.creations,
                count.left,
                count.not_undone
            );
        }
        text
    }
}

/// One company of a seed, settled, and [`FAULTS`] damaged listings, each with good nights after it.
pub async fn company(seed: u64) -> Tally {
    let mut rng = Rng::new(seed);
    let form = [Form::Csv, Form::NumberLast, Form::Numbered, Form::Ldif][rng.below(4)];
    let company = Company::new(&mut rng, form);
    let mut tally = Tally::default();
    let mut settled: Option<Trial> = None;
    for number in 0..FAULTS {
        let kind = Kind::ALL[rng.below(Kind::ALL.len())];
        let Some(damaged) = damage(&company, kind, &mut rng) else { continue };
        let mut trial = match settled.take() {
            Some(trial) => trial,
            None => settle(&company).await,
        };
        let seen = strike(&mut trial, &company, &damaged, rng.happens(30)).await;
        let count = tally.kinds.entry(kind).or_default();
        count.listings += 1;
        let place = format!("seed {seed}, listing {number}, {kind:?} of {form:?} with {} people", company.rows.len());
        count.enter(&company, &damaged, &seen, &place, &mut tally.wrong);
        // What is not as before would be a part of what comes next.
        if seen.is_undone && seen.created == 0 {
            settled = Some(trial);
        }
    }
    tally
}

impl Count {
    fn enter(&mut self, company: &Company, damaged: &Damaged, seen: &Struck, place: &str, wrong: &mut Vec<String>) {
        let Struck { blocked, written, created, .. } = *seen;
        match damaged.looks {
            Looks::Damaged => {
                self.blocks += blocked;
                self.overwrites += written;
                self.creations += created;
                if blocked + written + created > 0 {
                    let values = seen.rewritten.join("; ");
                    wrong.push(format!(
                        "{place}: {blocked} blocked, {written} overwritten, {created} created. {values}"
                    ));
                }
            }
            Looks::LikeLeaving | Looks::LikeLeavingAndChanging => {
                self.look_right += 1;
                self.left += blocked;
                if blocked > company.limit() as u64 {
                    wrong.push(format!("{place}: {blocked} blocked, above the limit of {}", company.limit()));
                }
                let is_written = written > 0 && damaged.looks == Looks::LikeLeaving;
                if is_written || created > 0 {
                    wrong.push(format!("{place}: {written} overwritten, {created} created, though people only left"));
                }
            }
            Looks::LikeJoining => {
                self.look_right += 1;
                if blocked + written > 0 {
                    wrong.push(format!("{place}: {blocked} blocked, {written} overwritten, though people only joined"));
                }
            }
        }
        if !seen.is_undone {
            self.not_undone += 1;
            wrong.push(format!("{place}: not undone by good files: {}", seen.left_over.join("; ")));
        }
    }
}

/// A company whose people all have accounts, after a quiet night.
async fn settle(company: &Company) -> Trial {
    let mut trial = Trial::of(company.file(), company.whole()).with(company.config()).await;
    let night = trial.first_night().await;
    assert_eq!(trial.live().len(), company.rows.len(), "a company could not be settled: {night:?}");
    trial.quiet_night().await;
    trial
}

/// What one damaged listing did, and whether the good ones after it brought everything back.
struct Struck {
    blocked: u64,
    written: u64,
    created: u64,
    /// Values that were overwritten: the property, before and after.
    rewritten: Vec<String>,
    is_undone: bool,
    left_over: Vec<String>,
}

async fn strike(trial: &mut Trial, company: &Company, damaged: &Damaged, twice: bool) -> Struck {
    let before = by_id(trial);
    let mut nights = vec![trial.night_with(damaged.bytes.clone()).await];
    if twice && damaged.looks == Looks::Damaged {
        nights.push(trial.sleep().await);
    }
    let after = by_id(trial);
    let differs = |id: &String, differ: fn(&Seen, &Seen) -> bool| {
        after.get(id).is_none_or(|now| before.get(id).is_some_and(|was| differ(was, now)))
    };
    let count = |differ: fn(&Seen, &Seen) -> bool| before.keys().filter(|id| differs(id, differ)).count() as u64;
    let blocked = count(|was, now| was.enabled() && !now.enabled());
    let written = before.keys().filter(|id| after.contains_key(*id) && differs(id, is_rewritten)).count() as u64;
    let created = after.keys().filter(|id| !before.contains_key(*id)).count() as u64;
    let pairs = before.iter().filter_map(|(id, was)| after.get(id).map(|now| (was, now)));
    let rewritten = pairs.flat_map(|(was, now)| rewrites(was, now)).collect();
    // Suspended people come back with the first good file; what was held may need a second.
    trial.write(company.whole());
    for _ in 0..2 {
        let night = trial.sleep().await;
        let is_quiet = night.writes().is_empty();
        nights.push(night);
        if is_quiet {
            break;
        }
    }
    let at_last = by_id(trial);
    let mut left_over: Vec<String> = before
        .iter()
        .filter(|(id, was)| at_last.get(*id).is_none_or(|now| now.enabled() != was.enabled() || is_rewritten(was, now)))
        .map(|(_, was)| was.upn().to_owned())
        .collect();
    if nights.iter().any(|night| plans(night, Action::Delete)) {
        left_over.push("a deletion was planned".to_owned());
    }
    Struck { blocked, written, created, rewritten, is_undone: left_over.is_empty(), left_over }
}

fn by_id(trial: &Trial) -> BTreeMap<String, Seen> {
    trial.live().into_iter().map(|account| (account.id().to_owned(), account)).collect()
}

fn is_rewritten(was: &Seen, now: &Seen) -> bool {
    WRITTEN.iter().any(|property| was.text(property) != now.text(property)) || was.immutable_id() != now.immutable_id()
}

fn rewrites(was: &Seen, now: &Seen) -> Vec<String> {
    let differ = WRITTEN.iter().filter(|property| was.text(property) != now.text(property));
    differ.map(|property| format!("{property} {:?} became {:?}", was.text(property), now.text(property))).collect()
}

fn plans(night: &Night, action: Action) -> bool {
    night.rows().iter().any(|row| row.decision.action == action)
}
