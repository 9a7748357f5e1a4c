//! Blobs as objects of a bucket. Whole or not at all: an object appears when its last byte has arrived.

use std::fs::File;
use std::io::SeekFrom;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use hardmatch_ports::blobs::{BlobError, Blobs, NAME_RULE, is_name, is_prefix};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::failure::sentence;

/// A file up to this size goes in one request; a larger one in parts of it, one after the other, so that no more than
/// this of it is ever in memory. 10,000 parts are 80 GB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PART: usize = 8 * 1024 * 1024;
/// Most objects of one deletion.
const DELETE: usize = 1000;

/// [`Blobs`] in a bucket, under their names. Encryption at rest is the bucket's default.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
}

impl S3Blobs {
    /// A bucket by name.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    fn failed<E>(&self, doing: &'static str, name: &str, action: &str, error: &SdkError<E, HttpResponse>) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        BlobError { doing, name: name.to_owned(), cause: sentence(action, &format!("s3://{}", self.bucket), error) }
    }

    async fn page(&self, doing: &'static str, prefix: &str, token: Option<String>) -> Result<Names, BlobError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| self.failed(doing, prefix, "s3:ListBucket", &error))?;
        Ok(Names {
            next: answer.next_continuation_token,
            names: answer.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect(),
        })
    }

    async fn put_parts(
        &self,
        name: &str,
        upload: &str,
        first: Vec<u8>,
        file: &mut tokio::fs::File,
    ) -> Result<(), BlobError> {
        let mut parts = Vec::new();
        let mut part = first;
        while !part.is_empty() {
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            let sent = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(name)
                .upload_id(upload)
                .part_number(number)
                .body(ByteStream::from(part))
                .send()
                .await
                .map_err(|error| self.failed("write", name, "s3:PutObject", &error))?;
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(sent.e_tag)
                    .set_checksum_crc32(sent.checksum_crc32)
                    .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                    .build(),
            );
            part = read_part(file).await.map_err(|error| failed("write", name, &error))?;
        }
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(name)
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map_err(|error| self.failed("write", name, "s3:PutObject", &error))?;
        Ok(())
    }
}

struct Names {
    names: Vec<String>,
    next: Option<String>,
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, name: &str, body: Vec<u8>) -> Result<(), BlobError> {
        check("write", name, is_name(name))?;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(name)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| self.failed("write", name, "s3:PutObject", &error))?;
        Ok(())
    }

    async fn put_file(&self, name: &str, file: File) -> Result<(), BlobError> {
        check("write", name, is_name(name))?;
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(0)).await.map_err(|error| failed("write", name, &error))?;
        let first = read_part(&mut file).await.map_err(|error| failed("write", name, &error))?;
        if first.len() < PART {
            return self.put(name, first).await;
        }
        let started = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(name)
            .send()
            .await
            .map_err(|error| self.failed("write", name, "s3:PutObject", &error))?;
        let upload = started.upload_id.unwrap_or_default();
        let written = self.put_parts(name, &upload, first, &mut file).await;
        if written.is_err() {
            // Parts that never become an object cost money until the bucket's rule removes them. The first error is the
            // one to tell.
            let _ = self.client.abort_multipart_upload().bucket(&self.bucket).key(name).upload_id(upload).send().await;
        }
        written
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BlobError> {
        check("read", name, is_name(name))?;
        let answer = match self.client.get_object().bucket(&self.bucket).key(name).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(self.failed("read", name, "s3:GetObject", &error)),
        };
        let body = answer.body.collect().await.map_err(|error| failed("read", name, &error))?;
        Ok(Some(body.to_vec()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        check("list", prefix, is_prefix(prefix))?;
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let page = self.page("list", prefix, token).await?;
            all.extend(page.names);
            token = page.next;
            if token.is_none() {
                all.sort_unstable();
                return Ok(all);
            }
        }
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), BlobError> {
        check("delete", prefix, is_prefix(prefix))?;
        loop {
            // Always the first page: what was on it is gone the next time.
            let page = self.page("delete", prefix, None).await?;
            for names in page.names.chunks(DELETE) {
                self.delete(prefix, names).await?;
            }
            if page.next.is_none() {
                return Ok(());
            }
        }
    }

    fn location(&self, name: &str) -> String {
        format!("s3://{}/{name}", self.bucket)
    }
}

impl S3Blobs {
    async fn delete(&self, prefix: &str, names: &[String]) -> Result<(), BlobError> {
        let objects = names
            .iter()
            .map(|name| ObjectIdentifier::builder().key(name).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed("delete", prefix, &error))?;
        let delete = Delete::builder()
            .set_objects(Some(objects))
            .quiet(true)
            .build()
            .map_err(|error| failed("delete", prefix, &error))?;
        let answer = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete)
            .send()
            .await
            .map_err(|error| self.failed("delete", prefix, "s3:DeleteObject", &error))?;
        // The call succeeds even when objects stay.
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => Err(BlobError {
                doing: "delete",
                name: error.key().unwrap_or(prefix).to_owned(),
                cause: format!(
                    "{} objects stayed; the first: {}. Allow s3:DeleteObject on s3://{}/*",
                    answer.errors().len(),
                    error.code().unwrap_or("no reason given"),
                    self.bucket
                ),
            }),
        }
    }
}

/// The next part of a file: full, but for the last one.
async fn read_part(file: &mut tokio::fs::File) -> std::io::Result<Vec<u8>> {
    let mut part = Vec::new();
    file.take(PART as u64).read_to_end(&mut part).await?;
    Ok(part)
}

fn check(doing: &'static str, name: &str, fits: bool) -> Result<(), BlobError> {
    if fits { Ok(()) } else { Err(failed(doing, name, &NAME_RULE)) }
}

fn failed(doing: &'static str, name: &str, cause: &dyn std::fmt::Display) -> BlobError {
    BlobError { doing, name: name.to_owned(), cause: cause.to_string() }
}
