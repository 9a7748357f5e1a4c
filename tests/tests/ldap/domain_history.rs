//! A random history of a domain with two controllers: after every few events a reading gives what a full reading gives, and
//! exactly the people who are there. `HARDMATCH_DIRECTORY_EVENTS=10000` says how many events; without it there are few.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_ports::source::Entry;

use crate::controllers::{Pair, two};
use crate::fake::{Fault, On, Tree, name_of};
use crate::history::{Numbers, events};
use crate::people::{FULL_EVERY, read};
use crate::samba::{BASE, DOMAIN, PASSWORD};

/// What the test knows of the directory: names of people, by the number in their values.
struct Known {
    here: BTreeMap<u32, String>,
    outside: BTreeMap<u32, String>,
    /// GUIDs of deleted people.
    deleted: Vec<(String, u32)>,
    units: [String; 2],
    members: BTreeSet<u32>,
    next: u32,
    happened: BTreeMap<&'static str, usize>,
}

fn one_of(numbers: &mut Numbers, people: &BTreeMap<u32, String>) -> Option<(u32, String)> {
    let at = numbers.below(people.len().max(1));
    people.iter().nth(at).map(|(number, dn)| (*number, dn.clone()))
}

impl Known {
    fn with(people: u32) -> Self {
        Self {
            here: (1..=people).map(|number| (number, name_of(number))).collect(),
            outside: BTreeMap::new(),
            deleted: Vec::new(),
            units: ["Sales", "Support"].map(|name| format!("OU={name},{BASE}")),
            members: BTreeSet::new(),
            next: people,
            happened: BTreeMap::new(),
        }
    }

    /// One event at both controllers; none where it does not fit.
    fn event(&mut self, numbers: &mut Numbers, both: &Pair) -> Option<()> {
        let kind = numbers.below(26);
        if kind < 2 {
            self.next += 1;
            let number = self.next;
            both.both(|tree| drop(tree.person(number)));
            self.here.insert(number, name_of(number));
            self.note("joined");
            return Some(());
        }
        let (number, dn) = one_of(numbers, &self.here)?;
        match kind {
            2..=4 => {
                let title = format!("Title {}", numbers.below(1_000));
                both.both(|tree| tree.set(&dn, "title", &[&title]));
                self.note("changed");
            }
            5..=7 => {
                let attribute = ["title", "mail", "manager", "givenName"][numbers.below(4)];
                both.both(|tree| tree.set(&dn, attribute, &[]));
                self.note("cleared");
            }
            8..=9 => {
                let (_, manager) = one_of(numbers, &self.here)?;
                both.both(|tree| tree.set(&dn, "manager", &[&manager]));
                self.note("has another manager");
            }
            10..=12 => {
                self.next += 1;
                let place = dn.split_once(',')?.1;
                let to = format!("CN=Renamed {},{place}", self.next);
                both.both(|tree| tree.rename(&dn, &to));
                self.here.insert(number, to);
                self.note("renamed");
            }
            13..=15 => {
                let places = [BASE, &self.units[0], &self.units[1]];
                let to = format!("{},{}", dn.split_once(',')?.0, places[numbers.below(3)]);
                if self.here.values().any(|name| *name == to) {
                    return None;
                }
                both.both(|tree| tree.rename(&dn, &to));
                self.here.insert(number, to);
                self.note("moved");
            }
            16 => {
                let to = format!("{},OU=Outside,{DOMAIN}", dn.split_once(',')?.0);
                if self.outside.values().any(|name| *name == to) {
                    return None;
                }
                both.both(|tree| tree.rename(&dn, &to));
                self.here.remove(&number);
                self.outside.insert(number, to);
                self.note("left the scope");
            }
            17 if numbers.below(3) == 0 => {
                // A manager, maybe, of somebody below the base.
                let (number, dn) = one_of(numbers, &self.outside)?;
                self.next += 1;
                let to = format!("CN=Renamed {},OU=Outside,{DOMAIN}", self.next);
                both.both(|tree| tree.rename(&dn, &to));
                self.outside.insert(number, to);
                self.note("renamed outside the scope");
            }
            17 if numbers.below(3) == 0 => {
                let (number, dn) = one_of(numbers, &self.outside)?;
                both.both(|tree| drop(tree.delete(&dn)));
                self.outside.remove(&number);
                self.note("tombstoned outside the scope");
            }
            17 => {
                let (number, dn) = one_of(numbers, &self.outside)?;
                let to = format!("{},{BASE}", dn.split_once(',')?.0);
                if self.here.values().any(|name| *name == to) {
                    return None;
                }
                both.both(|tree| tree.rename(&dn, &to));
                self.outside.remove(&number);
                self.here.insert(number, to);
                self.note("came into scope");
            }
            18..=19 => {
                self.delete(both, number, &dn);
                self.note("tombstoned");
            }
            20 => {
                let at = numbers.below(self.deleted.len().max(1));
                let (guid, number) = self.deleted.get(at)?.clone();
                let to = name_of(number);
                if self.here.contains_key(&number)
                    || self.outside.contains_key(&number)
                    || self.here.values().chain(self.outside.values()).any(|name| *name == to)
                {
                    return None;
                }
                self.deleted.remove(at);
                both.both(|tree| tree.restore(&guid, number));
                self.here.insert(number, to);
                self.note("restored");
            }
            21 => {
                self.delete(both, number, &dn);
                both.both(|tree| drop(tree.person_at(number, &dn)));
                self.here.insert(number, dn);
                self.note("created again");
            }
            22..=24 => {
                if !self.members.remove(&number) {
                    self.members.insert(number);
                }
                let members: Vec<String> = self.members.iter().filter_map(|one| self.here.get(one)).cloned().collect();
                let members: Vec<&str> = members.iter().map(String::as_str).collect();
                both.both(|tree| tree.set(&format!("CN=Team,OU=Lab,{DOMAIN}"), "member", &members));
                self.note("memberships changed");
            }
            _ => {
                let which = numbers.below(2);
                let from = self.units[which].clone();
                self.next += 1;
                let to = format!("OU=Unit {},{BASE}", self.next);
                both.both(|tree| tree.rename(&from, &to));
                for name in self.here.values_mut() {
                    if let Some(rdn) = name.strip_suffix(&format!(",{from}")) {
                        *name = format!("{rdn},{to}");
                    }
                }
                self.units[which] = to;
                self.note("a unit was renamed");
            }
        }
        Some(())
    }

    fn delete(&mut self, both: &Pair, number: u32, dn: &str) {
        let guid = both.one.is().tree.delete(dn);
        assert_eq!(both.two.is().tree.delete(dn), guid, "both controllers know the same entries");
        self.here.remove(&number);
        self.members.remove(&number);
        self.deleted.push((guid, number));
    }

    fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }
}

/// The numbers of the people of a reading.
fn numbers_of(entries: &[Entry]) -> BTreeSet<String> {
    let text = |entry: &Entry| match entry {
        Entry::Person(person) => {
            person.attributes.filled(hardmatch_domain::attribute::Attr::UserPrincipalName).map(str::to_owned)
        }
        Entry::Refused(_) => None,
    };
    entries.iter().filter_map(text).collect()
}

async fn history(seed: u64, by: &str, configure: impl Fn(&crate::fake::Fake)) {
    let all = events(400);
    let (mut numbers, mut known) = (Numbers(seed), Known::with(30));
    let both = two(30);
    both.both(|tree: &mut Tree| {
        known.units.iter().for_each(|unit| tree.unit(unit));
        tree.group("Team", &[]);
        tree.group("Staff", &[&format!("CN=Team,OU=Lab,{DOMAIN}")]);
    });
    for fake in [&both.one, &both.two] {
        configure(fake);
        fake.is().sees_deletions = true;
        fake.is().page = 9;
        fake.is().changes = 3;
    }
    both.following.later(PASSWORD).await;
    let (mut done, mut by_changes, mut whole, mut broken) = (0, 0, 0, 0);
    while done < all {
        for _ in 0..=numbers.below(8) {
            done += usize::from(known.event(&mut numbers, &both).is_some());
        }
        // What makes a place unusable: another controller, a copy that is lost or damaged, time.
        let trouble = numbers.below(40);
        match trouble {
            0 => both.one.end(),
            1 => *both.following.memory.0.lock().unwrap() = None,
            2 => {
                if let Some(byte) = both.following.memory.0.lock().unwrap().as_mut().and_then(|bytes| bytes.get_mut(60))
                {
                    *byte ^= 1;
                }
            }
            3 => both.following.clock.forward(FULL_EVERY),
            // A reading that breaks off has not happened.
            4..=9 => {
                let on = [On::Changes, On::Entries, On::Listing, On::Groups][numbers.below(4)];
                let fault = [Fault::Closed(1), Fault::Result(51), Fault::CutOff(2, 4), Fault::Gone(1)]
                    [numbers.below(4)]
                .clone();
                if on == On::Listing {
                    both.following.clock.forward(FULL_EVERY);
                }
                let skip = numbers.below(3);
                both.one.is().plan(on, skip, fault);
                let before = both.following.memory.0.lock().unwrap().clone();
                if read(&both.following.source(PASSWORD)).await.is_err() {
                    broken += 1;
                    assert_eq!(*both.following.memory.0.lock().unwrap(), before, "after {done} events");
                }
                both.one.is().be_well();
            }
            _ => {}
        }
        let (entries, how) = both.following.later(PASSWORD).await;
        let what = format!("after {done} events, trouble {trouble}: {how}");
        if how.contains("were read again by") {
            assert!(how.ends_with(by), "{what}");
            by_changes += 1;
        } else {
            whole += 1;
        }
        let there: BTreeSet<String> = known.here.keys().map(|number| format!("p{number}@contoso.com")).collect();
        assert_eq!(numbers_of(&entries), there, "{what}");
        both.following.same_as_afresh(&entries, PASSWORD, &what).await;
        // Back again, or gone in the middle of a reading.
        both.one.begin();
    }
    assert!(by_changes > whole, "{by_changes} readings by changes, {whole} whole ones");
    assert!(broken > 0 && known.happened.len() >= 13, "{broken} broken ones; {:?}", known.happened);
    crate::say(&format!(
        "{done} events by {by}: {by_changes} readings by changes, {whole} whole ones, {broken} that broke off; {:?}",
        known.happened
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_of_a_domain_by_dirsync() {
    history(0x5eed_0001, "by DirSync", |fake| fake.is().replicates = true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_of_a_domain_by_dirsync_as_a_reader() {
    history(0x5eed_0002, "by DirSync without the replication right", |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_of_a_domain_by_numbers() {
    history(0x5eed_0003, "by uSNChanged", |fake| fake.is().dir_sync = false).await;
}
