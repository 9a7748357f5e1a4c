//! `explain`: one person's decision, from what was read last. Needs neither the tenant nor a secret.

use std::collections::BTreeMap;

use hardmatch_domain::change::Join;
use hardmatch_domain::ids::{ConnectionId, PersonKey, PersonRef};
use hardmatch_domain::person::SourceStatus;
use hardmatch_domain::reason::Code;
use hardmatch_match::{DecidedPerson, MatchPorts};
use hardmatch_ports::run::{Outcome, OutcomeKind};
use hardmatch_ports::source::RefusedEntry;
use hardmatch_report::{
    Around, Past, RowStage, explain_text, page, row_document, seen_ids, seen_ids_text, source_writes_text, step_lines,
};
use hardmatch_store::connection::Meta;
use serde_json::json;

use crate::args::{Common, ExplainArgs};
use crate::commands::given_by;
use crate::commands::place::place;
use crate::commands::who;
use crate::commands::who::Found;
use crate::commands::whole_account::{self, Property};
use crate::connection::State;
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// Outcomes of earlier changes that are shown.
const HISTORY: usize = 50;
/// The same without `--history`: what happened last is always said.
const LAST: usize = 1;

pub(crate) async fn explain(args: ExplainArgs) -> Result<Exit, Failure> {
    if let Some(code) = &args.reason {
        return reason(code, args.common.json);
    }
    let Some(wanted) = &args.who else {
        return Err(Failure::usage("name a person, or a reason code with --reason"));
    };
    let state = installation(&args.common)?.state(&args.common).await?;
    let connection = state.loaded.config.connection.clone();
    let meta = state.store.meta(&connection).await?;
    let Some(ports) = state.deciding(&meta) else {
        return Err(Failure::run("the tenant was never read. Make a plan first: `hardmatch plan`"));
    };
    stale_policy(&state, &meta);
    let found = match who::find(&ports, &connection, wanted).await? {
        Some(found) => found,
        None => by_part(&ports, &connection, &meta, wanted).await?,
    };
    let Some(explained) = hardmatch_match::decide_one(&ports.explaining(), &found).await? else {
        return Err(Failure::run("the tenant was never read completely. Make a plan first: `hardmatch plan`"));
    };
    let pid = ports.store.pid(&found);
    let most = if args.history { HISTORY } else { LAST };
    let history: Vec<Outcome> = ports.store.history(&connection, pid, most).await?;
    let source_writes = ports.store.source_writes(&connection, pid, most).await?;
    let refused = match explained.record.standing {
        SourceStatus::Refused => refused_entry(&ports, &connection, &meta, &found.key).await?,
        SourceStatus::Present | SourceStatus::Absent(_) | SourceStatus::Deleted(_) => None,
    };
    let whole = if args.account { Some(account(&ports, &state, &explained).await?) } else { None };
    let linked = ports.store.link_of(&ports.scope, &found).await?.and_then(|link| link.value.immutable_id);
    let ids = seen_ids(&explained.record, linked.as_ref(), &history);
    if args.common.json {
        let rows = std::slice::from_ref(&explained.row);
        let known =
            hardmatch_match::acknowledged(&ports, &connection, rows, &BTreeMap::new(), RowStage::Planned).await?;
        let mut document = json!({
            "v": 1,
            "person": row_document(&explained.row, None, known.values().next()),
            "standing": explained.record.standing,
            "refused_entry": refused,
            "history": history,
            "immutable_ids": ids,
            "source_writes": source_writes,
            "not_equal": step_lines(&explained.not_equal),
            "person_hash": pid.hex(),
        });
        if let Some(given) = &explained.record.person.given_by {
            document["given_by"] = given_by::document(given);
        }
        if let Some(properties) = &whole {
            document["account"] = properties.as_deref().map(whole_account::document).unwrap_or_default();
        }
        output::document(&document);
    } else {
        let held = waiting(&ports, &connection, &explained, &history, &args.common).await?;
        let mut past = Vec::with_capacity(history.len());
        for outcome in history {
            past.push(told(&ports, &connection, &found.key, outcome).await?);
        }
        output::prose(explain_text(&explained.row, &past));
        if !source_writes.is_empty() {
            output::prose(source_writes_text(&source_writes));
        }
        if args.history {
            output::prose(seen_ids_text(&ids));
            output::line(format!("In the logs of functions: person.hash = {}", pid.hex()));
        }
        if let Some(given) = &explained.record.person.given_by {
            output::line("\nSources");
            given_by::lines(given, &state.loaded.config).into_iter().for_each(output::line);
        }
        let missing = step_lines(&explained.not_equal);
        if !missing.is_empty() {
            output::line("\nNot yet equal");
            for line in missing {
                output::line(format!("  {line}"));
            }
        }
        if let Some(command) = held {
            output::prose("\nThe last run holds this change for an approval. This allows what that run holds:");
            output::line(format!("  {command}"));
            if let Some(change) = explained.row.decision.change.as_deref() {
                output::prose("This change alone is approved with:");
                let options = args.common.options();
                output::line(format!("  hardmatch approvals approve {}{options}", change.id.short()));
            }
        }
        if let Some(refused) = refused {
            output::prose(format!("\nThe source's entry was refused: {}", place(&refused)));
        }
    }
    if let Some(properties) = whole.filter(|_| !args.common.json) {
        output::line("\nThe account, as it was read last");
        match properties {
            Some(properties) => whole_account::lines(&properties).into_iter().for_each(output::line),
            None => output::line("  There is none."),
        }
    }
    Ok(Exit::Converged)
}

/// Every property of the account that the person is joined to; `None` where there is none.
async fn account(
    ports: &MatchPorts,
    state: &State,
    explained: &DecidedPerson,
) -> Result<Option<Vec<Property>>, Failure> {
    let decision = &explained.row.decision;
    let joined = match &decision.join {
        Join::Joined { account, .. } => Some(account),
        Join::Refused { account } => account.as_ref(),
        Join::None | Join::NotLooked => None,
    };
    let Some(id) = joined else { return Ok(None) };
    let stored = ports.store.account(&ports.scope, id).await?;
    Ok(stored.map(|stored| whole_account::properties(&stored.account, &state.loaded.config)))
}

/// The command that allows the person's change, where the last run holds it and it is planned unchanged.
async fn waiting(
    ports: &MatchPorts,
    connection: &ConnectionId,
    explained: &DecidedPerson,
    history: &[Outcome],
    common: &Common,
) -> Result<Option<String>, Failure> {
    let Some(change) = explained.row.decision.change.as_deref() else { return Ok(None) };
    let last = history.first().filter(|last| last.result == OutcomeKind::Held && last.change == change.id);
    let Some(last) = last else { return Ok(None) };
    let run = ports.store.run(connection, &last.run).await?.map(|stored| stored.value);
    let around = Around { options: common.options(), ..Around::default() };
    Ok(run.and_then(|run| around.apply(&run)))
}

/// A change of before, with the row of its plan and who accepted that.
async fn told(
    ports: &MatchPorts,
    connection: &ConnectionId,
    key: &PersonKey,
    outcome: Outcome,
) -> Result<Past, Failure> {
    let run = ports.store.run(connection, &outcome.run).await?.map(|stored| stored.value);
    let accepted = run.as_ref().and_then(|run| run.accepted.clone());
    let mut row = None;
    if run.is_some_and(|run| run.plan.is_some()) {
        // A plan that was cleaned up tells nothing more; the outcome stands without it.
        if let Ok(mut slices) = hardmatch_match::read_plan(ports, &outcome.run).await {
            while let Ok(Some((_, rows))) = slices.next().await {
                row = rows.into_iter().find(|row| row.decision.key == *key);
                if row.is_some() {
                    break;
                }
            }
        }
    }
    Ok(Past { outcome, row, accepted })
}

/// The page of a reason code.
fn reason(text: &str, as_json: bool) -> Result<Exit, Failure> {
    let Some(code) = Code::parse(text) else {
        let wanted = text.to_lowercase();
        let near: Vec<&str> = Code::ALL
            .iter()
            .map(|code| code.as_str())
            .filter(|code| code.split('_').any(|word| wanted.split(['_', '-', ' ']).any(|part| part == word)))
            .collect();
        let all: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let (word, list) = if near.is_empty() { ("The codes are", all) } else { ("Perhaps", near) };
        return Err(Failure::usage(format!("there is no reason code {text}. {word}: {}", list.join(", "))));
    };
    let page = page(code);
    if as_json {
        output::document(&json!({
            "v": 1,
            "code": code.as_str(),
            "weight": code.weight(),
            "sentence": code.sentence(),
            "remedy": code.remedy(),
            "title": page.title,
            "meaning": page.meaning,
            "causes": page.causes,
            "cure": page.cure,
        }));
    } else {
        output::line(page.text(output::text_width()));
    }
    Ok(Exit::Converged)
}

/// Says so when the file is not the policy that people were decided under.
fn stale_policy(state: &State, meta: &Meta) {
    if meta.policy.hash != hardmatch_policy::policy_hash(&state.loaded.text) {
        output::note(format!(
            "{} has changed since the last run; this is decided under the policy of that run. `hardmatch plan` takes the new one.",
            state.loaded.path.display()
        ));
    }
}

/// The person whose name has this part. Where nobody has, why: never seen, or their entry could not be understood.
async fn by_part(
    ports: &MatchPorts,
    connection: &ConnectionId,
    meta: &Meta,
    wanted: &str,
) -> Result<PersonRef, Failure> {
    let key = PersonKey::new(wanted);
    if let Some(refused) = refused_entry(ports, connection, meta, &key).await? {
        return Err(Failure::usage(format!(
            "{wanted} was never understood: the source's entry is refused. {}",
            place(&refused)
        )));
    }
    let line = match wanted.strip_prefix("line ").and_then(|line| line.trim().parse::<u64>().ok()) {
        Some(line) => refused_entries(ports, connection, meta).await?.into_iter().find(|entry| entry.line == line),
        None => None,
    };
    if let Some(refused) = line {
        return Err(Failure::usage(format!("the entry was refused. {}", place(&refused))));
    }
    let near = match who::by_part(ports, connection, wanted).await? {
        Found::One(found, others) => {
            if others > 0 {
                let people =
                    if others == 1 { "1 other person fits".to_owned() } else { format!("{others} others fit") };
                output::note(format!("{people} {wanted} less well; a longer part of a name finds them."));
            }
            return Ok(found);
        }
        Found::Nobody(near) => near,
    };
    let refused = refused_entries(ports, connection, meta).await?.len();
    let nobody = who::nobody(wanted, &near);
    Err(match refused {
        0 => nobody,
        1 => Failure::usage(format!(
            "{nobody}. Of the last listing 1 entry could not be understood; `hardmatch runs show` names it"
        )),
        several => Failure::usage(format!(
            "{nobody}. Of the last listing {several} entries could not be understood; `hardmatch runs show` names them"
        )),
    })
}

async fn refused_entry(
    ports: &MatchPorts,
    connection: &ConnectionId,
    meta: &Meta,
    key: &PersonKey,
) -> Result<Option<RefusedEntry>, Failure> {
    let entries = refused_entries(ports, connection, meta).await?;
    Ok(entries
        .into_iter()
        .find(|entry| entry.key.as_ref().is_some_and(|have| have.as_str().eq_ignore_ascii_case(key.as_str()))))
}

async fn refused_entries(
    ports: &MatchPorts,
    connection: &ConnectionId,
    meta: &Meta,
) -> Result<Vec<RefusedEntry>, Failure> {
    let Some(run) = &meta.schedule.run else { return Ok(Vec::new()) };
    let run = ports.store.run(connection, run).await?;
    Ok(run.map(|run| run.value.refused_entries).unwrap_or_default())
}
