//! What a message has cost is counted by the code that hands it out, whatever comes of it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::{FileTable, FolderBlobs, ProcessDoorbell};
use hardmatch_ports::Key;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::table::Units;
use hardmatch_runtime::ManualClock;
use serde_json::{Value, json};

use super::*;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads once, writes once, calls the tenant three times, takes two seconds.
struct Busy {
    table: Arc<dyn Table>,
    clock: ManualClock,
    requests: AtomicU64,
    answer: Result<After, String>,
}

impl MessageHandler for Busy {
    async fn answer(&self, _: Delivery) -> Result<After, String> {
        self.table.get(&Key::new("X", "1")).await.unwrap();
        self.table.write(hardmatch_ports::Write::put(Key::new("X", "1"), vec![1])).await.unwrap();
        self.requests.fetch_add(3, Ordering::Relaxed);
        self.clock.advance(Duration::from_secs(2));
        self.answer.clone()
    }

    fn calls(&self) -> Counters {
        Counters { requests: self.requests.load(Ordering::Relaxed), ..Counters::default() }
    }
}

/// A message as SQS hands it over, from the queue of this name.
fn handed_over(queue: &str, body: &str, received: u32) -> SqsEvent {
    let record = json!({
        "messageId": "m1",
        "receiptHandle": "r1",
        "body": body,
        "attributes": { "ApproximateReceiveCount": received.to_string(), "SentTimestamp": "0" },
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:people-prod-{queue}"),
        "awsRegion": "eu-central-1",
    });
    serde_json::from_value(json!({ "Records": [record] })).unwrap()
}

async fn home(clock: &ManualClock, table: Arc<dyn Table>, paper: Paper) -> Home {
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let store = Store::open(Arc::clone(&table)).await.unwrap();
    let aws = Aws::in_function(Some("http://127.0.0.1:9".to_owned()), Arc::clone(&shared)).await;
    let limits = Arc::new(StackLimits::new("graph.microsoft.com", "").unwrap());
    Home {
        queues: Arc::new(aws.doorbell(QueueUrls::new())),
        aws,
        table,
        store: store.clone(),
        blobs: Arc::new(FolderBlobs::new(std::env::temp_dir())),
        doorbell: Arc::new(ProcessDoorbell::new(Arc::clone(&shared))),
        clock: shared,
        connections: Arc::new(Connections::new(store, Some(Arc::clone(&limits)))),
        limits,
        policies: Arc::new(CompiledPolicies::without_files()),
        metrics: MetricsLog::to("people-prod", MetricsScope::All, paper),
    }
}

#[tokio::test]
async fn what_a_message_has_cost_is_noted_with_its_run_whatever_comes_of_it() {
    for answer in [Ok(After::Done), Err("the tenant is away".to_owned())] {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let table: Arc<dyn Table> = Arc::new(FileTable::in_memory().unwrap());
        let paper = Paper::default();
        let home = home(&clock, Arc::clone(&table), paper.clone()).await;
        let busy = Busy { table, clock, requests: AtomicU64::new(40), answer: answer.clone() };
        let delivery = |run: &str, receipt: &str| Delivery {
            message: Message::new(ConnectionId::new("contoso"), run, MessageKind::Write),
            deadline: Timestamp::MAX,
            sender: "AROAEXAMPLE:ada@contoso.com".to_owned(),
            queue: "write".to_owned(),
            receipt: receipt.to_owned(),
            sent: None,
            begun: Begun::now(&home),
        };
        assert_eq!(delivery("r1", "m1#1").principal(), "AROAEXAMPLE", "a session is named after somebody");
        // Twice handed over is twice paid for; the first reading found nothing, as the second does not.
        for receipt in ["m1#1", "m1#2"] {
            assert_eq!(metered(&home, &busy, delivery("r1", receipt)).await, answer);
        }
        let cost = home.store.costs("r1").await.unwrap();
        let calls = Counters { requests: 6, ..Counters::default() };
        // Each wrote once, and its note.
        assert_eq!((cost.messages, cost.worked_ms, cost.calls), (2, 4_000, calls));
        assert_eq!(cost.units, Units { read: 2, write: 4 });
        // A message of no run is told of, and noted with none.
        metered(&home, &busy, delivery("", "m2#1")).await.ok();
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line["GraphRequests"].as_u64(), line["ReadUnits"].as_u64(), line["WriteUnits"].as_u64()))
            .collect();
        assert_eq!(told, [(Some(3), Some(1), Some(2)), (Some(3), Some(1), Some(2)), (Some(3), Some(1), Some(1))]);
        assert!(!text.contains("ada"), "{text}");
    }
}

#[tokio::test]
async fn a_message_of_a_newer_version_is_given_up_by_no_queue() {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let table: Arc<dyn Table> = Arc::new(FileTable::in_memory().unwrap());
    let home = home(&clock, Arc::clone(&table), Paper::default()).await;
    let busy = Busy { table, clock: clock.clone(), requests: AtomicU64::new(0), answer: Ok(After::Done) };
    let newer = json!({ "v": Message::VERSION + 1, "kind": "dream", "depth": 3 }).to_string();
    // A queue of work has it back as a new message each time, whose receipts are counted anew.
    for queue in Queue::DEPLOYED {
        let answered = batch(&home, &busy, handed_over(queue.name(), &newer, 5), Timestamp::MAX).await;
        assert!(answered.batch_item_failures.is_empty(), "{}: the fifth failure makes a dead letter", queue.name());
    }
    // Into a queue of commands no function may send. Nobody waits for a request so long after it was sent, and it is left
    // undone without becoming a dead letter.
    clock.advance(Duration::from_secs(81));
    for queue in ["command", "approve"] {
        let answered = batch(&home, &busy, handed_over(queue, &newer, 4), Timestamp::MAX).await;
        assert!(answered.batch_item_failures.is_empty(), "{queue}");
    }
    assert_eq!(busy.requests.load(Ordering::Relaxed), 0, "what nobody understands is not answered");
}
