//! `connection dead-letters`: what was given up, since when, and why. Looks and moves nothing.

use std::collections::BTreeMap;

use hardmatch_aws::{Letter, Undelivered};
use hardmatch_ports::doorbell::{Message, MessageKind, Queue};
use hardmatch_runtime::queue::understand;
use hardmatch_store::Store;
use serde_json::{Value, json};

use crate::args::StackArgs;
use crate::fail::{Exit, Failure};
use crate::output;
use crate::stack::Whole;

/// Letters that are looked at: more of one kind say no more.
const MOST: usize = 300;
/// What a schedule could not deliver.
const SCHEDULER: &str = "scheduler";
/// What somebody asked for, and who it was is lost with the queue.
const REQUESTS: [&str; 2] = ["command", "approve"];
/// What is no message, where SQS does not say which queue it failed in.
const UNKNOWN: &str = "unknown";

pub(crate) async fn dead_letters(args: &StackArgs) -> Result<Exit, Failure> {
    let whole = Whole::open(&args.stack).await?;
    let queues = whole.queues()?;
    let url = whole.url("DeadLetters")?;
    let depth = queues.depth(&url).await.map_err(Failure::run)?;
    let count = depth.waiting + depth.handled;
    let (letters, unseen) = match queues.letters(&url, MOST).await {
        Ok(letters) => (letters, None),
        // A viewer may count them and look into none.
        Err(error) => (Vec::new(), Some(error.0)),
    };
    let mut piles: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for letter in &letters {
        piles.entry(queue_of(letter)).or_default().push(described(&whole.store, letter).await?);
    }
    let exit = if count == 0 && letters.is_empty() { Exit::Converged } else { Exit::Attention };
    if args.json {
        let document: Vec<Value> = piles
            .iter()
            .map(|(queue, letters)| json!({ "queue": queue, "count": letters.len(), "letters": letters }))
            .collect();
        output::document(&json!({ "v": 1, "stack": args.stack, "count": count, "unseen": unseen, "queues": document }));
        return Ok(exit);
    }
    for (queue, letters) in &piles {
        output::line(format!("{queue}: {}", letters.len()));
        for letter in letters {
            output::line(spoken(letter));
        }
    }
    match (&unseen, exit) {
        (Some(why), _) if count > 0 => output::line(format!("{count} dead letters cannot be looked at: {why}")),
        (_, Exit::Converged) => output::line("There are no dead letters."),
        _ => {}
    }
    if piles.keys().any(|queue| !REQUESTS.contains(&queue.as_str()) && queue != SCHEDULER) {
        output::note(format!(
            "The work itself lies in the table: the tick sends a new message for it. When the cause is gone: hardmatch connection redrive --stack {}",
            args.stack
        ));
    }
    if piles.keys().any(|queue| REQUESTS.contains(&queue.as_str())) {
        output::note("A request that was given up did not happen, and is not put back. Ask again");
    }
    if piles.contains_key(SCHEDULER) {
        output::note(format!(
            "A start that the scheduler could not deliver begins with `hardmatch connection redrive --stack {0}`, or with `hardmatch sync --stack {0}`",
            args.stack
        ));
    }
    Ok(exit)
}

/// The queue that a letter failed in: as SQS says, or, where it does not, as what it asks for says.
fn queue_of(letter: &Letter) -> String {
    if letter.undelivered.is_some() {
        return SCHEDULER.to_owned();
    }
    let ends = |name: &str| letter.failed_in.as_deref().is_some_and(|queue| queue.ends_with(&format!("-{name}")));
    let deployed = Queue::DEPLOYED.map(Queue::name);
    if let Some(name) = deployed.into_iter().chain(REQUESTS).find(|name| ends(name)) {
        return name.to_owned();
    }
    match understand(&letter.body) {
        Ok(message) if matches!(message.kind, MessageKind::OperatorCommand { .. }) => REQUESTS[0].to_owned(),
        Ok(message) => message.queue().deployed().name().to_owned(),
        Err(_) => UNKNOWN.to_owned(),
    }
}

async fn described(store: &Store, letter: &Letter) -> Result<Value, Failure> {
    let since = letter.sent.map(|at| at.to_string());
    if let Some(Undelivered { schedule, due, why }) = &letter.undelivered {
        let due = due.map(|at| at.to_string());
        return Ok(json!({
            "message": letter.id,
            "since": since,
            "what": "start",
            "schedule": schedule,
            "due": due,
            "why": why,
        }));
    }
    let message = match understand(&letter.body) {
        Ok(message) => message,
        Err(problem) => {
            return Ok(
                json!({ "message": letter.id, "since": since, "what": "no message", "why": problem.to_string() }),
            );
        }
    };
    let why = match store.trouble(&letter.id).await? {
        Some(trouble) => trouble.why,
        None => "no function could say why: it was ended first (out of time or memory), or panicked. Look for the message's id in its log".to_owned(),
    };
    let Message { connection, run, kind, .. } = message;
    Ok(json!({
        "message": letter.id,
        "since": since,
        "what": kind.name(),
        "connection": connection,
        "run": run,
        "why": why,
    }))
}

fn spoken(letter: &Value) -> String {
    let text = |name: &str| letter[name].as_str().unwrap_or_default();
    let whose = match (text("connection"), text("run"), text("schedule")) {
        ("", _, "") => String::new(),
        ("", _, schedule) => format!(" by {schedule}, due {}", text("due")),
        (connection, "", _) => format!(" of {connection}"),
        (connection, run, _) => format!(" of {connection}, run {run}"),
    };
    // A message may come from anybody: what it names is printed without what could steer a terminal.
    let line = format!("  since {}: {}{whose}: {}", text("since"), text("what"), text("why"));
    line.chars().filter(|c| !c.is_control()).collect()
}
