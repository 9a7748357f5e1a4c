//! Whether the removals of a run may go.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hardmatch_domain::group::FoundGroup;
use hardmatch_domain::guard::{
    FirstPlan, GroupRecord, Guarded, Judgement, Kind, Over, Record, ReleasedBy, Wanted, allowed, is_slow_bleed, judge,
};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::policy::Guard;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{GuardNote, Run};
use hardmatch_store::changes::OpenChange;
use hardmatch_store::connection::Meta;
use hardmatch_store::{PersonHash, Stored};

use super::departed::{self, Departed};
use crate::acceptance::{first_plan, is_by_hash};
use crate::approvals::Approved;
use crate::error::MatchError;
use crate::plan::AHEAD;
use crate::policies::policy;
use crate::ports::MatchPorts;

/// People whose changes are read together.
pub(super) const CHUNK: usize = 100;

/// A judgement, as the gate carries it out.
pub(super) struct Judged {
    pub(super) note: GuardNote,
    /// Why removals that are not let through wait.
    pub(super) code: Code,
    /// How many members each group loses.
    pub(super) groups: BTreeMap<ObjectId, u64>,
}

/// The open changes of people that this run decided. The change of a person whom a later run decided is that run's.
pub(super) async fn of_this_run(
    ports: &MatchPorts,
    run: &Run,
    pids: &[PersonHash],
) -> Result<Vec<(PersonHash, Stored<OpenChange>)>, MatchError> {
    let found = ports.store.changes(&run.connection, pids).await?;
    Ok(found.into_iter().filter(|(_, stored)| stored.value.run == run.id).collect())
}

/// Whether the removals may go, all or none; those that are approved one by one go anyhow and count nowhere. Half a million people's changes are 5,000 calls of 20 ms, sixteen at a time:
/// some ten seconds.
pub(super) async fn judge_removals(
    ports: &MatchPorts,
    run: &Run,
    held: &[PersonHash],
    approved: &Approved,
) -> Result<Judged, MatchError> {
    let mut wanted = Wanted::new(Kind::Removals);
    let mut let_through = 0;
    let mut departing = Vec::new();
    let chunks: Vec<Vec<PersonHash>> = held.chunks(CHUNK).map(<[PersonHash]>::to_vec).collect();
    let read = |chunk: Vec<PersonHash>| async move { of_this_run(ports, run, &chunk).await };
    let mut read = stream::iter(chunks).map(read).buffered(AHEAD);
    while let Some(found) = read.try_next().await? {
        for (pid, stored) in &found {
            if approved.covers(&stored.value.change) {
                let_through += u64::from(stored.value.change.removals.total());
                continue;
            }
            wanted.add(&stored.value.change);
            departing.extend(stored.value.change.removals.departs.then_some(*pid));
        }
    }
    let meta = ports.store.meta(&run.connection).await?;
    let limits = policy(ports, &run.connection, run.policy_revision).await?.guard;
    // The operator who applied the plan by its hash approved the removals it shows, and these are they.
    let approved = is_by_hash(run).then(|| wanted.hash());
    let now = ports.clock.now_seconds();
    let spent = meta.guard.spent_since(&run.id, Kind::Removals, now);
    let departed = if departing.is_empty() { Departed::default() } else { Departed::read(ports, run, now).await? };
    // People whom the limits let go today are no longer linked, and were at the start of the day's window.
    let links = if meta.history.links == 0 { 0 } else { meta.history.links + departed.today(now) };
    let losing: BTreeMap<ObjectId, u64> = wanted.by_group().map(|(id, count)| (id.clone(), count)).collect();
    let groups = groups(ports, run, &meta, &losing).await?;
    let record = Record {
        groups: &groups,
        limits,
        links,
        spent,
        approved: approved.as_deref(),
        first_plan: if meta.history.links == 0 { FirstPlan::Pending } else { first_plan(&meta, run) },
    };
    let judgement = match judge(&wanted, &record) {
        Judgement::Go(released) if released.why() == ReleasedBy::Limits => {
            let mut people = departed.people();
            let new: Vec<String> = departing.iter().map(PersonHash::hex).collect();
            people.extend(new.iter().map(String::as_str));
            let people = people.len() as u64;
            let before = people.saturating_sub(departing.len() as u64);
            if !departing.is_empty() && is_slow_bleed(people, meta.history.links.saturating_add(before), limits) {
                let hash = wanted.hash();
                let wanted = wanted.total();
                Judgement::Wait(Guarded { hash, wanted, spent: before, links, over: Over::Slow, group: None })
            } else {
                // Remembered before it is carried out: after a kill in between, the judgement comes out the same.
                departed::remember(ports, run, now, &departing).await?;
                Judgement::Go(released)
            }
        }
        other => other,
    };
    let (mut note, code) = describe(&judgement, wanted.total(), spent, &record);
    note.approved = let_through;
    if let_through > 0 {
        let were = if let_through == 1 { "was" } else { "were" };
        note.sentence = format!("{} {let_through} {were} approved one by one and let through.", note.sentence);
    }
    Ok(Judged { note, code, groups: losing })
}

/// What is known of the groups that lose members.
async fn groups(
    ports: &MatchPorts,
    run: &Run,
    meta: &Meta,
    losing: &BTreeMap<ObjectId, u64>,
) -> Result<BTreeMap<ObjectId, GroupRecord>, MatchError> {
    if losing.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = ports.clock.now_seconds();
    let tenant = ports.store.tenant(&ports.scope).await?.map(|stored| stored.value.tenant);
    let named = tenant.as_ref().and_then(|tenant| tenant.named_groups.get(&run.connection));
    let known = named.into_iter().flatten().filter_map(|group| match &group.found {
        FoundGroup::Found { id, members, .. } if losing.contains_key(id) => {
            let spent = meta.guard.members_spent_since(&run.id, id, now);
            Some((id.clone(), GroupRecord { members: *members, spent }))
        }
        FoundGroup::Found { .. }
        | FoundGroup::Missing
        | FoundGroup::Several
        | FoundGroup::OtherKind
        | FoundGroup::Locked { .. } => None,
    });
    Ok(known.collect())
}

/// What the gate says of a run that removes nothing, without looking further.
pub(crate) fn nothing_removed(meta: &Meta, run: &Run, now: i64) -> GuardNote {
    let before = meta.guard.spent_since(&run.id, Kind::Removals, now);
    let (links, sentence) = (meta.history.links, NOTHING.to_owned());
    GuardNote { released: true, removals: 0, before, links, sentence, approved: 0 }
}

const NOTHING: &str = "Nothing is removed.";

fn describe(judgement: &Judgement, removals: u64, before: u64, record: &Record<'_>) -> (GuardNote, Code) {
    let links = record.links;
    let (one, many) = Kind::Removals.nouns();
    let counted = if removals == 1 { format!("1 {one}") } else { format!("{removals} {many}") };
    let waits = if removals == 1 { "waits" } else { "wait" };
    let (released, sentence, code) = match judgement {
        Judgement::Go(_) if removals == 0 => (true, NOTHING.to_owned(), Code::Guarded),
        Judgement::Go(_) => {
            let were = if removals == 1 { "was" } else { "were" };
            (true, format!("{counted} {were} let through."), Code::Guarded)
        }
        Judgement::Wait(Guarded { over: Over::First, .. }) => (
            false,
            format!("{counted} {waits}: nothing is removed before a first plan was applied by its hash."),
            Code::FirstRemovals,
        ),
        Judgement::Wait(Guarded { over: Over::Group, group, .. }) => (
            false,
            format!(
                "{counted} {waits}: the group {} would lose more than {} % of its members within 24 hours.",
                group.as_deref().unwrap_or_default(),
                Guard::GROUP_PERCENT
            ),
            Code::Guarded,
        ),
        Judgement::Wait(Guarded { over: Over::Slow, spent, .. }) => (
            false,
            format!(
                "{counted} {waits}: with them, and with {spent} people who lost their sign-in or account within 30 days, more people than {} times a day's limit would lose it without an approval.",
                Guard::SLOW_FACTOR
            ),
            Code::Guarded,
        ),
        Judgement::Wait(Guarded { over, .. }) => (
            false,
            format!(
                "{counted} {waits}: at most {} may go in 24 hours without an approval, {before} went before (`{}`, {links} links).",
                allowed(Kind::Removals, links, record.limits),
                match over {
                    Over::Count => "max_removals",
                    Over::Percent | Over::First | Over::Group | Over::Slow => "max_removals_percent",
                }
            ),
            Code::Guarded,
        ),
    };
    (GuardNote { released, removals, before, links, sentence, approved: 0 }, code)
}
