//! One person is entered as a whole: record, look-ups, whether they are gone, and the dirty mark.

use hardmatch_domain::facts::By;
use hardmatch_domain::ids::PersonRef;
use hardmatch_domain::person::{Person, PersonRecord, SourceStatus};
use hardmatch_store::entering::PersonSighting;

use crate::fixture::{Fixture, contoso, person, scope};

const UPN: &str = "p1@contoso.com";

fn ada() -> PersonRef {
    PersonRef { connection: contoso(), key: "key-1".into() }
}

async fn enter(fixture: &Fixture, sighting: PersonSighting) -> bool {
    let old = fixture.store.person(&ada()).await.unwrap();
    let mut writes = Vec::new();
    let entered = fixture.store.enter_person(&scope(), &contoso(), old.as_ref(), sighting, &mut writes);
    assert_eq!(entered, !writes.is_empty());
    fixture.store.write_facts_last(writes).await.unwrap();
    entered
}

/// The record, whether it is found by its sign-in name, whether it counts as gone, and whether it was marked since.
async fn stored(fixture: &Fixture) -> (PersonRecord, bool, bool, bool) {
    let pid = fixture.store.pid(&ada());
    let record = fixture.store.person(&ada()).await.unwrap().unwrap();
    let found = fixture.store.people_by(&scope(), By::Upn, UPN).await.unwrap() == [ada()];
    let gone = fixture.store.gone_people(&contoso()).await.unwrap() == [pid];
    let marks = fixture.store.marks(&contoso(), &[pid]).await.unwrap();
    if let Some(revision) = marks.get(&pid) {
        let clear = fixture.store.clear_dirty(&contoso(), pid, *revision);
        fixture.store.write(clear).await.unwrap();
    }
    (record, found, gone, !marks.is_empty())
}

fn understood(title: &str) -> PersonSighting {
    PersonSighting::Understood(Box::new(person(1, title)))
}

#[tokio::test]
async fn a_person_is_entered_with_look_ups_and_a_dirty_mark() {
    let fixture = Fixture::new(0, 0).await;
    for nobody in [PersonSighting::Refused, PersonSighting::RefusedDisabled, PersonSighting::Absent(7)] {
        assert!(!enter(&fixture, nobody).await, "nobody was understood yet");
    }
    assert!(enter(&fixture, understood("Engineer")).await);
    let (record, found, gone, dirty) = stored(&fixture).await;
    assert_eq!((record.standing, record.revision), (SourceStatus::Present, 1));
    assert!(found && !gone && dirty);
    // The sign-in name changes: the old one finds nobody.
    let mut renamed = person(1, "Engineer");
    renamed.attributes =
        renamed.attributes.with(hardmatch_domain::attribute::Attr::UserPrincipalName, "new@contoso.com");
    assert!(enter(&fixture, PersonSighting::Understood(Box::new(renamed))).await);
    let (record, found, _, dirty) = stored(&fixture).await;
    assert!(record.revision == 2 && !found && dirty);
}

#[tokio::test]
async fn a_refused_entry_keeps_the_facts_and_carries_out_disabled() {
    let fixture = Fixture::new(0, 0).await;
    enter(&fixture, understood("Engineer")).await;
    let before = stored(&fixture).await.0;
    assert!(enter(&fixture, PersonSighting::Refused).await);
    let (record, found, _, dirty) = stored(&fixture).await;
    assert_eq!((&record.person, record.standing), (&before.person, SourceStatus::Refused));
    assert!(found && dirty);
    assert!(enter(&fixture, PersonSighting::RefusedDisabled).await);
    let (record, found, _, dirty) = stored(&fixture).await;
    let disabled = Person { enabled: Some(false), ..before.person };
    assert_eq!((record.person, record.standing, record.revision), (disabled, SourceStatus::Present, 3));
    assert!(found && dirty);
}

#[tokio::test]
async fn an_absent_person_stays_findable_and_is_gone_until_they_return() {
    let fixture = Fixture::new(0, 0).await;
    enter(&fixture, understood("Engineer")).await;
    stored(&fixture).await;
    assert!(enter(&fixture, PersonSighting::Absent(7)).await);
    let (record, found, gone, dirty) = stored(&fixture).await;
    assert_eq!(record.standing, SourceStatus::Absent(7));
    assert!(found && gone && dirty);
    assert!(!enter(&fixture, PersonSighting::Absent(9)).await, "since the first time");
    let (record, _, gone, dirty) = stored(&fixture).await;
    assert!(record.standing == SourceStatus::Absent(7) && gone && !dirty);
    for back in [PersonSighting::Refused, understood("Engineer")] {
        assert!(enter(&fixture, back).await);
        let (record, _, gone, dirty) = stored(&fixture).await;
        assert!(!record.is_gone() && !gone && dirty);
        enter(&fixture, PersonSighting::Absent(11)).await;
    }
}
