//! Whether a tenant takes a manager in the creation itself.

use hardmatch_store::NoteList;

use crate::{WriteError, WritePorts};

/// Whether the tenant takes a manager in the creation itself.
/// Graph's documentation does not say, and public reports disagree, so it is tried once a tenant and remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Not tried yet.
    Unknown,
    /// The tenant takes it.
    Inline,
    /// The tenant refuses it: the manager is set by a call of its own.
    Apart,
}

impl Binding {
    const NOTE: &'static str = "manager-binding";

    /// As an earlier draining remembered it.
    pub(crate) async fn of(ports: &WritePorts) -> Result<Self, WriteError> {
        let note = ports.store.note(&NoteList::habits(&ports.scope), Self::NOTE).await?;
        Ok(match note.as_deref() {
            Some(b"inline") => Self::Inline,
            Some(b"apart") => Self::Apart,
            Some(_) | None => Self::Unknown,
        })
    }

    /// Stores what was learnt, for later drainings.
    pub(crate) async fn remember(self, ports: &WritePorts) -> Result<(), WriteError> {
        let body: &[u8] = match self {
            Self::Unknown => return Ok(()),
            Self::Inline => b"inline",
            Self::Apart => b"apart",
        };
        Ok(ports.store.put_note(&NoteList::habits(&ports.scope), Self::NOTE, body.to_vec()).await?)
    }
}
