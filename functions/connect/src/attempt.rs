//! One attempt to connect, between its start and its last page: found, told of, and let go.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hardmatch_store::Stored;
use hardmatch_store::connecting::{Attempt, AttemptPhase, ConnectSecret, News};

use crate::problem::Problem;
use crate::{Connection, Ports, session};

/// The attempt of this name, if it is in this phase, was begun by this browser and is not too old.
pub(crate) async fn bound(
    ports: &Ports,
    id: &str,
    headers: &HeaderMap,
    phase: AttemptPhase,
) -> Result<Stored<Attempt>, Problem> {
    let attempt = ports.store.attempt(id).await?.ok_or(Problem::AnswerSpent)?;
    let browser = session::brought(headers, &ports.url, id);
    if browser.map(|secret| ports.store.connect_id(ConnectSecret::Browser, secret))
        != Some(attempt.value.browser.clone())
    {
        tracing::warn!(
            connection.id = attempt.value.connection.as_str(),
            reason.code = "another_browser",
            "an answer to connect came from a browser that did not begin it, and was refused"
        );
        return Err(Problem::AnotherBrowser);
    }
    if attempt.value.phase != phase {
        return Err(Problem::AnswerSpent);
    }
    let now = ports.clock.now_seconds();
    if now >= attempt.value.expires {
        let Attempt { connection, ticket, .. } = &attempt.value;
        ports.store.tell_connecting(connection, ticket, &News::Failed("too_late".into()), now).await?;
        take(ports.store.end_attempt(id, attempt.revision).await)?;
        return Err(Problem::TooLate);
    }
    Ok(attempt)
}

/// One answer is taken once: who comes second finds it spent.
pub(crate) fn take<T>(taken: Result<T, hardmatch_store::StoreError>) -> Result<T, Problem> {
    match taken {
        Err(error) if error.is_conflict() => Err(Problem::AnswerSpent),
        other => Ok(other?),
    }
}

/// Tells whoever waits, and the log.
pub(crate) async fn tell(
    ports: &Ports,
    connection: &Connection,
    attempt: &Attempt,
    news: &News,
) -> Result<(), Problem> {
    let id = connection.id.as_str();
    match news {
        News::Done(_) => tracing::info!(connection.id = id, "connected"),
        News::Waiting(code) => tracing::info!(connection.id = id, reason.code = code, "not connected yet"),
        News::Failed(code) => tracing::warn!(connection.id = id, reason.code = code, "not connected"),
    }
    Ok(ports.store.tell_connecting(&connection.id, &attempt.ticket, news, ports.clock.now_seconds()).await?)
}

/// A last page: the browser may forget the attempt.
pub(crate) fn leave(ports: &Ports, id: &str, page: impl IntoResponse) -> Response {
    let cookie = [(axum::http::header::SET_COOKIE, session::release(&ports.url, id))];
    (cookie, page).into_response()
}
