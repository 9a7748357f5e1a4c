//! The tenant side.

use std::sync::atomic::Ordering;

use hardmatch_ingest::After;
use hardmatch_ports::run::CollectionState;

use crate::fixture::{Fixture, PAGE, Side, same};

/// A tenant of 500 accounts, 150 deleted ones, 1,100 groups with addresses, in which 60 change while it is read.
async fn tenant() -> Fixture {
    let fixture = Fixture::new(0, 500).await;
    {
        let mut all = fixture.accounts.all.lock().unwrap();
        for number in 0..150 {
            all.insert(10_000 + number, ("Engineer".to_owned(), false));
        }
        *fixture.accounts.groups.lock().unwrap() = 1_100;
        fixture.accounts.told.lock().unwrap().extend(0..60);
    }
    fixture
}

/// A year later 130 are gone for good, 100 have another title, 40 are deleted and 60 gone from the bin; and the cursor is
/// too old.
async fn a_year_later(fixture: &mut Fixture) {
    fixture.clock.advance(std::time::Duration::from_hours(24 * 365));
    {
        let mut all = fixture.accounts.all.lock().unwrap();
        all.retain(|number, _| !(300..430).contains(number) && !(10_000..10_060).contains(number));
        for number in 0..100 {
            all.insert(number, ("Director".to_owned(), true));
        }
        for number in 200..240 {
            all.insert(number, ("Engineer".to_owned(), false));
        }
        *fixture.accounts.groups.lock().unwrap() = 600;
    }
    fixture.begin().await;
}

#[tokio::test]
async fn a_tenant_read_in_pieces_is_the_tenant_read_at_once() {
    let mut whole = tenant().await;
    assert_eq!(whole.read(Side::Tenant, None).await, 1);
    let first = (whole.holds(), whole.accounts.pages.load(Ordering::SeqCst));
    a_year_later(&mut whole).await;
    whole.read(Side::Tenant, None).await;
    let second = (whole.holds(), whole.accounts.pages.load(Ordering::SeqCst));
    let users = whole.collection("users").await;
    assert_eq!((users.state, users.seen), (CollectionState::Complete, 330 + 60));
    for units in [0, 3, 20] {
        let mut fixture = tenant().await;
        let messages = fixture.read(Side::Tenant, Some(units)).await;
        same(&first.0, &fixture.holds(), &format!("{units} units"));
        // No page is read twice, and no message goes without a unit: 38 pages and a few steps between them.
        assert_eq!(fixture.accounts.pages.load(Ordering::SeqCst), first.1, "{units} units");
        assert!(messages <= 48 && (units > 0 || messages >= 38), "{units} units: {messages} messages");
        a_year_later(&mut fixture).await;
        fixture.read(Side::Tenant, Some(units)).await;
        same(&second.0, &fixture.holds(), &format!("{units} units, again"));
        assert_eq!(fixture.accounts.pages.load(Ordering::SeqCst), second.1, "{units} units, again");
        assert_eq!(fixture.collection("users").await, users);
        assert_eq!(fixture.files(), 0, "nothing is left of the readings");
    }
}

#[tokio::test]
async fn a_reading_of_the_tenant_survives_a_kill_anywhere() {
    let mut whole = tenant().await;
    whole.read(Side::Tenant, None).await;
    a_year_later(&mut whole).await;
    whole.read(Side::Tenant, None).await;
    let (expected, pages) = (whole.holds(), whole.accounts.pages.load(Ordering::SeqCst));
    let mut kills = 0;
    for at in (2..).step_by(19) {
        let mut fixture = tenant().await;
        let mut died = fixture.dies_at(Side::Tenant, Some(5), at).await;
        fixture.read(Side::Tenant, Some(5)).await;
        a_year_later(&mut fixture).await;
        died |= fixture.dies_at(Side::Tenant, Some(5), at).await;
        fixture.read(Side::Tenant, Some(5)).await;
        same(&expected, &fixture.holds(), &format!("killed at {at}"));
        // Two kills, and each loses no more than the message in which it came.
        let read = fixture.accounts.pages.load(Ordering::SeqCst);
        assert!(read <= pages + 2 * 6, "killed at {at}: {read} pages instead of {pages}");
        if !died {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 3, "{kills}");
}

#[tokio::test]
async fn a_page_token_that_expires_begins_the_listing_anew() {
    let whole = tenant().await;
    whole.read(Side::Tenant, None).await;
    for lost in ["users 250", "bin 100"] {
        let fixture = tenant().await;
        *fixture.accounts.lost.lock().unwrap() = Some(lost.to_owned());
        fixture.read(Side::Tenant, Some(3)).await;
        assert_eq!(*fixture.accounts.lost.lock().unwrap(), None, "{lost} was asked for");
        same(&whole.holds(), &fixture.holds(), lost);
    }
}

#[tokio::test]
async fn nothing_is_concluded_before_the_end() {
    let mut fixture = tenant().await;
    fixture.read(Side::Tenant, None).await;
    let had = fixture.holds();
    a_year_later(&mut fixture).await;
    for _ in 0..20 {
        assert_ne!(fixture.message(Side::Tenant, Some(0)).await.unwrap(), After::Done);
    }
    let now = fixture.holds();
    let differs = |part: &str| had.iter().any(|(key, body)| key.contains(part) && now.get(key) != Some(body));
    assert!(!differs("FA#"), "fingerprints of a listing that is not at its end");
    assert!(!differs("/ TENANT"), "the cursor is stored last");
    let accounts = |held: &std::collections::BTreeMap<String, String>| {
        held.keys().filter(|key| key.ends_with("/ ACCOUNT")).count()
    };
    assert_eq!(accounts(&had), accounts(&now), "nobody is forgotten while pages are missing");
}

#[tokio::test]
async fn two_messages_at_a_time_do_the_work_of_one() {
    let fixture = tenant().await;
    assert!(matches!(fixture.message(Side::Tenant, Some(2)).await, Ok(After::Again(_))));
    // The side is taken, as by a message that is being answered elsewhere.
    let name = format!("accounts~{}", crate::fixture::scope().as_str());
    let now = hardmatch_ports::Clock::now(&fixture.clock).as_millisecond();
    fixture.store.lease(&name, &fixture.run, now, 60_000).await.unwrap();
    let pages = fixture.accounts.pages.load(Ordering::SeqCst);
    assert_eq!(fixture.message(Side::Tenant, Some(2)).await.unwrap(), After::Done, "the other message is sent again");
    assert_eq!(fixture.accounts.pages.load(Ordering::SeqCst), pages);
    // A run of another connection waits for its turn.
    fixture.clock.advance(std::time::Duration::from_mins(2));
    let now = hardmatch_ports::Clock::now(&fixture.clock).as_millisecond();
    fixture.store.lease(&name, "another run", now, 30_000).await.unwrap();
    let wait = std::time::Duration::from_secs(30);
    assert_eq!(fixture.message(Side::Tenant, Some(2)).await.unwrap(), After::Again(wait));
    fixture.clock.advance(wait);
    fixture.read(Side::Tenant, Some(2)).await;
    assert!(fixture.accounts.pages.load(Ordering::SeqCst) >= (500 / PAGE) as u64);
}

#[tokio::test]
async fn answers_cut_off_each_time_end_the_run_in_minutes_on_one_machine() {
    // With a deadline it is a function that asks, and nobody waits in front of it.
    for (units, least, most) in [(None, 120, 180), (Some(3), 3_600, 3_700)] {
        let mut fixture = tenant().await;
        fixture.message(Side::Tenant, Some(3)).await.unwrap();
        fixture.accounts.cut.store(true, Ordering::SeqCst);
        let before = hardmatch_ports::Clock::now_seconds(&fixture.clock);
        fixture.read(Side::Tenant, units).await;
        let waited = hardmatch_ports::Clock::now_seconds(&fixture.clock) - before;
        assert!((least..=most).contains(&waited), "{units:?}: {waited} s");
        let run = fixture.store.run(&crate::fixture::contoso(), &fixture.run).await.unwrap().unwrap().value;
        assert_eq!(run.collections["users"].state, CollectionState::Unknown);
        assert!(run.problems[0].contains("GET /users was cut off") && run.problems[0].contains("Check"), "{run:?}");
        // The next run reads everything, and keeps nothing of this one.
        fixture.accounts.cut.store(false, Ordering::SeqCst);
        fixture.begin().await;
        fixture.read(Side::Tenant, units).await;
        assert_eq!(fixture.collection("users").await.state, CollectionState::Complete);
        assert_eq!(fixture.files(), 0);
    }
}
