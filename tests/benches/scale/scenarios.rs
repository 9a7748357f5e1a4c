//! The scenarios, each with its aims. A broken promise (somebody lost, somebody twice) is an error, not a figure.

use anyhow::ensure;
use hardmatch_sim::{CallCounts, Fault, FaultRule, Place, Seed, SeenRequest};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Ran};
use crate::people;
use crate::table::Table;

/// People who fit into the burst of the write quota, so that no pause is measured.
const BURST: usize = 2_500;
/// People in a storm: every refusal closes the lane for its Retry-After, so that more only take longer.
const STORMY: usize = 1_000;
/// The Retry-After of the storms.
const CLOSED_MS: i64 = 2_000;
/// A call may be on its way when the refusal of another comes back.
const UNDER_WAY_MS: i64 = 100;
/// A company.
const COMPANY: usize = 100_000;
/// The documented write quota of an application in a tenant. <https://learn.microsoft.com/graph/throttling-limits>
const QUOTA: f64 = 3_000.0;
/// And its seconds.
const QUOTA_SECONDS: f64 = 150.0;

/// Everybody is new.
pub(crate) fn create(table: &mut Table) -> anyhow::Result<()> {
    let name = format!("{BURST} new people");
    let fixture = Fixture::new(Seed::contoso())?;
    fixture.export(BURST, 0)?;
    let (plan, apply) = fixture.plan_and_apply()?;
    let tenant = fixture.tenant().take_counters();
    everybody_once(&fixture, BURST)?;
    table.row(&name, "our CPU per person, plan", each(plan.used.cpu, BURST), "0.45 ms with the apply");
    table.row(&name, "our CPU per person, apply", each(apply.used.cpu, BURST), "");
    writing(table, &name, &tenant, BURST);
    table.row(&name, "users read back one by one", reads_of_users(&tenant).to_string(), "0");
    units(table, &name, &apply, BURST);
    let again = fixture.run(&["sync"])?;
    ensure!(fixture.tenant().counters().writes == 0, "the second run wrote something");
    table.row(&name, "requests of the run after", again.number("/requests").to_string(), "a handful");
    Ok(())
}

/// A first plan and its run while one call in five goes wrong.
pub(crate) fn faults(table: &mut Table) -> anyhow::Result<()> {
    let name = format!("{STORMY} new people, 5 % each of 429, 503, lost and truncated answers");
    let fixture = Fixture::new(Seed::contoso())?;
    fixture.export(STORMY, 0)?;
    let plan = fixture.run(&["plan"])?;
    let unavailable = Fault::Status { status: 503, code: None, message: None, retry_after: None, applied: false };
    for fault in [throttled(), unavailable, Fault::DroppedAfter] {
        fixture.tenant().inject(FaultRule::new("*", fault).with_probability(0.05));
    }
    fixture.tenant().inject(FaultRule::new("*", Fault::Truncated).with_probability(0.05).only(Place::Outer));
    let hash = plan.said["plan"].as_str().unwrap_or_default().to_owned();
    let mut runs = 1;
    let first = fixture.run(&["apply", &hash])?;
    let mut last = first.said.clone();
    while runs < 5 && last["status"] != "converged" {
        last = fixture.run(&["sync"])?.said;
        runs += 1;
    }
    let tenant = fixture.tenant().take_counters();
    everybody_once(&fixture, STORMY)?;
    fixture.tenant().clear_faults();
    let quiet = fixture.run(&["sync"])?;
    ensure!(fixture.tenant().take_counters().writes == 0, "a quiet run after the storm wrote something");
    table.row(&name, "faults that struck", tenant.faults.to_string(), "");
    table.row(&name, "people lost, or with two accounts", "0".to_owned(), "0");
    table.row(&name, "people reported wrongly at the end", wrong(&quiet.said).to_string(), "0");
    table.row(&name, "runs until converged", runs.to_string(), "1");
    writing(table, &name, &tenant, STORMY);
    Ok(())
}

/// Nothing but refusals for too many calls: whether the wait they ask for is kept.
pub(crate) fn storm(table: &mut Table) -> anyhow::Result<()> {
    let name = format!("{STORMY} new people, 5 % of 429");
    let fixture = Fixture::new(Seed::contoso())?;
    fixture.export(STORMY, 0)?;
    let plan = fixture.run(&["plan"])?;
    fixture.tenant().take_requests();
    fixture.tenant().inject(FaultRule::new("*", throttled()).with_probability(0.05));
    let hash = plan.said["plan"].as_str().unwrap_or_default().to_owned();
    let apply = fixture.run(&["apply", &hash])?;
    everybody_once(&fixture, STORMY)?;
    table.row(&name, "refused", fixture.tenant().counters().throttled.to_string(), "");
    table.row(&name, "people not done", wrong(&apply.said).to_string(), "0");
    table.row(&name, "calls sent before a known Retry-After", early(&fixture.tenant().requests()).to_string(), "0");
    Ok(())
}

fn throttled() -> Fault {
    Fault::Throttled { retry_after: Some((CLOSED_MS / 1000).to_string()) }
}

/// Calls that arrived while a refusal of their kind, reads or writes, was in force and had long come back.
fn early(requests: &[SeenRequest]) -> usize {
    let mut refused: Vec<(bool, i64)> = Vec::new();
    let mut early = 0;
    for request in requests {
        let writes = request.method != "GET";
        let in_force = |at: i64| request.at - at > UNDER_WAY_MS && request.at - at < CLOSED_MS;
        early += usize::from(refused.iter().rev().any(|&(kind, at)| kind == writes && in_force(at)));
        if request.status == 429 {
            refused.push((writes, request.at));
        }
    }
    early
}

/// A company whose accounts exist: joined once, then nights without and with changes.
pub(crate) fn company(table: &mut Table) -> anyhow::Result<()> {
    let mut seed = Seed::contoso();
    for n in 0..COMPANY {
        seed = seed.user(people::account(n));
    }
    let fixture = Fixture::new(seed)?;
    fixture.export(COMPANY, 0)?;

    let name = format!("{COMPANY} people join their accounts");
    let (plan, apply) = fixture.plan_and_apply()?;
    table.row(&name, "plan: time, CPU per person, peak memory", figures(&plan, COMPANY), "250 MB");
    table.row(&name, "apply: time, CPU per person, peak memory", figures(&apply, COMPANY), "250 MB");
    ensure!(fixture.tenant().take_counters().writes == 0, "joining by ID wrote to the tenant");
    units(table, &name, &apply, COMPANY);

    let name = format!("{COMPANY} people, nothing changed");
    let quiet = fixture.run(&["sync"])?;
    let tenant = fixture.tenant().take_counters();
    ensure!(tenant.writes == 0, "an unchanged run wrote something");
    table.row(&name, "requests", tenant.round_trips.to_string(), "a handful");
    table.row(&name, "time", format!("{:.2} s", quiet.used.wall), "5 s");
    table.row(&name, "peak memory", format!("{:.0} MB", quiet.used.peak_mb), "250 MB");
    let (read, write) = (quiet.number("/units/read"), quiet.number("/units/write"));
    table.row(&name, "read and write units", format!("{read} and {write}"), "a handful");

    let name = format!("{BURST} changes among {COMPANY} people, 300 ms latency");
    fixture.export(COMPANY, BURST)?;
    fixture.tenant().inject(FaultRule::new("*", Fault::Latency { ms: 300 }).only(Place::Outer));
    let changes = fixture.run(&["sync"])?;
    let tenant = fixture.tenant().take_counters();
    let done = changes.number("/outcomes/done");
    ensure!(done == BURST as u64, "{done} of {BURST} changes were done: {}", changes.said["outcomes"]);
    table.row(&name, "time", format!("{:.1} s", changes.used.wall), "30 s");
    table.row(&name, "throttled", tenant.throttled.to_string(), "0");
    table.row(&name, "peak memory", format!("{:.0} MB", changes.used.peak_mb), "250 MB");
    writing(table, &name, &tenant, BURST);
    units(table, &name, &changes, BURST);
    Ok(())
}

/// A group of the directory with fifty thousand members, mirrored to a group of the tenant: once, and then ten changes.
pub(crate) fn group(table: &mut Table) -> anyhow::Result<()> {
    const MEMBERS: usize = 50_000;
    const CHANGES: usize = 5;
    const THERE: &str = "11111111-2222-4333-8444-555555555555";
    const PEOPLE: usize = MEMBERS + CHANGES;
    let mut seed = Seed::contoso().group(json!({
        "id": THERE, "displayName": "Staff", "mailNickname": "staff", "mailEnabled": false, "securityEnabled": true,
    }));
    for n in 0..PEOPLE {
        seed = seed.user(people::account(n));
    }
    let rules = format!("[[group]]\nname = \"{THERE}\"\nmembers_of = \"{}\"\n", people::GROUP);
    let fixture = Fixture::with(seed, &rules)?;
    let members = || {
        let groups = fixture.tenant().groups();
        let group = groups.iter().find(|group| group["id"] == THERE);
        group.and_then(|group| group["members"].as_array()).map_or(0, Vec::len)
    };
    fixture.export_group(PEOPLE, 0..MEMBERS)?;

    let name = format!("{MEMBERS} members of one group");
    let (plan, apply) = fixture.plan_and_apply()?;
    let tenant = fixture.tenant().take_counters();
    ensure!(members() == MEMBERS, "the group has {} members", members());
    table.row(&name, "plan: time, CPU per person, peak memory", figures(&plan, PEOPLE), "250 MB");
    table.row(&name, "apply: time, CPU per person, peak memory", figures(&apply, PEOPLE), "250 MB");
    table.row(&name, "writes per member", share(tenant.writes, MEMBERS), "0.06");
    units(table, &name, &apply, PEOPLE);

    let name = format!("{CHANGES} come to {MEMBERS} members, {CHANGES} leave");
    fixture.export_group(PEOPLE, CHANGES..PEOPLE)?;
    let changes = fixture.run(&["sync"])?;
    let tenant = fixture.tenant().take_counters();
    ensure!(members() == MEMBERS, "the group has {} members: {}", members(), changes.said);
    table.row(&name, "time", format!("{:.1} s", changes.used.wall), "");
    table.row(&name, "peak memory", format!("{:.0} MB", changes.used.peak_mb), "250 MB");
    table.row(&name, "writes", tenant.writes.to_string(), &(CHANGES + 1).to_string());
    table.row(&name, "requests", tenant.round_trips.to_string(), "");
    let quiet = fixture.run(&["sync"])?;
    ensure!(fixture.tenant().take_counters().writes == 0, "a quiet run wrote something");
    table.row(&name, "time of the run after", format!("{:.1} s", quiet.used.wall), "");
    Ok(())
}

/// More people than the quota's burst allows.
pub(crate) fn first_sync(table: &mut Table) -> anyhow::Result<()> {
    const PEOPLE: usize = 10_000;
    let name = format!("first sync of {PEOPLE} under the documented quota");
    let fixture = Fixture::new(Seed::contoso())?;
    fixture.export(PEOPLE, 0)?;
    let (_, apply) = fixture.plan_and_apply()?;
    let tenant = fixture.tenant().take_counters();
    everybody_once(&fixture, PEOPLE)?;
    #[expect(clippy::cast_precision_loss, reason = "ten thousand")]
    let ideal = (PEOPLE as f64 - QUOTA) * QUOTA_SECONDS / QUOTA;
    let wall = apply.used.wall;
    table.row(&name, "time against the ideal", format!("{wall:.0} s / {ideal:.0} s = {:.3}", wall / ideal), "1.05");
    table.row(&name, "calls before their Retry-After", tenant.early_calls.to_string(), "0");
    table.row(&name, "throttled", tenant.throttled.to_string(), "0");
    table.row(&name, "our CPU per person, apply", each(apply.used.cpu, PEOPLE), "");
    table.row(&name, "peak memory", format!("{:.0} MB", apply.used.peak_mb), "250 MB");
    writing(table, &name, &tenant, PEOPLE);
    units(table, &name, &apply, PEOPLE);
    Ok(())
}

/// Each person has one account, by immutable ID and by name.
fn everybody_once(fixture: &Fixture, people: usize) -> anyhow::Result<()> {
    let users = fixture.tenant().users();
    ensure!(users.len() == people, "{} accounts for {people} people", users.len());
    let mut ids: Vec<&str> = users.iter().filter_map(|user| user["onPremisesImmutableId"].as_str()).collect();
    ids.sort_unstable();
    let mut wanted: Vec<String> = (0..people).map(people::immutable_id).collect();
    wanted.sort_unstable();
    ensure!(ids == wanted, "somebody has no account, or two");
    let managers = users.iter().filter(|user| user["manager"].is_string()).count();
    ensure!(managers + 1 == people, "{managers} of {people} people have their manager");
    ensure!(fixture.tenant().violations().is_empty(), "{:?}", fixture.tenant().violations());
    Ok(())
}

/// Changes that ended otherwise than done, and people who are said to need somebody.
fn wrong(said: &Value) -> u64 {
    let outcomes = said["outcomes"].as_object();
    let ended = outcomes.into_iter().flatten().filter(|(kind, _)| *kind != "done");
    ended.filter_map(|(_, count)| count.as_u64()).sum::<u64>() + u64::from(said["status"] != "converged")
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn writing(table: &mut Table, name: &str, tenant: &CallCounts, people: usize) {
    table.row(name, "writes per person", share(tenant.writes, people), "1.05");
    let parts: usize = tenant.batches.iter().sum();
    let fill = parts as f64 / (20 * tenant.batches.len().max(1)) as f64;
    table.row(name, "batches filled", format!("{:.1} % of {}", fill * 100.0, tenant.batches.len()), "95 %");
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn units(table: &mut Table, name: &str, ran: &Ran, people: usize) {
    let of = |which: &str| ran.number(which) as f64 / people as f64;
    let figure = format!("{:.1} and {:.1}", of("/units/read"), of("/units/write"));
    table.row(name, "read and write units per person", figure, "");
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn each(seconds: f64, people: usize) -> String {
    format!("{:.3} ms", seconds * 1000.0 / people as f64)
}

fn figures(ran: &Ran, people: usize) -> String {
    format!("{:.1} s, {}, {:.0} MB", ran.used.wall, each(ran.used.cpu, people), ran.used.peak_mb)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn share(writes: u64, people: usize) -> String {
    format!("{:.3}", writes as f64 / people as f64)
}

/// Reads of single users: what a writer does who does not believe the answer to his own call.
fn reads_of_users(tenant: &CallCounts) -> u64 {
    tenant.requests.iter().filter(|(route, _)| route.starts_with("GET /users/{id}")).map(|(_, count)| count).sum()
}
