//! Where a secret is kept: an environment variable, a file, AWS Secrets Manager, or a value. Read whenever it is needed,
//! so that a replaced one is picked up without a restart. Nothing is kept between two reads.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hardmatch_ports::credentials::{CredentialError, SecretReader};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::files;

/// Reads one environment variable. The runtime's reader, or a test's.
pub(crate) type EnvReader = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A place where a secret is kept. Prints the place, never the secret.
pub struct SecretPlace(Place);

enum Place {
    Env { name: String, read: EnvReader },
    File(PathBuf),
    SecretsManager { arn: String, reader: Arc<dyn SecretReader> },
    Literal(SecretString),
}

impl SecretPlace {
    /// The value of an environment variable (`env:NAME`), read through `read`.
    pub fn env(name: impl Into<String>, read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Place::Env { name: name.into(), read: Box::new(read) })
    }

    /// The content of a file (`file:PATH`) without the line break at its end.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Place::File(path.into()))
    }

    /// A secret of AWS Secrets Manager (`secretsmanager:ARN`).
    pub fn secrets_manager(arn: impl Into<String>, reader: Arc<dyn SecretReader>) -> Self {
        Self(Place::SecretsManager { arn: arn.into(), reader })
    }

    /// A value that is there already.
    pub fn literal(secret: SecretString) -> Self {
        Self(Place::Literal(secret))
    }

    /// What is kept there. `what` names it in errors: "client secret".
    pub async fn read(&self, what: &str) -> Result<SecretString, CredentialError> {
        match &self.0 {
            Place::Literal(secret) => Ok(secret.clone()),
            Place::Env { name, read } => {
                let value = Zeroizing::new(read(name).unwrap_or_default());
                filled(&value, || format!("The environment variable {name} holds no {what}. Set it to the {what}."))
            }
            Place::File(path) => {
                let bytes = tokio::fs::read(path).await.map(Zeroizing::new).map_err(|error| {
                    CredentialError(format!(
                        "The file {} of the {what} cannot be read ({}). Create it with the {what} in it, readable by \
                         this user.",
                        path.display(),
                        error.kind()
                    ))
                })?;
                let said = || {
                    format!("The file {} is empty or no text. Put the {what} in it, and nothing else.", path.display())
                };
                let text = std::str::from_utf8(&bytes).map_err(|_| CredentialError(said()))?;
                filled(text, said)
            }
            Place::SecretsManager { arn, reader } => {
                let secret = reader.read(arn).await?;
                filled(secret.expose_secret(), || {
                    format!("The secret {arn} of AWS Secrets Manager is empty. Store the {what} in it.")
                })
            }
        }
    }

    /// What tells this secret from another: the hash of what is kept there. Of Secrets Manager's the hash of its name,
    /// because asking costs a request at each start.
    pub(crate) async fn mark(&self, what: &str) -> Result<String, CredentialError> {
        let hashed = match &self.0 {
            Place::SecretsManager { arn, .. } => digest(&SHA256, format!("arn {arn}").as_bytes()),
            Place::Env { .. } | Place::File(_) | Place::Literal(_) => {
                let secret = self.read(what).await?;
                let text = Zeroizing::new(format!("secret {}", secret.expose_secret()));
                digest(&SHA256, text.as_bytes())
            }
        };
        Ok(URL_SAFE_NO_PAD.encode(hashed))
    }

    /// Advice about the place: a file that every user of the machine may read.
    pub async fn hint(&self) -> Option<String> {
        let Place::File(path) = &self.0 else { return None };
        let open = files::readable_by_all(&tokio::fs::metadata(path).await.ok()?);
        open.then(|| format!("Every user of this machine can read {}: run chmod 600 on it.", path.display()))
    }
}

/// Without the line break that editors and `echo` leave behind.
fn filled(text: &str, said: impl Fn() -> String) -> Result<SecretString, CredentialError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() { Err(CredentialError(said())) } else { Ok(SecretString::from(text)) }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Env { name, .. } => write!(f, "the environment variable {name}"),
            Place::File(path) => write!(f, "the file {}", path.display()),
            Place::SecretsManager { arn, .. } => write!(f, "the secret {arn} of AWS Secrets Manager"),
            Place::Literal(_) => f.write_str("the given value"),
        }
    }
}

impl fmt::Debug for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Env { name, .. } => write!(f, "env:{name}"),
            Place::File(path) => write!(f, "file:{}", path.display()),
            Place::SecretsManager { arn, .. } => write!(f, "secretsmanager:{arn}"),
            Place::Literal(_) => f.write_str("…"),
        }
    }
}
