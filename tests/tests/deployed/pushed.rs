//! People whom an identity provider pushes to the stack, by SCIM: a token that only an approver makes, the first plan, a
//! person in seconds, and what nobody may do.

use std::fs;
use std::time::Instant;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::Keys;

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::new(fixture, "tailspin", &tenant);
    let stack = &fixture.stack;
    let file = stack.folder.path().join(&company.file);
    let text = fs::read_to_string(&file).unwrap();
    let (before, source) = text.split_once("kind = \"csv\"\n").unwrap();
    let after = source.split_once('\n').unwrap().1;
    fs::write(&file, format!("{before}kind = \"scim\"\n[anchor]\nfrom = \"externalId\"\n{after}")).unwrap();
    company.says(stack, &["config", "push"], 0);

    // j15: an operator lets nobody push; an approver does, and a viewer sees who may.
    let [viewer, operator, approver] =
        ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"].map(|name| stack.person(name));
    let tokens = |keys: &Keys, words: &[&str]| {
        stack.hardmatch(keys, &[&["auth", "tokens"], words, &["--config", &company.file, "--json"]].concat())
    };
    let denied = tokens(&operator, &["create", "--name", "okta"]);
    assert!(denied.code != 0 && denied.err.contains("approver"), "{}{}", denied.out, denied.err);
    let made = tokens(&approver, &["create", "--name", "okta"]).json(0);
    let listed = tokens(&viewer, &["list"]).json(0);
    assert_eq!(listed["tokens"][0]["id"], made["id"], "{listed}");
    // What hooks are signed with is not read by who reads the table.
    let partition = json!({ ":pk": { "S": "SIGNING#tailspin" } });
    let query = json!({ "TableName": stack.output("WorkTable"), "KeyConditionExpression": "pk = :pk",
                        "ExpressionAttributeValues": partition });
    assert!(stack.caller(&viewer).try_call("dynamodb", "query", &query).is_err(), "a viewer could sign hooks");
    assert_eq!(stack.call("dynamodb", "query", &query)["Items"].as_array().unwrap().len(), 1);

    let shown = company.says(stack, &["connection", "show"], 0);
    let address = shown["webhook"]["scim"].as_str().unwrap();
    let client = Pusher { fixture, base: stack.local(address), token: made["token"].as_str().unwrap().to_owned() };
    assert_eq!(client.send(Method::POST, "/Users", &person("ada")).0, 201);
    // The push has a run of its own, which holds its person until the first plan is applied.
    stack.until("the end of the first push's run", || {
        let runs = company.says(stack, &["runs", "list"], 0)["runs"].as_array().unwrap().clone();
        !runs.is_empty() && runs.iter().all(|run| !run["status"].is_null())
    });
    let planned = company.says(stack, &["plan"], 0);
    assert_eq!(planned["counts"]["by_action"]["create"], 1, "{planned}");
    assert!(tenant.world().users().iter().all(|user| user["displayName"] != "ada"), "nothing before the first plan");
    company.says(stack, &["apply", planned["plan"].as_str().unwrap()], 0);

    let mut all = Vec::new();
    for name in ["bea", "cid", "dan", "eva", "fay"] {
        let began = Instant::now();
        let (status, told) = client.send(Method::POST, "/Users", &person(name));
        assert_eq!(status, 201, "{told}");
        stack.until("the account of who was pushed", || enabled(&tenant, name) == Some(true));
        all.push(began.elapsed().as_millis());
    }
    say(&format!("pushed to account, in milliseconds: {all:?}"));

    let filter = "/Users?filter=userName%20eq%20%22BEA@contoso.com%22";
    let (_, found) = client.send(Method::GET, filter, &Value::Null);
    let id = found["Resources"][0]["id"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned();
    let disable = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                          "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
    assert_eq!(client.send(Method::PATCH, &format!("/Users/{id}"), &disable).0, 200);
    stack.until("the account to be blocked", || enabled(&tenant, "bea") == Some(false));
    stack.until("the person's state to be told", || {
        let asked = "attributes=urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User:provisioning";
        let (_, told) = client.send(Method::GET, &format!("/Users/{id}?{asked}"), &Value::Null);
        let extension = &told["urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User"];
        extension["provisioning"]["state"] == "provisioned"
    });
    // A caller that waits is told in the answer.
    let (status, told) = client.at(&stack.local(shown["webhook"]["people"].as_str().unwrap())).send(
        Method::POST,
        "/id-cid/sync?wait=20",
        &Value::Null,
    );
    assert_eq!((status, told["state"].as_str()), (200, Some("provisioned")), "{told}");

    // A token of one connection is nobody's at another, known or not.
    for other in ["contoso", "nowhere"] {
        let elsewhere = client.at(&client.base.replace("tailspin", other));
        assert_eq!(elsewhere.send(Method::GET, "/Users", &Value::Null).0, 401, "{other}");
    }
    tokens(&operator, &["revoke", made["id"].as_str().unwrap()]).json(0);
    assert_eq!(client.send(Method::GET, "/Users", &Value::Null).0, 401, "a revoked token is nobody's at once");
    tenant.nobody_twice();
}

/// The first event after a quiet day: every function is replaced, so that none of them is warm.
pub(crate) fn cold(fixture: &mut Fixture) {
    fixture.stack.build_anew();
    fixture.stack.update(&["LogLevel=info"]);
    let stack = &fixture.stack;
    let of = ["--config", "tailspin.toml", "--json"];
    let made =
        stack.hardmatch(&Keys::root(), &[&["auth", "tokens", "create", "--name", "okta"], &of[..]].concat()).json(0);
    let shown = stack.hardmatch(&Keys::root(), &[&["connection", "show"], &of[..]].concat()).json(0);
    let base = stack.local(shown["webhook"]["scim"].as_str().unwrap());
    let client = Pusher { fixture, base, token: made["token"].as_str().unwrap().to_owned() };
    let tenants = fixture.tenants.borrow();
    let is_there = |name: &str| {
        let upn = format!("{name}@contoso.com");
        tenants.iter().any(|tenant| tenant.world().user(&upn).is_some())
    };
    let began = Instant::now();
    let (status, told) = client.send(Method::POST, "/Users", &person("gus"));
    assert_eq!(status, 201, "{told}");
    let answered = began.elapsed().as_millis();
    stack.until("the account of who was pushed first", || is_there("gus"));
    say(&format!("everything cold: answered after {answered} ms, an account after {} ms", began.elapsed().as_millis()));
}

fn person(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{name}@contoso.com"),
        "externalId": format!("id-{name}"),
        "displayName": name,
        "emails": [{ "value": format!("{name}@contoso.com"), "type": "work", "primary": true }],
        "active": true,
    })
}

fn enabled(tenant: &Tenant, name: &str) -> Option<bool> {
    let users = tenant.world().users();
    let user = users.iter().find(|user| user["userPrincipalName"] == format!("{name}@contoso.com"))?;
    user["accountEnabled"].as_bool()
}

#[expect(clippy::print_stderr, reason = "a figure of the benchmark kind")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// An identity provider.
struct Pusher<'f> {
    fixture: &'f Fixture,
    base: String,
    token: String,
}

impl Pusher<'_> {
    /// The same, at another address.
    fn at(&self, base: &str) -> Self {
        Pusher { fixture: self.fixture, base: base.to_owned(), token: self.token.clone() }
    }

    fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let mut request = Client::new().request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        self.fixture.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
        })
    }
}
