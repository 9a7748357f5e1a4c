//! `init`: a first `hardmatch.toml`, from a people file or from nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use hardmatch_policy::{Config, Detected, SourceKind, template};
use hardmatch_ports::source::Entry;
use hardmatch_sources_files::detect;

use hardmatch_wiring::source::{source, suggestion};

use crate::args::InitArgs;
use crate::connection::{clock, folder};
use crate::fail::{Exit, Failure};
use crate::output;

pub(crate) async fn init(args: InitArgs) -> Result<Exit, Failure> {
    if args.config.exists() {
        return Err(exists(&args.config));
    }
    let (mut detected, found) = match &args.from {
        Some(from) => {
            let (detected, found) = look(from, &args.config).await?;
            (detected, Some(found))
        }
        None => (starter(&args.config), None),
    };
    let text = template(&detected);
    if args.from.is_some()
        && let Ok(config) = Config::load(&text, "template", folder(&args.config))
    {
        detected.groups = groups(&config).await;
    }
    let text = template(&detected);
    if let Err(problems) = Config::load(&text, &args.config.display().to_string(), folder(&args.config)) {
        return Err(Failure::run(format!(
            "what was found does not make a good file; write one without --from and fill it in:\n{}",
            problems.lines()
        )));
    }
    write(&args.config, &text)?;
    output::line(format!("Wrote {}.", args.config.display()));
    for line in found.iter().flatten() {
        output::line(line);
    }
    next_steps(&args.config);
    Ok(Exit::Converged)
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
fn starter(config: &Path) -> Detected {
    Detected {
        connection: connection_name(config),
        tenant: None,
        kind: SourceKind::Csv,
        location: "people.csv".to_owned(),
        columns: BTreeMap::new(),
        key: None,
        anchor_from: Vec::new(),
        groups: Vec::new(),
    }
}

/// What the people file seems to be, and what to tell about it.
async fn look(from: &Path, config: &Path) -> Result<(Detected, Vec<String>), Failure> {
    let path = from.to_owned();
    let seen = tokio::task::spawn_blocking(move || detect(&path)).await.map_err(Failure::run)?.map_err(|error| {
        let hand = "Without --from, `hardmatch init` writes a file in which [source] is set by hand";
        Failure::usage(format!("{}: {error}. {hand}", from.display()))
    })?;
    let detected = suggestion(&seen, connection_name(config), relative(from, config));
    let mut found = vec![format!(
        "{}: {}, {} people, {} columns.",
        from.display(),
        seen.format.name(),
        seen.entries,
        seen.columns.len()
    )];
    match &detected.key {
        Some(key) => found.push(format!("Key: {key}, because it is filled for everybody and nowhere the same.")),
        None => found.push(
            "No column is filled for everybody and nowhere the same: choose a key that never changes and set source.key."
                .to_owned(),
        ),
    }
    match detected.anchor_from.as_slice() {
        [] => found.push("No column could be an immutable ID: set anchor.from.".to_owned()),
        names => found.push(format!("Immutable IDs from: {}.", names.join(", "))),
    }
    let unknown: Vec<&str> =
        seen.columns.iter().filter(|column| column.understood.is_none()).map(|column| column.name.as_str()).collect();
    if let Some(first) = unknown.first() {
        found.push(format!(
            "Columns without a known meaning: {}. Name them in [source.columns], or use them as person.source['{first}'].",
            unknown.join(", ")
        ));
    }
    if seen.refused > 0 {
        found.push(format!("{} entries could not be read; `hardmatch doctor` names them.", seen.refused));
    }
    Ok((detected, found))
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

/// Groups that the first people are in, for the example of a scope.
async fn groups(config: &Config) -> Vec<String> {
    let Ok(source) = source(config, &clock()) else { return Vec::new() };
    let Ok(mut listing) = source.open().await else { return Vec::new() };
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    for entry in listing.next().await.unwrap_or_default() {
        if let Entry::Person(person) = entry {
            for group in person.groups.iter().filter(|group| !group.contains('=')) {
                *groups.entry(group.to_owned()).or_default() += 1;
            }
        }
    }
    let mut by_size: Vec<(String, u64)> = groups.into_iter().collect();
    by_size.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    by_size.into_iter().map(|(group, _)| group).collect()
}

fn next_steps(config: &Path) {
    let option =
        if config == Path::new("hardmatch.toml") { String::new() } else { format!(" --config {}", config.display()) };
    output::line("");
    output::line("Next:");
    output::line(format!(
        "  1. hardmatch config explain{option}   what the file will do. It starts with a simulated tenant, so that"
    ));
    output::line(format!("     hardmatch plan{option}             works at once and touches nothing real."));
    output::line(
        "  2. For your tenant, register an application in Entra (App registrations, New registration, one tenant)",
    );
    output::line("     and give it these Microsoft Graph application permissions, with admin consent:");
    for line in hardmatch_checkup::needs::permission_lines() {
        output::line(format!("       {line}"));
    }
    output::line(
        "     Create a client secret, put it into HARDMATCH_CLIENT_SECRET, and set tenant.id, tenant.cloud = \"global\"",
    );
    output::line("     and [tenant.auth] client_id and secret in the file.");
    output::line(format!("  3. hardmatch doctor{option}           checks all of it and writes nothing."));
    output::line(format!(
        "  4. hardmatch plan{option}             shows what would be done; `hardmatch apply HASH` does exactly that."
    ));
}
