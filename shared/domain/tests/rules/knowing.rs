//! What may be concluded from silence: a look-up for one person is as good as a listing, and unknown is never free.

use hardmatch_domain::change::Step;
use hardmatch_domain::facts::knowledge::{ANSWER_SECONDS, Answers, Knowledge, Question, questions};
use hardmatch_domain::facts::{Facts, Lookups};
use hardmatch_domain::person::PersonRecord;
use hardmatch_domain::{Context, decide};
use proptest::prelude::*;

use crate::laws::{a_world, config};
use crate::world::*;

/// A tenant of which no listing is complete.
fn unlisted(mut world: World) -> World {
    (world.tenant.users_complete, world.tenant.deleted_complete) = (false, false);
    world
}

fn asked_of(world: &World, record: &PersonRecord) -> Vec<Question> {
    let facts = world.facts();
    let linked = facts.link(&record.reference()).map(|link| link.account.clone());
    questions(&Lookups::of(&world.policy), record, linked.as_ref())
}

fn looked_up(asked: &[Question], at: i64) -> Knowledge {
    let mut answers = Answers::default();
    for question in asked {
        answers.note(question, at);
    }
    Knowledge::Asked(answers, NOW)
}

fn decided(world: &World, record: &PersonRecord, knowledge: &Knowledge) -> hardmatch_domain::change::Decision {
    decide(record, &world.facts(), &Context { knowledge, ..world.context() })
}

#[test]
fn a_person_is_asked_for_under_id_names_number_and_link() {
    use hardmatch_domain::attribute::Attr;
    let record = person("ada").set(Attr::EmployeeId, "0012").login("ada@contoso.com").primary("Ada@Contoso.com");
    let asked = questions(&Lookups::default(), &record, Some(&"a-ada".into()));
    let wanted = [
        Question::Account("a-ada".into()),
        Question::ImmutableId("id-ada".into()),
        Question::Name("ada@contoso.com".into()),
        Question::EmployeeId("0012".into()),
    ];
    assert!(asked == wanted, "{asked:?}");
}

#[test]
fn nobody_asked_a_moment_ago_is_as_good_as_a_listing() {
    let world = unlisted(world().person(person("ada")));
    let record = &world.people[0];
    assert_eq!(line(&world.decide("ada")), "none: incomplete");
    let asked = asked_of(&world, record);
    let fresh = NOW - ANSWER_SECONDS + 1;
    assert_eq!(line(&decided(&world, record, &looked_up(&asked, fresh))), "create: provision | create id-ada");
    let stale = NOW - ANSWER_SECONDS;
    assert_eq!(line(&decided(&world, record, &looked_up(&asked, stale))), "none: incomplete");
}

#[test]
fn a_value_that_was_not_asked_for_is_not_free() {
    let world = world().person(person("ada"));
    let record = &world.people[0];
    let asked = asked_of(&world, record);
    for left_out in 0..asked.len() {
        let mut some = asked.clone();
        let question = some.remove(left_out);
        // Not even where a listing was complete some time ago.
        assert_eq!(line(&decided(&world, record, &looked_up(&some, NOW))), "none: incomplete", "{question:?}");
    }
}

#[test]
fn a_look_up_is_kept_as_json_and_compared_without_case() {
    let mut answers = Answers::default();
    answers.note(&Question::Name("Ada@Contoso.com".into()), 5);
    answers.note(&Question::Name("ada@contoso.com".into()), 3);
    let json = serde_json::to_string(&answers).unwrap();
    let read: Answers = serde_json::from_str(&json).unwrap();
    assert_eq!(read, answers);
    let question = Question::Name("ADA@contoso.com".into());
    assert!(read.has(&question, 5 + ANSWER_SECONDS - 1) && !read.has(&question, 5 + ANSWER_SECONDS));
    assert!(!format!("{question:?}").contains("ADA"), "personal data stays out of logs");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everything_asked_decides_as_complete_listings_do(world in a_world()) {
        let mut world = world;
        (world.tenant.users_complete, world.tenant.deleted_complete) = (true, true);
        for record in &world.people {
            let listed = decided(&world, record, Knowledge::LISTINGS);
            let asked = decided(&world, record, &looked_up(&asked_of(&world, record), NOW));
            prop_assert_eq!(line(&listed), line(&asked));
        }
    }

    #[test]
    fn something_not_asked_decides_as_unread_listings_do(world in a_world(), left_out in any::<prop::sample::Index>()) {
        let world = unlisted(world);
        for record in &world.people {
            let mut asked = asked_of(&world, record);
            if asked.is_empty() {
                continue;
            }
            asked.remove(left_out.index(asked.len()));
            let some = decided(&world, record, &looked_up(&asked, NOW));
            prop_assert_eq!(line(&some), line(&decided(&world, record, Knowledge::LISTINGS)));
            let steps = some.change.as_ref().map(|change| change.steps.as_slice()).unwrap_or_default();
            prop_assert!(!steps.iter().any(|step| matches!(step, Step::Create { .. })), "unknown was read as free");
        }
    }
}
