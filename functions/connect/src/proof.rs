//! What was really granted. A redirect is a claim; a token that Microsoft gives us, for the tenant of the connection, is
//! the proof, and its permissions are what there is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hardmatch_policy::permission::{self, Judged};
use hardmatch_ports::tenant::Retry;
use hardmatch_ports::{
    Authorization, Grant, Kept, KeptToken, SignedIn, TenantError, TokenError, TokenKind, TokenStore,
};
use hardmatch_store::Stored;
use hardmatch_store::connecting::{Attempt, AttemptPhase, Connected, News};
use secrecy::{ExposeSecret, SecretString};

use crate::attempt::{bound, leave, tell};
use crate::page::{self, Outcome, Tone};
use crate::problem::{AnotherTenant, Problem, Refused};
use crate::start::{self, Part};
use crate::words::{code, is_guid};
use crate::{Connection, Ports, session};

/// A consent reaches all of Microsoft's servers within seconds to minutes. We wait for the seconds, the administrator
/// for the minutes; together far below the 30 seconds that API Gateway waits for an answer.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];

/// Codes that a consent which was given a moment ago may still meet: application not found in the tenant, its service
/// principal missing, consent missing. <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
const SPREADING: [&str; 4] = ["AADSTS700016", "AADSTS700011", "AADSTS7000229", "AADSTS65001"];

/// Rounds of keeping a token while somebody else keeps theirs.
const ROUNDS: usize = 3;

/// What a token of the application's own said.
enum Proof {
    Enough(Grant, Judged),
    Lacking(Grant, Judged),
    /// The consent has not spread.
    NotYet(String),
    /// Nobody answers just now.
    Busy(TenantError),
    AnotherTenant(AnotherTenant),
    Refused(TenantError),
}

/// Looks at what a consent brought, and says so.
pub(crate) async fn consent(
    ports: &Ports,
    connection: &Connection,
    id: &str,
    attempt: &Stored<Attempt>,
    consented: Option<&str>,
) -> Result<Response, Problem> {
    let check = Some(format!("/connect/check/{id}"));
    let waits = |code: &str| News::Waiting(code.to_owned());
    let proof = match prove(ports, connection).await? {
        // No token came, and the redirect says that the consent was given in another tenant.
        proof @ (Proof::NotYet(_) | Proof::Refused(_)) => match elsewhere(ports, connection, consented).await? {
            Some(tenants) => Proof::AnotherTenant(tenants),
            None => proof,
        },
        proof => proof,
    };
    match proof {
        Proof::Enough(grant, judged) => {
            if let Err(error) = connection.tokens.forget().await {
                // They end within the hour by themselves.
                log(connection, &error, "old tokens could not be forgotten");
            }
            end(ports, id, attempt).await?;
            let news = done(ports, connection, &grant);
            tell(ports, connection, &attempt.value, &news).await?;
            let page = leave(ports, &attempt.value.ticket, connected(connection, &grant, &judged));
            Ok(leave(ports, id, page))
        }
        Proof::Lacking(grant, judged) => {
            tell(ports, connection, &attempt.value, &waits("permission_missing")).await?;
            Ok(lacking(connection, &grant, &judged, check))
        }
        Proof::NotYet(code) => {
            tell(ports, connection, &attempt.value, &waits(&code)).await?;
            Ok(not_yet(connection, code, check))
        }
        Proof::Busy(error) => {
            let refused = Refused::request(error);
            tell(ports, connection, &attempt.value, &waits(&refused.code)).await?;
            Ok(busy(connection, refused, check))
        }
        Proof::AnotherTenant(tenants) => {
            end(ports, id, attempt).await?;
            tell(ports, connection, &attempt.value, &News::Failed("another_tenant".into())).await?;
            Ok(leave(ports, id, Problem::AnotherTenant(tenants)))
        }
        Proof::Refused(error) => {
            let refused = Refused::request(error);
            tell(ports, connection, &attempt.value, &waits(&refused.code)).await?;
            Ok(without_token(connection, refused, check))
        }
    }
}

/// `POST /connect/check/{attempt}`: looks again, for the browser that brought the consent.
pub(crate) async fn again(
    State(ports): State<Arc<Ports>>,
    attempt: Part,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    session::from_our_page(&headers, &ports.url)?;
    let Ok(axum::extract::Path(id)) = attempt else { return Err(Problem::NoSuchPage) };
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::NoSuchPage);
    }
    let attempt = bound(&ports, &id, &headers, AttemptPhase::Returned).await?;
    let connection = start::find(&ports, &attempt.value.connection).await?;
    consent(&ports, &connection, &id, &attempt, None).await
}

/// The tenants, when a redirect names another than the connection's.
async fn elsewhere(
    ports: &Ports,
    connection: &Connection,
    consented: Option<&str>,
) -> Result<Option<AnotherTenant>, Problem> {
    let (Some(found), Some(known)) = (consented, known_tenant(ports, connection).await?) else { return Ok(None) };
    let differs = !known.eq_ignore_ascii_case(found);
    Ok(differs.then(|| AnotherTenant { configured: connection.tenant.clone(), found: found.to_owned() }))
}

/// Ends an attempt; that somebody else ended it is as good.
async fn end(ports: &Ports, id: &str, attempt: &Stored<Attempt>) -> Result<(), Problem> {
    match ports.store.end_attempt(id, attempt.revision).await {
        Err(error) if !error.is_conflict() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Asks for tokens until one carries what is needed, or it is time for the administrator to wait.
async fn prove(ports: &Ports, connection: &Connection) -> Result<Proof, Problem> {
    let needs = connection.needs();
    let mut pauses = PAUSES.iter();
    loop {
        let proof = match connection.platform.prove().await {
            Ok(grant) => match another_tenant(ports, connection, &grant).await? {
                Some(tenants) => return Ok(Proof::AnotherTenant(tenants)),
                None if grant.permissions.is_empty() => Proof::NotYet("no_permissions".into()),
                None => match permission::judge(&needs, &grant.permissions) {
                    judged if judged.is_enough() => return Ok(Proof::Enough(grant, judged)),
                    judged => Proof::Lacking(grant, judged),
                },
            },
            Err(error) if SPREADING.contains(&error.code.as_str()) => Proof::NotYet(code(&error.code)),
            Err(error) if matches!(error.retry, Retry::After(_)) => Proof::Busy(error),
            Err(error) => return Ok(Proof::Refused(error)),
        };
        match pauses.next() {
            Some(pause) => ports.clock.sleep(*pause).await,
            None => return Ok(proof),
        }
    }
}

/// The tenants, if a token is for another than the connection's. A domain name says which tenant it is only until we
/// have met it: then it is that directory for ever. Before, the platform itself found the directory by the name.
async fn another_tenant(
    ports: &Ports,
    connection: &Connection,
    grant: &Grant,
) -> Result<Option<AnotherTenant>, Problem> {
    let known = known_tenant(ports, connection).await?;
    let same = is_guid(&grant.tenant) && known.is_none_or(|known| known.eq_ignore_ascii_case(&grant.tenant));
    Ok((!same).then(|| AnotherTenant { configured: connection.tenant.clone(), found: grant.tenant.clone() }))
}

/// The directory id that the connection's tokens must be of.
async fn known_tenant(ports: &Ports, connection: &Connection) -> Result<Option<String>, Problem> {
    if let Some(id) = connection.directory_id() {
        return Ok(Some(id));
    }
    if let Some(id) = ports.store.meta(&connection.id).await?.status.tenant {
        return Ok(Some(id));
    }
    let record = ports.store.connecting(&connection.id).await?;
    Ok(record.and_then(|record| record.value.connected).map(|connected| connected.tenant))
}

/// What came back with a sign-in.
pub(crate) struct SignIn<'a> {
    pub(crate) state: String,
    /// Verifier and nonce, if they were still there.
    pub(crate) kept: Option<SecretString>,
    pub(crate) code: &'a SecretString,
}

/// Exchanges the code of a sign-in, looks at what it brought, and keeps the tokens: only of the right tenant, and only
/// when they carry what is needed.
pub(crate) async fn sign_in(
    ports: &Ports,
    connection: &Connection,
    attempt: &Attempt,
    signed: SignIn<'_>,
) -> Result<Response, Problem> {
    let failed = |code: &str| News::Failed(code.to_owned());
    let Some(authorization) = authorization(ports, &signed) else {
        tell(ports, connection, attempt, &failed("too_late")).await?;
        return Err(Problem::TooLate);
    };
    let SignedIn { grant, access, refresh } = match connection.platform.redeem(&authorization, signed.code).await {
        Ok(signed) => signed,
        Err(error) => {
            let refused = Refused::request(error);
            tell(ports, connection, attempt, &failed(&refused.code)).await?;
            return Err(Problem::Refused(refused));
        }
    };
    if let Some(tenants) = another_tenant(ports, connection, &grant).await? {
        tell(ports, connection, attempt, &failed("another_tenant")).await?;
        return Err(Problem::AnotherTenant(tenants));
    }
    let judged = permission::judge(&connection.needs(), &grant.permissions);
    if !judged.is_enough() {
        tell(ports, connection, attempt, &failed("permission_missing")).await?;
        return Ok(lacking(connection, &grant, &judged, None));
    }
    if let Err(error) = keep_both(&*connection.tokens, &access, &refresh).await {
        log(connection, &error, "the tokens of a sign-in could not be kept");
        tell(ports, connection, attempt, &failed("tokens_not_kept")).await?;
        return Err(Problem::NotKept);
    }
    tell(ports, connection, attempt, &done(ports, connection, &grant)).await?;
    Ok(leave(ports, &attempt.ticket, connected(connection, &grant, &judged)))
}

fn authorization(ports: &Ports, signed: &SignIn<'_>) -> Option<Authorization> {
    let (verifier, nonce) = signed.kept.as_ref()?.expose_secret().split_once('.')?;
    Some(Authorization {
        redirect: ports.url.redirect(),
        state: signed.state.clone(),
        verifier: SecretString::from(verifier.to_owned()),
        nonce: nonce.to_owned(),
    })
}

/// The refresh token first: with it alone work goes on, with the access token alone for an hour.
async fn keep_both(token_store: &dyn TokenStore, access: &KeptToken, refresh: &KeptToken) -> Result<(), TokenError> {
    keep(token_store, TokenKind::Refresh, refresh).await?;
    keep(token_store, TokenKind::Access, access).await
}

/// Keeps a token in place of whatever is there: it is from a sign-in of this moment. Nothing is read first: what cannot
/// be opened any more is the very reason to sign in again.
async fn keep(token_store: &dyn TokenStore, kind: TokenKind, token: &KeptToken) -> Result<(), TokenError> {
    let mut seen = None;
    for _ in 0..ROUNDS {
        match token_store.keep(kind, token, seen).await? {
            Kept::Ours(_) => return Ok(()),
            Kept::Theirs(_, revision) => seen = Some(revision),
        }
    }
    Err(TokenError(format!("the {} is being replaced by others all the time", kind.word())))
}

/// Logs trouble with tokens that is dealt with, and does not end a request.
pub(crate) fn log(connection: &Connection, error: &TokenError, what: &'static str) {
    let error: &dyn std::error::Error = error;
    tracing::error!(connection.id = connection.id.as_str(), error, "{what}");
}

fn done(ports: &Ports, connection: &Connection, grant: &Grant) -> News {
    News::Done(Connected {
        method: connection.method(),
        at: ports.clock.now_seconds(),
        tenant: grant.tenant.to_ascii_lowercase(),
        permissions: grant.permissions.clone(),
    })
}

fn connected(connection: &Connection, grant: &Grant, judged: &Judged) -> Response {
    let all = if judged.missing.is_empty() {
        "It has every permission that the features in use need."
    } else {
        "It has every permission that it cannot do without."
    };
    let page = Outcome {
        title: format!("{} is connected", connection.id),
        said: all.into(),
        cure: "You may close this page. The command that waits for it goes on by itself.".into(),
        ..outcome(Tone::Good, connection, Some(grant), Some(judged))
    };
    page::respond(StatusCode::OK, &page)
}

fn lacking(connection: &Connection, grant: &Grant, judged: &Judged, check: Option<String>) -> Response {
    let page = Outcome {
        title: "Permissions are missing".into(),
        said: "Microsoft agreed, but what it granted is not enough. The connection stays as it was.".into(),
        check,
        ..outcome(Tone::Bad, connection, Some(grant), Some(judged))
    };
    page::respond(StatusCode::FORBIDDEN, &page)
}

fn not_yet(connection: &Connection, code: String, check: Option<String>) -> Response {
    let mut page = Outcome {
        title: "Not there yet".into(),
        said: "Consent was given, but not all of Microsoft’s servers know of it yet. That takes seconds, sometimes \
               minutes."
            .into(),
        cure: "Wait a minute, then check again. If it stays so, the application or the tenant may be another than you \
               think: compare `client_id` and `tenant.id` in hardmatch.toml with the list below."
            .into(),
        check,
        ..outcome(Tone::Wait, connection, None, None)
    };
    page.facts.push(("Code", code));
    page::respond(StatusCode::ACCEPTED, &page)
}

fn busy(connection: &Connection, refused: Refused, check: Option<String>) -> Response {
    let page = Outcome {
        title: "Microsoft does not answer just now".into(),
        cure: "Wait a minute, then check again. Consent need not be given once more.".into(),
        check,
        ..trouble(Tone::Wait, connection, refused)
    };
    page::respond(StatusCode::ACCEPTED, &page)
}

fn without_token(connection: &Connection, refused: Refused, check: Option<String>) -> Response {
    let page = Outcome {
        title: "Consent was given, but no token was".into(),
        cure: "Correct it, then check again. Consent need not be given once more.".into(),
        check,
        ..trouble(Tone::Bad, connection, refused)
    };
    page::respond(StatusCode::FORBIDDEN, &page)
}

/// What Microsoft said instead of giving a token.
fn trouble<'a>(tone: Tone, connection: &Connection, refused: Refused) -> Outcome<'a> {
    let mut page = Outcome { said: refused.means, ..outcome(tone, connection, None, None) };
    page.facts.push(("Code", refused.code));
    page.facts.extend(refused.correlation.map(|id| ("Microsoft’s correlation ID", id)));
    page
}

/// What all pages of an outcome show alike.
fn outcome<'a>(tone: Tone, connection: &Connection, grant: Option<&Grant>, judged: Option<&'a Judged>) -> Outcome<'a> {
    let mut facts = vec![
        ("Connection", connection.id.as_str().to_owned()),
        ("Tenant", connection.tenant.clone()),
        ("Application", connection.client_id.clone()),
    ];
    let other_name = grant.filter(|grant| !grant.tenant.eq_ignore_ascii_case(&connection.tenant));
    facts.extend(other_name.map(|grant| ("Directory ID", grant.tenant.clone())));
    Outcome {
        tone,
        title: String::new(),
        said: String::new(),
        cure: String::new(),
        facts,
        method: connection.method(),
        covered: judged.map_or(&[], |judged| &judged.covered),
        missing: judged.map_or(&[], |judged| &judged.missing),
        unused: judged.map(|judged| judged.unused.join(", ")).unwrap_or_default(),
        too_much: judged.map(|judged| judged.too_much.join(", ")).unwrap_or_default(),
        check: None,
    }
}
