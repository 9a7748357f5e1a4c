//! The contract of the blobs.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use crate::blobs::Blobs;

/// Runs the whole contract. `make` gives an empty store.
pub async fn blobs_contract<B: Blobs, F: AsyncFn() -> B>(make: F) {
    let blobs = make().await;
    assert_eq!(blobs.get("runs/01/plan.json").await.expect("asking for nothing is no error"), None);
    assert_eq!(blobs.list("").await.expect("an empty store lists"), Vec::<String>::new());
    blobs.delete_all("runs/").await.expect("deleting nothing is no error");

    for (name, body) in [("runs/01/plan.json", "a"), ("runs/01/a.csv", ""), ("runs/010/plan.json", "b"), ("z", "c")] {
        blobs.put(name, body.as_bytes().to_vec()).await.expect("it stores");
        assert_eq!(blobs.get(name).await.expect("it reads"), Some(body.as_bytes().to_vec()));
        assert!(blobs.location(name).contains("plan.json") || !name.ends_with("plan.json"));
    }
    blobs.put("runs/01/plan.json", vec![0, 255, 10]).await.expect("it replaces");
    assert_eq!(blobs.get("runs/01/plan.json").await.expect("it reads"), Some(vec![0, 255, 10]));

    // Any file will do: this one is there wherever the contract is compiled. It is stored whole, wherever it was read to.
    let mut file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/src/contract/blobs.rs")).expect("it is there");
    file.seek(SeekFrom::End(0)).expect("it has an end");
    blobs.put_file("z", file).await.expect("it stores a file");
    assert_eq!(blobs.get("z").await.expect("it reads"), Some(include_bytes!("blobs.rs").to_vec()));

    let list = async |prefix: &str| blobs.list(prefix).await.expect("it lists");
    assert_eq!(list("").await, ["runs/01/a.csv", "runs/01/plan.json", "runs/010/plan.json", "z"]);
    assert_eq!(list("runs/01/").await, ["runs/01/a.csv", "runs/01/plan.json"]);
    assert_eq!(list("runs/01").await, ["runs/01/a.csv", "runs/01/plan.json", "runs/010/plan.json"]);
    assert_eq!(list("runs/01/p").await, ["runs/01/plan.json"]);
    assert_eq!(list("runs/02").await, Vec::<String>::new());

    blobs.delete_all("runs/01/").await.expect("it deletes");
    assert_eq!(list("").await, ["runs/010/plan.json", "z"]);
    assert_eq!(blobs.get("runs/01/plan.json").await.expect("it reads"), None);
    blobs.put("runs/01/plan.json", b"again".to_vec()).await.expect("a deleted name can be used again");
    blobs.delete_all("").await.expect("it deletes everything");
    assert_eq!(list("").await, Vec::<String>::new());

    for name in ["", "/etc/passwd", "a/../b", "..", "a//b", "a/", "./a", "a b", "ä", "a\\b", "a\0", ".hidden"] {
        let error = blobs.put(name, vec![]).await.expect_err("a name that could lead elsewhere is refused");
        assert_eq!(error.doing, "write", "{name:?}");
        assert_eq!(blobs.get(name).await.expect_err("refused").doing, "read", "{name:?}");
    }
    for prefix in ["../", "/", "a/../", "a//"] {
        assert_eq!(blobs.list(prefix).await.expect_err("refused").doing, "list", "{prefix:?}");
        assert_eq!(blobs.delete_all(prefix).await.expect_err("refused").doing, "delete", "{prefix:?}");
    }
}
