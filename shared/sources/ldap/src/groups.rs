//! Groups of groups: a person is in a group whose member is a group that the person is in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use hardmatch_domain::ids::Guid;
use hardmatch_ports::SourceError;
use hardmatch_sources_entry::dn;

use crate::copy::EntryId;
use crate::search::Pages;
use crate::session::Session;
use crate::wire::WireEntry;

/// What is read of groups whose members stand in them.
pub(crate) const MEMBERS: &[&str] = &["objectClass", "member", "uniqueMember", "memberUid", "entryUUID"];

/// Classes of what people are below, elsewhere than in Active Directory.
const CONTAINERS: [&str; 4] = ["organizationalUnit", "organization", "dcObject", "container"];

/// The filter for groups whose members stand in them.
const GROUPS: &str = "(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)";

/// The filter for groups and for what people are below, elsewhere than in Active Directory.
pub(crate) fn holders_filter() -> String {
    format!("(|{GROUPS}{})", containers_filter())
}

fn containers_filter() -> String {
    CONTAINERS.map(|class| ["(objectClass=", class, ")"].concat()).concat()
}

/// Whether an entry is something that people are below, and no group.
pub(crate) fn is_container(entry: &WireEntry) -> bool {
    entry.texts("objectClass").any(|class| CONTAINERS.iter().any(|one| one.eq_ignore_ascii_case(class)))
}

/// The entries of the groups of the part of the tree that holds the base, as bytes, by what they are known by.
pub(crate) async fn entries(session: &mut Session) -> Result<BTreeMap<EntryId, Vec<u8>>, SourceError> {
    let context = session.context.clone();
    let others = format!("(|{GROUPS})");
    let (filter, attributes): (&str, &[&str]) = if session.is_active_directory {
        // The groups that hold a group stand in the group: no list of members is read.
        ("(objectClass=group)", &["memberOf", "objectSid", "objectGUID"])
    } else {
        (&others, MEMBERS)
    };
    let mut all = BTreeMap::new();
    let mut pages = Pages::below(&context, filter, attributes);
    while let Some(found) = pages.next(session).await? {
        for entry in found.entries {
            let id = session.id_of(&entry).unwrap_or_else(|| entry.dn.clone().into_bytes());
            all.insert(id, entry.to_bytes());
        }
    }
    Ok(all)
}

/// The names of what people are below, by what they are known by.
pub(crate) async fn containers(session: &mut Session) -> Result<BTreeMap<EntryId, String>, SourceError> {
    let context = session.context.clone();
    let others = format!("(|{})", containers_filter());
    let filter = if session.is_active_directory {
        "(|(objectClass=organizationalUnit)(objectClass=container))"
    } else {
        others.as_str()
    };
    let mut all = BTreeMap::new();
    let mut pages = Pages::below(&context, filter, &["objectGUID", "entryUUID"]);
    while let Some(found) = pages.next(session).await? {
        for entry in found.entries {
            if let Some(id) = session.id_of(&entry) {
                all.insert(id, entry.dn);
            }
        }
    }
    Ok(all)
}

/// Which groups hold whom.
#[derive(Default)]
pub(crate) struct Groups {
    /// DNs of groups.
    names: Vec<String>,
    /// By the canonical DN of a member: the groups that hold it. A name without `=` is a `memberUid`.
    holding: HashMap<String, Vec<u32>>,
    /// By SID: groups that can be somebody's primary one, which lists no members.
    by_sid: HashMap<Vec<u8>, u32>,
    /// Canonical DNs of groups whose members are seen: what people's entries say of these may be older.
    listing: HashSet<String>,
    /// GUIDs of groups that rules name, in their spelling.
    wanted: Vec<(Guid, Box<str>)>,
    /// By canonical DN: the GUIDs of such a group.
    ids: HashMap<String, Vec<Box<str>>>,
}

impl Groups {
    /// Of the groups' entries; `ids` are GUIDs of groups that rules name.
    pub(crate) fn of_entries<'e>(entries: impl Iterator<Item = &'e Vec<u8>>, ids: &[Box<str>]) -> Self {
        let wanted = ids.iter().filter_map(|id| Some((Guid::parse(id)?, id.clone()))).collect();
        let mut groups = Self { wanted, ..Self::default() };
        entries.filter_map(|bytes| WireEntry::from_bytes(bytes)).for_each(|entry| groups.note(&entry));
        groups
    }

    /// Reads the groups of the part of the tree that holds the base.
    pub(crate) async fn read(session: &mut Session) -> Result<Self, SourceError> {
        let entries = entries(session).await?;
        Ok(Self::of_entries(entries.values(), &session.settings.mapping.group_ids))
    }

    fn note(&mut self, entry: &WireEntry) {
        let group = self.number(&entry.dn);
        for holder in entry.texts("memberOf") {
            let holder = self.number(holder);
            self.hold(dn::canonical(&entry.dn), holder);
        }
        for member in entry.texts("member").chain(entry.texts("uniqueMember")) {
            self.hold(dn::canonical(member), group);
        }
        if ["member", "uniqueMember", "memberUid"].iter().any(|name| !entry.values(name).is_empty()) {
            self.listing.insert(dn::canonical(&entry.dn));
        }
        for uid in entry.texts("memberUid") {
            self.hold(uid.to_owned(), group);
        }
        if let Some(sid) = entry.values("objectSid").first() {
            self.by_sid.insert(sid.clone(), group);
        }
        self.note_id(entry);
    }

    /// Notes a group that rules name by its GUID.
    fn note_id(&mut self, entry: &WireEntry) {
        if self.wanted.is_empty() {
            return;
        }
        let bytes = entry.values("objectGUID").first().and_then(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).ok());
        let of_text = || entry.text("entryUUID").and_then(Guid::parse);
        let Some(guid) = bytes.map(Guid::from_ad_bytes).or_else(of_text) else { return };
        let spelled = self.wanted.iter().filter(|(wanted, _)| *wanted == guid).map(|(_, id)| id.clone());
        self.ids.entry(dn::canonical(&entry.dn)).or_default().extend(spelled);
    }

    /// The number of a group; names that differ in spelling alone have two, which does no harm.
    fn number(&mut self, name: &str) -> u32 {
        let own = format!("\u{1}{name}");
        if let Some(number) = self.holding.get(&own).and_then(|numbers| numbers.first()) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.holding.insert(own, vec![number]);
        number
    }

    fn hold(&mut self, member: String, group: u32) {
        let held = self.holding.entry(member).or_default();
        if !held.contains(&group) {
            held.push(group);
        }
    }

    /// The DNs of all groups that an entry is in, sorted; behind them the GUIDs of those that rules name by it.
    pub(crate) fn of(&self, entry: &WireEntry) -> Vec<String> {
        let told = entry.texts("memberOf").filter(|group| !self.listing.contains(&dn::canonical(group)));
        let mut direct: Vec<String> = told.map(str::to_owned).collect();
        let by_member = [Some(dn::canonical(&entry.dn)), entry.text("uid").map(str::to_owned)];
        let numbers = by_member.into_iter().flatten().filter_map(|name| self.holding.get(&name)).flatten();
        direct.extend(numbers.chain(self.primary(entry)).filter_map(|number| self.name(*number)));
        let mut seen: HashSet<String> = direct.iter().map(|name| dn::canonical(name)).collect();
        let mut all = Vec::new();
        while let Some(name) = direct.pop() {
            // A circle of groups ends here: what was seen is not gone through again.
            for holder in
                self.holding.get(&dn::canonical(&name)).into_iter().flatten().filter_map(|one| self.name(*one))
            {
                if seen.insert(dn::canonical(&holder)) {
                    direct.push(holder);
                }
            }
            all.push(name);
        }
        all.sort_unstable();
        all.dedup_by(|one, other| dn::canonical(one) == dn::canonical(other));
        if !self.ids.is_empty() {
            let ids = all.iter().filter_map(|name| self.ids.get(&dn::canonical(name))).flatten();
            let ids: BTreeSet<&str> = ids.map(AsRef::as_ref).collect();
            let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
            all.extend(ids);
        }
        all
    }

    /// The primary group: the domain's part of the person's SID, and the number.
    fn primary(&self, entry: &WireEntry) -> Option<&u32> {
        let number: u32 = entry.text("primaryGroupID")?.parse().ok()?;
        let sid = entry.values("objectSid").first()?;
        let mut group = sid.get(..sid.len().checked_sub(4)?)?.to_vec();
        group.extend(number.to_le_bytes());
        self.by_sid.get(&group)
    }

    fn name(&self, number: u32) -> Option<String> {
        self.names.get(number as usize).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests_support::entry;

    #[test]
    fn groups_of_groups_are_found_and_circles_end() {
        let mut groups = Groups::default();
        for one in [
            entry("CN=Team,DC=x", &[("memberOf", &["CN=Staff,DC=x"])]),
            entry("CN=Staff,DC=x", &[("memberOf", &["CN=All,DC=x"])]),
            entry("CN=All,DC=x", &[("memberOf", &["CN=Team,DC=x"])]),
        ] {
            groups.note(&one);
        }
        let person = entry("CN=Ann,DC=x", &[("memberOf", &["cn=team,dc=x"])]);
        let all = groups.of(&person);
        assert_eq!(all.len(), 3, "{all:?}");
        assert_eq!(groups.of(&entry("CN=Bob,DC=x", &[])), Vec::<String>::new());
    }

    #[test]
    fn members_that_groups_list_are_found_by_name_and_uid() {
        let mut groups = Groups::default();
        for one in [
            entry("cn=dev,ou=g", &[("member", &["uid=ann,ou=p"])]),
            entry("cn=it,ou=g", &[("member", &["cn=dev,ou=g"])]),
            entry("cn=posix,ou=g", &[("memberUid", &["ann"])]),
        ] {
            groups.note(&one);
        }
        let all = groups.of(&entry("UID=Ann,OU=P", &[("uid", &["ann"])]));
        assert_eq!(all, ["cn=dev,ou=g", "cn=it,ou=g", "cn=posix,ou=g"]);
    }

    #[test]
    fn a_group_that_rules_name_by_its_guid_is_the_same_under_another_name() {
        let id = "8C1FA4B0-1111-4222-8333-000000000001";
        let bytes = Guid::parse(id).unwrap().ad_bytes().to_vec();
        for name in ["CN=Sales,DC=x", "CN=Revenue,OU=Moved,DC=x"] {
            let group = entry(name, &[("memberOf", &["CN=All,DC=x"])]).with("objectGUID", bytes.clone());
            let all = entry("CN=All,DC=x", &[("entryUUID", &["8c1fa4b0-1111-4222-8333-000000000002"])]);
            let wanted: Vec<Box<str>> = vec![id.into(), "8c1fa4b0-1111-4222-8333-000000000002".into()];
            let groups = Groups::of_entries([group.to_bytes(), all.to_bytes()].iter(), &wanted);
            let person = entry("CN=Ann,DC=x", &[("memberOf", &[name])]);
            let found = groups.of(&person);
            assert_eq!(found[2..], [id, "8c1fa4b0-1111-4222-8333-000000000002"], "nested, too: {found:?}");
        }
    }

    #[test]
    fn the_primary_group_is_found_by_its_sid() {
        let sid = |last: u32| {
            let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0];
            sid.extend([9; 12]);
            sid.extend(last.to_le_bytes());
            sid
        };
        let mut groups = Groups::default();
        groups.note(&entry("CN=Domain Users,DC=x", &[]).with("objectSid", sid(513)));
        let person = entry("CN=Ann,DC=x", &[("primaryGroupID", &["513"])]).with("objectSid", sid(1104));
        assert_eq!(groups.of(&person), ["CN=Domain Users,DC=x"]);
    }
}
