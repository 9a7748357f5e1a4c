//! Refresh tokens (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>): opaque, bound to user and
//! client, rotated at each use without ending the old one. They carry their own state, so that they outlive a restart.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::codes::{Granted, denied, plainly};
use super::form::Form;
use super::grants::SignedIn;
use super::scopes::Scopes;
use crate::object::Object;
use crate::registration::App;
use crate::schema::at;
use crate::state::State;
use crate::tokens::{open, seal};

const DAY_MS: i64 = 86_400_000;

/// What a refresh token remembers.
#[derive(Debug, Serialize, Deserialize)]
struct Refresh {
    tenant: String,
    client: String,
    user: Uuid,
    scope: String,
    issued: i64,
    number: u64,
    /// The process in which the number counts.
    start: u64,
}

impl State {
    pub(crate) fn refresh_token(&mut self, app: &App, user: &Object, scopes: &Scopes) -> String {
        self.entra.sequence += 1;
        let scope: Vec<&str> = if scopes.default { vec![".default"] } else { Vec::new() }
            .into_iter()
            .chain(scopes.named.iter().chain(&scopes.openid).map(String::as_str))
            .collect();
        let state = Refresh {
            tenant: self.tenant.id.clone(),
            client: app.client_id.clone(),
            user: user.id,
            scope: scope.join(" "),
            issued: self.now(),
            number: self.entra.sequence,
            start: self.entra.start,
        };
        format!("1.{}", seal(&state))
    }

    pub(crate) fn refresh(&mut self, tenant: &str, form: &Form) -> Granted<Value> {
        let client = form.need("client_id")?;
        let presented = form.need("refresh_token")?;
        let app = self.client(client)?;
        self.check_sign_in_tenant(tenant, &app)?;
        self.check_loop(client, "refresh_token")?;
        self.prove(&app, form)?;
        let token: Refresh = presented
            .strip_prefix("1.")
            .and_then(open)
            .filter(|t: &Refresh| t.client == app.client_id && t.tenant == self.tenant.id)
            .ok_or_else(|| plainly(70000))?;
        let user = self.signed_in(token.user)?;
        if self.revoked(&token, &user) {
            return Err(denied(
                50173,
                "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
            ));
        }
        let idle = self.now() - token.issued;
        if idle >= i64::from(self.options.refresh_token_days) * DAY_MS {
            return Err(denied(
                700082,
                format!(
                    "The refresh token has expired due to inactivity. The token was inactive for {} days.",
                    self.options.refresh_token_days
                ),
            ));
        }
        let original = Scopes::read(Some(&token.scope))?;
        let mut scopes = match form.get("scope") {
            None => original.clone(),
            Some(text) => Scopes::read(Some(text))?,
        };
        // A refresh token begets another whether or not it is asked for again.
        scopes.openid.retain(|s| s != "offline_access");
        scopes.openid.push("offline_access".to_owned());
        self.delegated_tokens(&SignedIn { app: &app, user, scopes, nonce: None })
    }

    /// Revoked by number in this process; by time when the token or the revocation is older.
    fn revoked(&self, token: &Refresh, user: &Object) -> bool {
        if token.start == self.entra.start {
            return self.entra.revoked.get(&user.id).is_some_and(|last| token.number <= *last);
        }
        let valid_from = user.text(at::SESSIONS_VALID_FROM).and_then(|t| t.parse::<jiff::Timestamp>().ok());
        valid_from.is_some_and(|from| token.issued <= from.as_millisecond())
    }

    /// Ends every refresh token of a user that exists now.
    pub(crate) fn revoke_refresh_tokens(&mut self, user: Uuid) {
        let last = self.entra.sequence;
        self.entra.revoked.insert(user, last);
    }
}
