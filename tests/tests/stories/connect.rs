//! Giving a connection up and taking it up again: links wait, clocks stand still, nobody is touched.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_match::{Accept, disconnect};
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::run::{Phase, Status, Stop};
use hardmatch_sim::{CONTOSO_TENANT_ID, Seed};
use hardmatch_store::TenantKey;
use hardmatch_store::connection::ConnectionState;
use hardmatch_tests::{CorruptAnswer, KillAt, Seen, Stopped, World};
use serde_json::json;

fn scope() -> TenantKey {
    TenantKey::new("simulated", CONTOSO_TENANT_ID)
}

async fn disconnect_now(world: &World) -> hardmatch_match::DisconnectResult {
    let now = world.clock.now().as_millisecond();
    disconnect(&world.store().await, Some(&scope()), &world.connection(), now).await.unwrap()
}

async fn take_up(world: &World) {
    let now = world.clock.now().as_second();
    world.store().await.reconnect(&world.connection(), CONTOSO_TENANT_ID, now).await.unwrap();
}

async fn standing(world: &World) -> ConnectionState {
    world.store().await.meta(&world.connection()).await.unwrap().status.state
}

/// Everybody's link, by sign-in name at the source.
async fn links(world: &World) -> BTreeMap<String, ObjectId> {
    let store = world.store().await;
    let mut found = BTreeMap::new();
    let pids: Vec<_> = world.people.names().iter().map(|name| store.secret().pid(&key(world, name))).collect();
    for (_, record) in store.people(&world.connection(), &pids).await.unwrap() {
        let link = store.link_of(&scope(), &record.reference()).await.unwrap();
        found.extend(link.map(|link| (record.person.upn().unwrap_or_default().to_owned(), link.value.account)));
    }
    found
}

fn key(world: &World, name: &str) -> hardmatch_domain::ids::PersonKey {
    hardmatch_domain::ids::PersonKey::new(world.people.get(name, "objectGUID"))
}

async fn with(count: usize, policy: &str) -> World {
    let mut world = World::with(Seed::contoso(), policy).await;
    for number in 0..count {
        world.people.hire(&format!("p{number:04}"));
    }
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    world.pass_days(1);
    world
}

#[tokio::test]
async fn j2_j3_j4_j5_a_thousand_links_come_back_and_disconnecting_touches_nobody() {
    let mut world = with(1_000, "").await;
    let before = (world.accounts(), links(&world).await, world.people.csv());
    assert_eq!(before.1.len(), 1_000);
    world.tenant.take_requests();

    let disconnected = disconnect_now(&world).await;
    assert_eq!((disconnected.new, disconnected.links), (true, 1_000));
    assert!(world.tenant.take_requests().is_empty(), "disconnecting calls nobody");
    // Schedules, the tick and time change nothing.
    for _ in 0..3 {
        world.pass_days(10);
        let slot = world.clock.now().to_string();
        world.notify(&[MessageKind::Nightly { slot }, MessageKind::Tick]).await.unwrap();
        assert!(world.tenant.take_requests().is_empty(), "nobody is called");
    }
    assert_eq!((world.accounts(), links(&world).await, world.people.csv()), before);
    assert_eq!(standing(&world).await, ConnectionState::Disconnected);
    assert!(!disconnect_now(&world).await.new, "twice is once");

    // Meanwhile somebody deletes one account, and another's immutable ID is changed.
    world.tenant.delete_user("p0007@contoso.com").unwrap();
    world.tenant.set_user("p0008@contoso.com", json!({ "onPremisesImmutableId": "Zm9yZWlnbg==" })).unwrap();
    world.people.set("p0001", "title", "Lead");
    let meanwhile = world.accounts();

    take_up(&world).await;
    let ran = world.sync().await;
    assert_eq!((ran.run.phase, ran.run.stop), (Phase::Planned, Some(Stop::FirstRun)));
    assert_eq!(ran.rows.len(), 1_000, "everybody is decided again");
    let listing =
        world.tenant.requests().into_iter().filter(|call| call.method == "GET" && call.route == "/users").count();
    assert!(listing > 0, "the tenant is read whole");
    for row in &ran.rows {
        let wanted = match &*row.upn {
            "p0007@contoso.com" => "none: account_deleted",
            "p0008@contoso.com" => "none: anchor_drift",
            "p0001@contoso.com" => "update: attributes_differ",
            _ => "none: converged",
        };
        assert_eq!(ran.decided(&row.upn), wanted, "{}", row.upn);
    }
    assert_eq!(world.accounts(), meanwhile, "nothing is written before somebody has seen the plan");
    let ran = world.apply(&ran.hash()).await;
    assert_eq!(ran.calls(), ["PATCH /users/{id} 204"]);
    assert_eq!(world.accounts().len(), meanwhile.len(), "no duplicate, no loss");
    assert_eq!(links(&world).await, before.1, "nobody is bound again by hand");
    // From here on nights are as they were.
    world.pass_days(1);
    world.people.set("p0002", "title", "Lead");
    let ran = world.sync().await;
    assert_eq!((ran.run.stop, ran.writes.len()), (None, 1));
}

#[tokio::test]
async fn j4_clocks_of_leaving_stand_still_while_disconnected() {
    let mut world = with(3, "[lifecycle]\nabsent = { action = \"suspend\", after = \"10d\" }").await;
    world.people.remove("p0001");
    assert_eq!(world.sync().await.decided("p0001@contoso.com"), "none: in_grace");
    world.pass_days(4);
    disconnect_now(&world).await;
    world.pass_days(300);
    world.notify(&[MessageKind::Tick]).await.unwrap();
    take_up(&world).await;
    let ran = world.sync().await;
    assert_eq!(
        (ran.run.phase, ran.run.stop),
        (Phase::Closed, Some(Stop::FirstRun)),
        "nothing to write, nothing to ask"
    );
    assert_eq!(ran.decided("p0001@contoso.com"), "none: in_grace", "four days of ten have gone");
    world.pass_days(5);
    assert!(world.sync().await.writes.is_empty());
    assert!(world.account("p0001@contoso.com").enabled());
    world.pass_days(2);
    let ran = world.sync().await;
    assert_eq!(ran.decided("p0001@contoso.com"), "suspend: source_absent");
    assert!(!world.account("p0001@contoso.com").enabled());
}

#[tokio::test]
async fn j5_a_plan_from_before_is_not_applied_after() {
    let mut world = with(3, "").await;
    world.people.set("p0000", "title", "Lead");
    let hash = world.plan().await.hash();
    assert_eq!(disconnect_now(&world).await.abandoned, 1);
    take_up(&world).await;
    assert!(world.try_apply(&hash).await.is_err());
    assert!(world.accounts().iter().all(|account: &Seen| account.text("jobTitle") == "Engineer"));
}

#[tokio::test]
async fn j5_credentials_of_another_tenant_bring_nothing_back() {
    let world = with(1, "").await;
    disconnect_now(&world).await;
    let (store, now) = (world.store().await, world.clock.now().as_second());
    let other = "c2a7e0b4-91f3-4f0e-8a4b-7d35b2c9e611";
    store.reconnect(&ConnectionId::new("contoso"), other, now).await.unwrap();
    assert_eq!(standing(&world).await, ConnectionState::Disconnected);
    take_up(&world).await;
    assert_eq!(standing(&world).await, ConnectionState::Active);
}

#[tokio::test]
async fn j2_o16_disconnected_in_the_middle_of_a_run_nothing_more_is_asked_and_nobody_is_doubled() {
    for at in [30, 60, 90] {
        let mut world = with(3, "").await;
        // As many as may always come in a day.
        for number in 10..35 {
            world.people.hire(&format!("n{number:04}"));
        }
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Done });
        assert!(matches!(world.try_sync(Accept::TheStop).await, Err(Stopped::Killed)), "{at}: the run is under way");
        assert_eq!(disconnect_now(&world).await.abandoned, 1, "{at}");
        let accounts = world.accounts();
        world.tenant.take_requests();
        // Whatever messages of it are still on their way.
        let messages = [
            MessageKind::ObserveTenant,
            MessageKind::ObserveSource,
            MessageKind::Match,
            MessageKind::Write,
            MessageKind::Advance,
        ];
        world.notify_run(&messages).await.unwrap();
        world.notify(&[MessageKind::Tick]).await.unwrap();
        let asked: Vec<_> = world.tenant.take_requests().into_iter().map(|call| call.route).collect();
        assert!(asked.is_empty(), "{at}: {asked:?}");
        assert_eq!(world.accounts(), accounts, "{at}: nothing more is written");

        take_up(&world).await;
        let ran = world.sync().await;
        assert_eq!(ran.run.stop, Some(Stop::FirstRun), "{at}");
        world.apply(&ran.hash()).await;
        let mut upns: Vec<String> =
            world.accounts().iter().map(|account| account.text("userPrincipalName").to_owned()).collect();
        let all = upns.len();
        upns.sort();
        upns.dedup();
        assert_eq!((upns.len(), all), (28, 28), "{at}: everybody once");
    }
}
