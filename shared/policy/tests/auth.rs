//! `[tenant.auth]`: four ways to sign in, what each takes, what each refuses, and that no secret shows.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use hardmatch_policy::{
    ClientCertificate, ClientProof, ClientSecret, Config, Method, Paint, ProblemKind, Problems, SecretRef, TokenRef,
    explain, json_schema,
};
use serde_json::Value;

const ID: &str = "0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77";

/// A file whose `[tenant.auth]` holds these lines, from line 7 on.
fn file(cloud: &str, auth: &str) -> String {
    format!(
        "schema = 1\nconnection = \"c\"\n[tenant]\nid = \"contoso.onmicrosoft.com\"\ncloud = \"{cloud}\"\n[tenant.auth]\n\
         {auth}\nclient_id = \"{ID}\"\n[source]\nkind = \"csv\"\nlocation = \"people.csv\"\n"
    )
}

fn load(text: &str) -> Result<Config, Problems> {
    Config::load(text, "hardmatch.toml", Path::new("/srv"))
}

fn method(auth: &str) -> Method {
    load(&file("global", auth)).unwrap_or_else(|problems| panic!("{problems}")).tenant.auth.unwrap().method
}

fn refused(auth: &str) -> Vec<(ProblemKind, usize, String)> {
    let Err(problems) = load(&file("global", auth)) else { panic!("this should be refused: {auth}") };
    let shown = format!("{problems} {problems:?} {} {}", problems.lines(), problems.pictures(Paint::Colour));
    assert!(!shown.contains("hunter2"), "{shown}");
    problems.iter().map(|p| (p.kind, p.line, format!("{} | {}", p.message, p.cure))).collect()
}

fn env(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

fn in_file(path: &str) -> SecretRef {
    SecretRef::File(PathBuf::from(path))
}

#[test]
fn each_method_is_read() {
    let day = Some("2027-01-31T00:00:00Z".parse().unwrap());
    let secret = |expires| ClientSecret { place: env("S"), expires };
    let certificate = |key| ClientCertificate { certificate: in_file("/srv/c.pem"), key };
    let delegated =
        |client, redirect: Option<&str>| Method::Delegated { client, redirect: redirect.map(str::to_owned) };
    let federated = |token| Method::Federated { audience: "api://AzureADTokenExchange".to_owned(), token };
    for (auth, want) in [
        ("secret = \"env:S\"", Method::Secret(secret(None))),
        ("method = \"secret\"\nsecret = \"env:S\"\nsecret_expires = \"2027-01-31\"", Method::Secret(secret(day))),
        ("secret = \"env:S\"\nsecret_expires = 2027-01-31", Method::Secret(secret(day))),
        ("method = \"certificate\"\ncertificate = \"file:c.pem\"", Method::Certificate(certificate(None))),
        (
            "method = \"certificate\"\ncertificate = \"file:c.pem\"\nkey = \"env:K\"",
            Method::Certificate(certificate(Some(env("K")))),
        ),
        ("method = \"federated\"", federated(None)),
        (
            "method = \"federated\"\naudience = \"api://other\"\ntoken = \"file:/run/token\"",
            Method::Federated {
                audience: "api://other".to_owned(),
                token: Some(TokenRef::File(PathBuf::from("/run/token"))),
            },
        ),
        (
            "method = \"federated\"\ntoken = \"command:get-token --audience 'a b' \\\"\\\" x\"",
            federated(Some(TokenRef::Command {
                program: "get-token".to_owned(),
                arguments: ["--audience", "a b", "", "x"].map(str::to_owned).to_vec(),
            })),
        ),
        ("method = \"delegated\"", delegated(ClientProof::Public, None)),
        (
            "method = \"delegated\"\nredirect = \"http://localhost:8080/\"",
            delegated(ClientProof::Public, Some("http://localhost:8080/")),
        ),
        (
            "method = \"delegated\"\nsecret = \"env:S\"\nsecret_expires = \"2027-01-31\"\nredirect = \"https://x.example/connect/callback\"",
            delegated(ClientProof::Secret(secret(day)), Some("https://x.example/connect/callback")),
        ),
        (
            "method = \"delegated\"\ncertificate = \"file:c.pem\"",
            delegated(ClientProof::Certificate(certificate(None)), None),
        ),
    ] {
        assert_eq!(method(auth), want, "{auth}");
    }
}

#[test]
fn the_audience_is_the_clouds_own() {
    for (cloud, want) in [
        ("global", "api://AzureADTokenExchange"),
        ("usgov", "api://AzureADTokenExchangeUSGov"),
        ("usgov-dod", "api://AzureADTokenExchangeUSGov"),
        ("china", "api://AzureADTokenExchangeChina"),
        ("simulated", "api://AzureADTokenExchange"),
    ] {
        let config = load(&file(cloud, "method = \"federated\"")).unwrap();
        let Method::Federated { audience, .. } = config.tenant.auth.unwrap().method else { panic!("{cloud}") };
        assert_eq!(audience, want, "{cloud}");
    }
}

#[test]
fn keys_of_other_methods_are_refused_at_their_line() {
    let values = [
        ("secret", "env:S"),
        ("secret_expires", "2027-01-31"),
        ("certificate", "file:c.pem"),
        ("key", "file:k.pem"),
        ("audience", "api://x"),
        ("token", "file:t"),
        ("redirect", "https://x.example/"),
    ];
    let allowed: [(&str, &[&str], &str); 4] = [
        ("secret", &["secret", "secret_expires"], "secret = \"env:S\""),
        ("certificate", &["certificate", "key"], "certificate = \"file:c.pem\""),
        ("federated", &["audience", "token"], ""),
        ("delegated", &["secret", "secret_expires", "certificate", "key", "redirect"], ""),
    ];
    for (method, keys, least) in allowed {
        for (key, value) in values.iter().filter(|(key, _)| !keys.contains(key)) {
            let found = refused(&format!("method = \"{method}\"\n{key} = \"{value}\"\n{least}"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].0, found[0].1), (ProblemKind::BadValue, 8), "{found:?}");
            assert!(found[0].2.contains(&format!("`tenant.auth.{key}` belongs to method = ")), "{found:?}");
            assert!(found[0].2.contains("remove it, or set method = "), "{found:?}");
        }
    }
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    for (auth, kind, words) in [
        ("method = \"certificate\"", ProblemKind::MissingKey, "lacks `certificate`"),
        ("method = \"secret\"", ProblemKind::MissingKey, "lacks `secret`"),
        ("method = \"pasword\"", ProblemKind::BadValue, "There is \"secret\"|there is \"secret\""),
        (
            "method = \"delegated\"\nsecret = \"env:S\"\ncertificate = \"file:c\"",
            ProblemKind::BadValue,
            "a secret and a certificate",
        ),
        ("method = \"delegated\"\nkey = \"file:k\"", ProblemKind::BadValue, "without its certificate"),
        ("method = \"delegated\"\nsecret_expires = \"2027-01-31\"", ProblemKind::BadValue, "without a secret"),
        ("method = \"delegated\"\nredirect = \"http://x.example/\"", ProblemKind::BadValue, "plain HTTP"),
        ("method = \"delegated\"\nredirect = \"connect\"", ProblemKind::BadValue, "connect/callback"),
        ("method = \"federated\"\naudience = \"a b\"", ProblemKind::BadValue, "not an audience"),
        ("method = \"federated\"\ntoken = \"command: \"", ProblemKind::BadValue, "names no program"),
        ("method = \"federated\"\ntoken = \"command:x 'y\"", ProblemKind::BadValue, "does not end"),
        ("secret = \"env:S\"\nsecret_expires = \"soon\"", ProblemKind::BadValue, "2027-01-31"),
        ("secret = \"env:S\"\nsecret_expires = \"2027-02-30\"", ProblemKind::BadValue, "2027-01-31"),
        ("secret = \"env:S\"\nsecret_expires = 2027-01-31T00:00:00Z", ProblemKind::BadValue, "2027-01-31"),
    ] {
        let found = refused(auth);
        assert_eq!(found.len(), 1, "{auth}: {found:?}");
        assert_eq!(found[0].0, kind, "{auth}: {found:?}");
        assert!(words.split('|').any(|words| found[0].2.contains(words)), "{auth}: {found:?}");
    }
    // All at once, each where it stands.
    let found = refused("method = \"federated\"\ncertificate = \"hunter2\"\nredirect = 3\ntoken = \"hunter2\"");
    let lines: Vec<usize> = found.iter().map(|(_, line, _)| *line).collect();
    assert_eq!(lines, [8, 8, 9, 9, 10], "{found:?}");
}

#[test]
fn a_secret_in_any_key_of_it_never_shows() {
    for auth in [
        "method = \"certificate\"\ncertificate = \"hunter2\"",
        "method = \"certificate\"\ncertificate = \"file:c.pem\"\nkey = \"hunter2\"",
        "method = \"certificate\"\ncertificate = '''\n-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'''",
        "method = \"certificate\"\nkey = '''\n-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'''\nbroken =",
        "method = \"certificate\"\nkey = '''\n-----BEGIN PRIVATE KEY-----\nhunter2\n",
        "method = \"federated\"\ntoken = \"hunter2.hunter2.hunter2\"",
        "method = \"federated\"\ntoken = \"command:x --password hunter2\"\nwrong = 1",
        "method = \"secret\"\ntoken = \"command:x --password hunter2\"\nsecret = \"env:S\"",
        "secret = \"env:S\"\nsecret_expires = \"hunter2\"",
        "secret = \"env:S\"\nsecret_expires = \"hunter2\"\nbroken =",
        "method = \"delegated\"\nredirect = \"https://user:hunter2@x.example/\"",
        "method = \"delegated\"\nsecret = \"hunter2\"",
        "method = \"nonsense\"\nsecret = \"hunter2\"\nkey = \"hunter2\"",
    ] {
        assert!(!refused(auth).is_empty());
    }
    let command = "method = \"federated\"\ntoken = \"command:x --password hunter2\"";
    let config = load(&file("global", command)).unwrap();
    assert!(!format!("{config:?} {}", explain(&config)).contains("hunter2"));
    // A day is shown: it helps, and is no secret.
    let Err(problems) = load(&file("global", "secret = \"env:S\"\nsecret_expires = \"2027-01-31\"\nwrong = 1")) else {
        panic!("an unknown key")
    };
    assert!(problems.to_string().contains("2027-01-31"), "{problems}");
}

#[test]
fn each_method_is_explained() {
    let mut said = String::new();
    for auth in [
        "secret = \"env:S\"\nsecret_expires = \"2027-01-31\"",
        "method = \"certificate\"\ncertificate = \"file:c.pem\"",
        "method = \"certificate\"\ncertificate = \"env:C\"\nkey = \"secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:k\"",
        "method = \"federated\"",
        "method = \"federated\"\ntoken = \"file:t\"",
        "method = \"federated\"\ntoken = \"command:get-token x\"",
        "method = \"delegated\"\nredirect = \"https://x.example/connect/callback\"",
        "method = \"delegated\"\nsecret = \"env:S\"\nsecret_expires = \"2027-01-31\"",
        "method = \"delegated\"\ncertificate = \"file:c.pem\"",
    ] {
        let words = explain(&load(&file("global", auth)).unwrap());
        let about = words.lines().skip_while(|line| !line.contains("worldwide cloud")).skip(1);
        said.extend(about.take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")));
        said.push('\n');
    }
    insta::assert_snapshot!("explained", said);
}

/// As much of JSON Schema as the conditions of `[tenant.auth]` use.
fn fits(schema: &Value, auth: &Value) -> bool {
    let has = |key: &Value| auth.get(key.as_str().unwrap()).is_some();
    let required = |schema: &Value| schema["required"].as_array().is_none_or(|keys| keys.iter().all(has));
    let properties = |schema: &Value| {
        let all = schema["properties"].as_object();
        all.is_none_or(|all| {
            all.iter().filter_map(|(key, want)| Some((auth.get(key)?, want))).all(|(value, want)| match want {
                Value::Bool(allowed) => *allowed,
                want => want.get("const").is_none_or(|word| word == value),
            })
        })
    };
    let depends = schema["dependentRequired"].as_object().unwrap();
    let together =
        depends.iter().all(|(key, keys)| auth.get(key).is_none() || keys.as_array().unwrap().iter().all(has));
    let conditions = schema["allOf"].as_array().unwrap().iter().all(|branch| {
        let holds = required(&branch["if"]) && properties(&branch["if"]);
        !holds || (required(&branch["then"]) && properties(&branch["then"]))
    });
    required(schema) && together && !required(&schema["not"]) && conditions
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let schema = json_schema();
    let auth_schema = &schema["properties"]["tenant"]["properties"]["auth"];
    let keys = [
        ("secret", "env:S"),
        ("secret_expires", "2027-01-31"),
        ("certificate", "file:c.pem"),
        ("key", "file:k.pem"),
        ("audience", "api://x"),
        ("token", "file:t"),
        ("redirect", "https://x.example/"),
    ];
    let mut taken = 0;
    for method in ["", "secret", "certificate", "federated", "delegated"] {
        for set in 0..1_u32 << keys.len() {
            let chosen = keys.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|(_, pair)| *pair);
            let pairs: Vec<(&str, &str)> =
                Some(("method", method)).filter(|(_, m)| !m.is_empty()).into_iter().chain(chosen).collect();
            let lines: Vec<String> = pairs.iter().map(|(key, value)| format!("{key} = \"{value}\"")).collect();
            let mut auth: serde_json::Map<String, Value> =
                pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
            auth.insert("client_id".to_owned(), Value::from(ID));
            let loads = load(&file("global", &lines.join("\n"))).is_ok();
            assert_eq!(fits(auth_schema, &Value::Object(auth)), loads, "{lines:?}");
            taken += u32::from(loads);
        }
    }
    // 2 twice (with and without the word), 2, 4, and 2 times: nothing, a secret, a secret with its end, two certificates.
    assert_eq!(taken, 2 + 2 + 2 + 4 + 2 * 5);
}
