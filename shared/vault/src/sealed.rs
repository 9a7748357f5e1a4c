//! Items of a table whose body is an envelope.
//!
//! The body is `{"v":1,"sealed":"<base64 of the envelope>"}`; within the envelope lie the secret and its times.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_ports::clock::Clock;
use hardmatch_ports::seal::{Seal, SealContext};
use hardmatch_ports::table::{Item, Key, Table, TableError, Write};
use hardmatch_ports::tokens::{KeptToken, TokenError};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::sealer::{OpenError, Sealer};

/// The version of the body that is written.
const VERSION: u32 = 1;
/// Room for the times and names around a secret.
const AROUND: usize = 256;

/// The body of an item.
#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    sealed: String,
}

/// What lies in the envelope. Seconds: tokens end by the second.
#[derive(Serialize, Deserialize)]
struct Content {
    secret: Zeroizing<String>,
    obtained: i64,
    expires: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
}

/// An item, as far as it could be opened.
pub(crate) enum Opened {
    Plain(KeptToken),
    /// It stays shut, for good.
    Shut(String),
    /// A newer version wrote it.
    Newer(String),
}

/// The sealed items of one connection.
pub(crate) struct SealedItems {
    table: Arc<dyn Table>,
    sealer: Sealer,
    connection: String,
}

impl SealedItems {
    pub(crate) fn new(table: Arc<dyn Table>, seal: Arc<dyn Seal>, clock: Arc<dyn Clock>, connection: String) -> Self {
        Self { table, sealer: Sealer::new(seal, clock), connection }
    }

    pub(crate) fn connection(&self) -> &str {
        &self.connection
    }

    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, TokenError> {
        self.table.get(key).await.map_err(|error| TokenError(error.to_string()))
    }

    pub(crate) async fn write(&self, write: Write) -> Result<u64, TableError> {
        self.table.write(write).await
    }

    pub(crate) async fn batch_write(&self, writes: Vec<Write>) -> Result<(), TokenError> {
        self.table.batch_write(writes).await.map_err(|error| TokenError(error.to_string()))
    }

    /// The body of an item under this key.
    pub(crate) async fn seal(&self, kind: &'static str, key: &Key, token: &KeptToken) -> Result<Vec<u8>, TokenError> {
        let content = Content {
            secret: Zeroizing::new(token.secret.expose_secret().to_owned()),
            obtained: token.obtained.as_second(),
            expires: token.expires.map(Timestamp::as_second),
            mark: token.mark.clone(),
        };
        // Long enough from the start, even if every byte had to be escaped: a buffer that moves leaves a copy behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(content.secret.len() * 6 + AROUND));
        let failed = |error: serde_json::Error| TokenError(format!("a sealed item could not be written: {error}"));
        serde_json::to_writer(&mut *plain, &content).map_err(failed)?;
        let sealed = self.sealer.seal(&self.context(kind), &item_name(key), &plain).await;
        let sealed = sealed.map_err(|error| TokenError(error.to_string()))?;
        serde_json::to_vec(&Body { v: VERSION, sealed: STANDARD.encode(sealed) }).map_err(failed)
    }

    /// Opens. An error means that it may be tried again.
    pub(crate) async fn open(&self, kind: &'static str, item: &Item) -> Result<Opened, TokenError> {
        let unknown = || Opened::Shut("it is not in a form that hardmatch writes".to_owned());
        let Ok(body) = serde_json::from_slice::<Body>(&item.body) else { return Ok(unknown()) };
        if body.v > VERSION {
            let v = body.v;
            return Ok(Opened::Newer(format!(
                "it was written by a newer hardmatch (form {v}; this one knows up to {VERSION}). Use the newer version"
            )));
        }
        let Ok(sealed) = STANDARD.decode(&body.sealed) else { return Ok(unknown()) };
        let plain = match self.sealer.open(&self.context(kind), &item_name(&item.key), &sealed).await {
            Ok(plain) => plain,
            Err(OpenError::Refused(why)) => return Ok(Opened::Shut(why)),
            Err(error @ OpenError::Newer { .. }) => return Ok(Opened::Newer(error.to_string())),
            Err(OpenError::Unavailable(why)) => return Err(TokenError(why)),
        };
        // What serde says about it may quote it.
        let Ok(content) = serde_json::from_slice::<Content>(&plain) else { return Ok(unknown()) };
        let time = |seconds: i64| Timestamp::from_second(seconds).ok();
        let Some(obtained) = time(content.obtained) else { return Ok(unknown()) };
        let expires = match content.expires {
            None => None,
            Some(seconds) => match time(seconds) {
                Some(expires) => Some(expires),
                None => return Ok(unknown()),
            },
        };
        let secret = SecretString::from(content.secret.as_str());
        Ok(Opened::Plain(KeptToken { secret, obtained, expires, mark: content.mark }))
    }

    fn context(&self, kind: &'static str) -> SealContext {
        SealContext { connection: self.connection.clone(), kind }
    }
}

/// An item's own name, which its envelope is bound to.
fn item_name(key: &Key) -> String {
    format!("{}/{}", key.pk, key.sk)
}
