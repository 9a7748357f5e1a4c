//! How the tenant is reached, for `auth status`: what is kept, until when, and what a token says was granted.

use hardmatch_ports::tenant_request::{Alive, KnownGrant, Reached};
use hardmatch_ports::{TokenError, TokenKind, TokenStore};
use hardmatch_store::connection::{ConnectionState, Meta};

use crate::Side;

/// Looks. A connection that is disconnected asks nobody.
pub async fn status(side: &Side, meta: &Meta, kept: Option<&dyn TokenStore>) -> Result<Reached, TokenError> {
    let mut tokens = Vec::new();
    if let Some(kept) = kept {
        for kind in [TokenKind::Access, TokenKind::Refresh] {
            tokens.extend(kept.load(kind).await?.map(|(token, _)| Alive {
                kind: kind.word().to_owned(),
                obtained: token.obtained,
                until: token.expires,
            }));
        }
    }
    let granted = if meta.status.state == ConnectionState::Disconnected {
        KnownGrant::Untold { why: "the connection is disconnected, so nobody is asked".to_owned() }
    } else {
        match side.client.grant().await {
            Ok(grant) => KnownGrant::Told { permissions: grant.permissions },
            Err(error) => KnownGrant::Untold { why: side.said(&error) },
        }
    };
    Ok(Reached { client_id: side.client_id.clone(), ends: side.credential.expires().await, tokens, granted })
}
