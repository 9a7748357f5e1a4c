//! `repair learned`: immutable IDs that the tenant has and the source does not know, for the source. A directory is written
//! to; of a file its owner enters them.

use hardmatch_domain::change::Join;
use hardmatch_domain::ids::{ImmutableId, ObjectId, PersonKey, PersonRef};
use hardmatch_domain::link::JoinRule;
use hardmatch_domain::reason::Code;
use hardmatch_domain::write_back::{CONSISTENCY_GUID, PlannedWriteBack, TenantValue, stored_form};
use hardmatch_match::NewRun;
use hardmatch_policy::Location;
use hardmatch_ports::run::{Intent, PlanRow, SourceWrite, SourceWriteResult, SourceWrites};
use hardmatch_ports::source::{WriteBack, WrittenBack};
use hardmatch_store::PersonHash;
use serde::Serialize;
use serde_json::json;

use crate::args::RepairLearnedArgs;
use crate::commands::run::{drive, engine, new_run};
use crate::commands::shown::read_whole;
use crate::engine::Engine;
use crate::fail::{Exit, Failure};
use crate::output;

/// Attributes that a directory sets by itself.
const SET_BY_THE_DIRECTORY: [&str; 4] = ["objectGUID", "entryUUID", "nsUniqueId", "objectSid"];

/// An immutable ID that the source is to learn.
#[derive(Debug, Serialize)]
struct Learned {
    person: PersonKey,
    upn: String,
    account: ObjectId,
    immutable_id: ImmutableId,
    /// What became of it at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// By which rule the person was joined.
    #[serde(skip)]
    joined_by: JoinRule,
}

pub(super) async fn learned(args: &RepairLearnedArgs) -> Result<Exit, Failure> {
    args.common.here("repair learned", "Read both sides from the machine that holds the connection's file")?;
    let (engine, meta) = engine(&args.common).await?;
    let result = Box::pin(all(&engine, &meta, args.write)).await;
    let connection = engine.connection().clone();
    engine.stop().await;
    let learned = result?;
    let open = learned.iter().any(|one| !matches!(one.source, Some("written" | "already-there")));
    if args.common.json {
        output::document(&json!({ "v": 1, "connection": connection, "learned": learned }));
        return Ok(if open { Exit::Attention } else { Exit::Converged });
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::run(format!("the list could not be written: {error}"));
    table.write_record(["key", "userPrincipalName", "immutableId"]).map_err(failed)?;
    for one in &learned {
        table.write_record([one.person.as_str(), &one.upn, one.immutable_id.as_str()]).map_err(failed)?;
    }
    let bytes = table.into_inner().map_err(|error| Failure::run(error.to_string()))?;
    output::line(String::from_utf8_lossy(&bytes).trim_end());
    for one in &learned {
        if let Some(source) = one.source {
            let why = one.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            output::note(format!("{}: {source}{why}", one.person.as_str()));
        }
    }
    output::note(format!("{} immutable IDs are known to the tenant and not to the source.", learned.len()));
    Ok(if open { Exit::Attention } else { Exit::Converged })
}

async fn all(engine: &Engine, meta: &hardmatch_store::connection::Meta, write: bool) -> Result<Vec<Learned>, Failure> {
    let run = drive(engine, meta, NewRun { everybody: true, ..new_run(engine, Intent::Plan) }).await?;
    let run = read_whole(run)?;
    let mut learned = Vec::new();
    let mut slices = hardmatch_match::read_plan(&engine.deciding, &run.id).await?;
    while let Some((_, rows)) = slices.next().await? {
        for row in rows {
            learned.extend(of_person(engine, row).await?);
        }
    }
    drop(slices);
    if write {
        hand_over(engine, &run.id, &mut learned).await?;
    }
    Ok(learned)
}

/// The ID of a person's account that the source is to learn: the policy lets the tenant's stand, or the source has none.
async fn of_person(engine: &Engine, row: PlanRow) -> Result<Option<Learned>, Failure> {
    let Join::Joined { account, rule } = &row.decision.join else { return Ok(None) };
    let joined_by = *rule;
    let person = row.decision.key.clone();
    let who = PersonRef { connection: engine.connection().clone(), key: person.clone() };
    let (store, scope) = (engine.store(), &engine.deciding.scope);
    let known = store.person(&who).await?.map(|record| record.person.anchors).unwrap_or_default();
    let is_learned = row.decision.reasons.iter().any(|reason| reason.code == Code::AnchorLearned);
    if !is_learned && !known.is_empty() {
        return Ok(None);
    }
    let id = store.account(scope, account).await?.and_then(|item| item.account.immutable_id);
    let id = id.filter(|id| known.iter().all(|anchor| anchor.id != *id));
    let learned = id.map(|immutable_id| Learned {
        person,
        upn: row.upn.to_string(),
        account: account.clone(),
        immutable_id,
        source: None,
        why: None,
        joined_by,
    });
    Ok(learned)
}

/// Hands the IDs to the source, in the first anchor attribute that can be written.
async fn hand_over(engine: &Engine, run: &str, learned: &mut [Learned]) -> Result<(), Failure> {
    let from = &engine.state.loaded.config.anchor.from;
    let writable = |name: &&String| !SET_BY_THE_DIRECTORY.iter().any(|set| set.eq_ignore_ascii_case(name));
    let Some(attribute) = from.iter().find(writable) else {
        return Err(Failure::usage(format!(
            "the directory sets {} by itself. Name an attribute that can be written first in [anchor] from, such as {CONSISTENCY_GUID}",
            from.join(" and ")
        )));
    };
    let mut values = Vec::with_capacity(learned.len());
    let mut asked = Vec::with_capacity(learned.len());
    for one in learned.iter_mut() {
        let Some(value) = stored_form(attribute, one.immutable_id.as_str()) else {
            one.source = Some("refused");
            one.why = Some(format!(
                "it is no GUID, and {attribute} takes sixteen bytes. Enter it in a text attribute, and name that one in [anchor] from"
            ));
            continue;
        };
        values.push(WriteBack { key: one.person.clone(), attribute: attribute.as_str().into(), values: vec![value] });
        asked.push(one);
    }
    let takes = matches!(engine.state.loaded.config.source.location, Location::Directory(_) | Location::Several(_));
    let mut journal: Vec<(PersonHash, SourceWrites)> =
        asked.iter().filter(|_| takes).map(|one| journaled(engine, run, attribute, one)).collect();
    // Before anything is sent, as runs have it: the next reading shows what became of a value whose answer was lost.
    put(engine, &journal).await?;
    let written = engine.source().write_back(&values).await.map_err(|error| Failure::run(error.to_string()))?;
    for (at, (one, written)) in asked.into_iter().zip(written).enumerate() {
        for value in journal.get_mut(at).into_iter().flat_map(|(_, entry)| &mut entry.values) {
            value.result = Some(match &written {
                WrittenBack::Written => SourceWriteResult::Written,
                WrittenBack::AlreadyThere => SourceWriteResult::AlreadyThere,
                WrittenBack::Kept => SourceWriteResult::Kept,
                WrittenBack::ByHand | WrittenBack::Refused { .. } => SourceWriteResult::Refused,
            });
        }
        (one.source, one.why) = match written {
            WrittenBack::Written => (Some("written"), None),
            WrittenBack::AlreadyThere => (Some("already-there"), None),
            WrittenBack::Kept => {
                (Some("kept"), Some(format!("{attribute} has another value, which is never overwritten")))
            }
            WrittenBack::ByHand => {
                (Some("by-hand"), Some("nobody writes to this source: enter the value where it comes from".to_owned()))
            }
            WrittenBack::Refused { problem, cure } => (Some("refused"), Some(format!("{problem}. {cure}"))),
        };
    }
    put(engine, &journal).await
}

fn journaled(engine: &Engine, run: &str, attribute: &str, one: &Learned) -> (PersonHash, SourceWrites) {
    let value = PlannedWriteBack {
        attribute: attribute.into(),
        from: TenantValue::ImmutableId,
        values: [one.immutable_id.as_str().into()].into(),
    };
    let writes = SourceWrites {
        v: 1,
        run: run.to_owned(),
        key: one.person.clone(),
        account: one.account.clone(),
        joined_by: one.joined_by,
        at_ms: engine.deciding.clock.now().as_millisecond(),
        values: vec![SourceWrite { value, result: None, problem: None }],
    };
    let who = PersonRef { connection: engine.connection().clone(), key: one.person.clone() };
    (engine.store().pid(&who), writes)
}

async fn put(engine: &Engine, journal: &[(PersonHash, SourceWrites)]) -> Result<(), Failure> {
    let (store, c) = (engine.store(), engine.connection());
    let writes = journal.iter().map(|(pid, writes)| store.put_source_writes(c, *pid, writes)).collect();
    Ok(store.write_all(writes).await?)
}
