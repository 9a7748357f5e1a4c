//! The source side.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::person::{PersonRecord, SourceStatus};
use hardmatch_ingest::After;
use hardmatch_store::fingerprints::Series;

use crate::fixture::{Fixture, Side, contoso, same};

/// A directory of 2,000.
async fn directory() -> Fixture {
    Fixture::new(2_000, 0).await
}

/// The night after, 550 are gone, 700 have another title and 500 are new. The first two are more than is written together.
async fn a_night_later(fixture: &mut Fixture) {
    fixture.clock.advance(Duration::from_hours(24));
    {
        let mut all = fixture.people.0.lock().unwrap();
        all.retain(|number, _| *number >= 550);
        for number in 550..1_250 {
            all.insert(number, "Director".to_owned());
        }
        for number in 5_000..5_500 {
            all.insert(number, "Engineer".to_owned());
        }
    }
    fixture.begin().await;
}

/// How many are absent, and how many of the new titles are stored.
async fn absent_and_changed(fixture: &Fixture) -> (usize, usize) {
    let names = (0..6_000).map(|number| fixture.store.secret().pid(&format!("key-{number}").as_str().into()));
    let people = fixture.store.people(&contoso(), &names.collect::<Vec<_>>()).await.unwrap();
    let absent = people.iter().filter(|(_, record)| matches!(record.standing, SourceStatus::Absent(_))).count();
    (absent, people.iter().filter(|(_, record)| record.revision > 1).count() - absent)
}

#[tokio::test]
async fn a_source_read_in_pieces_is_the_source_read_at_once() {
    let mut whole = directory().await;
    assert_eq!(whole.slow().read(Side::Source, None).await, 1);
    let first = (whole.holds(), whole.writes());
    a_night_later(&mut whole).await;
    whole.read(Side::Source, None).await;
    let second = (whole.holds(), whole.writes());
    let people = whole.collection("people").await;
    assert_eq!((people.seen, people.changed), (1_950, 1_200));
    for units in [0, 5] {
        let mut fixture = directory().await;
        let messages = fixture.slow().read(Side::Source, Some(units)).await;
        same(&first.0, &fixture.holds(), &format!("{units} units"));
        // Groups of 500, one or more a message.
        assert!((2..=8).contains(&messages), "{units} units: {messages} messages");
        assert_eq!(fixture.writes(), first.1, "nothing is written twice");
        a_night_later(&mut fixture).await;
        let messages = fixture.read(Side::Source, Some(units)).await;
        same(&second.0, &fixture.holds(), &format!("{units} units, again"));
        assert!((2..=8).contains(&messages), "{units} units: {messages} messages");
        assert_eq!(fixture.writes(), second.1, "nothing is written twice");
        assert_eq!(fixture.collection("people").await, people);
    }
}

#[tokio::test]
async fn people_whom_the_source_hides_are_not_absent() {
    let mut fixture = Fixture::new(20, 0).await;
    fixture.read(Side::Source, None).await;
    for night in 0..2 {
        fixture.clock.advance(Duration::from_hours(24));
        fixture.people.2.lock().unwrap().extend([3, 4]);
        fixture.people.0.lock().unwrap().remove(&(7 + night));
        fixture.begin().await;
        fixture.read(Side::Source, None).await;
        let people = fixture.collection("people").await;
        assert_eq!(people.absence[0], "the directory hides OU=Sales");
        assert!(people.absence[1].starts_with("2 known people are missing"), "{:?}", people.absence);
        assert_eq!(absent_and_changed(&fixture).await.0, night + 1, "who is deleted is absent all the same");
    }
    // What was hidden is there again, and nobody changed.
    fixture.clock.advance(Duration::from_hours(24));
    fixture.people.2.lock().unwrap().clear();
    fixture.begin().await;
    fixture.read(Side::Source, None).await;
    let people = fixture.collection("people").await;
    assert_eq!((people.absence.len(), people.seen, people.changed), (0, 18, 0));
}

#[tokio::test]
async fn a_reading_of_the_source_survives_a_kill_anywhere() {
    let mut whole = directory().await;
    whole.read(Side::Source, None).await;
    a_night_later(&mut whole).await;
    whole.read(Side::Source, None).await;
    let (expected, writes) = (without_revisions(&whole), whole.writes());
    let mut kills = 0;
    for at in (1..).step_by(3) {
        let mut fixture = directory().await;
        let mut died = fixture.dies_at(Side::Source, Some(0), at).await;
        fixture.read(Side::Source, Some(0)).await;
        a_night_later(&mut fixture).await;
        died |= fixture.dies_at(Side::Source, Some(0), at).await;
        fixture.read(Side::Source, Some(0)).await;
        // A person who was stored when the process died is stored again, as a newer revision of the same facts.
        same(&expected, &without_revisions(&fixture), &format!("killed at {at}"));
        // Two kills: each loses the group in which it came.
        assert!(fixture.writes() <= writes + 2 * 4, "killed at {at}: {} writes instead of {writes}", fixture.writes());
        if !died {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 4, "{kills}");
}

fn without_revisions(fixture: &Fixture) -> BTreeMap<String, String> {
    let cut = |body: String| match serde_json::from_str::<serde_json::Value>(&body) {
        Ok(mut value) => {
            value.as_object_mut().map(|object| object.remove("revision"));
            value.to_string()
        }
        Err(_) => body,
    };
    fixture.holds().into_iter().map(|(key, body)| (key, cut(body))).collect()
}

#[tokio::test]
async fn a_message_for_a_side_read_or_taken_does_not_ask_the_source() {
    let fixture = Fixture::new(3, 0).await;
    let listed = || fixture.people.1.load(std::sync::atomic::Ordering::SeqCst);
    let now = hardmatch_ports::Clock::now(&fixture.clock).as_millisecond();
    fixture.store.lease(&format!("people~{}", contoso()), &fixture.run, now, 60_000).await.unwrap();
    assert_eq!(fixture.message(Side::Source, Some(5)).await.unwrap(), After::Done);
    assert_eq!(listed(), 0, "somebody is at it");
    fixture.clock.advance(Duration::from_mins(2));
    assert_eq!(fixture.message(Side::Source, Some(5)).await.unwrap(), After::Done);
    let once = listed();
    assert!(once > 0);
    assert_eq!(fixture.message(Side::Source, Some(5)).await.unwrap(), After::Done);
    assert_eq!(listed(), once, "it is read");
}

#[tokio::test]
async fn nobody_is_absent_before_everybody_else_is_stored() {
    let mut fixture = directory().await;
    fixture.slow().read(Side::Source, None).await;
    a_night_later(&mut fixture).await;
    let mut seen_between = 0;
    while fixture.message(Side::Source, Some(0)).await.unwrap() != After::Done {
        let (absent, changed) = absent_and_changed(&fixture).await;
        assert!(absent == 0 || changed == 700, "{absent} absent, {changed} stored");
        seen_between += usize::from(absent == 0);
    }
    assert!(seen_between >= 3);
    assert_eq!(absent_and_changed(&fixture).await, (550, 700));
}

#[tokio::test]
async fn a_source_that_changes_between_messages_is_as_last_listed() {
    let mut fresh = directory().await;
    fresh.read(Side::Source, None).await;
    let mut fixture = directory().await;
    fixture.slow().read(Side::Source, None).await;
    for fixture in [&mut fresh, &mut fixture] {
        a_night_later(fixture).await;
    }
    for _ in 0..3 {
        assert!(matches!(fixture.message(Side::Source, Some(0)).await, Ok(After::Again(_))));
    }
    // Half of the new ones were a mistake, some get another title, and some of the people who were gone are back.
    for fixture in [&fresh, &fixture] {
        let mut all = fixture.people.0.lock().unwrap();
        all.retain(|number, _| *number < 5_250);
        for number in 450..600 {
            all.insert(number, "Partner".to_owned());
        }
    }
    fresh.read(Side::Source, None).await;
    fixture.read(Side::Source, Some(0)).await;
    let people = facts(&fixture).await;
    for (number, expected) in facts(&fresh).await {
        match (&expected, &people[&number]) {
            // Stored by an earlier message, and missing from the last listing.
            (None, Some((_, SourceStatus::Absent(_)))) if number >= 5_250 => {}
            (_, found) => assert_eq!(expected, *found, "{number}"),
        }
    }
}

#[tokio::test]
async fn a_source_that_goes_back_between_messages_is_stored_again() {
    let mut fixture = directory().await;
    fixture.slow().read(Side::Source, None).await;
    let before = (facts(&fixture).await, fixture.people.0.lock().unwrap().clone());
    a_night_later(&mut fixture).await;
    for _ in 0..3 {
        assert!(matches!(fixture.message(Side::Source, Some(0)).await, Ok(After::Again(_))));
    }
    fixture.people.0.lock().unwrap().clone_from(&before.1);
    fixture.read(Side::Source, Some(0)).await;
    let after = facts(&fixture).await;
    for number in 0..2_000 {
        assert_eq!(before.0[&number], after[&number], "{number}");
    }
    let mut new = after.range(5_000..).filter_map(|(_, one)| one.as_ref());
    assert!(new.all(|one| matches!(one.1, SourceStatus::Absent(_))));
    let (lists, digests) = (Series::people(&contoso()), fixture.holds());
    assert!(fixture.store.digests(&lists).await.unwrap().is_some());
    assert!(!digests.keys().any(|key| key.contains("unsettled")));
}

/// Title and standing of everybody who ever was there, by number.
async fn facts(fixture: &Fixture) -> BTreeMap<usize, Option<(String, SourceStatus)>> {
    let mut all = BTreeMap::new();
    for number in (0..2_000).chain(5_000..5_500) {
        let who = PersonRef { connection: contoso(), key: format!("key-{number}").as_str().into() };
        let record = fixture.store.person(&who).await.unwrap();
        let title =
            |record: &PersonRecord| record.person.attributes.filled(Attr::JobTitle).unwrap_or_default().to_owned();
        all.insert(number, record.map(|record| (title(&record), record.standing)));
    }
    all
}
