//! A shared client secret, from where the configuration says. Nothing is kept between two requests.

use std::fmt;
use std::path::PathBuf;

use async_trait::async_trait;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Reads one environment variable. The runtime's reader, or a test's.
type EnvReader = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A client secret and where it lives.
pub struct SecretCredential(Place);

enum Place {
    Env { name: String, read: EnvReader },
    File(PathBuf),
    Literal(SecretString),
}

impl SecretCredential {
    /// The value of an environment variable (`env:NAME`), read through `read` whenever it is needed.
    pub fn env(name: impl Into<String>, read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Place::Env { name: name.into(), read: Box::new(read) })
    }

    /// The content of a file (`file:PATH`) without the line break at its end, read whenever it is needed.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Place::File(path.into()))
    }

    /// A value that is there already.
    pub fn literal(secret: SecretString) -> Self {
        Self(Place::Literal(secret))
    }

    /// The secret.
    async fn resolve(&self) -> Result<SecretString, CredentialError> {
        match &self.0 {
            Place::Literal(secret) => Ok(secret.clone()),
            Place::Env { name, read } => {
                let value = Zeroizing::new(read(name).unwrap_or_default());
                let said =
                    || format!("The environment variable {name} holds no client secret. Set it to the secret's value.");
                filled(&value, said)
            }
            Place::File(path) => {
                let bytes = tokio::fs::read(path).await.map(Zeroizing::new).map_err(|error| {
                    CredentialError(format!(
                        "The client secret's file {} cannot be read ({}). Create it with the secret's value in it, \
                         readable by this user.",
                        path.display(),
                        error.kind()
                    ))
                })?;
                let said = || {
                    format!(
                        "The client secret's file {} is empty or no text. Put the secret's value in it.",
                        path.display()
                    )
                };
                let text = std::str::from_utf8(&bytes).map_err(|_| CredentialError(said()))?;
                filled(text, said)
            }
        }
    }

    /// Advice about where the secret lives: a file that every user of the machine may read.
    pub async fn hint(&self) -> Option<String> {
        let Place::File(path) = &self.0 else { return None };
        let open = readable_by_all(&tokio::fs::metadata(path).await.ok()?);
        open.then(|| format!("Every user of this machine can read {}: run chmod 600 on it.", path.display()))
    }
}

/// Without the line break that editors and `echo` leave behind.
fn filled(text: &str, said: impl Fn() -> String) -> Result<SecretString, CredentialError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() { Err(CredentialError(said())) } else { Ok(SecretString::from(text)) }
}

#[cfg(unix)]
fn readable_by_all(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn readable_by_all(_: &std::fs::Metadata) -> bool {
    false
}

#[async_trait]
impl Credential for SecretCredential {
    async fn proof(&self, _client_id: &str, _token_url: &str) -> Result<Proof, CredentialError> {
        self.resolve().await.map(Proof::Secret)
    }

    fn method(&self) -> &'static str {
        "secret"
    }
}

impl fmt::Debug for SecretCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Env { name, .. } => write!(f, "SecretCredential(env:{name})"),
            Place::File(path) => write!(f, "SecretCredential(file:{})", path.display()),
            Place::Literal(_) => f.write_str("SecretCredential(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
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
            assert!(said.contains("secret's value in it") && !said.contains("topsecret"), "{said}");
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
}
