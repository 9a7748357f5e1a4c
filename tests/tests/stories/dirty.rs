//! Who is decided again: a person is dirty from the change of their facts until their own change is done.

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::run::{OutcomeKind, Phase, Status};
use hardmatch_sim::{Fault, FaultRule};
use hardmatch_store::PersonHash;
use hardmatch_tests::{CorruptAnswer, KillAt, World};

async fn dirty(world: &World) -> Vec<PersonHash> {
    world.store().await.dirty_people(&world.connection()).await.unwrap()
}

async fn counted(world: &World) -> usize {
    dirty(world).await.len()
}

async fn company(people: usize) -> World {
    let mut world = World::new().await;
    for number in 0..people {
        world.people.hire(&format!("p{number:04}"));
    }
    world
}

fn refused(status: u16) -> Fault {
    // Of a value that every account needs: no smaller creation is tried.
    let message = "Invalid value specified for property 'displayName' of resource 'User'.".to_owned();
    Fault::Status {
        status,
        code: Some("Request_BadRequest".to_owned()),
        message: Some(message),
        retry_after: None,
        applied: false,
    }
}

#[tokio::test]
async fn people_stay_dirty_until_their_plan_is_applied() {
    let mut world = company(120).await;
    for _ in 0..2 {
        world.plan().await;
        assert_eq!(counted(&world).await, 120, "a plan that nobody accepts leaves them as they are");
    }
    world.settle_by_hash().await;
    assert_eq!(counted(&world).await, 0);
    world.people.set("p0007", "title", "Lead");
    world.plan().await;
    assert_eq!(counted(&world).await, 1);
}

#[tokio::test]
async fn a_person_whose_change_is_not_done_stays_dirty() {
    let mut world = company(60).await;
    world.tenant.inject(FaultRule::once("POST /users", refused(400)));
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.count(OutcomeKind::Done), ran.count(OutcomeKind::Refused)), (59, 1), "{:?}", ran.outcomes);
    assert_eq!(counted(&world).await, 1);
    assert_eq!(world.sync().await.rows.len(), 1, "nobody else is decided again");
}

#[tokio::test]
async fn a_person_whose_manager_could_not_be_made_stays_dirty_although_they_were() {
    let mut world = World::new().await;
    world.people.hire("boss").hire("ada").set("ada", "manager", "boss@contoso.com");
    // Managers come before their reports.
    world.tenant.inject(FaultRule::once("POST /users", refused(400)));
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.outcome("boss@contoso.com").as_str(), ran.count(OutcomeKind::Done)), ("refused: invalid_value", 1));
    assert_eq!(counted(&world).await, 2, "the boss and Ada");
    world.pass_days(2);
    world.sync().await;
    world.sync().await;
    assert_eq!(world.account("ada@contoso.com").text("manager"), world.account("boss@contoso.com").id());
    assert_eq!(counted(&world).await, 0);
}

#[tokio::test]
async fn people_marked_again_while_their_changes_are_on_their_way_stay_dirty() {
    for at in 1.. {
        let mut world = company(3).await;
        let hash = world.plan().await.hash();
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
        world.try_apply(&hash).await.unwrap_err();
        if world.runs().await[0].phase != Phase::Writing {
            continue;
        }
        // What an observation does that finds something new about all of them.
        let everybody = dirty(&world).await;
        assert_eq!(everybody.len(), 3);
        let (store, connection) = (world.store().await, world.connection());
        let again = everybody.iter().map(|pid| store.mark_dirty(&connection, *pid)).collect();
        store.write_all(again).await.unwrap();
        let ran = world.sync().await;
        assert_eq!(ran.count(OutcomeKind::FactsMoved), 3, "nothing is sent on facts that moved: {:?}", ran.outcomes);
        assert_eq!(counted(&world).await, 3, "the mark is not the one that the run saw");
        let ran = world.sync().await;
        assert_eq!((ran.status(), ran.count(OutcomeKind::Done)), (Some(Status::Converged), 3), "decided once more");
        assert_eq!(counted(&world).await, 0);
        return;
    }
}

#[tokio::test]
async fn people_whom_the_tenant_refuses_stay_dirty_without_a_write() {
    let mut world = company(1_050).await;
    world.tenant.inject(FaultRule::new("POST /users", refused(400)));
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.count(OutcomeKind::Refused)), (Some(Status::Attention), 1_050));
    assert_eq!(counted(&world).await, 1_050);
}

#[tokio::test]
async fn what_became_of_a_person_is_told_run_by_run() {
    let mut world = World::new().await;
    world.people.hire("ada");
    let mut runs = vec![world.settle_by_hash().await.run.id];
    for title in ["Lead", "Head", "Chief"] {
        world.pass_days(1);
        world.people.set("ada", "title", title);
        runs.push(world.sync().await.run.id);
    }
    runs.reverse();
    let (store, connection) = (world.store().await, world.connection());
    let ada = store.secret().pid(&PersonKey::new(world.people.get("ada", "objectGUID")));
    let told = store.history(&connection, ada, 3).await.unwrap();
    assert_eq!(told.iter().map(|outcome| &outcome.run).collect::<Vec<_>>(), runs.iter().take(3).collect::<Vec<_>>());
    let all = store.history(&connection, ada, 10).await.unwrap();
    assert_eq!(all.len(), 4, "the newest is where the change was, the others are in the history");
    for id in &runs {
        let run = store.run(&connection, id).await.unwrap().unwrap().value;
        let [(_, outcome)] = &store.outcomes_of(&run, &[ada]).await.unwrap()[..] else { panic!("one of {id}") };
        assert_eq!((&outcome.run, outcome.result), (id, OutcomeKind::Done));
    }
}
