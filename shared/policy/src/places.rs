//! Where secrets and tokens are kept; never what is kept there.

use std::fmt;
use std::path::PathBuf;

/// Where another identity provider's token comes from. Prints only which kind of place.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenRef {
    /// `file:PATH`: a file that somebody else keeps fresh.
    File(PathBuf),
    /// `command:PROGRAM ARGUMENTS`: a program that prints a token. Run without a shell.
    Command {
        /// What is run.
        program: String,
        /// With what.
        arguments: Vec<String>,
    },
}

impl fmt::Debug for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenRef::File(_) => "file:…",
            TokenRef::Command { .. } => "command:…",
        })
    }
}

/// Where a secret is kept; never the secret. Prints only which kind of place.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:PATH`: a file holding nothing else; trailing newlines do not count.
    File(PathBuf),
    /// `secretsmanager:ARN`: AWS Secrets Manager.
    SecretsManager(String),
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretRef::Env(_) => "env:…",
            SecretRef::File(_) => "file:…",
            SecretRef::SecretsManager(_) => "secretsmanager:…",
        })
    }
}

/// Where certificates of authorities lie, as PEM. They are no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthorityRef {
    /// A file.
    File(PathBuf),
    /// `s3://BUCKET/KEY`: an object, read by deployed functions.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// `secretsmanager:ARN`: kept beside the password.
    SecretsManager(String),
}
