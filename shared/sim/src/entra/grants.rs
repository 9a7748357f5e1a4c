//! The token endpoint: what is exchanged for tokens, and the answer
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>).

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::codes::{Granted, denied, lacks, plainly};
use super::form::Form;
use super::kept::Challenge;
use super::scopes::Scopes;
use crate::answer::Answer;
use crate::object::Object;
use crate::options::BeforeConsent;
use crate::registration::App;
use crate::schema::{Kind, at};
use crate::state::State;

/// The user that delegated tokens are for.
pub(crate) struct SignedIn<'a> {
    pub(crate) app: &'a App,
    pub(crate) user: Arc<Object>,
    pub(crate) scopes: Scopes,
    pub(crate) nonce: Option<String>,
}

impl State {
    /// `POST /{tenant}/oauth2/v2.0/token`.
    pub(crate) fn token(&mut self, tenant: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        match self.grant(tenant, headers, body) {
            Ok(body) => {
                self.records.counters.tokens_issued += 1;
                for name in ["access_token", "refresh_token", "id_token"] {
                    self.entra.note(body[name].as_str().unwrap_or_default());
                }
                Answer::json(200, &body).with("cache-control", "no-store, no-cache").with("pragma", "no-cache")
            }
            Err(denied) => {
                self.records.counters.tokens_refused += 1;
                self.denial(&denied)
            }
        }
    }

    fn grant(&mut self, tenant: &str, headers: &[(String, String)], body: &[u8]) -> Granted<Value> {
        let form = self.form(headers, body)?;
        match form.need("grant_type")? {
            "client_credentials" => self.app_only(tenant, &form),
            "authorization_code" => self.redeem(tenant, &form),
            "refresh_token" => self.refresh(tenant, &form),
            other => Err(denied(70003, format!("The app requested an unsupported grant type '{other}'."))),
        }
    }

    fn app_only(&mut self, tenant: &str, form: &Form) -> Granted<Value> {
        self.check_concrete_tenant(tenant)?;
        let client = form.need("client_id")?;
        Scopes::app_only(form.get("scope"))?;
        let app = self.client(client)?;
        if self.options.before_consent == BeforeConsent::NotFound {
            self.app_roles(&app)?;
        }
        self.check_loop(client, "client_credentials")?;
        if app.public_client && form.get("client_secret").is_none() && form.get("client_assertion").is_none() {
            return Err(plainly(7000218));
        }
        self.prove(&app, form)?;
        self.check_policies(&[&app.client_id])?;
        let roles = self.app_roles(&app)?;
        let life = self.options.token_seconds;
        let token = self.app_token(&app, &roles);
        Ok(json!({ "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token }))
    }

    fn redeem(&mut self, tenant: &str, form: &Form) -> Granted<Value> {
        let client = form.need("client_id")?;
        let presented = form.need("code")?;
        let redirect_uri = form.need("redirect_uri")?;
        let app = self.client(client)?;
        self.check_sign_in_tenant(tenant, &app)?;
        self.prove(&app, form)?;
        let known = self.entra.codes.get(presented).filter(|c| c.client == app.client_id);
        let code = known.ok_or_else(|| plainly(70000))?.clone();
        if code.redeemed {
            return Err(plainly(54005));
        }
        if self.now() - code.issued >= i64::from(self.options.code_seconds) * 1000 {
            return Err(denied(70008, "The provided authorization code has expired. Send a new interactive request."));
        }
        if code.redirect_uri != redirect_uri {
            return Err(denied(
                500112,
                format!(
                    "The reply address '{redirect_uri}' does not match the reply address '{}' provided when requesting Authorization code.",
                    code.redirect_uri
                ),
            ));
        }
        check_verifier(code.challenge.as_ref(), form.get("code_verifier"))?;
        let user = self.signed_in(code.user)?;
        let scopes = match form.get("scope") {
            None => Scopes::read(Some(&code.scope))?,
            Some(text) => {
                let mut asked = Scopes::read(Some(text))?;
                // The sign-in decided whether there is an id token and a refresh token.
                asked.openid = Scopes::read(Some(&code.scope))?.openid;
                asked
            }
        };
        let answer = self.delegated_tokens(&SignedIn { app: &app, user, scopes, nonce: code.nonce })?;
        if let Some(code) = self.entra.codes.get_mut(presented) {
            code.redeemed = true;
        }
        Ok(answer)
    }

    /// A user who may still have tokens.
    pub(crate) fn signed_in(&self, user: Uuid) -> Granted<Arc<Object>> {
        let object = self.dir.live(user).filter(|o| o.kind == Kind::User).cloned();
        let object = object.ok_or_else(|| plainly(50034))?;
        if object.flag(at::ACCOUNT_ENABLED) == Some(false) {
            return Err(plainly(50057));
        }
        self.check_policies(&[object.upn(), &object.id.to_string()])?;
        Ok(object)
    }

    /// The named permissions, all of them consented.
    pub(crate) fn check_consent(&self, app: &App, scopes: &Scopes) -> Granted<Vec<String>> {
        let consented = self.delegated(app);
        let lacking = scopes.named.iter().any(|s| !consented.contains(s)) || (scopes.default && consented.is_empty());
        if lacking {
            return Err(denied(
                65001,
                format!(
                    "The user or administrator has not consented to use the application with ID '{}' named '{}'. Send an interactive authorization request for this user and resource.",
                    app.client_id, app.display_name
                ),
            ));
        }
        Ok(if scopes.default { consented } else { scopes.named.clone() })
    }

    pub(crate) fn delegated_tokens(&mut self, who: &SignedIn<'_>) -> Granted<Value> {
        let granted = self.check_consent(who.app, &who.scopes)?;
        let life = self.options.token_seconds;
        let shown = granted.iter().chain(who.scopes.openid.iter().filter(|s| *s != "offline_access"));
        let mut answer = json!({
            "token_type": "Bearer",
            "scope": shown.map(String::as_str).collect::<Vec<_>>().join(" "),
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": self.user_token(who.app, &who.user, &granted),
        });
        if who.scopes.has("offline_access") {
            answer["refresh_token"] = json!(self.refresh_token(who.app, &who.user, &who.scopes));
        }
        if who.scopes.has("openid") {
            let token = self.id_token(who).ok_or_else(|| plainly(90033))?;
            answer["id_token"] = json!(token);
        }
        Ok(answer)
    }
}

/// <https://datatracker.ietf.org/doc/html/rfc7636#section-4.6>
fn check_verifier(challenge: Option<&Challenge>, verifier: Option<&str>) -> Granted<()> {
    let fits = match (challenge, verifier) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(_), None) => return Err(lacks("code_verifier")),
        (Some(Challenge::Plain(challenge)), Some(verifier)) => challenge == verifier,
        (Some(Challenge::S256(challenge)), Some(verifier)) => {
            *challenge == URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
        }
    };
    if fits { Ok(()) } else { Err(plainly(501481)) }
}
