//! Renders the sample company's run into a folder: `cargo run -p hardmatch-report --example sample_report -- FOLDER [COPIES]`.
//! With `COPIES` every case is there so many times, each with a name of its own, to see how a large report behaves.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::{Color, FileNames, ReportBuilder, RowNotes, Style, Surroundings, outcome_table, summary_lines};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "target/sample-report".to_owned()));
    let copies: u64 = arguments.next().map(|copies| copies.parse()).transpose()?.unwrap_or(1);

    let mut run: Run = serde_json::from_str(include_str!("../tests/fixtures/run.json"))?;
    let rows: Vec<PlanRow> = lines(include_str!("../tests/fixtures/rows.jsonl"))?;
    let outcomes: Vec<Outcome> = lines(include_str!("../tests/fixtures/outcomes.jsonl"))?;
    let outcomes: HashMap<_, _> = outcomes.iter().map(|outcome| (&outcome.key, outcome)).collect();
    if let Some(plan) = &mut run.plan {
        plan.people *= copies;
    }

    std::fs::create_dir_all(&folder)?;
    let names = FileNames { csv: "rows.csv", jsonl: "rows.jsonl" };
    let csv = File::create(folder.join(names.csv))?;
    let jsonl = BufWriter::new(File::create(folder.join(names.jsonl))?);
    let mut report = ReportBuilder::new(names, csv, jsonl);
    for copy in 0..copies {
        for row in &rows {
            let outcome = outcomes.get(&row.decision.key).copied();
            let row = if copy == 0 { row.clone() } else { another(row, copy)? };
            report.row(&row, outcome, RowNotes::default())?;
        }
    }
    let around = Surroundings {
        portal: Some(
            "https://entra.microsoft.com/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/",
        ),
    };
    let page = folder.join("report.html");
    std::fs::write(&page, report.finish(&run, &around)?.html)?;

    let mut out = std::io::stdout().lock();
    if copies == 1 {
        let style = Style::Terminal { width: 120, color: Color::Off };
        let with_outcomes = rows.iter().map(|row| (row, outcomes.get(&row.decision.key).copied()));
        out.write_all(outcome_table(with_outcomes, style).as_bytes())?;
    }
    for line in summary_lines(&run) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{}", page.display())?;
    Ok(())
}

/// The same case with another person's name and values, since texts that repeat take less room.
fn another(row: &PlanRow, copy: u64) -> Result<PlanRow, serde_json::Error> {
    let local = row.upn.split('@').next().unwrap_or_default();
    let name = serde_json::to_string(&row.name)?;
    let text =
        serde_json::to_string(row)?.replace(name.trim_matches('"'), &format!("{} {copy}", name.trim_matches('"')));
    serde_json::from_str(&if local.is_empty() { text } else { text.replace(local, &format!("{local}.{copy}")) })
}

fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, serde_json::Error> {
    text.lines().map(serde_json::from_str).collect()
}
