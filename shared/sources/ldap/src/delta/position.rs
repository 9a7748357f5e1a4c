//! From where changes can be followed, taken before the directory is read whole: what changes meanwhile is told again.

use hardmatch_ports::SourceError;

use super::active_directory::{DirSynced, dir_sync, highest, invocation};
use super::content;
use super::times;
use crate::controls::CONTENT_SYNC;
use crate::copy::Position;
use crate::session::Session;

/// A filter that fits nobody: the cookie alone is wanted.
const NOBODY: &str = "(objectGUID=\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00)";

/// The place; `None` where this server gives none.
pub(crate) async fn position(session: &mut Session) -> Result<Option<Position>, SourceError> {
    if !session.is_active_directory {
        if session.controls.iter().any(|control| control == CONTENT_SYNC)
            && let Some(position) = content::position(session).await?
        {
            return Ok(Some(position));
        }
        return times::position(session).await;
    }
    let Some(invocation) = invocation(session).await? else { return Ok(None) };
    for as_reader in [false, true] {
        match dir_sync(session, NOBODY, &["objectGUID"], as_reader, &[]).await? {
            DirSynced::To { cookie, .. } => {
                return Ok(Some(Position::DirSync { invocation, as_reader, cookie }));
            }
            // Without the right of replication the account may still ask as a reader.
            DirSynced::Refused(50) => {}
            DirSynced::Refused(_) => break,
        }
    }
    Ok(highest(session).await?.map(|usn| Position::Numbers { invocation, usn }))
}
