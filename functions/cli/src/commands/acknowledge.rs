//! `acknowledge`: what an operator knows of a person sets no exit status for a while. Decides nothing.

use hardmatch_match::MOST_DAYS_ACKNOWLEDGED as MOST_DAYS;
use hardmatch_ports::command::Command;
use jiff::civil::Date;
use serde_json::json;

use crate::args::AcknowledgeArgs;
use crate::commands::who;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

const DAY: i64 = 24 * 60 * 60;

pub(crate) async fn acknowledge(args: AcknowledgeArgs) -> Result<Exit, Failure> {
    let installation = installation(&args.common)?;
    let state = installation.state(&args.common).await?;
    let connection = state.loaded.config.connection.clone();
    let meta = state.store.meta(&connection).await?;
    let Some(ports) = state.deciding(&meta) else {
        return Err(Failure::run("nothing is known of anybody yet. Make a plan first: `hardmatch plan`"));
    };
    let Some(found) = who::find(&ports, &connection, &args.who).await? else { return Err(who::nobody(&args.who, &[])) };
    let person = state.store.pid(&found).hex();
    if args.withdraw {
        installation.command(&args.common, Command::WithdrawAcknowledgment { person }).await?;
        return Ok(said(&args, &json!({ "withdrawn": true }), "Nothing is acknowledged of this person any more."));
    }
    let until = until(args.until.as_deref().unwrap_or_default(), state.clock.now_seconds())?;
    let comment = args.comment.as_deref().unwrap_or_default().trim();
    if comment.is_empty() {
        return Err(Failure::usage("--comment is empty: say why, for readers of the report"));
    }
    let Some(explained) = hardmatch_match::decide_one(&ports.explaining(), &found).await? else {
        return Err(Failure::run("the tenant was never read completely. Make a plan first: `hardmatch plan`"));
    };
    let decision = &explained.row.decision;
    let held = decision.change.as_ref().is_some_and(|change| change.hold.is_some());
    if !held && !decision.needs_somebody() {
        return Err(Failure::usage("this person needs nobody: there is nothing to acknowledge"));
    }
    let acknowledge = Command::Acknowledge {
        person,
        facts: hardmatch_match::acknowledged_facts(decision),
        until,
        comment: comment.to_owned(),
    };
    installation.command(&args.common, acknowledge).await?;
    let codes: Vec<&str> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let document = json!({ "acknowledged": codes, "until": until, "comment": comment });
    let words = format!(
        "Acknowledged until {} or until the facts change: {}.",
        args.until.as_deref().unwrap_or_default(),
        codes.join(", ")
    );
    Ok(said(&args, &document, &words))
}

fn said(args: &AcknowledgeArgs, document: &serde_json::Value, words: &str) -> Exit {
    if args.common.json {
        let mut document = document.clone();
        document["v"] = json!(1);
        output::document(&document);
    } else {
        output::line(words);
    }
    Exit::Converged
}

/// The end of the day, in Unix seconds.
fn until(text: &str, now: i64) -> Result<i64, Failure> {
    let day: Date =
        text.parse().map_err(|_| Failure::usage(format!("--until {text} is no day: write it as 2026-12-31")))?;
    let end = day
        .tomorrow()
        .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| Failure::usage(format!("--until {text} lies too far away")))?
        .timestamp()
        .as_second();
    if end <= now {
        return Err(Failure::usage(format!("--until {text} is over")));
    }
    if end > now + (MOST_DAYS + 1) * DAY {
        return Err(Failure::usage(format!(
            "--until {text} is more than {MOST_DAYS} days away: look at it again by then"
        )));
    }
    Ok(end)
}
