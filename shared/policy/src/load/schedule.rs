//! `[schedule]`: how often and when, and whether the source can be asked that often.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::problem::ProblemKind;
use crate::schedule::{Every, Schedule};
use crate::sources::{Location, SourceKind, SourceSettings};
use crate::tree::{At, Reader, Section};

/// A source that tells no changes is read whole each time, and not more often than this (seconds).
const WHOLE: i64 = 60 * 60;
/// When the source is read whole, where the file does not say.
const FULL: Time = Time::constant(2, 30, 0, 0);

pub(super) fn schedule<'t>(
    reader: &mut Reader<'t>,
    root: &Section<'t>,
    source: Option<&SourceSettings>,
) -> Option<Schedule> {
    if !root.has("schedule") {
        return None;
    }
    let section = reader.section(root, "schedule");
    let text = reader.text(&section, "every");
    let every = text.as_ref().and_then(|text| every(reader, text));
    if let (Some(text), Some(every), Some(source)) = (&text, every, source) {
        // Of several sources the one counts that tells no changes.
        let kinds = match &source.location {
            Location::Several(several) => several.parts.iter().map(|part| part.settings.kind).collect(),
            _ => vec![source.kind],
        };
        let whole = kinds.into_iter().find(|kind| *kind != SourceKind::Ldap);
        often_enough(reader, text, every, whole.unwrap_or(SourceKind::Ldap));
    }
    let full = match reader.text(&section, "full") {
        None => Some(FULL),
        Some(text) => time(reader, &text),
    };
    let zone = super::zone(reader, &section);
    Some(Schedule::new(every, full.unwrap_or(FULL), zone.unwrap_or(TimeZone::UTC)))
}

fn every(reader: &mut Reader<'_>, text: &At<&str>) -> Option<Every> {
    let near = match Every::parse(text.value.trim()) {
        Ok(every) => return Some(every),
        Err(near) => near,
    };
    let cure = match near {
        Some(near) => format!("write \"{near}\": minutes that divide an hour, or hours that divide a day"),
        None => "write minutes that divide an hour, or hours that divide a day: \"5m\", \"15m\", \"2h\"".to_owned(),
    };
    reader.problem(
        ProblemKind::BadValue,
        text.span.clone(),
        "`schedule.every` cannot be kept by a clock",
        "not this often",
        cure,
    );
    None
}

/// Only a directory tells what changed.
fn often_enough(reader: &mut Reader<'_>, text: &At<&str>, every: Every, kind: SourceKind) {
    let refused = match kind {
        SourceKind::Scim => Some((
            "these people are pushed, and each is provisioned when they are pushed",
            "remove `every`; `full` says when the whole is compared",
        )),
        SourceKind::Csv | SourceKind::Jsonl | SourceKind::Ldif if every.seconds() < WHOLE => Some((
            "a file does not tell what changed, and is read whole each time",
            "write \"1h\" or more; kind = \"ldap\" and kind = \"scim\" are as quick as you like",
        )),
        SourceKind::Command if every.seconds() < WHOLE => Some((
            "a program prints everybody each time",
            "write \"1h\" or more; kind = \"ldap\" and kind = \"scim\" are as quick as you like",
        )),
        SourceKind::Ldap | SourceKind::Csv | SourceKind::Jsonl | SourceKind::Ldif | SourceKind::Command => None,
    };
    if let Some((why, cure)) = refused {
        let message = format!("`schedule.every` asks too often: {why}");
        reader.problem(ProblemKind::BadValue, text.span.clone(), message, "too often", cure);
    }
}

fn time(reader: &mut Reader<'_>, text: &At<&str>) -> Option<Time> {
    let digits = |part: &str| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten();
    let parsed = text.value.trim().split_once(':').and_then(|(hour, minute)| Some((digits(hour)?, digits(minute)?)));
    let time = parsed.and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
    if time.is_none() {
        reader.problem(
            ProblemKind::BadValue,
            text.span.clone(),
            "`schedule.full` is no time of day",
            "not a time",
            "write hours and minutes: \"02:30\"",
        );
    }
    time
}
