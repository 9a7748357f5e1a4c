//! `auth` and `serve`: connecting, saying how it stands, giving up; and that nothing of it is written anywhere in clear.

use std::path::Path;

use hardmatch_ports::Clock as _;
use hardmatch_runtime::RealClock;
use hardmatch_sim::{Consent, KeyCredential, RegisteredCredential, Signature};
use serde_json::{Value, json};

use crate::browser::{ADMIN, Waiting, connectable, prove_by, walk, walk_on};
use crate::fixture::{CLIENT, Fixture, SECRET_NAME, Said, rows, tenant, text};
use crate::looking::LOOK;

const CONFIG: [&str; 2] = ["--config", "lab.toml"];
const ACCEPT: [(&str, &str); 2] = [("account", ADMIN), ("choice", "accept")];
const SIGN_IN: [(&str, &str); 1] = [("account", ADMIN)];

fn words<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, &CONFIG, more].concat()
}

#[track_caller]
fn auth(fixture: &Fixture, command: &str, more: &[&str]) -> Said {
    fixture.run(&words(&["auth", command], more))
}

fn status(fixture: &Fixture) -> Value {
    auth(fixture, "status", &["--json"]).json()
}

fn tokens_issued(fixture: &Fixture) -> u64 {
    fixture.world().counters().tokens_issued
}

fn days_from_now(days: i64) -> String {
    let now = jiff::Timestamp::from_second(now()).unwrap();
    (now + jiff::SignedDuration::from_hours(24 * days)).strftime("%Y-%m-%d").to_string()
}

/// The command goes by the machine's clock, and so must what it is told.
fn now() -> i64 {
    RealClock.now_seconds()
}

#[test]
fn o14_an_administrator_consents_in_a_browser_and_is_told_what_was_granted() {
    let fixture = connectable(&rows(2), |app| app.consent = Consent::Missing);
    fixture.run(&words(&["plan"], &[])).ends(1).says(&["hardmatch auth connect"]);
    let waiting = Waiting::start(&fixture, &words(&["auth", "connect"], &["--json"]));
    let walked = walk(&waiting.link, &ACCEPT);
    assert_eq!(walked.status, 200, "{}", walked.page);
    let said = waiting.ends();
    let told = said.json();
    assert_eq!((said.code, &told["connected"], &told["resumed"]), (Some(0), &json!(true), &json!(false)), "{said}");
    assert_eq!(told["permissions"]["missing"], json!([]));
    assert!(said.err.contains("/v2.0/adminconsent?"), "for an operator without a browser here: {said}");
    fixture.plan_and_apply();
    fixture.lawful();
    // Asked again, nobody has to open anything.
    auth(&fixture, "connect", &[]).ends(0);
}

#[test]
fn a_consent_that_is_declined_is_told_and_may_be_given_in_the_same_browser() {
    let fixture = connectable(&rows(1), |app| app.consent = Consent::Missing);
    let waiting = Waiting::start(&fixture, &words(&["auth", "connect"], &[]));
    let declined = walk(&waiting.link, &[("choice", "decline")]);
    assert!(declined.page.contains("open it again in this browser"), "{}", declined.page);
    let agreed = walk_on(&waiting.link, &ACCEPT, &declined.cookies);
    assert_eq!(agreed.status, 200, "{}", agreed.page);
    let said = waiting.ends().ends(0).says(&["AADSTS65004"]);
    let (register, open) = (said.err.find("redirect URI").unwrap(), said.err.find("open this link").unwrap());
    assert!(register < open, "what to register is said beforehand");
}

#[test]
fn connecting_puts_the_simulated_state_aside_only_when_it_succeeded() {
    let fixture = connectable(&rows(2), |app| app.consent = Consent::Missing);
    let real = std::fs::read_to_string(fixture.path("lab.toml")).unwrap();
    fixture.write("lab.toml", LOOK);
    fixture.plan_and_apply();
    // In a simulated tenant nobody has to agree.
    let said = auth(&fixture, "connect", &[]).ends(0);
    assert!(said.out.contains("a simulated one on this machine") && !said.out.contains("http"), "{said}");
    let look = || {
        let said = fixture.run(&words(&["plan"], &[])).ends(0);
        assert!(said.out.contains("No changes. 2 people"), "{said}");
    };
    look();

    // A plan without a consent, and an address that is only printed, move nothing.
    fixture.write("lab.toml", &real);
    fixture.run(&words(&["plan"], &[])).ends(1).says(&["hardmatch auth connect"]);
    auth(&fixture, "connect", &["--no-wait"]).ends(3);
    assert!(!fixture.path("lab-simulated.db").exists() && !fixture.path("lab-connecting.db").exists());
    fixture.write("lab.toml", LOOK);
    look();

    fixture.write("lab.toml", &real);
    let waiting = Waiting::start(&fixture, &words(&["auth", "connect"], &[]));
    assert_eq!(walk(&waiting.link, &ACCEPT).status, 200);
    waiting.ends().ends(0).says(&["put aside as", "lab-simulated.db"]);
    assert!(fixture.path("lab-simulated.tenant").exists() && !fixture.path("lab-connecting.db").exists());
    assert_ne!(status(&fixture)["connected"], Value::Null, "what connecting learnt is kept");
    fixture.plan_and_apply();
    fixture.lawful();
}

#[test]
fn without_waiting_the_address_is_printed() {
    let fixture = connectable(&rows(1), |app| app.consent = Consent::Missing);
    let said = auth(&fixture, "connect", &["--no-wait", "--json"]).ends(3);
    assert!(text(&said.json()["consent_url"]).contains("/adminconsent?client_id="), "{said}");
}

#[test]
fn what_no_consent_would_cure_is_said_before_anybody_opens_a_page() {
    let fixture = connectable(&rows(1), |_| ());
    fixture.world().change_app(CLIENT, |app| app.secret_expired = true).unwrap();
    auth(&fixture, "connect", &[]).ends(1).says(&["AADSTS7000222"]);
}

#[test]
fn an_administrator_signs_in_and_runs_act_for_them() {
    let fixture = connectable(&rows(3), |app| app.roles = Vec::new());
    prove_by(&fixture, &format!("method = \"delegated\"\nsecret = \"env:{SECRET_NAME}\""));
    fixture.run(&words(&["plan"], &[])).ends(1).says(&["hardmatch auth connect"]);
    let waiting = Waiting::start(&fixture, &words(&["auth", "connect"], &["--json"]));
    let walked = walk(&waiting.link, &SIGN_IN);
    assert_eq!(walked.status, 200, "{}", walked.page);
    let said = waiting.ends();
    assert_eq!((said.code, &said.json()["method"]), (Some(0), &json!("sign_in")), "{said}");
    fixture.plan_and_apply();
    assert_eq!(fixture.sync().ends(0).json()["status"], "converged");
    assert_eq!(fixture.upns().len(), 4);
    let kinds: Vec<Value> =
        status(&fixture)["tokens"].as_array().unwrap().iter().map(|kept| kept["kind"].clone()).collect();
    assert_eq!(kinds, [json!("access-token"), json!("refresh-token")]);
    // A reset keeps the sign-in.
    auth(&fixture, "reset", &[]).ends(0);
    fixture.plan();
    // Revoked: nothing goes on, and the cure is named.
    fixture.world().revoke_sessions(ADMIN).unwrap();
    auth(&fixture, "reset", &[]).ends(0);
    fixture.run(&words(&["plan"], &[])).ends(1).says(&["AADSTS50173", "hardmatch auth connect"]);
    fixture.lawful();
}

#[test]
fn j1_o15_a_token_is_kept_between_commands_and_a_reset_fetches_another() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.plan();
    assert_eq!(tokens_issued(&fixture), 1);
    fixture.plan();
    assert_eq!(tokens_issued(&fixture), 1, "the kept one is used");
    auth(&fixture, "reset", &[]).ends(0);
    assert_eq!(tokens_issued(&fixture), 1, "a reset asks nobody");
    fixture.plan();
    assert_eq!(tokens_issued(&fixture), 2);
}

#[test]
fn what_was_granted_since_is_there_at_once() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.world().change_app(CLIENT, |app| app.roles.retain(|role| role != "RoleManagement.Read.Directory")).unwrap();
    let roles = |plan: &Value| plan["collections"]["roles"]["state"].clone();
    assert_eq!(roles(&fixture.plan()), "unknown");
    fixture.world().change_app(CLIENT, |app| app.roles.push("RoleManagement.Read.Directory".to_owned())).unwrap();
    assert_eq!(roles(&fixture.plan()), "complete");
}

#[test]
fn j2_j4_j5_o16_disconnected_nothing_is_asked_and_connected_again_the_first_run_stops() {
    let fixture = Fixture::with_people(tenant(), &rows(5));
    fixture.plan_and_apply();
    let users = fixture.world().users();
    fixture.world().take_requests();
    let told = auth(&fixture, "disconnect", &["--json"]).ends(0).json();
    assert_eq!((&told["parked_links"], &told["was_connected"]), (&json!(5), &json!(true)));
    for command in [&["plan"][..], &["sync", "--yes"], &["apply", "0123456789ab"]] {
        fixture.run(&words(command, &[])).ends(1).says(&[
            "disconnected",
            "5 links are disconnected",
            "hardmatch auth connect",
        ]);
    }
    let state = auth(&fixture, "status", &["--json"]).ends(3).json();
    assert_eq!(
        (&state["standing"], &state["tokens"], &state["parked_links"]),
        (&json!("disconnected"), &json!([]), &json!(5))
    );
    fixture.run(&words(&["doctor"], &[])).ends(3);
    assert_eq!(fixture.world().take_requests().len(), 0, "nobody is called");
    assert_eq!(tokens_issued(&fixture), 1);
    assert_eq!(fixture.world().users(), users);

    let told = auth(&fixture, "connect", &["--json"]).ends(0).json();
    assert_eq!((&told["resumed"], &told["parked_links"]), (&json!(true), &json!(5)));
    let mut people = rows(5);
    "Elsewhere".clone_into(&mut people[1].department);
    fixture.write("source.csv", crate::fixture::csv(&people));
    let stopped = fixture.run(&words(&["sync"], &["--json"])).ends(3).json();
    assert_eq!(stopped["status"], "planned", "{stopped}");
    assert_eq!(fixture.world().users(), users);
    assert_eq!(fixture.sync().ends(0).json()["status"], "converged");
    assert_eq!(fixture.upns().len(), 5, "no duplicate");
}

#[test]
fn j5_another_tenant_needs_a_connection_of_its_own() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    fixture.plan_and_apply();
    auth(&fixture, "disconnect", &[]).ends(0);
    fixture.configure(crate::fixture::TENANT, "c2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e611");
    auth(&fixture, "connect", &[]).ends(2).says(&["a connection and a state file of its own"]);
}

/// A certificate of ours, registered with the application.
fn certified(fixture: &Fixture, days: &str) {
    let out = fixture.path("lab.pem").display().to_string();
    let made = fixture.run(&["auth", "certificate", "--out", &out, "--days", days, "--json"]).ends(0).json();
    let public = std::fs::read_to_string(Path::new(text(&made["upload"]))).unwrap();
    fixture
        .world()
        .change_app(CLIENT, |app| app.key_credentials.push(KeyCredential { key: public, ..KeyCredential::default() }))
        .unwrap();
    prove_by(fixture, "method = \"certificate\"\ncertificate = \"file:lab.pem\"");
}

#[test]
fn c13_c14_a_certificate_that_ends_soon_is_told_everywhere() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    certified(&fixture, "10");
    let said = Fixture::finish(
        fixture
            .command(&words(&["plan"], &["--json"]))
            .env("HARDMATCH_LOG", "warn")
            .env("HARDMATCH_LOG_FORMAT", "json"),
    );
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.json()["problems"].to_string().contains("The certificate ends on"), "{said}");
    assert!(said.err.contains("\"credential.days_left\":"), "{said}");
    let state = auth(&fixture, "status", &["--json"]).ends(3).json();
    assert!(matches!(state["credential"]["days_left"].as_i64(), Some(9 | 10)), "{state}");
    assert!(state["warnings"][0].to_string().contains("hardmatch auth certificate"), "{state}");
    let checks = fixture.run(&words(&["doctor"], &["--json"])).json();
    let found = checks["checks"].as_array().unwrap().iter().find(|check| check["area"] == "expiry").unwrap();
    assert_eq!(found["state"], "warn", "{found}");
}

#[test]
fn c13_c14_the_end_of_a_secret_is_known_as_far_as_it_was_noted() {
    let fixture = Fixture::with_people(tenant(), &rows(2));
    let unknown = auth(&fixture, "status", &["--json"]).ends(0).json();
    assert!(text(&unknown["credential"]["said"]).contains("secret_expires"), "{unknown}");
    for (days, code, warned) in [(200, 0, false), (12, 3, true), (-3, 3, true)] {
        prove_by(
            &fixture,
            &format!("method = \"secret\"\nsecret = \"env:{SECRET_NAME}\"\nsecret_expires = {}", days_from_now(days)),
        );
        let state = auth(&fixture, "status", &["--json"]).ends(code).json();
        assert_eq!(!state["warnings"].as_array().unwrap().is_empty(), warned, "{days}: {state}");
    }
}

#[test]
fn status_and_doctor_leave_no_file_behind() {
    let fixture = Fixture::with_people(tenant(), &rows(1));
    let before = fixture.files().len();
    auth(&fixture, "status", &[]).ends(0);
    fixture.run(&words(&["doctor"], &[]));
    auth(&fixture, "reset", &[]).ends(0);
    assert_eq!(fixture.files().len(), before, "{:?}", fixture.files().iter().map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn serve_offers_a_link_and_stops_when_it_is_told() {
    let fixture = connectable(&rows(1), |app| app.consent = Consent::Missing);
    let waiting = Waiting::start(&fixture, &words(&["serve"], &[]));
    assert_eq!(walk(&waiting.link, &ACCEPT).status, 200);
    let interrupt = std::process::Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    waiting.ends().ends(0);
    let permissions = status(&fixture)["permissions"].clone();
    assert_eq!(permissions["missing"], json!([]));
    let needed = permissions["needed"].as_array().unwrap();
    assert!(needed.contains(&json!("User.ReadWrite.All")) && needed.contains(&json!("Domain.Read.All")), "{needed:?}");
    fixture.run(&["serve", "--listen", "0.0.0.0", "--config", "lab.toml"]).ends(2).says(&["--url https://"]);
}

/// Ways to prove who we are, each with what it needs.
const METHODS: [&str; 4] = ["secret", "certificate", "federated", "delegated"];

fn proved_by(method: &str) -> Fixture {
    let consent = if method == "delegated" { Consent::Granted } else { Consent::Missing };
    let fixture = connectable(&rows(4), |app| {
        app.consent = consent;
        app.federated_identity_credentials.push(RegisteredCredential {
            name: "lab".to_owned(),
            issuer: "https://issuer.example".to_owned(),
            subject: "lab".to_owned(),
            audiences: vec!["api://AzureADTokenExchange".to_owned()],
            jwks: None,
            signature: Signature::Unverified,
            created: None,
        });
    });
    match method {
        "certificate" => certified(&fixture, "90"),
        "federated" => {
            fixture.write("token.jwt", foreign_token("lab"));
            prove_by(&fixture, "method = \"federated\"\ntoken = \"file:token.jwt\"");
        }
        "delegated" => prove_by(&fixture, &format!("method = \"delegated\"\nsecret = \"env:{SECRET_NAME}\"")),
        _ => {}
    }
    fixture
}

/// Another issuer's token.
pub(crate) fn foreign_token(subject: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let now = now();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "k1" });
    let claims = json!({
        "iss": "https://issuer.example", "sub": subject, "aud": "api://AzureADTokenExchange",
        "iat": now, "nbf": now, "exp": now + 3600, "jti": format!("lab-{subject}"),
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode([7u8; 256]))
}

/// Where secrets belong, because somebody asked for it: by the end of the file's name.
const THEIR_PLACES: [&str; 3] = ["lab.pem", "token.jwt", "lab.key"];

#[test]
fn c13_whatever_the_method_no_secret_of_it_is_found_anywhere() {
    for method in METHODS {
        let fixture = proved_by(method);
        let answer: &[(&str, &str)] = if method == "delegated" { &SIGN_IN } else { &ACCEPT };
        let waiting = Waiting::start(&fixture, &words(&["auth", "connect"], &["--json"]));
        // The link itself is for the operator to read, and was used up by the time anybody else could.
        let (ticket, walked) = (waiting.link.rsplit('/').next().unwrap().to_owned(), walk(&waiting.link, answer));
        assert_eq!(walked.status, 200, "{method}: {}", walked.page);
        let mut said = vec![waiting.ends().ends(0)];
        let loud = |words: &[&str]| {
            Fixture::finish(fixture.command(words).env("HARDMATCH_LOG", "trace").env("HARDMATCH_LOG_FORMAT", "json"))
        };
        said.push(loud(&words(&["plan"], &["--json", "--rows"])).ends(0));
        let hash = text(&said[1].json()["plan"]).to_owned();
        said.push(loud(&words(&["apply", &hash], &["--json"])).ends(0));
        said.push(loud(&words(&["sync"], &["--full"])).ends(0));
        said.push(loud(&words(&["doctor"], &[])));
        said.push(loud(&words(&["auth", "status"], &[])));
        said.push(loud(&words(&["auth", "reset"], &[])));
        // And what is said when the credential is refused.
        fixture.world().change_app(CLIENT, |app| app.disabled = true).unwrap();
        said.push(loud(&words(&["plan"], &[])).ends(1));
        said.push(loud(&words(&["doctor"], &[])).ends(3));
        said.push(loud(&words(&["auth", "disconnect"], &[])).ends(0));

        let mut secrets = fixture.world().issued_secrets();
        assert!(secrets.len() > 2, "{method}: the tenant saw secrets");
        secrets.extend(walked.secrets.into_iter().filter(|secret| *secret != ticket));
        if method == "certificate" {
            let pem = std::fs::read_to_string(fixture.path("lab.pem")).unwrap();
            let key = pem.split("-----BEGIN CERTIFICATE").next().unwrap();
            secrets.extend(key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
        }
        secrets.retain(|secret| secret.len() >= 8);
        let mut places: Vec<(String, Vec<u8>)> = fixture
            .files()
            .into_iter()
            .map(|(path, bytes)| (path.display().to_string(), bytes))
            .filter(|(path, _)| !THEIR_PLACES.iter().any(|place| path.ends_with(place)))
            .collect();
        assert!(places.iter().any(|(path, _)| path.ends_with("lab.tokens")), "{method}: tokens are kept");
        for (number, said) in said.into_iter().enumerate() {
            places.push((format!("standard output of command {number}"), said.out.into_bytes()));
            places.push((format!("standard error of command {number}"), said.err.into_bytes()));
        }
        for secret in &secrets {
            for form in forms(secret) {
                for (place, bytes) in &places {
                    assert!(!holds(bytes, &form), "{method}: a secret of {} characters is in {place}", secret.len());
                }
            }
        }
    }
}

/// A secret as it is, and as somebody may have encoded it.
fn forms(secret: &str) -> Vec<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let url: String = secret
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let whole = secret.len() / 3 * 3;
    // The last group may be padded or run on.
    let head = secret.as_bytes().get(..whole).unwrap_or_default();
    let mut forms = vec![secret.to_owned(), url, STANDARD_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(head)];
    forms.sort();
    forms.dedup();
    forms
}

fn holds(hay: &[u8], needle: &str) -> bool {
    let needle = needle.as_bytes();
    let Some(first) = needle.first() else { return false };
    let mut rest = hay;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[test]
fn what_is_looked_for_would_be_found() {
    let secret = "kangaroo~secret+1/x";
    for form in forms(secret) {
        assert!(holds(format!("before {form} after").as_bytes(), &form), "{form}");
    }
    assert!(forms(secret).len() >= 3);
    assert!(!holds(b"kangaroo", secret));
}
