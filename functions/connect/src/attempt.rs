//! One attempt to connect, between its start and its last page: found, told of, and let go.

use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse, Response};
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

/// Tells the command that waits, and the log. While the link lives the same browser may try again, so a failure is told
/// as not yet connected; a success ends the link.
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
    let now = ports.clock.now_seconds();
    let again = match news {
        News::Failed(code) => {
            let ticket = ports.store.ticket(&attempt.ticket).await?;
            ticket.filter(|ticket| now < ticket.value.expires).map(|_| News::Waiting(code.clone()))
        }
        News::Done(_) => {
            ports.store.end_ticket(&attempt.ticket).await?;
            None
        }
        News::Waiting(_) => None,
    };
    ports.store.tell_connecting(&connection.id, &attempt.ticket, again.as_ref().unwrap_or(news), now).await?;
    if let (News::Done(connected), true) = (news, ports.takes_up) {
        ports.store.reconnect(&connection.id, &connected.tenant, now).await?;
    }
    Ok(())
}

/// A last page: the browser may forget the attempt.
pub(crate) fn leave(ports: &Ports, id: &str, page: impl IntoResponse) -> Response {
    let cookie = AppendHeaders([(SET_COOKIE, session::release(&ports.url, id))]);
    (cookie, page).into_response()
}
