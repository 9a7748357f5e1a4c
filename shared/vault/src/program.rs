//! A program that prints another identity provider's token. Compiled for the command line alone (feature `programs`): no
//! function can start a program for a configuration.

use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::credentials::{CredentialError, WebIdentity};
use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::federated::{MAX_TOKEN_BYTES, token};

/// How long a program may take to print its token.
const COMMAND_TIME: Duration = Duration::from_secs(30);

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
