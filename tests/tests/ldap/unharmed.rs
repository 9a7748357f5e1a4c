//! The whole engine over a directory that fails in every way: nobody loses their sign-in.

use std::fmt::Write as _;

use hardmatch_match::Accept;
use hardmatch_sim::{CONTOSO_TENANT_ID, Seed};
use hardmatch_tests::Seen;
use hardmatch_tests::world::World;

use crate::fake::{Fault, On, Tree, name_of};
use crate::samba::{BASE, PASSWORD, READER};
use crate::windows::Lab;

const PEOPLE: u32 = 20;

/// A tenant that has everybody of a directory.
async fn settled(lab: &Lab) -> World {
    let mut world = World::with(Seed::contoso(), "").await;
    let mut config = format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"{CONTOSO_TENANT_ID}\"\ncloud = \"simulated\"\n\
         [source]\nkind = \"ldap\"\nbase = \"{BASE}\"\nbind = \"{READER}\"\n"
    );
    let folder = lab.trust.ca().parent().unwrap().to_owned();
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
    let place = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    write!(
        config,
        "location = \"{}\"\nca = \"{}\"\npassword = \"file:{}\"\n",
        lab.fake.url(),
        place("ca.pem"),
        place("password")
    )
    .unwrap();
    world.set_config(config);
    world.sync_yes().await;
    let first = world.sync_yes().await;
    assert_eq!((enabled(&world), first.writes.len()), (PEOPLE as usize, 0), "{:?}", first.run.status);
    world
}

fn enabled(world: &World) -> usize {
    let number = |account: &Seen| account.upn().strip_suffix("@contoso.com")?.strip_prefix('p')?.parse::<u32>().ok();
    let signs_in = |account: &&Seen| number(account).is_some() && account.enabled() && !account.deleted();
    world.accounts().iter().filter(signs_in).count()
}

/// Nights on which the directory fails each time it is asked.
async fn nights(world: &mut World, lab: &Lab, what: &str, fails: impl Fn(&Lab)) {
    for night in 1..=3 {
        fails(lab);
        // An error, or a run from which nothing follows.
        drop(world.try_sync(Accept::TheStop).await);
        lab.fake.is().be_well();
        assert_eq!(enabled(world), PEOPLE as usize, "{what}, night {night}");
        world.pass_days(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_removed_by_a_directory_that_fails() {
    let lab = Lab::new(PEOPLE);
    lab.fake.is().page = 6;
    let mut world = settled(&lab).await;
    for (on, skip, fault) in [
        (On::Bind, 0, Fault::Result(49)),
        (On::Bind, 0, Fault::Result(52)),
        (On::Listing, 0, Fault::CutOff(0, 0)),
        (On::Listing, 1, Fault::CutOff(6, 0)),
        (On::Listing, 1, Fault::CutOff(3, 4)),
        (On::Listing, 2, Fault::Closed(2)),
        (On::Listing, 1, Fault::Result(51)),
        (On::Listing, 1, Fault::Result(52)),
        (On::Listing, 0, Fault::Result(32)),
        (On::Listing, 0, Fault::Referral("ldap://elsewhere.test/DC=x")),
        (On::Listing, 3, Fault::Reference("ldap://elsewhere.test/DC=x")),
        (On::Listing, 1, Fault::Bytes(|id| vec![0x30, 5, 2, 1, id, 0x65, 0])),
        (On::Changes, 0, Fault::CutOff(0, 0)),
        (On::Changes, 0, Fault::Result(12)),
        (On::Entries, 0, Fault::Closed(1)),
    ] {
        nights(&mut world, &lab, &format!("{fault:?} at {on:?}"), |lab| {
            for _ in 0..20 {
                lab.fake.is().plan(on, skip, fault.clone());
            }
        })
        .await;
    }
    // The account lost its rights to all of it, and to half of it.
    let everything = |lab: &Lab| lab.fake.is().hidden = vec![BASE.to_owned()];
    nights(&mut world, &lab, "nobody is shown", everything).await;
    lab.fake.is().hidden.clear();
    world.pass_days(1);
    let after = world.sync_yes().await;
    assert_eq!((enabled(&world), after.writes.len()), (PEOPLE as usize, 0));

    // Somebody who really left does lose it, so that the above says something.
    lab.fake.is().sees_deletions = true;
    lab.fake.is().tree.delete(&name_of(7));
    for _ in 0..6 {
        world.pass_days(1);
        world.sync_yes().await;
    }
    assert_eq!(enabled(&world), PEOPLE as usize - 1, "somebody left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_is_hidden_keeps_its_people() {
    let mut tree = Tree::new("controller-one.0");
    let sales = format!("OU=Sales,{BASE}");
    tree.unit(&sales);
    for number in 1..=PEOPLE {
        let dn = if number <= 8 { format!("CN=Person {number},{sales}") } else { name_of(number) };
        tree.person_at(number, &dn);
    }
    let lab = Lab::of(tree);
    let mut world = settled(&lab).await;
    nights(&mut world, &lab, "a unit is not shown", |lab| lab.fake.is().hidden = vec![sales.clone()]).await;
}
