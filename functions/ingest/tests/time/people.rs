//! The source side.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::person::{PersonRecord, SourceStatus};
use hardmatch_ingest::After;
use hardmatch_store::fingerprints::Series;

use crate::lab::{Lab, Side, contoso, same};

/// A directory of 2,000.
async fn directory() -> Lab {
    Lab::new(2_000, 0).await
}

/// The night after, 550 are gone, 700 have another title and 500 are new. The first two are more than is written together.
async fn a_night_later(lab: &mut Lab) {
    lab.clock.advance(Duration::from_hours(24));
    {
        let mut all = lab.people.0.lock().unwrap();
        all.retain(|number, _| *number >= 550);
        for number in 550..1_250 {
            all.insert(number, "Director".to_owned());
        }
        for number in 5_000..5_500 {
            all.insert(number, "Engineer".to_owned());
        }
    }
    lab.begin().await;
}

/// How many are absent, and how many of the new titles are stored.
async fn absent_and_changed(lab: &Lab) -> (usize, usize) {
    let names = (0..6_000).map(|number| lab.store.secret().pid(&format!("key-{number}").as_str().into()));
    let people = lab.store.people(&contoso(), &names.collect::<Vec<_>>()).await.unwrap();
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
        let mut lab = directory().await;
        let messages = lab.slow().read(Side::Source, Some(units)).await;
        same(&first.0, &lab.holds(), &format!("{units} units"));
        // Groups of 500, one or more a message.
        assert!((2..=8).contains(&messages), "{units} units: {messages} messages");
        assert_eq!(lab.writes(), first.1, "nothing is written twice");
        a_night_later(&mut lab).await;
        let messages = lab.read(Side::Source, Some(units)).await;
        same(&second.0, &lab.holds(), &format!("{units} units, again"));
        assert!((2..=8).contains(&messages), "{units} units: {messages} messages");
        assert_eq!(lab.writes(), second.1, "nothing is written twice");
        assert_eq!(lab.collection("people").await, people);
    }
}

#[tokio::test]
async fn a_source_whose_reading_is_killed_anywhere_is_read_all_the_same() {
    let mut whole = directory().await;
    whole.read(Side::Source, None).await;
    a_night_later(&mut whole).await;
    whole.read(Side::Source, None).await;
    let (expected, writes) = (without_revisions(&whole), whole.writes());
    let mut kills = 0;
    for at in (1..).step_by(3) {
        let mut lab = directory().await;
        let mut died = lab.dies_at(Side::Source, Some(0), at).await;
        lab.read(Side::Source, Some(0)).await;
        a_night_later(&mut lab).await;
        died |= lab.dies_at(Side::Source, Some(0), at).await;
        lab.read(Side::Source, Some(0)).await;
        // Who was stored when the process died is stored again, as a newer revision of the same facts.
        same(&expected, &without_revisions(&lab), &format!("killed at {at}"));
        // Two kills: each loses the group in which it came.
        assert!(lab.writes() <= writes + 2 * 4, "killed at {at}: {} writes instead of {writes}", lab.writes());
        if !died {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 4, "{kills}");
}

fn without_revisions(lab: &Lab) -> BTreeMap<String, String> {
    let cut = |body: String| match serde_json::from_str::<serde_json::Value>(&body) {
        Ok(mut value) => {
            value.as_object_mut().map(|object| object.remove("revision"));
            value.to_string()
        }
        Err(_) => body,
    };
    lab.holds().into_iter().map(|(key, body)| (key, cut(body))).collect()
}

#[tokio::test]
async fn a_bell_for_a_run_that_is_read_or_that_somebody_reads_does_not_ask_the_source() {
    let lab = Lab::new(3, 0).await;
    let listed = || lab.people.1.load(std::sync::atomic::Ordering::SeqCst);
    let now = hardmatch_ports::Clock::now(&lab.clock).as_millisecond();
    lab.store.lease(&format!("people~{}", contoso()), &lab.run, now, 60_000).await.unwrap();
    assert_eq!(lab.message(Side::Source, Some(5)).await.unwrap(), After::Done);
    assert_eq!(listed(), 0, "somebody is at it");
    lab.clock.advance(Duration::from_mins(2));
    assert_eq!(lab.message(Side::Source, Some(5)).await.unwrap(), After::Done);
    let once = listed();
    assert!(once > 0);
    assert_eq!(lab.message(Side::Source, Some(5)).await.unwrap(), After::Done);
    assert_eq!(listed(), once, "it is read");
}

#[tokio::test]
async fn nobody_is_absent_before_everybody_else_is_stored() {
    let mut lab = directory().await;
    lab.slow().read(Side::Source, None).await;
    a_night_later(&mut lab).await;
    let mut seen_between = 0;
    while lab.message(Side::Source, Some(0)).await.unwrap() != After::Done {
        let (absent, changed) = absent_and_changed(&lab).await;
        assert!(absent == 0 || changed == 700, "{absent} absent, {changed} stored");
        seen_between += usize::from(absent == 0);
    }
    assert!(seen_between >= 3);
    assert_eq!(absent_and_changed(&lab).await, (550, 700));
}

#[tokio::test]
async fn a_source_that_changes_between_two_bells_is_what_its_last_listing_says() {
    let mut fresh = directory().await;
    fresh.read(Side::Source, None).await;
    let mut lab = directory().await;
    lab.slow().read(Side::Source, None).await;
    for lab in [&mut fresh, &mut lab] {
        a_night_later(lab).await;
    }
    for _ in 0..3 {
        assert!(matches!(lab.message(Side::Source, Some(0)).await, Ok(After::Again(_))));
    }
    // Half of the new ones were a mistake, some get another title, and some of those who were gone are back.
    for lab in [&fresh, &lab] {
        let mut all = lab.people.0.lock().unwrap();
        all.retain(|number, _| *number < 5_250);
        for number in 450..600 {
            all.insert(number, "Partner".to_owned());
        }
    }
    fresh.read(Side::Source, None).await;
    lab.read(Side::Source, Some(0)).await;
    let people = facts(&lab).await;
    for (number, expected) in facts(&fresh).await {
        match (&expected, &people[&number]) {
            // Whom an earlier message stored, and the last listing does not have.
            (None, Some((_, SourceStatus::Absent(_)))) if number >= 5_250 => {}
            (_, found) => assert_eq!(expected, *found, "{number}"),
        }
    }
}

#[tokio::test]
async fn a_source_that_goes_back_to_what_it_was_between_two_bells_is_not_taken_for_unchanged() {
    let mut lab = directory().await;
    lab.slow().read(Side::Source, None).await;
    let before = (facts(&lab).await, lab.people.0.lock().unwrap().clone());
    a_night_later(&mut lab).await;
    for _ in 0..3 {
        assert!(matches!(lab.message(Side::Source, Some(0)).await, Ok(After::Again(_))));
    }
    lab.people.0.lock().unwrap().clone_from(&before.1);
    lab.read(Side::Source, Some(0)).await;
    let after = facts(&lab).await;
    for number in 0..2_000 {
        assert_eq!(before.0[&number], after[&number], "{number}");
    }
    let mut new = after.range(5_000..).filter_map(|(_, one)| one.as_ref());
    assert!(new.all(|one| matches!(one.1, SourceStatus::Absent(_))));
    let (lists, digests) = (Series::people(&contoso()), lab.holds());
    assert!(lab.store.digests(&lists).await.unwrap().is_some());
    assert!(!digests.keys().any(|key| key.contains("unsettled")));
}

/// Title and standing of everybody who ever was there, by number.
async fn facts(lab: &Lab) -> BTreeMap<usize, Option<(String, SourceStatus)>> {
    let mut all = BTreeMap::new();
    for number in (0..2_000).chain(5_000..5_500) {
        let who = PersonRef { connection: contoso(), key: format!("key-{number}").as_str().into() };
        let record = lab.store.person(&who).await.unwrap();
        let title =
            |record: &PersonRecord| record.person.attributes.filled(Attr::JobTitle).unwrap_or_default().to_owned();
        all.insert(number, record.map(|record| (title(&record), record.standing)));
    }
    all
}
