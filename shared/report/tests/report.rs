//! Stories over the sample company's run: what a report says adds up, and nothing in it can be made to act.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on fails")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::sink;

use hardmatch_domain::guard::Kind;
use hardmatch_domain::reason::Code;
use hardmatch_ports::run::{Accepted, Compute, LimitNote, Outcome, Phase, PlanRow, ReadMode, Run, Seats, Status, Stop};
use hardmatch_report::cost::US_EAST_1;
use hardmatch_report::{
    Acknowledged, Around, Check, CheckState, Color, CsvRows, Digest, FileNames, Forecast, Limit, List, Past, Report,
    ReportBuilder, RowNotes, RowStatus, Style, Surroundings, doctor_table, explain_text, json_text, outcome_table,
    page, plan_document, plan_table, row_document, run_document, runs_table, summary_lines,
};
use serde_json::{Value, json};

const NAMES: FileNames<'static> = FileNames { csv: "rows.csv", jsonl: "rows.jsonl" };
const WIDE: Style = Style::Terminal { width: 120, color: Color::Off };

struct Sample {
    run: Run,
    rows: Vec<PlanRow>,
    outcomes: HashMap<String, Outcome>,
}

fn sample() -> Sample {
    fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    let outcomes: Vec<Outcome> = lines(include_str!("fixtures/outcomes.jsonl"));
    Sample {
        run: serde_json::from_str(include_str!("fixtures/run.json")).unwrap(),
        rows: lines(include_str!("fixtures/rows.jsonl")),
        outcomes: outcomes.into_iter().map(|outcome| (outcome.key.as_str().to_owned(), outcome)).collect(),
    }
}

impl Sample {
    fn outcome(&self, row: &PlanRow) -> Option<&Outcome> {
        self.outcomes.get(row.decision.key.as_str())
    }

    fn row(&self, name: &str) -> &PlanRow {
        self.rows.iter().find(|row| &*row.name == name).unwrap()
    }

    fn report(&self) -> Report<Vec<u8>, Vec<u8>> {
        let mut builder = ReportBuilder::new(NAMES, Vec::new(), Vec::new());
        for row in &self.rows {
            builder.row(row, self.outcome(row), RowNotes::default()).unwrap();
        }
        builder.finish(&self.run, &Surroundings::default()).unwrap()
    }
}

/// The rows that a page draws, as its script reads them.
struct PageRows {
    data: Value,
}

/// The names of the page's lists, in the page's order.
const LISTS: [&str; 6] = ["needs", "waiting", "changes", "later", "acknowledged", "rest"];

impl PageRows {
    fn of(html: &str) -> Self {
        let data = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap().1;
        Self { data: serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap() }
    }

    fn text(&self, number: &Value) -> &str {
        self.data["texts"][usize::try_from(number.as_u64().unwrap()).unwrap()].as_str().unwrap()
    }

    fn list(&self, list: &str) -> &[Value] {
        self.data["lists"][list].as_array().unwrap()
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        LISTS.iter().flat_map(|list| self.list(list))
    }

    fn names(&self, list: &str) -> Vec<&str> {
        self.list(list).iter().map(|row| self.text(&row[1])).collect()
    }

    /// Every text of a person's row.
    fn row(&self, name: &str) -> String {
        let row = self.all().find(|row| self.text(&row[1]) == name).unwrap_or_else(|| panic!("{name} has no row"));
        let mut texts = Vec::new();
        let mut rest = vec![row];
        while let Some(value) = rest.pop() {
            match value {
                Value::Number(number)
                    if number.as_u64() < Some(self.data["texts"].as_array().unwrap().len() as u64) =>
                {
                    texts.push(self.text(value));
                }
                Value::Array(values) => rest.extend(values),
                Value::Object(fields) => rest.extend(fields.values()),
                _ => {}
            }
        }
        texts.join("\n")
    }
}

#[test]
fn a_hostile_name_is_only_text_on_the_page() {
    let sample = sample();
    let html = sample.report().html;
    assert_eq!(html.matches("<script").count(), 2, "our data and our own script only");
    assert_eq!(html.matches("</script").count(), 2, "no name ends the data");
    for foreign in ["<img", "<svg/onload", "<b>forbidden", "<!--"] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let rows = PageRows::of(&html);
    let row = rows.row("</script><img src=x onerror=alert(1)>");
    assert!(row.contains("'\"><svg/onload=alert(2)>@contoso.com"), "{row}");
    assert!(!html.chars().any(|c| c.is_control() && c != '\n'), "control characters are shown, not sent");
    assert!(!html.contains('\u{202e}'), "nothing reverses the page");
    let script = include_str!("../templates/report.js");
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"] {
        assert!(!script.contains(markup), "{markup}: texts are set as text");
    }
}

#[test]
fn the_page_loads_nothing_and_runs_only_what_its_policy_names() {
    let html = sample().report().html;
    let policy = html.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for loading in [" src=", "@import", "url(", "<link", "<iframe", " style=", " onclick=", "javascript:"] {
        let inert = html.matches(loading).count() - html.matches(&format!("\\u003cimg{loading}")).count();
        assert_eq!(inert, 0, "{loading}");
    }
}

#[test]
fn c5_a_refusal_shows_graphs_code_and_request_id_once() {
    let sample = sample();
    let report = sample.report();
    let row = PageRows::of(&report.html).row("Kurt Gödel");
    for told in ["tenant_refused", "Request_BadRequest", "7c2f9f0e-5d1c-4c57-9a39-0c9bb2f5a1aa", "proxyAddresses"] {
        assert!(row.contains(told), "{told}");
    }
    let csv = String::from_utf8(report.csv).unwrap();
    assert_eq!(csv.matches("7c2f9f0e-5d1c-4c57-9a39-0c9bb2f5a1aa").count(), 1);
}

#[test]
fn k1_every_row_says_why_and_every_reason_has_its_section() {
    let sample = sample();
    let html = sample.report().html;
    let rows = PageRows::of(&html);
    for row in &sample.rows {
        for reason in &row.decision.reasons {
            let code = reason.code;
            assert!(rows.row(&hardmatch_report::visible(&row.name)).contains(code.as_str()), "{code} is in the row");
            assert_eq!(rows.data["reasons"][code.as_str()], code.sentence(), "{code} has its sentence");
            assert_eq!(html.matches(&format!("<article id=\"reason-{code}\"")).count(), 1, "{code} is explained once");
        }
    }
    let unused = Code::ALL.iter().find(|code| !html.contains(&format!("\"reason-{code}\""))).unwrap();
    assert!(!html.contains(&format!("<code>{unused}</code>")), "{unused} is not used, so not explained");
}

#[test]
fn page_csv_json_and_terminal_agree_on_every_count() {
    let sample = sample();
    let report = sample.report();
    let rows = PageRows::of(&report.html);
    let tally = &report.tally;
    let people = sample.rows.len() as u64;
    assert_eq!(tally.people, people);
    assert_eq!(tally.by_status.values().sum::<u64>(), people);
    assert_eq!(tally.by_action.values().sum::<u64>(), people);
    assert_eq!(rows.all().count(), sample.rows.len());

    let jsonl = String::from_utf8(report.jsonl).unwrap();
    let documents: Vec<Value> = jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut csv = csv::Reader::from_reader(&report.csv[..]);
    let records: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!((documents.len(), records.len()), (sample.rows.len(), sample.rows.len()));
    for status in RowStatus::ALL {
        let name = status.name();
        let page = rows.all().filter(|row| rows.text(&row[6]) == name).count() as u64;
        let json = documents.iter().filter(|row| row["outcome"] == name).count() as u64;
        let csv = records.iter().filter(|row| &row[4] == name).count() as u64;
        assert_eq!([page, json, csv], [tally.standing(*status); 3], "{name}");
    }
    for (action, count) in &tally.by_action {
        let name = action.name();
        let page = rows.all().filter(|row| rows.text(&row[5]) == name).count() as u64;
        let csv = records.iter().filter(|row| &row[3] == name).count() as u64;
        assert_eq!([page, csv], [*count; 2], "{name}");
    }
    let by_action: BTreeMap<String, u64> =
        tally.by_action.iter().map(|(action, count)| (action.name().to_owned(), *count)).collect();
    assert_eq!(Some(by_action), sample.run.plan.as_ref().map(|plan| plan.by_action.clone()));
    assert!(!report.html.contains("Numbers do not agree"));

    // The terminal's counts are those of the page's lists.
    let text = digest(None, Style::Piped, true);
    let said = |what: &str| -> u64 {
        let counted = text.lines().filter_map(|line| line.trim().split_once("  "));
        counted.filter(|(_, of)| *of == what).filter_map(|(count, _)| count.replace(',', "").parse::<u64>().ok()).sum()
    };
    assert_eq!(rows.list("needs").len() as u64, said("need attention"));
    assert_eq!(rows.list("waiting").len() as u64, said("waiting for approval"));
    assert_eq!(rows.list("later").len() as u64, said("wait for a date or for another change"));
    let undecided = tally.undecided(&sample.run);
    assert_eq!(
        rows.list("rest").len() as u64 + undecided,
        said("skipped") + said("as they should be") + said("unchanged since they were decided last")
    );
    assert_eq!(people + undecided, said("people in all"));
    // CSV, JSON Lines and the run's document have the lists by the names that the page has.
    let mut run = sample.run.clone();
    run.lists = tally.lists();
    let document = run_document(&run);
    for list in List::ALL {
        let name = list.name();
        let page = rows.list(name).len() as u64;
        let json = documents.iter().filter(|row| row["list"] == name).count() as u64;
        let csv = records.iter().filter(|row| &row[20] == name).count() as u64;
        assert_eq!([page, json, csv], [tally.by_list.get(&list).copied().unwrap_or(0); 3], "{name}");
        assert_eq!(document["counts"]["by_list"][name], page, "{name}");
    }
    // Each bar shows what its filter finds.
    let bars = |filter: &str, name: &str| -> Option<u64> {
        let bar = report.html.split_once(&format!("data-{filter}=\"{name}\">"))?.1;
        bar.split_once("data-count=\"")?.1.split_once('"')?.0.parse().ok()
    };
    for status in RowStatus::ALL.iter().filter(|status| tally.standing(**status) > 0) {
        assert_eq!(bars("status", status.name()), Some(tally.standing(*status)), "{status:?}");
    }
    for (action, count) in tally.by_action.iter().filter(|(action, _)| action.name() != "none") {
        assert_eq!(bars("action", action.name()), Some(*count), "{action:?}");
    }
    // No status is called as a list is, so that one word has one number.
    let names = RowStatus::ALL.iter().map(|status| status.words().to_lowercase());
    for title in ["need", "waiting", "changes", "later", "acknowledged", "nothing to do"] {
        assert!(names.clone().all(|name| !name.contains(title)), "{title} is a list");
    }
    // And those of the cards at the top.
    for (list, label) in [("needs", "Need attention"), ("waiting", "Waiting for approval"), ("changes", "Changes")] {
        let card = format!("data-list=\"{list}\"><span>{label}</span> <b>{}</b>", rows.list(list).len());
        assert!(report.html.contains(&card), "{card}");
    }
}

#[test]
fn a_plan_that_is_not_its_rows_is_called_so() {
    let sample = sample();
    let report = ReportBuilder::new(NAMES, sink(), sink()).finish(&sample.run, &Surroundings::default()).unwrap();
    assert!(report.html.contains("The plan is about 46 people and this report has rows of 0 people."));
    assert_eq!(report.html.matches("<p class=\"none\">Nobody.</p>").count(), LISTS.len());
}

/// A page with one person so many times, each under a name of its own.
fn page_of(name: &str, copies: usize) -> Report<Vec<u8>, Vec<u8>> {
    let mut sample = sample();
    sample.run.plan = None;
    let row = sample.row(name).clone();
    let mut builder = ReportBuilder::new(NAMES, Vec::new(), Vec::new());
    for nth in 0..copies {
        // As different as people are: each has values of their own.
        let text = serde_json::to_string(&row).unwrap();
        let local = row.upn.split('@').next().unwrap_or_default();
        let text = text.replace(&*row.name, &format!("{} {nth}", row.name)).replace(local, &format!("{local}.{nth}"));
        let row: PlanRow = serde_json::from_str(&text).unwrap();
        builder.row(&row, None, RowNotes::default()).unwrap();
    }
    builder.finish(&sample.run, &Surroundings::default()).unwrap()
}

#[test]
fn a_page_of_five_thousand_changes_is_below_three_megabytes() {
    let report = page_of("Vint Cerf", 5_000);
    assert!(report.html.len() < 3_000_000, "{} bytes", report.html.len());
    assert_eq!(PageRows::of(&report.html).list("changes").len(), 5_000);
}

#[test]
fn a_large_report_is_cut_and_says_where_the_rest_is() {
    const PEOPLE: usize = 30_000;
    let report = page_of("Ken Thompson", PEOPLE);
    let held = PageRows::of(&report.html).list("rest").len();
    assert!(held > 5_000 && held < PEOPLE, "{held}");
    assert!(report.html.len() < 4_000_000, "{} bytes", report.html.len());
    let said = format!("This page holds {} of these 30,000 people.", hardmatch_report::number(held as u64));
    assert!(report.html.contains(&said), "{said}");
    assert!(report.html.contains("<a href=\"rows.csv\">"));
    assert_eq!(report.tally.people, PEOPLE as u64);
    assert_eq!(String::from_utf8(report.jsonl).unwrap().lines().count(), PEOPLE);
    assert_eq!(String::from_utf8(report.csv).unwrap().lines().count(), PEOPLE + 1, "and a header");
}

#[test]
fn a_full_list_takes_no_room_from_another() {
    let mut sample = sample();
    let (converged, refused) = (sample.row("Ken Thompson").clone(), sample.row("Haskell Curry").clone());
    sample.run.plan = None;
    let mut builder = ReportBuilder::new(NAMES, sink(), sink());
    for _ in 0..60_000 {
        builder.row(&converged, None, RowNotes::default()).unwrap();
    }
    // Refusals that come last are there all the same.
    for _ in 0..3 {
        builder.row(&refused, None, RowNotes::default()).unwrap();
    }
    let html = builder.finish(&sample.run, &Surroundings::default()).unwrap().html;
    let rows = PageRows::of(&html);
    assert!(rows.list("rest").len() < 60_000);
    assert_eq!(rows.list("needs").len(), 3);
}

#[test]
fn the_page_begins_with_the_verdict_and_the_next_command() {
    let mut sample = sample();
    let hash = sample.run.plan.as_ref().unwrap().short().to_owned();
    let head = |sample: &Sample| {
        let html = sample.report().html;
        html.split_once("<p class=\"verdict\">").unwrap().1.split_once("<dl class=\"facts\">").unwrap().0.to_owned()
    };
    let written = head(&sample);
    assert!(written.contains("need somebody to look."), "{written}");
    assert!(written.contains(&format!("<code class=\"cmd\">hardmatch apply {hash}</code>")), "{written}");
    sample.run.stop = Some(Stop::FirstRun);
    sample.run.accepted = None;
    sample.run.closed_ms = None;
    (sample.run.phase, sample.run.status) = (Phase::Planned, Some(Status::Planned));
    let empty = head(&sample);
    assert!(empty.contains("The plan changes nothing.") && !empty.contains("hardmatch apply"), "{empty}");
    sample.run.plan.as_mut().unwrap().changed_slices = 1;
    let planned = head(&sample);
    assert!(planned.contains("To accept exactly what this page shows:"), "{planned}");
    sample.run.stop = None;
    (sample.run.phase, sample.run.status, sample.run.closed_ms) = (Phase::Closed, Some(Status::Incomplete), Some(1));
    sample.rows.retain(|row| RowStatus::of(row, None) == RowStatus::Unchanged);
    let incomplete = head(&sample);
    assert!(incomplete.contains("Look at the problems below, mend them, and run again:"), "{incomplete}");
    sample.run.status = Some(Status::Converged);
    assert!(head(&sample).contains("Nothing has to be done."));
}

#[test]
fn d21_who_is_new_since_the_last_run_is_marked_and_counted() {
    let sample = sample();
    let known = Acknowledged { until: 1_800_000_000, by: "ada".to_owned(), comment: "HR corrects it".to_owned() };
    let mut builder = ReportBuilder::new(NAMES, sink(), sink());
    for row in &sample.rows {
        let acknowledged = (&*row.name == "Kurt Gödel").then_some(&known);
        let notes = RowNotes { new: &*row.name == "Haskell Curry", acknowledged };
        builder.row(row, sample.outcome(row), notes).unwrap();
    }
    let html = builder.finish(&sample.run, &Surroundings::default()).unwrap().html;
    let rows = PageRows::of(&html);
    assert!(html.contains("1 new since the last run"));
    assert!(html.contains("<input id=\"fn\" type=\"checkbox\">"));
    let new: Vec<&Value> = rows.all().filter(|row| row[11]["new"] == true).collect();
    assert_eq!(new.iter().map(|row| rows.text(&row[1])).collect::<Vec<_>>(), ["Haskell Curry"]);
    assert_eq!(rows.names("acknowledged"), ["Kurt Gödel"], "not among those who need attention");
    let said = "Acknowledged until 2027-01-15 by ada: HR corrects it";
    assert_eq!(rows.text(&rows.list("acknowledged")[0][11]["known"]), said);
    assert!(!sample.report().html.contains("new since the last run"), "where nothing is known to be new");
}

#[test]
fn accounts_lead_to_the_admin_center_where_there_is_one() {
    let sample = sample();
    assert_eq!(PageRows::of(&sample.report().html).data["portal"], Value::Null);
    let mut builder = ReportBuilder::new(NAMES, sink(), sink());
    builder.row(&sample.rows[0], None, RowNotes::default()).unwrap();
    let portal = "https://entra.microsoft.com/#view/x/userId/";
    let html = builder.finish(&sample.run, &Surroundings { portal: Some(portal) }).unwrap().html;
    assert_eq!(PageRows::of(&html).data["portal"], portal);
}

#[test]
fn a_reading_of_changes_does_not_say_that_nobody_was_seen() {
    let mut sample = sample();
    let users = sample.run.collections.get_mut("users").unwrap();
    (users.read, users.seen, users.changed) = (Some(ReadMode::Changes), 0, 0);
    let html = sample.report().html;
    let row =
        html.split_once("<tr><th scope=\"row\">Users of the tenant</th>").unwrap().1.split_once("</tr>").unwrap().0;
    assert!(row.contains("<td class=\"num\">changes only</td><td class=\"num\">0</td>"), "{row}");
}

#[test]
fn no_cell_of_the_csv_starts_a_formula() {
    let sample = sample();
    let csv = sample.report().csv;
    let mut reader = csv::Reader::from_reader(&csv[..]);
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), CsvRows::<Vec<u8>>::HEADER);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for cell in records.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        assert!(!cell.chars().any(char::is_control), "{cell}");
    }
    let names: Vec<&str> = records.iter().map(|record| &record[1]).collect();
    assert!(names.contains(&"'=HYPERLINK(\"http://example.com\",\"click\")"));
    assert!(names.contains(&"Bell␇ Escape␛[31m \\u{202e}gpj"));
}

#[test]
fn csv_rows_are_stable() {
    let sample = sample();
    let mut csv = CsvRows::new(Vec::new());
    for name in ["Barbara Liskov", "Charles Babbage", "Kurt Gödel"] {
        let row = sample.row(name);
        csv.row(row, sample.outcome(row)).unwrap();
    }
    insta::assert_snapshot!(String::from_utf8(csv.finish().unwrap()).unwrap().replace('\r', ""));
}

#[test]
fn json_lines_have_the_same_keys_in_every_row() {
    let sample = sample();
    let text = String::from_utf8(sample.report().jsonl).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'));
    let rows: Vec<serde_json::Map<String, Value>> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<&String> = rows[0].keys().collect();
    for (row, given) in rows.iter().zip(&sample.rows) {
        assert_eq!(row.keys().collect::<Vec<_>>(), keys);
        assert_eq!(row["name"], *given.name, "exact, only escaped");
        assert_eq!(Value::Object(row.clone()), row_document(given, sample.outcome(given), None));
    }
}

#[test]
fn documents_are_stable() {
    let sample = sample();
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!("plan_document", plan_document(&sample.run, Some(&[(sample.rows[5].clone(), None)])));
        insta::assert_json_snapshot!("run_document", run_document(&sample.run));
        let refused = sample.row("Kurt Gödel");
        insta::assert_json_snapshot!("row_document", row_document(refused, sample.outcome(refused), None));
    });
    assert_eq!(plan_document(&sample.run, None).get("rows"), None);
}

#[test]
fn printed_json_cannot_steer_a_terminal() {
    let sample = sample();
    let mut row = sample.row("Ken Thompson").clone();
    row.name = "a\u{9b}31m\u{7f}\u{202e}\u{1b}".into();
    let document = row_document(&row, None, None);
    let text = json_text(&document);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n') && !text.contains('\u{202e}'));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
}

#[test]
fn tables_are_readable() {
    let sample = sample();
    let few: Vec<&PlanRow> =
        ["Ada Lovelace", "Barbara Liskov", "Alonzo Church", "Bell\u{7} Escape\u{1b}[31m \u{202e}gpj"]
            .map(|name| sample.row(name))
            .to_vec();
    insta::assert_snapshot!("plan_terminal", plan_table(few.iter().copied(), WIDE));
    insta::assert_snapshot!("plan_piped", plan_table(few.iter().copied(), Style::Piped));
    let outcomes = few.iter().map(|row| (*row, sample.outcome(row)));
    insta::assert_snapshot!("outcomes_terminal", outcome_table(outcomes, WIDE));
    insta::assert_snapshot!("runs", runs_table(&[sample.run], WIDE));
}

/// The whole sample as a plan, or as the run that wrote it.
fn digest(limit: Option<usize>, style: Style, done: bool) -> String {
    let sample = sample();
    let mut digest = Digest::new(limit);
    for row in &sample.rows {
        digest.add(row, if done { sample.outcome(row) } else { None });
    }
    let limits = [
        (Kind::Removals, Limit { allowed: 20, before: 3 }),
        (Kind::Renames, Limit { allowed: 1, before: 1 }),
        (Kind::Creations, Limit { allowed: 25, before: 0 }),
    ];
    let around = Around { limits: limits.into(), passwords_discarded: true, options: String::new() };
    digest.text(&sample.run, &around, style, done)
}

#[test]
fn a_plan_is_a_summary_first_and_fits_the_terminal() {
    let narrow = Style::Terminal { width: 80, color: Color::Off };
    insta::assert_snapshot!("plan_80", digest(Some(6), narrow, false));
    insta::assert_snapshot!("plan_120", digest(Some(6), WIDE, false));
    insta::assert_snapshot!("run_80", digest(Some(6), narrow, true));
    for (style, width) in [(narrow, 80), (WIDE, 120)] {
        for done in [false, true] {
            let text = digest(None, style, done);
            let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > width).collect();
            assert!(long.is_empty(), "{long:?}");
        }
    }
}

#[test]
fn the_counts_of_a_plan_add_up_to_its_people() {
    for done in [false, true] {
        let text = digest(None, Style::Piped, done);
        let counts: Vec<(u64, &str)> = text
            .lines()
            .filter(|line| line.starts_with("  "))
            .map_while(|line| {
                let (count, what) = line.trim().split_once("  ")?;
                Some((count.replace(',', "").parse().ok()?, what))
            })
            .collect();
        let (total, parts) = counts.split_last().unwrap();
        assert!(total.1.contains("in all"), "{text}");
        assert_eq!(parts.iter().map(|(count, _)| count).sum::<u64>(), total.0, "{text}");
    }
}

#[test]
fn a_limit_that_holds_is_told_with_its_number_everywhere() {
    let plan = digest(None, Style::Piped, false);
    let renames = "New sign-in names: 1. Limit: 1 in 24 hours, 1 of them used: `sync` holds them for an approval";
    assert!(plan.contains(renames), "{plan}");
    assert!(plan.contains("Accidental-removal limit: 20 in 24 hours, 3 of them used"), "{plan}");
    assert!(!plan.contains("New accounts:"), "what is within its limit is nobody's worry: {plan}");
    assert!(!digest(None, Style::Piped, true).contains("Limit:"), "a run that has written says what waits");

    let mut sample = sample();
    sample.run.limits = vec![
        LimitNote { kind: Kind::Renames, wanted: 40, before: 3, allowed: 20 },
        LimitNote { kind: Kind::Creations, wanted: 1, before: 0, allowed: 25 },
    ];
    let many = "40 new sign-in names wait for an approval: at most 20 may go in 24 hours without one, 3 went before ([guard] max_removals, max_removals_percent).";
    let one = "1 new account waits for an approval: at most 25 may go in 24 hours without one ([guard] max_creations_percent).";
    let lines = summary_lines(&sample.run);
    let html = sample.report().html;
    for said in [many, one] {
        assert!(lines.contains(&format!("Guard: {said}")), "{lines:?}");
        assert!(html.contains(said), "{said}");
    }
    assert_eq!(
        run_document(&sample.run)["limits"][0],
        json!({ "kind": "renames", "wanted": 40, "before": 3, "allowed": 20 })
    );
}

#[test]
fn nothing_is_cut_in_a_pipe() {
    let sample = sample();
    let text = digest(None, Style::Piped, false);
    for row in sample.rows.iter().filter(|row| row.decision.change.is_some()) {
        assert!(text.contains(&*hardmatch_report::visible(&row.name)), "{} is missing", row.name);
    }
    assert!(!text.contains("--all"));
    assert!(digest(Some(2), Style::Piped, false).contains("(--all shows everybody)"));
}

#[test]
fn no_changes_are_one_line() {
    let mut sample = sample();
    let is_converged = |row: &&PlanRow| row.decision.reasons.first().is_some_and(|r| r.code == Code::Converged);
    let converged = sample.rows.iter().find(is_converged);
    let converged = converged.unwrap().clone();
    sample.run.everybody = false;
    sample.run.refused_entries.clear();
    let mut digest = Digest::new(None);
    digest.add(&converged, None);
    let text = digest.text(&sample.run, &Around::default(), WIDE, false);
    assert_eq!(text, "No changes. 49 people, all as they should be.\n");
}

#[test]
fn only_asked_for_colors_are_there_and_only_ours() {
    let sample = sample();
    let plain = plan_table(&sample.rows, WIDE);
    assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "no escape sequence unasked");
    assert!(plain.lines().all(|line| line.chars().count() <= 120));
    let colored = plan_table(&sample.rows, Style::Terminal { width: 120, color: Color::On });
    assert!(colored.contains("\u{1b}["));
    assert!(!colored.contains("Escape\u{1b}[31m"), "a name brings no color of its own");
    let piped = plan_table(&sample.rows, Style::Piped);
    assert_eq!(piped.lines().count(), sample.rows.len() + 1);
    assert!(piped.lines().all(|line| line.matches('\t').count() == 5));
}

#[test]
fn doctor_says_what_to_do() {
    let check = |area: &str, state, finding: &str, cure: &str| Check {
        area: area.to_owned(),
        state,
        finding: finding.to_owned(),
        cure: cure.to_owned(),
    };
    let checks = [
        check("permissions", CheckState::Fail, "User.ReadWrite.All is not granted.", "Grant it and consent."),
        check("domains", CheckState::Ok, "contoso.com is verified.", ""),
        check("roles", CheckState::Unknown, "Could not be read.", "Grant RoleManagement.Read.Directory."),
        check("secret", CheckState::Warn, "Expires in 9 days.", "Make a new one."),
    ];
    insta::assert_snapshot!(doctor_table(&checks, WIDE));
}

#[test]
fn an_explanation_shows_rules_values_and_remedy() {
    let sample = sample();
    let row = sample.row("Kurt Gödel");
    let history = [Past {
        outcome: sample.outcome(row).unwrap().clone(),
        row: Some(row.clone()),
        accepted: Some(Accepted { by_hash: true, at_ms: 1_791_684_000_000, by: "ada".to_owned() }),
    }];
    insta::assert_snapshot!("explain_refused", explain_text(row, &history));
    insta::assert_snapshot!("explain_repair", explain_text(sample.row("Sophie Wilson"), &[]));
    let hostile = explain_text(sample.row("Bell\u{7} Escape\u{1b}[31m \u{202e}gpj"), &[]);
    assert!(!hostile.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn a_summary_says_what_needs_somebody() {
    let mut sample = sample();
    insta::assert_snapshot!("summary", summary_lines(&sample.run).join("\n"));
    sample.run.accepted = None;
    sample.run.stop = Some(Stop::FirstRun);
    sample.run.plan.as_mut().unwrap().changed_slices = 1;
    let lines = summary_lines(&sample.run);
    assert!(lines.iter().any(|line| line.starts_with("To accept exactly this plan: hardmatch apply ")), "{lines:?}");
}

/// As functions on AWS would have made it.
fn on_aws() -> Sample {
    let mut sample = sample();
    sample.run.compute = Some(Compute { messages: 31, worked_ms: 64_250 });
    sample
}

#[test]
fn a_run_says_what_it_has_cost() {
    let sample = on_aws();
    let cost = &run_document(&sample.run)["cost"];
    assert_eq!((&cost["messages"], &cost["seconds"], &cost["paid"]), (&31.into(), &64.25.into(), &true.into()));
    // 506 × 0.625 + 412 × 0.125 + 64.25 × 0.5 × 13.3334 + 31 × 0.2 + 93 × 0.4 + 2 × 3 + 31 × 3,000 × 0.0005 millionths.
    let items = [
        ("table_writes", 316),
        ("table_reads", 52),
        ("functions", 435),
        ("queues", 37),
        ("key_service", 6),
        ("logs", 47),
    ];
    for (item, micros) in items {
        assert_eq!(cost["microdollars"][item], micros, "{item}");
    }
    assert_eq!(cost["microdollars"]["total"], 893);
    assert_eq!(cost["prices"], serde_json::json!({"region": US_EAST_1.region, "read": US_EAST_1.read}));
    let sentence =
        "This run cost about $0.000893 on AWS (prices of us-east-1, 2026-11), before any free tier, discount or tax.";
    assert!(summary_lines(&sample.run).contains(&sentence.to_owned()));
    let html = sample.report().html;
    for shown in [sentence, "<dt>Messages</dt><dd>31</dd>", "<dt>functions</dt><dd>$0.000435</dd>"] {
        assert!(html.contains(shown), "{shown}");
    }
}

#[test]
fn a_run_on_one_machine_claims_no_bill() {
    let run = sample().run;
    let cost = &run_document(&run)["cost"];
    assert_eq!((&cost["paid"], &cost["messages"], &cost["seconds"]), (&false.into(), &Value::Null, &Value::Null));
    let micros = cost["microdollars"].as_object().unwrap();
    assert_eq!(micros.keys().collect::<Vec<_>>(), ["table_reads", "table_writes", "total"]);
    assert!(!summary_lines(&run).iter().any(|line| line.contains('$')), "nobody is asked for money on a terminal");
    assert!(sample().report().html.contains("This run was made on one machine and cost nothing. On AWS the units"));
}

#[test]
fn a_plan_that_waits_says_what_writing_it_takes() {
    let mut sample = sample();
    let run = &mut sample.run;
    (run.phase, run.status, run.stop, run.accepted) =
        (Phase::Planned, Some(Status::Planned), Some(Stop::FirstRun), None);
    let plan = run.plan.as_mut().unwrap();
    plan.writes = Some(45_000);
    plan.by_action.insert("create".to_owned(), 40_000);
    let forecast = Forecast::of(run).unwrap();
    let changes = 40_000 + 24;
    assert_eq!((forecast.changes, forecast.writes, forecast.seconds), (changes, 45_000, 45_000 / 20));
    // New links 8 each, 40,000 and 8 of them; a rename and 5 removals 7; 10 others 4.
    assert_eq!(forecast.write_units, 40_008 * 8 + 6 * 7 + 10 * 4);
    let document = &plan_document(run, None)["forecast"];
    assert_eq!((&document["writes"], &document["seconds"]), (&45_000.into(), &2_250.into()));
    let sentence = "Writing this plan takes about 45,000 writes to Microsoft Graph, at least 38 min at the pace Microsoft allows; on AWS about 320,146 write units of the table and $0.2202 in all.";
    assert_eq!(document["microdollars"], forecast.microdollars);
    let said = |run: &Run| summary_lines(run).into_iter().find(|line| line.starts_with("Writing this plan"));
    let here = sentence.split_once("; on AWS").unwrap().0;
    assert_eq!(said(run), Some(format!("{here}.")), "prices of AWS are nothing to who runs it on one machine");
    run.compute = Some(Compute { messages: 31, worked_ms: 64_250 });
    assert_eq!(said(run).as_deref(), Some(sentence));
    assert!(sample.report().html.contains(sentence));

    sample.run.plan.as_mut().unwrap().writes = None;
    assert_eq!(Forecast::of(&sample.run).map(|forecast| forecast.writes), Some(changes), "an older plan does not say");
    sample.run.plan.as_mut().unwrap().by_action = [("none".to_owned(), 46)].into();
    assert_eq!(Forecast::of(&sample.run).map(|forecast| forecast.microdollars), Some(0));
    assert!(!summary_lines(&sample.run).iter().any(|line| line.starts_with("Writing this plan")), "nothing to write");
}

#[test]
fn a_run_that_is_over_foretells_nothing() {
    let run = on_aws().run;
    assert!(!summary_lines(&run).iter().any(|line| line.starts_with("Writing this plan")));
    assert!(!on_aws().report().html.contains("Writing this plan"));
}

#[test]
fn a_small_page_is_stable() {
    let mut sample = sample();
    let mut plan = sample.run.plan.take().unwrap();
    plan.people = 2;
    sample.run.plan = Some(plan);
    let mut builder = ReportBuilder::new(NAMES, sink(), sink());
    for name in ["Vint Cerf", "Alonzo Church"] {
        let row = sample.row(name);
        builder.row(row, sample.outcome(row), RowNotes::default()).unwrap();
    }
    let html = builder.finish(&sample.run, &Surroundings::default()).unwrap().html;
    // What is said about people; style, script and reason pages have their own tests.
    let body = html.split_once("<body>").unwrap().1;
    insta::assert_snapshot!(body.split_once("<details class=\"fold\" id=\"reasons\">").unwrap().0);
}

#[test]
fn pages_are_for_operators_who_know_entra_connect() {
    for (code, name) in [
        (Code::AnchorConflict, "InvalidSoftMatch"),
        (Code::AddressTaken, "AttributeValueMustBeUnique"),
        (Code::AddressHeldByGroup, "ObjectTypeMismatch"),
        (Code::InvalidValue, "IdentityDataValidationFailed"),
    ] {
        assert!(page(code).meaning.contains(name), "{code} names {name}");
    }
}

/// The sample with one person who is given and loses what rules say.
fn entitled(steps: &Value) -> PlanRow {
    let mut row = serde_json::to_value(sample().row("Vint Cerf")).unwrap();
    row["decision"]["change"]["steps"] = steps.clone();
    row["decision"]["action"] = "license".into();
    row["decision"]["reasons"] = json!([{ "code": "license_rule", "detail": "SPE_E3" }]);
    row["decision"]["evidence"] = json!([
        { "rule": "licences", "found": "same", "ours": "SPE_E3 by 'Staff' in person.groups" },
        { "rule": "groups", "found": "same", "ours": "Sales by person.department == 'Sales'" },
    ]);
    serde_json::from_value(row).unwrap()
}

fn license(part_number: &str, without: &[&str], held: bool) -> Value {
    json!({ "sku": format!("id-of-{part_number}"), "part_number": part_number, "without": without, "held": held })
}

#[test]
fn o36_licenses_and_memberships_are_said_in_words_everywhere() {
    let row = entitled(&json!([
        { "do": "set_licenses", "give": [license("SPE_E5", &[], false)], "take": [license("SPE_E3", &["p"], false)] },
        { "do": "set_licenses", "give": [license("SPE_E3", &["p", "q"], false)], "take": [] },
        { "do": "set_licenses", "give": [license("SPE_E3", &["p"], true)], "take": [] },
        { "do": "set_licenses", "give": [license("SPE_E3", &[], true)], "take": [] },
        { "do": "set_licenses", "give": [], "take": [license("SPE_E3", &[], false)] },
        { "do": "join_group", "group": { "name": "Sales", "kind": "security" } },
        { "do": "join_group", "group": { "name": "Staff", "kind": "microsoft365", "id": "g1" } },
        { "do": "leave_group", "id": "g2", "name": "Interns" },
    ]));
    let text = explain_text(&row, &[]);
    insta::assert_snapshot!(text.split_once("What the rules found").unwrap().1);
    let mut csv = CsvRows::new(Vec::new());
    csv.row(&row, None).unwrap();
    let csv = String::from_utf8(csv.finish().unwrap()).unwrap();
    assert!(csv.contains("licence: SPE_E3 → (none); licence: (none) → SPE_E5; "), "{csv}");
    assert!(
        csv.contains(
            "Join the group Sales (made with its first member); Join the group Staff; Leave the group Interns"
        )
    );
    let mut builder = ReportBuilder::new(NAMES, sink(), sink());
    builder.row(&row, None, RowNotes::default()).unwrap();
    let html = builder.finish(&sample().run, &Surroundings::default()).unwrap().html;
    let shown = PageRows::of(&html).row("Vint Cerf");
    for words in ["Exchange licences", "SPE_E3 without 2 of its plans", "Leave the group Interns", "given by a rule"] {
        assert!(shown.contains(words), "{words}");
    }
    assert!(html.contains("data-group=\"license\"") && html.contains("change licences"));
    let table = plan_table([&row], WIDE);
    assert!(table.contains("change licences") && table.contains("license_rule"), "{table}");
    assert_eq!(row_document(&row, None, None)["steps"][0]["give"][0]["part_number"], "SPE_E5");
}

#[test]
fn c3_a_plan_says_how_many_seats_it_lacks() {
    let with = |seats: &[(&str, u64, u64)]| {
        let mut sample = sample();
        let of = |&(part_number, needed, free): &(&str, u64, u64)| Seats {
            part_number: part_number.to_owned(),
            needed,
            free,
        };
        sample.run.plan.as_mut().unwrap().seats = seats.iter().map(of).collect();
        sample
    };
    let short = with(&[("SPE_E3", 12, 10), ("VISIOCLIENT", 1, 5)]);
    let lines = summary_lines(&short.run);
    assert!(lines.contains(&"Seats: SPE_E3 needs 12 seats and 10 are free: 2 short.".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("VISIOCLIENT")), "what is enough is nobody's worry");
    let document = plan_document(&short.run, None);
    assert_eq!(document["seats"][0], json!({ "part_number": "SPE_E3", "needed": 12, "free": 10, "short": 2 }));
    assert_eq!(document["seats"][1]["short"], 0);
    let html = short.report().html;
    assert!(html.contains("This plan gives 2 licences more than there are free seats."));
    assert!(html.contains(
        "<code>SPE_E3</code></th><td class=\"num\">12</td><td class=\"num\">10</td><td class=\"num\">2</td>"
    ));

    let enough = with(&[("SPE_E3", 10, 10)]);
    assert!(!summary_lines(&enough.run).iter().any(|line| line.starts_with("Seats")));
    let html = enough.report().html;
    assert!(html.contains("Seats: SPE_E3 needs 10 seats and 10 are free: enough."));
    assert!(!html.contains("Seats are lacking"));
    assert!(!sample().report().html.contains("Seats"), "a plan without licences does not speak of seats");
    assert_eq!(plan_document(&sample().run, None)["seats"], json!([]));
}

/// Every reason with its page, as `docs/reasons.md` has them.
fn reasons_page() -> String {
    let mut text = "# Reasons\n\nEvery decision names its reason by one of these codes: in plans and reports, in `hardmatch explain WHO`, in CSV and\nJSON. `hardmatch explain --reason CODE` prints one of these pages.\n".to_owned();
    for code in Code::ALL {
        let page = page(*code);
        write!(text, "\n## {code}\n\n{}\n", page.title).unwrap();
        for (heading, markdown) in page.parts() {
            write!(text, "\n### {heading}\n\n{}\n", markdown.trim()).unwrap();
        }
    }
    text
}

/// After a change of a page: `UPDATE_DOCS=1 cargo test -p hardmatch-report --test report reasons_of_the_documentation`.
#[test]
fn reasons_of_the_documentation_are_those_of_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reasons.md");
    let wanted = reasons_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == wanted, "docs/reasons.md is out of date");
}

#[test]
fn what_is_acknowledged_is_counted_alike_by_terminal_page_csv_and_json() {
    let sample = sample();
    let known = Acknowledged { until: 1_800_000_000, by: "ada".to_owned(), comment: "known".to_owned() };
    for (written, every) in [(false, 2), (true, 2), (true, 3), (true, 1)] {
        let mut builder = ReportBuilder::new(NAMES, Vec::new(), Vec::new());
        let digest = Digest::new(None);
        let mut digest = if written { digest.written() } else { digest };
        digest.acknowledge(
            sample.rows.iter().step_by(every).map(|row| (row.decision.key.clone(), known.clone())).collect(),
        );
        for (nth, row) in sample.rows.iter().enumerate() {
            let outcome = if written { sample.outcome(row) } else { None };
            let acknowledged = nth.is_multiple_of(every).then_some(&known);
            builder.row(row, outcome, RowNotes { acknowledged, new: false }).unwrap();
            digest.add(row, outcome);
        }
        let text = digest.text(&sample.run, &Around::default(), Style::Piped, written);
        let said = |what: &str| -> u64 {
            let counted = text.lines().filter_map(|line| line.trim().split_once("  "));
            counted
                .filter(|(_, of)| *of == what)
                .filter_map(|(count, _)| count.replace(',', "").parse::<u64>().ok())
                .sum()
        };
        let report = builder.finish(&sample.run, &Surroundings::default()).unwrap();
        let rows = PageRows::of(&report.html);
        for (list, words) in [
            ("needs", "need attention"),
            ("acknowledged", "acknowledged"),
            ("waiting", "waiting for approval"),
            ("later", "wait for a date or for another change"),
        ] {
            assert_eq!(rows.list(list).len() as u64, said(words), "{list}: {text}");
        }
        let marked = sample.rows.len().div_ceil(every);
        let jsonl = String::from_utf8(report.jsonl).unwrap();
        let documents = jsonl.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert_eq!(documents.filter(|row| row["acknowledged"]["comment"] == "known").count(), marked);
        let mut csv = csv::Reader::from_reader(&report.csv[..]);
        assert_eq!(csv.records().filter(|row| row.as_ref().unwrap()[19].ends_with("by ada: known")).count(), marked);
    }
}
