//! What an operator should know of how a directory is reached: how changes are followed, whether deletions are seen, whether
//! clocks agree; and the exact grant where a right is missing.

use hardmatch_ports::SourceError;
use hardmatch_ports::source::SourceFinding;
use ldap3::Scope;
use secrecy::SecretString;

use crate::copy::Position;
use crate::delta::{position, shows_deletions};
use crate::session::Session;
use crate::settings::LdapSettings;

/// Clocks that are further apart than this tell wrongly whose account has expired (seconds).
const SKEW: i64 = 5 * 60;

/// Looks at a directory; `now` is this machine's time (Unix seconds).
pub(crate) async fn examine(
    settings: LdapSettings,
    password: SecretString,
    now: i64,
) -> Result<Vec<SourceFinding>, SourceError> {
    let mut session = Session::open(settings, password).await?;
    session.require_base().await?;
    let kind = if session.is_active_directory { "Active Directory" } else { "an LDAP directory" };
    let bind = session.settings.bind.clone();
    let mut findings = vec![good(format!("{} is {kind}; {bind} signed in over TLS", session.server))];
    let position = position(&mut session).await?;
    let account = account(&mut session).await?;
    findings.push(changes(&session, position.as_ref(), &account));
    if session.is_active_directory {
        findings.push(deletions(&mut session, &account).await?);
        findings.extend(clocks(&mut session, now).await?);
    }
    Ok(findings)
}

fn good(found: String) -> SourceFinding {
    SourceFinding { found, cure: None }
}

/// How changes are followed.
fn changes(session: &Session, position: Option<&Position>, account: &str) -> SourceFinding {
    let Some(position) = position else {
        return SourceFinding {
            found: "Changes cannot be followed: every reading is a full one".to_owned(),
            cure: Some(syncprov(&session.settings.bind)),
        };
    };
    let found = format!("Changes are followed by {}", position.name());
    match position {
        Position::DirSync { as_reader: false, .. } | Position::Content { .. } => good(found),
        Position::DirSync { .. } | Position::Numbers { .. } => SourceFinding {
            found: format!("{found}: deletions may show in the next full reading alone"),
            cure: Some(format!("dsacls \"{}\" /G \"{account}:CA;Replicating Directory Changes\"", session.context)),
        },
        Position::Times { .. } => SourceFinding {
            found: format!("{found}: deletions show in the next full reading alone"),
            cure: Some(syncprov(&session.settings.bind)),
        },
    }
}

/// The lines that let OpenLDAP tell of changes.
fn syncprov(bind: &str) -> String {
    format!(
        "OpenLDAP: add to its database `overlay syncprov` and `syncprov-sessionlog 10000` (cn=config: an entry olcOverlay=syncprov with olcSpSessionlog: 10000), and `limits dn.exact=\"{bind}\" size=unlimited time=unlimited` (olcLimits)"
    )
}

/// Whether deleted entries are seen.
async fn deletions(session: &mut Session, account: &str) -> Result<SourceFinding, SourceError> {
    if shows_deletions(session).await? {
        return Ok(good("Deleted entries are seen: who is deleted is told from who is hidden".to_owned()));
    }
    let container = format!("CN=Deleted Objects,{}", session.context);
    Ok(SourceFinding {
        found: "Deleted entries are not seen: who is deleted is not told from who is hidden".to_owned(),
        cure: Some(format!("dsacls \"{container}\" /takeownership, then dsacls \"{container}\" /G \"{account}:LCRP\"")),
    })
}

/// Whether clocks agree.
async fn clocks(session: &mut Session, now: i64) -> Result<Option<SourceFinding>, SourceError> {
    let Some(theirs) = session.of_root("currentTime").await?.and_then(|time| seconds(&time)) else { return Ok(None) };
    let apart = (theirs - now).abs();
    Ok(Some(if apart <= SKEW {
        good(format!("The clocks of both machines are {apart} seconds apart"))
    } else {
        SourceFinding {
            found: format!(
                "The clocks of both machines are {apart} seconds apart: whose account has expired is judged by this one"
            ),
            cure: Some("Let both take their time from one server".to_owned()),
        }
    }))
}

/// `20261121200504.0Z` as Unix seconds.
fn seconds(time: &str) -> Option<i64> {
    let digits = time.get(..14)?;
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

/// The bind account as `dsacls` takes it.
async fn account(session: &mut Session) -> Result<String, SourceError> {
    let bind = session.settings.bind.clone();
    if !bind.contains('=') || !session.is_active_directory {
        return Ok(bind);
    }
    let entry = session.entry(&bind, Scope::Base, "(objectClass=*)", &["sAMAccountName"]).await?;
    let name = entry.and_then(|entry| entry.text("sAMAccountName").map(str::to_owned));
    let parts = session.context.split(',').filter_map(|part| part.trim().get(3..));
    let domain = parts.collect::<Vec<_>>().join(".");
    Ok(name.map_or(bind, |name| format!("{name}@{domain}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_servers_time_is_read() {
        assert_eq!(super::seconds("20261121000000.0Z"), Some(1_795_219_200));
        assert_eq!(super::seconds("soon"), None);
    }
}
