//! Blobs in a folder keep what all blobs promise, and keep it private.

use std::fs;

use hardmatch_embedded::FolderBlobs;
use hardmatch_ports::blobs::Blobs as _;
use hardmatch_ports::contract::blobs_contract;

#[tokio::test]
async fn they_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    blobs_contract(async || FolderBlobs::new(folder.path().join("not/yet/there"))).await;
}

#[tokio::test]
async fn what_a_killed_process_left_is_not_shown_and_goes_with_its_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FolderBlobs::new(folder.path());
    blobs.put("runs/01/plan.json", b"x".to_vec()).await.unwrap();
    blobs.put("runs/02/plan.json", b"x".to_vec()).await.unwrap();
    let remains = folder.path().join("runs/01/.plan.json.4711-0.tmp");
    fs::write(&remains, b"half").unwrap();
    assert_eq!(blobs.list("").await.unwrap(), ["runs/01/plan.json", "runs/02/plan.json"]);
    blobs.delete_all("runs/02/").await.unwrap();
    assert!(remains.exists());
    blobs.delete_all("runs/01/").await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left, the empty folders neither");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blob_is_stored_while_somebody_clears_up_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FolderBlobs::new(folder.path().join("runs"));
    for number in 0..200 {
        let (name, beside) = (format!("{number}/report.html"), format!("{number}/observe/"));
        let clears = async || {
            for _ in 0..8 {
                blobs.delete_all(&beside).await?;
            }
            Ok(())
        };
        let (stored, one, other) = tokio::join!(blobs.put(&name, b"x".to_vec()), clears(), clears());
        stored.and(one).and(other).unwrap();
        assert!(blobs.get(&name).await.unwrap().is_some());
        blobs.delete_all("").await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_is_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("blobs"), b"a file").unwrap();
    let error = FolderBlobs::new(folder.path().join("blobs")).put("a", vec![]).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot write a: "), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_their_owner_may_read_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let blobs = FolderBlobs::new(folder.path().join("blobs"));
    blobs.put("runs/plan.json", b"x".to_vec()).await.unwrap();
    for (path, mode) in [("blobs", 0o700), ("blobs/runs", 0o700), ("blobs/runs/plan.json", 0o600)] {
        let about = fs::metadata(folder.path().join(path)).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, mode, "{path}");
    }
}
