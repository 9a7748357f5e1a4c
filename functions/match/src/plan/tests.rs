//! Reading a plan whose blobs are far away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::policy::Policy;
use hardmatch_embedded::{FileTable, ProcessDoorbell};
use hardmatch_ports::{BlobError, Blobs, Clock, Policies};
use hardmatch_runtime::ManualClock;
use hardmatch_store::{Store, StoreError, TenantKey};
use jiff::Timestamp;

use super::{AHEAD, Slices, put_slice, slice_names};
use crate::ports::MatchPorts;
use crate::ports::{RunCost, RunMetrics};

/// What a blob takes to arrive.
const LATENCY: Duration = Duration::from_millis(40);

/// Blobs that take time to arrive; nothing else does.
struct Far(Mutex<BTreeMap<String, Vec<u8>>>, ManualClock);

#[async_trait]
impl Blobs for Far {
    async fn put(&self, name: &str, body: Vec<u8>) -> Result<(), BlobError> {
        self.0.lock().unwrap().insert(name.to_owned(), body);
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BlobError> {
        self.1.sleep(LATENCY).await;
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    async fn list(&self, _: &str) -> Result<Vec<String>, BlobError> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    async fn delete_all(&self, _: &str) -> Result<(), BlobError> {
        self.0.lock().unwrap().clear();
        Ok(())
    }

    fn location(&self, name: &str) -> String {
        name.to_owned()
    }
}

struct Nothing;

impl Policies for Nothing {
    fn compile(&self, _: &str, _: u64) -> Result<Arc<Policy>, String> {
        Err("nobody is decided here".to_owned())
    }
}

#[async_trait]
impl RunMetrics for Nothing {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost::default())
    }
}

#[tokio::test]
async fn slices_come_in_order_sixteen_at_a_time() {
    let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let ports = MatchPorts {
        store: Store::open(Arc::new(FileTable::in_memory().unwrap())).await.unwrap(),
        scope: TenantKey::new("graph.test", "t1"),
        blobs: Arc::new(Far(Mutex::default(), clock.clone())),
        clock: Arc::clone(&shared),
        doorbell: Arc::new(ProcessDoorbell::new(shared)),
        policies: Arc::new(Nothing),
        metrics: Arc::new(Nothing),
        deadline: None,
    };
    for slice in 0..64 {
        put_slice(&ports, "r1", slice, &[]).await.unwrap();
    }
    let names = slice_names(&ports, "r1").await.unwrap();
    let mut read = Slices::named(&ports, "r1", names.clone());
    let mut seen = Vec::new();
    while let Some((name, _)) = read.next().await.unwrap() {
        seen.push(name);
    }
    assert_eq!((seen.len(), &seen), (64, &names));
    let took = clock.now().duration_since(Timestamp::UNIX_EPOCH);
    assert_eq!(took.as_millis(), 64 / AHEAD as i128 * 40, "one after the other it would be sixteen times as much");
}
