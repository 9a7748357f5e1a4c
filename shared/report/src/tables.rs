//! Tables for terminals, and the same rows tab-separated for pipes. Whether the output is a terminal, how wide it is
//! and whether it is to be coloured is the caller's knowledge.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, Cell, ColumnConstraint, ContentArrangement, Table, Width};
use hardmatch_domain::change::Action;
use hardmatch_domain::reason::Weight;
use hardmatch_ports::run::{Outcome, PlanRow, Run, Status};
use hardmatch_ports::{Check, CheckState};

use crate::row::reasons;
use crate::row_status::RowStatus;
use crate::visible::visible;
use crate::words;

/// How a table is to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Not a terminal: tab-separated, one line a row, nothing wrapped or shortened, a header line first.
    Piped,
    /// A terminal.
    Terminal {
        /// Columns of characters.
        width: u16,
        /// Whether to colour.
        color: Color,
    },
}

/// Whether to colour. `NO_COLOR` is the caller's to honour: <https://no-color.org>.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    /// No escape sequence at all.
    Off,
    /// The eight colours every terminal has.
    On,
}

/// A plan: person, join, action, why. Piped, also the sign-in name and every reason code.
pub fn plan_table<'a>(rows: impl IntoIterator<Item = &'a PlanRow>, style: Style) -> String {
    people(rows.into_iter().map(|row| (row, None)), Columns::Plan, style)
}

/// A run: the plan's columns and what became of each.
pub fn outcome_table<'a>(rows: impl IntoIterator<Item = (&'a PlanRow, Option<&'a Outcome>)>, style: Style) -> String {
    people(rows.into_iter(), Columns::Outcome, style)
}

/// Runs, in the order given.
pub fn runs_table(runs: &[Run], style: Style) -> String {
    let header = ["run", "started", "took", "status", "people", "outcomes"];
    // On a terminal the end of an id is enough: `runs show` takes it.
    let short = |id: &str| match style {
        Style::Piped => id.to_owned(),
        Style::Terminal { .. } => id.chars().skip(id.chars().count().saturating_sub(8)).collect(),
    };
    let rows = runs.iter().map(|run| {
        let took = words::run_ms(run).map(words::duration).unwrap_or_default();
        let people = run.plan.as_ref().map(|plan| plan.people.to_string()).unwrap_or_default();
        let outcomes: Vec<String> = run.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        vec![
            Field::plain(&short(&run.id)),
            Field::plain(&words::moment(run.started_ms)),
            Field::plain(&took),
            Field::tinted(words::status_word(run), run_tint(run)),
            Field::plain(&people),
            Field::plain(&outcomes.join(", ")),
        ]
    });
    render(&header, rows, style, &[0, 1, 2, 3])
}

/// What `doctor` found.
pub fn doctor_table(checks: &[Check], style: Style) -> String {
    let header = ["area", "state", "finding", "what to do"];
    let rows = checks.iter().map(|check| {
        let tint = match check.state {
            CheckState::Ok => Tint::Good,
            CheckState::Warn => Tint::Wait,
            CheckState::Fail => Tint::Bad,
            CheckState::Unknown => Tint::Quiet,
        };
        vec![
            Field::plain(&check.area),
            Field::tinted(check.state.name(), tint),
            Field::plain(&check.finding),
            Field::plain(&check.cure),
        ]
    });
    render(&header, rows, style, &[0, 1])
}

/// A column of a people file and what it is taken for.
#[derive(Clone, Debug)]
pub struct ColumnRow {
    /// As the file calls it.
    pub column: String,
    /// What it fills; empty: nothing.
    pub attribute: String,
    /// One of its values.
    pub sample: String,
    /// Why it should be looked at; empty: it is plain.
    pub doubt: String,
}

/// Which column of a people file fills which attribute.
pub fn columns_table(rows: &[ColumnRow], style: Style) -> String {
    /// Longer values say no more about what a column is.
    const SAMPLE: usize = 28;
    let short = |text: &str| match text.char_indices().nth(SAMPLE) {
        Some((at, _)) if style != Style::Piped => format!("{}…", &text[..at]),
        _ => text.to_owned(),
    };
    let header = ["your column", "Microsoft 365 attribute", "sample value", "in doubt"];
    let rows = rows.iter().map(|row| {
        let attribute = match row.attribute.as_str() {
            "" => Field::tinted("(not used)", Tint::Quiet),
            name => Field::tinted(name, Tint::Good),
        };
        vec![
            Field::strong(&short(&row.column)),
            attribute,
            Field::plain(&short(&row.sample)),
            Field::tinted(&row.doubt, Tint::Wait),
        ]
    });
    render(&header, rows, style, &[0])
}

#[derive(Clone, Copy)]
enum Columns {
    Plan,
    Outcome,
}

fn people<'a>(
    rows: impl Iterator<Item = (&'a PlanRow, Option<&'a Outcome>)>,
    columns: Columns,
    style: Style,
) -> String {
    let (outcomes, whole): (_, &[usize]) = match columns {
        Columns::Plan => (None, &[1, 2]),
        Columns::Outcome => (Some("outcome"), &[1, 2, 3]),
    };
    match style {
        Style::Piped => {
            let header: Vec<&str> =
                ["person", "upn", "join", "action"].into_iter().chain(outcomes).chain(["reasons", "why"]).collect();
            let rows = rows.map(|(row, outcome)| {
                let codes: Vec<&str> = reasons(row, outcome).map(|reason| reason.code.as_str()).collect();
                let mut fields = vec![
                    Field::plain(&row.name),
                    Field::plain(&row.upn),
                    Field::plain(words::join(&row.decision.join)),
                    Field::plain(row.decision.action.name()),
                ];
                fields.extend(outcomes.map(|_| Field::plain(RowStatus::of(row, outcome).name())));
                fields.push(Field::plain(&codes.join(" ")));
                fields.push(Field::plain(&why(row, outcome)));
                fields
            });
            render(&header, rows, style, &[])
        }
        Style::Terminal { .. } => {
            let header: Vec<&str> = ["person", "join", "action"].into_iter().chain(outcomes).chain(["why"]).collect();
            let rows = rows.map(|(row, outcome)| {
                let main = reasons(row, outcome).next();
                let tint = main.map_or(Tint::Quiet, |reason| weight_tint(reason.code.weight()));
                let mut fields = vec![
                    Field::strong(person(row)),
                    Field::plain(words::join(&row.decision.join)),
                    Field::tinted(words::action(row.decision.action), action_tint(row.decision.action)),
                ];
                fields.extend(outcomes.map(|_| {
                    let standing = RowStatus::of(row, outcome);
                    Field::tinted(standing.words(), status_tint(standing))
                }));
                let code = main.map_or("", |reason| reason.code.as_str());
                fields.push(Field::tinted(&format!("{code}: {}{}", why(row, outcome), more(row, outcome)), tint));
                fields
            });
            render(&header, rows, style, whole)
        }
    }
}

/// The main reason's sentence and detail.
fn why(row: &PlanRow, outcome: Option<&Outcome>) -> String {
    let Some(main) = reasons(row, outcome).next() else { return String::new() };
    let detail = main.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{}{detail}", main.code.sentence())
}

/// That there are more reasons than the one shown.
fn more(row: &PlanRow, outcome: Option<&Outcome>) -> String {
    match reasons(row, outcome).count() {
        0 | 1 => String::new(),
        2 => " And one more reason.".to_owned(),
        count => format!(" And {} more reasons.", count - 1),
    }
}

/// What to call a person in one line: the name, else the sign-in name, else the key.
pub(crate) fn person(row: &PlanRow) -> &str {
    [&*row.name, &*row.upn].into_iter().find(|text| !text.is_empty()).unwrap_or(row.decision.key.as_str())
}

/// A field and how it is drawn. Holds only text that is safe to show.
struct Field {
    text: String,
    tint: Tint,
}

#[derive(Clone, Copy)]
enum Tint {
    None,
    Strong,
    Good,
    Wait,
    Bad,
    Quiet,
}

impl Field {
    fn plain(text: &str) -> Self {
        Self::tinted(text, Tint::None)
    }

    fn strong(text: &str) -> Self {
        Self::tinted(text, Tint::Strong)
    }

    fn tinted(text: &str, tint: Tint) -> Self {
        Self { text: visible(text).into_owned(), tint }
    }

    fn cell(self) -> Cell {
        let cell = Cell::new(self.text);
        match self.tint {
            Tint::None => cell,
            Tint::Strong => cell.add_attribute(Attribute::Bold),
            Tint::Good => cell.fg(comfy_table::Color::Green),
            Tint::Wait => cell.fg(comfy_table::Color::Yellow),
            Tint::Bad => cell.fg(comfy_table::Color::Red),
            Tint::Quiet => cell.add_attribute(Attribute::Dim),
        }
    }
}

fn weight_tint(weight: Weight) -> Tint {
    match weight {
        Weight::Note => Tint::None,
        Weight::Reported => Tint::Quiet,
        Weight::Held => Tint::Wait,
        Weight::Refused => Tint::Bad,
    }
}

fn action_tint(action: Action) -> Tint {
    match action {
        Action::None => Tint::Quiet,
        Action::Create | Action::Takeover | Action::Link | Action::Enable | Action::Restore => Tint::Good,
        Action::Update | Action::License | Action::Membership | Action::Rename | Action::Repair | Action::Merge => {
            Tint::None
        }
        Action::Suspend | Action::Delete | Action::Purge => Tint::Bad,
    }
}

fn status_tint(standing: RowStatus) -> Tint {
    match standing {
        RowStatus::Done => Tint::Good,
        RowStatus::Planned => Tint::None,
        RowStatus::Held | RowStatus::FactsMoved | RowStatus::Unavailable => Tint::Wait,
        RowStatus::Refused => Tint::Bad,
        RowStatus::Unchanged => Tint::Quiet,
    }
}

fn run_tint(run: &Run) -> Tint {
    match run.status {
        Some(Status::Converged) => Tint::Good,
        Some(Status::Attention | Status::Planned | Status::Incomplete) => Tint::Wait,
        Some(Status::Failed) => Tint::Bad,
        Some(Status::Abandoned) | None => Tint::Quiet,
    }
}

/// `whole` are the columns that are never wrapped: what they hold is short, and the others need the room.
fn render(header: &[&str], rows: impl Iterator<Item = Vec<Field>>, style: Style, whole: &[usize]) -> String {
    match style {
        Style::Piped => {
            let mut text = header.join("\t");
            text.push('\n');
            for row in rows {
                let fields: Vec<String> = row.into_iter().map(|field| field.text).collect();
                text.push_str(&fields.join("\t"));
                text.push('\n');
            }
            text
        }
        Style::Terminal { width, color } => {
            let mut table = Table::new();
            table
                .load_style(UTF8_HORIZONTAL_ONLY.row_separator(comfy_table::LineStyle::none()))
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width)
                // What standard output is, is not asked here.
                .force_no_tty()
                .set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
            match color {
                Color::Off => {}
                Color::On => {
                    table.enforce_styling();
                }
            }
            for row in rows {
                table.add_row(row.into_iter().map(Field::cell));
            }
            for &column in whole {
                if let Some(column) = table.column_mut(column) {
                    column.set_constraint(ColumnConstraint::ContentWidth);
                }
            }
            if let Some(first) = table.column_mut(0).filter(|_| !whole.contains(&0)) {
                first.set_constraint(ColumnConstraint::UpperBoundary(Width::Percentage(25)));
            }
            let mut text = table.trim_fmt();
            text.push('\n');
            text
        }
    }
}
