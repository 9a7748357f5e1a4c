//! One key of every kind. The README's key table is compared with them, and removing a connection is tried on them.

use std::collections::BTreeSet;

use super::*;
use crate::claim::Claim;

/// What the keys are made of.
pub(crate) struct Parts<'p> {
    pub(crate) c: &'p ConnectionId,
    pub(crate) pid: PersonHash,
    pub(crate) scope: &'p TenantKey,
    pub(crate) id: &'p ObjectId,
    pub(crate) hashing: &'p Secret,
    pub(crate) lane: &'p str,
    /// The list of address holders.
    pub(crate) collection: &'p str,
}

/// A value by which a pushed person is found.
pub(crate) fn claim() -> Claim {
    Claim::new("attribute", "v@v")
}

/// One key of every function that gives a key, and of every list of notes.
pub(crate) fn every_key(of: &Parts<'_>) -> Vec<Key> {
    let Parts { c, pid, scope, id, hashing, lane, collection } = *of;
    let mut keys = vec![
        secret(),
        listed(c),
        policy(c, 1),
        run(c, "run"),
        person_run(c, pid),
        requests_run(c),
        asked("run", pid),
        connecting(c),
        people_lookups(c),
        approval(c, "change"),
        approved(c, "change"),
        reply(c, "name"),
        ticket("hash"),
        attempt("hash"),
        person(c, pid),
        change(c, pid),
        person_link(c, pid),
        history(c, pid, "run"),
        source_writes(c, pid, "run"),
        refused(c, pid),
        acknowledged(c, pid),
        waiting(c, pid, pid),
        dirty(c, pid),
        gone(c, pid),
        person_entry(person_lookup(scope, hashing, By::EmployeeId, "v"), c, pid),
        person_entry(person_lookup(scope, hashing, By::Upn, "v@v"), c, pid),
        tenant(scope),
        group_binding(scope, hashing, "kind", "v"),
        proving(scope),
        open_repair(scope, "repair"),
        closed_repair(scope, "run", "repair"),
        repair_hold(scope, hashing, &RepairHold::Account(id.clone())),
        account(scope, id),
        link(scope, id),
        account_entry(scope, hashing, By::EmployeeId, "v", id),
        holder(scope, hashing, "v@v", id),
        digests(&people_fingerprints(c)),
        digests(&account_fingerprints(scope)),
        bucket(&people_fingerprints(c), 1),
        bucket(&account_fingerprints(scope), 1),
        slice("run", 1),
        held("run", pid),
        to_write_back("run", 1),
        cost("run", "receipt"),
        pointer("run", LanePhase::Write, 1, 1),
        batch(lane, 1, 1),
        gate(scope, "client"),
        timer(c, 1, 1, "kind#key"),
        lease("name"),
        failure("id"),
        pushed_person(c, pid),
        pushed_id(c, "id"),
        pushed_claim(c, hashing, &claim()),
        pushed_entry(c, hashing, &claim(), pid),
        pushed_deletion(c, pid),
        pushed_group(c, "id"),
        pushed_member(c, "id", pid),
        pushed_membership(c, pid, "id"),
        upload(c, "id"),
        sync_request(c, pid),
        api_token(c, "id"),
        signing(c, "id"),
        delivery(c, "hash"),
    ];
    keys.extend(MetaKind::ALL.map(|kind| meta(c, kind)));
    let lists = [
        NoteList::plan("run"),
        NoteList::checkpoints("run"),
        NoteList::source(c),
        NoteList::departed(c),
        NoteList::address_holders(scope, collection),
        NoteList::recycle_bin(scope),
        NoteList::recheck(scope),
        NoteList::seen(scope),
        NoteList::memberships(scope),
        NoteList::habits(scope),
    ];
    keys.extend(lists.iter().map(|list| list.key("name")));
    keys
}

const README: &str = include_str!("../../README.md");
const SOURCES: [&str; 2] = [include_str!("../keys.rs"), include_str!("pushed.rs")];

/// The keys above, with the words of the README in the place of their parts.
fn spelled() -> BTreeSet<String> {
    let (c, pid) = (ConnectionId::new("C"), PersonHash::from_bytes([7; 16]));
    let (scope, id, hashing) = (TenantKey("T".to_owned()), ObjectId::new("objectId"), Secret([1; 32]));
    let parts = Parts { c: &c, pid, scope: &scope, id: &id, hashing: &hashing, lane: "lane", collection: "collection" };
    let kind = format!("#{}#", By::EmployeeId.name());
    let group = &hashing.long(&["group", "v"])[..32];
    let hashes = [
        hashing.value(By::EmployeeId, "v"),
        hashing.value(By::Address, "v@v"),
        hashing.value(By::LocalPart, "v"),
        group.to_owned(),
        hashing.pushed(&claim().attribute, &claim().value),
    ];
    let numbers = ["000000000001#", "000000000001", "000001", "0001"];
    let told = every_key(&parts).into_iter().map(|key| {
        let mut text = format!("{} / {}", key.pk, key.sk).replace(&pid.hex(), "pid").replace(&kind, "#kind#");
        for hash in &hashes {
            text = text.replace(hash, "hash");
        }
        for number in numbers {
            text = text.replace(number, if number.ends_with('#') { "n#" } else { "n" });
        }
        text.replace("#01", "#n").replace("DUE#C#1", "DUE#C#day").replace("DIRTY#C#0", "DIRTY#C#shard")
    });
    told.collect()
}

#[test]
fn the_readme_lists_every_key() {
    let table = README.split("```text\n").nth(1).and_then(|text| text.split("```").next()).expect("a table");
    let lines = table.lines().skip(1).filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    let listed: BTreeSet<String> = lines.map(|line| line.split("  ").next().unwrap_or_default().to_owned()).collect();
    assert_eq!(listed, spelled());
}

/// What a function's signature gives, between its name and its body.
fn gives(text: &str, what: &str) -> bool {
    text.split('{').next().is_some_and(|signature| signature.contains(&format!("-> {what}")))
}

#[test]
fn no_function_that_gives_a_key_is_left_out() {
    let own = include_str!("every.rs");
    let mut checked = 0;
    for source in SOURCES {
        for (visible, what) in [("\npub(crate) fn ", "Key"), ("\n    pub fn ", "Self")] {
            for function in source.split(visible).skip(1).filter(|text| gives(text, what)) {
                let name = function.split('(').next().unwrap_or_default();
                assert!(own.contains(&format!("{name}(")), "{name} is not in the list of keys");
                checked += 1;
            }
        }
    }
    assert!(checked > 60, "only {checked} functions were found");
}
