//! `plan --record` and `plan --from`: the facts of a run in a file, and plans from it with nobody asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hardmatch_domain::change::{ChangeId, Decision};
#[cfg(feature = "aws")]
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::ids::PersonKey;
use hardmatch_embedded::{FileTable, FolderBlobs, Missing, ProcessDoorbell, TableOptions};
use hardmatch_match::MatchPorts;
use hardmatch_policy::Config;
use hardmatch_ports::run::{PlanRow, Run};
use hardmatch_ports::{Clock, Table};
use hardmatch_report::{step_lines, visible};
use hardmatch_runtime::ManualClock;
use hardmatch_store::Store;
use hardmatch_store::connection::Meta;
use hardmatch_wiring::connections::scope;
use hardmatch_wiring::policies::CompiledPolicies;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use ulid::Ulid;

use crate::args::PlanArgs;
use crate::commands::rows::{self, Printed};
use crate::commands::shown::{ExitBy, Rows, Wanted, show_plan};
use crate::connection::{Loaded, ProcessMetrics, State, folder, load};
use crate::fail::{Exit, Failure};
use crate::output;

/// People who are decided otherwise and are named; all of them with `--all` and in JSON.
const NAMED: usize = 40;

/// Keeps the facts of the plan that was just made.
pub(crate) async fn record(state: &State, to: &Path) -> Result<(), Failure> {
    let file = state.file.as_ref().ok_or_else(|| Failure::usage("a recording is made of a state file"))?;
    file.copy_to(to).await?;
    output::note(format!("The facts of this plan are in {}. They are personal data.", to.display()));
    Ok(())
}

/// A recording is never written over another one.
pub(crate) fn new_file(args: &PlanArgs) -> Result<(), Failure> {
    match args.record.as_ref().filter(|to| to.exists()) {
        Some(to) => Err(Failure::usage(format!("{} is there already; name a new file", to.display()))),
        None => Ok(()),
    }
}

/// Keeps the facts of a run whose table holds more than one connection, and cannot be copied as a file: each item is read. A
/// part of a recording is of no use to anybody.
#[cfg(feature = "aws")]
pub(crate) async fn record_facts(ports: &MatchPorts, run: &Run, to: &Path) -> Result<(), Failure> {
    let copied = match copy_facts(ports, run, to).await {
        Ok(()) => Box::pin(decides_alike(run, to)).await,
        Err(failure) => Err(failure),
    };
    if copied.is_err() {
        _ = std::fs::remove_file(to);
    }
    copied?;
    output::note(format!("The facts of this plan are in {}. They are personal data.", to.display()));
    Ok(())
}

#[cfg(feature = "aws")]
async fn copy_facts(ports: &MatchPorts, run: &Run, to: &Path) -> Result<(), Failure> {
    let text = ports.store.policy(&run.connection, run.policy_revision).await?;
    let text = text.ok_or_else(|| Failure::run("the run's configuration is kept no longer"))?;
    let policy = ports.policies.compile(&text, run.policy_revision).map_err(Failure::run)?;
    let options = TableOptions { missing: Missing::Create, ..TableOptions::default() };
    let file = FileTable::open(to, &options)?;
    let store = ports.store.entering(Lookups::of(&policy));
    store.copy_facts(&ports.scope, &run.connection, &run.id, &file).await?;
    Ok(())
}

/// Facts that somebody wrote while they were copied make another plan: the copy is decided once and compared.
#[cfg(feature = "aws")]
async fn decides_alike(run: &Run, to: &Path) -> Result<(), Failure> {
    let hash = |run: &Run| run.plan.as_ref().map(|plan| plan.hash.clone());
    let recording = Recording::open(to).await?;
    if recording.run.id == run.id && hash(&recording.decide(run.policy_revision).await?) == hash(run) {
        return Ok(());
    }
    Err(Failure::run(
        "something was written, or another run began, while the facts were copied. Record again with the same command",
    ))
}

/// `plan --from`: the recorded plan, or whom another configuration decides otherwise.
pub(crate) async fn plan(file: &Path, args: &PlanArgs) -> Result<Exit, Failure> {
    let recording = Recording::open(file).await?;
    let before = recording.decide(recording.run.policy_revision).await?;
    let other = args.common.named_config().map(load).transpose()?;
    let Some(other) = other else {
        let now = recording.run.started_ms / 1000;
        let printed = Printed::of(&recording.config, &recording.meta, &args.common, args.all, now);
        let wanted = Wanted {
            rows: if args.rows { Rows::Shown } else { Rows::Left },
            exit: if args.detailed_exitcode { ExitBy::Changes } else { ExitBy::People },
        };
        return show_plan(&recording.ports, &before, &args.common, &printed, wanted).await;
    };
    recording.can_decide(&other.config)?;
    let revision = recording.enter(&other).await?;
    let old = recording.rows(&before).await?;
    let new = recording.rows(&recording.decide(revision).await?).await?;
    Ok(show_difference(&old, &new, args))
}

/// What a configuration decides from recorded facts, by person.
pub(crate) async fn decided(file: &Path, loaded: &Loaded) -> Result<BTreeMap<PersonKey, PlanRow>, Failure> {
    let recording = Recording::open(file).await?;
    recording.can_decide(&loaded.config)?;
    let revision = recording.enter(loaded).await?;
    recording.rows(&recording.decide(revision).await?).await
}

/// A recording, opened as a copy: what is decided from it changes nothing of it.
struct Recording {
    ports: MatchPorts,
    meta: Meta,
    run: Run,
    config: Config,
    _folder: TempDir,
}

impl Recording {
    async fn open(file: &Path) -> Result<Self, Failure> {
        let unusable = |why: &str| {
            Failure::usage(format!("{} {why}. Make a recording with: hardmatch plan --record FILE", file.display()))
        };
        let copies = tempfile::tempdir().map_err(Failure::run)?;
        let copy = copies.path().join("recording.db");
        std::fs::copy(file, &copy).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let options = TableOptions { missing: Missing::Refuse, ..TableOptions::default() };
        let table = FileTable::open(&copy, &options).map_err(|_| unusable("is no recording"))?;
        table.check().await.map_err(|_| unusable("is damaged"))?;
        let table: Arc<dyn Table> = Arc::new(table);
        let store = Store::open(Arc::clone(&table)).await?;
        let connections = store.connections().await?;
        let [connection] = &connections[..] else { return Err(unusable("does not hold one connection")) };
        let meta = store.meta(connection).await?;
        let run = match &meta.schedule.run {
            Some(run) => store.run(connection, run).await?.map(|run| run.value),
            None => None,
        };
        let run = run.ok_or_else(|| unusable("holds no run"))?;
        let text = store.policy(connection, run.policy_revision).await?;
        let text = text.ok_or_else(|| unusable("holds no configuration"))?;
        let config = Config::load(&text, "recorded configuration", folder(file))
            .map_err(|problems| Failure::usage(problems.lines()))?;
        let tenant = meta.status.tenant.clone().ok_or_else(|| unusable("was made before the tenant was read"))?;
        // Decisions depend on the time, which stands still at the time of the recording.
        let at = Timestamp::from_millisecond(run.started_ms).map_err(Failure::run)?;
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(at));
        let ports = MatchPorts {
            store,
            scope: scope(&config, &tenant),
            blobs: Arc::new(FolderBlobs::new(copies.path().join("files"))),
            doorbell: Arc::new(ProcessDoorbell::new(Arc::clone(&clock))),
            clock,
            policies: Arc::new(CompiledPolicies::new(folder(file))),
            metrics: Arc::new(ProcessMetrics { client: None, table }),
            deadline: None,
        };
        Ok(Self { ports, meta, run, config, _folder: copies })
    }

    /// Whether the facts that were recorded are those that another configuration would have read.
    fn can_decide(&self, other: &Config) -> Result<(), Failure> {
        let read_by = |config: &Config| {
            let sources = config.sources().into_iter();
            let named = sources.map(|(name, source)| {
                (name.map(str::to_owned), source.columns.clone(), source.words.clone(), source.key.clone())
            });
            named.collect::<Vec<_>>()
        };
        let proving = &self.config.matching.prove;
        let differs = if self.config.connection != other.connection {
            "another connection"
        } else if self.config.tenant.id != other.tenant.id {
            "another tenant"
        } else if read_by(&self.config) != read_by(other) {
            "other columns of the source"
        } else if self.config.anchor.from != other.anchor.from {
            "another anchor"
        } else if other.matching.prove.iter().any(|attribute| !proving.contains(attribute)) {
            "another attribute that proves identity"
        } else {
            return Ok(());
        };
        Err(Failure::usage(format!(
            "the configuration names {differs}, which changes the facts themselves. Record again with it: hardmatch plan --record FILE"
        )))
    }

    /// Enters another configuration; its revision.
    async fn enter(&self, other: &Loaded) -> Result<u64, Failure> {
        let revision = self.meta.policy.revision + 1;
        self.ports.store.put_policy(&self.run.connection, revision, &other.text).await?;
        Ok(revision)
    }

    async fn decide(&self, revision: u64) -> Result<Run, Failure> {
        // The same recording gives the same plan, to the letter: its run is named after the recorded one. The report of a
        // replayed plan goes with the copy it is made from.
        let at = u64::try_from(self.run.started_ms).unwrap_or_default();
        let id = Ulid::from_parts(at, u128::from(revision)).to_string();
        let run = hardmatch_match::replay(&self.ports, &self.run, &id, revision).await?;
        Ok(Run { report: None, ..run })
    }

    async fn rows(&self, run: &Run) -> Result<BTreeMap<PersonKey, PlanRow>, Failure> {
        let rows = rows::read(&self.ports, run, usize::MAX).await?;
        Ok(rows.into_iter().map(|row| (row.decision.key.clone(), row)).collect())
    }
}

/// What makes two decisions the same for the person whom they are about.
fn verdict(decision: &Decision) -> (Option<&ChangeId>, Vec<&str>) {
    let reasons = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
    (decision.change.as_ref().map(|change| &change.id), reasons)
}

fn document(row: Option<&PlanRow>) -> Value {
    row.map_or(Value::Null, |row| {
        let (change, reasons) = verdict(&row.decision);
        let steps = steps(Some(row));
        json!({ "action": row.decision.action.name(), "reasons": reasons, "change": change, "steps": steps })
    })
}

/// What a row would write, a line each.
fn steps(row: Option<&PlanRow>) -> Vec<String> {
    let change = row.and_then(|row| row.decision.change.as_deref());
    change.map(|change| step_lines(&change.steps)).unwrap_or_default()
}

fn words(row: Option<&PlanRow>) -> String {
    let said = |row: &PlanRow| format!("{} ({})", row.decision.action.name(), verdict(&row.decision).1.join(", "));
    row.map_or_else(|| "not decided".to_owned(), said)
}

fn show_difference(old: &BTreeMap<PersonKey, PlanRow>, new: &BTreeMap<PersonKey, PlanRow>, args: &PlanArgs) -> Exit {
    let mut keys: Vec<&PersonKey> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let of = |rows: &BTreeMap<PersonKey, PlanRow>, key: &PersonKey| {
        rows.get(key).map(|row| (verdict(&row.decision).0.cloned(), verdict(&row.decision).1.join(" ")))
    };
    let different: Vec<&PersonKey> = keys.iter().copied().filter(|key| of(old, key) != of(new, key)).collect();
    let same = keys.len() - different.len();
    let name = |key: &PersonKey| {
        let row = new.get(key).or_else(|| old.get(key));
        row.map(|row| (visible(&row.name).into_owned(), visible(&row.upn).into_owned())).unwrap_or_default()
    };
    if args.common.json {
        let people = different.iter().map(|key| {
            let row = new.get(*key).or_else(|| old.get(*key));
            json!({
                "key": key,
                "name": row.map(|row| &row.name),
                "upn": row.map(|row| &row.upn),
                "before": document(old.get(*key)),
                "after": document(new.get(*key)),
            })
        });
        output::document(&json!({ "v": 1, "same": same, "different": people.collect::<Vec<_>>() }));
    } else {
        output::line(match different.len() {
            0 => format!("Nobody is decided otherwise ({same} people)."),
            1 => format!("1 person is decided otherwise, {same} as before:"),
            many => format!("{many} people are decided otherwise, {same} as before:"),
        });
        let named = if args.all { different.len() } else { NAMED };
        for key in different.iter().take(named) {
            let (name, upn) = name(key);
            output::line(format!("  {name} <{upn}>"));
            output::line(format!("    {} → {}", words(old.get(*key)), words(new.get(*key))));
            let (before, after) = (steps(old.get(*key)), steps(new.get(*key)));
            for line in before.iter().filter(|line| !after.contains(line)) {
                output::line(format!("      - {line}"));
            }
            for line in after.iter().filter(|line| !before.contains(line)) {
                output::line(format!("      + {line}"));
            }
        }
        if different.len() > named {
            output::line(format!("  … and {} more (--all shows everybody)", different.len() - named));
        }
    }
    if args.detailed_exitcode && !different.is_empty() { Exit::Changes } else { Exit::Converged }
}
