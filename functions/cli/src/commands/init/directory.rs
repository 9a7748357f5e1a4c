//! `init --from ldaps://…`: looks at a directory and proposes the file.

use std::path::Path;

use hardmatch_policy::{Config, SourceKind, TemplateColumns, TemplateDirectory, template};
use hardmatch_sources_files::detect;
use hardmatch_wiring::proposal::{self, Proposed};
use hardmatch_wiring::source::{Survey, survey};
use serde_json::json;

use super::{Finished, finish, loads, relative, starter, table};
use crate::args::InitArgs;
use crate::fail::{Exit, Failure};
use crate::output;

/// Where the password is kept when nothing is said.
const PASSWORD: &str = "env:LDAP_PASSWORD";
/// Stands for the base until it is known; never asked for.
const UNKNOWN: &str = "DC=unknown";
/// Ends of names that no tenant can have verified. <https://www.rfc-editor.org/rfc/rfc6762#appendix-G>
const PRIVATE: [&str; 7] = ["local", "lan", "internal", "intranet", "corp", "home", "private"];

/// Whether it names a directory.
pub(super) fn is_directory(from: &Path) -> Option<&str> {
    from.to_str().filter(|text| text.starts_with("ldaps://") || text.starts_with("ldap://"))
}

pub(super) async fn init(args: &InitArgs, servers: &str) -> Result<Exit, Failure> {
    let detected = asked(args, servers)?;
    let config = loads(&template(&detected), &args.config)?;
    let survey = survey(&config, args.base.as_deref()).await.map_err(|error| Failure::usage(error.to_string()))?;
    let mut proposed = proposed(&survey, args.domain.as_deref())?;
    if !args.json {
        output::line(said(&survey));
        output::line("");
        table(&proposed);
    }
    super::settle(args, &mut proposed)?;
    if !proposed.has_sign_in_name() {
        return Err(Failure::usage(format!(
            "nobody below {} has a sign-in name or an address such as ada@contoso.com. Name your domain with --domain contoso.com, and sign-in names are built from {}",
            survey.base,
            proposed.login_column().unwrap_or("an attribute with login names")
        )));
    }
    let mut detected = of(&detected, &survey, &proposed);
    proposed.notes.splice(0..0, notes(&survey));
    let read = loads(&template(&detected), &args.config)?;
    detected.attributes.extend(unroutable(&read, &mut proposed).await?);
    finish(args, Finished { detected, proposed: &proposed, from: servers, also: json!({ "base": survey.base }) }).await
}

/// What the command says of the directory.
fn asked(args: &InitArgs, servers: &str) -> Result<TemplateColumns, Failure> {
    let Some(bind) = &args.bind else {
        return Err(Failure::usage(
            "say who reads the directory: --bind svc-sync@corp.example, or its whole DN. It needs no more than read rights",
        ));
    };
    let Some(ca) = &args.ca else {
        return Err(Failure::usage(
            "name the file with the certificate (PEM) of the authority that issued the directory's: --ca ca.pem. A domain's own: certutil -ca.cert ca.crt, then certutil -encode ca.crt ca.pem",
        ));
    };
    let directory = TemplateDirectory {
        base: args.base.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
        bind: bind.clone(),
        password: args.password.clone().unwrap_or_else(|| PASSWORD.to_owned()),
        ca: relative(ca, &args.config),
        filter: None,
        is_active_directory: false,
    };
    let location = servers.to_owned();
    let kind = SourceKind::Ldap;
    Ok(TemplateColumns { kind, location, directory: Some(directory), ..starter(&args.config) })
}

/// What the entries suggest, looked at as a file of them would be.
fn proposed(survey: &Survey, domain: Option<&str>) -> Result<Proposed, Failure> {
    // A folder of this process alone, which goes when the file was looked at: there are people's records in it.
    let folder = tempfile::tempdir().map_err(Failure::run)?;
    let path = folder.path().join("people.ldif");
    std::fs::write(&path, &survey.sample).map_err(Failure::run)?;
    let seen = detect(&path).map_err(|error| Failure::run(format!("{}: {error}", survey.base)))?;
    let mut proposed = proposal::of(seen, domain);
    // What it says of keys, anchors and managers is of a part of the people alone.
    proposed.notes.clear();
    Ok(proposed)
}

/// The file, from what was asked for and what was found.
fn of(asked: &TemplateColumns, survey: &Survey, proposed: &Proposed) -> TemplateColumns {
    let mut detected = proposed.detected(asked.connection.clone(), asked.location.clone());
    detected.kind = SourceKind::Ldap;
    detected.key = None;
    detected.attributes.retain(|(attribute, ..)| attribute != "manager");
    let anchors: &[&str] =
        if survey.is_active_directory { &["mS-DS-ConsistencyGuid", "objectGUID"] } else { &["entryUUID"] };
    detected.anchor_from = anchors.iter().map(|name| (*name).to_owned()).collect();
    let nameless = (survey.nameless > 0 && survey.nameless < survey.people)
        .then(|| ("(|(mail=*)(sn=*))".to_owned(), format!("{} without address and surname", survey.nameless)));
    detected.directory = asked.directory.clone().map(|directory| TemplateDirectory {
        base: survey.base.clone(),
        filter: nameless,
        is_active_directory: survey.is_active_directory,
        ..directory
    });
    detected
}

fn said(survey: &Survey) -> String {
    let kind = if survey.is_active_directory { "Active Directory" } else { "an LDAP directory" };
    format!("{} is {kind}: {} people below {}.", survey.server, survey.people, survey.base)
}

fn notes(survey: &Survey) -> Vec<String> {
    let mut notes = Vec::new();
    if !survey.outside.is_empty() {
        let units: Vec<String> = survey.outside.iter().map(|(unit, count)| format!("{unit} ({count})")).collect();
        notes.push(format!(
            "Not read, because they are outside of {}: {}. --base names another part.",
            survey.base,
            units.join("; ")
        ));
    }
    notes.push(match (survey.is_active_directory, survey.anchored) {
        (true, 0) => "Immutable IDs from objectGUID: nobody has an mS-DS-ConsistencyGuid.".to_owned(),
        (true, some) => format!(
            "Immutable IDs from mS-DS-ConsistencyGuid, which {some} of {} have, else from objectGUID.",
            survey.people
        ),
        (false, _) => "Immutable IDs from entryUUID.".to_owned(),
    });
    if survey.nameless > 0 {
        notes.push(format!(
            "{} of {} have neither an address nor a surname: accounts of services, perhaps. The filter in the file leaves them out when it is uncommented.",
            survey.nameless, survey.people
        ));
    }
    notes
}

/// Sign-in names that no tenant can have: where most end in a private domain and addresses do not, names are the addresses.
async fn unroutable(config: &Config, proposed: &mut Proposed) -> Result<Vec<(String, String, String)>, Failure> {
    let mut mail = 0_u64;
    let counting = |person: &hardmatch_domain::person::Person| {
        let address = person.addresses.primary().and_then(|address| address.rsplit_once('@'));
        mail += u64::from(address.is_some_and(|(_, domain)| !is_private(domain)));
    };
    let found = crate::commands::usable::look(config, counting).await;
    let found = found.map_err(|error| Failure::usage(error.to_string()))?;
    let mut domains: Vec<(String, u64)> = found.domains.into_iter().collect();
    domains.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if domains.is_empty() {
        return Ok(Vec::new());
    }
    let named: Vec<String> = domains.iter().take(10).map(|(domain, count)| format!("{domain} ({count})")).collect();
    proposed
        .notes
        .push(format!("Sign-in names end in {}. The tenant must have verified these domains.", named.join(", ")));
    let private: u64 = domains.iter().filter(|(domain, _)| is_private(domain)).map(|(_, count)| count).sum();
    let all: u64 = domains.iter().map(|(_, count)| count).sum();
    if private * 2 < all || mail * 2 < all {
        return Ok(Vec::new());
    }
    proposed
        .notes
        .push("Most of these no tenant can verify, so sign-in names are taken from addresses (mail).".to_owned());
    let why = "the directory's own names end in a private domain".to_owned();
    Ok(vec![("userPrincipalName".to_owned(), "\"person.mail\"".to_owned(), why)])
}

fn is_private(domain: &str) -> bool {
    let last = domain.rsplit('.').next().unwrap_or_default();
    !domain.contains('.') || PRIVATE.iter().any(|private| last.eq_ignore_ascii_case(private))
}
