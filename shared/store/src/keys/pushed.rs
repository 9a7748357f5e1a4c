//! Keys of what is pushed: people and groups of an identity provider, tokens that may push, and who is wanted now.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Key, Query};

use crate::claim::Claim;
use crate::hashes::{PersonHash, Secret};

/// A person as an identity provider pushed them.
pub(crate) fn pushed_person(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(pushed(c, &pid.hex()), "RESOURCE")
}

fn pushed(c: &ConnectionId, list: &str) -> String {
    format!("PUSHED#{c}#{list}")
}

/// Lists of what was pushed to a connection or asked of it, but for its groups, which claim their names.
pub(crate) fn pushed_lists(c: &ConnectionId) -> impl Iterator<Item = Query> {
    let lists = [PEOPLE, DELETED, MEMBERS, MEMBERSHIPS, UPLOADS].map(|list| pushed(c, list));
    lists.into_iter().chain([requests_pk(c), deliveries_pk(c), signing_pk(c)]).map(|pk| Query::prefix(pk, ""))
}

/// The place of a pushed person, under the id that the identity provider knows.
pub(crate) fn pushed_id(c: &ConnectionId, id: &str) -> Key {
    Key::new(pushed(c, PEOPLE), id)
}

const PEOPLE: &str = "people";

/// The ids of all living pushed people.
pub(crate) fn pushed_ids(c: &ConnectionId) -> Query {
    Query::prefix(pushed(c, PEOPLE), "")
}

/// Which resource has claimed a value.
pub(crate) fn pushed_claim(c: &ConnectionId, secret: &Secret, claim: &Claim) -> Key {
    Key::new(pushed(c, &secret.pushed(&claim.attribute, &claim.value)), "CLAIM")
}

/// A pushed person's entry under a value by which they can be found.
pub(crate) fn pushed_entry(c: &ConnectionId, secret: &Secret, value: &Claim, pid: PersonHash) -> Key {
    Key::new(pushed(c, &secret.pushed(&value.attribute, &value.value)), format!("{ENTRY}{}", pid.hex()))
}

const ENTRY: &str = "BY#";

/// Pushed people who can be found by a value.
pub(crate) fn pushed_entries(c: &ConnectionId, secret: &Secret, value: &Claim) -> Query {
    Query::prefix(pushed(c, &secret.pushed(&value.attribute, &value.value)), ENTRY)
}

/// Whose entry an item of [`pushed_entries`] is.
pub(crate) fn pushed_entry_of(key: &Key) -> Option<PersonHash> {
    PersonHash::parse(key.sk.strip_prefix(ENTRY)?)
}

/// A pushed person who was deleted by the source's own word.
pub(crate) fn pushed_deletion(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(pushed(c, DELETED), pid.hex())
}

const DELETED: &str = "deleted";

/// Everybody who was deleted by the source's own word.
pub(crate) fn pushed_deletions(c: &ConnectionId) -> Query {
    Query::prefix(pushed(c, DELETED), "")
}

/// A pushed group.
pub(crate) fn pushed_group(c: &ConnectionId, id: &str) -> Key {
    Key::new(pushed(c, GROUPS), id)
}

const GROUPS: &str = "groups";

/// All pushed groups.
pub(crate) fn pushed_groups(c: &ConnectionId) -> Query {
    Query::prefix(pushed(c, GROUPS), "")
}

/// That a person is a member of a pushed group, found from the group.
pub(crate) fn pushed_member(c: &ConnectionId, group: &str, pid: PersonHash) -> Key {
    Key::new(pushed(c, MEMBERS), format!("{group}#{}", pid.hex()))
}

const MEMBERS: &str = "members";

/// The members of a pushed group.
pub(crate) fn pushed_members(c: &ConnectionId, group: &str) -> Query {
    Query::prefix(pushed(c, MEMBERS), format!("{group}#"))
}

/// The members of all pushed groups.
pub(crate) fn all_pushed_members(c: &ConnectionId) -> Query {
    Query::prefix(pushed(c, MEMBERS), "")
}

/// The group and the member of an item of [`pushed_members`].
pub(crate) fn pushed_member_of(key: &Key) -> Option<(&str, PersonHash)> {
    let (group, pid) = key.sk.split_once('#')?;
    Some((group, PersonHash::parse(pid)?))
}

/// That a person is a member of a pushed group, found from the person.
pub(crate) fn pushed_membership(c: &ConnectionId, pid: PersonHash, group: &str) -> Key {
    Key::new(pushed(c, MEMBERSHIPS), format!("{}#{group}", pid.hex()))
}

const MEMBERSHIPS: &str = "memberships";

/// The pushed groups that a person is a member of.
pub(crate) fn pushed_memberships(c: &ConnectionId, pid: PersonHash) -> Query {
    Query::prefix(pushed(c, MEMBERSHIPS), format!("{}#", pid.hex()))
}

/// The group of an item of [`pushed_memberships`].
pub(crate) fn pushed_membership_of(key: &Key) -> Option<&str> {
    key.sk.split_once('#').map(|(_, group)| group)
}

/// What became of an upload of several people.
pub(crate) fn upload(c: &ConnectionId, id: &str) -> Key {
    Key::new(pushed(c, UPLOADS), id)
}

const UPLOADS: &str = "uploads";

/// That a person is wanted now.
pub(crate) fn sync_request(c: &ConnectionId, pid: PersonHash) -> Key {
    Key::new(requests_pk(c), pid.hex())
}

fn requests_pk(c: &ConnectionId) -> String {
    format!("SYNC#{c}")
}

/// Everybody of a connection who is wanted now.
pub(crate) fn sync_requests(c: &ConnectionId) -> Query {
    Query::prefix(requests_pk(c), "")
}

/// A token that may push, or ask for people, by its public part.
pub(crate) fn api_token(c: &ConnectionId, id: &str) -> Key {
    super::connection(c, format!("{TOKEN}{id}"))
}

const TOKEN: &str = "TOKEN#";

/// A connection's tokens that may push or ask for people.
pub(crate) fn api_tokens(c: &ConnectionId) -> Query {
    Query::prefix(super::connection_pk(c), TOKEN)
}

/// What signatures made with a token are checked with. In a partition of its own, which people who read the table may not.
pub(crate) fn signing(c: &ConnectionId, id: &str) -> Key {
    Key::new(signing_pk(c), id)
}

fn signing_pk(c: &ConnectionId) -> String {
    format!("SIGNING#{c}")
}

/// What signatures of a connection's hooks are checked with.
pub(crate) fn all_signing(c: &ConnectionId) -> Query {
    Query::prefix(signing_pk(c), "")
}

/// A delivery of a hook, under the hash of what names it.
pub(crate) fn delivery(c: &ConnectionId, hash: &str) -> Key {
    Key::new(deliveries_pk(c), hash)
}

fn deliveries_pk(c: &ConnectionId) -> String {
    format!("HOOK#{c}")
}
