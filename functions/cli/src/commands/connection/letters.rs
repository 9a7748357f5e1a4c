//! `connection dead-letters`: what was given up, since when, and why. Looks and moves nothing.

use hardmatch_aws::{Letter, SqsDoorbell, Undelivered};
use hardmatch_ports::doorbell::Message;
use hardmatch_runtime::queue::understand;
use hardmatch_store::Store;
use serde_json::{Value, json};

use crate::args::StackArgs;
use crate::fail::{Exit, Failure};
use crate::output;
use crate::stack::{QUEUES, Whole};

/// Letters of one queue that are looked at: more of one kind say no more.
const MOST: usize = 100;
/// Letters that `redrive` leaves: what somebody asked for is asked for again, and a start that was not delivered is too late
/// by now.
const NOT_PUT_BACK: [(&str, &str); 3] =
    [("command", "CommandDeadLetters"), ("approve", "ApproveDeadLetters"), (SCHEDULER, "SchedulerDeadLetters")];
const SCHEDULER: &str = "scheduler";

/// The dead letters of a queue.
struct Pile {
    queue: &'static str,
    count: u64,
    letters: Result<Vec<Value>, String>,
}

pub(crate) async fn dead_letters(args: &StackArgs) -> Result<Exit, Failure> {
    let whole = Whole::open(&args.stack).await?;
    let queues = whole.queues()?;
    let mut piles = Vec::new();
    for (queue, output) in QUEUES.map(|(queue, _, dead)| (queue.name(), dead)).into_iter().chain(NOT_PUT_BACK) {
        let url = whole.url(output)?;
        let depth = queues.depth(&url).await.map_err(Failure::run)?;
        let count = depth.waiting + depth.handled;
        if count > 0 {
            piles.push(Pile { queue, count, letters: looked_at(&whole.store, &queues, &url).await? });
        }
    }
    let exit = if piles.is_empty() { Exit::Converged } else { Exit::Attention };
    if args.json {
        let document: Vec<Value> = piles
            .iter()
            .map(|pile| {
                let (letters, unseen) = match &pile.letters {
                    Ok(letters) => (letters.as_slice(), None),
                    Err(why) => (&[][..], Some(why)),
                };
                json!({ "queue": pile.queue, "count": pile.count, "letters": letters, "unseen": unseen })
            })
            .collect();
        output::document(&json!({ "v": 1, "stack": args.stack, "queues": document }));
        return Ok(exit);
    }
    for pile in &piles {
        output::line(format!("{}: {}", pile.queue, pile.count));
        match &pile.letters {
            Ok(letters) => letters.iter().for_each(|letter| output::line(spoken(letter))),
            Err(why) => output::line(format!("  They cannot be looked at: {why}")),
        }
    }
    if piles.is_empty() {
        output::line("There are no dead letters.");
    }
    if piles.iter().any(|pile| NOT_PUT_BACK.iter().all(|(queue, _)| *queue != pile.queue)) {
        output::note(format!(
            "The work itself lies in the table: the tick sends a new message for it. When the cause is gone: hardmatch connection redrive --stack {}",
            args.stack
        ));
    }
    if piles.iter().any(|pile| ["command", "approve"].contains(&pile.queue)) {
        output::note("A request that was given up did not happen, and is not put back. Ask again");
    }
    if piles.iter().any(|pile| pile.queue == SCHEDULER) {
        output::note(format!(
            "What the scheduler could not deliver is not put back. Start it: hardmatch sync --stack {}",
            args.stack
        ));
    }
    Ok(exit)
}

/// What each letter of a queue is and why it is there; or why that cannot be seen, by a viewer for one.
async fn looked_at(store: &Store, queues: &SqsDoorbell, url: &str) -> Result<Result<Vec<Value>, String>, Failure> {
    let letters = match queues.letters(url, MOST).await {
        Ok(letters) => letters,
        Err(error) => return Ok(Err(error.0)),
    };
    let mut all = Vec::with_capacity(letters.len());
    for letter in letters {
        all.push(described(store, &letter).await?);
    }
    Ok(Ok(all))
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
