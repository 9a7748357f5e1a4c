//! `auth` and `serve`: connecting, saying how it stands, giving up; and that nothing of it is written anywhere in clear.

use std::path::Path;

use hardmatch_ports::Clock as _;
use hardmatch_runtime::RealClock;
use hardmatch_sim::{Consent, KeyCredential, RegisteredCredential, Signature};
use serde_json::{Value, json};

use crate::browser::{ADMIN, Waiting, connectable, prove_by, walk};
use crate::lab::{CLIENT, Lab, SECRET_NAME, Said, rows, tenant, text};

const CONFIG: [&str; 2] = ["--config", "lab.toml"];
const ACCEPT: [(&str, &str); 2] = [("account", ADMIN), ("choice", "accept")];
const SIGN_IN: [(&str, &str); 1] = [("account", ADMIN)];

fn words<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, &CONFIG, more].concat()
}

#[track_caller]
fn auth(lab: &Lab, command: &str, more: &[&str]) -> Said {
    lab.run(&words(&["auth", command], more))
}

fn status(lab: &Lab) -> Value {
    auth(lab, "status", &["--json"]).json()
}

fn tokens_issued(lab: &Lab) -> u64 {
    lab.world().counters().tokens_issued
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
    let lab = connectable(&rows(2), |app| app.consent = Consent::Missing);
    lab.run(&words(&["plan"], &[])).ends(1).says(&["hardmatch auth connect"]);
    let waiting = Waiting::start(&lab, &words(&["auth", "connect"], &["--json"]));
    let walked = walk(&waiting.link, &ACCEPT);
    assert_eq!(walked.status, 200, "{}", walked.page);
    let said = waiting.ends();
    let told = said.json();
    assert_eq!((said.code, &told["connected"], &told["resumed"]), (Some(0), &json!(true), &json!(false)), "{said}");
    assert_eq!(told["permissions"]["missing"], json!([]));
    assert!(said.err.contains("/v2.0/adminconsent?"), "for whoever has no browser here: {said}");
    lab.plan_and_apply();
    lab.lawful();
    // Asked again, nobody has to open anything.
    auth(&lab, "connect", &[]).ends(0);
}

#[test]
fn a_consent_that_is_declined_is_told_with_its_code() {
    let lab = connectable(&rows(1), |app| app.consent = Consent::Missing);
    let waiting = Waiting::start(&lab, &words(&["auth", "connect"], &[]));
    walk(&waiting.link, &[("choice", "decline")]);
    waiting.ends().ends(1).says(&["AADSTS65004", "auth connect"]);
}

#[test]
fn without_waiting_the_address_is_printed() {
    let lab = connectable(&rows(1), |app| app.consent = Consent::Missing);
    let said = auth(&lab, "connect", &["--no-wait", "--json"]).ends(3);
    assert!(text(&said.json()["consent_url"]).contains("/adminconsent?client_id="), "{said}");
}

#[test]
fn what_no_consent_would_cure_is_said_before_anybody_opens_a_page() {
    let lab = connectable(&rows(1), |_| ());
    lab.world().change_app(CLIENT, |app| app.secret_expired = true).unwrap();
    auth(&lab, "connect", &[]).ends(1).says(&["AADSTS7000222"]);
}

#[test]
fn an_administrator_signs_in_and_runs_act_for_them() {
    let lab = connectable(&rows(3), |app| app.roles = Vec::new());
    prove_by(&lab, &format!("method = \"delegated\"\nsecret = \"env:{SECRET_NAME}\""));
    lab.run(&words(&["plan"], &[])).ends(1).says(&["hardmatch auth connect"]);
    let waiting = Waiting::start(&lab, &words(&["auth", "connect"], &["--json"]));
    let walked = walk(&waiting.link, &SIGN_IN);
    assert_eq!(walked.status, 200, "{}", walked.page);
    let said = waiting.ends();
    assert_eq!((said.code, &said.json()["method"]), (Some(0), &json!("sign_in")), "{said}");
    lab.plan_and_apply();
    assert_eq!(lab.sync().ends(0).json()["status"], "converged");
    assert_eq!(lab.upns().len(), 4);
    let kinds: Vec<Value> =
        status(&lab)["tokens"].as_array().unwrap().iter().map(|kept| kept["kind"].clone()).collect();
    assert_eq!(kinds, [json!("access-token"), json!("refresh-token")]);
    // A reset keeps the sign-in.
    auth(&lab, "reset", &[]).ends(0);
    lab.plan();
    // Revoked: nothing goes on, and the cure is named.
    lab.world().revoke_sessions(ADMIN).unwrap();
    auth(&lab, "reset", &[]).ends(0);
    lab.run(&words(&["plan"], &[])).ends(1).says(&["AADSTS50173", "hardmatch auth connect"]);
    lab.lawful();
}

#[test]
fn j1_o15_a_token_is_kept_between_commands_and_a_reset_fetches_another() {
    let lab = Lab::with_people(tenant(), &rows(2));
    lab.plan();
    assert_eq!(tokens_issued(&lab), 1);
    lab.plan();
    assert_eq!(tokens_issued(&lab), 1, "the kept one is used");
    auth(&lab, "reset", &[]).ends(0);
    assert_eq!(tokens_issued(&lab), 1, "a reset asks nobody");
    lab.plan();
    assert_eq!(tokens_issued(&lab), 2);
}

#[test]
fn what_was_granted_since_is_there_at_once() {
    let lab = Lab::with_people(tenant(), &rows(2));
    lab.world().change_app(CLIENT, |app| app.roles.retain(|role| role != "RoleManagement.Read.Directory")).unwrap();
    let roles = |plan: &Value| plan["collections"]["roles"]["state"].clone();
    assert_eq!(roles(&lab.plan()), "unknown");
    lab.world().change_app(CLIENT, |app| app.roles.push("RoleManagement.Read.Directory".to_owned())).unwrap();
    assert_eq!(roles(&lab.plan()), "complete");
}

#[test]
fn j2_j4_j5_o16_disconnected_nothing_is_asked_and_connected_again_the_first_run_stops() {
    let lab = Lab::with_people(tenant(), &rows(5));
    lab.plan_and_apply();
    let users = lab.world().users();
    lab.world().take_requests();
    let told = auth(&lab, "disconnect", &["--json"]).ends(0).json();
    assert_eq!((&told["parked_links"], &told["was_connected"]), (&json!(5), &json!(true)));
    for command in [&["plan"][..], &["sync", "--yes"], &["apply", "0123456789ab"]] {
        lab.run(&words(command, &[])).ends(1).says(&[
            "disconnected",
            "5 links are disconnected",
            "hardmatch auth connect",
        ]);
    }
    let state = auth(&lab, "status", &["--json"]).ends(3).json();
    assert_eq!(
        (&state["standing"], &state["tokens"], &state["parked_links"]),
        (&json!("disconnected"), &json!([]), &json!(5))
    );
    lab.run(&words(&["doctor"], &[])).ends(3);
    assert_eq!(lab.world().take_requests().len(), 0, "nobody is called");
    assert_eq!(tokens_issued(&lab), 1);
    assert_eq!(lab.world().users(), users);

    let told = auth(&lab, "connect", &["--json"]).ends(0).json();
    assert_eq!((&told["resumed"], &told["parked_links"]), (&json!(true), &json!(5)));
    let mut people = rows(5);
    "Elsewhere".clone_into(&mut people[1].department);
    lab.write("source.csv", crate::lab::csv(&people));
    let stopped = lab.run(&words(&["sync"], &["--json"])).ends(3).json();
    assert_eq!(stopped["status"], "planned", "{stopped}");
    assert_eq!(lab.world().users(), users);
    assert_eq!(lab.sync().ends(0).json()["status"], "converged");
    assert_eq!(lab.upns().len(), 5, "no duplicate");
}

#[test]
fn j5_another_tenant_needs_a_connection_of_its_own() {
    let lab = Lab::with_people(tenant(), &rows(1));
    lab.plan_and_apply();
    auth(&lab, "disconnect", &[]).ends(0);
    lab.configure(crate::lab::TENANT, "c2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e611");
    auth(&lab, "connect", &[]).ends(2).says(&["a connection and a state file of its own"]);
}

/// A certificate of ours, registered with the application.
fn certified(lab: &Lab, days: &str) {
    let out = lab.path("lab.pem").display().to_string();
    let made = lab.run(&["auth", "certificate", "--out", &out, "--days", days, "--json"]).ends(0).json();
    let public = std::fs::read_to_string(Path::new(text(&made["upload"]))).unwrap();
    lab.world()
        .change_app(CLIENT, |app| app.key_credentials.push(KeyCredential { key: public, ..KeyCredential::default() }))
        .unwrap();
    prove_by(lab, "method = \"certificate\"\ncertificate = \"file:lab.pem\"");
}

#[test]
fn c13_c14_a_certificate_that_ends_soon_is_told_everywhere() {
    let lab = Lab::with_people(tenant(), &rows(2));
    certified(&lab, "10");
    let said = Lab::finish(
        lab.command(&words(&["plan"], &["--json"])).env("HARDMATCH_LOG", "warn").env("HARDMATCH_LOG_FORMAT", "json"),
    );
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.json()["problems"].to_string().contains("The certificate ends on"), "{said}");
    assert!(said.err.contains("\"credential.days_left\":"), "{said}");
    let state = auth(&lab, "status", &["--json"]).ends(3).json();
    assert!(matches!(state["credential"]["days_left"].as_i64(), Some(9 | 10)), "{state}");
    assert!(state["warnings"][0].to_string().contains("hardmatch auth certificate"), "{state}");
    let checks = lab.run(&words(&["doctor"], &["--json"])).json();
    let found = checks["checks"].as_array().unwrap().iter().find(|check| check["area"] == "expiry").unwrap();
    assert_eq!(found["state"], "warn", "{found}");
}

#[test]
fn c13_c14_the_end_of_a_secret_is_known_as_far_as_it_was_noted() {
    let lab = Lab::with_people(tenant(), &rows(2));
    let unknown = auth(&lab, "status", &["--json"]).ends(0).json();
    assert!(text(&unknown["credential"]["said"]).contains("secret_expires"), "{unknown}");
    for (days, code, warned) in [(200, 0, false), (12, 3, true), (-3, 3, true)] {
        prove_by(
            &lab,
            &format!("method = \"secret\"\nsecret = \"env:{SECRET_NAME}\"\nsecret_expires = {}", days_from_now(days)),
        );
        let state = auth(&lab, "status", &["--json"]).ends(code).json();
        assert_eq!(!state["warnings"].as_array().unwrap().is_empty(), warned, "{days}: {state}");
    }
}

#[test]
fn status_and_doctor_leave_no_file_behind() {
    let lab = Lab::with_people(tenant(), &rows(1));
    let before = lab.files().len();
    auth(&lab, "status", &[]).ends(0);
    lab.run(&words(&["doctor"], &[]));
    auth(&lab, "reset", &[]).ends(0);
    assert_eq!(lab.files().len(), before, "{:?}", lab.files().iter().map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn serve_offers_a_link_and_stops_when_it_is_told() {
    let lab = connectable(&rows(1), |app| app.consent = Consent::Missing);
    let waiting = Waiting::start(&lab, &words(&["serve"], &[]));
    assert_eq!(walk(&waiting.link, &ACCEPT).status, 200);
    let interrupt = std::process::Command::new("kill").args(["-INT", &waiting.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    waiting.ends().ends(0);
    let permissions = status(&lab)["permissions"].clone();
    assert_eq!(permissions["missing"], json!([]));
    let needed = permissions["needed"].as_array().unwrap();
    assert!(needed.contains(&json!("User.ReadWrite.All")) && needed.contains(&json!("Domain.Read.All")), "{needed:?}");
    lab.run(&["serve", "--listen", "0.0.0.0", "--config", "lab.toml"]).ends(2).says(&["--url https://"]);
}

/// Ways to prove who we are, each with what it needs.
const METHODS: [&str; 4] = ["secret", "certificate", "federated", "delegated"];

fn proved_by(method: &str) -> Lab {
    let consent = if method == "delegated" { Consent::Granted } else { Consent::Missing };
    let lab = connectable(&rows(4), |app| {
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
        "certificate" => certified(&lab, "90"),
        "federated" => {
            lab.write("token.jwt", foreign_token("lab"));
            prove_by(&lab, "method = \"federated\"\ntoken = \"file:token.jwt\"");
        }
        "delegated" => prove_by(&lab, &format!("method = \"delegated\"\nsecret = \"env:{SECRET_NAME}\"")),
        _ => {}
    }
    lab
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
        let lab = proved_by(method);
        let answer: &[(&str, &str)] = if method == "delegated" { &SIGN_IN } else { &ACCEPT };
        let waiting = Waiting::start(&lab, &words(&["auth", "connect"], &["--json"]));
        // The link itself is for the operator to read, and was used up by the time anybody else could.
        let (ticket, walked) = (waiting.link.rsplit('/').next().unwrap().to_owned(), walk(&waiting.link, answer));
        assert_eq!(walked.status, 200, "{method}: {}", walked.page);
        let mut said = vec![waiting.ends().ends(0)];
        let loud = |words: &[&str]| {
            Lab::finish(lab.command(words).env("HARDMATCH_LOG", "trace").env("HARDMATCH_LOG_FORMAT", "json"))
        };
        said.push(loud(&words(&["plan"], &["--json", "--rows"])).ends(0));
        let hash = text(&said[1].json()["plan"]).to_owned();
        said.push(loud(&words(&["apply", &hash], &["--json"])).ends(0));
        said.push(loud(&words(&["sync"], &["--full"])).ends(0));
        said.push(loud(&words(&["doctor"], &[])));
        said.push(loud(&words(&["auth", "status"], &[])));
        said.push(loud(&words(&["auth", "reset"], &[])));
        // And what is said when the credential is refused.
        lab.world().change_app(CLIENT, |app| app.disabled = true).unwrap();
        said.push(loud(&words(&["plan"], &[])).ends(1));
        said.push(loud(&words(&["doctor"], &[])).ends(3));
        said.push(loud(&words(&["auth", "disconnect"], &[])).ends(0));

        let mut secrets = lab.world().issued_secrets();
        assert!(secrets.len() > 2, "{method}: the tenant saw secrets");
        secrets.extend(walked.secrets.into_iter().filter(|secret| *secret != ticket));
        if method == "certificate" {
            let pem = std::fs::read_to_string(lab.path("lab.pem")).unwrap();
            let key = pem.split("-----BEGIN CERTIFICATE").next().unwrap();
            secrets.extend(key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned));
        }
        secrets.retain(|secret| secret.len() >= 8);
        let mut places: Vec<(String, Vec<u8>)> = lab
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
