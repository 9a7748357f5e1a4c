//! The limits that a directory puts on answers, and whether one of them cuts the listing off.

use hardmatch_ports::SourceError;
use hardmatch_ports::source::SourceFinding;
use ldap3::Scope;

use super::good;
use crate::search::Pages;
use crate::session::Session;

/// Where Active Directory keeps its limits, below the configuration.
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/3f0137a1-63df-400c-bf97-e1040f055a99>
const POLICY: &str = "CN=Default Query Policy,CN=Query-Policies,CN=Directory Service,CN=Windows NT,CN=Services";

/// Lists everybody by name alone.
pub(super) async fn look(session: &mut Session) -> Result<SourceFinding, SourceError> {
    let (base, filter) = (session.settings.base.clone(), session.people());
    let mut pages = Pages::below(&base, &filter, &["1.1"]);
    let mut people = 0;
    loop {
        match pages.next(session).await {
            Ok(Some(found)) => people += found.entries.len(),
            Ok(None) => break,
            // The limit that cut it off, and the line that lifts it.
            Err(error) if !error.retry => {
                return Ok(SourceFinding { found: error.problem, cure: Some(error.cure) });
            }
            Err(error) => return Err(error),
        }
    }
    let all = format!("All {people} people below the base are listed: no limit cuts them off");
    if !session.is_active_directory {
        return Ok(good(all));
    }
    let said = administrative(session).await?;
    let said = said.map_or_else(
        || "the limits themselves may not be read".to_owned(),
        |said| format!("{said}; longer lists are read in parts"),
    );
    Ok(good(format!("{all} ({said})")))
}

/// The limits of the default policy that a reader meets.
async fn administrative(session: &mut Session) -> Result<Option<String>, SourceError> {
    let Some(configuration) = session.of_root("configurationNamingContext").await? else { return Ok(None) };
    let place = format!("{POLICY},{configuration}");
    let entry = session.entry(&place, Scope::Base, "(objectClass=*)", &["lDAPAdminLimits"]).await?;
    let limits: Vec<String> =
        entry.iter().flat_map(|entry| entry.texts("lDAPAdminLimits")).map(str::to_owned).collect();
    let met = ["MaxPageSize", "MaxValRange", "MaxQueryDuration"];
    let said: Vec<&str> = limits
        .iter()
        .map(String::as_str)
        .filter(|limit| limit.split_once('=').is_some_and(|(name, _)| met.contains(&name)))
        .collect();
    Ok((!said.is_empty()).then(|| said.join(", ")))
}
