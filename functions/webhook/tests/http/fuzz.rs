//! Inputs that nobody meant: filters, PATCH paths and bodies, hooks. Nothing panics, nothing is a server's error, and nothing
//! half-done is stored. The README has the command for more of them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::hooks::{now, sign};
use crate::support::{Lab, SCIM, filter, operations};

/// So many of each, where `PROPTEST_CASES` does not say how many.
const CASES: u32 = 64;

fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { CASES };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

/// Texts that are nearly filters or paths.
fn nearly() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("userName".to_owned()),
        Just("emails".to_owned()),
        Just("emails[type eq \"work\"]".to_owned()),
        Just("members[value eq \"x\"]".to_owned()),
        Just("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department".to_owned()),
        Just("urn:ietf:params:scim:schemas:extension:hardmatch:2.0:User".to_owned()),
        Just(".value".to_owned()),
        Just(" eq ".to_owned()),
        Just(" pr".to_owned()),
        Just(" and ".to_owned()),
        Just("not (".to_owned()),
        Just("\"a\\\"b\"".to_owned()),
        Just("$ref".to_owned()),
        "[\\[\\]().:$\"\\\\ ]",
        "\\PC{0,6}",
    ];
    prop::collection::vec(word, 0..8).prop_map(|words| words.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(|number| json!(number)),
        nearly().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((nearly(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fuzz_filters(text in nearly()) {
        runtime().block_on(async {
            let lab = Lab::new().await;
            lab.ada().await;
            let answer = lab.users("GET", &filter(&text), None).await;
            assert!(matches!(answer.status, 200 | 400), "{text:?}: {answer:?}");
        });
    }

    #[test]
    fn fuzz_patches(op in "(add|replace|remove|Add|x)", path in nearly(), value in value()) {
        runtime().block_on(async {
            let lab = Lab::new().await;
            let id = lab.ada().await;
            let before = lab.users("GET", &format!("/{id}"), None).await.json();
            let body = operations(&json!([{ "op": op, "path": path, "value": value }]));
            let answer = lab.users("PATCH", &format!("/{id}"), Some(&body)).await;
            assert!(matches!(answer.status, 200 | 400 | 409), "{body}: {answer:?}");
            let after = lab.users("GET", &format!("/{id}"), None).await.is(200).json();
            if answer.status == 200 {
                assert_eq!(after, answer.json());
            } else {
                assert_eq!(after, before);
            }
        });
    }

    #[test]
    fn fuzz_bodies(value in value()) {
        runtime().block_on(async {
            let lab = Lab::new().await;
            for path in ["/Users", "/Groups", "/Bulk", "/.search"] {
                let answer = lab.ask("POST", &format!("{SCIM}{path}"), Some(&value)).await;
                assert!(answer.status < 500, "{path} {value}: {answer:?}");
            }
            for path in ["/connections/lab/bulkUpload", "/connections/lab/hooks"] {
                let answer = lab.ask("POST", path, Some(&value)).await;
                assert!(answer.status < 500, "{path} {value}: {answer:?}");
            }
        });
    }

    #[test]
    fn fuzz_hook_verification(timestamp in "\\PC{0,12}|[0-9]{1,20}", signature in "(v0=)?[0-9a-fA-F]{0,80}", body in "\\PC{0,20}") {
        runtime().block_on(async {
            let lab = Lab::new().await;
            let ascii = |text: &str| text.chars().filter(char::is_ascii_graphic).collect::<String>();
            let (timestamp, signature) = (ascii(&timestamp), ascii(&signature));
            let headers = [("x-hardmatch-timestamp", timestamp.as_str()), ("x-hardmatch-signature", signature.as_str())];
            lab.send("POST", "/connections/lab/hooks", &headers, body).await.is(401);
            assert!(lab.wanted().await.is_empty());
        });
    }

    #[test]
    fn fuzz_bytes(bytes in prop::collection::vec(any::<u8>(), 0..80), near in nearly()) {
        runtime().block_on(async {
            let lab = Lab::new().await;
            let id = lab.ada().await;
            let bearer = format!("Bearer {}", lab.token);
            let headers = [("authorization", bearer.as_str())];
            // Some of them begin like what is meant.
            let like = [&b"{\"Operations\":["[..], near.as_bytes(), &bytes].concat();
            for body in [bytes, like] {
                for (method, path) in [
                    ("POST", format!("{SCIM}/Users")),
                    ("PUT", format!("{SCIM}/Users/{id}")),
                    ("PATCH", format!("{SCIM}/Users/{id}")),
                    ("POST", format!("{SCIM}/Bulk")),
                    ("POST", "/connections/lab/hooks".to_owned()),
                ] {
                    let answer = lab.send(method, &path, &headers, body.clone()).await;
                    assert!(answer.status < 500, "{method} {path} {body:?}: {answer:?}");
                }
            }
        });
    }

    #[test]
    fn fuzz_tampered_hooks(at in 0_usize..60, bit in 0_u8..8, late in -900_i64..900) {
        runtime().block_on(async {
            let lab = Lab::new().await;
            let now = now(&lab);
            let timestamp = (now + late).to_string();
            let body = b"{\"key\":\"known\",\"more\":[1,2,3],\"and\":\"somewhat longer\"}".to_vec();
            let signature = sign(&lab.token, now + late, std::str::from_utf8(&body).unwrap());
            let headers = [("x-hardmatch-timestamp", timestamp.as_str()), ("x-hardmatch-signature", signature.as_str())];
            let mut tampered = body.clone();
            let place = at % tampered.len();
            tampered[place] ^= 1 << bit;
            lab.send("POST", "/connections/lab/hooks", &headers, tampered).await.is(401);
            assert!(lab.wanted().await.is_empty());
            // As it was signed it is taken, within five minutes and once.
            let taken = lab.send("POST", "/connections/lab/hooks", &headers, body.clone()).await;
            assert_eq!(taken.status, if late.abs() <= 300 { 200 } else { 401 }, "{late}: {taken:?}");
            let again = lab.send("POST", "/connections/lab/hooks", &headers, body).await;
            assert_eq!(again.status, if late.abs() <= 300 { 409 } else { 401 }, "{late}: {again:?}");
        });
    }
}
