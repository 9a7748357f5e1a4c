//! Secrets for one use.

use std::sync::Arc;

use hardmatch_embedded::FileTable;
use hardmatch_ports::table::{Key, Table as _, Write};
use hardmatch_ports::tokens::Sealed as _;
use hardmatch_vault::{SealedSecrets, SecretString};
use secrecy::ExposeSecret as _;

use crate::support::{CountedSeal, TestClock, at, table};

struct Desk {
    table: Arc<FileTable>,
    clock: Arc<TestClock>,
}

impl Desk {
    fn new() -> Self {
        Self { table: table(), clock: TestClock::new() }
    }

    fn of(&self, connection: &str) -> SealedSecrets {
        SealedSecrets::new(Arc::clone(&self.table) as _, CountedSeal::new(1), Arc::clone(&self.clock) as _, connection)
    }
}

async fn put(secrets: &SealedSecrets, name: &str, value: &str) {
    secrets.put(name, &SecretString::from(value), at(600)).await.unwrap();
}

fn text(secret: Option<SecretString>) -> Option<String> {
    secret.map(|secret| secret.expose_secret().to_owned())
}

#[tokio::test]
async fn a_secret_can_be_read_and_is_taken_once() {
    let desk = Desk::new();
    let secrets = desk.of("contoso");
    assert_eq!(text(secrets.take("state").await.unwrap()), None);
    put(&secrets, "state", "verifier \"quoted\"\n").await;
    put(&secrets, "other", "another").await;
    for _ in 0..2 {
        assert_eq!(text(secrets.get("state").await.unwrap()).as_deref(), Some("verifier \"quoted\"\n"));
    }
    assert_eq!(text(desk.of("fabrikam").get("state").await.unwrap()), None);
    // Another process takes it.
    assert_eq!(text(desk.of("contoso").take("state").await.unwrap()).as_deref(), Some("verifier \"quoted\"\n"));
    assert_eq!(text(secrets.take("state").await.unwrap()), None);
    assert_eq!(text(secrets.get("state").await.unwrap()), None);
    assert_eq!(text(secrets.get("other").await.unwrap()).as_deref(), Some("another"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_take_at_once_one_gets_it() {
    let desk = Desk::new();
    for round in 0..20 {
        let name = format!("state-{round}");
        put(&desk.of("contoso"), &name, "verifier").await;
        let taking: Vec<_> = (0..6)
            .map(|_| {
                let (secrets, name) = (desk.of("contoso"), name.clone());
                tokio::spawn(async move { secrets.take(&name).await.unwrap().is_some() })
            })
            .collect();
        let mut got = 0;
        for taker in taking {
            got += u32::from(taker.await.unwrap());
        }
        assert_eq!(got, 1);
    }
}

#[tokio::test]
async fn a_secret_past_its_time_is_not_given_out() {
    let desk = Desk::new();
    let secrets = desk.of("contoso");
    put(&secrets, "state", "verifier").await;
    let key = Key::new("SECRET#contoso", "state");
    assert_eq!(desk.table.get(&key).await.unwrap().unwrap().expires, Some(at(600).as_second()));
    desk.clock.set(599);
    assert!(secrets.get("state").await.unwrap().is_some());
    desk.clock.set(600);
    assert!(secrets.get("state").await.unwrap().is_none());
    assert!(secrets.take("state").await.unwrap().is_none());
    assert_eq!(desk.table.get(&key).await.unwrap(), None, "and it is gone");
}

#[tokio::test]
async fn a_secret_under_another_name_stays_shut() {
    let desk = Desk::new();
    let secrets = desk.of("contoso");
    put(&secrets, "state", "verifier").await;
    let item = desk.table.get(&Key::new("SECRET#contoso", "state")).await.unwrap().unwrap();
    desk.table.write(Write::put(Key::new("SECRET#contoso", "attacker"), item.body)).await.unwrap();
    let said = secrets.take("attacker").await.unwrap_err().to_string();
    assert!(said.contains("cannot be opened") && said.contains("Begin again"), "{said}");
}
