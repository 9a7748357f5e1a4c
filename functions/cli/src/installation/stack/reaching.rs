//! `auth status`, `auth reset`, `auth disconnect` and `doctor` of a deployed stack. What its table says is read here; what
//! takes a token or the tenant is asked of the function that has them.

use hardmatch_checkup::{check, disconnected, good, judge};
use hardmatch_ports::command::{Command, Reply};
use hardmatch_ports::run::{CollectionState, Run};
use hardmatch_report::{Check, CheckState};

use crate::args::Common;
use crate::commands::auth::give_up::{show_disconnected, show_reset};
use crate::commands::auth::status::{self, Known};
use crate::commands::doctor;
use crate::fail::{Exit, Failure};
use crate::stack::{Stack, strange};

pub(crate) async fn status(name: &str, common: &Common) -> Result<Exit, Failure> {
    let stack = Stack::open_stored(name, common).await?;
    let (store, config) = (&stack.state.store, &stack.state.loaded.config);
    let meta = store.meta(stack.connection()).await?;
    let connecting = store.connecting(stack.connection()).await?.map(|record| record.value);
    let now = stack.state.clock.now();
    let known = match stack.reach(Command::Status).await {
        Ok(Reply::Reached { reached }) => Known::new(config, meta, connecting, reached, now),
        Ok(other) => return Err(strange(&other)),
        // Who may only read sees what the table says.
        Err(failure) => Known::unasked(config, meta, connecting, failure.to_string(), now),
    };
    Ok(status::show(config, &known, common))
}

pub(crate) async fn reset(name: &str, common: &Common) -> Result<Exit, Failure> {
    let stack = Stack::open_stored(name, common).await?;
    match stack.reach(Command::Reset).await? {
        Reply::Done { .. } => Ok(show_reset(common, stack.connection(), true)),
        other => Err(strange(&other)),
    }
}

pub(crate) async fn disconnect(name: &str, common: &Common) -> Result<Exit, Failure> {
    let stack = Stack::open_stored(name, common).await?;
    match stack.reach(Command::Disconnect).await? {
        Reply::Disconnected { disconnected } => Ok(show_disconnected(common, stack.connection(), disconnected)),
        other => Err(strange(&other)),
    }
}

pub(crate) async fn doctor(name: &str, common: &Common) -> Result<Exit, Failure> {
    let stack = Stack::open_stored(name, common).await?;
    let (store, config) = (&stack.state.store, &stack.state.loaded.config);
    let meta = store.meta(stack.connection()).await?;
    let stored = format!("Configuration {} of stack {name}", meta.policy.revision);
    let mut checks = vec![judge::configuration(&stored, config)];
    checks.push(good("state", format!("The tables and queues of stack {name} are there.")));
    checks.extend(judge::last_run(&meta, stack.state.clock.now_seconds(), doctor::moment));
    let run = match &meta.schedule.run {
        Some(run) => store.run(stack.connection(), run).await?.map(|stored| stored.value),
        None => None,
    };
    checks.push(source(&config.source.location.to_string(), run.as_ref(), meta.listing.people));
    match disconnected(&meta) {
        Some(disconnected) => checks.push(disconnected),
        None => checks.extend(reached(&stack).await?),
    }
    Ok(doctor::show(&checks, stack.connection().as_str(), common))
}

/// What the function that reaches the tenant says. One that cannot be asked is a finding like any other.
async fn reached(stack: &Stack) -> Result<Vec<Check>, Failure> {
    match stack.reach(Command::Checks).await {
        Ok(Reply::Checked { checks }) => Ok(checks),
        Ok(other) => Err(strange(&other)),
        Err(failure) => Ok(vec![check("credentials", CheckState::Fail, failure.to_string(), "")]),
    }
}

/// The source is read by a function, in a run: what the newest one found.
fn source(location: &str, run: Option<&Run>, people: u64) -> Check {
    const AREA: &str = "source";
    let read = run.and_then(|run| run.collections.get("people").map(|known| (run, known.state)));
    match read {
        Some((run, CollectionState::Complete)) if run.refused_entries.is_empty() => {
            good(AREA, format!("{location}: {people} people, as run {} read it.", run.id))
        }
        Some((run, CollectionState::Complete)) => check(
            AREA,
            CheckState::Warn,
            format!(
                "{location}: {people} people, and {} entries refused in run {}.",
                run.refused_entries.len(),
                run.id
            ),
            "`hardmatch runs show` names them. Correct them at the source; the others go on.",
        ),
        Some((run, CollectionState::Unknown)) => check(
            AREA,
            CheckState::Fail,
            format!("{location} was not read completely in run {}.", run.id),
            "`hardmatch runs show` says why.",
        ),
        Some((run, CollectionState::Reading)) => {
            check(AREA, CheckState::Unknown, format!("{location} is being read by run {}.", run.id), "")
        }
        None => {
            check(AREA, CheckState::Unknown, format!("{location}: no run has read it yet."), "hardmatch plan reads it.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_no_run_has_read_is_unknown() {
        let found = source("s3://b/people.csv", None, 0);
        assert_eq!((found.state, found.cure.as_str()), (CheckState::Unknown, "hardmatch plan reads it."));
    }
}
