//! The redirect: what Microsoft sent the browser back with. It says what was decided and proves nothing.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use hardmatch_store::Stored;
use hardmatch_store::connecting::{Attempt, AttemptPhase, ConnectSecret, News};
use jiff::SignedDuration;
use secrecy::SecretString;
use url::form_urlencoded;

use crate::attempt::{bound, leave, take, tell};
use crate::problem::{Problem, Refused};
use crate::secret::could_be_secret;
use crate::words::is_guid;
use crate::{Connection, Ports, SignInMeans, proof, start};

/// How long what was granted may be looked at again: Microsoft spreads a consent within minutes.
const CHECKS: SignedDuration = SignedDuration::from_mins(30);

/// What a redirect carries, as far as we read it. Anybody can write its `tenant`, so it proves nothing; it names the other
/// tenant to an administrator whose consent brought no token of ours.
/// <https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>
#[derive(Default)]
struct Answer {
    state: String,
    error: Option<String>,
    description: String,
    code: Option<SecretString>,
    admin_consent: Option<String>,
    tenant: Option<String>,
}

impl Answer {
    /// Each parameter at most once: of two, one was added by somebody.
    fn parse(query: &str) -> Option<Self> {
        let mut answer = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "state" => answer.state = value,
                "error" => answer.error = Some(value),
                "error_description" => answer.description = value,
                "code" => answer.code = Some(value).filter(|code| !code.is_empty()).map(SecretString::from),
                "admin_consent" => answer.admin_consent = Some(value),
                "tenant" => answer.tenant = Some(value).filter(|tenant| is_guid(tenant)),
                _ => continue,
            }
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
        }
        could_be_secret(&answer.state).then_some(answer)
    }

    /// Whether an administrator agreed. Looked at only where there is no error: errors come with it too.
    fn consented(&self) -> bool {
        self.admin_consent.as_ref().is_some_and(|said| said.eq_ignore_ascii_case("true"))
    }
}

/// `GET /connect/return`.
pub(crate) async fn arrive(
    State(ports): State<Arc<Ports>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let answer = Answer::parse(&query.unwrap_or_default()).ok_or(Problem::Incomplete)?;
    let id = ports.store.connect_id(ConnectSecret::State, &answer.state);
    let attempt = bound(&ports, &id, &headers, AttemptPhase::Sent).await?;
    let connection = start::find(&ports, &attempt.value.connection).await?;
    if let Some(error) = &answer.error {
        take(ports.store.end_attempt(&id, attempt.revision).await)?;
        let refused = declined(&connection, &id, error, &answer.description).await;
        let news = News::Failed(refused.code.clone());
        tell(&ports, &connection, &attempt.value, &news).await?;
        return Ok(leave(&ports, &id, Problem::Refused(refused)));
    }
    match (&connection.means, &answer.code) {
        (SignInMeans::Consent, _) if answer.consented() => {
            let expires = (ports.clock.now() + CHECKS).as_second();
            let value = Attempt { phase: AttemptPhase::Returned, expires, ..attempt.value };
            let revision = attempt.revision;
            let revision = take(ports.store.put_attempt(&id, &Stored { value: value.clone(), revision }).await)?;
            proof::consent(&ports, &connection, &id, &Stored { value, revision }, answer.tenant.as_deref()).await
        }
        (SignInMeans::SignIn { sealed }, Some(code)) => {
            take(ports.store.end_attempt(&id, attempt.revision).await)?;
            let kept = sealed.take(&start::sealed_name(&id)).await.unwrap_or_else(|error| {
                proof::log(&connection, &error, "what a sign-in kept back could not be opened");
                None
            });
            let signed = proof::SignIn { state: answer.state, kept, code };
            let response = proof::sign_in(&ports, &connection, &attempt.value, signed).await;
            Ok(leave(&ports, &id, response))
        }
        (SignInMeans::Consent, _) | (SignInMeans::SignIn { .. }, None) => Err(Problem::Incomplete),
    }
}

async fn declined(connection: &Connection, id: &str, error: &str, description: &str) -> Refused {
    if let SignInMeans::SignIn { sealed } = &connection.means {
        // Nobody will ask for it; what cannot be taken out now ends by its time.
        let _ = sealed.take(&start::sealed_name(id)).await;
    }
    Refused::redirect(connection.platform.explain(error, description), description)
}
