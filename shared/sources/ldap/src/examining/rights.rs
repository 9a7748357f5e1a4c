//! Whether the account may write an attribute that is written back.

use hardmatch_ports::SourceError;
use hardmatch_ports::source::SourceFinding;

use super::good;
use crate::search::Pages;
use crate::session::Session;
use crate::writing::grant;

/// What Active Directory computes of an entry: the attributes that the account that asks may write.
/// <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/95da5dfa-3dd5-4b09-9d2e-e0a4dd8d2a2b>
const MAY_WRITE: &str = "allowedAttributesEffective";
/// So many people are looked at.
const LOOKED_AT: usize = 100;

/// Asks the directory of some people; of one that does not tell, the grant is named.
pub(super) async fn to_write(
    session: &mut Session,
    attribute: &str,
    account: &str,
) -> Result<SourceFinding, SourceError> {
    let grant = grant(session.is_active_directory, &session.settings, attribute).replace("ACCOUNT", account);
    if !session.is_active_directory {
        return Ok(good(format!(
            "Whether {attribute} may be written shows when the first value is: this directory does not tell. {grant}"
        )));
    }
    let (base, filter) = (session.settings.base.clone(), session.people());
    let first = Pages::below(&base, &filter, &[MAY_WRITE]).next(session).await?.unwrap_or_default();
    let looked: Vec<bool> = first
        .entries
        .iter()
        .take(LOOKED_AT)
        .map(|entry| entry.texts(MAY_WRITE).any(|name| name.eq_ignore_ascii_case(attribute)))
        .collect();
    let (may, all) = (looked.iter().filter(|may| **may).count(), looked.len());
    if may == all {
        return Ok(good(format!("{attribute} may be written, of all {all} people looked at")));
    }
    Ok(SourceFinding {
        found: format!("{attribute} may be written of {may} of {all} people looked at"),
        cure: Some(grant),
    })
}
