use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::Clock as _;
use hardmatch_ports::doorbell::{MessageKind, Queue};

use crate::support::Lab;

#[tokio::test]
async fn c11_a_person_is_asked_for_and_followed() {
    let lab = Lab::new().await;
    let asked = lab.ask("POST", "/connections/lab/people/known/sync", None).await.is(202);
    assert_eq!(asked.json()["state"], "pending");
    assert_eq!(lab.wanted().await, ["known"]);
    let messages = lab.notified.take();
    assert_eq!(messages[0].kind, MessageKind::SyncPeople);
    assert_ne!(messages[0].queue(), Queue::Match, "nobody waits behind a company");
    let told = lab.ask("GET", "/connections/lab/people/known/sync", None).await.is(200).json();
    assert_eq!(told["state"], "pending", "what was asked for is not done");
    lab.satisfy().await;
    let told = lab.ask("GET", "/connections/lab/people/known/sync", None).await.is(200).json();
    assert_eq!((&told["state"], &told["reason"]), (&"refused".into(), &"contested".into()));
    assert_eq!(told["person"]["status"], "refused");
    lab.ask("GET", "/connections/lab/people/nobody/sync", None).await.is(404);
}

#[tokio::test]
async fn a_dry_run_explains_and_asks_for_nobody() {
    let lab = Lab::new().await;
    let told = lab.ask("POST", "/connections/lab/people/known/sync?dryRun=true", None).await.is(200).json();
    assert_eq!(told["remedy"], "Say whose it is.");
    assert!(lab.wanted().await.is_empty() && lab.notified.take().is_empty());
    lab.ask("POST", "/connections/lab/people/known/sync?dryRun=perhaps", None).await.is(400);
}

#[tokio::test]
async fn a_wait_ends_with_the_result_or_with_its_time() {
    let lab = Lab::new().await;
    lab.ask("POST", "/connections/lab/people/known/sync?wait=2", None).await.is(202);
    // The request that nobody answered ends, so that the next one is the only one.
    let store = lab.store.clone();
    let connection = ConnectionId::new("lab");
    let (pid, stored) = store.sync_requests(&connection, 9).await.unwrap().remove(0);
    store.write(store.end_sync_request(&connection, pid, stored.revision)).await.unwrap();
    // Somebody answers while the client waits. Until that is done the clock stands: it goes on by itself, and the client's time
    // could be over first. More are at work than can sleep meanwhile, who are the wait and the call's own time limit.
    let at_work = [(); 3].map(|()| lab.clock.at_work());
    let answering = async move {
        let _until_done = at_work;
        let lab = ConnectionId::new("lab");
        loop {
            if let Some((pid, stored)) = store.sync_requests(&lab, 9).await.unwrap().into_iter().next() {
                store.write(store.end_sync_request(&lab, pid, stored.revision)).await.unwrap();
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let (answer, ()) = tokio::join!(lab.ask("POST", "/connections/lab/people/known/sync?wait=20", None), answering);
    assert_eq!(answer.is(200).json()["state"], "refused");
}

#[tokio::test]
async fn several_events_of_one_person_are_one_request_of_a_new_revision() {
    let lab = Lab::new().await;
    let connection = ConnectionId::new("lab");
    lab.ask("POST", "/connections/lab/people/known/sync", None).await.is(202);
    let (pid, first) = lab.store.sync_requests(&connection, 9).await.unwrap().remove(0);
    lab.ask("POST", "/connections/lab/people/known/sync", None).await.is(202);
    let requests = lab.store.sync_requests(&connection, 9).await.unwrap();
    assert_eq!(requests.len(), 1);
    let ended = lab.store.write(lab.store.end_sync_request(&connection, pid, first.revision)).await;
    assert!(ended.unwrap_err().is_conflict(), "a newer event is not ended with an older one");
}
