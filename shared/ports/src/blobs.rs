//! Large bodies: plans, listings, recordings, reports. Named by paths of ours, never by personal data.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use async_trait::async_trait;

/// Longest name, in bytes: what an object store allows.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
pub const MAX_NAME_BYTES: usize = 1024;

/// What a name may be, in words for the giver of another.
pub const NAME_RULE: &str =
    "a name is parts of letters, digits, '_', '-' and '.', joined by '/'; no part is empty or begins with '.'";

/// Whether a blob may have this name: one that stays inside a folder on every system and is a key of an object store.
pub fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && name.split('/').all(|part| !part.is_empty() && is_beginning(part))
}

/// Whether names may begin so: whole parts, and the beginning of another. The empty prefix is that of all names.
pub fn is_prefix(prefix: &str) -> bool {
    let (folders, rest) = prefix.rsplit_once('/').map_or((None, prefix), |(folders, rest)| (Some(folders), rest));
    folders.is_none_or(is_name) && is_beginning(rest)
}

fn is_beginning(part: &str) -> bool {
    !part.starts_with('.')
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Keeps byte strings by name.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores under the name, replacing what was there. Whole or not at all.
    async fn put(&self, name: &str, body: Vec<u8>) -> Result<(), BlobError>;

    /// Stores what is in a file, from its beginning; for bodies too large to hold in memory.
    async fn put_file(&self, name: &str, mut file: File) -> Result<(), BlobError> {
        let body = file.seek(SeekFrom::Start(0)).and_then(|_| {
            let mut body = Vec::new();
            file.read_to_end(&mut body).map(|_| body)
        });
        match body {
            Ok(body) => self.put(name, body).await,
            Err(error) => Err(BlobError { doing: "write", name: name.to_owned(), cause: error.to_string() }),
        }
    }

    /// What is stored; `None` when there is nothing of that name.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BlobError>;

    /// Names that begin with the prefix, in order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError>;

    /// Forgets everything that begins with the prefix. Nothing there is no error.
    async fn delete_all(&self, prefix: &str) -> Result<(), BlobError>;

    /// Where an operator finds the blob: a path or URL.
    fn location(&self, name: &str) -> String;
}

/// A failed call to the storage of blobs.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {name}: {cause}")]
pub struct BlobError {
    /// `read`, `write`, `list` or `delete`.
    pub doing: &'static str,
    /// The name of the blob.
    pub name: String,
    /// What the storage answered.
    pub cause: String,
}
