//! `init`: a first `hardmatch.toml`, from a people file, from a directory or from nothing.

mod ask;
mod directory;

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::Path;

use hardmatch_policy::{Config, SourceKind, TemplateColumns, template};
use hardmatch_report::{ColumnRow, columns_table};
use hardmatch_sources_files::{Day, ProposedBy, detect};
use hardmatch_wiring::proposal::{self, Proposed};
use serde_json::{Value, json};

use crate::args::InitArgs;
use crate::commands::usable;
use crate::connection::folder;
use crate::fail::{Exit, Failure};
use crate::output;

use ask::Ask;

pub(crate) async fn init(args: InitArgs) -> Result<Exit, Failure> {
    if args.config.exists() {
        return Err(exists(&args.config));
    }
    let Some(from) = args.from.clone() else {
        let text = template(&starter(&args.config));
        write(&args.config, &text)?;
        if args.json {
            output::document(&json!({ "v": 1, "config": args.config, "columns": [], "source": null }));
        } else {
            output::line(format!("Wrote {}.", args.config.display()));
            next_steps(&args.config);
        }
        return Ok(Exit::Converged);
    };
    if let Some(servers) = directory::is_directory(&from) {
        return directory::init(&args, servers).await;
    }
    if let Some(option) = [("--bind", &args.bind), ("--password", &args.password), ("--base", &args.base)]
        .iter()
        .find_map(|(option, value)| value.is_some().then_some(*option))
        .or_else(|| args.ca.is_some().then_some("--ca"))
    {
        return Err(Failure::usage(format!("{option} belongs to a directory: --from ldaps://dc1.corp.example")));
    }
    let path = from.clone();
    let seen = tokio::task::spawn_blocking(move || detect(&path))
        .await
        .map_err(Failure::run)?
        .map_err(|error| Failure::usage(format!("{}: {error}", from.display())))?;
    let summary = format!(
        "{}: {}, {} people, {} columns.",
        from.display(),
        form(&seen),
        seen.entries + seen.refused,
        seen.columns.len()
    );
    let mut proposed = proposal::of(seen, args.domain.as_deref());
    if !args.json {
        output::line(&summary);
        output::line("");
        table(&proposed);
    }
    settle(&args, &mut proposed)?;
    if !proposed.has_sign_in_name() {
        return Err(Failure::usage(format!(
            "nothing in {} can be the sign-in name: no column has values such as ada@contoso.com. Add such a column, or name your domain with --domain contoso.com and sign-in names are built from {}",
            from.display(),
            proposed.login_column().unwrap_or("a column of login names")
        )));
    }
    let detected = proposed.detected(connection_name(&args.config), relative(&from, &args.config));
    let from = from.display().to_string();
    finish(&args, Finished { detected, proposed: &proposed, from: &from, also: json!({}) }).await
}

/// Which column fills what, as far as it is shown.
fn table(proposed: &Proposed) {
    let rows = rows(proposed);
    output::table(columns_table(&rows, output::style()));
    let more = proposed.columns.len() - rows.len();
    if more > 0 {
        output::line(format!("… and {more} more columns that are not used; --json lists all of them."));
    }
}

/// Asks the person at the terminal about what is in doubt.
fn settle(args: &InitArgs, proposed: &mut Proposed) -> Result<(), Failure> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut ask = if terminal && !args.yes && !args.json { Ask::somebody() } else { Ask::Nobody };
    proposed.settle(|question, words| ask.word(question, words))
}

/// What was found out, all but the groups.
struct Finished<'a> {
    detected: TemplateColumns,
    proposed: &'a Proposed,
    /// The source, as the command names it.
    from: &'a str,
    /// What `--json` says besides.
    also: Value,
}

/// Reads the source once as the file has it, writes the file, and says what to do next.
async fn finish(args: &InitArgs, finished: Finished<'_>) -> Result<Exit, Failure> {
    let Finished { mut detected, proposed, from, also } = finished;
    detected.time_zone = fs::read_link(LOCAL_TIME).ok().and_then(|link| zone(&link));
    let text = template(&detected);
    let config = loads(&text, &args.config)?;
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    let found = usable::look(&config, |person| {
        for group in person.groups.iter().filter(|group| !group.contains('=')) {
            *groups.entry(group.to_owned()).or_default() += 1;
        }
    })
    .await
    .map_err(|error| Failure::usage(format!("{from}: {error}")))?;
    if let Some(failure) = found.nobody_has_a_name(&config) {
        return Err(failure);
    }
    // A group of everybody would be no example of a scope.
    let mut by_size: Vec<(String, u64)> = groups.into_iter().filter(|(_, size)| *size < found.people).collect();
    by_size.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    detected.groups = by_size.into_iter().map(|(group, _)| group).collect();
    let text = template(&detected);
    loads(&text, &args.config)?;
    write(&args.config, &text)?;
    if args.json {
        let mut document = json!({
            "v": 1,
            "config": args.config,
            "columns": documents(proposed),
            "key": detected.key,
            "anchor": detected.anchor_from,
            "notes": proposed.notes,
            "source": found.document(),
        });
        if let (Some(document), Value::Object(also)) = (document.as_object_mut(), also) {
            document.extend(also);
        }
        output::document(&document);
        return Ok(Exit::Converged);
    }
    for note in &proposed.notes {
        output::prose(note);
    }
    output::line(format!("Wrote {}.", args.config.display()));
    for line in found.lines() {
        output::prose(line);
    }
    next_steps(&args.config);
    Ok(Exit::Converged)
}

fn form(seen: &hardmatch_sources_files::Detected) -> String {
    let name = match seen.format {
        hardmatch_sources_files::Format::Csv => "CSV",
        hardmatch_sources_files::Format::JsonLines => "JSON Lines",
        hardmatch_sources_files::Format::Ldif => "LDIF",
    };
    match seen.delimiter {
        Some(delimiter) => {
            let between = match delimiter {
                '\t' => "tabs".to_owned(),
                other => format!("`{other}`"),
            };
            format!("{name} with {between}, {}", seen.encoding)
        }
        None => name.to_owned(),
    }
}

/// Columns that nothing uses are shown up to so many; the others are counted.
const UNUSED: usize = 20;

fn rows(proposed: &Proposed) -> Vec<ColumnRow> {
    let mut unused = 0;
    let is_shown = |column: &&hardmatch_wiring::proposal::Shown| {
        let used = !column.shown().is_empty() || column.proposal.doubt.is_some();
        unused += usize::from(!used);
        used || unused <= UNUSED
    };
    proposed
        .columns
        .iter()
        .filter(is_shown)
        .map(|column| ColumnRow {
            column: column.name.clone(),
            attribute: column.shown(),
            sample: column.samples.first().cloned().unwrap_or_default(),
            doubt: column.proposal.doubt.clone().unwrap_or_default(),
        })
        .collect()
}

/// The table for programs.
fn documents(proposed: &Proposed) -> Vec<Value> {
    proposed
        .columns
        .iter()
        .map(|column| {
            json!({
                "column": column.name,
                "attributes": column.proposal.fills,
                "day": match column.proposal.day {
                    Some(Day::First) => Some("first"),
                    Some(Day::Last) => Some("last"),
                    None => None,
                },
                "by": match column.proposal.by {
                    Some(ProposedBy::Name) => Some("name"),
                    Some(ProposedBy::UsualName) => Some("usual_name"),
                    Some(ProposedBy::Values) => Some("values"),
                    None => None,
                },
                "doubt": column.proposal.doubt,
                "sample": column.samples.first(),
            })
        })
        .collect()
}

fn loads(text: &str, path: &Path) -> Result<Config, Failure> {
    Config::load(text, &path.display().to_string(), folder(path)).map_err(|problems| {
        Failure::run(format!(
            "what was found does not make a good file; write one without --from and fill it in:\n{}",
            problems.lines()
        ))
    })
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!(
        "{} is there already and is not overwritten. Move it away, or name another file with --config",
        path.display()
    ))
}

/// A new file, never over an old one.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        ErrorKind::NotFound => Failure::usage(format!(
            "the folder {} does not exist. Create it, or name another file with --config",
            folder(path).display()
        )),
        _ => Failure::run(format!("cannot write {}: {error}", path.display())),
    })
}

/// A file that only shows what there is to say.
fn starter(config: &Path) -> TemplateColumns {
    TemplateColumns {
        connection: connection_name(config),
        tenant: None,
        kind: SourceKind::Csv,
        location: "people.csv".to_owned(),
        columns: Vec::new(),
        attributes: Vec::new(),
        starts: None,
        ends: None,
        time_zone: None,
        key: None,
        anchor_from: Vec::new(),
        groups: Vec::new(),
        directory: None,
    }
}

/// The people file's path as the new file will say it: relative to the new file's folder where that is plain.
fn relative(from: &Path, config: &Path) -> String {
    let base = folder(config);
    if from.is_absolute() {
        return from.display().to_string();
    }
    if base == Path::new(".") {
        return from.display().to_string();
    }
    match from.strip_prefix(base) {
        Ok(inside) => inside.display().to_string(),
        Err(_) => fs::canonicalize(from).map_or_else(|_| from.display().to_string(), |path| path.display().to_string()),
    }
}

/// The connection is called like the folder the file lies in; that is where people keep one customer's things.
fn connection_name(config: &Path) -> String {
    let stem = config.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "hardmatch");
    let parent = fs::canonicalize(folder(config)).ok();
    let parent = parent.and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
    stem.or(parent).unwrap_or_else(|| "people".to_owned())
}

fn next_steps(config: &Path) {
    let option =
        if config == Path::new("hardmatch.toml") { String::new() } else { format!(" --config {}", config.display()) };
    output::line("");
    output::line("Next:");
    output::line(format!("  hardmatch plan{option}"));
    output::prose("    shows what would be done, in a simulated tenant with your domains: nothing real is touched.");
    output::line(format!("  hardmatch config explain{option}"));
    output::line("    says in words what the file does.");
    output::prose(
        "For your own tenant, register an application in Entra (App registrations, New registration, one tenant) with these Microsoft Graph application permissions and admin consent:",
    );
    for line in hardmatch_checkup::needs::permission_lines() {
        output::prose(format!("  {line}"));
    }
    output::prose(format!(
        "Put a client secret into HARDMATCH_CLIENT_SECRET, set tenant.id, tenant.cloud = \"global\" and [tenant.auth] in the file; `hardmatch doctor{option}` then checks all of it and writes nothing."
    ));
}

/// Where Unix systems keep the zone of the machine, as a link into the zone database.
/// <https://www.freedesktop.org/software/systemd/man/latest/localtime.html>
const LOCAL_TIME: &str = "/etc/localtime";

/// The zone that a link into the zone database names. UTC is what servers have by default and says nothing.
fn zone(link: &Path) -> Option<String> {
    let link = link.to_str()?;
    let (_, name) = link.rsplit_once("zoneinfo/")?;
    let known = jiff::tz::TimeZone::get(name).is_ok();
    (known && !matches!(name, "UTC" | "Etc/UTC" | "Etc/UCT" | "UCT" | "Universal" | "Zulu")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_zone_is_guessed_from_the_machine() {
        for (link, found) in [
            ("/usr/share/zoneinfo/Europe/Berlin", Some("Europe/Berlin")),
            ("../usr/share/zoneinfo/America/Argentina/Ushuaia", Some("America/Argentina/Ushuaia")),
            ("/var/db/timezone/zoneinfo/Asia/Tokyo", Some("Asia/Tokyo")),
            ("/usr/share/zoneinfo/Etc/UTC", None),
            ("/usr/share/zoneinfo/Europe/Nowhere", None),
            ("/somewhere/else", None),
        ] {
            assert_eq!(zone(Path::new(link)).as_deref(), found, "{link}");
        }
    }
}
