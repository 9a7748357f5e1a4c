//! Who is one person, under which key, and which source gives what.

use hardmatch_domain::attribute::{Attr, Texts};
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Manager, Person};
use hardmatch_ports::Source as _;
use hardmatch_ports::source::{Asked, Entry, WriteBack, WrittenBack};
use hardmatch_sources_combined::{Disabled, JoinBy, Precedence};

use crate::fake::{Two, numbered, person};

const GUID: &str = "00000001-1111-4222-8333-000000000001";

fn with(mut person: Person, attributes: &[(Attr, &str)]) -> Person {
    for (attr, value) in attributes {
        person.attributes = person.attributes.with(*attr, value);
    }
    person
}

fn by_enabled(person: Person, enabled: bool) -> Person {
    Person { enabled: Some(enabled), ..person }
}

#[tokio::test]
async fn one_person_of_two_sources_has_attributes_by_precedence() {
    let mut two = Two::of(
        [with(numbered(GUID, "17"), &[(Attr::Department, "from corp"), (Attr::JobTitle, ""), (Attr::City, "Lund")])],
        [with(numbered("17", "17"), &[(Attr::Department, "from hr"), (Attr::JobTitle, "Lead"), (Attr::City, "")])],
    );
    let listed = two.read().await;
    let one = listed.person(GUID);
    let values = |person: &Person| {
        [Attr::Department, Attr::JobTitle, Attr::City].map(|attr| person.attributes.get(attr).map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(values(one), [some("from corp"), some("Lead"), some("Lund")], "the first that has a value");
    let given = one.given_by.as_ref().unwrap();
    assert_eq!(given.sources.iter().collect::<Vec<_>>(), ["corp", "hr"]);
    assert_eq!(given.others.iter().collect::<Vec<_>>(), [("jobTitle", "hr")]);
    assert_eq!(listed.keys(), GUID, "nobody beside");

    two.precedence = Precedence([("department".to_owned(), vec![1, 0]), ("city".to_owned(), vec![1])].into());
    let listed = two.read().await;
    assert_eq!(values(listed.person(GUID)), [some("from hr"), some("Lead"), some("")], "city is the second's alone");
}

#[tokio::test]
async fn every_anchor_and_every_group_is_kept_the_first_sources_first() {
    let grouped = |person: Person, group: &str| Person { groups: Texts::new([group]), ..person };
    let two = Two::of([grouped(numbered("a", "17"), "Staff")], [grouped(numbered("x", "17"), "Payroll")]);
    let listed = two.read().await;
    let one = listed.person("a");
    let ids: Vec<&str> = one.anchors.iter().map(|anchor| anchor.id.as_str()).collect();
    assert_eq!(ids, ["id-of-a", "id-of-x"]);
    assert_eq!(one.groups.iter().collect::<Vec<_>>(), ["Staff", "Payroll"]);
}

#[tokio::test]
async fn keys_of_the_first_source_stand_and_others_are_named_unless_they_are_guids() {
    let unanchored = |person: Person| Person { anchors: Vec::new(), ..person };
    let two = Two::of([numbered("1", "")], [unanchored(numbered("1", "")), numbered(GUID, "")]);
    assert_eq!(two.read().await.keys(), format!("{GUID} 1 hr:1"));
}

#[tokio::test]
async fn a_person_keeps_their_key_when_another_source_has_them_too_or_has_them_no_more() {
    let two = Two::of([numbered("other", "5")], [numbered("x", "17")]);
    assert_eq!(two.read().await.keys(), "hr:x other");
    two.corp.set([numbered("other", "5"), numbered("a", "17")]);
    let listed = two.read().await;
    assert_eq!(listed.keys(), "hr:x other", "joined, and known by the key of before");
    two.hr.set([numbered("y", "18")]);
    let listed = two.read().await;
    assert_eq!(listed.keys(), "hr:x hr:y other", "the first source alone has them now");
    assert_eq!(listed.person("hr:x").given_by.as_ref().unwrap().sources.iter().collect::<Vec<_>>(), ["corp"]);
}

#[tokio::test]
async fn a_corrected_join_value_gives_each_their_own_key() {
    let two = Two::of([numbered("a", "17"), numbered("b", "18")], [numbered("x", "17")]);
    assert_eq!(two.read().await.keys(), "a b");
    two.hr.set([numbered("x", "18")]);
    let listed = two.read().await;
    assert_eq!(listed.keys(), "a b", "the entry of hr belongs to b now");
    assert_eq!(listed.person("b").given_by.as_ref().unwrap().sources.iter().count(), 2);
}

#[tokio::test]
async fn one_name_in_two_sources_without_a_join_is_refused_with_its_cure() {
    let named = |key: &str| person(key, &[(Attr::UserPrincipalName, "Ada@contoso.com")]);
    let mut two = Two::of([named("a"), numbered("b", "18")], [person("x", &[(Attr::Mail, "ada@contoso.com")])]);
    two.join = None;
    let listed = two.read().await;
    assert_eq!(listed.keys(), "!a !hr:x b");
    let refusal = listed.refusal("a");
    assert!(refusal.problem.contains("Source hr") && refusal.cure.contains("same_person"), "{refusal:?}");
    two.join = Some(JoinBy::Attribute(Attr::EmployeeId));
    let listed = two.read().await;
    assert!(listed.refusal("a").cure.contains("Fill employeeId"), "{}", listed.refusal("a").cure);
}

#[tokio::test]
async fn two_of_one_source_with_one_join_value_are_refused_only_where_another_source_has_it() {
    let two = Two::of([numbered("a", "17"), numbered("admin", "17")], []);
    two.hr.set([numbered("z", "99")]);
    assert_eq!(two.read().await.keys(), "a admin hr:z", "nothing is joined");
    two.hr.set([numbered("x", "17")]);
    let listed = two.read().await;
    assert_eq!(listed.keys(), "!a !admin !hr:x");
    assert!(listed.refusal("a").problem.contains("several entries with one employeeId"), "{:?}", listed.refusal("a"));
}

#[tokio::test]
async fn a_disabled_entry_beside_an_active_one_is_decided_as_declared() {
    for (rule, first, second, enabled) in [
        (Disabled::First, true, false, true),
        (Disabled::First, false, true, false),
        (Disabled::Any, true, false, false),
        (Disabled::Any, false, true, false),
        (Disabled::All, false, true, true),
        (Disabled::All, false, false, false),
    ] {
        let mut two = Two::of([by_enabled(numbered("a", "17"), first)], [by_enabled(numbered("x", "17"), second)]);
        two.disabled = rule;
        assert_eq!(two.read().await.person("a").enabled, Some(enabled), "{rule:?} {first} {second}");
    }
}

#[tokio::test]
async fn a_source_that_only_adds_to_people_has_none_of_its_own() {
    let mut two = Two::of([numbered("a", "17")], [numbered("x", "17"), numbered("y", "18")]);
    two.hr_has_people = false;
    let listed = two.read().await;
    assert_eq!(listed.keys(), "a");
    assert!(listed.completeness.notes.iter().any(|note| note.starts_with("1 entries of source hr")));
}

#[tokio::test]
async fn a_manager_is_the_person_of_the_entry_that_is_named() {
    let led = |person: Person, manager: Manager| Person { manager: Some(manager), ..person };
    let boss = person("boss", &[(Attr::UserPrincipalName, "Boss@contoso.com")]);
    let two = Two::of(
        [boss, numbered("a", "17")],
        [
            led(numbered("x", "17"), Manager::Unknown("boss@contoso.com".into())),
            led(numbered("y", "18"), Manager::Person("x".into())),
        ],
    );
    let listed = two.read().await;
    assert_eq!(listed.person("a").manager, Some(Manager::Person("boss".into())), "by a name that another source has");
    assert_eq!(listed.person("hr:y").manager, Some(Manager::Person("a".into())), "by the key of the joined person");
}

#[tokio::test]
async fn a_person_is_asked_for_and_written_to_where_their_entries_are() {
    let two = Two::of(
        [with(numbered("a", "17"), &[(Attr::City, "Lund")])],
        [with(numbered("x", "17"), &[(Attr::JobTitle, "Lead")])],
    );
    let source = two.source();
    two.read_with(&source).await;
    let Asked::Found(Entry::Person(asked)) = source.ask(&"a".into()).await.unwrap() else { panic!("a is there") };
    assert_eq!((asked.attributes.get(Attr::City), asked.attributes.get(Attr::JobTitle)), (Some("Lund"), Some("Lead")));
    two.corp.set([]);
    assert!(matches!(source.ask(&"a".into()).await.unwrap(), Asked::Unknown(_)), "half a person is nobody");

    let value = WriteBack { key: PersonKey::new("a"), attribute: "anchor".into(), values: vec![vec![1]] };
    assert_eq!(source.write_back(std::slice::from_ref(&value)).await.unwrap(), [WrittenBack::ByHand]);
    two.hr.change(|said| said.writable = true);
    assert_eq!(source.write_back(std::slice::from_ref(&value)).await.unwrap(), [WrittenBack::Written]);
    assert_eq!(two.hr.0.lock().unwrap().written, [WriteBack { key: "x".into(), ..value }]);
}
