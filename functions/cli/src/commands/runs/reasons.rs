//! `runs reasons`: what was said of people over time, by reason code, from the plans and outcomes of runs.

use std::collections::BTreeMap;

use hardmatch_domain::reason::{Code, Reason};
use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::visible;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::LISTED;
use crate::args::RunsReasonsArgs;
use crate::commands::{rows, who};
use crate::connection::State;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// One reason that a run gave for one person. Personal data.
#[derive(Debug, Serialize)]
struct Said {
    run: String,
    started: String,
    key: String,
    name: String,
    upn: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What became of the change; none where it was the decision that gave the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    /// Graph's, where the tenant refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

pub(super) async fn reasons(args: &RunsReasonsArgs) -> Result<Exit, Failure> {
    let code = args.code.as_deref().map(known).transpose()?;
    let state = installation(&args.common)?.state(&args.common).await?;
    let (said, unread) = look(&state, args, code).await?;
    if args.common.json {
        output::document(&json!({ "v": 1, "reasons": said, "runs_without_plan": unread }));
        return Ok(Exit::Converged);
    }
    if code.is_some() || args.person.is_some() {
        for one in &said {
            output::line(line(one));
        }
    } else {
        counted(&said).into_iter().for_each(output::line);
    }
    if said.is_empty() {
        output::note(format!("No run of the last {} days gave such a reason.", args.days));
    }
    if unread > 0 {
        output::note(format!(
            "The plans of {unread} of these runs were cleaned up; `hardmatch runs list` has their counts."
        ));
    }
    Ok(Exit::Converged)
}

fn known(text: &str) -> Result<Code, Failure> {
    Code::parse(text).ok_or_else(|| {
        Failure::usage(format!("there is no reason code {text}. `hardmatch runs reasons` shows those that were given"))
    })
}

/// Everything that fits, newest run first, and the runs whose plan cannot be read any more.
async fn look(state: &State, args: &RunsReasonsArgs, code: Option<Code>) -> Result<(Vec<Said>, usize), Failure> {
    let connection = &state.loaded.config.connection;
    let meta = state.store.meta(connection).await?;
    let Some(ports) = state.deciding(&meta) else { return Ok((Vec::new(), 0)) };
    let person = match &args.person {
        None => None,
        Some(wanted) => {
            let found = who::find(&ports, connection, wanted).await?;
            Some(found.ok_or_else(|| who::nobody(wanted, &[]))?.key)
        }
    };
    let since_ms = state.clock.now().as_millisecond() - i64::from(args.days) * 24 * 60 * 60 * 1000;
    let (mut said, mut unread) = (Vec::new(), 0);
    for id in state.store.run_ids(connection, LISTED).await? {
        let Some(run) = state.store.run(connection, &id).await?.map(|stored| stored.value) else { continue };
        if run.started_ms < since_ms {
            break;
        }
        if run.plan.is_none() {
            continue;
        }
        let Ok(mut rows) = rows::read(&ports, &run, usize::MAX).await else {
            unread += 1;
            continue;
        };
        rows.retain(|row| person.as_ref().is_none_or(|key| row.decision.key == *key));
        let (changed, others): (Vec<PlanRow>, Vec<PlanRow>) =
            rows.into_iter().partition(|row| row.decision.change.is_some());
        let outcomes = rows::outcomes(&ports, &run, &changed).await?;
        for row in changed.iter().chain(&others) {
            let of_row = of(&run, row, outcomes.get(&row.decision.key));
            said.extend(of_row.into_iter().filter(|one| code.is_none_or(|code| one.code == code.as_str())));
        }
    }
    Ok((said, unread))
}

/// What a run said of one person: by its decision, and by what became of the change.
fn of(run: &Run, row: &PlanRow, outcome: Option<&Outcome>) -> Vec<Said> {
    let one = |reason: &Reason, outcome: Option<&Outcome>| Said {
        run: run.id.clone(),
        started: date(run.started_ms),
        key: row.decision.key.as_str().to_owned(),
        name: row.name.to_string(),
        upn: row.upn.to_string(),
        code: reason.code.as_str(),
        detail: reason.detail.as_deref().map(str::to_owned),
        result: outcome.map(|outcome| outcome.result.name()),
        request_id: outcome.and_then(|outcome| outcome.refusal.as_ref()).map(|refusal| refusal.request_id.clone()),
    };
    let decided = row.decision.reasons.iter().map(|reason| one(reason, None));
    let became = outcome.iter().flat_map(|outcome| outcome.said().into_iter().map(|reason| one(reason, Some(outcome))));
    decided.chain(became).collect()
}

fn date(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|at| format!("{at:.0}")).unwrap_or_default()
}

fn line(one: &Said) -> String {
    let detail = one.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let result = one.result.map(|result| format!(" ({result})")).unwrap_or_default();
    let request = one.request_id.as_deref().map(|id| format!("; request {id}")).unwrap_or_default();
    let text = format!("{} {} {} {}{result}{detail}{request}", one.started, one.run, one.upn, one.code);
    visible(&text).into_owned()
}

/// People by run and code, newest run first.
fn counted(said: &[Said]) -> Vec<String> {
    let mut lines = Vec::new();
    for run in said.chunk_by(|one, next| one.run == next.run) {
        let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
        for one in run {
            *by_code.entry(one.code).or_default() += 1;
        }
        if let Some(Said { started, run, .. }) = run.first() {
            lines.extend(by_code.into_iter().map(|(code, count)| format!("{started} {run} {count:>6} {code}")));
        }
    }
    lines
}
