//! The end of observing: whether both sides are known, who is to be decided, and the slices in which that is done.

use std::collections::BTreeSet;

use hardmatch_ports::run::{CollectionState, Phase, Run};
use hardmatch_store::PersonHash;
use hardmatch_store::connection::{Meta, RunHistory};
use hardmatch_store::fingerprints::Series;
use hardmatch_store::leases::LeasedRun;

use crate::commit::commit_plain;
use crate::due::take_due_people;
use crate::error::MatchError;
use crate::ports::MatchPorts;
use crate::step::Step;
use crate::table_loss;
use crate::transition::enter;
use crate::undo;

/// Collections without which nobody can be decided.
const NEEDED: &[&str] = &["people", "users", "deleted_users", "domains"];
/// People of a slice, more or less.
const SLICE_PEOPLE: u64 = 64;

/// How far both sides are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sides {
    Reading,
    Complete,
    /// What is needed could not be read.
    Unknown,
}

pub(crate) fn sides(run: &Run) -> Sides {
    let state = |name: &&str| run.collections.get(*name).map(|collection| collection.state);
    if NEEDED.iter().any(|name| state(name) == Some(CollectionState::Unknown)) {
        Sides::Unknown
    } else if NEEDED.iter().all(|name| state(name) == Some(CollectionState::Complete)) {
        Sides::Complete
    } else {
        Sides::Reading
    }
}

/// What an observation leaves to decide.
pub(crate) enum Cut<'l> {
    /// The deciding phase was entered with slices.
    Slices(Step),
    /// Nobody's facts changed. The run as it goes on, which may have learned why it stops at its plan.
    NobodyToDecide(Box<LeasedRun<'l>>),
}

/// Cuts the people who are to be decided into slices. Of half a million people the marks are read in some ten pages to
/// fifty and the slices stored with some 330 calls, four at a time: seconds.
pub(crate) async fn cut_slices<'l>(ports: &MatchPorts, run: &LeasedRun<'l>) -> Result<Cut<'l>, MatchError> {
    let meta = ports.store.meta(&run.connection).await?;
    let looked_at = table_loss::look(ports, run, &meta).await?;
    let run = run.with(|run| *run = looked_at);
    let todo = people_to_decide(ports, &run, &meta).await?;
    if todo.is_empty() {
        return Ok(Cut::NobodyToDecide(Box::new(run)));
    }
    let size = meta.listing.people.max(todo.len() as u64);
    ports.store.put_slices(&run.id, slice_bits(size), &todo).await?;
    Ok(Cut::Slices(Step::entered(enter(ports, &run, Phase::Deciding, |_| ()).await?)))
}

/// Slices are cut by the first bits of people's keyed hashes, so that the same people fall into the same slices next time.
fn slice_bits(people: u64) -> u32 {
    (people / SLICE_PEOPLE).max(1).next_power_of_two().trailing_zeros().min(16)
}

/// Who has to be decided: people who were asked for, everybody, or the people who are dirty or due.
async fn people_to_decide(ports: &MatchPorts, run: &Run, meta: &Meta) -> Result<Vec<PersonHash>, MatchError> {
    if let Some(what) = &run.undo {
        return undo::people(ports, run, what).await;
    }
    if run.is_partial() {
        let asked: Vec<PersonHash> = ports.store.asked(&run.id).await?.into_iter().map(|(pid, _)| pid).collect();
        // People who wait for one of these are left to the next run over everybody.
        let waiting = ports.store.waiting_for(&run.connection, &asked.iter().copied().collect()).await?;
        let marks = waiting.iter().map(|waiting| ports.store.mark_dirty(&run.connection, waiting.who)).collect();
        commit_plain(ports, marks).await?;
        return Ok(asked);
    }
    let connection = &run.connection;
    let now = run.started_ms / 1000;
    if meta.history.timers_seen.is_none() {
        ports.store.update(connection, |history: &mut RunHistory| _ = history.timers_seen.get_or_insert(now)).await?;
    }
    // People whose timer is due are marked, and then read with the others who are dirty.
    take_due_people(ports, connection, meta.history.timers_seen.unwrap_or(now), now).await?;
    let mut todo = ports.store.dirty_people(connection).await?;
    if run.everybody {
        let names = ports.store.all_names(&Series::people(connection)).await?;
        todo.extend(names.into_iter().map(PersonHash::from_bytes));
        todo.extend(ports.store.gone_people(connection).await?);
    }
    // People whose manager's facts changed may be able to have that manager now.
    let targets: BTreeSet<PersonHash> = todo.iter().copied().collect();
    let waiting = ports.store.waiting_for(connection, &targets).await?;
    todo.extend(waiting.iter().map(|waiting| waiting.who));
    // They are marked before the notes of their waiting go, so that a kill in between loses nobody.
    commit_plain(ports, waiting.iter().map(|waiting| ports.store.mark_dirty(connection, waiting.who)).collect())
        .await?;
    commit_plain(ports, waiting.iter().map(|waiting| ports.store.forget_waiting(waiting)).collect()).await?;
    todo.sort_unstable();
    todo.dedup();
    Ok(todo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_hold_some_sixty_four_people_and_are_65536_at_most() {
        let table = [(0, 0), (1, 0), (64, 0), (128, 1), (1_000, 4), (500_000, 13), (u64::MAX / 2, 16)];
        for (people, bits) in table {
            assert_eq!(slice_bits(people), bits, "{people}");
        }
    }
}
