//! `[lifecycle]`: stages of leaving and their delays.

use std::sync::Arc;

use hardmatch_domain::policy::{AccountDeleted, LeavingAction, Lifecycle, Reenable, Stage};
use toml::de::DeValue;

use crate::days::{DayRule, Edge};
use crate::expression::Wanted;
use crate::keys;
use crate::problem::ProblemKind;
use crate::tree::{At, Reader, Section, Value};

pub(super) fn lifecycle<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Lifecycle {
    let section = reader.section(root, "lifecycle");
    let suspend = || vec![Stage { action: LeavingAction::Suspend, after_seconds: 0 }];
    let mut cause = |key: &'static str, default: Vec<Stage>| match section.get(key) {
        Some(value) => stages(reader, key, value),
        None => default,
    };
    let absent = cause("absent", suspend());
    let left_scope = cause("left_scope", suspend());
    let disabled = cause("disabled", suspend());
    let password_expired = cause("password_expired", Vec::new());
    let ended = cause("ended", suspend());
    Lifecycle {
        absent,
        left_scope,
        disabled,
        password_expired,
        ended,
        account_deleted: reader.choice_or(&section, "account_deleted", AccountDeleted::Report),
        create_disabled: reader.flag(&section, "create_disabled", false),
        reenable: reader.choice_or(&section, "reenable", Reenable::Ours),
        revoke_sessions: reader.flag(&section, "revoke_sessions", false),
    }
}

/// `lifecycle.starts` and `lifecycle.ends`, in the time zone that days begin and end in.
pub(super) fn days<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> (Option<Arc<DayRule>>, Option<Arc<DayRule>>) {
    let section = reader.section(root, "lifecycle");
    let zone = super::zone(reader, &section);
    let mut day = |key: &'static str, edge: Edge| {
        let text = reader.text(&section, key)?;
        let expression = super::expression(reader, &text, Wanted::Text)?;
        Some(Arc::new(DayRule::new(expression, zone.clone()?, edge)))
    };
    (day("starts", Edge::Begins), day("ends", Edge::IsOver))
}

/// What one element of a cause says: nothing is to be done, or one stage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Ignore,
    Stage(Stage),
}

fn stages<'t>(reader: &mut Reader<'t>, key: &str, value: &'t Value<'t>) -> Vec<Stage> {
    let name = format!("`lifecycle.{key}`");
    if let DeValue::Array(array) = value.get_ref() {
        return listed(reader, &name, value, array.iter());
    }
    match one(reader, &name, value) {
        None | Some(Said::Ignore) => Vec::new(),
        // Nobody keeps a leaver's sign-in open for the time until they are deleted without saying so.
        Some(Said::Stage(stage)) if stage.action == LeavingAction::Delete && stage.after_seconds > 0 => {
            vec![Stage { action: LeavingAction::Suspend, after_seconds: 0 }, stage]
        }
        Some(Said::Stage(stage)) => vec![stage],
    }
}

fn listed<'t>(
    reader: &mut Reader<'t>,
    name: &str,
    whole: &'t Value<'t>,
    items: impl Iterator<Item = &'t Value<'t>>,
) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut any = false;
    for item in items {
        any = true;
        let refuse = |reader: &mut Reader<'t>, message: &str, cure: &str| {
            reader.problem(ProblemKind::BadValue, item.span(), format!("{name}: {message}"), "here", cure);
        };
        match one(reader, name, item) {
            None => {}
            Some(Said::Ignore) => refuse(reader, "`ignore` is not a stage", "write \"ignore\" alone, or leave it out"),
            Some(Said::Stage(stage)) => match stages.last() {
                Some(last) if stage.action <= last.action => {
                    refuse(
                        reader,
                        "stages go from suspend over remove-licenses to delete, each once",
                        "suspend first, delete last",
                    );
                }
                Some(last) if stage.after_seconds < last.after_seconds => {
                    refuse(
                        reader,
                        "the stage is due before the one above it",
                        "delays count from the day of leaving; let them grow",
                    );
                }
                _ => stages.push(stage),
            },
        }
    }
    if !any {
        reader.problem(
            ProblemKind::BadValue,
            whole.span(),
            format!("{name} lists no stage"),
            "empty",
            "write \"ignore\" to do nothing",
        );
    }
    stages
}

fn one<'t>(reader: &mut Reader<'t>, name: &str, value: &'t Value<'t>) -> Option<Said> {
    match value.get_ref() {
        DeValue::String(_) => {
            let text = reader.text_value(value, name)?;
            let stage = Section { name: name.to_owned(), keys: &keys::STAGE, table: None, span: value.span() };
            let word = reader.word(&stage, "action", &text)?;
            Some(said(word, 0))
        }
        DeValue::Table(table) => {
            let section = reader.open(name, &keys::STAGE, table, value.span());
            let action = reader.required_text(&section, "action");
            let word = action.and_then(|action| reader.word(&section, "action", &action));
            let after = match reader.text(&section, "after") {
                None => Some(0),
                Some(text) => duration(reader, name, &text),
            };
            let (word, after) = (word?, after?);
            if word == "ignore" && section.has("after") {
                reader.problem(
                    ProblemKind::BadValue,
                    value.span(),
                    format!("{name}: `ignore` has no delay"),
                    "here",
                    "write \"ignore\" alone",
                );
            }
            Some(said(word, after))
        }
        other => {
            reader.wrong_type(
                value,
                other,
                name,
                "ignore, suspend, remove-licenses, delete or a table with action and after",
            );
            None
        }
    }
}

fn said(word: &str, after_seconds: i64) -> Said {
    match word {
        "suspend" => Said::Stage(Stage { action: LeavingAction::Suspend, after_seconds }),
        "remove-licenses" => Said::Stage(Stage { action: LeavingAction::RemoveLicenses, after_seconds }),
        "delete" => Said::Stage(Stage { action: LeavingAction::Delete, after_seconds }),
        _ => Said::Ignore,
    }
}

/// Ten years: longer delays are typing errors.
const MAX_DAYS: i64 = 3650;

fn duration(reader: &mut Reader<'_>, name: &str, text: &At<&str>) -> Option<i64> {
    let value = text.value.trim();
    let seconds = value
        .char_indices()
        .last()
        .and_then(|(at, unit)| {
            let seconds = match unit {
                'd' => 86_400,
                'h' => 3_600,
                'm' => 60,
                _ => return None,
            };
            let digits = value.get(..at)?;
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            digits.parse::<i64>().ok()?.checked_mul(seconds)
        })
        .filter(|seconds| *seconds <= MAX_DAYS * 86_400);
    if seconds.is_none() {
        reader.problem(
            ProblemKind::BadValue,
            text.span.clone(),
            format!("{name}: `after` is not a delay"),
            "not a delay",
            "write days, hours or minutes: 30d, 12h, 90m; at most 3650d",
        );
    }
    seconds
}
