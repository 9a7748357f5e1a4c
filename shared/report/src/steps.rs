//! A change as lines of what was before and what shall be after: one form for pages, terminals and spreadsheets.

use hardmatch_domain::attribute::Attributes;
use hardmatch_domain::change::{ManagerTarget, RepairCall, RepairKind, RepairPlan, RepairWrite, Step};
use hardmatch_domain::ids::ImmutableId;
use hardmatch_domain::license::License;

use crate::visible::visible;
use crate::words;

/// One step of a change, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepView {
    /// What is done.
    pub(crate) title: String,
    /// What differs.
    pub(crate) lines: Vec<Line>,
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The attribute, or what else differs.
    pub(crate) what: &'static str,
    /// As it was.
    pub(crate) before: Value,
    /// As it shall be.
    pub(crate) after: Value,
}

/// A value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// There was no such thing yet.
    None,
    /// Known to be empty.
    Empty,
    /// This. Personal data.
    Text(String),
}

impl Value {
    fn of(text: Option<&str>) -> Self {
        match text {
            None => Value::None,
            Some("") => Value::Empty,
            Some(text) => Value::Text(text.to_owned()),
        }
    }

    /// The value, or a word for its lack.
    pub(crate) fn text(&self) -> &str {
        match self {
            Value::None => "(none)",
            Value::Empty => "(empty)",
            Value::Text(text) => text,
        }
    }
}

/// Steps in words, in order.
pub(crate) fn of(steps: &[Step]) -> Vec<StepView> {
    steps.iter().map(view).collect()
}

/// Steps in lines, each safe to show: `jobTitle: Clerk → Lead`, or what is done where no value differs.
pub fn step_lines(steps: &[Step]) -> Vec<String> {
    let lines = of(steps).into_iter().flat_map(|step| {
        if step.lines.is_empty() {
            return vec![step.title];
        }
        let told = step.lines.iter();
        told.map(|line| format!("{}: {} → {}", line.what, line.before.text(), line.after.text())).collect()
    });
    lines.map(|line| visible(&line).into_owned()).collect()
}

fn view(step: &Step) -> StepView {
    match step {
        Step::Create { attributes, immutable_id, enabled, manager } => {
            let mut lines = differing(&Attributes::default(), attributes);
            if let Some(id) = immutable_id {
                lines.push(line("onPremisesImmutableId", Value::None, Value::of(Some(id.as_str()))));
            }
            lines.push(line("accountEnabled", Value::None, yes_or_no(*enabled)));
            if let Some(manager) = manager {
                lines.push(line("manager", Value::None, target(manager)));
            }
            StepView { title: "Create the account".to_owned(), lines }
        }
        Step::Link => StepView { title: "Store the link (no call)".to_owned(), lines: Vec::new() },
        Step::Update { immutable_id, before, after } => {
            let mut lines = differing(before, after);
            if let Some(id) = immutable_id {
                lines.push(line("onPremisesImmutableId", Value::None, Value::of(Some(id.as_str()))));
            }
            StepView { title: "Write attributes".to_owned(), lines }
        }
        Step::Rename { before, after } => StepView {
            title: "Change the sign-in name".to_owned(),
            lines: vec![line("userPrincipalName", Value::of(Some(before)), Value::of(Some(after)))],
        },
        Step::SetEnabled { before, after, cause } => {
            let what = if *after { "Allow sign-in" } else { "Block sign-in" };
            let title = cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {}", words::leaving(cause)));
            let before = before.map_or(Value::None, yes_or_no);
            StepView { title, lines: vec![line("accountEnabled", before, yes_or_no(*after))] }
        }
        Step::RevokeSessions => StepView { title: "End all sessions".to_owned(), lines: Vec::new() },
        Step::SetManager { before, after } => StepView {
            title: if after.is_some() { "Set the manager" } else { "Remove the manager" }.to_owned(),
            lines: vec![line(
                "manager",
                Value::of(before.as_ref().map(AsRef::as_ref)),
                after.as_ref().map_or(Value::None, target),
            )],
        },
        Step::SetLicenses { give, take } => {
            let title = match (take.is_empty(), give.iter().all(|license| license.held)) {
                (true, true) => "Change which plans of licences are on",
                (true, false) => "Give licences",
                (false, _) if give.is_empty() => "Take licences away",
                (false, _) => "Exchange licences",
            };
            let taken = take.iter().map(|license| line("licence", named(license), Value::None));
            StepView { title: title.to_owned(), lines: taken.chain(give.iter().map(given)).collect() }
        }
        Step::JoinGroup { group } => {
            let new = if group.id.is_none() { " (made with its first member)" } else { "" };
            StepView { title: format!("Join the group {}{new}", group.name), lines: Vec::new() }
        }
        Step::LeaveGroup { name, .. } => StepView { title: format!("Leave the group {name}"), lines: Vec::new() },
        Step::ClearId { before } => StepView {
            title: "Clear the immutable ID".to_owned(),
            lines: vec![line("onPremisesImmutableId", Value::of(Some(before.as_str())), Value::None)],
        },
        Step::Unlink => StepView { title: "End the link (no call)".to_owned(), lines: Vec::new() },
        Step::Restore => StepView { title: "Restore from the recycle bin".to_owned(), lines: Vec::new() },
        Step::Delete { cause } => {
            StepView { title: format!("Delete to the recycle bin: {}", words::leaving(*cause)), lines: Vec::new() }
        }
        Step::Purge { account } => StepView { title: format!("Delete account {account} for good"), lines: Vec::new() },
        Step::Repair(plan) => {
            StepView { title: repair_title(plan), lines: plan.calls.iter().map(repair_line).collect() }
        }
    }
}

/// What a repair is, and from where it only goes on.
fn repair_title(plan: &RepairPlan) -> String {
    let what = match plan.kind {
        RepairKind::SetId => "Repair: set the immutable ID",
        RepairKind::ReplaceId => "Repair: replace the immutable ID",
        RepairKind::ClearId => "Repair: clear the immutable ID",
        RepairKind::Rehire => "Repair: give the returned person their account",
        RepairKind::Merge => "Repair: make one account of two",
        RepairKind::MergeSynced => "Repair: make one account of two, the synchronized one goes",
        RepairKind::RestoreHolder => "Repair: restore from the recycle bin",
        RepairKind::PurgeHolder => "Repair: delete from the recycle bin for good",
        RepairKind::SignInName => "Repair: move sign-in names",
    };
    let last = if plan.is_final() { "; what is deleted for good cannot be taken back" } else { "" };
    format!("{what} ({} calls, journaled{last})", plan.calls.len())
}

fn repair_line(call: &RepairCall) -> Line {
    let id = |id: &Option<ImmutableId>| Value::of(id.as_ref().map(ImmutableId::as_str));
    let account = |text: &str| Value::Text(format!("{text} {}", call.account));
    match &call.write {
        RepairWrite::Upn { before, after } => {
            line("userPrincipalName", Value::of(Some(before)), Value::of(Some(after)))
        }
        RepairWrite::Id { before, after } => line("onPremisesImmutableId", id(before), id(after)),
        RepairWrite::Delete => line("account", account("live"), account("in the recycle bin")),
        RepairWrite::Restore { .. } => line("account", account("in the recycle bin"), account("live")),
        RepairWrite::Purge => line("account", account("in the recycle bin"), Value::Text("gone for good".to_owned())),
    }
}

fn named(license: &License) -> Value {
    Value::Text(license.part_number.clone().into())
}

/// A licence that is given, or given anew with other plans.
fn given(license: &License) -> Line {
    let before = if license.held { named(license) } else { Value::None };
    let after = match license.without.iter().count() {
        0 if license.held => Value::Text(format!("{} with all its plans", license.part_number)),
        0 => named(license),
        1 => Value::Text(format!("{} without 1 of its plans", license.part_number)),
        off => Value::Text(format!("{} without {off} of its plans", license.part_number)),
    };
    line("licence", before, after)
}

fn differing(before: &Attributes, after: &Attributes) -> Vec<Line> {
    after.iter().map(|(attr, value)| line(attr.name(), Value::of(before.get(attr)), Value::of(Some(value)))).collect()
}

fn line(what: &'static str, before: Value, after: Value) -> Line {
    Line { what, before, after }
}

fn yes_or_no(value: bool) -> Value {
    Value::Text(if value { "yes" } else { "no" }.to_owned())
}

fn target(manager: &ManagerTarget) -> Value {
    match manager {
        ManagerTarget::Account(account) => Value::Text(account.as_str().to_owned()),
        ManagerTarget::Person(key) => Value::Text(format!("{} (created in this plan)", key.as_str())),
    }
}
