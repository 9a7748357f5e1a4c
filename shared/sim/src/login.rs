//! The token endpoint of the Microsoft identity platform
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Refusal};
use crate::clock::timestamp;
use crate::seed::App;
use crate::state::{Caller, State};

/// The resource every token is for.
const GRAPH_SCOPE: &str = "https://graph.microsoft.com/.default";
/// What `aud` says.
const AUDIENCE: &str = "https://graph.microsoft.com";

/// A refused token request.
struct Denied {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

fn denied(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Denied {
    Denied { status, error, code, text: text.into() }
}

/// A token request understood as far as form goes. Other proofs (assertions) and grants (refresh tokens) join here.
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_assertion: Option<String>,
    scope: Option<String>,
}

impl State {
    /// `POST /{tenant}/oauth2/v2.0/token`.
    pub(crate) fn token(&mut self, tenant: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        match self.grant(tenant, headers, body) {
            Ok(app) => {
                self.records.counters.tokens_issued += 1;
                let token = self.issue(&app);
                let life = self.options.token_seconds;
                Answer::json(
                    200,
                    &json!({ "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token }),
                )
                .with("cache-control", "no-store, no-cache")
            }
            Err(denied) => {
                self.records.counters.tokens_refused += 1;
                self.denial(&denied)
            }
        }
    }

    fn grant(&mut self, tenant: &str, headers: &[(String, String)], body: &[u8]) -> Result<App, Denied> {
        let form = self.form(headers, body)?;
        match form.grant_type.as_deref() {
            Some("client_credentials") => {}
            None => {
                return Err(denied(
                    400,
                    "invalid_request",
                    900144,
                    "The request body must contain the following parameter: 'grant_type'.",
                ));
            }
            Some(other) => {
                return Err(denied(
                    400,
                    "unsupported_grant_type",
                    70003,
                    format!("The app requested an unsupported grant type '{other}'."),
                ));
            }
        }
        // App-only tokens need a concrete tenant.
        if ["common", "organizations", "consumers"].contains(&tenant.to_ascii_lowercase().as_str()) {
            return Err(denied(
                400,
                "invalid_request",
                9001023,
                "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.",
            ));
        }
        let known = tenant.eq_ignore_ascii_case(&self.tenant.id) || self.domain(tenant).is_some_and(|d| d.verified);
        if !known {
            return Err(denied(
                400,
                "invalid_request",
                90002,
                format!(
                    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
                ),
            ));
        }
        let Some(client) = form.client_id else {
            return Err(denied(
                400,
                "invalid_request",
                900144,
                "The request body must contain the following parameter: 'client_id'.",
            ));
        };
        scope(form.scope.as_deref())?;
        let Some(app) = self.apps.iter().find(|a| a.client_id.eq_ignore_ascii_case(&client)) else {
            return Err(denied(
                400,
                "unauthorized_client",
                700016,
                format!(
                    "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
                    self.tenant.display_name
                ),
            ));
        };
        if app.disabled {
            return Err(denied(
                400,
                "unauthorized_client",
                7000112,
                format!("Application '{client}'({}) is disabled.", app.display_name),
            ));
        }
        match (&form.client_secret, &form.client_assertion) {
            (None, None) => Err(denied(
                401,
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            )),
            (None, Some(_)) => Err(denied(
                401,
                "invalid_client",
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            )),
            (Some(secret), _) if app.secret.as_deref() != Some(secret.as_str()) => Err(denied(
                401,
                "invalid_client",
                7000215,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
                ),
            )),
            (Some(_), _) if app.secret_expired => Err(denied(
                401,
                "invalid_client",
                7000222,
                format!("The provided client secret keys for app '{client}' are expired."),
            )),
            (Some(_), _) => Ok(app.clone()),
        }
    }

    fn form(&mut self, headers: &[(String, String)], body: &[u8]) -> Result<Form, Denied> {
        let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let kind = header("content-type").unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            self.records.violations.push(format!("a token request with the content type '{kind}'"));
            return Err(denied(
                400,
                "invalid_request",
                900144,
                "The request body must contain the following parameter: 'grant_type'.",
            ));
        }
        let mut form = Form::default();
        let text = String::from_utf8_lossy(body).replace('+', " ");
        for pair in text.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match percent_decode_str(name).decode_utf8_lossy().as_ref() {
                "grant_type" => form.grant_type = Some(value),
                "client_id" => form.client_id = Some(value),
                "client_secret" => form.client_secret = Some(value),
                "client_assertion" => form.client_assertion = Some(value),
                "client_assertion_type" => {}
                "scope" => form.scope = Some(value),
                other => self.records.violations.push(format!("the token parameter '{other}'")),
            }
        }
        if let Some(basic) = header("authorization").and_then(|a| a.strip_prefix("Basic ")) {
            let pair = STANDARD.decode(basic).ok().and_then(|b| String::from_utf8(b).ok()).unwrap_or_default();
            let (id, secret) = pair.split_once(':').unwrap_or((&pair, ""));
            let plain = |t: &str| percent_decode_str(&t.replace('+', " ")).decode_utf8_lossy().into_owned();
            form.client_id = form.client_id.or(Some(plain(id)));
            form.client_secret = form.client_secret.or(Some(plain(secret)));
        }
        Ok(form)
    }

    fn denial(&mut self, why: &Denied) -> Answer {
        let (trace, correlation) = (self.dice.uuid(), self.dice.uuid());
        let at = timestamp(self.now()).strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let code = why.code;
        Answer::json(
            why.status,
            &json!({
                "error": why.error,
                "error_description": format!("AADSTS{code}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}", why.text),
                "error_codes": [code],
                "timestamp": at,
                "trace_id": trace.to_string(),
                "correlation_id": correlation.to_string(),
                "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
            }),
        )
    }

    fn issue(&mut self, app: &App) -> String {
        let now = self.now() / 1000;
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": "simulated" });
        let mut claims = json!({
            "aud": AUDIENCE,
            "iss": format!("https://sts.windows.net/{}/", self.tenant.id),
            "iat": now,
            "nbf": now,
            "exp": now + i64::from(self.options.token_seconds),
            "appid": app.client_id,
            "app_displayname": app.display_name,
            "idtyp": "app",
            "oid": self.principal(&app.client_id).to_string(),
            "sub": self.principal(&app.client_id).to_string(),
            "tid": self.tenant.id,
            "uti": self.dice.uuid().simple().to_string(),
            "ver": "1.0",
        });
        // Without consent there is no claim at all, not an empty one.
        if !app.roles.is_empty() {
            claims["roles"] = json!(app.roles);
        }
        let payload =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = sign(&payload);
        format!("{payload}.{signature}")
    }

    /// Who sent this call. <https://learn.microsoft.com/graph/errors>
    pub(crate) fn authenticate(&self, headers: &[(String, String)]) -> Outcome<Caller> {
        let refuse = |message: &str| {
            Refusal::new(401, "InvalidAuthenticationToken", message)
                .with("www-authenticate", "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"")
        };
        let token = headers
            .iter()
            .find(|(n, _)| n == "authorization")
            .and_then(|(_, v)| v.strip_prefix("Bearer "))
            .ok_or_else(|| refuse("Access token is empty."))?;
        let (payload, signature) =
            token.rsplit_once('.').ok_or_else(|| refuse("IDX14100: JWT is not well formed, there are no dots (.)."))?;
        if sign(payload) != signature {
            return Err(refuse("Access token validation failure. Invalid signature."));
        }
        let claims: Value = payload
            .split('.')
            .nth(1)
            .and_then(|c| URL_SAFE_NO_PAD.decode(c).ok())
            .and_then(|c| serde_json::from_slice(&c).ok())
            .ok_or_else(|| refuse("Access token validation failure."))?;
        if claims["tid"] != json!(self.tenant.id) {
            return Err(refuse("Access token validation failure. Invalid audience."));
        }
        let now = self.now() / 1000;
        if claims["exp"].as_i64().is_none_or(|exp| exp <= now) || claims["nbf"].as_i64().is_none_or(|nbf| nbf > now) {
            return Err(refuse("Access token has expired or is not yet valid."));
        }
        let roles = claims["roles"].as_array().into_iter().flatten().filter_map(|r| r.as_str().map(str::to_owned));
        Ok(Caller {
            app: claims["appid"].as_str().unwrap_or_default().to_owned(),
            principal: claims["oid"].as_str().and_then(|o| Uuid::parse_str(o).ok()).unwrap_or_default(),
            permissions: roles.collect(),
        })
    }
}

/// All scopes of a request belong to one resource and use `.default`.
fn scope(scope: Option<&str>) -> Result<(), Denied> {
    match scope {
        None | Some("") => Err(denied(
            400,
            "invalid_request",
            900144,
            "The request body must contain the following parameter: 'scope'.",
        )),
        Some(GRAPH_SCOPE) => Ok(()),
        Some(other) if other.split(' ').count() > 1 => Err(denied(
            400,
            "invalid_scope",
            70011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {other} is not valid."
            ),
        )),
        // The simulated Graph lives on loopback; a client may name it as the resource.
        Some(other) if other.ends_with("/.default") && other.contains("://") => {
            if other.starts_with("http://127.0.0.1") || other.starts_with("http://localhost") {
                return Ok(());
            }
            Err(denied(
                400,
                "invalid_resource",
                500011,
                format!(
                    "The resource principal named {} was not found in the tenant.",
                    other.trim_end_matches("/.default")
                ),
            ))
        }
        Some(other) => Err(denied(
            400,
            "invalid_scope",
            1002012,
            format!(
                "The provided value for scope {other} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )),
    }
}

/// Signed with a key of this process: a token of another tenant, or of an earlier start, is foreign.
fn sign(payload: &str) -> String {
    static KEYS: OnceLock<[RandomState; 4]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| std::array::from_fn(|_| RandomState::new()));
    let bytes: Vec<u8> = keys.iter().flat_map(|k| k.hash_one(payload).to_be_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}
