//! People who are pushed while `serve` runs, planned and applied beside it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use reqwest::Client;
use serde_json::{Value, json};

use crate::fixture::{Fixture, tenant, text};

/// A `serve` that listens.
pub(crate) struct Serving {
    child: Child,
    addresses: Value,
}

impl Serving {
    pub(crate) fn start(fixture: &Fixture) -> Self {
        let mut command = fixture.command(&["serve", "--config", "lab.toml", "--port", "0", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON line: {line:?}"));
        Self { child, addresses }
    }

    pub(crate) fn address(&self, of: &str) -> &str {
        text(&self.addresses["connections"]["lab"][of])
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn scim() -> Fixture {
    let fixture = Fixture::new(tenant());
    let config = fixture
        .config()
        .replace("kind = \"csv\"\nlocation = \"source.csv\"\n", "kind = \"scim\"\n[anchor]\nfrom = \"externalId\"\n");
    fixture.write("lab.toml", config);
    fixture
}

pub(crate) fn token(fixture: &Fixture) -> String {
    let made = fixture.run(&["auth", "tokens", "create", "--config", "lab.toml", "--name", "okta", "--json"]).ends(0);
    text(&made.json()["token"]).to_owned()
}

async fn send(method: reqwest::Method, url: &str, token: &str, body: Value) -> (u16, Value) {
    let request = Client::new().request(method, url).bearer_auth(token).body(body.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
}

#[test]
fn the_first_plan_over_pushed_people_is_made_and_applied_beside_serve() {
    let fixture = scim();
    fixture.run(&["config", "check", "--config", "lab.toml"]).ends(0);
    let serving = Serving::start(&fixture);
    let token = token(&fixture);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let users = format!("{}/Users", serving.address("scim"));
    for (name, id) in [("ada@contoso.com", "E1"), ("bea@contoso.com", "E2")] {
        let person = json!({ "userName": name, "externalId": id, "displayName": name,
                             "emails": [{ "value": name, "type": "work", "primary": true }] });
        let (status, told) = runtime.block_on(send(reqwest::Method::POST, &users, &token, person));
        assert_eq!(status, 201, "{told}");
    }
    fixture.plan_and_apply();
    assert_eq!(fixture.upns(), ["ada@contoso.com", "bea@contoso.com"]);
    assert_eq!(fixture.user("ada@contoso.com")["onPremisesImmutableId"], "E1");
    let list = fixture.run(&["auth", "tokens", "list", "--config", "lab.toml", "--json"]).ends(0).json();
    let id = text(&list["tokens"][0]["id"]).to_owned();
    fixture.run(&["auth", "tokens", "revoke", &id, "--config", "lab.toml"]).ends(0);
    let (status, _) = runtime.block_on(send(reqwest::Method::GET, &users, &token, Value::Null));
    assert_eq!(status, 401, "a revoked token is nobody's at once");
    fixture.lawful();
}
