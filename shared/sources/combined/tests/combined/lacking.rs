//! A source that lacks people: nobody of it is taken for absent, and nobody loses what only it gives.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::person::Person;
use hardmatch_ports::Source as _;
use hardmatch_ports::source::{AbsenceEvidence, Completeness, RefusedEntry, read_whole};

use crate::fake::{Two, numbered, person};

fn corp(number: u32) -> Person {
    numbered(&format!("a{number}"), &number.to_string())
}

fn hr(number: u32) -> Person {
    person(&format!("x{number}"), &[(Attr::EmployeeId, &number.to_string()), (Attr::JobTitle, "Lead")])
}

/// Ten people of both sources, read once.
async fn ten() -> Two {
    let two = Two::of((0..10).map(corp), (0..10).map(hr));
    assert_eq!(two.read().await.entries.len(), 10);
    two
}

#[tokio::test]
async fn a_source_that_breaks_off_ends_the_reading() {
    let two = ten().await;
    let before = two.place.0.lock().unwrap().clone();
    two.hr.change(|said| said.broken = true);
    let error = read_whole(&two.source(), &mut Vec::new()).await.unwrap_err();
    assert!(error.problem.starts_with("source hr: ") && error.retry, "{error}");
    assert_eq!(*two.place.0.lock().unwrap(), before, "and nothing is noted of it");
}

#[tokio::test]
async fn an_empty_source_makes_the_whole_listing_doubtful() {
    let two = ten().await;
    let before = two.place.0.lock().unwrap().clone();
    two.hr.set([]);
    let listed = two.read().await;
    assert_eq!(listed.completeness.doubts, ["source hr is empty"]);
    assert_eq!(*two.place.0.lock().unwrap(), before);
}

#[tokio::test]
async fn doubts_and_absence_of_a_source_are_those_of_the_listing() {
    let two = ten().await;
    two.hr.change(|said| {
        said.completeness = Completeness {
            doubts: vec!["cut off".to_owned()],
            absence: vec!["a row is broken".to_owned()],
            columns: vec!["mail".to_owned()],
            ..Completeness::default()
        };
    });
    let listed = two.read().await.completeness;
    assert_eq!(
        (listed.doubts, listed.absence),
        (vec!["source hr: cut off".to_owned()], vec!["source hr: a row is broken".to_owned()])
    );
    assert_eq!(listed.columns, ["hr: mail"], "a column that is lost is lost of that source");
}

#[tokio::test]
async fn nobody_loses_what_a_shrunken_source_gives_until_an_operator_accepts_it() {
    let mut two = ten().await;
    two.hr.set((0..4).map(hr));
    for _ in 0..2 {
        let listed = two.read().await;
        assert_eq!(listed.keys(), "!a4 !a5 !a6 !a7 !a8 !a9 a0 a1 a2 a3", "night after night");
        assert!(listed.refusal("a4").problem.contains("had 10 entries, and now 4"), "{:?}", listed.refusal("a4"));
    }
    two.accepted = true;
    let listed = two.read().await;
    assert_eq!(listed.keys(), "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9");
    assert_eq!(listed.person("a4").attributes.get(Attr::JobTitle), None);
    two.accepted = false;
    assert_eq!(two.read().await.entries.len(), 10, "and later readings are compared with that");
}

#[tokio::test]
async fn a_few_who_left_a_whole_source_lose_what_it_gave() {
    let two = ten().await;
    two.hr.set((0..9).map(hr));
    let listed = two.read().await;
    assert_eq!(listed.person("a9").attributes.get(Attr::JobTitle), None);
    two.hr.change(|said| said.completeness.absence.push("a row is broken".to_owned()));
    two.hr.set((0..8).map(hr));
    let listed = two.read().await;
    assert_eq!(listed.keys(), "!a8 a0 a1 a2 a3 a4 a5 a6 a7 a9", "a8 may be the broken row");
}

#[tokio::test]
async fn a_refused_entry_refuses_the_whole_person() {
    let two = ten().await;
    two.hr.set((1..10).map(hr));
    let refused = RefusedEntry { key: Some("x0".into()), problem: "Broken".to_owned(), ..RefusedEntry::default() };
    two.hr.change(|said| said.refused = vec![refused]);
    let listed = two.read().await;
    assert_eq!(listed.keys(), "!a0 a1 a2 a3 a4 a5 a6 a7 a8 a9");
    assert_eq!(listed.refusal("a0").problem, "Source hr: Broken");
}

#[tokio::test]
async fn a_lost_join_value_makes_nobody_new() {
    let two = ten().await;
    two.hr.set((1..10).map(hr).chain([person("x0", &[(Attr::JobTitle, "Lead")])]));
    let listed = two.read().await;
    assert_eq!(listed.keys(), "!a0 !hr:x0 a1 a2 a3 a4 a5 a6 a7 a8 a9");
    assert!(listed.refusal("a0").problem.contains("no employeeId any more"), "{:?}", listed.refusal("a0"));
}

#[tokio::test]
async fn join_values_that_moved_by_a_row_are_doubtful() {
    let two = ten().await;
    two.hr.set((0..10).map(|number| Person { key: format!("x{number}").as_str().into(), ..hr((number + 1) % 10) }));
    let listed = two.read().await;
    assert!(listed.completeness.doubts[0].contains("now belong to others"), "{:?}", listed.completeness.doubts);
}

#[tokio::test]
async fn absence_is_asked_of_the_source_that_had_the_person() {
    let two = Two::of((0..10).map(corp), (10..20).map(hr));
    two.read().await;
    two.corp.set((0..9).map(corp));
    two.corp.change(|said| said.gone = true);
    two.hr.set((10..12).map(hr));
    let source = two.source();
    two.read_with(&source).await;
    let said = source.absence_evidence(&["a9".into(), "hr:x19".into()]).await.unwrap();
    assert_eq!(said[0], AbsenceEvidence::Gone);
    assert!(matches!(&said[1], AbsenceEvidence::Unclear(why) if why.contains("source hr had 10")), "{:?}", said[1]);
}

#[tokio::test]
async fn a_person_whose_entry_is_somebody_elses_now_is_not_absent() {
    let two = Two::of([numbered("a", "17"), numbered("b", "18")], [numbered("x", "19")]);
    two.read().await;
    // Two known people turn out to be one.
    two.hr.set([numbered("x", "17")]);
    let source = two.source();
    let listed = two.read_with(&source).await;
    assert_eq!(listed.keys(), "a b");
    let said = source.absence_evidence(&["hr:x".into()]).await.unwrap();
    assert!(matches!(&said[0], AbsenceEvidence::Unclear(_)), "{said:?}");
}

#[tokio::test]
async fn what_is_known_and_damaged_ends_the_reading() {
    let mut two = ten().await;
    *two.place.0.lock().unwrap() = Some(b"{".to_vec());
    let error = read_whole(&two.source(), &mut Vec::new()).await.unwrap_err();
    assert!(error.cure.contains("--accept-source"), "{error}");
    two.accepted = true;
    assert_eq!(two.read().await.entries.len(), 10);
}
