//! Looking: the state file, the source, the tenant. Reads only.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hardmatch_checkup::{check, good, judge};
use hardmatch_domain::person::Person;
use hardmatch_embedded::{FileTable, Missing, TableOptions};
use hardmatch_policy::{Config, Given, Location, entitlements};
use hardmatch_ports::TableError;
use hardmatch_ports::source::{RefusedEntry, SourceFinding};
use hardmatch_report::{Check, CheckState};
use hardmatch_store::Store;
use hardmatch_store::connection::Meta;

use crate::commands::place::place;
use crate::commands::usable;
use crate::connection::{clock, driver, exposed, folder};
use crate::fail::Failure;
use crate::simulated_state;
use crate::tenant_side::tenant_side;
use crate::tokens;

/// The area of what is said of the source.
const SOURCE: &str = "source";
/// Refused entries that are named one by one.
const NAMED: usize = 5;

/// The state file, and what it remembers of the connection.
pub(super) async fn state(config: &Config) -> (Vec<Check>, Meta) {
    const AREA: &str = "state";
    let path = &config.state_path;
    let fail = |error: &TableError| {
        let text = error.to_string();
        let (finding, cure) = text.split_once(". ").unwrap_or((&text, ""));
        vec![check(AREA, CheckState::Fail, format!("{finding}."), cure)]
    };
    if !path.exists() {
        return (vec![begins(path)], Meta::default());
    }
    if simulated_state::is_left(config) {
        let found =
            format!("{} is of the simulated tenant; the next plan puts it aside and begins anew.", path.display());
        return (vec![good(AREA, found)], Meta::default());
    }
    let options = TableOptions { missing: Missing::Refuse, ..TableOptions::default() };
    let table = match FileTable::open(path, &options) {
        Ok(table) => table,
        Err(error) => return (fail(&error), Meta::default()),
    };
    if let Err(error) = table.check().await {
        return (fail(&error), Meta::default());
    }
    let meta = match Store::open(Arc::new(table)).await {
        Ok(store) => store.meta(&config.connection).await,
        Err(error) => Err(error),
    };
    match meta {
        Ok(meta) => {
            let at_work = driver(path).map_or_else(
                || "no run is at work on it".to_owned(),
                |holder| format!("a run is at work on it, of {}", holder.name),
            );
            let mut checks =
                vec![good(AREA, format!("{} is whole, can be read and written, and {at_work}.", path.display()))];
            checks.extend(exposed(config).into_iter().map(|(path, mode)| {
                let (finding, cure) = (format!("Others can read {} (mode {mode:o}).", path.display()), "chmod 600");
                check(AREA, CheckState::Warn, finding, format!("End that with: {cure} {}", path.display()))
            }));
            checks.extend(judge::last_run(&meta, clock().now_seconds(), moment));
            (checks, meta)
        }
        Err(error) => (vec![check(AREA, CheckState::Fail, error.to_string(), "")], Meta::default()),
    }
}

/// There is no state yet; whether one can be begun is tried with a file that is gone at once.
fn begins(path: &Path) -> Check {
    let folder = folder(path);
    match tempfile::tempfile_in(folder) {
        Ok(_) => good("state", format!("{} is not there yet; the first plan makes it.", path.display())),
        Err(error) => check(
            "state",
            CheckState::Fail,
            format!("{} cannot be made: {error}.", path.display()),
            format!("Give this user write permission to {}, or name another file in state.path.", folder.display()),
        ),
    }
}

pub(crate) fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

/// What the source gave.
pub(super) struct SourceSide {
    pub(super) checks: Vec<Check>,
    /// How many sign-in names are in each domain.
    pub(super) domains: BTreeMap<String, u64>,
}

/// Reads the whole source once.
pub(super) async fn source(config: &Config, meta: &Meta) -> SourceSide {
    if config.source.location == Location::Pushed {
        let found = good(SOURCE, "People are pushed, while `hardmatch serve` runs.");
        return SourceSide { checks: vec![found], domains: BTreeMap::new() };
    }
    let mut nowhere = 0u64;
    let examined = match hardmatch_wiring::source::source(config, &clock()) {
        Ok(source) => source.examine().await,
        Err(error) => Err(error),
    };
    let read = usable::look(config, |person| nowhere += u64::from(is_licensed_nowhere(config, person))).await;
    let mut domains = BTreeMap::new();
    let checks = match read {
        Err(error) => {
            let found = format!("{}: {}.", config.source.location, error.problem);
            let mut checks = vec![check(SOURCE, CheckState::Fail, found, error.cure)];
            checks.extend(examined.into_iter().flatten().map(told));
            checks
        }
        Ok(mut found) => {
            let listing = std::mem::take(&mut found.completeness);
            domains = std::mem::take(&mut found.domains);
            let named = if found.nobody_has_a_name(config).is_some() {
                check(
                    SOURCE,
                    CheckState::Fail,
                    format!("Nothing in {} fills the sign-in name (userPrincipalName).", config.source.location),
                    "Name its column under [source.columns], or build it under [attributes].",
                )
            } else {
                let people = found.people - found.refused.len() as u64;
                good(
                    SOURCE,
                    format!(
                        "{}: {people} people, {} of {} usable.",
                        config.source.location, found.usable, found.people
                    ),
                )
            };
            let mut checks = vec![named];
            // What fails here was said by the reading, or will be.
            checks.extend(examined.into_iter().flatten().map(told));
            checks.extend(refused_entries(&found.refused));
            checks.extend(without_location(nowhere));
            for doubt in &listing.doubts {
                checks.push(check(
                    SOURCE,
                    CheckState::Warn,
                    format!("The listing is not complete: {doubt}"),
                    "Nobody is decided until it is.",
                ));
            }
            for doubt in &listing.absence {
                let cure = "Nobody is taken for absent until the entries are cured.";
                checks.push(check(SOURCE, CheckState::Warn, format!("Somebody may be hidden: {doubt}."), cure));
            }
            if let Some((first, others)) = listing.left_out.split_first() {
                let more = others.len();
                let more = if more > 0 { format!(" And {more} more.") } else { String::new() };
                let found = format!("A value is left out. {}{more}", place(first));
                checks.push(check(SOURCE, CheckState::Warn, found, "The people themselves are read."));
            }
            checks.extend(listing.notes.iter().map(|note| good(SOURCE, format!("{note}."))));
            let lost: Vec<&str> = meta
                .listing
                .columns
                .iter()
                .map(String::as_str)
                .filter(|had| !listing.columns.iter().any(|has| has.eq_ignore_ascii_case(had)))
                .collect();
            if !lost.is_empty() {
                checks.push(check(
                    SOURCE,
                    CheckState::Warn,
                    format!("Columns that the last complete listing had are gone: {}.", usable::some(&lost, NAMED)),
                    "Bring them back, or accept the change once with --accept-source.",
                ));
            }
            checks
        }
    };
    SourceSide { checks, domains }
}

/// What a source says of how it is reached.
fn told(finding: SourceFinding) -> Check {
    match finding.cure {
        None => good(SOURCE, format!("{}.", finding.found)),
        Some(cure) => check(SOURCE, CheckState::Warn, format!("{}.", finding.found), format!("{cure}.")),
    }
}

/// Whether rules give the person a licence, and nothing says in which country it is used.
fn is_licensed_nowhere(config: &Config, person: &Person) -> bool {
    // Without rules there is nothing to be worked out for each of them.
    if config.licenses.is_empty() {
        return false;
    }
    let given = entitlements(config, person);
    given.usage_location.is_none() && given.licenses.iter().any(|license| license.given == Given::Yes)
}

fn without_location(people: u64) -> Option<Check> {
    let whom = match people {
        0 => return None,
        1 => "1 person whom a licence rule fits has".to_owned(),
        many => format!("{many} people whom licence rules fit have"),
    };
    Some(check(
        "source",
        CheckState::Warn,
        format!("{whom} no usage location at the source: without one in the tenant either they are given no licence."),
        "Fill the country at the source with two letters, or map it: usageLocation = \"'SE'\" under [attributes].",
    ))
}

fn entries(count: usize) -> String {
    if count == 1 { "1 entry is".to_owned() } else { format!("{count} entries are") }
}

fn refused_entries(refused: &[RefusedEntry]) -> Option<Check> {
    if refused.is_empty() {
        return None;
    }
    let named: Vec<String> = refused.iter().take(NAMED).map(place).collect();
    let more = if refused.len() > NAMED { format!(" And {} more.", refused.len() - NAMED) } else { String::new() };
    Some(check(
        "source",
        CheckState::Warn,
        format!("{} refused. {}{more}", entries(refused.len()), named.join(" ")),
        "Correct them at the source; the others go on.",
    ))
}

/// Everything about the tenant. Only a file that cannot be used at all is an error.
pub(super) async fn tenant(
    config: &Config,
    meta: &Meta,
    wanted: &BTreeMap<String, u64>,
) -> Result<Vec<Check>, Failure> {
    if let Some(disconnected) = hardmatch_checkup::disconnected(meta) {
        return Ok(vec![disconnected]);
    }
    let clock = clock();
    let side = tenant_side(config, &clock, tokens::looking(config, &clock)?).await?;
    let checks = hardmatch_checkup::tenant(&side, config, meta, wanted, &*clock).await;
    side.stop().await;
    Ok(checks)
}
