//! What pages, documents and messages tell operators to type or to set exists: commands by the command line's own
//! definition, settings by the file's own schema.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use hardmatch_domain::reason::Code;
use hardmatch_report::page;
use serde_json::Value;

use crate::args::Cli;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Names of other things that begin like a command.
const NO_COMMANDS: [&str; 1] = ["hardmatch local key"];

/// Pieces of code in a text: what stands between backticks.
fn spans(text: &str) -> impl Iterator<Item = String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Why a command line is none of ours; `None`: it is one. Where it is cut off before a value, the option goes with it.
fn wrong_command(line: &str) -> Option<String> {
    let words = line.split_whitespace().take_while(|word| !matches!(*word, ">" | ">>" | "|" | "#"));
    let mut words: Vec<&str> = words.collect();
    if words.last().is_some_and(|last| ["--config", "--stack", "--connection", "--folder"].contains(last)) {
        words.pop();
    }
    // A command that is only named, such as `hardmatch explain`, may lack what it takes.
    let lacks = [
        clap::error::ErrorKind::MissingRequiredArgument,
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
        clap::error::ErrorKind::DisplayHelp,
        clap::error::ErrorKind::DisplayVersion,
    ];
    match Cli::command().try_get_matches_from(words) {
        Ok(_) => None,
        Err(error) if lacks.contains(&error.kind()) => None,
        Err(error) => Some(format!("{line}: {}", error.to_string().lines().next().unwrap_or_default())),
    }
}

/// Why a setting is none of the file's; `None`: it is one, or the piece is no setting.
fn wrong_setting(schema: &Value, span: &str) -> Option<String> {
    let (path, value) = match span.split_once('=') {
        Some((path, value)) => (path.trim(), Some(value.trim())),
        None => (span, None),
    };
    let path = path.replace("[[", "").replace("]]", "").replace('[', "").replace("] ", ".").replace(']', "");
    let mut steps = path.split('.').map(str::trim);
    let table = steps.next()?;
    let mut at = resolved(schema, schema.pointer(&format!("/properties/{table}"))?);
    for step in steps {
        let next = setting(schema, at, step);
        // Mappings are named by attributes, which have a test of their own.
        let Some(next) = next.or_else(|| at.get("additionalProperties").filter(|more| more.is_object())) else {
            return Some(format!("{span}: [{table}] has no {step}"));
        };
        at = resolved(schema, next);
    }
    let wanted: Value = serde_json::from_str(value?).ok()?;
    let allowed = at.to_string();
    let known = at.get("enum").is_none() && !allowed.contains("\"enum\"") || allowed.contains(&wanted.to_string());
    (!known).then(|| format!("{span}: the value is not among {allowed}"))
}

/// A setting of a table, or of one of several tables of a name.
fn setting<'a>(schema: &'a Value, at: &'a Value, step: &str) -> Option<&'a Value> {
    let here = at.pointer(&format!("/properties/{step}"));
    let of_several = || at.get("items").and_then(|items| setting(schema, resolved(schema, items), step));
    let forms = ["anyOf", "oneOf"].into_iter().filter_map(|name| at.get(name)?.as_array()).flatten();
    here.or_else(of_several)
        .or_else(|| forms.into_iter().find_map(|form| setting(schema, resolved(schema, form), step)))
}

fn resolved<'a>(schema: &'a Value, at: &'a Value) -> &'a Value {
    let target = at.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|target| schema.pointer(target)).unwrap_or(at)
}

#[track_caller]
fn nothing_is_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_and_settings_of_reasons_exist() {
    let schema = hardmatch_policy::json_schema();
    let mut wrong = Vec::new();
    for &code in Code::ALL {
        let page = page(code);
        for text in [page.meaning, page.causes, page.cure, code.remedy(), code.sentence()] {
            for span in spans(text) {
                let found =
                    if span.starts_with("hardmatch ") { wrong_command(&span) } else { wrong_setting(&schema, &span) };
                wrong.extend(found.map(|found| format!("{code}: {found}")));
            }
        }
    }
    nothing_is_wrong(&wrong);
}

#[test]
fn wrong_commands_and_settings_are_seen() {
    let schema = hardmatch_policy::json_schema();
    for right in
        ["hardmatch explain WHO", "hardmatch explain", "hardmatch apply HASH", "hardmatch plan --all > plan.txt"]
    {
        assert_eq!(wrong_command(right), None);
    }
    for wrong in ["hardmatch repair connect", "hardmatch plan --everything", "hardmatch connection rest"] {
        assert!(wrong_command(wrong).is_some(), "{wrong}");
    }
    for right in ["match.soft_deleted", "[match] soft_deleted = \"purge\"", "[guard]", "[[license]]", "person.mail"] {
        assert_eq!(wrong_setting(&schema, right), None);
    }
    for wrong in ["match.soft_delete", "[lifecycle] gone", "match.soft_deleted = \"shred\""] {
        assert!(wrong_setting(&schema, wrong).is_some(), "{wrong}");
    }
}

/// Files below a folder whose names end like this.
fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "snapshots" | "fixtures") && !name.starts_with('.') {
                files(&path, end, found);
            }
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
}

#[test]
fn commands_of_documents_exist() {
    let mut pages = Vec::new();
    files(Path::new(ROOT), ".md", &mut pages);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in pages {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().map(|line| line.trim().trim_start_matches("$ ").to_owned());
        let fenced = lines.filter(|line| line.starts_with("hardmatch ") && !line.contains('`'));
        // Prose that begins a line with the name is no command: it goes on with a word that no command has.
        let fenced = fenced.filter(|line| is_named_like_a_command(line));
        for command in fenced.chain(spans(&text).filter(|span| span.starts_with("hardmatch "))) {
            if NO_COMMANDS.contains(&command.as_str()) {
                continue;
            }
            seen += 1;
            wrong.extend(wrong_command(&command).map(|found| format!("{}: {found}", path.display())));
        }
    }
    nothing_is_wrong(&wrong);
    assert!(seen > 20, "{seen} commands are in the documents");
}

fn is_named_like_a_command(line: &str) -> bool {
    let second = line.split_whitespace().nth(1).unwrap_or_default();
    Cli::command().get_subcommands().any(|command| command.get_name() == second)
}

#[test]
fn commands_of_messages_exist() {
    let mut sources = Vec::new();
    for folder in ["functions", "shared"] {
        files(&Path::new(ROOT).join(folder), ".rs", &mut sources);
    }
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in sources {
        if path.ends_with("cli/src/mentioned.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("`hardmatch ") {
            let rest = &text[at + 1..];
            let Some(command) = rest.split('`').next().filter(|command| !command.contains('\n')) else { continue };
            // Values are put in where the message is made.
            let command = command.split('{').next().unwrap_or_default().replace('\\', "");
            seen += 1;
            wrong.extend(wrong_command(command.trim()).map(|found| format!("{}: {found}", path.display())));
        }
    }
    nothing_is_wrong(&wrong);
    assert!(seen > 40, "{seen} commands are in messages");
}
