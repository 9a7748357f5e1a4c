//! Everything that happens to people of Active Directory, by each of the three ways in which changes are followed, and
//! every reason to read whole.

use hardmatch_domain::attribute::Attr;
use hardmatch_domain::ids::PersonKey;
use hardmatch_domain::person::{Manager, Person};
use hardmatch_ports::Source as _;
use hardmatch_ports::source::{AbsenceEvidence, Entry};

use crate::fake::{Controller, Fault, On, Tree, name_of};
use crate::people::{FULL_EVERY, called, read};
use crate::samba::{BASE, DOMAIN, PASSWORD};
use crate::windows::Lab;

const DAY: i64 = 24 * 60 * 60;

fn person<'e>(entries: &'e [Entry], key: &PersonKey) -> Option<&'e Person> {
    entries.iter().find_map(|entry| match entry {
        Entry::Person(person) if person.key == *key => Some(person.as_ref()),
        _ => None,
    })
}

/// What happens to people one after the other, each of it in a reading by changes of its own. `deletions`: whether they are
/// told.
async fn everything_that_happens(by: &str, deletions: bool, configure: impl FnOnce(&mut Controller)) {
    let mut tree = Tree::new("controller-one.0");
    let (sales, outside) = (format!("OU=Sales,{BASE}"), format!("OU=Outside,{DOMAIN}"));
    tree.unit(&sales);
    (1..=9).for_each(|number| drop(tree.person(number)));
    tree.set(&name_of(9), "manager", &[&name_of(2)]);
    tree.set(&name_of(8), "manager", &[&name_of(6)]);
    tree.group("Team", &[&name_of(3)]);
    let lab = Lab::of(tree);
    configure(&mut lab.fake.is());
    let (first, _) = lab.following.later(PASSWORD).await;
    let key = |number: u32| called(&first, &format!("Person {number}")).key.clone();
    let read_changes = async |what: &str| {
        let (entries, how) = lab.following.by_changes(PASSWORD, what).await;
        assert!(how.ends_with(&format!("by {by}")), "{what}: {how}");
        entries
    };
    let happens = |change: &dyn Fn(&mut Tree)| change(&mut lab.fake.is().tree);

    happens(&|tree| tree.set(&name_of(1), "title", &[]));
    let entries = read_changes("cleared").await;
    assert_eq!(person(&entries, &key(1)).unwrap().attributes.filled(Attr::JobTitle), None);

    happens(&|tree| tree.rename(&name_of(2), &format!("CN=Second,{BASE}")));
    let entries = read_changes("renamed").await;
    assert_eq!(person(&entries, &key(9)).unwrap().manager, Some(Manager::Person(key(2))), "nobody reports it");

    happens(&|tree| tree.rename(&name_of(3), &format!("CN=Person 3,{sales}")));
    let entries = read_changes("moved").await;
    assert!(person(&entries, &key(3)).unwrap().groups.iter().any(|group| group == "Team"));

    happens(&|tree| tree.rename(&name_of(4), &format!("CN=Person 4,{outside}")));
    assert!(person(&read_changes("left the scope").await, &key(4)).is_none());
    happens(&|tree| tree.rename(&format!("CN=Person 4,{outside}"), &name_of(4)));
    assert!(person(&read_changes("back in scope").await, &key(4)).is_some());

    let tombstone = lab.fake.is().tree.delete(&name_of(5));
    if deletions {
        assert!(person(&read_changes("tombstoned").await, &key(5)).is_none());
    } else {
        // Nothing shows it: the person stays, until the directory is read whole.
        let (entries, _) = lab.following.later(PASSWORD).await;
        assert!(person(&entries, &key(5)).is_some());
        lab.following.clock.forward(FULL_EVERY);
        let (entries, _) = lab.following.later(PASSWORD).await;
        assert!(person(&entries, &key(5)).is_none());
    }
    happens(&|tree| tree.restore(&tombstone, 5));
    let entries = read_changes("restored").await;
    assert_eq!(person(&entries, &key(5)).map(|person| &person.key), Some(&key(5)), "the same person");

    lab.fake.is().tree.delete(&name_of(6));
    happens(&|tree| drop(tree.person(6)));
    if !deletions {
        lab.following.clock.forward(FULL_EVERY);
        lab.following.later(PASSWORD).await;
    }
    let entries = read_changes("created again").await;
    assert!(person(&entries, &key(6)).is_none(), "another person under the old name");
    assert_ne!(called(&entries, "Person 6").key, key(6));
    assert_eq!(person(&entries, &key(8)).unwrap().manager, Some(Manager::Nobody), "the manager was deleted");
    assert_eq!(entries.len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_happens_is_followed_by_dirsync_with_the_right() {
    everything_that_happens("DirSync", true, |controller| {
        controller.replicates = true;
        controller.sees_deletions = true;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_happens_is_followed_by_dirsync_without_the_right() {
    everything_that_happens("DirSync without the replication right", false, |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_happens_is_followed_by_numbers_with_deletions() {
    everything_that_happens("uSNChanged", true, |controller| {
        controller.dir_sync = false;
        controller.sees_deletions = true;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_happens_is_followed_by_numbers_without_deletions() {
    everything_that_happens("uSNChanged", false, |controller| controller.dir_sync = false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_place_means_a_full_reading_of_everybody() {
    for dir_sync in [true, false] {
        let mut lab = Lab::new(9);
        lab.fake.is().dir_sync = dir_sync;
        lab.fake.is().sees_deletions = true;
        lab.following.looks = false;
        // Only what is tested makes a reading a full one.
        lab.following.full_every = 1_000 * DAY;
        let (first, _) = lab.following.later(PASSWORD).await;
        let whole = async |why: &str| {
            let listings = lab.fake.is().listings;
            let (entries, how) = lab.following.later(PASSWORD).await;
            assert!(how.contains(why), "{why}: {how}");
            assert_eq!((entries.len(), lab.fake.is().listings), (first.len(), listings + 1), "{why}");
        };
        // Away for longer than deletions are kept: 180 days as Windows has it, and 60 where the directory says nothing.
        for (kept, away) in [(Some(180), 180), (None, 60), (Some(14), 14)] {
            lab.fake.is().tree.tombstone_days = kept;
            lab.following.clock.forward((away - 2) * DAY);
            let (_, how) = lab.following.by_changes(PASSWORD, "just in time").await;
            assert!(how.contains("0 people"), "{how}");
            lab.following.clock.forward(away * DAY);
            whole(&format!("before the {away} days for which deletions are kept")).await;
        }
        *lab.following.memory.0.lock().unwrap() = None;
        whole("").await;
        if dir_sync {
            lab.fake.is().plan(On::Changes, 0, Fault::Result(12));
            whole("does not take the place up to which changes are known (result 12)").await;
        } else {
            // The same life of the controller, and numbers that go back.
            lab.fake.is().tree.usn -= 1;
            whole("numbers of changes went back").await;
            lab.fake.is().tree.usn += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_was_forgotten_is_no_evidence() {
    let lab = Lab::new(9);
    lab.fake.is().sees_deletions = true;
    lab.fake.is().replicates = true;
    let (before, _) = lab.following.later(PASSWORD).await;
    let key = called(&before, "Person 4").key.clone();
    let guid = lab.fake.is().tree.delete(&name_of(4));
    // The tombstone is gone, too.
    lab.fake.is().tree.entries.remove(&guid);
    lab.following.clock.forward(70 * DAY);
    let source = lab.following.source(PASSWORD);
    let (after, completeness) = read(&source).await.unwrap();
    assert_eq!((after.len(), completeness.doubts.len()), (8, 0));
    assert_eq!(source.absence_evidence(&[key]).await.unwrap(), [AbsenceEvidence::ListingOnly]);
}
