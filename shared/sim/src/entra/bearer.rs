//! Access tokens and id tokens (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>,
//! <https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference>), and who sent a call to Graph.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::grants::SignedIn;
use super::keys::SigningKey;
use crate::answer::{Outcome, Refusal};
use crate::caller::{Behalf, Caller};
use crate::object::Object;
use crate::registration::App;
use crate::rng::stable_uuid;
use crate::schema::at;
use crate::state::State;

/// What `aud` of an access token says.
const AUDIENCE: &str = "https://graph.microsoft.com";

impl State {
    /// A token for the application itself. Without consent there is no `roles` claim at all, not an empty one.
    pub(crate) fn app_token(&mut self, app: &App, roles: &[String]) -> String {
        let principal = self.principal(&app.client_id).to_string();
        let mut claims = self.access_claims(app);
        claims["idtyp"] = json!("app");
        claims["oid"] = json!(principal);
        claims["sub"] = json!(principal);
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        access_token(&claims)
    }

    /// A token for a user who signed in.
    pub(crate) fn user_token(&mut self, app: &App, user: &Object, scopes: &[String]) -> String {
        let mut claims = self.access_claims(app);
        claims["idtyp"] = json!("user");
        claims["oid"] = json!(user.id);
        claims["sub"] = json!(pairwise(app, user));
        claims["scp"] = json!(scopes.join(" "));
        claims["upn"] = json!(user.upn());
        claims["name"] = json!(user.text(at::DISPLAY_NAME));
        access_token(&claims)
    }

    fn access_claims(&mut self, app: &App) -> Value {
        let now = self.now() / 1000;
        json!({
            "aud": AUDIENCE,
            "iss": format!("https://sts.windows.net/{}/", self.tenant.id),
            "iat": now,
            "nbf": now,
            "exp": now + i64::from(self.options.token_seconds),
            "appid": app.client_id,
            "app_displayname": app.display_name,
            "tid": self.tenant.id,
            "uti": self.rng.uuid().simple().to_string(),
            "ver": "1.0",
        })
    }

    /// Who signed in, for the application.
    pub(crate) fn id_token(&mut self, who: &SignedIn<'_>) -> Option<String> {
        let now = self.now() / 1000;
        let mut claims = json!({
            "aud": who.app.client_id,
            "iss": self.issuer(),
            "iat": now,
            "nbf": now,
            "exp": now + i64::from(self.options.token_seconds),
            "oid": who.user.id,
            "sub": pairwise(who.app, &who.user),
            "tid": self.tenant.id,
            "uti": self.rng.uuid().simple().to_string(),
            "ver": "2.0",
        });
        if who.scopes.has("profile") {
            claims["name"] = json!(who.user.text(at::DISPLAY_NAME));
            claims["preferred_username"] = json!(who.user.upn());
        }
        if let Some(mail) = who.user.text(at::MAIL).filter(|_| who.scopes.has("email")) {
            claims["email"] = json!(mail);
        }
        if let Some(nonce) = &who.nonce {
            claims["nonce"] = json!(nonce);
        }
        SigningKey::after(self.entra.rollovers)?.sign(&claims)
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{}/{}/v2.0", self.base, self.tenant.id)
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
        let (behalf, permissions) = if let Some(scopes) = claims["scp"].as_str() {
            (Behalf::User, scopes.split(' ').map(str::to_owned).collect())
        } else {
            let roles = claims["roles"].as_array().into_iter().flatten();
            (Behalf::App, roles.filter_map(|r| r.as_str().map(str::to_owned)).collect())
        };
        Ok(Caller {
            app: claims["appid"].as_str().unwrap_or_default().to_owned(),
            behalf,
            principal: claims["oid"].as_str().and_then(|o| Uuid::parse_str(o).ok()).unwrap_or_default(),
            permissions,
        })
    }
}

/// The same person is another subject to another application.
fn pairwise(app: &App, user: &Object) -> String {
    stable_uuid(&["subject", &app.client_id, &user.id.to_string()]).simple().to_string()
}

fn access_token(claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "HS256", "kid": "simulated" });
    let payload =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = sign(&payload);
    format!("{payload}.{signature}")
}

/// Signed with a key of this process: a token of another tenant, or of an earlier start, is foreign. Only Graph itself
/// may look into its tokens, so no public key is needed.
fn sign(payload: &str) -> String {
    static KEYS: OnceLock<[RandomState; 4]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| std::array::from_fn(|_| RandomState::new()));
    let bytes: Vec<u8> = keys.iter().flat_map(|k| k.hash_one(payload).to_be_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}
