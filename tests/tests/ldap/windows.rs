//! What Windows does and Samba does not, and everything that goes wrong in the middle: an error with its cure, or a listing
//! from which nothing is concluded.

use std::time::Duration;

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::Source as _;
use hardmatch_ports::source::{AbsenceEvidence, Entry};
use hardmatch_sources_ldap::{LdapSettings, TimeLimits};

use crate::fake::{Fake, Fault, On, Tree, Trust, name_of};
use crate::people::{FULL_EVERY, Following, called, fails, read, settings};
use crate::samba::{BASE, DOMAIN, PASSWORD, READER};

/// An answer that does not come is waited for so long.
const SILENCE: TimeLimits =
    TimeLimits { connect: Duration::from_secs(10), answer: Duration::from_secs(1), whole: Duration::from_mins(30) };

/// A controller with people, and what reads it.
pub(crate) struct Lab {
    pub(crate) trust: Trust,
    pub(crate) fake: Fake,
    pub(crate) following: Following,
}

impl Lab {
    pub(crate) fn new(people: u32) -> Self {
        let mut tree = Tree::new("controller-one.0");
        for number in 1..=people {
            tree.person(number);
        }
        Self::of(tree)
    }

    pub(crate) fn of(tree: Tree) -> Self {
        let trust = Trust::new();
        let fake = Fake::start(&trust, "dc1.corp.example.test", tree);
        let following = Following::new(settings_of(&trust, fake.url()));
        Self { trust, fake, following }
    }

    /// The copy that is kept.
    fn copy(&self) -> Option<Vec<u8>> {
        self.following.memory.0.lock().unwrap().clone()
    }
}

/// Settings of a server.
pub(crate) fn settings_of(trust: &Trust, server: String) -> LdapSettings {
    let limits = TimeLimits { connect: Duration::from_secs(3), ..TimeLimits::default() };
    LdapSettings { limits, ..settings(server, BASE, READER, &trust.ca()) }
}

/// For how long a fault is waited for.
fn patience(fault: &Fault) -> TimeLimits {
    if matches!(fault, Fault::Silent(_) | Fault::Bytes(_)) { SILENCE } else { TimeLimits::default() }
}

/// Messages that are no LDAP, or none that a server may send. The number of the request is one byte.
const MALFORMED: [fn(u8) -> Vec<u8>; 9] = [
    // No tag and length.
    |_| vec![0xff; 12],
    // A message of nothing but its number.
    |id| vec![0x30, 3, 2, 1, id],
    // The end of a search without a result.
    |id| vec![0x30, 5, 2, 1, id, 0x65, 0],
    // A result code that is a text; one that is a sequence.
    |id| vec![0x30, 12, 2, 1, id, 0x65, 7, 4, 1, 0x30, 4, 0, 4, 0],
    |id| vec![0x30, 13, 2, 1, id, 0x65, 8, 0x30, 2, 5, 0, 4, 0, 4, 0],
    // An operation that there is not.
    |id| vec![0x30, 5, 2, 1, id, 0x7e, 0],
    // An entry that is nothing; one whose name is no text.
    |id| vec![0x30, 5, 2, 1, id, 0x64, 0],
    |id| vec![0x30, 10, 2, 1, id, 0x64, 5, 4, 1, 0xff, 0x30, 0],
    // A good end of a search, with a control that is none.
    |id| vec![0x30, 18, 2, 1, id, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0, 0xa0, 4, 0x30, 2, 5, 0],
];

fn keys(entries: &[Entry]) -> Vec<PersonKey> {
    entries.iter().filter_map(Entry::key).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_and_lists_of_values_are_read_to_their_end() {
    let mut tree = Tree::new("controller-one.0");
    for number in 1..=1_100 {
        tree.person(number);
    }
    for (person, groups) in [(1, 1_501), (2, 3_001), (3, 1_500)] {
        for number in 1..=groups {
            tree.group(&format!("Group {person}-{number}"), &[&name_of(person)]);
        }
    }
    let lab = Lab::of(tree);
    for most in [1_000, 70] {
        lab.fake.is().page = most;
        lab.fake.is().pages = 0;
        let (entries, completeness) = read(&lab.following.source(PASSWORD)).await.unwrap();
        assert_eq!((entries.len(), completeness.doubts.len()), (1_100, 0), "{completeness:?}");
        for (person, groups) in [(1, 1_501), (2, 3_001), (3, 1_500), (4, 0)] {
            // Each of them by its name and by its DN.
            let called = called(&entries, &format!("Person {person}")).groups.iter();
            assert_eq!(called.filter(|name| !name.contains('=')).count(), groups);
        }
        let pages = 1_100_usize.div_ceil(most.min(500));
        assert_eq!(lab.fake.is().pages, pages, "at most {most} a page");
        *lab.following.memory.0.lock().unwrap() = None;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_breaks_between_pages_is_an_error_and_the_copy_stays() {
    let mut lab = Lab::new(30);
    lab.fake.is().page = 8;
    let (before, _) = lab.following.later(PASSWORD).await;
    let copy = lab.copy();
    for (fault, said, retry) in [
        (Fault::Closed(0), "broke", true),
        (Fault::Closed(3), "broke", true),
        (Fault::Result(51), "busy or shutting down (result 51)", true),
        (Fault::CutOff(3, 52), "busy or shutting down (result 52)", true),
        (Fault::CutOff(3, 4), "size limit", false),
        (Fault::CutOff(3, 3), "time limit", false),
        (Fault::Result(11), "administrative limit", false),
        (Fault::Result(53), "no longer knows where the listing was", true),
        (Fault::Result(1), "result 1", false),
        (Fault::Result(50), "may not read", false),
        (Fault::Result(32), "has no", false),
        (Fault::Silent(3), "did not answer in time", true),
        (Fault::Silent(0), "did not answer in time", true),
        (Fault::Referral("ldap://dc9.other.test/OU=Secret,DC=other"), "refers to dc9.other.test", false),
    ] {
        // In the first page, in the second one, and in the last.
        for skip in [0, 1, 3] {
            lab.following.clock.forward(FULL_EVERY);
            lab.following.settings.limits = patience(&fault);
            lab.fake.is().plan(On::Listing, skip, fault.clone());
            let error = fails(&lab.following.source(PASSWORD)).await;
            let what = format!("{fault:?} in page {skip}: {error}");
            assert!(error.problem.contains(said) || (said == "broke" && error.problem.contains("ended")), "{what}");
            assert!(!error.cure.is_empty() && !error.problem.contains("Secret"), "{what}");
            assert_eq!(error.retry, retry, "{what}");
            assert_eq!(lab.copy(), copy, "{what}");
        }
    }
    // The same for groups: without them nobody's groups are known.
    lab.fake.is().plan(On::Groups, 0, Fault::Result(51));
    assert!(fails(&lab.following.source(PASSWORD)).await.problem.contains("busy"));
    assert_eq!((lab.copy(), lab.fake.is().faults_seen), (copy, 14 * 3 + 1));
    let (after, _) = lab.following.later(PASSWORD).await;
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_no_ldap_ends_the_look_and_nothing_else() {
    let mut lab = Lab::new(5);
    lab.following.settings.limits = SILENCE;
    let (before, _) = lab.following.later(PASSWORD).await;
    let copy = lab.copy();
    for on in [On::Changes, On::Bind, On::Other, On::Groups, On::Listing] {
        for (number, bytes) in MALFORMED.into_iter().enumerate() {
            if on != On::Changes {
                lab.following.clock.forward(FULL_EVERY);
            }
            lab.fake.is().tree.set(&name_of(1), "title", &["Chief"]);
            lab.fake.is().plan(on, 0, Fault::Bytes(bytes));
            match read(&lab.following.source(PASSWORD)).await {
                Err(error) => assert!(error.retry, "{number} at {on:?}: {error}"),
                // Changes that nothing is said of are no changes: the directory is read whole. That one may sign in, said
                // in another way, is true all the same.
                Ok((entries, _)) => {
                    assert_eq!(entries.len(), 5, "{number} at {on:?}");
                    assert!(matches!(on, On::Changes | On::Bind), "{number} at {on:?}");
                }
            }
            assert_eq!(lab.fake.is().faults_seen, 1, "{number} at {on:?}");
            lab.fake.is().faults_seen = 0;
            *lab.following.memory.0.lock().unwrap() = copy.clone();
        }
    }
    let (after, _) = lab.following.later(PASSWORD).await;
    assert_eq!(keys(&after), keys(&before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_without_a_word_about_the_next_one_is_no_whole_listing() {
    let lab = Lab::new(30);
    lab.fake.is().page = 8;
    for skip in [0, 1, 2, 3] {
        // A good end of a search, and no control.
        lab.fake.is().plan(On::Listing, skip, Fault::CutOff(8, 0));
        let error = fails(&lab.following.source(PASSWORD)).await;
        assert!(error.problem.contains("no LDAP"), "page {skip}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_tree_elsewhere_and_a_directory_without_people_leave_doubt() {
    let lab = Lab::new(12);
    lab.fake.is().page = 5;
    let (before, _) = lab.following.later(PASSWORD).await;
    let copy = lab.copy();
    lab.following.clock.forward(FULL_EVERY);
    lab.fake.is().plan(On::Listing, 2, Fault::Reference("ldap://child.corp.example.test/OU=Secret,DC=child"));
    let (_, completeness) = read(&lab.following.source(PASSWORD)).await.unwrap();
    assert!(completeness.doubts[0].contains("child.corp.example.test"), "{completeness:?}");
    assert!(!completeness.doubts[0].contains("Secret"), "{completeness:?}");
    assert_eq!(lab.copy(), copy);
    // The account lost its rights: an empty result, with success.
    lab.fake.is().hidden = vec![BASE.to_owned()];
    let source = lab.following.source(PASSWORD);
    let (entries, completeness) = read(&source).await.unwrap();
    assert_eq!(entries.len(), 0);
    assert!(completeness.doubts[0].contains("shows nobody below"), "{completeness:?}");
    assert_eq!(lab.copy(), copy);
    // To changes it is as if nothing had happened, and they are read whole now and then.
    *lab.following.memory.0.lock().unwrap() = copy;
    lab.fake.is().hidden.clear();
    let (after, _) = lab.following.later(PASSWORD).await;
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_that_is_not_shown_any_more_has_no_leavers() {
    let lab = Lab::new(12);
    let sales = format!("OU=Sales,{BASE}");
    lab.fake.is().tree.unit(&sales);
    for number in 21..=29 {
        lab.fake.is().tree.person_at(number, &format!("CN=Person {number},{sales}"));
    }
    let (before, _) = lab.following.later(PASSWORD).await;
    lab.fake.is().hidden = vec![sales];
    let gone = lab.fake.is().tree.delete(&name_of(5));
    lab.following.clock.forward(FULL_EVERY);
    let source = lab.following.source(PASSWORD);
    let (after, completeness) = read(&source).await.unwrap();
    assert_eq!((before.len(), after.len(), completeness.doubts.len()), (21, 11, 0));
    let absent: Vec<PersonKey> = keys(&before).into_iter().filter(|key| !keys(&after).contains(key)).collect();
    let said = source.absence_evidence(&absent).await.unwrap();
    let unclear = said.iter().filter(|one| matches!(one, AbsenceEvidence::Unclear(why) if why.contains("OU=Sales")));
    assert_eq!(unclear.count(), 9, "{said:?}");
    assert!(said.contains(&AbsenceEvidence::ListingOnly), "{gone} left: {said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_in_several_answers_are_read_to_the_last() {
    let mut lab = Lab::new(40);
    lab.fake.is().replicates = true;
    lab.fake.is().changes = 7;
    lab.following.looks = false;
    lab.following.later(PASSWORD).await;
    for number in 1..=33 {
        lab.fake.is().tree.set(&name_of(number), "title", &[&format!("Title {number}")]);
    }
    lab.fake.is().cookies.clear();
    let (_, how) = lab.following.by_changes(PASSWORD, "33 changes, seven an answer").await;
    assert_eq!(how, "33 people were read again by DirSync");
    assert_eq!(lab.fake.is().cookies.len(), 5);
    // One that breaks off between two answers has not happened: the next one tells all of it.
    let copy = lab.copy();
    for fault in [Fault::Closed(2), Fault::Result(51), Fault::Result(52), Fault::Silent(2), Fault::Bytes(MALFORMED[0])]
    {
        for skip in [0, 2, 4] {
            for number in 1..=33 {
                lab.fake.is().tree.set(&name_of(number), "title", &[&format!("{fault:?} {number} {skip}")]);
            }
            lab.following.settings.limits = patience(&fault);
            lab.fake.is().plan(On::Changes, skip, fault.clone());
            let error = fails(&lab.following.source(PASSWORD)).await;
            assert!(error.retry, "{fault:?} {skip}: {error}");
            assert_eq!(lab.copy(), copy, "{fault:?} {skip}");
        }
    }
    // The same while the changed entries are read.
    lab.fake.is().plan(On::Entries, 0, Fault::Closed(1));
    assert!(fails(&lab.following.source(PASSWORD)).await.retry);
    assert_eq!(lab.copy(), copy);
    lab.following.by_changes(PASSWORD, "all of them").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_foreign_authority_are_told_and_nothing_more_is_sent() {
    let lab = Lab::new(1);
    let wrong = fails(&lab.following.source("wrong")).await;
    assert!(wrong.problem.contains("the password is wrong (data 52e)") && !wrong.retry, "{wrong}");
    let empty = fails(&lab.following.source("")).await;
    assert!(empty.problem.contains("never sent"), "{empty}");
    let other = Trust::new();
    let foreign = Following::new(settings_of(&other, lab.fake.url()));
    let error = fails(&foreign.source(PASSWORD)).await;
    assert!(error.problem.contains("another authority"), "{error}");
    let mut named = settings_of(&lab.trust, lab.fake.url());
    named.base = format!("OU=Nobody,{DOMAIN}");
    let error = fails(&Following::new(named).source(PASSWORD)).await;
    assert!(error.problem.contains("has no OU=Nobody"), "{error}");
    assert_eq!(lab.fake.is().passwords, ["wrong", PASSWORD]);
}
