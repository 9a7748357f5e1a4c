//! A [`Seal`] for one machine: data keys are wrapped under a key of this machine, in a file or an environment variable.
//!
//! ```text
//! wrapped key: form (1) | nonce (12) | AES-256-GCM ciphertext of the data key (32) and tag (16)
//! ```

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::aead::{Aad, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardmatch_ports::seal::{DataKey, Seal, SealContext, SealError};
use zeroize::Zeroizing;

use crate::envelope::{NONCE, Plain, aead, append};
use crate::files::{self, Readers};
use crate::place::EnvReader;

/// The form of a wrapped key.
const FORM: u8 = 1;

/// Seals under a key of this machine. Key and state file together give the tokens away.
pub struct LocalSeal(Root);

enum Root {
    File(PathBuf),
    Env { name: String, read: EnvReader },
}

impl LocalSeal {
    /// Under the key in this file: made when the first thing is sealed, readable by its owner alone, and refused when
    /// anybody else may read it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Root::File(path.into()))
    }

    /// Under the key in an environment variable: 32 bytes in base64 (`openssl rand -base64 32`).
    pub fn env(name: impl Into<String>, read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Root::Env { name: name.into(), read: Box::new(read) })
    }

    /// The key. `missing` says whether a new file may be begun.
    async fn root(&self, missing: Missing) -> Result<Plain, SealError> {
        match &self.0 {
            Root::Env { name, read } => {
                let text = Zeroizing::new(read(name).unwrap_or_default());
                key(&text).ok_or_else(|| {
                    SealError::Refused(format!(
                        "The environment variable {name} holds no key: 32 bytes in base64. Set it to the key that the state \
                         was sealed under, or to a new one (openssl rand -base64 32)."
                    ))
                })
            }
            Root::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || match missing {
                    Missing::Create => read_or_create(&path),
                    Missing::Refuse => read_file(&path),
                });
                read.await
                    .map_err(|_| SealError::Unavailable("the key file could not be read; try again".to_owned()))?
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Missing {
    Create,
    Refuse,
}

fn read_or_create(path: &Path) -> Result<Plain, SealError> {
    if !path.exists() {
        let mut fresh = Zeroizing::new([0; 32]);
        random(fresh.as_mut_slice())?;
        let mut text = Zeroizing::new(STANDARD.encode(fresh.as_slice()));
        text.reserve_exact(1);
        text.push('\n');
        match files::create(path, text.as_bytes(), Readers::Owner) {
            Ok(()) => {}
            // Somebody else was first: theirs is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(SealError::Unavailable(format!(
                    "The key file {} cannot be written ({}). Choose a folder that this user may write to.",
                    path.display(),
                    error.kind()
                )));
            }
        }
    }
    read_file(path)
}

fn read_file(path: &Path) -> Result<Plain, SealError> {
    let shown = path.display();
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SealError::Refused(format!(
            "The key file {shown} is gone, and what was sealed under it stays shut. Bring it back, or connect again."
        )),
        kind => SealError::Unavailable(format!("The key file {shown} cannot be read ({kind}). Let this user read it.")),
    };
    if files::open_to_others(&std::fs::metadata(path).map_err(unread)?) {
        return Err(SealError::Refused(format!(
            "Others can read the key file {shown}. Run chmod 600 on it; if somebody may have read it, delete it and connect \
             again."
        )));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(unread)?);
    std::str::from_utf8(&bytes).ok().and_then(key).ok_or_else(|| {
        SealError::Refused(format!(
            "The file {shown} holds no key: 32 bytes in base64. Bring back the key that was there, or delete the file and \
             connect again."
        ))
    })
}

/// 32 bytes in base64.
fn key(text: &str) -> Option<Plain> {
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

fn random(bytes: &mut [u8]) -> Result<(), SealError> {
    aws_lc_rs::rand::fill(bytes)
        .map_err(|_| SealError::Unavailable("the random numbers of this machine failed; try again".to_owned()))
}

fn associated(context: &SealContext) -> Vec<u8> {
    let mut out = b"hardmatch local key".to_vec();
    out.push(FORM);
    for (name, value) in context.pairs() {
        append(&mut out, name);
        append(&mut out, value);
    }
    out
}

fn refused() -> SealError {
    SealError::Refused(
        "It was sealed under another key of this machine, or for something else. Bring the old key back, or connect again."
            .to_owned(),
    )
}

#[async_trait]
impl Seal for LocalSeal {
    async fn data_key(&self, context: &SealContext) -> Result<DataKey, SealError> {
        let root = self.root(Missing::Create).await?;
        let mut plain = Zeroizing::new([0; 32]);
        random(plain.as_mut_slice())?;
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        // The key becomes its ciphertext in place.
        let mut sealed = *plain;
        let tag = aead(&root)
            .map_err(|_| refused())?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(context)),
                &mut sealed,
            )
            .map_err(|_| refused())?;
        let wrapped = [[FORM].as_slice(), &nonce, &sealed, tag.as_ref()].concat();
        Ok(DataKey { plain, wrapped })
    }

    async fn unwrap_key(&self, wrapped: &[u8], context: &SealContext) -> Result<Plain, SealError> {
        let root = self.root(Missing::Refuse).await?;
        let (nonce, sealed) =
            wrapped.strip_prefix(&[FORM]).and_then(|rest| rest.split_first_chunk::<NONCE>()).ok_or_else(refused)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let opened = aead(&root)
            .map_err(|_| refused())?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(associated(context)), &mut bytes)
            .map_err(|_| refused())?;
        let mut plain = Zeroizing::new([0; 32]);
        if opened.len() != plain.len() {
            return Err(refused());
        }
        plain.copy_from_slice(opened);
        Ok(plain)
    }
}

impl fmt::Debug for LocalSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Root::File(path) => write!(f, "LocalSeal(file:{})", path.display()),
            Root::Env { name, .. } => write!(f, "LocalSeal(env:{name})"),
        }
    }
}
