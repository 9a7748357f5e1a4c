//! What an operator should know of how a directory is reached: until when its certificate is valid, how changes are followed,
//! whether deletions are seen, what its limits are, whether clocks agree, what may be written; and the exact grant where a
//! right is missing.

mod limits;
mod rights;

use hardmatch_ports::SourceError;
use hardmatch_ports::source::SourceFinding;
use ldap3::Scope;
use secrecy::SecretString;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::copy::Position;
use crate::delta::{position, shows_deletions};
use crate::session::Session;
use crate::settings::LdapSettings;

/// Clocks that are further apart than this tell wrongly whose account has expired (seconds).
const SKEW: i64 = 5 * 60;
const DAY: i64 = 24 * 60 * 60;
/// A certificate is to be renewed so many days before its end.
const RENEWED_BEFORE: i64 = 30;

/// Looks at a directory; `now` is this machine's time (Unix seconds), `written` the attributes that are written back.
pub(crate) async fn examine(
    settings: LdapSettings,
    password: SecretString,
    written: Vec<String>,
    now: i64,
) -> Result<Vec<SourceFinding>, SourceError> {
    let mut session = Session::open(settings, password).await?;
    session.require_base().await?;
    let kind = if session.is_active_directory { "Active Directory" } else { "an LDAP directory" };
    let bind = session.settings.bind.clone();
    let mut findings = vec![good(format!("{} is {kind}; {bind} signed in over TLS", session.server))];
    findings.extend(session.certificate.der().and_then(|der| certificate(&session.server, &der, now)));
    let position = position(&mut session).await?;
    let account = account(&mut session).await?;
    findings.push(changes(&session, position.as_ref(), &account));
    if session.is_active_directory {
        findings.push(deletions(&mut session, &account).await?);
    }
    findings.push(limits::look(&mut session).await?);
    findings.push(clocks(&mut session, now).await?);
    for attribute in &written {
        findings.push(rights::to_write(&mut session, attribute, &account).await?);
    }
    Ok(findings)
}

pub(crate) fn good(found: String) -> SourceFinding {
    SourceFinding { found, cure: None }
}

/// Until when the server's certificate is valid, and whose it is. `None` where it cannot be read: it was accepted all the same.
fn certificate(server: &str, der: &[u8], now: i64) -> Option<SourceFinding> {
    let certificate = Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let ends = i64::try_from(tbs.validity().not_after.to_unix_duration().as_secs()).ok()?;
    let day = jiff::Timestamp::from_second(ends).ok()?.strftime("%Y-%m-%d");
    let (left, issuer) = ((ends - now).div_euclid(DAY), tbs.issuer().to_string());
    let found = format!("The certificate of {server} is valid until {day}, {left} days; {issuer} issued it");
    let cure = (left < RENEWED_BEFORE).then(|| {
        "Renew it at the server: behind that day nothing is read. The authority of [source] ca must have issued the new one, too"
            .to_owned()
    });
    Some(SourceFinding { found, cure })
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
async fn clocks(session: &mut Session, now: i64) -> Result<SourceFinding, SourceError> {
    let Some(theirs) = session.of_root("currentTime").await?.and_then(|time| seconds(&time)) else {
        return Ok(good(
            "The directory does not tell its time: the clocks of both machines cannot be compared".to_owned(),
        ));
    };
    let apart = (theirs - now).abs();
    Ok(if apart <= SKEW {
        good(format!("The clocks of both machines are {apart} seconds apart"))
    } else {
        SourceFinding {
            found: format!(
                "The clocks of both machines are {apart} seconds apart: whose account has expired is judged by this one"
            ),
            cure: Some("Let both take their time from one server".to_owned()),
        }
    })
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
