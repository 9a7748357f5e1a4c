//! The way in for people: pages, redirects, codes.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Seed};
use serde_json::{Value, json};

use crate::desk::{Desk, Got, send};

pub(crate) const CALLBACK: &str = "https://app.example/callback";
pub(crate) const ADMIN: &str = "admin@contoso.com";
pub(crate) const HELPER: &str = "helper@contoso.com";
pub(crate) const PLAIN: &str = "plain@contoso.com";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The challenge of [`VERIFIER`], from RFC 7636, appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const SCOPES: &str = "openid profile offline_access User.ReadWrite.All";

/// A tenant with people, and an app they can sign in to.
pub(crate) fn people() -> Seed {
    let mut seed = Seed::contoso()
        .user(json!({ "userPrincipalName": ADMIN, "displayName": "Ada <A>", "roles": ["Global Administrator"] }))
        .user(json!({ "userPrincipalName": HELPER, "roles": ["User Administrator"] }))
        .user(json!({ "userPrincipalName": PLAIN }));
    let app = &mut seed.apps[0];
    app.redirect_uris = vec![CALLBACK.into(), "http://localhost/callback".into()];
    app.scopes = vec!["User.ReadWrite.All".into(), "Domain.Read.All".into()];
    seed
}

/// An authorization request as our own client makes it, with some parameters changed; an empty value leaves one out.
pub(crate) fn request<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("client_id", CONTOSO_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", SCOPES),
        ("state", "s t/1"),
        ("nonce", "n1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        all.retain(|(n, _)| n != name);
        all.push((*name, *value));
    }
    all.retain(|(_, v)| !v.is_empty());
    all
}

/// What a redirect says.
#[derive(Debug)]
pub(crate) struct Back {
    pub(crate) to: String,
    pub(crate) says: BTreeMap<String, String>,
}

impl Back {
    #[track_caller]
    pub(crate) fn of(got: &Got) -> Self {
        assert_eq!(got.status, 302, "{}", got.body);
        let location = got.header("location").unwrap();
        let (to, pairs) = location.split_once(['?', '#']).unwrap();
        let says = reqwest::Url::parse(&format!("http://x/?{pairs}")).unwrap();
        Self { to: to.to_owned(), says: says.query_pairs().into_owned().collect() }
    }

    pub(crate) fn code(&self) -> &str {
        &self.says["code"]
    }

    #[track_caller]
    pub(crate) fn refused(&self, error: &str, code: u32) {
        assert_eq!(self.says["error"], error, "{:?}", self.says);
        assert!(self.says["error_description"].starts_with(&format!("AADSTS{code}: ")), "{:?}", self.says);
        assert_eq!(self.says["state"], "s t/1");
    }
}

impl Got {
    /// A page that says this.
    #[track_caller]
    pub(crate) fn page(&self, status: u16, text: &str) -> &str {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.header("content-type").unwrap().starts_with("text/html"));
        let page = self.body.as_str().unwrap();
        assert!(page.contains(text), "{page}");
        page
    }

    /// A refusal of the token endpoint.
    #[track_caller]
    pub(crate) fn denied(&self, code: u32) -> &Self {
        assert_eq!(self.body["error_codes"], json!([code]), "{}", self.body);
        self
    }
}

impl Desk {
    /// GET of a page, or POST of a person's answer to it.
    pub(crate) async fn visit(&self, path: &str, query: &[(&str, &str)], answer: &[(&str, &str)]) -> Got {
        let url = format!("{}{path}", self.running.url());
        if answer.is_empty() {
            send(self.http.get(url).query(query)).await
        } else {
            send(self.http.post(url).query(query).form(answer)).await
        }
    }

    pub(crate) async fn authorize(&self, changes: &[(&str, &str)], answer: &[(&str, &str)]) -> Got {
        let path = format!("/{CONTOSO_TENANT_ID}/oauth2/v2.0/authorize");
        self.visit(&path, &request(changes), answer).await
    }

    /// Signs somebody in; the code.
    pub(crate) async fn code_for(&self, upn: &str, changes: &[(&str, &str)]) -> String {
        Back::of(&self.authorize(changes, &[("account", upn)]).await).code().to_owned()
    }

    pub(crate) async fn redeem(&self, code: &str, changes: &[(&str, &str)]) -> Got {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", CONTOSO_CLIENT_ID),
            ("client_secret", CONTOSO_SECRET),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("code", code),
        ];
        change(&mut form, changes);
        self.token_request(CONTOSO_TENANT_ID, &form).await
    }

    pub(crate) async fn refresh(&self, token: &str, changes: &[(&str, &str)]) -> Got {
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("client_id", CONTOSO_CLIENT_ID),
            ("client_secret", CONTOSO_SECRET),
            ("refresh_token", token),
        ];
        change(&mut form, changes);
        self.token_request(CONTOSO_TENANT_ID, &form).await
    }

    /// Signs somebody in; all tokens.
    pub(crate) async fn tokens_for(&self, upn: &str) -> Value {
        let code = self.code_for(upn, &[]).await;
        self.redeem(&code, &[]).await.ok(200)
    }
}

fn change<'a>(form: &mut Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) {
    for (name, value) in changes {
        form.retain(|(n, _)| n != name);
        form.push((*name, *value));
    }
    form.retain(|(_, v)| !v.is_empty());
}

/// The claims of a token.
pub(crate) fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
