//! What is kept of changes that ended: every step that the tenant took, with what was before.

use std::time::Duration;

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::change::{Action, ManagerTarget, Step};
use hardmatch_domain::ids::{ImmutableId, PersonKey};
use hardmatch_ports::run::{Outcome, OutcomeKind, WrittenChange};
use hardmatch_sim::{Fault, FaultRule, Seed};
use hardmatch_tests::{World, guid, immutable_id};

/// A person's history, newest first.
async fn history(world: &World, number: usize) -> Vec<Outcome> {
    let store = world.store().await;
    let pid = store.secret().pid(&guid_key(number));
    store.history(&world.connection(), pid, 50).await.unwrap()
}

fn guid_key(number: usize) -> PersonKey {
    PersonKey::new(guid(number))
}

/// What was written of the newest change.
async fn last(world: &World, number: usize) -> WrittenChange {
    *history(world, number).await.remove(0).written.expect("something was written")
}

#[tokio::test]
async fn an_ended_change_keeps_each_step_with_old_and_new() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    let created = last(&world, 1).await;
    assert_eq!(created.action, Action::Create);
    let [Step::Create { immutable_id: id, .. }] = created.steps.as_slice() else { panic!("{created:?}") };
    assert_eq!(id.as_ref().map(ImmutableId::as_str), Some(immutable_id(&guid(1)).as_str()));
    assert_eq!(created.why[0].code.as_str(), "provision");
    world.pass_days(1);
    world.people.set("ada", "title", "Lead").set("ada", "manager", "bea@contoso.com");
    world.sync().await;
    let written = last(&world, 1).await;
    let [
        Step::Update { before, after, .. },
        Step::SetManager { before: none, after: Some(ManagerTarget::Account(id)) },
    ] = written.steps.as_slice()
    else {
        panic!("{written:?}")
    };
    assert_eq!((before.get(Attr::JobTitle), after.get(Attr::JobTitle)), (Some("Engineer"), Some("Lead")));
    assert_eq!((none, id.as_str()), (&None, world.account("bea@contoso.com").id()));
    // The next change moves it on; nothing is lost.
    world.pass_days(1);
    world.people.set("ada", "title", "Boss");
    world.sync().await;
    let kinds: Vec<Action> =
        history(&world, 1).await.iter().filter_map(|past| Some(past.written.as_ref()?.action)).collect();
    assert_eq!(kinds, [Action::Update, Action::Update, Action::Create]);
}

#[tokio::test]
async fn what_the_tenant_refused_is_no_part_of_what_was_written() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    world.settle_by_hash().await;
    world.pass_days(1);
    world.people.set("ada", "title", "Lead").set("ada", "manager", "bea@contoso.com");
    let refused = Fault::Status {
        status: 400,
        code: Some("Request_BadRequest".into()),
        message: Some("no manager".into()),
        retry_after: None,
        applied: false,
    };
    world.tenant.inject(FaultRule::new("PUT /users/{id}/manager/$ref", refused));
    world.sync().await;
    let past = history(&world, 1).await.remove(0);
    assert_eq!(past.result, OutcomeKind::Refused);
    let written = past.written.expect("the title was written");
    assert!(matches!(written.steps.as_slice(), [Step::Update { .. }]), "{written:?}");
}

#[tokio::test]
async fn o27_every_immutable_id_of_the_source_is_remembered() {
    let mut world = World::with(Seed::contoso(), "[anchor]\nfrom = \"employeeID\"").await;
    world.people.hire("ada");
    world.people.set("ada", "employeeID", "100001");
    world.plan().await;
    for number in ["100002", "100001", "100003"] {
        world.pass(Duration::from_hours(24));
        world.people.set("ada", "employeeID", number);
        world.plan().await;
    }
    let store = world.store().await;
    let (_, record) = store.people(&world.connection(), &[store.secret().pid(&guid_key(1))]).await.unwrap().remove(0);
    let former: Vec<&str> = record.former.iter().map(ImmutableId::as_str).collect();
    assert_eq!(former, ["100002", "100001"], "{:?}", record.person.anchors);
}
