//! `config test --expect`: people and the verdicts that a team expects of its configuration.

use std::collections::BTreeMap;
use std::path::Path;

use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::Person;
use hardmatch_policy::{Config, Given, RuleTrace, TraceOutcome, entitlements, test_rules};
use hardmatch_ports::run::PlanRow;
use hardmatch_ports::source::{Each, Entry, read_whole};
use hardmatch_report::visible;
use hardmatch_wiring::source::source;
use serde::Deserialize;
use serde_json::json;

use crate::commands::replay;
use crate::commands::who::is_called;
use crate::connection::{Loaded, clock, read_text};
use crate::fail::{Exit, Failure};
use crate::output;

/// The file: a list of people. What is left out is not looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectations {
    person: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Key, sign-in name, address or whole name.
    who: String,
    /// Whether the scope rule takes them.
    in_scope: Option<bool>,
    /// Licences that rules give, by part number; exactly these.
    licenses: Option<Vec<String>>,
    /// Groups that rules put them into; exactly these.
    groups: Option<Vec<String>>,
    /// What rules of `[attributes]` give, by attribute.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// What is decided, by the action's name. Needs recorded facts.
    action: Option<String>,
    /// The code of the main reason. Needs recorded facts.
    reason: Option<String>,
}

/// One expectation that is not met. Holds personal data.
struct Miss {
    who: String,
    what: String,
    expected: String,
    found: String,
}

pub(crate) async fn compare(loaded: &Loaded, file: &Path, facts: Option<&Path>, json: bool) -> Result<Exit, Failure> {
    let text = read_text(file)?;
    let expected: Expectations =
        toml::from_str(&text).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let decides = |one: &Expected| one.action.is_some() || one.reason.is_some();
    if let (Some(one), None) = (expected.person.iter().find(|one| decides(one)), facts) {
        return Err(Failure::usage(format!(
            "what is decided about {} takes recorded facts: name them with --from FILE, and make them with `hardmatch plan --record FILE`",
            visible(&one.who)
        )));
    }
    let rows = match facts {
        Some(facts) => Box::pin(replay::decided(facts, loaded)).await?,
        None => BTreeMap::new(),
    };
    let people = people(loaded, &expected.person).await?;
    let mut misses = Vec::new();
    for (one, person) in expected.person.iter().zip(&people) {
        judge(loaded, one, person.as_ref(), &rows, &mut misses);
    }
    show(&misses, expected.person.len(), json);
    Ok(if misses.is_empty() { Exit::Converged } else { Exit::Attention })
}

/// The person of each expectation, in order.
async fn people(loaded: &Loaded, expected: &[Expected]) -> Result<Vec<Option<Person>>, Failure> {
    let mut found: Vec<Option<Person>> = expected.iter().map(|_| None).collect();
    let mut entries = Each(|entry| {
        let Entry::Person(person) = entry else { return };
        for (one, found) in expected.iter().zip(&mut found) {
            if found.is_none() && is_called(&person, &one.who) {
                *found = Some((*person).clone());
            }
        }
    });
    read_whole(&*source(&loaded.config, &clock())?, &mut entries).await?;
    Ok(found)
}

fn judge(
    loaded: &Loaded,
    one: &Expected,
    person: Option<&Person>,
    rows: &BTreeMap<PersonKey, PlanRow>,
    misses: &mut Vec<Miss>,
) {
    let mut compare = |what: &str, expected: String, found: String| {
        if expected != found {
            misses.push(Miss { who: one.who.clone(), what: what.to_owned(), expected, found });
        }
    };
    let row = || {
        let is_theirs = |row: &&PlanRow| {
            let key = row.decision.key.as_str();
            row.upn.eq_ignore_ascii_case(&one.who) || key.eq_ignore_ascii_case(&one.who)
        };
        person.and_then(|person| rows.get(&person.key)).or_else(|| rows.values().find(is_theirs))
    };
    if let Some(action) = &one.action {
        compare("action", action.clone(), row().map_or("not decided", |row| row.decision.action.name()).to_owned());
    }
    if let Some(reason) = &one.reason {
        let found =
            row().and_then(|row| row.decision.reasons.first()).map_or("not decided", |reason| reason.code.as_str());
        compare("reason", reason.clone(), found.to_owned());
    }
    let asks_rules =
        one.in_scope.is_some() || one.licenses.is_some() || one.groups.is_some() || !one.attributes.is_empty();
    if !asks_rules && (one.action.is_some() || one.reason.is_some()) {
        return;
    }
    let Some(person) = person else {
        compare(
            "person",
            "in the source".to_owned(),
            "the source has nobody of this name, or their row is refused".to_owned(),
        );
        return;
    };
    let (config, traces) = (&loaded.config, test_rules(&loaded.config, person));
    if let Some(in_scope) = one.in_scope {
        let found = scope_answer(config, &traces).map_or_else(|| "unknown".to_owned(), |answer| answer.to_string());
        compare("in_scope", in_scope.to_string(), found);
    }
    let given = entitlements(config, person);
    for (what, expected, found) in
        [("licenses", &one.licenses, &given.licenses), ("groups", &one.groups, &given.groups)]
    {
        let Some(expected) = expected else { continue };
        let mut expected = expected.clone();
        let given = found.iter().filter(|one| one.given == Given::Yes);
        let mut found: Vec<String> = given.map(|one| one.name.clone()).collect();
        expected.sort();
        found.sort();
        compare(what, expected.join(", "), found.join(", "));
    }
    for (attribute, expected) in &one.attributes {
        let key = format!("attributes.{attribute}");
        let found = match traces.iter().find(|trace| trace.key == key).map(|trace| &trace.outcome) {
            Some(TraceOutcome::Text(text)) => text.clone(),
            Some(TraceOutcome::Answer(answer)) => answer.to_string(),
            Some(TraceOutcome::Unknown(why)) => format!("unknown: {why}"),
            None => flows_by_default(loaded, person, attribute),
        };
        compare(&key, expected.clone(), found);
    }
}

/// The value of an attribute that no rule of `[attributes]` names: what flows from the source by itself.
fn flows_by_default(loaded: &Loaded, person: &Person, attribute: &str) -> String {
    let policy = loaded.config.policy(0);
    let Some(mapping) = policy.flow.iter().find(|mapping| mapping.to.name() == attribute) else {
        return "nothing: it does not flow, and no rule of [attributes] gives it".to_owned();
    };
    match mapping.value(person) {
        Ok(value) => value.unwrap_or_default().into_owned(),
        Err(error) => format!("unknown: {error}"),
    }
}

/// Whether a person's rules take them; `None` when nobody can say.
pub(crate) fn scope_answer(config: &Config, traces: &[RuleTrace]) -> Option<bool> {
    if config.scope.is_none() {
        return Some(true);
    }
    traces.iter().find(|trace| trace.key == "scope.include").and_then(|trace| match trace.outcome {
        TraceOutcome::Answer(answer) => Some(answer),
        TraceOutcome::Text(_) | TraceOutcome::Unknown(_) => None,
    })
}

fn show(misses: &[Miss], people: usize, json: bool) {
    if json {
        let list = misses
            .iter()
            .map(|miss| json!({ "who": miss.who, "what": miss.what, "expected": miss.expected, "found": miss.found }));
        output::document(&json!({ "v": 1, "people": people, "misses": list.collect::<Vec<_>>() }));
        return;
    }
    for miss in misses {
        let Miss { who, what, expected, found } = miss;
        output::line(visible(&format!(
            "{who}: {what} is \u{201c}{found}\u{201d}, expected \u{201c}{expected}\u{201d}"
        )));
    }
    output::line(match misses.len() {
        0 => format!("All verdicts are as expected ({people} people)."),
        1 => format!("1 verdict is not as expected ({people} people)."),
        many => format!("{many} verdicts are not as expected ({people} people)."),
    });
}
