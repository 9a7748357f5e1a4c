//! A link's page, and the button on it that sends the browser to Microsoft.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_policy::permission;
use hardmatch_ports::Authorization;
use hardmatch_store::Stored;
use hardmatch_store::connecting::{Attempt, AttemptPhase, ConnectSecret, Ticket};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;

use crate::page::{self, Offer, groups};
use crate::problem::Problem;
use crate::secret::{could_be_secret, secret};
use crate::{Connection, Ports, SignInMeans, session};

/// Signing in with a second factor, and asking a colleague who may, take minutes.
const LIFE: SignedDuration = SignedDuration::from_mins(15);

/// A path's part, or no such page.
pub(crate) type Part = Result<Path<String>, PathRejection>;

/// `GET /connect/{ticket}`: what is offered. Looking uses nothing up.
pub(crate) async fn offer(
    State(ports): State<Arc<Ports>>,
    ticket: Part,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (id, ticket, secret) = live(&ports, ticket).await?;
    its_browser(&ports, &id, &ticket.value, &headers)?;
    let connection = find(&ports, &ticket.value.connection).await?;
    let until = Timestamp::from_second(ticket.value.expires).map_err(|_| Problem::LinkSpent)?;
    let page = Offer {
        connection: connection.id.as_str(),
        tenant: &connection.tenant,
        client_id: &connection.client_id,
        // How long is the same in every time zone, whether or not the browser runs the page's script.
        minutes: (ticket.value.expires - ports.clock.now_seconds()).max(0).unsigned_abs().div_ceil(60),
        until: until.strftime("%H:%M UTC").to_string(),
        until_exact: until.to_string(),
        redirect: ports.url.redirect().to_string(),
        method: connection.method(),
        groups: groups(&permission::asked(&connection.needs())),
        action: format!("/connect/{secret}/start"),
    };
    Ok(page::respond_with_time(StatusCode::OK, &page))
}

/// `POST /connect/{ticket}/start`: binds the link and the attempt to this browser, and sends it to Microsoft. The same
/// browser may come back and start again until the link ends or connects.
pub(crate) async fn begin(
    State(ports): State<Arc<Ports>>,
    ticket: Part,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    session::from_our_page(&headers, &ports.url)?;
    let (ticket_id, ticket, _) = live(&ports, ticket).await?;
    let connection = find(&ports, &ticket.value.connection).await?;
    let owner = its_browser(&ports, &ticket_id, &ticket.value, &headers)?;
    let (state, browser) = (secret(), secret());
    let id = ports.store.connect_id(ConnectSecret::State, &state);
    let expires = ports.clock.now() + LIFE;
    let target = target(&connection, &ports.url.redirect(), state, &id, expires).await?;
    let attempt = Attempt {
        v: 1,
        connection: connection.id.clone(),
        ticket: ticket_id.clone(),
        browser: ports.store.connect_id(ConnectSecret::Browser, &browser),
        phase: AttemptPhase::Sent,
        expires: expires.as_second(),
    };
    let value = Ticket { browser: Some(ports.store.connect_id(ConnectSecret::Browser, &owner)), ..ticket.value };
    let ticket = Stored { value, revision: ticket.revision };
    match ports.store.begin_attempt((&ticket_id, &ticket), &id, &attempt).await {
        Err(error) if error.is_conflict() => return Err(Problem::LinkTaken),
        other => other?,
    }
    tracing::info!(connection.id = connection.id.as_str(), "an administrator was sent to Microsoft to connect");
    let bind = session::bind(&ports.url, &id, &browser);
    let own = session::bind(&ports.url, &ticket_id, &owner);
    Ok((AppendHeaders([(SET_COOKIE, bind), (SET_COOKIE, own)]), page::lead_to(&target)).into_response())
}

/// The secret of the browser that a link belongs to: the one that this browser brings, or a new one while the link
/// belongs to nobody.
fn its_browser(ports: &Ports, id: &str, ticket: &Ticket, headers: &HeaderMap) -> Result<String, Problem> {
    let Some(owner) = &ticket.browser else { return Ok(secret()) };
    session::brought(headers, &ports.url, id)
        .filter(|brought| ports.store.connect_id(ConnectSecret::Browser, brought) == *owner)
        .map(str::to_owned)
        .ok_or(Problem::LinkTaken)
}

/// Where the browser goes. What a sign-in needs again is sealed under the attempt's name.
async fn target(
    connection: &Connection,
    redirect: &Url,
    state: String,
    attempt: &str,
    expires: Timestamp,
) -> Result<Url, Problem> {
    match &connection.means {
        SignInMeans::Consent => Ok(connection.platform.consent_url(redirect, &state)),
        SignInMeans::SignIn { sealed } => {
            let (verifier, nonce) = (secret(), secret());
            let kept = SecretString::from(format!("{verifier}.{nonce}"));
            sealed.put(&sealed_name(attempt), &kept, expires).await?;
            let verifier = SecretString::from(verifier);
            let authorization = Authorization { redirect: redirect.clone(), state, verifier, nonce };
            Ok(connection.platform.sign_in_url(&authorization, &permission::least(&connection.needs())))
        }
    }
}

/// Under which name an attempt's verifier and nonce are sealed.
pub(crate) fn sealed_name(attempt: &str) -> String {
    format!("connect-{attempt}")
}

/// A link that may be used now: its hash, what is kept, its secret.
async fn live(ports: &Ports, ticket: Part) -> Result<(String, Stored<Ticket>, String), Problem> {
    let Ok(Path(secret)) = ticket else { return Err(Problem::NoSuchPage) };
    if !could_be_secret(&secret) {
        return Err(Problem::NoSuchPage);
    }
    let id = ports.store.connect_id(ConnectSecret::Ticket, &secret);
    let ticket = ports.store.ticket(&id).await?;
    let live = ticket.filter(|ticket| ports.clock.now_seconds() < ticket.value.expires);
    Ok((id, live.ok_or(Problem::LinkSpent)?, secret))
}

/// The connection that a link or attempt is for.
pub(crate) async fn find(ports: &Ports, id: &ConnectionId) -> Result<Arc<Connection>, Problem> {
    ports.connections.connection(id).await?.ok_or(Problem::NotConfigured)
}
