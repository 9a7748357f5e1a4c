//! A shared client secret, from where the configuration says. Nothing is kept between two requests.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::place::SecretPlace;

/// A client secret: where it lives, and when it ends, which an operator must say, because the identity platform tells
/// nobody.
pub struct SecretCredential {
    place: SecretPlace,
    expires: Option<Timestamp>,
}

impl SecretCredential {
    /// The secret that is kept there. `expires` is what the operator noted when the secret was made.
    pub fn new(place: SecretPlace, expires: Option<Timestamp>) -> Self {
        Self { place, expires }
    }

    /// The value of an environment variable (`env:NAME`), read through `read` whenever it is needed.
    pub fn env(name: impl Into<String>, read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::new(SecretPlace::env(name, read), None)
    }

    /// The content of a file (`file:PATH`) without the line break at its end, read whenever it is needed.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(SecretPlace::file(path), None)
    }

    /// A value that is there already.
    pub fn literal(secret: SecretString) -> Self {
        Self::new(SecretPlace::literal(secret), None)
    }

    /// Advice about where the secret lives: a file that every user of the machine may read.
    pub async fn hint(&self) -> Option<String> {
        self.place.hint().await
    }
}

#[async_trait]
impl Credential for SecretCredential {
    async fn proof(&self, _client_id: &str, _token_url: &str) -> Result<Proof, CredentialError> {
        self.place.read("client secret").await.map(Proof::Secret)
    }

    fn method(&self) -> &'static str {
        "secret"
    }

    async fn mark(&self) -> Result<Option<String>, CredentialError> {
        self.place.mark("client secret").await.map(Some)
    }

    async fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl fmt::Debug for SecretCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretCredential({:?})", self.place)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hardmatch_ports::credentials::SecretReader;
    use secrecy::ExposeSecret;

    use super::*;

    async fn value(credential: &SecretCredential) -> Result<String, String> {
        match credential.proof("client", "https://login/token").await {
            Ok(Proof::Secret(secret)) => Ok(secret.expose_secret().to_owned()),
            Ok(Proof::Assertion(_) | Proof::Public) => Err("no secret".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn an_environment_variable_is_read_each_time() {
        let turn = std::sync::atomic::AtomicU32::new(0);
        let credential = SecretCredential::env("HARDMATCH_CLIENT_SECRET", move |name| {
            let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Some(format!("{name}-{turn}"))
        });
        assert_eq!(value(&credential).await.as_deref(), Ok("HARDMATCH_CLIENT_SECRET-0"));
        assert_eq!(value(&credential).await.as_deref(), Ok("HARDMATCH_CLIENT_SECRET-1"));
        assert_eq!(credential.method(), "secret");
        assert_eq!(credential.hint().await, None);
    }

    #[tokio::test]
    async fn a_mark_tells_secrets_apart_and_gives_nothing_away() {
        let mark = async |secret: &str| {
            let literal = SecretCredential::literal(SecretString::from(secret.to_owned()));
            literal.mark().await.unwrap().unwrap()
        };
        assert_eq!(mark("topsecret").await, mark("topsecret").await);
        assert_ne!(mark("topsecret").await, mark("topsecret2").await);
        assert!(!mark("topsecret").await.contains("topsecret"));
        SecretCredential::env("NAME", |_| None).mark().await.unwrap_err();
    }

    #[tokio::test]
    async fn a_missing_or_empty_variable_names_the_place_and_the_cure() {
        for given in [None, Some(String::new()), Some("  \n".to_owned())] {
            let credential = SecretCredential::env("MY_SECRET", move |_| given.clone());
            let said = value(&credential).await.unwrap_err();
            assert!(said.contains("MY_SECRET") && said.contains("Set it"), "{said}");
        }
    }

    #[tokio::test]
    async fn a_file_loses_the_line_break_at_its_end_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for (content, want) in [("s3 cr~et\n", "s3 cr~et"), ("abc\r\n", "abc"), (" abc ", " abc "), ("a\nb\n", "a\nb")]
        {
            let path = folder.path().join("secret");
            std::fs::write(&path, content).unwrap();
            assert_eq!(value(&SecretCredential::file(&path)).await.as_deref(), Ok(want));
        }
    }

    #[tokio::test]
    async fn a_missing_empty_or_binary_file_names_the_place_and_never_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let credential = SecretCredential::file(&path);
        assert!(value(&credential).await.unwrap_err().contains("cannot be read"));
        for content in [b"".as_slice(), b"\n", b"\xff\xfetopsecret"] {
            std::fs::write(&path, content).unwrap();
            let said = value(&credential).await.unwrap_err();
            assert!(said.contains("Put the client secret in it") && !said.contains("topsecret"), "{said}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_everybody_can_read_is_hinted_at() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        let credential = SecretCredential::file(&path);
        for (mode, hinted) in [(0o600, false), (0o640, false), (0o644, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(credential.hint().await.is_some(), hinted, "{mode:o}");
        }
    }

    #[test]
    fn nothing_shows_the_value() {
        let literal = SecretCredential::literal(SecretString::from("topsecret"));
        assert_eq!(format!("{literal:?}"), "SecretCredential(…)");
        let env = SecretCredential::env("NAME", |_| Some("topsecret".to_owned()));
        assert_eq!(format!("{env:?}"), "SecretCredential(env:NAME)");
    }

    struct Manager(&'static str);

    #[async_trait]
    impl SecretReader for Manager {
        async fn read(&self, reference: &str) -> Result<SecretString, CredentialError> {
            match self.0 {
                "" => Err(CredentialError(format!("no access to {reference}"))),
                value => Ok(SecretString::from(value)),
            }
        }
    }

    #[tokio::test]
    async fn a_secret_of_secrets_manager_comes_through_its_reader() {
        let of = |value| SecretCredential::new(SecretPlace::secrets_manager("arn:x", Arc::new(Manager(value))), None);
        assert_eq!(value(&of("s3cret\n")).await.as_deref(), Ok("s3cret"));
        assert_eq!(value(&of("")).await.unwrap_err(), "no access to arn:x");
        let said = value(&of(" ")).await.unwrap_err();
        assert!(said.contains("arn:x") && said.contains("Store the client secret"), "{said}");
        assert_eq!(format!("{:?}", of("s3cret")), "SecretCredential(secretsmanager:arn:x)");
    }

    #[tokio::test]
    async fn a_secret_ends_when_the_operator_says_so() {
        let end: Timestamp = "2027-01-31T00:00:00Z".parse().unwrap();
        let place = || SecretPlace::literal(SecretString::from("x"));
        assert_eq!(SecretCredential::new(place(), Some(end)).expires().await, Some(end));
        assert_eq!(SecretCredential::new(place(), None).expires().await, None);
    }
}
