//! `demo`: the sample company against a simulated tenant. Nothing leaves this machine.

mod folder;

use std::collections::BTreeMap;
use std::path::Path;

use hardmatch_domain::change::Action;
use hardmatch_domain::ids::PersonKey;
use hardmatch_match::NewRun;
use hardmatch_ports::run::{Intent, Outcome, OutcomeKind, Phase, PlanRow, Run, Status};
use hardmatch_report::{outcome_table, plan_table};

use crate::args::{Common, DemoArgs};
use crate::commands::place::place;
use crate::commands::run::{apply_hash, drive, engine, new_run};
use crate::commands::{rows, shown};
use crate::fail::{Exit, Failure};
use crate::output;

pub(crate) async fn demo(args: DemoArgs) -> Result<Exit, Failure> {
    let common = Common { config: args.folder.join(folder::CONFIG), stack: None, connection: None, json: false };
    let there = folder::is_demo(&args.folder);
    if args.keep && there {
        return go_on(&common).await;
    }
    folder::begin(&args.folder, crate::connection::clock().now())?;
    introduce(&args.folder);

    headline("1. The plan: hardmatch reads both sides, joins, and says what it would do and why.");
    let planned = plan(&common).await?;
    let demonstrates = folder::demonstrates();
    output::table(plan_table(&lead(&planned.rows, &demonstrates), output::style()));
    for refused in &planned.run.refused_entries {
        output::line(format!("The source's entry {} is refused. {}", name(refused.key.as_ref()), place(refused)));
    }
    let Some(head) = &planned.run.plan else { return Err(Failure::run("the demo's plan did not come about")) };

    headline(&format!("2. hardmatch apply {}: exactly this plan is written.", head.short()));
    let applied = apply(&common, &head.hash).await?;
    output::line(told(&applied));

    headline("3. The same again: everybody is looked at once more, and there is nothing left to write.");
    let again = sync(&common, Everybody::Again).await?;
    let written: Vec<PlanRow> =
        again.rows.iter().filter(|row| was_written(&applied, &row.decision.key)).cloned().collect();
    output::table(plan_table(&written, output::style()));
    output::line(told(&again));

    if let Some(report) = &applied.run.report {
        output::line(format!("\nThe report of what was done: {report}"));
    }
    suggest(&args.folder);
    Ok(Exit::Converged)
}

/// A run at rest with its rows.
struct Told {
    run: Run,
    rows: Vec<PlanRow>,
    outcomes: BTreeMap<PersonKey, Outcome>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Everybody {
    Again,
    OnlyChanged,
}

async fn plan(common: &Common) -> Result<Told, Failure> {
    Box::pin(rested(common, Intent::Plan, Everybody::OnlyChanged)).await
}

async fn sync(common: &Common, everybody: Everybody) -> Result<Told, Failure> {
    Box::pin(rested(common, Intent::Sync, everybody)).await
}

/// Each run is a process of its own when commands do it; here each has an engine of its own, so that its counts are.
async fn rested(common: &Common, intent: Intent, everybody: Everybody) -> Result<Told, Failure> {
    let (engine, meta) = engine(common).await?;
    let new = NewRun { everybody: everybody == Everybody::Again, ..new_run(&engine, intent) };
    let told = match drive(&engine, &meta, new).await {
        Ok(run) if run.status == Some(Status::Incomplete) => Err(Failure::run(shown::incomplete(&run))),
        Ok(run) => tell(&engine, run).await,
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    told
}

async fn apply(common: &Common, hash: &str) -> Result<Told, Failure> {
    let (engine, _) = engine(common).await?;
    let told = match apply_hash(&engine, hash).await {
        Ok(run) => tell(&engine, run).await,
        Err(failure) => Err(failure),
    };
    engine.stop().await;
    told
}

async fn tell(engine: &crate::engine::Engine, run: Run) -> Result<Told, Failure> {
    let rows = rows::read(&engine.deciding, &run, usize::MAX).await?;
    let outcomes = rows::outcomes(&engine.deciding, &run, &rows).await?;
    Ok(Told { run, rows, outcomes })
}

/// A demo that is there already is synchronised, and what changed is shown.
async fn go_on(common: &Common) -> Result<Exit, Failure> {
    output::line(format!("Going on with the demo in {}.\n", run_folder(common).display()));
    let told = sync(common, Everybody::OnlyChanged).await?;
    let changed: Vec<&PlanRow> = told.rows.iter().filter(|row| row.decision.action != Action::None).collect();
    let waiting = told.rows.len() - changed.len();
    if !changed.is_empty() {
        let pairs = changed.iter().map(|row| (*row, told.outcomes.get(&row.decision.key)));
        output::table(outcome_table(pairs, output::style()));
    }
    for refused in &told.run.refused_entries {
        output::line(format!("The source's entry {} is refused. {}", name(refused.key.as_ref()), place(refused)));
    }
    if told.run.phase == Phase::Planned {
        if let Some(plan) = &told.run.plan {
            output::line(format!(
                "The rules reach more than before, so nothing is written yet. Apply this plan with: hardmatch apply {} --config {}",
                plan.short(),
                common.config.display()
            ));
        }
    } else {
        output::line(told_line(&told.run));
    }
    output::line(format!(
        "{waiting} more were looked at and need no write; `hardmatch runs show --config {}` shows them.",
        common.config.display()
    ));
    if let Some(report) = &told.run.report {
        output::line(format!("The report: {report}"));
    }
    Ok(Exit::Converged)
}

fn run_folder(common: &Common) -> &Path {
    crate::connection::folder(&common.config)
}

fn name(key: Option<&PersonKey>) -> String {
    key.map(|key| key.as_str().to_owned()).unwrap_or_default()
}

/// The rows with the reason they demonstrate in front: the table shows one.
fn lead(rows: &[PlanRow], demonstrates: &BTreeMap<String, String>) -> Vec<PlanRow> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        if let Some(code) = demonstrates.get(row.decision.key.as_str()) {
            row.decision.reasons.sort_by_key(|reason| reason.code.as_str() != code);
        }
    }
    rows
}

fn was_written(told: &Told, key: &PersonKey) -> bool {
    told.outcomes.get(key).is_some_and(|outcome| outcome.result == OutcomeKind::Done)
}

fn told(told: &Told) -> String {
    told_line(&told.run)
}

fn headline(text: &str) {
    output::line("");
    output::line(text);
    output::line("");
}

/// What was done, in numbers.
fn told_line(run: &Run) -> String {
    let people = run.plan.as_ref().map_or(0, |plan| plan.people);
    let outcomes: Vec<String> = run.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let outcomes = if outcomes.is_empty() { "nothing to do".to_owned() } else { outcomes.join(", ") };
    format!(
        "{people} people decided: {outcomes}. {} requests to the tenant carried {} writes.",
        run.tenant_calls.requests, run.tenant_calls.writes
    )
}

fn introduce(folder: &Path) {
    output::line(format!(
        "A sample company in {}: {} people in people.csv, and a simulated",
        folder.display(),
        folder::demonstrates().len()
    ));
    output::line(
        "Microsoft 365 tenant on this machine, spoken to over HTTP as the real one is. Nothing leaves this machine.",
    );
    output::line("Each person demonstrates one rule; the last column says which, and why.");
}

fn suggest(folder: &Path) {
    let config = folder.join(folder::CONFIG);
    output::line("\nGo on playing:");
    output::line(format!("  hardmatch explain karl --config {}", config.display()));
    output::line(format!(
        "  edit {}: change a title, delete a row, add a person; then",
        folder.join("people.csv").display()
    ));
    output::line(format!("  hardmatch demo --keep --folder {}", folder.display()));
    output::line(format!("  hardmatch doctor --config {}", config.display()));
    output::line("  hardmatch init --from YOUR-PEOPLE.csv   your own directory, still a simulated tenant");
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::reason::Code;
    use hardmatch_report::{Color, Style};

    use super::*;

    /// Everybody of the sample company shows what their row says, the plan is applied, and nothing is left.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everybody_demonstrates_their_rule_and_the_second_run_writes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("demo");
        folder::begin(&folder, crate::connection::clock().now()).unwrap();
        let common = Common { config: folder.join(folder::CONFIG), stack: None, connection: None, json: false };

        let planned = plan(&common).await.unwrap();
        let demonstrates = folder::demonstrates();
        for (key, code) in &demonstrates {
            let code = Code::parse(code).unwrap_or_else(|| panic!("{key} demonstrates {code}, which is no code"));
            if code == Code::EntryRefused {
                assert!(planned.run.refused_entries.iter().any(|entry| name(entry.key.as_ref()) == *key), "{key}");
                continue;
            }
            let row = planned.rows.iter().find(|row| row.decision.key.as_str() == key);
            let reasons = row.map(|row| row.decision.reasons.clone()).unwrap_or_default();
            assert!(reasons.iter().any(|reason| reason.code == code), "{key} shows {reasons:?}, not {code}");
        }
        let style = Style::Terminal { width: 150, color: Color::Off };
        insta::assert_snapshot!("plan", plan_table(&lead(&planned.rows, &demonstrates), style));

        let applied = apply(&common, &planned.run.plan.unwrap().hash).await.unwrap();
        assert_eq!(applied.run.outcomes, BTreeMap::from([("done".to_owned(), 21)]));
        let again = sync(&common, Everybody::Again).await.unwrap();
        assert_eq!(again.run.tenant_calls.writes, 0);
        assert!(again.run.report.is_some_and(|report| Path::new(&report).exists()));
    }
}
