//! What an operator says about a connection holds at every door: paused, disconnected, another policy; and what is said
//! about one connection of a tenant is nobody else's.

use hardmatch_domain::change::Action;
use hardmatch_match::Accept;
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{OutcomeKind, Phase, Status};
use hardmatch_store::connection::Meta;
use hardmatch_tests::{CorruptAnswer, KillAt, Messages, Stopped, World, guid};

/// Ada, Bea and Cleo have accounts of ours, and a new title.
async fn three_changes() -> World {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea").hire("cleo");
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    world.pass_days(1);
    for name in ["ada", "bea", "cleo"] {
        world.people.set(name, "title", "Lead");
    }
    world
}

async fn tell(world: &World, change: impl Fn(&mut Meta)) {
    world.store().await.update_together(&world.connection(), change).await.unwrap();
}

/// How many calls of a command reached the tenant, sign-in included.
fn asked(world: &World) -> usize {
    world.tenant.requests().len()
}

#[tokio::test]
async fn a_disconnected_connection_is_neither_read_nor_decided_whoever_opens_a_run() {
    let mut world = three_changes().await;
    let now = world.clock.now_seconds();
    tell(&world, |meta| _ = meta.status.disconnect(now)).await;
    let ended = world.try_sync(Accept::TheStop).await;
    assert!(matches!(&ended, Err(Stopped::Failed(_))), "{:?}", ended.map(|ran| ran.run.phase));
    assert_eq!(asked(&world), 0, "its credentials were given up");
    let run = world.runs().await.remove(0);
    assert_eq!((run.phase, run.collections.len()), (Phase::Observing, 0));
    // Not even where both sides were read before.
    let read = |run: &mut hardmatch_ports::run::Run| {
        run.phase = Phase::Deciding;
        true
    };
    world.store().await.update_run(&world.connection(), &run.id, read).await.unwrap();
    world.notify_run(&[MessageKind::Match, MessageKind::Advance]).await.unwrap();
    assert_eq!((world.runs().await[0].phase, asked(&world)), (Phase::Deciding, 0));
}

#[tokio::test]
async fn a_connection_disconnected_while_its_changes_lie_in_the_lane_writes_none_of_them() {
    for at in 1.. {
        let mut world = three_changes().await;
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
        let ended = world.try_sync(Accept::Nothing).await;
        assert_eq!(ended.map(drop), Err(Stopped::Killed), "the run was over before it wrote");
        if world.runs().await[0].phase != Phase::Writing {
            continue;
        }
        let now = world.clock.now_seconds();
        tell(&world, |meta| _ = meta.status.disconnect(now)).await;
        world.messages = Messages::Lost;
        for _ in 0..3 {
            world.notify_run(&[MessageKind::Write, MessageKind::Advance, MessageKind::ObserveTenant]).await.unwrap();
            assert_eq!(asked(&world), 0);
        }
        return;
    }
}

#[tokio::test]
async fn o33_a_run_keeps_the_policy_it_was_begun_with_and_every_policy_is_kept() {
    let mut world = three_changes().await;
    let slot = world.clock.now().to_string();
    world.messages = Messages::Lost;
    world.notify(&[MessageKind::Start { slot }]).await.unwrap();
    let (store, connection) = (world.store().await, world.connection());
    let first = store.meta(&connection).await.unwrap().policy.revision;
    // The run is open; then the policy says something else.
    world.set_policy("[attributes]\njobTitle = \"person.jobTitle + '!'\"");
    world.messages = Messages::Heard;
    for _ in 0..3 {
        world.notify(&[MessageKind::Tick]).await.unwrap();
    }
    let run = world.runs().await.remove(0);
    assert_eq!((run.phase, run.policy_revision), (Phase::Closed, first), "{:?}", run.status);
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead", "as it was begun");

    let ran = world.sync_yes().await;
    assert_eq!((ran.run.policy_revision, ran.count(OutcomeKind::Done)), (first + 1, 3), "{:?}", ran.outcomes);
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Lead!");
    let texts = [store.policy(&connection, first).await.unwrap(), store.policy(&connection, first + 1).await.unwrap()];
    assert!(texts.iter().all(Option::is_some) && texts[0] != texts[1], "what each run was decided by can be read");
}

#[tokio::test]
async fn two_connections_of_one_tenant_have_nothing_to_do_with_one_another() {
    let mut world = World::new().await;
    world.people.hire("ada").hire("bea");
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));

    world.turn_to("fabrikam");
    world.people.hire("zoe").hire("cleo");
    for (number, name) in [(71, "zoe"), (72, "cleo")] {
        world.people.set(name, "objectGUID", &guid(number)).set(name, "employeeID", &format!("E{number}"));
    }
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.rows.len(), ran.count(OutcomeKind::Done)), (2, 2), "{:?}", ran.outcomes);
    assert_eq!(world.accounts().len(), 4);

    // A person who is missing here was never there.
    world.turn_to("contoso");
    world.people.set("ada", "title", "Lead");
    tell(&world, |meta| meta.status.pause("an operator", 5)).await;
    world.turn_to("fabrikam");
    world.people.set("cleo", "title", "Lead");
    world.pass_days(1);
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.calls()), (Some(Status::Converged), vec!["PATCH /users/{id} 204".to_owned()]));
    assert_eq!(world.account("cleo@contoso.com").text("jobTitle"), "Lead", "paused is the other one");
    assert_eq!(world.account("ada@contoso.com").text("jobTitle"), "Engineer");

    // And what is switched off in one is on in the other.
    world.turn_to("contoso");
    tell(&world, |meta| meta.status.resume()).await;
    tell(&world, |meta| _ = meta.status.off.insert(Action::Update)).await;
    world.turn_to("fabrikam");
    world.people.set("cleo", "title", "Head");
    assert_eq!(world.sync().await.outcome("cleo@contoso.com"), "done");
    world.turn_to("contoso");
    assert_eq!(world.sync().await.outcome("ada@contoso.com"), "held: action_off");
    tell(&world, |meta| meta.status.off.clear()).await;
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.rows.len()), (Some(Status::Converged), 1), "{:?}", ran.outcomes);
    assert!(world.accounts().iter().all(hardmatch_tests::Seen::enabled));
}

#[tokio::test]
async fn a_person_whom_another_connection_has_is_refused_and_stays_theirs() {
    let mut world = World::new().await;
    world.people.hire("ada");
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    let account = world.account("ada@contoso.com").id().to_owned();

    world.turn_to("fabrikam");
    world.people.hire("ada").set("ada", "title", "Impostor");
    let planned = world.plan().await;
    assert_eq!(planned.decided("ada@contoso.com"), "none: claimed_by_connection");
    let ran = world.apply(&planned.hash()).await;
    assert!(ran.writes.is_empty(), "{:?}", ran.calls());
    // The scope of the connection that does not have them leaves them out, and nothing is refused any more.
    world.set_policy("[scope]\ninclude = \"person.jobTitle != 'Impostor'\"");
    let planned = world.plan().await;
    assert!(
        !planned.decided("ada@contoso.com").contains("claimed_by_connection"),
        "{}",
        planned.decided("ada@contoso.com")
    );
    world.set_policy("");
    // They leave there, too: nobody is blocked who is another's.
    world.pass_days(1);
    world.people.hire("bea").set("bea", "objectGUID", &guid(72));
    world.people.remove("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.calls(), ["POST /users 201"]);
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.id(), ada.text("jobTitle"), ada.enabled()), (account.as_str(), "Engineer", true));
    world.turn_to("contoso");
    assert!(world.sync().await.writes.is_empty());
}
