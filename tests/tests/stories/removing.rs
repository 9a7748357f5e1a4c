//! What has an end, and what is left when a connection is removed.

use hardmatch_domain::ids::{PersonKey, PersonRef};
use hardmatch_ports::clock::Clock as _;
use hardmatch_ports::command::{Command, Reply};
use hardmatch_tests::{World, guid};

/// For so many days what has an end is kept.
const KEPT: i64 = 400;
const DAY: i64 = 24 * 60 * 60;

/// Disconnects the connection and removes it, as an operator has it done.
async fn remove(world: &mut World) {
    let too_early = world.ask(&Command::Remove).await;
    assert!(matches!(too_early, Reply::Refused { .. }), "{too_early:?}");
    world.ask(&Command::Disconnect).await;
    let removed = world.ask(&Command::Remove).await;
    assert!(matches!(removed, Reply::Removed { items, more: false } if items > 0), "{removed:?}");
}

/// Some days of a small company: joiners, a change, a leaver, a plan that lies.
async fn lived(world: &mut World) {
    for name in ["ada", "grace", "mary", "joan"] {
        world.people.hire(name);
    }
    world.settle_by_hash().await;
    world.people.set("ada", "title", "Director");
    world.people.remove("joan");
    for _ in 0..3 {
        world.pass_days(1);
        world.sync().await;
    }
    world.people.set("grace", "title", "Partner");
    world.plan().await;
}

#[tokio::test]
async fn a_removed_connection_leaves_nothing_of_itself_and_its_neighbour_whole() {
    let mut world = World::new().await;
    lived(&mut world).await;
    world.turn_to("second");
    // People have numbers in each directory: somebody whom the other one does not have.
    for name in ["a", "b", "c", "d", "else"] {
        world.people.hire(name);
    }
    for name in ["a", "b", "c", "d"] {
        world.people.remove(name);
    }
    world.settle_by_hash().await;
    world.turn_to("contoso");
    remove(&mut world).await;
    let left = world.backup().await.keys();
    let of = |key: &String| key.contains("#contoso") || key.contains("/ contoso");
    assert_eq!(left.iter().filter(|key| of(key)).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(left.iter().any(|key| key.starts_with("CONN#second")), "the neighbour is there");
    let files = world.files().await;
    assert_eq!(files.iter().filter(|name| name.starts_with("connections/contoso/")).count(), 0, "{files:?}");
    world.turn_to("second");
    world.pass_days(1);
    let night = world.sync().await;
    assert!(night.outcomes.is_empty(), "the neighbour has nothing to do: {:?}", night.outcomes);

    remove(&mut world).await;
    let left = world.backup().await.keys();
    // They name nobody, and what they count must never begin anew.
    let kept = |key: &String| ["STORE /", "LOCK#", "GATE#"].iter().any(|kind| key.starts_with(kind));
    assert_eq!(left.iter().filter(|key| !kept(key)).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(world.files().await, Vec::<String>::new());
    assert_eq!(
        world.accounts().iter().filter(|account| account.immutable_id().is_some()).count(),
        5,
        "no account is touched"
    );
}

#[tokio::test]
async fn a_removed_connection_begins_again_as_a_first_one() {
    let mut world = World::new().await;
    lived(&mut world).await;
    remove(&mut world).await;
    // Not a table that was lost, nor one that was restored from before: nobody says so of a new connection.
    let begun = world.plan().await;
    assert!(begun.run.problems.is_empty(), "{:?}", begun.run.problems);
    let decided = ["ada", "grace", "mary"].map(|name| begun.decided(&format!("{name}@contoso.com")));
    assert!(decided.iter().all(|said| said.contains("hard_matched") && !said.contains("create")), "{decided:?}");
}

#[tokio::test]
async fn history_and_closed_runs_have_an_end_and_what_is_open_has_none() {
    let mut world = World::new().await;
    lived(&mut world).await;
    let ends = world.backup().await.ends();
    let now = world.clock.now().as_second();
    let mut histories = 0;
    for (key, end) in &ends {
        if key.contains("/ hist#") {
            histories += 1;
            let end = end.unwrap_or_default();
            assert!((now - 30 * DAY + KEPT * DAY..=now + KEPT * DAY).contains(&end), "{key} ends at {end}");
        }
        let never = ["META#", "PERSON", "LINK", "ACCOUNT", "/ CHANGE"].iter().any(|kind| key.contains(kind));
        assert!(!never || end.is_none(), "{key} would be lost at {end:?}");
    }
    assert!(histories > 0);
    let notes: Vec<_> = ends.iter().filter(|(key, _)| key.starts_with("NOTE#0")).collect();
    assert!(!notes.is_empty() && notes.iter().all(|(_, end)| end.is_some()), "what runs note has an end: {notes:?}");
    let runs = ends.iter().filter(|(key, _)| key.contains("/ RUN#"));
    let (closed, open): (Vec<_>, Vec<_>) = runs.partition(|(_, end)| end.is_some());
    assert!(closed.len() >= 3 && open.len() == 1, "{} closed, {} open", closed.len(), open.len());
}

#[tokio::test]
async fn a_policy_ends_once_everybody_was_decided_under_a_newer_one() {
    let mut world = World::new().await;
    lived(&mut world).await;
    world.set_policy("[lifecycle]\nabsent = \"ignore\"");
    world.plan().await;
    let ends = async |world: &World| {
        let all = world.backup().await.ends();
        all.into_iter().filter(|(key, _)| key.contains("/ POLICY#")).map(|(_, end)| end.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(ends(&world).await, [false, false], "nobody was written for under the newer one");
    world.sync_yes().await;
    assert_eq!(ends(&world).await, [true, false]);
    // What people are entered under is said by a policy that stays.
    let entered = world.store().await.people_lookups(&world.connection()).await.unwrap();
    assert_eq!(entered.policy, 2);
}

/// Whether anything is kept of a person under their own keys.
async fn is_known(world: &World, number: usize) -> bool {
    let store = world.store().await;
    let who = PersonRef { connection: world.connection(), key: PersonKey::new(guid(number)) };
    let pid = store.pid(&who).hex();
    world.backup().await.keys().iter().any(|key| key.contains(&pid))
}

#[tokio::test]
async fn who_is_absent_for_long_without_an_account_is_forgotten_and_nobody_else() {
    let mut world = World::new().await;
    let stages = "[lifecycle]\nabsent = [{ action = \"suspend\" }, { action = \"delete\", after = \"30d\" }]";
    world.set_policy(&format!("{stages}\n[actions]\ndelete = \"on\"\n[guard]\nmax_removals_percent = 100"));
    for name in ["ada", "grace", "mary", "joan"] {
        world.people.hire(name);
    }
    let [ada, mary, joan] = [1, 3, 4];
    world.settle_by_hash().await;
    world.people.remove("joan");
    world.sync_yes().await;
    // Blocked, deleted, and gone from the recycle bin.
    for days in [31, 31, 31] {
        world.pass_days(days);
        world.sync_yes().await;
    }
    let deleted = world.accounts().into_iter().filter(|account| account.upn().starts_with("joan")).count();
    assert_eq!(deleted, 0, "the account is gone for good");
    world.people.remove("mary");
    world.sync_yes().await;
    assert!(is_known(&world, joan).await, "kept for a while");
    world.pass_days(u64::try_from(KEPT).unwrap() - 94);
    world.sync_yes().await;
    assert!(is_known(&world, joan).await, "not a day too early");
    world.pass_days(2);
    world.sync_yes().await;
    assert!(!is_known(&world, joan).await, "forgotten");
    assert!(is_known(&world, ada).await, "present people stay");
    assert!(is_known(&world, mary).await, "absent people are kept as long as the others");
    // They come back as somebody new.
    world.people.hire("joan");
    let back = world.sync_yes().await;
    assert_eq!(back.rows.iter().filter(|row| row.decision.change.is_some()).count(), 1, "{:?}", back.rows.len());
}
