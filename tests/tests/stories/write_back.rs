//! Values of accounts, written into a directory that has none: after joins and creations, never over a value, journaled.

use hardmatch_domain::ids::{Guid, PersonKey, PersonRef};
use hardmatch_ports::run::{Phase, SourceWriteResult, SourceWrites, Status};
use hardmatch_sim::Seed;
use hardmatch_tests::{CorruptAnswer, KillAt, Taught, World, by_hand, guid, immutable_id};
use serde_json::json;

const ANCHOR: &str = "mS-DS-ConsistencyGuid";
const TAUGHT: &str = "[write_back]\nmS-DS-ConsistencyGuid = \"immutableId\"";

fn bytes(number: usize) -> Vec<u8> {
    Guid::parse(&guid(number)).unwrap().ad_bytes().to_vec()
}

/// The journal of a person, newest first.
async fn journal(world: &World, number: usize) -> Vec<SourceWrites> {
    let store = world.store().await;
    let who = PersonRef { connection: world.connection(), key: PersonKey::new(guid(number)) };
    store.source_writes(&who.connection, store.pid(&who), 99).await.unwrap()
}

fn results(journal: &[SourceWrites]) -> Vec<(&str, Option<SourceWriteResult>)> {
    let values = journal.iter().flat_map(|writes| &writes.values);
    values.map(|value| (&*value.value.attribute, value.result)).collect()
}

/// Ada is linked, and somebody changed her account's immutable ID to nobody's.
async fn drifted(policy: &str) -> (World, Taught) {
    let mut world = World::new().await;
    let taught = world.teach(policy);
    world.people.hire("ada");
    world.settle_by_hash().await;
    world.pass_days(1);
    let id = json!(immutable_id(&guid(77)));
    world.tenant.set_user("ada@contoso.com", json!({ "onPremisesImmutableId": id })).unwrap();
    (world, taught)
}

#[tokio::test]
async fn o25_a_learnt_anchor_is_written_into_the_directory_and_read_again() {
    let (mut world, taught) = drifted("[anchor]\non_conflict = \"tenant-wins\"").await;
    world.teach(&format!("[anchor]\non_conflict = \"tenant-wins\"\n{TAUGHT}"));
    let plan = world.plan().await;
    assert_eq!(plan.run.plan.as_ref().unwrap().write_back, [(ANCHOR.to_owned(), 1)].into());
    let planned = &plan.row("ada@contoso.com").unwrap().decision.write_back;
    assert_eq!(planned[0].values.join(" "), immutable_id(&guid(77)));
    assert_eq!(taught.calls(), 0, "a plan writes nothing");
    let ran = world.apply(&plan.hash()).await;
    assert_eq!(taught.values(&guid(1), ANCHOR), [bytes(77)]);
    assert_eq!((ran.run.write_back.as_ref().unwrap().written, ran.status()), (1, Some(Status::Converged)));
    let journaled = journal(&world, 1).await;
    assert_eq!(results(&journaled), [(ANCHOR, Some(SourceWriteResult::Written))]);
    assert_eq!(journaled[0].run, ran.run.id);
    // The directory gives the tenant's ID from now on: nothing differs any more, and nothing is left to do.
    let ran = world.sync().await;
    assert_eq!(ran.decided("ada@contoso.com"), "none: converged");
    let ran = world.sync().await;
    assert_eq!((ran.rows.len(), ran.run.write_back, taught.writes().len()), (0, None, 1));
}

#[tokio::test]
async fn new_accounts_give_the_directory_their_anchor_and_their_id() {
    let mut world = World::with(Seed::contoso().user(by_hand("bea")), "").await;
    let more = "msDS-cloudExtensionAttribute1 = \"id\"\nmsDS-cloudExtensionAttribute2 = \"userPrincipalName\"\n\
                msDS-cloudExtensionAttribute3 = \"proxyAddresses\"";
    let taught = world.teach(&format!("{TAUGHT}\n{more}"));
    world.people.hire("ada").hire("bea");
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.run.phase, Phase::Closed);
    for (number, name) in [(1, "ada"), (2, "bea")] {
        let account = world.account(&format!("{name}@contoso.com"));
        let text = |attribute| -> Vec<String> {
            let values = taught.values(&guid(number), attribute);
            values.into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
        };
        assert_eq!(taught.values(&guid(number), ANCHOR), [bytes(number)]);
        assert_eq!(text("msDS-cloudExtensionAttribute1"), [account.id()]);
        assert_eq!(text("msDS-cloudExtensionAttribute2"), [format!("{name}@contoso.com")]);
    }
    // Two runs later nothing is written, and nobody is decided.
    world.sync().await;
    let writes = taught.writes().len();
    let ran = world.sync().await;
    assert_eq!((ran.rows.len(), taught.writes().len()), (0, writes));
}

#[tokio::test]
async fn nothing_is_written_back_unless_the_policy_says_so() {
    let mut world = World::new().await;
    let taught = world.teach("");
    world.people.hire("ada");
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.run.write_back, taught.calls()), (Some(Status::Converged), None, 0));
}

#[tokio::test]
async fn a_value_that_is_there_is_never_changed() {
    let mut world = World::new().await;
    let taught = world.teach(TAUGHT);
    world.people.hire("ada");
    // The account that reads does not see the value.
    taught.hide(true);
    taught.put(&guid(1), ANCHOR, &bytes(5));
    let ran = world.settle_by_hash().await;
    let note = ran.run.write_back.unwrap();
    assert_eq!((note.written, note.kept, note.refused), (0, 1, 0));
    assert_eq!(taught.values(&guid(1), ANCHOR), [bytes(5)]);
    assert_eq!(results(&journal(&world, 1).await), [(ANCHOR, Some(SourceWriteResult::Kept))]);
}

#[tokio::test]
async fn a_missing_right_is_named_and_ends_no_run() {
    let mut world = World::new().await;
    let taught = world.teach(TAUGHT);
    taught.forbid(true);
    world.people.hire("ada").hire("bea");
    let ran = world.settle_by_hash().await;
    assert!(world.account("ada@contoso.com").enabled(), "the tenant is written to all the same");
    assert_eq!(ran.status(), Some(Status::Attention));
    let note = ran.run.write_back.unwrap();
    assert_eq!((note.refused, note.why.len()), (2, 1), "{note:?}");
    assert!(note.why[0].contains("dsacls"), "{note:?}");
    // With the right, the next run does it.
    taught.forbid(false);
    let ran = world.sync().await;
    assert_eq!((ran.run.write_back.unwrap().written, ran.run.status), (2, Some(Status::Converged)));
    assert_eq!(taught.values(&guid(2), ANCHOR), [bytes(2)]);
}

#[tokio::test]
async fn after_fifty_refusals_the_directory_is_asked_no_more() {
    let mut world = World::new().await;
    let taught = world.teach(TAUGHT);
    taught.forbid(true);
    for number in 0..120 {
        world.people.hire(&format!("p{number}"));
    }
    let ran = world.settle_by_hash().await;
    let note = ran.run.write_back.unwrap();
    assert_eq!((note.refused, taught.calls()), (120, 1), "{note:?}");
}

#[tokio::test]
async fn a_broken_connection_is_looked_up_and_nothing_is_written_twice() {
    let mut world = World::new().await;
    let taught = world.teach(TAUGHT);
    world.people.hire("ada").hire("bea").hire("cleo");
    taught.break_after(Some(2));
    let ran = world.settle_by_hash().await;
    assert_eq!(ran.run.write_back.unwrap().written, 3, "what the broken connection carried was found");
    assert_eq!((taught.writes().len(), taught.calls()), (3, 2));
    assert_eq!(results(&journal(&world, 2).await), [(ANCHOR, Some(SourceWriteResult::Written))]);
}

#[tokio::test]
async fn a_person_who_leaves_or_waits_for_an_approval_teaches_nothing() {
    let mut world = World::with(Seed::contoso().user(by_hand("bea")), "").await;
    let taught = world.teach(&format!("[actions]\ntakeover = \"approve\"\n{TAUGHT}"));
    world.people.hire("ada").hire("bea").hire("cleo").set("cleo", "enabled", "false");
    let ran = world.sync_yes().await;
    assert_eq!(taught.writes(), [(PersonKey::new(guid(1)), ANCHOR.to_owned())]);
    assert!(ran.row("bea@contoso.com").unwrap().decision.write_back.is_empty());
    assert!(ran.row("cleo@contoso.com").unwrap().decision.write_back.is_empty());
}

#[tokio::test]
async fn a_run_killed_at_each_write_gives_the_directory_each_value_once() {
    let mut at = 1;
    let mut reached = 0;
    loop {
        let mut world = World::new().await;
        let taught = world.teach(TAUGHT);
        world.people.hire("ada").hire("bea");
        world.sync_yes().await;
        let before = taught.writes().len();
        world.people.hire("cleo");
        world.cut = Some(KillAt { at, spoil: CorruptAnswer::Lost });
        let cut = world.try_sync(hardmatch_match::Accept::Nothing).await;
        reached += usize::from(cut.is_err() && taught.writes().len() > before);
        for _ in 0..3 {
            world.sync().await;
        }
        assert_eq!(taught.writes().len(), 3, "killed at write {at}");
        assert_eq!(taught.values(&guid(3), ANCHOR), [bytes(3)], "killed at write {at}");
        let journaled = journal(&world, 3).await;
        let ours = (ANCHOR, Some(SourceWriteResult::Written));
        assert!(
            results(&journaled).contains(&ours),
            "killed at write {at}: nobody knows that it was ours: {journaled:?}"
        );
        assert!(journaled.iter().all(|writes| writes.key == PersonKey::new(guid(3))));
        let ran = world.sync().await;
        assert_eq!((ran.status(), ran.rows.len()), (Some(Status::Converged), 0), "killed at write {at}");
        if cut.is_ok() {
            break;
        }
        at += 1;
    }
    assert!(at > 10 && reached > 0, "killed {reached} times after the directory was written to, {at} writes in all");
}
