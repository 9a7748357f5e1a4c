//! A random history of a directory: after every few events, a reading by changes gives what a full reading gives.
//! `HARDMATCH_DIRECTORY_EVENTS=10000` says how many events; without it there are few.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::asked_for;
use crate::changes::FOLLOWED;
use crate::people::{FULL_EVERY, Following, settings};
use crate::slapd::{self, Slapd};

const OUTSIDE: &str = "ou=Outside,dc=example,dc=org";
const GROUPS: &str = "ou=Groups,dc=example,dc=org";

/// Numbers from a seed (xorshift).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of<'s>(&mut self, some: &'s BTreeSet<String>) -> Option<&'s String> {
        some.iter().nth(self.below(some.len().max(1)))
    }
}

/// How many events are asked for.
pub(crate) fn events(without: usize) -> usize {
    std::env::var_os("HARDMATCH_DIRECTORY_EVENTS").and_then(|number| number.to_str()?.parse().ok()).unwrap_or(without)
}

/// What the test knows of the directory: DNs of people, below the base and outside, and the members of two groups.
#[derive(Default)]
struct Known {
    here: BTreeSet<String>,
    outside: BTreeSet<String>,
    members: BTreeMap<&'static str, BTreeSet<String>>,
    next: u32,
}

impl Known {
    /// One event, as LDIF; none where it does not fit.
    fn event(&mut self, numbers: &mut Numbers) -> Option<String> {
        let (kind, base) = (numbers.below(10), slapd::BASE);
        if kind < 2 {
            self.next += 1;
            self.here.insert(format!("uid=p{},{base}", self.next));
            return Some(slapd::person(self.next, "Engineer"));
        }
        let dn = numbers.of(&self.here).cloned()?;
        let modify = |change: String| Some(format!("dn: {dn}\nchangetype: modify\n{change}\n-\n\n"));
        match kind {
            2 => {
                self.here.remove(&dn);
                Some(format!("dn: {dn}\nchangetype: delete\n\n"))
            }
            3 => modify(format!("replace: title\ntitle: Title {}", numbers.below(1_000))),
            4 => modify("replace: mail".to_owned()),
            5 => {
                let manager = numbers.of(&self.here).cloned()?;
                modify(format!("replace: manager\nmanager: {manager}"))
            }
            6 => {
                self.here.remove(&dn);
                self.next += 1;
                let name = format!("uid=r{}", self.next);
                self.here.insert(format!("{name},{base}"));
                Some(format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {name}\ndeleteoldrdn: 1\n\n"))
            }
            7 => {
                self.here.remove(&dn);
                let name = dn.split(',').next()?;
                self.outside.insert(format!("{name},{OUTSIDE}"));
                Some(format!(
                    "dn: {dn}\nchangetype: modrdn\nnewrdn: {name}\ndeleteoldrdn: 0\nnewsuperior: {OUTSIDE}\n\n"
                ))
            }
            8 => {
                let dn = numbers.of(&self.outside).cloned()?;
                self.outside.remove(&dn);
                let name = dn.split(',').next()?;
                self.here.insert(format!("{name},{base}"));
                Some(format!("dn: {dn}\nchangetype: modrdn\nnewrdn: {name}\ndeleteoldrdn: 0\nnewsuperior: {base}\n\n"))
            }
            _ => {
                let group = ["one", "two"][numbers.below(2)];
                let members = self.members.entry(group).or_default();
                let verb = if members.remove(&dn) {
                    "delete"
                } else {
                    members.insert(dn.clone());
                    "add"
                };
                Some(format!("dn: cn={group},{GROUPS}\nchangetype: modify\n{verb}: member\nmember: {dn}\n-\n\n"))
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_of_slapd_is_followed_to_what_it_is() {
    if !asked_for("a_random_history_of_slapd_is_followed_to_what_it_is") {
        return;
    }
    let events = events(150);
    let mut server = Slapd::start(FOLLOWED);
    // A group has a member always.
    let group = |name: &str| {
        format!("dn: cn={name},{GROUPS}\nchangetype: add\nobjectClass: groupOfNames\ncn: {name}\nmember: cn=nobody\n\n")
    };
    server.change(&format!(
        "dn: {OUTSIDE}\nchangetype: add\nobjectClass: organizationalUnit\nou: Outside\n\n{}{}",
        group("one"),
        group("two")
    ));
    let (mut numbers, mut known, mut done) = (Numbers(0x5eed_1234_5678_9abc), Known::default(), 0);
    let mut first = String::new();
    for _ in 0..30 {
        known.next += 1;
        known.here.insert(format!("uid=p{},{}", known.next, slapd::BASE));
        first.push_str(&slapd::person(known.next, "Engineer"));
    }
    server.change(&first);
    let following =
        Following::new(settings(format!("ldaps://127.0.0.1:{}", server.tls), slapd::BASE, slapd::READER, &server.ca()));
    following.later(slapd::PASSWORD).await;
    let (mut by_changes, mut whole) = (0, 0);
    while done < events {
        let mut ldif = String::new();
        for _ in 0..=numbers.below(8) {
            if let Some(event) = known.event(&mut numbers) {
                write!(ldif, "{event}").unwrap();
                done += 1;
            }
        }
        if !ldif.is_empty() {
            server.change(&ldif);
        }
        // What makes a place unusable: a restart, a damaged copy, a lost one, time.
        match numbers.below(60) {
            0 => server.restart(),
            1 => {
                if let Some(byte) = following.memory.0.lock().unwrap().as_mut().and_then(|bytes| bytes.get_mut(60)) {
                    *byte ^= 1;
                }
            }
            2 => *following.memory.0.lock().unwrap() = None,
            3 => following.clock.forward(FULL_EVERY),
            _ => {}
        }
        let (entries, how) = following.later(slapd::PASSWORD).await;
        if how.contains("were read again by") {
            by_changes += 1;
        } else {
            whole += 1;
        }
        following.same_as_afresh(&entries, slapd::PASSWORD, &format!("after {done} events: {how}")).await;
    }
    assert!(by_changes > whole, "{by_changes} readings by changes, {whole} whole ones");
}
