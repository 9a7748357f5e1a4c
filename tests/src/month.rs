//! What a month on AWS costs, for a company of some size: units as the product's own counters count them in a small
//! world, prices as `hardmatch_report::cost` lists them, and what is assumed of the rest, each with its reason.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Run, Status};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_report::cost::{Dollars, FUNCTION_MB, Prices, Used, dollars, of_run};

use serde_json::json;

use crate::engine::Processes;
use crate::pushing::Sent;
use crate::trace::Trace;
use crate::world::World;

/// The sizes that are shown.
pub const SIZES: [u64; 3] = [1_000, 50_000, 500_000];
/// So many in a hundred change each night.
pub const CHANGED_PERCENT: u64 = 5;
/// Nights in a month.
const NIGHTS: u64 = 30;
/// Ticks in a month, one every five minutes.
const TICKS: u64 = NIGHTS * 24 * 12;

/// Units of the table in a night, measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Of a night in which nobody changed, whatever the size, in hundredths.
    pub night: Hundredths,
    /// More for each person who did not change, in hundredths.
    pub unchanged: Hundredths,
    /// More for each person who did, in hundredths, where one in ten does.
    pub changed: Hundredths,
    /// More for each person, in hundredths, where everybody changes.
    pub all_changed: Hundredths,
    /// Of a tick without work over one connection, in hundredths.
    pub tick: Hundredths,
    /// More for each further connection, in hundredths.
    pub tick_connection: Hundredths,
    /// Of one person who is pushed, changed, from the call to the account, in hundredths.
    pub pushed: Hundredths,
    /// Messages that functions answer for one person who is pushed, in hundredths.
    pub pushed_messages: u64,
}

/// Hundredths of units: a query rounds the sum of its items, so that one person's share is no whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hundredths {
    /// Read request units.
    pub read: u64,
    /// Write request units.
    pub write: u64,
}

impl Hundredths {
    /// Without what random object ids make of a difference between two companies: a unit or two in a hundred people.
    fn without_chance(self) -> Self {
        let meant = |hundredths: u64| if hundredths <= 2 { 0 } else { hundredths };
        Self { read: meant(self.read), write: meant(self.write) }
    }

    /// The share of each of `many`, rounded up.
    fn each(units: Units, many: u64) -> Self {
        Self { read: (units.read * 100).div_ceil(many), write: (units.write * 100).div_ceil(many) }
    }

    fn times(self, many: u64) -> Units {
        Units { read: (self.read * many).div_ceil(100), write: (self.write * many).div_ceil(100) }
    }

    fn shown(self) -> String {
        let part = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        format!("{} reads, {} writes", part(self.read), part(self.write))
    }
}

/// Two companies of these sizes; in the larger one so many change.
const SMALL: usize = 100;
const LARGE: usize = 400;
const CHANGING: usize = 40;
/// Connections of a stack whose bill is shown beside that of one.
const MANY: u64 = 100;

/// Runs nights in a simulated tenant and reads the runs' own counters.
pub async fn measure() -> anyhow::Result<Measured> {
    let mut small = company(SMALL).await?;
    let mut large = company(LARGE).await?;
    let (of_small, of_large) = (quiet(&mut small).await?, quiet(&mut large).await?);
    let of_changes = changing(&mut large, CHANGING, "Director").await?;
    // What was written last night is seen by the tenant's next round of changes.
    night(&mut large).await?;
    let of_everybody = changing(&mut large, LARGE, "Partner").await?;
    let more = (LARGE - SMALL) as u64;
    let unchanged = Hundredths::each(of_large.since(of_small), more).without_chance();
    let share = unchanged.times(SMALL as u64);
    let tick = ticked(&mut small).await?;
    small.turn_to("second");
    small.people.hire(&name(0));
    ensure!(small.settle_by_hash().await.status().is_some(), "a second connection");
    let tick_of_two = ticked(&mut small).await?;
    let (pushed, pushed_messages) = pushing().await?;
    Ok(Measured {
        night: Hundredths::each(of_small.since(share), 1),
        unchanged,
        changed: Hundredths::each(of_changes.since(of_large), CHANGING as u64),
        all_changed: Hundredths::each(of_everybody.since(of_large), LARGE as u64),
        tick: Hundredths::each(tick, 1),
        tick_connection: Hundredths::each(tick_of_two.since(tick), 1),
        pushed,
        pushed_messages,
    })
}

/// People who are pushed one by one, in a company that is otherwise at rest.
const PUSHED: u64 = 10;

/// What it takes that somebody's title is pushed, with functions that start anew for every message.
async fn pushing() -> anyhow::Result<(Hundredths, u64)> {
    let mut world = World::with(hardmatch_sim::Seed::contoso(), "").await;
    world.set_pushed("");
    let mut addresses = Vec::new();
    for number in 0..PUSHED {
        let upn = format!("{}@contoso.com", name(usize::try_from(number)?));
        let person = json!({ "userName": upn, "externalId": format!("{number:08}"), "displayName": "Somebody",
                             "emails": [{ "value": upn, "type": "work", "primary": true }], "active": true });
        let made = world.push("POST", "/scim/v2/Users", &person, 201).await;
        addresses.push(format!("/scim/v2/Users/{}", made.text("/id")));
    }
    let first = world.settle_by_hash().await;
    ensure!(first.status() == Some(Status::Converged), "the first run: {:?}", first.run.problems);
    for _ in 0..2 {
        world.pass_days(1);
        world.sync().await;
    }
    (world.processes, world.time) = (Processes::OneForEachMessage, Some(FUNCTION));
    let body = json!({ "Operations": [{ "op": "Replace", "path": "title", "value": "Director" }] });
    let (mut units, mut messages) = (Units::default(), 0);
    for address in &addresses {
        let sent = Sent { method: "PATCH", path: address, body: &body };
        let counted = world.push_counted(&[sent]).await.map_err(|why| anyhow!("a push: {why:?}"))?;
        ensure!(counted.answered[0].status == 200, "a push was refused: {}", counted.answered[0].body);
        (units, messages) = (units.plus(counted.units), messages + counted.messages);
    }
    let done = world.accounts().iter().filter(|account| account.text("jobTitle") == "Director").count() as u64;
    ensure!(done == PUSHED, "{done} of {PUSHED} people were written");
    Ok((Hundredths::each(units, PUSHED), (messages * 100).div_ceil(PUSHED)))
}

/// People whose accounts are in step, and functions that start anew for every message.
pub async fn company(people: usize) -> anyhow::Result<World> {
    let mut world = World::new().await;
    for number in 0..people {
        world.people.hire(&name(number));
    }
    let first = world.settle_by_hash().await;
    ensure!(first.status() == Some(Status::Converged), "the first run: {:?}", first.run.problems);
    // What the first run wrote is seen by the tenant's first round of changes, once.
    for _ in 0..2 {
        world.pass_days(1);
        world.sync().await;
    }
    (world.processes, world.time) = (Processes::OneForEachMessage, Some(FUNCTION));
    Ok(world)
}

/// What a function has of time.
const FUNCTION: Duration = Duration::from_mins(5);

/// The name of one of a company's people.
pub fn name(number: usize) -> String {
    format!("p{number:06}")
}

/// What a night took, from the message of its schedule to the last.
#[derive(Clone, Debug)]
pub struct Night {
    /// Its run.
    pub run: Run,
    /// Units of the table: of the beginning, of all messages with a cold start each, and of their notes.
    pub units: Units,
    /// What the messages did.
    pub trace: Trace,
}

/// A night a day later, begun by its schedule.
pub async fn night(world: &mut World) -> anyhow::Result<Night> {
    world.pass_days(1);
    let (trace, slot) = (Trace::default(), world.clock.now().to_string());
    world.trace = Some(trace.clone());
    let units = world.notify(&[MessageKind::Start { slot }]).await.map_err(|why| anyhow!("a night: {why:?}"))?;
    world.trace = None;
    let run = world.runs().await.into_iter().next().ok_or_else(|| anyhow!("no run was begun"))?;
    ensure!(run.status == Some(Status::Converged), "a night: {:?} {:?}", run.status, run.problems);
    Ok(Night { run, units, trace })
}

async fn quiet(world: &mut World) -> anyhow::Result<Units> {
    let night = night(world).await?;
    ensure!(night.run.outcomes.is_empty(), "nobody changed: {:?}", night.run.outcomes);
    Ok(night.units)
}

async fn ticked(world: &mut World) -> anyhow::Result<Units> {
    world.notify(&[MessageKind::Tick]).await.map_err(|why| anyhow!("a tick: {why:?}"))
}

/// Units of a night in which some get another title.
async fn changing(world: &mut World, people: usize, title: &str) -> anyhow::Result<Units> {
    for number in 0..people {
        world.people.set(&name(number), "title", title);
    }
    let night = night(world).await?;
    ensure!(night.run.outcomes.get("done") == Some(&(people as u64)), "{:?}", night.run.outcomes);
    Ok(night.units)
}

/// Messages of a night besides those of changes: begin, observe twice, decide, write, report, each perhaps once more.
const MESSAGES_A_NIGHT: u64 = 12;
/// People of one slice, which is one message's work at least.
const PEOPLE_A_MESSAGE: u64 = 100;
/// Time of a message that finds little to do: a cold start, a handful of reads.
const MESSAGE_MS: u64 = 300;
/// Time of reading one person's row and comparing it, in microseconds, with the third of a processor that comes with
/// this memory.
const ROW_US: u64 = 100;
/// Time of writing one change: Microsoft grants 3,000 writes in 150 seconds, so waiting for that is what takes time.
/// <https://learn.microsoft.com/graph/throttling-limits>
const WRITE_MS: u64 = 50;
/// Time of deciding one change, reads included.
const DECIDE_MS: u64 = 10;
/// Bytes of the three lines that a change leaves in the logs: what the source says has changed, what was decided, how it
/// ended.
const LOG_BYTES_A_CHANGE: u64 = 1_000;
/// Tokens of Microsoft's that a night asks for.
const TOKENS_A_NIGHT: u64 = 4;

/// Messages of a night in which so many change.
pub fn messages(changed: u64) -> u64 {
    MESSAGES_A_NIGHT + 2 * changed.div_ceil(PEOPLE_A_MESSAGE)
}

/// What a night uses that took these units and answered so many messages.
pub fn of_night(people: u64, changed: u64, units: Units, messages: u64) -> Used {
    let worked_ms = messages * MESSAGE_MS + people * ROW_US / 1000 + changed * (WRITE_MS + DECIDE_MS);
    let tokens = Counters { tokens: TOKENS_A_NIGHT, ..Counters::default() };
    let used = Used::of_run(units, &tokens, messages, worked_ms);
    Used { log_bytes: used.log_bytes + changed * LOG_BYTES_A_CHANGE, ..used }
}

/// What a month of nights costs, in which so many in a hundred change.
pub fn nights(people: u64, measured: &Measured, prices: &Prices) -> Dollars {
    let changed = people * CHANGED_PERCENT / 100;
    let units = measured.night.times(1).plus(measured.unchanged.times(people)).plus(measured.changed.times(changed));
    let night = of_night(people, changed, units, messages(changed));
    let month = Used {
        units: Units { read: night.units.read * NIGHTS, write: night.units.write * NIGHTS },
        messages: night.messages * NIGHTS,
        worked_ms: night.worked_ms * NIGHTS,
        key_requests: night.key_requests * NIGHTS,
        log_bytes: night.log_bytes * NIGHTS,
        ..night
    };
    of_run(&month, prices)
}

/// Bytes of the table for a person: record, account, links, look-ups, fingerprints, each with its key and 100 bytes of
/// DynamoDB's own.
const BYTES_A_PERSON: u64 = 8_000;
/// Bytes that a change leaves behind as history.
const BYTES_A_CHANGE: u64 = 1_000;
/// Bytes of a row of a plan or report.
const BYTES_A_ROW: u64 = 3_000;
/// History and reports of so many nights lie there: the thirteen months after which reports are deleted.
const NIGHTS_KEPT: u64 = 400;

/// Millionths of a dollar for what is kept, in a month: table, its backup, plans and reports.
fn kept(people: u64, prices: &Prices) -> u64 {
    let changes = people * CHANGED_PERCENT / 100 * NIGHTS_KEPT;
    let table = people * BYTES_A_PERSON + changes * BYTES_A_CHANGE;
    let blobs = changes * BYTES_A_ROW;
    let month = |bytes: u64, price: u64| {
        let micros = u128::from(bytes) * u128::from(price) / 1_000_000_000 / 1_000_000;
        u64::try_from(micros).unwrap_or(u64::MAX)
    };
    month(table, prices.table_gb_month + prices.recovery_gb_month) + month(blobs, prices.blob_gb_month)
}

/// What is paid whether anybody changes or not, by name, in millionths of a dollar a month.
pub fn fixed(measured: &Measured, parts: &Parts, prices: &Prices) -> Vec<(String, u64)> {
    // Lambda asks each queue around the clock with five pollers that wait twenty seconds.
    let polls = parts.mappings * 5 * 3 * 60 * 24 * NIGHTS;
    let tick = Used::of_run(measured.tick.times(TICKS), &Counters::default(), TICKS, TICKS * MESSAGE_MS);
    vec![
        (counted(parts.always.keys, "key"), each(parts.always.keys, prices.key_month)),
        (counted(parts.always.alarms, "alarm"), each(parts.always.alarms, prices.alarm_month)),
        (format!("asking {} queues for messages", parts.mappings), each(polls, prices.queue_request * 1_000) / 1_000),
        ("a tick every five minutes".to_owned(), of_run(&tick, prices).micros()),
        (counted(METRICS_OF_TICKS, "metric"), each(METRICS_OF_TICKS, prices.metric_month)),
    ]
}

fn each(count: u64, price: u64) -> u64 {
    count * (price / 1_000_000)
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What more there can be, by name, in millionths of a dollar a month.
pub fn options(measured: &Measured, parts: &Parts, prices: &Prices) -> Vec<(String, u64)> {
    // A metric costs for the hours in which it is sent: those of a message always, those of a run in one or two a day.
    let metrics = each(METRICS_OF_MESSAGES, prices.metric_month)
        + each(METRICS_OF_RUNS, prices.metric_month) * (2 * NIGHTS) / (24 * NIGHTS);
    vec![
        ("a dashboard and its metrics".to_owned(), each(parts.optional.dashboards, prices.dashboard_month) + metrics),
        ("a key for people's data".to_owned(), each(parts.optional.keys, prices.key_month)),
        (format!("{MANY} connections instead of 1"), more_connections(MANY - 1, measured, prices)),
        (format!("{} people pushed one by one", thousands(PUSHES)), pushes(PUSHES, measured, prices)),
    ]
}

/// People who are pushed in a month, one at a time, for the bill of it.
const PUSHES: u64 = 10_000;
/// Time of a call of the webhook: it is warm while people are pushed, and stores one person.
const CALL_MS: u64 = 100;

/// What it costs that so many people are pushed, each in a call of its own with a run of its own. Those who are pushed
/// together share a run, so this is the most.
pub fn pushes(people: u64, measured: &Measured, prices: &Prices) -> u64 {
    let messages = (measured.pushed_messages * people).div_ceil(100);
    let worked_ms = messages * MESSAGE_MS + people * (CALL_MS + WRITE_MS + DECIDE_MS);
    // The call is an invocation and leaves its lines in the log, as a message does; it is no message of a queue.
    let used = Used {
        messages,
        ..Used::of_run(measured.pushed.times(people), &Counters::default(), messages + people, worked_ms)
    };
    of_run(&used, prices).micros() + people * (prices.api_request + prices.lambda_request) / 1_000_000
}

/// What further connections cost in a month over which the same people are spread.
pub fn more_connections(more: u64, measured: &Measured, prices: &Prices) -> u64 {
    let ticks = measured.tick_connection.times(TICKS);
    let ticks = Used { memory_mb: FUNCTION_MB, units: ticks, worked_ms: TICKS * TICK_CONNECTION_MS, ..Used::default() };
    more * (nights(0, measured, prices).micros() + of_run(&ticks, prices).micros())
}

/// All that a month costs, in millionths of a dollar.
pub fn in_all(people: u64, measured: &Measured, parts: &Parts, prices: &Prices) -> u64 {
    let idle: u64 = fixed(measured, parts, prices).iter().map(|(_, micros)| micros).sum();
    nights(people, measured, prices).micros() + kept(people, prices) + idle
}

/// Time of looking after one connection more at a tick: four reads, one after the other.
const TICK_CONNECTION_MS: u64 = 20;
/// Metrics that are sent while nothing is wrong: how long it has been quiet.
const METRICS_OF_TICKS: u64 = 1;
/// Metrics that ticks and other messages send for a dashboard: the units of the table.
const METRICS_OF_MESSAGES: u64 = 2;
/// Metrics that a night sends for a dashboard.
const METRICS_OF_RUNS: u64 = 9;

/// Parts of the template that cost by the month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Parts that every stack has.
    pub always: Count,
    /// Parts that a parameter asks for.
    pub optional: Count,
    /// Queues whose messages start functions.
    pub mappings: u64,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Keys of the key service.
    pub keys: u64,
    /// Alarms.
    pub alarms: u64,
    /// Dashboards.
    pub dashboards: u64,
}

impl Parts {
    /// Counted in the text of `infra/template.yaml`, where a resource's type is followed by its condition.
    pub fn of(template: &str) -> Self {
        let mut parts = Self::default();
        let mut lines = template.lines().map(str::trim).peekable();
        while let Some(line) = lines.next() {
            let Some(kind) = line.strip_prefix("Type: ") else { continue };
            let optional = lines.peek().is_some_and(|next| next.starts_with("Condition: "));
            let count = if optional { &mut parts.optional } else { &mut parts.always };
            match kind {
                "AWS::KMS::Key" => count.keys += 1,
                "AWS::CloudWatch::Alarm" => count.alarms += 1,
                "AWS::CloudWatch::Dashboard" => count.dashboards += 1,
                "SQS" => parts.mappings += 1,
                _ => {}
            }
        }
        parts
    }
}

/// The table that `infra/README.md` shows.
pub fn table(measured: &Measured, parts: &Parts, prices: &Prices) -> String {
    let months: Vec<(Dollars, u64)> =
        SIZES.iter().map(|&people| (nights(people, measured, prices), kept(people, prices))).collect();
    let mut text = format!(
        "us-east-1 list prices of {}, no free tier; {CHANGED_PERCENT} % of people change each night\n\n",
        prices.read
    );
    // Writing to a String cannot fail.
    let mut row = |name: &str, cells: Vec<String>| {
        let _ = write!(text, "{name:<31}");
        for cell in cells {
            let _ = write!(text, "{cell:>12}");
        }
        text.push('\n');
    };
    row("a month of nights", SIZES.iter().map(|&people| thousands(people)).collect());
    let items: Vec<_> = months[0].0.items.iter().map(|(item, _)| *item).collect();
    for (at, item) in items.into_iter().enumerate() {
        row(item.name(), months.iter().map(|(month, _)| dollars(month.items[at].1)).collect());
    }
    row("nights together", months.iter().map(|(month, _)| dollars(month.micros())).collect());
    row("kept: table, backup, reports", months.iter().map(|(_, kept)| dollars(*kept)).collect());
    let sums: Vec<u64> = months.iter().map(|(month, kept)| month.micros() + kept).collect();
    row("together", sums.iter().map(|&sum| dollars(sum)).collect());
    let fixed = fixed(measured, parts, prices);
    row("", Vec::new());
    row("whatever the size", Vec::new());
    for (name, micros) in &fixed {
        row(name, vec![dollars(*micros)]);
    }
    let idle: u64 = fixed.iter().map(|(_, micros)| micros).sum();
    row("together", vec![dollars(idle)]);
    row("", Vec::new());
    row("a month, all in all", SIZES.map(|people| dollars(in_all(people, measured, parts, prices))).to_vec());
    row("", Vec::new());
    row("more, where it is wanted", Vec::new());
    for (name, micros) in options(measured, parts, prices) {
        row(&name, vec![dollars(micros)]);
    }
    let shares = [
        ("a night", measured.night),
        ("+ each unchanged person", measured.unchanged),
        ("+ each changed of one in ten", measured.changed),
        ("+ each where everybody changes", measured.all_changed),
        ("a tick", measured.tick),
        ("+ each further connection", measured.tick_connection),
        ("a person who is pushed", measured.pushed),
    ];
    text.push_str("\nunits of the table, measured\n");
    for (name, share) in shares {
        let _ = writeln!(text, "{name:<31}  {}", share.shown());
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n"
}

fn thousands(number: u64) -> String {
    let (mut rest, mut groups) = (number, Vec::new());
    while rest >= 1000 {
        groups.push(format!("{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.push(rest.to_string());
    groups.reverse();
    groups.join(",")
}
