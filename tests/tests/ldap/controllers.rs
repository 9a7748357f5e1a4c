//! Several controllers: found by name or by the name servers, one for each reading, and never a mixture of two.

use hardmatch_sources_ldap::LdapSettings;

use crate::fake::{Fake, Fault, NameServer, On, Tree, Trust, name_of};
use crate::people::{Following, called, fails, read};
use crate::samba::{DOMAIN, PASSWORD};
use crate::windows::settings_of;

const CORP: &str = "corp.example.test";
const REGISTERED: &str = "_ldap._tcp.dc._msdcs.corp.example.test";

/// Pair controllers of one domain that have the same people.
pub(crate) struct Pair {
    _trust: Trust,
    names: NameServer,
    pub(crate) one: Fake,
    pub(crate) two: Fake,
    pub(crate) following: Following,
}

pub(crate) fn two(people: u32) -> Pair {
    let mut tree = Tree::new("controller-one.0");
    (1..=people).for_each(|number| drop(tree.person(number)));
    let trust = Trust::new();
    let replica = tree.replica("controller-two.0");
    let one = Fake::start(&trust, "dc1.corp.example.test", tree);
    let two = Fake::start(&trust, "dc2.corp.example.test", replica);
    let names = NameServer::start();
    names.set(REGISTERED, &[(0, 10, one.port, "dc1.corp.example.test"), (5, 10, two.port, "DC2.corp.example.test")]);
    let settings = LdapSettings { nameserver: Some(names.address), ..settings_of(&trust, CORP.to_owned()) };
    Pair { _trust: trust, names, one, two, following: Following::new(settings) }
}

impl Pair {
    /// What happens at one controller happens at the other.
    pub(crate) fn both(&self, change: impl Fn(&mut Tree)) {
        change(&mut self.one.is().tree);
        change(&mut self.two.is().tree);
    }

    fn listings(&self) -> (usize, usize) {
        (self.one.is().listings, self.two.is().listings)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_names_its_controllers_and_the_first_one_is_read() {
    let two = two(12);
    let (entries, _) = two.following.later(PASSWORD).await;
    assert_eq!((entries.len(), two.listings()), (12, (1, 0)));
    assert_eq!(two.names.asked()[..2], [format!("_ldaps._tcp.{CORP}."), format!("{REGISTERED}.")]);
    // One that is down gives way to the next one.
    let Pair { _trust, names, one, two, following } = two;
    one.end();
    following.later(PASSWORD).await;
    assert_eq!(two.is().listings, 1);
    // Servers with TLS from the first byte come first, where they are registered.
    names.set(&format!("_ldaps._tcp.{CORP}"), &[(0, 0, two.port, "dc2.corp.example.test")]);
    let (entries, how) = following.later(PASSWORD).await;
    assert_eq!((entries.len(), how.contains("were read again by")), (12, true), "{how}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_without_controllers_and_a_controller_elsewhere_are_refused() {
    let two = two(1);
    two.names.set(REGISTERED, &[(0, 0, two.one.port, "dc1.evil.test"), (0, 0, two.two.port, "dc2.corp.example.test")]);
    let error = fails(&two.following.source(PASSWORD)).await;
    assert!(error.problem.contains("dc1.evil.test") && error.cure.contains("ldaps://HOST:636"), "{error}");
    two.names.set(REGISTERED, &[]);
    let error = fails(&two.following.source(PASSWORD)).await;
    assert!(error.problem.contains("know no directory of the domain corp.example.test"), "{error}");
    assert!(two.one.is().passwords.is_empty() && two.two.is().passwords.is_empty());
    let mut silent = two.following.settings.clone();
    silent.nameserver = Some(([127, 0, 0, 1], 9).into());
    silent.limits.connect = std::time::Duration::from_millis(300);
    let error = fails(&Following::new(silent).source(PASSWORD)).await;
    assert!(error.problem.contains("name servers do not answer") && error.retry, "{error}");
}

/// The first controller goes away in the middle; the second one is read from the beginning, and its changes are followed
/// from then on.
async fn one_goes_away(by: &str, configure: impl Fn(&Fake)) {
    let both = two(40);
    configure(&both.one);
    configure(&both.two);
    both.one.is().page = 8;
    both.two.is().page = 8;
    let password = PASSWORD;
    both.following.later(password).await;
    both.both(|tree| tree.set(&name_of(1), "title", &["Chief"]));
    let (_, how) = both.following.later(password).await;
    assert_eq!((how, both.listings()), (format!("1 people were read again by {by}"), (1, 0)));

    // Each has its own numbers: what the first one gave is worth nothing at the second one, in a whole reading and in one
    // by changes.
    for (night, on, skip) in [(1, On::Listing, 2), (2, On::Entries, 0)] {
        if on == On::Listing {
            both.following.clock.forward(crate::people::FULL_EVERY);
        }
        both.both(|tree| tree.set(&name_of(2), "title", &[&format!("Night {night}")]));
        both.one.is().plan(on, skip, Fault::Gone(3));
        let before = both.following.memory.0.lock().unwrap().clone();
        let error = fails(&both.following.source(password)).await;
        assert!(error.retry, "{error}");
        assert_eq!(*both.following.memory.0.lock().unwrap(), before);
        both.both(|tree| tree.set(&name_of(3), "mail", &[]));
        let listings = both.two.is().listings;
        let (entries, how) = both.following.later(password).await;
        assert!(how.contains("another controller answers") || how.contains("it is time to"), "night {night}: {how}");
        assert_eq!((entries.len(), both.two.is().listings), (40, listings + 1), "night {night}");
        assert!(both.two.is().cookies.iter().all(|cookie| cookie.starts_with("controller-two")));
        both.one.begin();
        both.following.same_as_afresh(&entries, password, "the other controller").await;
        // The first one is back, and the changes of the second one are followed still.
        both.both(|tree| tree.set(&name_of(4), "title", &[&format!("Night {night}")]));
        let (_, how) = both.following.by_changes(password, "the other controller's changes").await;
        assert!(how.ends_with(by), "{how}");
        // Changes of the first one again, for the next night.
        both.two.end();
        both.following.later(password).await;
        both.two.begin();
    }
    assert!(both.one.is().cookies.iter().all(|cookie| cookie.starts_with("controller-one")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_goes_away_is_replaced_from_the_beginning_by_dirsync() {
    one_goes_away("DirSync", |fake| fake.is().replicates = true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_goes_away_is_replaced_from_the_beginning_by_dirsync_as_a_reader() {
    one_goes_away("DirSync without the replication right", |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_goes_away_is_replaced_from_the_beginning_by_numbers() {
    one_goes_away("uSNChanged", |fake| fake.is().dir_sync = false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_was_restored_from_a_backup_is_read_whole() {
    for dir_sync in [true, false] {
        let two = two(9);
        two.one.is().dir_sync = dir_sync;
        two.following.later(PASSWORD).await;
        let backup = two.one.is().tree.clone();
        two.one.is().tree.set(&name_of(1), "title", &["Chief"]);
        two.following.later(PASSWORD).await;
        // Its numbers are those of the backup, and begin a new life; they may pass what was known of them.
        two.one.is().tree = Tree { invocation: "controller-one.1".to_owned(), ..backup };
        for number in 2..=9 {
            two.one.is().tree.set(&name_of(number), "title", &["After"]);
        }
        let (entries, how) = two.following.later(PASSWORD).await;
        assert!(how.contains("restored from a backup"), "{how}");
        two.following.same_as_afresh(&entries, PASSWORD, "a restored controller").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_people_are_asked_for_at_the_controller_that_was_read() {
    use hardmatch_ports::Source as _;
    use hardmatch_ports::source::{AbsenceEvidence, Entry};
    let two = two(9);
    two.one.is().sees_deletions = true;
    let (before, _) = two.following.later(PASSWORD).await;
    let key = called(&before, "Person 9").key.clone();
    // The other controller has not heard of it.
    two.one.is().tree.delete(&name_of(9));
    two.following.clock.forward(crate::people::FULL_EVERY);
    let source = two.following.source(PASSWORD);
    let (after, _) = read(&source).await.unwrap();
    assert!(!after.iter().any(|entry: &Entry| entry.key() == Some(&key)));
    assert_eq!(source.absence_evidence(std::slice::from_ref(&key)).await.unwrap(), [AbsenceEvidence::Gone]);
    assert!(two.two.is().passwords.is_empty(), "nobody signed in there: {DOMAIN}");
    // Where it went away meanwhile, nobody else is asked.
    let Pair { _trust, one, two: other, .. } = two;
    one.end();
    let error = source.absence_evidence(&[key]).await;
    assert!(error.is_err_and(|error| error.retry));
    assert!(other.is().passwords.is_empty());
}
