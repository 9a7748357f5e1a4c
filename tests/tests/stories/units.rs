//! What runs take of the table where each message is answered by a process of its own, as on AWS: a cold start for every one
//! of them, the dearest that a deployed stack can be. Counted, and held to with nothing to spare: a change that makes a run
//! dearer says so here.

use hardmatch_domain::facts::By;
use hardmatch_ports::table::Units;
use hardmatch_sim::CONTOSO_TENANT_ID;
use hardmatch_store::TenantKey;
use hardmatch_tests::World;
use hardmatch_tests::month::{Night, company, name, night};

const PEOPLE: usize = 1_000;

/// Messages, reads and writes of a night.
fn took(night: &Night) -> (Vec<String>, Units) {
    (night.trace.messages(), night.units)
}

#[tokio::test]
async fn an_unchanged_night_takes_a_handful_of_units() {
    let mut world = company(PEOPLE).await.expect("a company");
    let unchanged = night(&mut world).await.expect("a night");
    let (messages, units) = took(&unchanged);
    assert_eq!(messages, ["start", "observe-source", "observe-tenant", "advance"], "nobody is notified in vain");
    assert_eq!(units, Units { read: 76, write: 20 }, "{}", unchanged.trace);
    // What its report says leaves out what came before the run was there and after the report was.
    let compute = unchanged.run.compute.map(|compute| compute.messages);
    assert_eq!((compute, unchanged.run.units), (Some(3), Units { read: 61, write: 10 }), "{}", unchanged.trace);
}

#[tokio::test]
async fn a_night_with_changes_sends_for_its_phases_and_not_for_its_slices() {
    let mut world = company(PEOPLE).await.expect("a company");
    for number in 0..50 {
        world.people.set(&name(number * 20), "title", "Lead");
    }
    let changed = night(&mut world).await.expect("a night");
    let (messages, units) = took(&changed);
    let phases = ["start", "observe-source", "observe-tenant", "advance", "write", "advance"];
    assert_eq!(messages, phases, "{}", changed.trace);
    // Object ids are random and decide which look-ups are read together.
    assert!(units.write <= 570 && units.read <= 740, "{units:?}: {}", changed.trace);
}

/// Read units that each of so many changed people adds to a quiet night of 400: of all messages, and of the writer's alone, in
/// hundredths; and what they are made of.
async fn reads_of_each_changed_person(changed: usize) -> (u64, u64, String) {
    let mut world = company(400).await.expect("a company");
    let quiet = night(&mut world).await.expect("a night").units;
    for number in 0..changed {
        world.people.set(&name(number), "title", "Director");
    }
    let night = night(&mut world).await.expect("a night");
    assert_eq!(night.run.outcomes.get("done"), Some(&(changed as u64)));
    let kinds = night.trace.by_kind();
    let of_writer =
        kinds.iter().filter(|((message, _), _)| message == "write").map(|(_, units)| units.read).sum::<u64>();
    let lines: Vec<String> =
        kinds.iter().map(|((message, call), units)| format!("{message}: {call}: {} read", units.read)).collect();
    let each = |units: u64| units * 100 / changed as u64;
    (each(night.units.read - quiet.read), each(of_writer), lines.join("\n"))
}

#[tokio::test]
async fn a_changed_person_takes_three_reads_of_the_writer_and_eleven_of_all() {
    // The writer reads change and person, account and link, and the mark; the rest is shared by a batch or by the message.
    // Nobody is looked up by value: each of these people is linked, and has the names of their account.
    for (changed, most_of_all, most_of_writer) in [(40, 1_160, 350), (400, 1_040, 330)] {
        let (all, writer, kinds) = reads_of_each_changed_person(changed).await;
        eprintln!("{changed} of 400 changed: {all} hundredths of a read unit a person, {writer} of them the writer's");
        assert!(all <= most_of_all && writer <= most_of_writer, "{changed} of 400: {all}, {writer}:\n{kinds}");
    }
}

#[tokio::test]
async fn who_holds_a_name_is_found_by_sign_in_name_by_address_and_by_local_part_after_every_change() {
    let mut world = World::new().await;
    world.people.hire("ada");
    world.people.hire("bea");
    world.settle_by_hash().await;
    let scope = TenantKey::new("simulated", CONTOSO_TENANT_ID);
    let found = async |world: &World, by: By, value: &str| {
        world.store().await.people_by(&scope, by, value).await.expect("a look-up").len()
    };
    let all = async |world: &World, upn: &str, local: &str| {
        [
            found(world, By::Upn, upn).await,
            found(world, By::Address, upn).await,
            found(world, By::LocalPart, local).await,
        ]
    };
    assert_eq!(all(&world, "Ada@contoso.com", "ADA").await, [1, 1, 1], "without regard to case");
    assert_eq!(all(&world, "ada@fabrikam.com", "ada").await, [0, 0, 1], "the same local part of another domain");
    assert_eq!(found(&world, By::Upn, "ada").await, 0, "a local part is no name");
    world.pass_days(1);
    world.people.rename("ada", "lovelace@contoso.com");
    world.people.set("bea", "mail", "b.b@contoso.com");
    world.sync().await;
    assert_eq!(all(&world, "ada@contoso.com", "ada").await, [0, 0, 0], "nothing is left behind");
    assert_eq!(all(&world, "lovelace@contoso.com", "lovelace").await, [1, 1, 1]);
    // Bea signs in with one name and receives mail under another: the local part is the address's.
    let bea = [all(&world, "bea@contoso.com", "bea").await, all(&world, "b.b@contoso.com", "b.b").await];
    assert_eq!(bea, [[1, 0, 0], [0, 1, 1]]);
}
