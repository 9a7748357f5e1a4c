//! `approvals`: changes that wait for somebody's word, and what an approver says of them.

use std::collections::BTreeMap;

use hardmatch_domain::change::Action;
use hardmatch_domain::reason::Code;
use hardmatch_match::{MatchPorts, set_hash, still_planned};
use hardmatch_ports::command::{Command, Reply};
use hardmatch_report::{step_lines, visible};
use hardmatch_store::approvals::{Approval, ApprovalState};
use serde_json::{Value, json};

use crate::args::{ApprovalFilter, ApprovalsCommand, ApprovalsJudgeArgs, ApprovalsListArgs, Common};
use crate::commands::who;
use crate::connection::State;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// Digits of a name or hash that are shown: as many as tell them apart.
const SHORT: usize = 12;
/// Changes that one request names.
const AT_ONCE: usize = 500;

pub(crate) async fn approvals(command: ApprovalsCommand) -> Result<Exit, Failure> {
    match command {
        ApprovalsCommand::List(args) => list(&args).await,
        ApprovalsCommand::Approve(args) => judge(&args, true).await,
        ApprovalsCommand::Reject(args) => judge(&args, false).await,
    }
}

/// What is known of changes that waited.
struct Known {
    state: State,
    /// Changes that wait now and are still planned.
    pending: Vec<Approval>,
    /// All changes that ever waited.
    all: Vec<Approval>,
    now_ms: i64,
}

async fn known(common: &Common) -> Result<(Known, MatchPorts), Failure> {
    let state = installation(common)?.state(common).await?;
    let connection = state.loaded.config.connection.clone();
    let meta = state.store.meta(&connection).await?;
    let Some(ports) = state.deciding(&meta) else {
        return Err(Failure::run("nothing is known of anybody yet. Make a plan first: `hardmatch plan`"));
    };
    let all = state.store.all_approvals(&connection).await?;
    let now_ms = state.clock.now().as_millisecond();
    let mut pending = still_planned(&ports, &connection, all.clone()).await?;
    pending.retain(|one| one.state(now_ms) == ApprovalState::Pending);
    Ok((Known { state, pending, all, now_ms }, ports))
}

async fn list(args: &ApprovalsListArgs) -> Result<Exit, Failure> {
    let (known, ports) = known(&args.common).await?;
    let set = set_hash(known.pending.iter().map(|one| &one.change));
    let from = if args.all { &known.all } else { &known.pending };
    let mut shown = filtered(from, &args.filter, &known.state, &ports).await?;
    shown.sort_by(|one, other| (one.action, &one.name, &one.change).cmp(&(other.action, &other.name, &other.change)));
    if args.common.json {
        let rows: Vec<Value> = shown.iter().map(|one| document(one, &known)).collect();
        let connection = &known.state.loaded.config.connection;
        let pending = known.pending.len();
        output::document(
            &json!({ "v": 1, "connection": connection, "set": set, "pending": pending, "approvals": rows }),
        );
    } else if shown.is_empty() {
        output::note("Nothing waits for an approval.");
    } else {
        for one in &shown {
            show(one, &known, &args.common);
        }
        if !args.all && shown.len() == known.pending.len() && shown.len() > 1 {
            output::prose("\nAll of them, as long as no other waits:");
            output::line(format!("  hardmatch approvals approve --set {}{}", short(&set), args.common.options()));
        }
    }
    Ok(if known.pending.is_empty() { Exit::Converged } else { Exit::Attention })
}

async fn judge(args: &ApprovalsJudgeArgs, approve: bool) -> Result<Exit, Failure> {
    let filter = &args.filter;
    let by_filter = filter.person.is_some() || filter.action.is_some() || filter.reason.is_some();
    let mut replies = Vec::new();
    let comment = args.comment.clone();
    let place = installation(&args.common)?;
    if let Some(set) = &args.set {
        let command = Command::Judge { approve, changes: Vec::new(), set: Some(set.clone()), comment };
        replies.push(place.ask(&args.common, command).await?);
    } else {
        if args.changes.is_empty() && !by_filter {
            return Err(Failure::usage(
                "name the changes: by name, with --person, --action or --reason, or all that wait with --set. `hardmatch approvals list` shows them",
            ));
        }
        let names = names(args, by_filter, approve).await?;
        for chunk in names.chunks(AT_ONCE) {
            let command = Command::Judge { approve, changes: chunk.to_vec(), set: None, comment: comment.clone() };
            replies.push(place.ask(&args.common, command).await?);
        }
    }
    let (mut done, mut refused) = (Vec::new(), BTreeMap::new());
    for reply in replies {
        match reply {
            Reply::Judged { done: more, refused: not } => {
                done.extend(more);
                refused.extend(not);
            }
            _ => {
                return Err(Failure::run(
                    "the answer is to something else. Use the `hardmatch` of the version that is deployed",
                ));
            }
        }
    }
    Ok(said(&args.common, approve, &done, &refused))
}

/// The names of the changes that are meant, in full.
async fn names(args: &ApprovalsJudgeArgs, by_filter: bool, approve: bool) -> Result<Vec<String>, Failure> {
    let (known, ports) = known(&args.common).await?;
    let mut names = Vec::new();
    for given in &args.changes {
        let given = given.to_lowercase();
        let fits: Vec<&Approval> =
            known.all.iter().filter(|one| given.len() >= 8 && one.change.as_str().starts_with(&given)).collect();
        match fits.as_slice() {
            [one] => names.push(one.change.as_str().to_owned()),
            [] => {
                return Err(Failure::usage(format!(
                    "no change that waits is called {given}; give eight digits or more. `hardmatch approvals list` names them"
                )));
            }
            _ => return Err(Failure::usage(format!("{} changes are called {given}…; give more of it", fits.len()))),
        }
    }
    if by_filter {
        let meant = filtered(&known.pending, &args.filter, &known.state, &ports).await?;
        if meant.is_empty() {
            let word = if approve { "approve" } else { "reject" };
            return Err(Failure::usage(format!(
                "nothing of that kind waits, so there is nothing to {word}. `hardmatch approvals list` shows what does"
            )));
        }
        names.extend(meant.iter().map(|one| one.change.as_str().to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The changes that a filter lets through.
async fn filtered(
    all: &[Approval],
    filter: &ApprovalFilter,
    state: &State,
    ports: &MatchPorts,
) -> Result<Vec<Approval>, Failure> {
    let person = match &filter.person {
        None => None,
        Some(wanted) => {
            let found = who::find(ports, &state.loaded.config.connection, wanted).await?;
            Some(found.ok_or_else(|| who::nobody(wanted, &[]))?.key)
        }
    };
    let action = match &filter.action {
        None => None,
        Some(word) => Some(
            serde_json::from_value::<Action>(json!(word)).ok().filter(|action| *action != Action::None).ok_or_else(
                || Failure::usage(format!("{word} is no action. `hardmatch connection switch-off --help` names them")),
            )?,
        ),
    };
    let reason = match &filter.reason {
        None => None,
        Some(text) => Some(Code::parse(text).ok_or_else(|| {
            Failure::usage(format!("there is no reason code {text}. `hardmatch explain --reason CODE` explains one"))
        })?),
    };
    let fits = |one: &&Approval| {
        person.as_ref().is_none_or(|key| one.person == *key)
            && action.is_none_or(|action| one.action == action)
            && reason.is_none_or(|code| one.waits.code == code || one.why.iter().any(|why| why.code == code))
    };
    Ok(all.iter().filter(fits).cloned().collect())
}

fn document(one: &Approval, known: &Known) -> Value {
    let state = one.state(known.now_ms);
    let planned = known.pending.iter().any(|pending| pending.change == one.change);
    json!({
        "change": one.change,
        "state": state,
        "planned": planned || state != ApprovalState::Pending,
        "key": one.person,
        "name": one.name,
        "upn": one.upn,
        "account": one.account,
        "action": one.action,
        "waits": one.waits,
        "reasons": one.why,
        "steps": one.steps,
        "run": one.run,
        "asked_ms": one.asked_ms,
        "verdict": one.verdict,
    })
}

fn show(one: &Approval, known: &Known, common: &Common) {
    let name = if one.name.is_empty() { &one.upn } else { &one.name };
    let state = one.state(known.now_ms);
    let at = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|at| format!("{at:.0}")).unwrap_or_default();
    output::line(format!("{} <{}>: {}", visible(name), visible(&one.upn), one.action.name()));
    for reason in std::iter::once(&one.waits).chain(one.why.iter().filter(|why| why.code != one.waits.code)) {
        let detail = reason.detail.as_deref().map(|detail| format!(" ({})", visible(detail))).unwrap_or_default();
        output::prose(format!("  {}: {}{detail}", reason.code, reason.code.sentence()));
    }
    for line in step_lines(&one.steps) {
        output::prose(format!("  {line}"));
    }
    if let Some(verdict) = &one.verdict {
        let word = if verdict.approved { "Approved" } else { "Rejected" };
        let until = if verdict.approved { format!(", until {}", at(verdict.until_ms)) } else { String::new() };
        let comment = verdict.comment.as_deref().map(|text| format!(": {}", visible(text))).unwrap_or_default();
        output::prose(format!("  {word} by {}, {}{until}{comment}", visible(&verdict.by), at(verdict.at_ms)));
    }
    if matches!(state, ApprovalState::Pending) {
        output::prose(format!("  Waits since {}, run {}.", at(one.asked_ms), one.run));
    }
    output::line(format!("  hardmatch approvals approve {}{}", short(one.change.as_str()), common.options()));
}

fn said(common: &Common, approve: bool, done: &[String], refused: &BTreeMap<String, String>) -> Exit {
    if common.json {
        let word = if approve { "approved" } else { "rejected" };
        output::document(&json!({ "v": 1, word: done, "refused": refused }));
    } else {
        let changes = if done.len() == 1 { "1 change is".to_owned() } else { format!("{} changes are", done.len()) };
        if approve && !done.is_empty() {
            output::line(format!("{changes} approved, for seven days. The next run writes them:"));
            output::line(format!("  hardmatch sync{}", common.options()));
        } else if !done.is_empty() {
            output::line(format!("{changes} rejected, and not planned again until the facts or the policy change."));
        }
        for (name, why) in refused {
            output::note(format!("{}: {why}", short(name)));
        }
    }
    if refused.is_empty() { Exit::Converged } else { Exit::Attention }
}

fn short(name: &str) -> &str {
    name.get(..SHORT).unwrap_or(name)
}
