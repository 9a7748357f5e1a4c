//! Blobs against the stand-in.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hardmatch_aws::S3Blobs;
use hardmatch_ports::blobs::Blobs as _;
use hardmatch_ports::contract::blobs_contract;

use crate::support::{Answer, QuickClock, Stub, account, always};
use futures::future::try_join_all;
use hardmatch_aws::Aws;

async fn bucket(name: &str) -> S3Blobs {
    let account = account();
    account.bucket(name).await.unwrap();
    account.aws(Arc::new(QuickClock::default())).await.blobs(name)
}

#[tokio::test]
async fn they_keep_the_contract() {
    let count = AtomicU64::new(0);
    blobs_contract(async || bucket(&format!("bucket-{}", count.fetch_add(1, Ordering::Relaxed))).await).await;
}

#[tokio::test]
async fn a_file_larger_than_a_part_arrives_whole() {
    let blobs = bucket("large").await;
    // Two full parts and a bit; no two parts are equal.
    let body: Vec<u8> = (0..17 * 1024 * 1024_u32).flat_map(|n| [u8::try_from(n / 65_536 % 251).unwrap()]).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&body).unwrap();
    blobs.put_file("runs/01/spool", file).await.unwrap();
    assert!(blobs.get("runs/01/spool").await.unwrap().unwrap() == body);
    assert_eq!(blobs.location("runs/01/spool"), "s3://large/runs/01/spool");
}

#[tokio::test]
async fn more_than_a_page_is_listed_and_deleted() {
    let blobs = bucket("many").await;
    let names: Vec<String> = (0..1_003).map(|n| format!("a/{n:04}")).collect();
    for some in names.chunks(50) {
        try_join_all(some.iter().map(|name| blobs.put(name, vec![]))).await.unwrap();
    }
    blobs.put("b", vec![]).await.unwrap();
    assert_eq!(blobs.list("a/").await.unwrap(), names);
    blobs.delete_all("a/").await.unwrap();
    assert_eq!(blobs.list("").await.unwrap(), ["b"]);
}

#[tokio::test]
async fn objects_that_stay_are_no_success() {
    let listed =
        "<ListBucketResult><Contents><Key>a</Key></Contents><IsTruncated>false</IsTruncated></ListBucketResult>";
    let stayed = "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>";
    let stub = Stub::start(vec![
        always(|| Answer::Says(200, listed.to_owned())),
        always(|| Answer::Says(200, stayed.to_owned())),
    ])
    .await;
    let blobs = Aws::with(stub.config.clone(), Arc::new(QuickClock::default())).blobs("b");
    let error = blobs.delete_all("").await.unwrap_err();
    assert_eq!((error.doing, error.name.as_str()), ("delete", "a"));
    assert!(error.cause.contains("AccessDenied") && error.cause.contains("Allow s3:DeleteObject"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_not_an_empty_one() {
    let blobs = account().aws(Arc::new(QuickClock::default())).await.blobs("nowhere");
    let error = blobs.get("a").await.unwrap_err();
    assert!(error.cause.contains("s3:GetObject on s3://nowhere"), "{error}");
    assert_eq!(blobs.list("").await.unwrap_err().doing, "list");
}
