//! Who may ask: a token of the connection, with the scope that the address takes. An unknown connection, a wrong token and
//! none at all look the same, and take the same reads and comparisons.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_store::api_tokens::{ApiToken, TokenScope};

use crate::error::ScimError;
use crate::ports::WebhookPorts;
use crate::reply::Reply;
use crate::tokens::SentToken;

/// A request whose token was found good: nothing is done without one.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) token: ApiToken,
}

/// Looks at the token of a request.
pub(crate) async fn admit(
    ports: &WebhookPorts,
    connection: &ConnectionId,
    headers: &HeaderMap,
    scope: TokenScope,
) -> Result<Admitted, Reply> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = header.and_then(SentToken::of_header).unwrap_or_else(SentToken::nobodys);
    let kept =
        ports.store.api_token(connection, sent.id()).await.map_err(|error| Reply::from(ScimError::from(error)))?;
    match kept {
        Some(kept) if sent.is(Some(&kept)) => admitted(ports, kept, scope),
        _ => {
            let _ = sent.is(None);
            Err(refused(ports))
        }
    }
}

/// A token that was found good, if it may do this, and not too often.
pub(crate) fn admitted(ports: &WebhookPorts, token: ApiToken, scope: TokenScope) -> Result<Admitted, Reply> {
    ports.limits.take(&token.id, ports.clock.now()).map_err(too_often)?;
    if !token.scopes.contains(&scope) {
        let error = ScimError::new(
            StatusCode::FORBIDDEN,
            None,
            format!(
                "The token has not the scope {}. Make one with `hardmatch auth tokens create` and that scope.",
                scope.name()
            ),
        );
        return Err(Reply::from(error));
    }
    Ok(Admitted { token })
}

/// An unknown caller is told nothing about why.
pub(crate) fn refused(ports: &WebhookPorts) -> Reply {
    match ports.limits.take_failed(ports.clock.now()) {
        Ok(()) => Reply::from(ScimError::new(StatusCode::UNAUTHORIZED, None, "The token is not one of this address.")),
        Err(seconds) => too_often(seconds),
    }
}

fn too_often(seconds: u64) -> Reply {
    let error =
        ScimError::new(StatusCode::TOO_MANY_REQUESTS, None, format!("Too many requests. Try again in {seconds} s."));
    Reply { retry_after: Some(seconds), ..Reply::from(error) }
}
