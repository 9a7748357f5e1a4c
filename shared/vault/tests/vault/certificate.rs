//! Certificates: made, read, and signed with; and every way in which a file is the wrong one.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hardmatch_ports::credentials::Credential as _;
use hardmatch_vault::{
    CertificateCredential, KeySize, MadeCertificate, NewCertificate, SecretPlace, SecretString, make_certificate,
};
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::support::{CLIENT, TOKEN_URL, TestClock, assertion, at};

const DAY: i64 = 86_400;

fn make(subject: &str) -> MadeCertificate {
    make_certificate(&NewCertificate { subject, days: 30, key: KeySize::Rsa2048 }, at(0)).unwrap()
}

/// Key and certificate in one text. Made once: a key takes a while.
pub(crate) fn both() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| written(&make("hardmatch test")))
}

fn other() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| written(&make("somebody else")))
}

fn written(made: &MadeCertificate) -> String {
    let folder = tempfile::tempdir().unwrap();
    let written = made.write(&folder.path().join("x.pem")).unwrap();
    std::fs::read_to_string(written.private).unwrap()
}

/// The first block of a kind, its lines included.
fn block(text: &str, label: &str) -> String {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----\n"));
    let start = text.find(&begin).unwrap();
    text[start..text.find(&end).unwrap() + end.len()].to_owned()
}

fn der(block: &str) -> Vec<u8> {
    let body: String = block.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn place(text: &str) -> SecretPlace {
    let text = text.to_owned();
    SecretPlace::env("PEM", move |_| Some(text.clone()))
}

fn credential(text: &str, clock: &Arc<TestClock>) -> CertificateCredential {
    CertificateCredential::new(place(text), None, Arc::clone(clock) as _)
}

fn part(jwt: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

/// Checked with the public key out of the certificate, by another road than the one that signed.
fn verified(jwt: &str, certificate: &[u8]) -> bool {
    let certificate = Certificate::from_der(certificate).unwrap();
    let key = certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes().to_vec();
    let (message, signature) = jwt.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key).verify(message.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn the_assertion_is_what_the_platform_documents() {
    let clock = TestClock::new();
    clock.set(100);
    let jwt = assertion(&credential(both(), &clock)).await.unwrap();
    let certificate = der(&block(both(), "CERTIFICATE"));
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate));
    assert_eq!(part(&jwt, 0), serde_json::json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint }));
    let claims = part(&jwt, 1);
    let now = at(100).as_second();
    let mut keys: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"]);
    assert_eq!((&claims["aud"], &claims["iss"], &claims["sub"]), (&TOKEN_URL.into(), &CLIENT.into(), &CLIENT.into()));
    assert_eq!((&claims["nbf"], &claims["iat"], &claims["exp"]), (&now.into(), &now.into(), &(now + 600).into()));
    assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
    assert!(verified(&jwt, &certificate));
    assert!(!verified(&jwt, &der(&block(other(), "CERTIFICATE"))));
}

#[tokio::test]
async fn each_request_has_an_assertion_of_its_own() {
    let clock = TestClock::new();
    let credential = credential(both(), &clock);
    let first = part(&assertion(&credential).await.unwrap(), 1);
    clock.set(50);
    let second = part(&assertion(&credential).await.unwrap(), 1);
    assert_ne!(first["jti"], second["jti"]);
    assert_eq!(second["iat"].as_i64().unwrap() - first["iat"].as_i64().unwrap(), 50);
}

#[tokio::test]
async fn a_key_may_lie_apart_be_pkcs1_and_stand_in_a_chain() {
    let clock = TestClock::new();
    let (certificate, key) = (block(both(), "CERTIFICATE"), block(both(), "PRIVATE KEY"));
    let pkcs8 = der(&key);
    let info = pkcs8::PrivateKeyInfoRef::try_from(pkcs8.as_slice()).unwrap();
    let pkcs1 = pem("RSA PRIVATE KEY", info.private_key.as_bytes());
    let apart = CertificateCredential::new(place(&certificate), Some(place(&key)), Arc::clone(&clock) as _);
    let chain = format!("{}{certificate}", block(other(), "CERTIFICATE"));
    let windows = both().replace('\n', "\r\n");
    for credential in [
        apart,
        credential(&format!("{certificate}{pkcs1}"), &clock),
        credential(&format!("{chain}{key}"), &clock),
        credential(&format!("Bag Attributes\n  friendlyName: x\n{key}\nsubject=CN\n{certificate}"), &clock),
        credential(&windows, &clock),
    ] {
        let jwt = assertion(&credential).await.unwrap();
        assert!(verified(&jwt, &der(&certificate)));
        assert_eq!(part(&jwt, 0)["x5t#S256"], URL_SAFE_NO_PAD.encode(digest(&SHA256, &der(&certificate))));
    }
}

#[tokio::test]
async fn each_wrong_file_is_told_with_its_cure_and_without_its_content() {
    let clock = TestClock::new();
    let (certificate, key) = (block(both(), "CERTIFICATE"), block(both(), "PRIVATE KEY"));
    let elliptic = rcgen::KeyPair::generate().unwrap();
    let elliptic_key = pem("PRIVATE KEY", elliptic.serialized_der());
    let elliptic_certificate = rcgen::CertificateParams::default().self_signed(&elliptic).unwrap();
    let elliptic_both = format!("{}{elliptic_key}", pem("CERTIFICATE", elliptic_certificate.der()));
    for (text, words) in [
        (key.clone(), ["There is no certificate in the environment variable PEM", "openssl pkcs12"]),
        ("not PEM at all".to_owned(), ["There is no certificate", "-----BEGIN CERTIFICATE-----"]),
        (certificate.clone(), ["There is no private key", "key ="]),
        (format!("{certificate}{}", key.replace("PRIVATE", "ENCRYPTED PRIVATE")), ["passphrase", "openssl pkey"]),
        (
            format!(
                "{certificate}-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
            ),
            ["passphrase", "openssl pkey"],
        ),
        (format!("{certificate}{elliptic_key}"), ["no RSA key", "2048 or 3072"]),
        (elliptic_both, ["no RSA key", "2048 or 3072"]),
        (format!("{certificate}{}", pem("EC PRIVATE KEY", b"x")), ["no RSA key", "2048 or 3072"]),
        (format!("{certificate}{}", block(other(), "PRIVATE KEY")), ["does not belong to", "made together"]),
        (format!("{key}{}", pem("CERTIFICATE", b"rubbish")), ["certificate in", "cannot be read"]),
        (format!("{certificate}{}", pem("PRIVATE KEY", b"rubbish")), ["private key in", "cannot be read"]),
        (format!("{certificate}{}", pem("RSA PRIVATE KEY", b"rubbish")), ["cannot be used", "2048 or 3072"]),
        (
            format!("{key}-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n"),
            ["certificate", "cannot be read"],
        ),
        (String::new(), ["holds no certificate", "Set it"]),
    ] {
        let said = assertion(&credential(&text, &clock)).await.unwrap_err();
        assert!(words.iter().all(|words| said.contains(words)), "{words:?}: {said}");
        let secret = key.lines().nth(2).unwrap();
        assert!(said.contains("PEM") && !said.contains(secret) && !said.contains("rubbish"), "{said}");
        assert_eq!(credential(&text, &clock).expires().await, None, "{words:?}");
    }
    let apart = CertificateCredential::new(place(&certificate), Some(SecretPlace::file("/nowhere")), clock as _);
    let said = assertion(&apart).await.unwrap_err();
    assert!(said.contains("/nowhere of the private key cannot be read"), "{said}");
}

#[tokio::test]
async fn a_certificate_works_from_its_first_moment_to_its_last() {
    let clock = TestClock::new();
    let credential = credential(both(), &clock);
    assert_eq!(credential.expires().await, Some(at(30 * DAY)));
    assert_eq!(credential.method(), "certificate");
    for (seconds, words) in [
        (-301, Some("begins on 2025-12-31T23:55:00Z")),
        (-300, None),
        (30 * DAY - 1, None),
        (30 * DAY, Some("ended on 2026-01-31. Make a new one")),
    ] {
        clock.set(seconds);
        match (assertion(&credential).await, words) {
            (Ok(_), None) => {}
            (Err(said), Some(words)) => assert!(said.contains(words), "{said}"),
            (have, want) => panic!("{seconds}: {have:?}, {want:?}"),
        }
    }
    // Nobody sees a proof of a certificate that ended, yet doctor still says when that was.
    assert_eq!(credential.expires().await, Some(at(30 * DAY)));
}

#[test]
fn a_new_certificate_lies_in_two_files_and_overwrites_none() {
    let made = make("hardmatch contoso");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contoso.pem");
    let written = made.write(&path).unwrap();
    assert_eq!((&written.private, &written.public), (&path, &folder.path().join("contoso.cer")));
    let public = std::fs::read_to_string(&written.public).unwrap();
    assert!(!public.contains("KEY") && public == made.certificate);
    let before = std::fs::read_to_string(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let said = made.write(&path).unwrap_err().to_string();
    assert!(said.contains("contoso.pem exists and is not overwritten"), "{said}");
    // The one to upload is there already: no key is left behind.
    let said = made.write(&folder.path().join("contoso.key")).unwrap_err().to_string();
    assert!(said.contains("contoso.cer exists"), "{said}");
    assert!(made.write(&folder.path().join("new.cer")).is_err());
    assert!(made.write(&folder.path().join("none/new.pem")).unwrap_err().to_string().contains("cannot be written"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);

    let der = der(&public);
    let certificate = Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.tbs_certificate().subject().to_string(), "CN=hardmatch contoso");
    assert_eq!(made.not_after, at(30 * DAY));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
    assert_eq!(made.sha256, hex(digest(&SHA256, &der).as_ref()));
    assert_eq!(made.sha1, hex(digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref()));
    let steps = made.next_steps(&written);
    for words in ["contoso.cer", "contoso.pem", &made.sha1, &made.sha256, "2026-01-31", "method = \"certificate\""] {
        assert!(steps.contains(words), "{words}: {steps}");
    }
}

#[test]
fn what_cannot_be_made_says_so() {
    let wanted = |subject, days| make_certificate(&NewCertificate { subject, days, key: KeySize::Rsa2048 }, at(0));
    for (subject, days) in [("", 1), (" ", 1), ("a\nb", 1), (&*"n".repeat(65), 1), ("a", 0), ("a", 3651)] {
        assert!(wanted(subject, days).is_err(), "{subject} {days}");
    }
    assert_eq!(KeySize::default(), KeySize::Rsa3072);
}

#[tokio::test]
async fn a_key_everybody_can_read_is_hinted_at() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    std::fs::write(&open, "x").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        let clock = TestClock::new();
        let literal = || SecretPlace::literal(SecretString::from("x"));
        let hint = |certificate, key| {
            let credential = CertificateCredential::new(certificate, key, Arc::clone(&clock) as _);
            async move { credential.hint().await }
        };
        assert!(hint(SecretPlace::file(&open), None).await.unwrap().contains("chmod 600"));
        assert!(hint(literal(), Some(SecretPlace::file(&open))).await.is_some());
        assert_eq!(hint(SecretPlace::file(&open), Some(literal())).await, None);
    }
}
