//! Fetching an object that is not ours: a people's file in an operator's bucket.

use std::path::Path;

use tokio::io::AsyncWriteExt as _;

use crate::aws::Aws;
use crate::failure::{Meaning, meaning, sentence};

/// The object could not be fetched. Says what to change.
#[derive(Debug, thiserror::Error)]
#[error(
    "s3://{bucket}/{key} cannot be read: {cause}. The function's role reads the bucket named by the stack's parameter SourceBucket"
)]
pub struct FetchError {
    bucket: String,
    key: String,
    cause: String,
    passes: bool,
}

impl FetchError {
    /// Whether the same may be answered later.
    pub fn passes(&self) -> bool {
        self.passes
    }
}

impl Aws {
    /// Copies an object into a file of this machine, piece by piece. An object is there when its last byte has arrived, so that
    /// none is read half written. Gives when it was written (Unix seconds), where that is told.
    pub async fn fetch(&self, bucket: &str, key: &str, to: &Path) -> Result<Option<i64>, FetchError> {
        let told =
            |cause: String, passes: bool| FetchError { bucket: bucket.to_owned(), key: key.to_owned(), cause, passes };
        let failed = |cause: String| told(cause, true);
        let answer = self.s3().get_object().bucket(bucket).key(key).send().await;
        let answer = answer.map_err(|error| {
            let passes = match meaning(&error) {
                Meaning::Never => false,
                Meaning::Later | Meaning::Lost => true,
            };
            told(sentence("s3:GetObject", &format!("s3://{bucket}"), &error), passes)
        })?;
        let written = answer.last_modified.map(|at| at.secs());
        let mut body = answer.body;
        let mut file = tokio::fs::File::create(to).await.map_err(|error| failed(error.to_string()))?;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| failed(error.to_string()))?;
            file.write_all(&piece).await.map_err(|error| failed(error.to_string()))?;
        }
        file.flush().await.map_err(|error| failed(error.to_string()))?;
        Ok(written)
    }
}
