//! No secret at all: another identity provider vouches for us, and the app registration trusts it.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
//!
//! On AWS the provider is the platform itself. On a machine a file that somebody keeps fresh, or a program that prints a
//! token, stands in.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::{Credential, CredentialError, Proof, WebIdentity};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::place::SecretPlace;

/// Longest token that is taken, in bytes. Tokens of identity providers have a few kilobytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// How long a program may take to print its token.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// Another provider's token, asked for at each token request and handed on as the client's assertion.
pub struct FederatedCredential {
    identity: Arc<dyn WebIdentity>,
    audience: String,
}

impl FederatedCredential {
    /// Tokens of this identity, for this audience: that of the app registration's federated credential.
    pub fn new(identity: Arc<dyn WebIdentity>, audience: impl Into<String>) -> Self {
        Self { identity, audience: audience.into() }
    }
}

#[async_trait]
impl Credential for FederatedCredential {
    async fn proof(&self, _client_id: &str, _token_url: &str) -> Result<Proof, CredentialError> {
        self.identity.token(&self.audience).await.map(Proof::Assertion)
    }

    fn method(&self) -> &'static str {
        "federated"
    }
}

impl fmt::Debug for FederatedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FederatedCredential({})", self.audience)
    }
}

/// A token in a file that somebody else keeps fresh, such as a projected volume. Read each time. Its audience was chosen
/// by whoever writes it.
#[derive(Debug)]
pub struct FileIdentity(SecretPlace);

impl FileIdentity {
    /// The token in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(SecretPlace::file(path))
    }
}

#[async_trait]
impl WebIdentity for FileIdentity {
    async fn token(&self, _audience: &str) -> Result<SecretString, CredentialError> {
        let text = self.0.read("token").await?;
        token(text.expose_secret(), &format!("{}", self.0))
    }
}

/// A program that prints a token. Run each time, without a shell, for at most half a minute. The audience it should ask
/// for is among its arguments. What it says on standard error goes nowhere: it may hold a secret.
pub struct CommandIdentity {
    program: String,
    arguments: Vec<String>,
    clock: Arc<dyn Clock>,
}

impl CommandIdentity {
    /// This program with these arguments.
    pub fn new(program: impl Into<String>, arguments: Vec<String>, clock: Arc<dyn Clock>) -> Self {
        Self { program: program.into(), arguments, clock }
    }

    async fn output(&self) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
        let program = &self.program;
        let failed = |how: &str| {
            CredentialError(format!(
                "The program {program} of tenant.auth.token {how}. Run it by hand: it must print a token (JWT) on standard \
                 output and exit with 0."
            ))
        };
        let mut child = Command::new(program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&format!("cannot be started ({})", error.kind())))?;
        let mut stdout = child.stdout.take().ok_or_else(|| failed("gives no output"))?;
        // Never grows: a buffer that moves leaves a copy of the token behind.
        let mut printed = Zeroizing::new(vec![0; MAX_TOKEN_BYTES + 1]);
        let work = async {
            let mut length = 0;
            loop {
                let read = stdout.read(&mut printed[length..]).await.map_err(|_| failed("gives no output"))?;
                length += read;
                if length > MAX_TOKEN_BYTES {
                    return Err(failed("prints more than a token"));
                }
                if read == 0 {
                    break;
                }
            }
            let status = child.wait().await.map_err(|_| failed("was lost"))?;
            if status.success() { Ok(length) } else { Err(failed(&format!("failed ({status})"))) }
        };
        let length = tokio::select! {
            done = work => done?,
            () = self.clock.sleep(COMMAND_TIME) => return Err(failed("took longer than 30 seconds")),
        };
        printed.truncate(length);
        Ok(printed)
    }
}

#[async_trait]
impl WebIdentity for CommandIdentity {
    async fn token(&self, _audience: &str) -> Result<SecretString, CredentialError> {
        let printed = self.output().await?;
        token(std::str::from_utf8(&printed).unwrap_or(""), &format!("the output of {}", self.program))
    }
}

impl fmt::Debug for CommandIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments may hold a secret.
        write!(f, "CommandIdentity({}, {} arguments)", self.program, self.arguments.len())
    }
}

/// A text that looks like a token: three parts of base64url. What else it may be is not sent anywhere.
fn token(text: &str, place: &str) -> Result<SecretString, CredentialError> {
    let text = text.trim();
    let parts = text.split('.').filter(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    if text.len() > MAX_TOKEN_BYTES || parts.count() != 3 || text.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(CredentialError(format!(
            "There is no token (JWT) in {place}. It must hold the token of the identity provider that the app \
             registration trusts, and nothing else."
        )));
    }
    Ok(SecretString::from(text))
}
