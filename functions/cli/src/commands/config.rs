//! `config`: the file checked, explained and tried, without touching the tenant.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;
use hardmatch_domain::policy::Switch;
use hardmatch_policy::{
    Config, Entitlement, Entitlements, Given, Location, RuleTrace, SourceSettings, TraceOutcome, entitlements, explain,
    json_schema, reference, test_rules,
};
use hardmatch_ports::source::{Each, Entry, RefusedEntry, read_whole};
use serde_json::json;

use hardmatch_wiring::source::source;

use crate::args::{Common, ConfigCommand, ConfigTestArgs};
use crate::commands::called::{Fit, fit, names};
use crate::commands::expected::{self, scope_answer};
use crate::commands::place::place;
use crate::commands::usable;
use crate::commands::who::is_called;
use crate::connection::{clock, folder, load, read_text};
use crate::fail::{Exit, Failure};
use crate::installation::installation;
use crate::output;

/// People shown when nobody is named.
const FIRST: usize = 3;
/// People shown of one beginning of a name.
const SHOWN: usize = 10;

pub(crate) async fn config(command: ConfigCommand) -> Result<Exit, Failure> {
    const INSTEAD: &str = "The file is checked before `hardmatch config push` stores it in a stack";
    match &command {
        ConfigCommand::Check(common) | ConfigCommand::Explain(common) => common.here("config", INSTEAD)?,
        ConfigCommand::Test(args) => args.common.here("config test", INSTEAD)?,
        ConfigCommand::Schema | ConfigCommand::Reference | ConfigCommand::Push(_) => {}
    }
    match command {
        ConfigCommand::Check(common) => check(&common).await,
        ConfigCommand::Explain(common) => words(&common),
        ConfigCommand::Schema => {
            output::document(&json_schema());
            Ok(Exit::Converged)
        }
        ConfigCommand::Reference => {
            output::line(reference());
            Ok(Exit::Converged)
        }
        ConfigCommand::Test(args) => Box::pin(test(args)).await,
        ConfigCommand::Push(common) => installation(&common)?.push(&common).await,
    }
}

/// The file, and with it the source where it is on this machine: a file that reads well can still fit no column.
async fn check(common: &Common) -> Result<Exit, Failure> {
    let path = &common.config;
    if !common.json {
        let loaded = load(path)?;
        let lines = match looked(&loaded.config).await? {
            Some(found) => found.lines(),
            None => vec![format!("{} is not on this machine and was not looked at.", loaded.config.source.location)],
        };
        output::line(format!(
            "{}: good. Connection {}; `hardmatch config explain` says in words what it does.",
            path.display(),
            loaded.config.connection
        ));
        lines.iter().for_each(output::line);
        return Ok(Exit::Converged);
    }
    let text = read_text(path)?;
    match Config::load(&text, &path.display().to_string(), folder(path)) {
        Ok(config) => {
            let source = looked(&config).await?.map(|found| found.document());
            output::document(&json!({ "v": 1, "connection": config.connection, "problems": [], "source": source }));
            Ok(Exit::Converged)
        }
        Err(problems) => {
            let list: Vec<_> = problems.iter().collect();
            output::document(&json!({ "v": 1, "problems": list }));
            Err(Failure::usage(format!("{} has {} problems", path.display(), problems.len())))
        }
    }
}

/// What the source gives; `None` when it lies elsewhere.
async fn looked(config: &Config) -> Result<Option<usable::SourceLook>, Failure> {
    let elsewhere = |source: &SourceSettings| matches!(source.location, Location::S3 { .. } | Location::Pushed);
    if config.sources().into_iter().any(|(_, source)| elsewhere(source)) {
        return Ok(None);
    }
    let found = usable::look(config, |_| {})
        .await
        .map_err(|error| Failure::usage(format!("{}: {error}", config.source.location)))?;
    match found.nobody_has_a_name(config) {
        Some(failure) => Err(failure),
        None => Ok(Some(found)),
    }
}

fn words(common: &Common) -> Result<Exit, Failure> {
    let loaded = load(&common.config)?;
    let text = explain(&loaded.config);
    if common.json {
        output::document(&json!({ "v": 1, "connection": loaded.config.connection, "text": text }));
    } else {
        output::line(text);
    }
    Ok(Exit::Converged)
}

/// One person of the source with what each expression gives.
struct Tried {
    person: Person,
    traces: Vec<RuleTrace>,
    given: Entitlements,
}

async fn test(args: ConfigTestArgs) -> Result<Exit, Failure> {
    let loaded = load(&args.common.config)?;
    if let Some(file) = &args.expect {
        return Box::pin(expected::compare(&loaded, file, args.from.as_deref(), args.common.json)).await;
    }
    let config = &loaded.config;
    let Picked { people, refused, missing, more } = pick(config, &args.who).await?;
    if !missing.is_empty() && people.is_empty() && refused.is_empty() {
        return Err(Failure::usage(format!(
            "the source {} has nobody whose key, sign-in name, address, employee ID or name is or begins with {}",
            config.source.location,
            missing.join(", ")
        )));
    }
    let tried: Vec<Tried> = people
        .into_iter()
        .map(|person| {
            let traces = test_rules(config, &person);
            let given = entitlements(config, &person);
            Tried { person, traces, given }
        })
        .collect();
    if args.common.json {
        let people: Vec<_> = tried
            .iter()
            .map(|tried| {
                json!({
                    "key": tried.person.key,
                    "name": tried.person.attributes.filled(Attr::DisplayName),
                    "upn": tried.person.upn(),
                    "in_scope": in_scope(config, tried),
                    "rules": tried.traces,
                    "licenses": tried.given.licenses,
                    "groups": tried.given.groups,
                    "takes_nothing": tried.given.takes_nothing,
                    "usage_location": tried.given.usage_location,
                })
            })
            .collect();
        output::document(&json!({ "v": 1, "people": people, "refused_entries": refused, "not_found": missing }));
    } else {
        for tried in &tried {
            show(config, tried);
        }
        for refused in &refused {
            output::line(format!("Refused at the source. {}", place(refused)));
        }
        for (who, more) in &more {
            output::note(format!(
                "{more} more people of the source begin with {who}; a longer part of a name finds them."
            ));
        }
        for missing in &missing {
            output::note(format!("The source has nobody called {missing}."));
        }
    }
    let unknown = tried.iter().flat_map(|tried| &tried.traces).any(|trace| is_unknown(&trace.outcome));
    let attention = unknown || !refused.is_empty() || !missing.is_empty();
    Ok(if attention { Exit::Attention } else { Exit::Converged })
}

/// What a reading of the source gives for the people who are wanted.
#[derive(Default)]
struct Picked {
    people: Vec<Person>,
    refused: Vec<RefusedEntry>,
    /// What was asked for and is nobody's.
    missing: Vec<String>,
    /// People beyond those that are shown, of one beginning of a name.
    more: Vec<(String, usize)>,
}

/// People of one word that was asked for.
#[derive(Default)]
struct Asked {
    /// They are called exactly that.
    exactly: Vec<Person>,
    /// A word of their names begins with it, and the number of all who do.
    beginning: Vec<Person>,
    begin: usize,
    refused: Vec<RefusedEntry>,
}

/// Reads the source once and keeps who is wanted: those of exactly that key, name or address, and otherwise those of
/// whose names a word begins like that.
async fn pick(config: &Config, wanted: &[String]) -> Result<Picked, Failure> {
    let mut picked = Picked::default();
    let mut asked: Vec<Asked> = wanted.iter().map(|_| Asked::default()).collect();
    let mut entries = Each(|entry| match entry {
        Entry::Person(person) if wanted.is_empty() => {
            if picked.people.len() < FIRST {
                picked.people.push(*person);
            }
        }
        Entry::Person(person) => {
            for (who, asked) in wanted.iter().zip(&mut asked) {
                asked.take(who, &person);
            }
        }
        Entry::Refused(entry) => {
            let key = entry.key.as_ref().map(|key| key.as_str().to_owned());
            for (who, asked) in wanted.iter().zip(&mut asked) {
                if key.as_ref().is_some_and(|key| key.eq_ignore_ascii_case(who)) {
                    asked.refused.push(entry.clone());
                }
            }
        }
    });
    read_whole(&*source(config, &clock())?, &mut entries).await?;
    for (who, asked) in wanted.iter().zip(asked) {
        let Asked { exactly, beginning, begin, refused } = asked;
        if !exactly.is_empty() || !refused.is_empty() {
            picked.people.extend(exactly);
            picked.refused.extend(refused);
        } else if beginning.is_empty() {
            picked.missing.push(who.clone());
        } else {
            if begin > beginning.len() {
                picked.more.push((who.clone(), begin - beginning.len()));
            }
            picked.people.extend(beginning);
        }
    }
    Ok(picked)
}

impl Asked {
    fn take(&mut self, who: &str, person: &Person) {
        if is_called(person, who) {
            self.exactly.push(person.clone());
        } else if matches!(fit(&names(person), who), Some(Fit::Words | Fit::Beginnings)) {
            self.begin += 1;
            if self.beginning.len() < SHOWN {
                self.beginning.push(person.clone());
            }
        }
    }
}

fn is_unknown(outcome: &TraceOutcome) -> bool {
    matches!(outcome, TraceOutcome::Unknown(_))
}

/// Whether the person will be managed; `None` when nobody can say.
fn in_scope(config: &Config, tried: &Tried) -> Option<bool> {
    scope_answer(config, &tried.traces)
}

fn show(config: &Config, tried: &Tried) {
    let person = &tried.person;
    let name = person.attributes.filled(Attr::DisplayName).or(person.upn()).unwrap_or("(no name)");
    output::line(hardmatch_report::visible(&format!(
        "{name} <{}>, key {}",
        person.upn().unwrap_or("no sign-in name"),
        person.key.as_str()
    )));
    output::line(match in_scope(config, tried) {
        Some(true) if config.scope.is_none() => "  will be managed: there is no [scope] rule, so everybody is",
        Some(true) => "  will be managed",
        Some(false) => "  will not be managed",
        None => "  unknown whether they will be managed: nothing is removed, nothing new is decided",
    });
    for line in given_lines(config, tried) {
        output::line(hardmatch_report::visible(&format!("  {line}")));
    }
    for trace in &tried.traces {
        let outcome = match &trace.outcome {
            TraceOutcome::Answer(true) => "yes".to_owned(),
            TraceOutcome::Answer(false) => "no".to_owned(),
            TraceOutcome::Text(text) if text.is_empty() => "(empty)".to_owned(),
            TraceOutcome::Text(text) => format!("\u{201c}{text}\u{201d}"),
            TraceOutcome::Unknown(why) => format!("unknown: {why}"),
        };
        output::line(hardmatch_report::visible(&format!("  {}: {outcome}", trace.key)));
        output::line(hardmatch_report::visible(&format!("    {}", trace.expression)));
        if !trace.reads.is_empty() {
            output::line(hardmatch_report::visible(&format!("    reads {}", trace.reads.join(", "))));
        }
    }
    output::line("");
}

/// Which licences and groups the rules give the person, and by which rule. What the tenant has of it is not asked here.
fn given_lines(config: &Config, tried: &Tried) -> Vec<String> {
    let Tried { person, given, .. } = tried;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(given.licenses.iter().map(|license| format!("licence {}", given_words(license, "given"))));
    lines.extend(given.groups.iter().map(|group| format!("group {}", given_words(group, "member"))));
    if lines.is_empty() {
        return lines;
    }
    if in_scope(config, tried) == Some(false) {
        lines.push("not in scope: given nothing of this".to_owned());
    } else if person.enabled == Some(false) && !config.lifecycle.disabled.is_empty() {
        lines.push("disabled at the source: given nothing new of this".to_owned());
    }
    if given.licenses.iter().any(|license| license.given == Given::Yes) && given.usage_location.is_none() {
        lines.push(
            "no usage location at the source: given no licence unless the account has one in the tenant".to_owned(),
        );
    }
    if given.takes_nothing {
        lines.push("a rule could not be worked out: nothing is taken away from this person".to_owned());
    }
    let switches = [
        ("licences", config.actions.license, &given.licenses),
        ("memberships", config.actions.membership, &given.groups),
    ];
    for (what, switch, list) in switches {
        match switch {
            Switch::Off if !list.is_empty() => lines.push(format!("{what} are switched off: only reported")),
            Switch::Approve if !list.is_empty() => lines.push(format!("changes of {what} wait for an approval")),
            Switch::On | Switch::Approve | Switch::Off => {}
        }
    }
    lines
}

fn given_words(entitlement: &Entitlement, yes: &str) -> String {
    let Entitlement { name, given, by, without, also } = entitlement;
    match given {
        Given::Yes => {
            let by = by.as_deref().unwrap_or_default();
            let without = if without.is_empty() { String::new() } else { format!(", without {}", without.join(", ")) };
            let also = match also.as_slice() {
                [] => String::new(),
                [one] => format!(" ({one} fits as well and changes nothing)"),
                several => format!(" ({} fit as well and change nothing)", several.join(", ")),
            };
            format!("{name}: {yes} by {by}{without}{also}")
        }
        Given::No => format!("{name}: no rule fits"),
        Given::Unknown => format!("{name}: unknown, so left as it is"),
    }
}
