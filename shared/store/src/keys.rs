//! Where everything lies: the one place that spells keys. The README's key table lists each of them, and a test here compares
//! the two. A function without `pk` in its name gives the key of one item; a `Query` gives the items of one kind.

use hardmatch_domain::facts::{By, lookup_form};
use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_domain::repair::holds::RepairHold;
use hardmatch_ports::run::Phase;
use hardmatch_ports::{Key, Query};

use crate::hashes::{PersonHash, Secret, TenantKey};

#[cfg(test)]
pub(crate) mod every;
mod pushed;

pub(crate) use pushed::*;

/// Which half of a run a pointer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanePhase {
    /// Additions and changes.
    Write,
    /// Removals that the guard let through.
    Remove,
}

impl LanePhase {
    /// The half that a run writes in a phase; `None` where it writes nothing to the tenant.
    pub fn of(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Writing => Some(Self::Write),
            Phase::Removing => Some(Self::Remove),
            Phase::Observing
            | Phase::Deciding
            | Phase::Planned
            | Phase::Gate
            | Phase::WritingBack
            | Phase::Reporting
            | Phase::Closed => None,
        }
    }
}

/// The secret of the table's keyed hashes.
pub(crate) fn secret() -> Key {
    Key::new("STORE", "SECRET")
}

/// A connection's entry in the list of connections.
pub(crate) fn listed(c: &ConnectionId) -> Key {
    Key::new("CONNS", c.as_str())
}

/// The list of connections.
pub(crate) fn all_connections() -> Query {
    Query::prefix("CONNS", "")
}

fn connection(c: &ConnectionId, sk: impl Into<String>) -> Key {
    Key::new(connection_pk(c), sk)
}

/// Everything that lies under a connection itself.
pub(crate) fn of_connection(c: &ConnectionId) -> Query {
    Query::prefix(connection_pk(c), "")
}

fn connection_pk(c: &ConnectionId) -> String {
    format!("CONN#{c}")
}

/// What is kept of a connection beside its runs, an item for each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaKind {
    /// Which tenant it is of, and what it may do there.
    Status,
    /// The policy that new runs pin.
    Policy,
    /// The open run, and the scheduled time that was taken last.
    Schedule,
    /// The last complete listing.
    Listing,
    /// What the runs so far came to.
    History,
    /// What the guard let through lately.
    Guard,
    /// The credential and its tokens.
    Credential,
    /// Until when nothing is written, and why.
    Quarantine,
}

impl MetaKind {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Status,
        Self::Policy,
        Self::Schedule,
        Self::Listing,
        Self::History,
        Self::Guard,
        Self::Credential,
        Self::Quarantine,
    ];

    /// The name in its key.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Policy => "policy",
            Self::Schedule => "schedule",
            Self::Listing => "listing",
            Self::History => "history",
            Self::Guard => "guard",
            Self::Credential => "credential",
            Self::Quarantine => "quarantine",
        }
    }

    /// Whether a run that was about to be opened on what was so before must not be.
    pub(crate) fn stops_opening(self) -> bool {
        match self {
            Self::Status | Self::Policy | Self::Quarantine => true,
            Self::Schedule | Self::Listing | Self::History | Self::Guard | Self::Credential => false,
        }
    }
}

const META: &str = "META#";

/// One concern of a connection.
pub(crate) fn meta(c: &ConnectionId, kind: MetaKind) -> Key {
    connection(c, format!("{META}{}", kind.name()))
}

/// All concerns of a connection.
pub(crate) fn metas(c: &ConnectionId) -> Query {
    Query::prefix(connection_pk(c), META)
}

/// Which concern an item of [`metas`] is.
pub(crate) fn meta_of(key: &Key) -> Option<MetaKind> {
    let name = key.sk.strip_prefix(META)?;
    MetaKind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// The text of a policy's revision.
pub(crate) fn policy(c: &ConnectionId, revision: u64) -> Key {
    connection(c, format!("{POLICY}{revision:012}"))
}

const POLICY: &str = "POLICY#";

/// The texts of a policy's revisions before one, oldest first.
pub(crate) fn policies(c: &ConnectionId, before: u64) -> Query {
    Query::prefix(connection_pk(c), POLICY).before(format!("{POLICY}{before:012}"))
}

/// A run. Runs are named so that they sort by time.
pub(crate) fn run(c: &ConnectionId, id: &str) -> Key {
    connection(c, format!("{RUN}{id}"))
}

const RUN: &str = "RUN#";

/// When a run began (Unix seconds): its name says so.
pub(crate) fn began(run: &str) -> Option<i64> {
    let id = ulid::Ulid::from_string(run).ok()?;
    i64::try_from(id.timestamp_ms() / 1000).ok()
}

/// A connection's runs, oldest first.
pub(crate) fn runs(c: &ConnectionId) -> Query {
    Query::prefix(connection_pk(c), RUN)
}

/// The name of the run that an item of [`runs`] is.
pub(crate) fn run_of(key: &Key) -> &str {
    key.sk.strip_prefix(RUN).unwrap_or(&key.sk)
}

/// The run about one person that is open, or waits with its plan.
pub(crate) fn person_run(c: &ConnectionId, pid: PersonHash) -> Key {
    connection(c, format!("{PERSON_RUN}{}", pid.hex()))
}

const PERSON_RUN: &str = "NOW#";

/// The run about people of sync requests that is open. No person's place is spelled like it.
pub(crate) fn requests_run(c: &ConnectionId) -> Key {
    connection(c, format!("{PERSON_RUN}requests"))
}

/// Runs about one person each that are open, or wait with their plans.
pub(crate) fn person_runs(c: &ConnectionId) -> Query {
    Query::prefix(connection_pk(c), PERSON_RUN)
}

/// What came of connecting in a browser. In a partition of its own: the pages that anybody may call write there, and not
/// where a connection's state and configuration lie.
pub(crate) fn connecting(c: &ConnectionId) -> Key {
    Key::new(format!("CONNECTING#{c}"), "CONNECT")
}

/// What a connection's people are entered under beside the usual look-ups.
pub(crate) fn people_lookups(c: &ConnectionId) -> Key {
    connection(c, "LOOKUPS")
}

/// A change that waited for an approval, by its name.
pub(crate) fn approval(c: &ConnectionId, change: &str) -> Key {
    Key::new(approvals_pk(c), format!("{WAITED}{change}"))
}

/// That a change is approved.
pub(crate) fn approved(c: &ConnectionId, change: &str) -> Key {
    Key::new(approvals_pk(c), format!("{APPROVED}{change}"))
}

fn approvals_pk(c: &ConnectionId) -> String {
    format!("APPROVAL#{c}")
}

const WAITED: &str = "CHANGE#";
const APPROVED: &str = "APPROVED#";

/// Partitions of a connection that hold one list each, beside its people's and its groups'.
pub(crate) fn lists_of(c: &ConnectionId) -> impl Iterator<Item = Query> {
    let lists = [waiting_pk(c), gone_pk(c), approvals_pk(c)].map(|pk| Query::prefix(pk, ""));
    lists.into_iter().chain(all_dirty(c)).chain(pushed_lists(c))
}

/// Every change of a connection that waited for an approval.
pub(crate) fn approvals(c: &ConnectionId) -> Query {
    Query::prefix(approvals_pk(c), WAITED)
}

/// Every change of a connection that is approved.
pub(crate) fn all_approved(c: &ConnectionId) -> Query {
    Query::prefix(approvals_pk(c), APPROVED)
}

/// The change that an item of [`all_approved`] is about.
pub(crate) fn approved_of(key: &Key) -> &str {
    key.sk.strip_prefix(APPROVED).unwrap_or(&key.sk)
}

/// The reply to an operator's request.
pub(crate) fn reply(c: &ConnectionId, name: &str) -> Key {
    connection(c, format!("REPLY#{name}"))
}

/// An operator's link, under the hash of what opens it.
pub(crate) fn ticket(id: &str) -> Key {
    Key::new(format!("CONNECT#{id}"), "TICKET")
}

/// An attempt to connect in a browser, under the hash of what continues it.
pub(crate) fn attempt(id: &str) -> Key {
    Key::new(format!("CONNECT#{id}"), "ATTEMPT")
}

fn person_pk(c: &ConnectionId, pid: PersonHash) -> String {
    format!("P#{c}#{}", pid.hex())
}

/// Everything that lies under a person.
pub(crate) fn of_person(c: &ConnectionId, pid: PersonHash) -> Query {
    Query::prefix(person_pk(c, pid), "")
}

/// A person's record.
pub(crate) fn person(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), PERSON)
}

/// A person's last change, open or ended.
pub(crate) fn change(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), CHANGE)
}

/// The object id of a person's account.
pub(crate) fn person_link(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), LINK)
}

/// What is kept of a person beside their history: the names of these items are capital, and the history's sort after them.
pub(crate) fn person_items(c: &ConnectionId, pid: PersonHash) -> Query {
    Query::prefix(person_pk(c, pid), "").before(HISTORY)
}

/// An item of [`person_items`] that decisions and writes rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PersonItem {
    /// The person's record.
    Record,
    /// Their last change.
    Change,
    /// The object id of their account.
    Link,
    /// What the tenant refused last.
    Refused,
}

/// Which of them an item is; `None` for what neither rests on.
pub(crate) fn person_item(key: &Key) -> Option<PersonItem> {
    match key.sk.as_str() {
        PERSON => Some(PersonItem::Record),
        CHANGE => Some(PersonItem::Change),
        LINK => Some(PersonItem::Link),
        REFUSED => Some(PersonItem::Refused),
        _ => None,
    }
}

const CHANGE: &str = "CHANGE";
const LINK: &str = "LINK";
const REFUSED: &str = "REFUSED";

/// What became of a person in a run.
pub(crate) fn history(c: &ConnectionId, pid: PersonHash, run: &str) -> Key {
    Key::new(person_pk(c, pid), format!("{HISTORY}{run}"))
}

const HISTORY: &str = "hist#";

/// A person's history, oldest first.
pub(crate) fn histories(c: &ConnectionId, pid: PersonHash) -> Query {
    Query::prefix(person_pk(c, pid), HISTORY)
}

/// What the source was given of a person in a run.
pub(crate) fn source_writes(c: &ConnectionId, pid: PersonHash, run: &str) -> Key {
    Key::new(person_pk(c, pid), format!("{WROTE}{run}"))
}

/// Sorts after [`HISTORY`].
const WROTE: &str = "wrote#";

/// What the source was given of a person, oldest first.
pub(crate) fn all_source_writes(c: &ConnectionId, pid: PersonHash) -> Query {
    Query::prefix(person_pk(c, pid), WROTE)
}

/// What the tenant refused of a person last.
pub(crate) fn refused(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), REFUSED)
}

/// What an operator acknowledged of a person.
pub(crate) fn acknowledged(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(person_pk(c, pid), "ACKNOWLEDGED")
}

/// Whose partition a key lies in.
pub(crate) fn pid_of(key: &Key) -> Option<PersonHash> {
    key.pk.rsplit('#').next().and_then(PersonHash::parse)
}

/// A person who waits until another has an account.
pub(crate) fn waiting(c: &ConnectionId, target: PersonHash, who: PersonHash) -> Key {
    Key::new(waiting_pk(c), format!("{}#{}", target.hex(), who.hex()))
}

fn waiting_pk(c: &ConnectionId) -> String {
    format!("WAIT#{c}")
}

/// Everybody of a connection who waits until another person has an account.
pub(crate) fn all_waiting(c: &ConnectionId) -> Query {
    Query::prefix(waiting_pk(c), "")
}

/// The person who is waited for, and the person who waits.
pub(crate) fn waiting_of(key: &Key) -> Option<(PersonHash, PersonHash)> {
    let (target, who) = key.sk.split_once('#')?;
    Some((PersonHash::parse(target)?, PersonHash::parse(who)?))
}

/// A person's dirty mark. Sixteen partitions, so that a large first run does not write into one.
pub(crate) fn dirty(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(dirty_pk(c, pid.prefix(4)), pid.hex())
}

fn dirty_pk(c: &ConnectionId, shard: usize) -> String {
    format!("DIRTY#{c}#{shard:x}")
}

/// The dirty marks of a connection, a query for each partition.
pub(crate) fn all_dirty(c: &ConnectionId) -> impl Iterator<Item = Query> {
    (0..16).map(move |shard| Query::prefix(dirty_pk(c, shard), ""))
}

/// The note that a person is not in the listing any more.
pub(crate) fn gone(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(gone_pk(c), pid.hex())
}

fn gone_pk(c: &ConnectionId) -> String {
    format!("GONE#{c}")
}

/// Everybody who is not in a connection's listing any more.
pub(crate) fn all_gone(c: &ConnectionId) -> Query {
    Query::prefix(gone_pk(c), "")
}

/// Where people lie who hold a value: a partition, and how sort keys in it begin. Most people sign in with a name under
/// which they also receive mail: sign-in names and addresses lie together under their local part, one item for both and
/// for the local part itself. The item says as what its person holds the name.
pub(crate) fn person_lookup(scope: &TenantKey, secret: &Secret, by: By, value: &str) -> (String, String) {
    let pk = |by: By, value: &str| format!("KP#{}#{}#{}", scope.as_str(), by.name(), secret.value(by, value));
    match by {
        By::Upn | By::Address => {
            let form = lookup_form(value);
            let local = form.rsplit_once('@').map_or(form.as_str(), |(local, _)| local);
            (pk(By::LocalPart, local), format!("{}#", secret.value(By::Address, value)))
        }
        By::ImmutableId | By::EmployeeId | By::LocalPart | By::Name | By::Proof(_) => (pk(by, value), String::new()),
    }
}

/// The entries under a value that people hold.
pub(crate) fn people_entries(scope: &TenantKey, secret: &Secret, by: By, value: &str) -> Query {
    let (pk, prefix) = person_lookup(scope, secret, by, value);
    Query::prefix(pk, prefix)
}

/// A person's entry in the place that [`person_lookup`] gives.
pub(crate) fn person_entry((pk, prefix): (String, String), c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(pk, format!("{prefix}{c}#{}", pid.hex()))
}

fn tenant_part(scope: &TenantKey, sk: impl Into<String>) -> Key {
    Key::new(format!("T#{}", scope.as_str()), sk)
}

/// Everything that lies under a tenant itself.
pub(crate) fn of_tenant(scope: &TenantKey) -> Query {
    let Key { pk, .. } = tenant(scope);
    Query::prefix(pk, "")
}

/// What is known about the tenant as a whole.
pub(crate) fn tenant(scope: &TenantKey) -> Key {
    tenant_part(scope, "TENANT")
}

/// The group that a name in a rule stands for. The name may be a person's, so the key has its hash.
pub(crate) fn group_binding(scope: &TenantKey, secret: &Secret, kind: &str, name: &str) -> Key {
    let hash = secret.long(&["group", &name.to_lowercase()]);
    tenant_part(scope, format!("GROUP#{kind}#{}", &hash[..32]))
}

/// By which attributes accounts are entered into the look-ups beside the usual ones.
pub(crate) fn proving(scope: &TenantKey) -> Key {
    tenant_part(scope, "PROVE")
}

/// A repair that is not closed. Repairs of every connection of a tenant lie together, because decisions look at all of them.
pub(crate) fn open_repair(scope: &TenantKey, id: &str) -> Key {
    Key::new(repairs_pk(scope), format!("{OPEN_REPAIR}{id}"))
}

/// A repair that ended. Sorted by when it began, as names of runs are.
pub(crate) fn closed_repair(scope: &TenantKey, run: &str, id: &str) -> Key {
    Key::new(repairs_pk(scope), format!("{CLOSED_REPAIR}{run}#{id}"))
}

fn repairs_pk(scope: &TenantKey) -> String {
    format!("REPAIR#{}", scope.as_str())
}

const OPEN_REPAIR: &str = "open#";
const CLOSED_REPAIR: &str = "closed#";

/// Every repair of a tenant, and what the open ones hold.
pub(crate) fn all_repairs(scope: &TenantKey) -> [Query; 2] {
    [repairs_pk(scope), holds_pk(scope)].map(|pk| Query::prefix(pk, ""))
}

/// The repairs of a tenant that are not closed.
pub(crate) fn open_repairs(scope: &TenantKey) -> Query {
    Query::prefix(repairs_pk(scope), OPEN_REPAIR)
}

/// The repairs of a tenant that ended, oldest first.
pub(crate) fn closed_repairs(scope: &TenantKey) -> Query {
    Query::prefix(repairs_pk(scope), CLOSED_REPAIR)
}

/// What an open repair holds: one repair at a time holds a thing. Names are hashed.
pub(crate) fn repair_hold(scope: &TenantKey, secret: &Secret, what: &RepairHold) -> Key {
    let (kind, hash) = match what {
        RepairHold::Person(who) => ("person", format!("{}#{}", who.connection, secret.pid(&who.key).hex())),
        RepairHold::Account(id) => ("account", id.as_str().to_owned()),
        RepairHold::Id(id) => ("id", secret.long(&["hold", id.as_str()])[..32].to_owned()),
        RepairHold::Name(name) => ("name", secret.value(By::Address, name)),
    };
    Key::new(holds_pk(scope), format!("{kind}#{hash}"))
}

fn holds_pk(scope: &TenantKey) -> String {
    format!("HOLD#{}", scope.as_str())
}

fn account_pk(scope: &TenantKey, id: &ObjectId) -> String {
    format!("A#{}#{id}", scope.as_str())
}

/// The mirror of an account.
pub(crate) fn account(scope: &TenantKey, id: &ObjectId) -> Key {
    Key::new(account_pk(scope, id), ACCOUNT)
}

/// The link that names an account.
pub(crate) fn link(scope: &TenantKey, id: &ObjectId) -> Key {
    Key::new(account_pk(scope, id), LINK)
}

/// What is kept of an account: its mirror and its link.
pub(crate) fn account_items(scope: &TenantKey, id: &ObjectId) -> Query {
    Query::prefix(account_pk(scope, id), "")
}

const PERSON: &str = "PERSON";
const ACCOUNT: &str = "ACCOUNT";

/// Whether an item is a person or an account itself, not something that leads there.
pub(crate) fn is_fact(key: &Key) -> bool {
    key.sk == PERSON || key.sk == ACCOUNT
}

/// An account's entry under a value that it holds.
pub(crate) fn account_entry(scope: &TenantKey, secret: &Secret, by: By, value: &str, id: &ObjectId) -> Key {
    Key::new(accounts_pk(scope, secret, by, value), id.as_str())
}

fn accounts_pk(scope: &TenantKey, secret: &Secret, by: By, value: &str) -> String {
    format!("KA#{}#{}#{}", scope.as_str(), by.name(), secret.value(by, value))
}

/// Accounts that hold a value.
pub(crate) fn account_entries(scope: &TenantKey, secret: &Secret, by: By, value: &str) -> Query {
    Query::prefix(accounts_pk(scope, secret, by, value), "")
}

/// A group's or contact's entry under an address that it holds.
pub(crate) fn holder(scope: &TenantKey, secret: &Secret, address: &str, id: &ObjectId) -> Key {
    Key::new(holders_pk(scope, secret, address), id.as_str())
}

fn holders_pk(scope: &TenantKey, secret: &Secret, address: &str) -> String {
    format!("KA#{}#hold#{}", scope.as_str(), secret.value(By::Address, address))
}

/// Groups and contacts that hold an address.
pub(crate) fn holders(scope: &TenantKey, secret: &Secret, address: &str) -> Query {
    Query::prefix(holders_pk(scope, secret, address), "")
}

/// Where the fingerprints of a connection's people lie.
pub(crate) fn people_fingerprints(c: &ConnectionId) -> String {
    format!("FP#{c}")
}

/// Where the fingerprints of a tenant's accounts lie.
pub(crate) fn account_fingerprints(scope: &TenantKey) -> String {
    format!("FA#{}", scope.as_str())
}

/// The digests of a series of fingerprints.
pub(crate) fn digests(series: &str) -> Key {
    Key::new(series, "DIGEST")
}

/// One bucket of a series of fingerprints.
pub(crate) fn bucket(series: &str, number: usize) -> Key {
    Key::new(format!("{series}#{number:04}"), "FP")
}

/// The number of a bucket.
pub(crate) fn bucket_of(key: &Key) -> Option<usize> {
    key.pk.rsplit('#').next()?.parse().ok()
}

/// People of one slice whom a run has to decide.
pub(crate) fn slice(run: &str, number: usize) -> Key {
    Key::new(slices_pk(run), format!("{number:06}"))
}

fn slices_pk(run: &str) -> String {
    format!("R#{run}#todo")
}

/// A person whom a run is about, when it is not about everybody.
pub(crate) fn asked(run: &str, pid: PersonHash) -> Key {
    Key::new(format!("R#{run}#asked"), pid.hex())
}

/// Everybody whom a run is about, when it is not about everybody.
pub(crate) fn all_asked(run: &str) -> Query {
    Query::prefix(format!("R#{run}#asked"), "")
}

/// The slices that a run has to decide, after one of them.
pub(crate) fn slices(run: &str, after: Option<usize>) -> Query {
    let all = Query::prefix(slices_pk(run), "");
    match after {
        Some(after) => all.after(format!("{after:06}")),
        None => all,
    }
}

/// A person whose removals wait at a run's gate.
pub(crate) fn held(run: &str, pid: PersonHash) -> Key {
    Key::new(held_pk(run), pid.hex())
}

fn held_pk(run: &str) -> String {
    format!("R#{run}#held")
}

/// Everybody whose removals wait at a run's gate.
pub(crate) fn all_held(run: &str) -> Query {
    Query::prefix(held_pk(run), "")
}

/// People of whom the source is to be given something in a run. In the run's own part of the table, where the function that
/// reaches the source may write.
pub(crate) fn to_write_back(run: &str, number: usize) -> Key {
    Key::new(write_backs_pk(run), format!("{number:06}"))
}

fn write_backs_pk(run: &str) -> String {
    format!("R#{run}#source")
}

/// Everybody of whom the source is to be given something in a run.
pub(crate) fn all_to_write_back(run: &str) -> Query {
    Query::prefix(write_backs_pk(run), "")
}

/// What the handling of one message of a run has cost.
pub(crate) fn cost(run: &str, receipt: &str) -> Key {
    Key::new(costs_pk(run), receipt)
}

fn costs_pk(run: &str) -> String {
    format!("R#{run}#cost")
}

/// What the messages of a run have cost.
pub(crate) fn costs(run: &str) -> Query {
    Query::prefix(costs_pk(run), "")
}

/// A pointer of a run's lane. Lower depths sort first.
pub(crate) fn pointer(run: &str, phase: LanePhase, depth: u32, number: usize) -> Key {
    Key::new(lane_pk(run), format!("{}{depth:04}#{number:06}", lane_prefix(phase)))
}

fn lane_pk(run: &str) -> String {
    format!("LANE#{run}")
}

fn lane_prefix(phase: LanePhase) -> &'static str {
    match phase {
        LanePhase::Write => "a#",
        LanePhase::Remove => "r#",
    }
}

/// The pointers of one phase of a run's lane.
pub(crate) fn pointers(run: &str, phase: LanePhase) -> Query {
    Query::prefix(lane_pk(run), lane_prefix(phase))
}

/// The pointers of both phases of a run's lane.
pub(crate) fn lane(run: &str) -> Query {
    Query::prefix(lane_pk(run), "")
}

/// The batch of a slot of a lane's holder.
pub(crate) fn batch(lane: &str, fence: u64, slot: usize) -> Key {
    Key::new(batches_pk(lane), format!("{fence:012}#{slot:02}"))
}

fn batches_pk(lane: &str) -> String {
    format!("BATCH#{lane}")
}

/// Every batch that is kept of a lane.
pub(crate) fn batches(lane: &str) -> Query {
    Query::prefix(batches_pk(lane), "")
}

/// Under which fence a batch was sent.
pub(crate) fn fence_of(key: &Key) -> Option<u64> {
    key.sk.split('#').next()?.parse().ok()
}

/// The write budget of an application in a tenant.
pub(crate) fn gate(scope: &TenantKey, client: &str) -> Key {
    Key::new(format!("GATE#{}~{client}", scope.as_str()), "GATE")
}

/// A timer of a day, at a time (Unix seconds).
pub(crate) fn timer(c: &ConnectionId, day: i64, at: i64, name: &str) -> Key {
    Key::new(timers_pk(c, day), format!("{at:012}#{name}"))
}

fn timers_pk(c: &ConnectionId, day: i64) -> String {
    format!("DUE#{c}#{day}")
}

/// A day's timers up to a time (Unix seconds).
pub(crate) fn timers(c: &ConnectionId, day: i64, until: i64) -> Query {
    Query::prefix(timers_pk(c, day), "").before(format!("{:012}", until.saturating_add(1)))
}

/// When a timer is due (Unix seconds), and its name.
pub(crate) fn timer_of(key: &Key) -> Option<(i64, &str)> {
    let (at, name) = key.sk.split_once('#')?;
    Some((at.parse().ok()?, name))
}

/// The lease of this name.
pub(crate) fn lease(name: &str) -> Key {
    Key::new(format!("LOCK#{name}"), "LEASE")
}

/// Why a message failed last.
pub(crate) fn failure(message: &str) -> Key {
    Key::new(format!("MESSAGE#{message}"), "FAILURE")
}

/// A partition of notes: small items under a name each, which their owner reads and writes whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteList(String);

impl NoteList {
    fn of(owner: &str, list: &str) -> Self {
        Self(format!("NOTE#{owner}#{list}"))
    }

    /// Hash and counts of each slice of a run's plan.
    pub fn plan(run: &str) -> Self {
        Self::of(run, "plan")
    }

    /// How far a run's work has come that goes on with the next message.
    pub fn checkpoints(run: &str) -> Self {
        Self::of(run, "checkpoint")
    }

    /// How far the reading of a connection's source has come, and since when absence is unknown.
    pub fn source(c: &ConnectionId) -> Self {
        Self::of(c.as_str(), "source")
    }

    /// People whom the runs of the last thirty days took sign-in or account from.
    pub fn departed(c: &ConnectionId) -> Self {
        Self::of(c.as_str(), "departed")
    }

    /// Addresses that groups (`groups`) or contacts (`contacts`) hold, as they were read last.
    pub fn address_holders(scope: &TenantKey, collection: &str) -> Self {
        Self::of(scope.as_str(), collection)
    }

    /// Accounts that were in the recycle bin when it was read last.
    pub fn recycle_bin(scope: &TenantKey) -> Self {
        Self::of(scope.as_str(), "bin")
    }

    /// Accounts to be asked for by their id.
    pub fn recheck(scope: &TenantKey) -> Self {
        Self::of(scope.as_str(), "recheck")
    }

    /// Accounts that were met since the last full reading.
    pub fn seen(scope: &TenantKey) -> Self {
        Self::of(scope.as_str(), "seen")
    }

    /// Memberships of the mirror that changed since the group's list of members was stored, as group and account.
    pub fn memberships(scope: &TenantKey) -> Self {
        Self::of(scope.as_str(), "members")
    }

    /// How the tenant takes what is written to it.
    pub fn habits(scope: &TenantKey) -> Self {
        Self::of(scope.as_str(), "habits")
    }

    /// When the run began that these notes are of (Unix seconds), where they are a run's.
    pub(crate) fn run_began(&self) -> Option<i64> {
        began(self.0.split('#').nth(1)?)
    }

    /// The key of a note.
    pub(crate) fn key(&self, name: &str) -> Key {
        Key::new(self.0.as_str(), name)
    }

    /// Every note of the list.
    pub(crate) fn all(&self) -> Query {
        Query::prefix(self.0.as_str(), "")
    }
}
