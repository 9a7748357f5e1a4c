//! Where a test sits: a running tenant, a manual clock, a client with a token.

use std::time::Duration;

use hardmatch_sim::{
    CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Running, Seed, Sim, SimClock, SimManualClock, World,
};
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

pub(crate) const CONTEXT: &str = "@odata.context";

pub(crate) struct Desk {
    pub(crate) running: Running,
    pub(crate) clock: SimManualClock,
    pub(crate) http: Client,
    pub(crate) token: String,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    /// The refusal's status, code and the beginning of its message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, message: &str) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body["error"]["code"], code, "{}", self.body);
        let text = self.body["error"]["message"].as_str().unwrap_or_default();
        assert!(text.contains(message), "{text:?} does not contain {message:?}");
        self
    }

    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// `ObjectConflict` and `ConflictingObjects`.
    #[track_caller]
    pub(crate) fn conflicts(&self, property: &str, other: &str) {
        self.refused(400, "Request_BadRequest", &format!("same value for property {property} already exists"));
        let details = &self.body["error"]["details"];
        assert_eq!(details[0]["code"], "ObjectConflict");
        assert_eq!(details[0]["target"], property);
        assert_eq!(details[1]["code"], "ConflictingObjects");
        assert_eq!(details[1]["target"], other);
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        rows(&self.body).iter().map(|r| r["id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

pub(crate) fn rows(body: &Value) -> &[Value] {
    body["value"].as_array().map_or(&[], Vec::as_slice)
}

impl Desk {
    pub(crate) async fn open(seed: Seed) -> Self {
        let clock = SimManualClock::default();
        let running = Sim::new(seed).clock(SimClock::Manual(clock.clone())).start_local().await.unwrap();
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut desk = Self { running, clock, http, token: String::new() };
        desk.sign_in().await;
        desk
    }

    pub(crate) async fn sign_in(&mut self) {
        let form = [
            ("client_id", CONTOSO_CLIENT_ID),
            ("client_secret", CONTOSO_SECRET),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        let got = self.token_request(CONTOSO_TENANT_ID, &form).await;
        self.token = got.body["access_token"].as_str().unwrap().to_owned();
    }

    pub(crate) async fn token_request(&self, tenant: &str, form: &[(&str, &str)]) -> Got {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.running.url());
        send(self.http.post(url).form(form)).await
    }

    pub(crate) fn world(&self) -> &World {
        self.running.world()
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/v1.0{path}", self.running.url()) };
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn get_with(&self, path: &str, header: (&str, &str)) -> Got {
        send(self.request(Method::GET, path).header(header.0, header.1)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Got {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Got {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Got {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Got {
        send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn batch(&self, requests: Value) -> Got {
        self.post("/$batch", json!({ "requests": requests })).await
    }

    /// Creates a user and answers its id.
    #[track_caller]
    pub(crate) fn create(&self, upn: &str, more: Value) -> impl Future<Output = String> {
        let request = self.request(Method::POST, "/users").json(&new_user(upn, more));
        async move {
            let body = send(request).await.ok(201);
            body["id"].as_str().unwrap().to_owned()
        }
    }

    /// The id of a seeded user.
    pub(crate) fn id(&self, upn: &str) -> String {
        self.world().user(upn).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Follows a delta round to its end: all rows, and the delta link.
    pub(crate) async fn round(&self, path: &str) -> (Vec<Value>, String) {
        let mut at = path.to_owned();
        let mut all = Vec::new();
        loop {
            let body = self.get(&at).await.ok(200);
            all.extend(rows(&body).iter().cloned());
            if let Some(link) = body["@odata.deltaLink"].as_str() {
                assert!(body.get("@odata.nextLink").is_none());
                return (all, link.to_owned());
            }
            at = body["@odata.nextLink"].as_str().unwrap().to_owned();
        }
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|_| if text.is_empty() { Value::Null } else { json!(text) });
    Got { status, headers, body }
}

pub(crate) fn new_user(upn: &str, more: Value) -> Value {
    let mut user = json!({
        "accountEnabled": true,
        "displayName": upn,
        "mailNickname": upn.split('@').next().unwrap_or_default().replace(|c: char| !c.is_ascii_alphanumeric(), ""),
        "userPrincipalName": upn,
        "passwordProfile": { "password": "Tr0ub4dor&3", "forceChangePasswordNextSignIn": true },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        user[name] = value.clone();
    }
    user
}

/// A seed with one user.
pub(crate) fn with_user(upn: &str, more: Value) -> Seed {
    let mut user = json!({ "userPrincipalName": upn });
    for (name, value) in more.as_object().into_iter().flatten() {
        user[name] = value.clone();
    }
    Seed::contoso().user(user)
}
