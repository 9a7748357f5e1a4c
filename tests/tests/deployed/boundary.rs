//! An operator is not an owner: with an operator's keys alone nobody gets a credential out of a function, points a
//! connection elsewhere, or has a function do anything but an operator's commands. What is refused says why and leaves
//! nothing behind; the same from an approver works where it is legal.

use std::fs;

use hardmatch_sim::Seed;
use hardmatch_tests::connection::{Connection, Proof};
use hardmatch_tests::fixture::{CLIENT, TENANT, tenant, trusting_the_stand_in};
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::{Aws, Keys, PEOPLE, Stack};

const NAME: &str = "edge";
const SECRET: &str = "sim-secret-of-edge";
const RUN: &str = "01KCZZZZZZZZZZZZZZZZZZZZZZ";

pub(crate) fn story(fixture: &mut Fixture) {
    let mut app = trusting_the_stand_in();
    app.secret = Some(SECRET.to_owned());
    let seed: Seed = tenant(app);
    let tenant = Tenant::of(fixture, seed);
    let company = Company::new(fixture, NAME, &tenant);
    let stack = &fixture.stack;
    company.people(stack, 0..5, "Sales");
    let [viewer, operator, approver] =
        ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"].map(|name| stack.person(name));
    let edge = Edge { stack, file: company.file.clone(), url: tenant.url().to_owned() };
    let raw = stack.caller(&operator);

    // The first configuration.
    let legal = Edge::text(Proof::Federated, &edge.url, "", "");
    let denied = edge.push(&operator, &legal);
    assert_eq!(denied.0, 1, "{}", denied.1);
    assert!(denied.1.contains("first configuration"), "{}", denied.1);
    assert!(edge.raw(&raw, "FIRST", &legal).contains("first configuration"));
    let denied = edge.push(&viewer, &legal);
    assert_eq!(denied.0, 1, "{}", denied.1);
    assert_eq!(edge.items(), Vec::<Value>::new(), "nothing is left behind");

    // What nobody may push: neither past the command nor as an approver.
    let own = stack.secret(&format!("hm/{NAME}/app"), SECRET);
    let others = stack.secret("hm/contoso/app", "another connection's");
    let longer = stack.secret(&format!("hm/{NAME}2/app"), "a connection's whose name begins so");
    let evil = [
        (Edge::text(Proof::Secret("env:AWS_SESSION_TOKEN"), &edge.url, "", ""), "env:"),
        (Edge::text(Proof::Secret("file:/proc/self/environ"), &edge.url, "", ""), "file:"),
        (Edge::text(Proof::Federated, &edge.url, "token = \"command:/bin/sh -c env\"\n", ""), "start a program"),
        (
            Edge::text(Proof::Federated, &edge.url, "token = \"file:/proc/self/environ\"\n", ""),
            "a file of the function",
        ),
        (Edge::text(Proof::Federated, &edge.url, "audience = \"sts.amazonaws.com\"\n", ""), "tenant.auth.audience"),
        (Edge::text(Proof::Federated, "https://evil.example", "", ""), "list of hosts"),
        (Edge::text(Proof::Federated, "https://graph.microsoft.com.evil.example", "", ""), "list of hosts"),
        (Edge::text(Proof::Federated, "http://localhost:9001", "", ""), "list of hosts"),
        (
            Edge::text(Proof::Secret(&format!("secretsmanager:{others}")), &edge.url, "", ""),
            "not one of connection edge",
        ),
        (
            Edge::text(Proof::Secret(&format!("secretsmanager:{longer}")), &edge.url, "", ""),
            "not one of connection edge",
        ),
        // Larger than an item may be.
        (
            format!("{}# {}\n", Edge::text(Proof::Federated, &edge.url, "", ""), "x".repeat(200_000)),
            "stack stores up to",
        ),
    ];
    for (n, (text, words)) in evil.iter().enumerate() {
        let said = edge.raw(&raw, &format!("EVIL{n}"), text);
        assert!(said.contains(words), "{words}: {said}");
        let refused = edge.push(&approver, text);
        assert_eq!(refused.0, 2, "{}", refused.1);
        assert!(refused.1.contains(words), "{words}: {}", refused.1);
    }
    assert_eq!(edge.items(), Vec::<Value>::new(), "nothing is left behind");

    // The same from an approver, where it is legal; then an operator works with it.
    assert_eq!(edge.push(&approver, &legal).0, 0);
    let plan = ["plan", "--config", &edge.file, "--json"];
    let planned = stack.hardmatch(&operator, &plan).json(0);
    assert_eq!(planned["counts"]["by_action"]["create"], 5, "{planned}");

    // Tenant, sign-in and source are an approver's; the rest is an operator's.
    let before = edge.items();
    let moved = legal.replace("edge.csv", "contoso.csv");
    let secret = Edge::text(Proof::Secret(&format!("secretsmanager:{own}")), &edge.url, "", "");
    let elsewhere = legal.replace(&edge.url, "https://graph.microsoft.com");
    for (n, (text, words)) in
        [(&moved, "source.location changes"), (&secret, "[tenant.auth] changes"), (&elsewhere, "[tenant] changes")]
            .into_iter()
            .enumerate()
    {
        let denied = edge.push(&operator, text);
        assert_eq!(denied.0, 1, "{}", denied.1);
        assert!(denied.1.contains(words), "{words}: {}", denied.1);
        let said = edge.raw(&raw, &format!("CHANGE{n}"), text);
        assert!(said.contains("takes an approver") && said.contains(words), "{words}: {said}");
    }
    assert_eq!(edge.items(), before, "nothing is left behind");
    assert_eq!(edge.push(&operator, &format!("{legal}[guard]\nalways_allow = 9\n")).0, 0, "an operator's to push");
    assert_eq!(edge.push(&approver, &secret).0, 0, "an approver's to push");
    let status = stack.hardmatch(&operator, &["auth", "status", "--config", &edge.file, "--json"]).json(0);
    assert_eq!(status["method"], "secret", "with the connection's own secret: {status}");
    assert_eq!(edge.push(&approver, &legal).0, 0);

    commands(&edge, &raw);
    reach(stack, &raw);
    redrive(stack, &operator);
}

/// A queue of commands carries commands alone, and what an approver says is not said there.
fn commands(edge: &Edge<'_>, raw: &Aws) {
    let (stack, before) = (edge.stack, edge.items());
    let runs = edge.runs();
    let message = |kind: &str, more: Value| {
        let mut message = json!({ "v": 1, "connection": NAME, "run": RUN, "kind": kind });
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message.to_string()
    };
    let slot = json!({ "slot": "2031-01-31T02:00:00Z" });
    let queue = stack.output("CommandQueue");
    for message in [
        message("start", slot.clone()),
        message("nightly", slot),
        message("observe-source", json!({})),
        message("observe-tenant", json!({})),
        message("match", json!({})),
        message("advance", json!({})),
        message("write", json!({})),
        message("tick", json!({})),
        message("tenant-request", json!({ "wish": "reset" })),
        message("operator-command", json!({ "reply": "R#1", "command": { "do": "pause" } })),
        json!({ "v": 1, "connection": "edge#x", "kind": "operator-command", "reply": "R1", "command": { "do": "pause" } })
            .to_string(),
    ] {
        raw.call("sqs", "send_message", &json!({ "QueueUrl": queue, "MessageBody": message }));
    }
    for (name, command) in [
        ("ACCEPT", json!({ "do": "accept", "hash": "abcdef0123456789" })),
        ("RELEASE", json!({ "do": "release" })),
        ("PASSED", json!({ "do": "open", "intent": "sync", "stops": "passed" })),
    ] {
        let said = edge.ask(raw, name, &command);
        assert!(said.contains("approver"), "{name}: {said}");
    }
    stack.until("every message to be answered", || stack.holds("CommandQueue")[..2] == [0, 0]);
    assert_eq!(edge.items(), before, "nothing was done");
    assert_eq!(edge.runs(), runs, "no run began");
    // In another queue a command is worth nothing, even from an approver.
    let pause = json!({ "v": 1, "connection": NAME, "kind": "operator-command", "reply": "MISPLACED", "command": { "do": "pause" } });
    stack.send("MatchQueue", &pause.to_string());
    assert!(edge.reply("MISPLACED").contains("queue of commands"));
    assert_eq!(edge.items(), before, "nothing was done");
}

/// What IAM alone refuses an operator.
fn reach(stack: &Stack, raw: &Aws) {
    let denied = |service: &str, operation: &str, parameters: Value| {
        let refused = raw.try_call(service, operation, &parameters);
        let error = refused.err().unwrap_or_else(|| panic!("an operator may {service} {operation} {parameters}"));
        let error = error.to_string();
        assert!(error.contains("AccessDenied") || error.contains("not authorized"), "{operation}: {error}");
    };
    for name in ["SourceQueue", "TenantQueue", "MatchQueue", "WriteQueue", "ApproveQueue", "DeadLetters"] {
        let url = stack.output(name);
        denied("sqs", "send_message", json!({ "QueueUrl": url, "MessageBody": "{\"v\":1,\"kind\":\"tick\"}" }));
        denied("sqs", "delete_message", json!({ "QueueUrl": url, "ReceiptHandle": "x" }));
        denied("sqs", "purge_queue", json!({ "QueueUrl": url }));
        if name != "DeadLetters" {
            denied("sqs", "receive_message", json!({ "QueueUrl": url }));
        }
    }
    for name in ["WorkTable", "TokenTable"] {
        let table = stack.output(name);
        let item = json!({ "pk": { "S": "CONN#edge" }, "sk": { "S": "META#status" } });
        denied("dynamodb", "put_item", json!({ "TableName": table, "Item": item }));
        denied("dynamodb", "delete_item", json!({ "TableName": table, "Key": item }));
        denied("dynamodb", "scan", json!({ "TableName": table }));
    }
    let token = json!({ "pk": { "S": "TOKEN#edge" }, "sk": { "S": "access-token" } });
    denied("dynamodb", "get_item", json!({ "TableName": stack.output("TokenTable"), "Key": token }));
    denied("secretsmanager", "get_secret_value", json!({ "SecretId": "hm/edge/app" }));
    denied("kms", "generate_data_key", json!({ "KeyId": stack.output("TokenKey"), "KeySpec": "AES_256" }));
    let audience = json!({ "Audience": ["api://AzureADTokenExchange"], "SigningAlgorithm": "RS256" });
    denied("sts", "get_web_identity_token", audience);
    denied("lambda", "invoke", json!({ "FunctionName": format!("{}-match", stack.name) }));
}

/// Dead letters are put back by a function, for an operator who could not.
fn redrive(stack: &Stack, operator: &Keys) {
    let old = json!({ "v": 1, "connection": NAME, "run": RUN, "kind": "observe-source" });
    let request = json!({ "v": 1, "connection": NAME, "kind": "operator-command", "reply": "DEAD", "command": { "do": "pause" } });
    stack.send("DeadLetters", &old.to_string());
    stack.send("DeadLetters", &request.to_string());
    let moved = stack.hardmatch(operator, &["connection", "redrive", "--json"]).json(0);
    assert_eq!(moved["moved"]["source"], 1, "{moved}");
    assert!(
        moved["deleted"].as_u64().is_some_and(|deleted| deleted >= 1),
        "what was asked for is asked for again: {moved}"
    );
    stack.until("the letter to be answered", || {
        stack.holds("DeadLetters") == [0, 0, 0] && stack.holds("SourceQueue")[..2] == [0, 0]
    });
}

/// What was stored when the stack's limits were wider is refused when it is loaded.
pub(crate) fn limits(fixture: &mut Fixture) {
    fixture.stack.update(&["AllowedHosts=login.microsoftonline.com,graph.microsoft.com"]);
    let operator = fixture.stack.person("OperatorPolicy");
    let words = ["plan", "--config", "edge.toml", "--json"];
    let refused = fixture.stack.hardmatch(&operator, &words);
    assert_eq!(refused.code, 2, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("127.0.0.1") && refused.err.contains("AllowedHosts"), "{}", refused.err);
    fixture.stack.update(&[]);
    fixture.stack.hardmatch(&operator, &words).json(0);
}

/// The connection that is fought over.
struct Edge<'s> {
    stack: &'s Stack,
    file: String,
    /// Where its tenant answers.
    url: String,
}

impl Edge<'_> {
    /// A configuration with this proof and these hosts, more in `[tenant.auth]`, and more at the end.
    fn text(proof: Proof<'_>, url: &str, auth: &str, more: &str) -> String {
        let people = format!("s3://{PEOPLE}/{NAME}.csv");
        let text = Connection { name: NAME, tenant: TENANT, client: CLIENT, url, proof, people: &people, more }.toml();
        text.replace("[source]\n", &format!("{auth}[source]\n"))
    }

    /// Pushes by the command: how it ended, and what it said.
    fn push(&self, keys: &Keys, text: &str) -> (i32, String) {
        fs::write(self.stack.folder.path().join(&self.file), text).unwrap();
        let ran = self.stack.hardmatch(keys, &["config", "push", "--config", &self.file, "--json"]);
        (ran.code, format!("{}{}", ran.out, ran.err))
    }

    /// Pushes past the command, into the queue that an operator may send to: what the function said.
    fn raw(&self, caller: &Aws, name: &str, text: &str) -> String {
        self.ask(caller, name, &json!({ "do": "configure", "text": text, "tenant": TENANT }))
    }

    fn ask(&self, caller: &Aws, name: &str, command: &Value) -> String {
        let message =
            json!({ "v": 1, "connection": NAME, "kind": "operator-command", "reply": name, "command": command });
        let message = json!({ "QueueUrl": self.stack.output("CommandQueue"), "MessageBody": message.to_string() });
        caller.call("sqs", "send_message", &message);
        self.reply(name)
    }

    /// A reply that refuses.
    fn reply(&self, name: &str) -> String {
        let key = json!({ "pk": { "S": format!("CONN#{NAME}") }, "sk": { "S": format!("REPLY#{name}") } });
        let asked = json!({ "TableName": self.stack.output("WorkTable"), "Key": key, "ConsistentRead": true });
        let mut found = Value::Null;
        self.stack.until("a reply", || {
            let item = self.stack.call("dynamodb", "get_item", &asked);
            found = item["Item"]["body"]["B"].clone();
            !found.is_null()
        });
        let reply: Value = serde_json::from_str(found.as_str().unwrap()).unwrap();
        assert_eq!(reply["was"], "refused", "{name}: {reply}");
        reply["why"].as_str().unwrap().to_owned()
    }

    /// What the table holds of the connection and what a command could change of it. Replies are left out, and what the
    /// tick notes about every connection each minute.
    fn items(&self) -> Vec<Value> {
        let table = self.stack.output("WorkTable");
        let query = |partition: &str| {
            let asked = json!({
                "TableName": table,
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": { ":pk": { "S": partition } },
                "ConsistentRead": true,
            });
            self.stack.call("dynamodb", "query", &asked)["Items"].as_array().unwrap().clone()
        };
        let mut found = Vec::new();
        for item in query(&format!("CONN#{NAME}")) {
            let (name, body) = (item["sk"]["S"].as_str().unwrap(), item["body"]["B"].as_str().unwrap_or_default());
            if name.starts_with("META#") {
                // Times of the last look and of the last run are no change of what may be done.
                if matches!(name, "META#status" | "META#policy" | "META#schedule" | "META#quarantine") {
                    found.push(json!([name, body]));
                }
            } else if !name.starts_with("REPLY#") && !name.starts_with("RUN#") {
                found.push(json!([name, body]));
            }
        }
        found.extend(query("CONNS").into_iter().filter(|item| item["sk"]["S"] == NAME));
        found
    }

    fn runs(&self) -> Value {
        self.stack.json(&["runs", "list", "--config", &self.file], 0)["runs"].clone()
    }
}
