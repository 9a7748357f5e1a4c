//! Renders the sample company's run into a folder: `cargo run -p hardmatch-report --example sample_report -- FOLDER [COPIES]`.
//! With `COPIES` every person is there so many times, to see how a large report behaves.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use hardmatch_ports::run::{Outcome, PlanRow, Run};
use hardmatch_report::{Color, FileNames, ReportBuilder, Style, outcome_table, summary_lines};

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
    for _ in 0..copies {
        for row in &rows {
            report.row(row, outcomes.get(&row.decision.key).copied())?;
        }
    }
    let page = folder.join("report.html");
    std::fs::write(&page, report.finish(&run)?.html)?;

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

fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>, serde_json::Error> {
    text.lines().map(serde_json::from_str).collect()
}
