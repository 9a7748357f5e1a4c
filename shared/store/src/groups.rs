//! Which group a rule's name was bound to. A group is found by its name once; later its id says which it is, whatever it
//! is called then.

use std::collections::{BTreeMap, BTreeSet};

use hardmatch_domain::group::GroupKind;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::{Key, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::TenantKey;
use crate::keys::NoteList;
use crate::{Result, Store, Stored, json, keys};

/// `T#scope / GROUP#kind#hash`: what a name stands for in this tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBinding {
    /// Version of this shape.
    pub v: u32,
    /// The group, once it was found or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ObjectId>,
    /// When we last asked for it to be made (Unix seconds): it may be there, and not be shown yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<i64>,
}

impl Store {
    /// What a name stands for, as far as it is known.
    pub async fn group_binding(&self, scope: &TenantKey, kind: GroupKind, name: &str) -> Result<GroupBinding> {
        let found: Option<Stored<GroupBinding>> = self.read(&self.binding_key(scope, kind, name), "group").await?;
        Ok(found.map(|stored| stored.value).unwrap_or_default())
    }

    /// Stores what a name stands for.
    pub async fn bind_group(
        &self,
        scope: &TenantKey,
        kind: GroupKind,
        name: &str,
        binding: &GroupBinding,
    ) -> Result<()> {
        let binding = GroupBinding { v: 1, ..binding.clone() };
        self.table.write(Write::put(self.binding_key(scope, kind, name), json(&binding))).await?;
        Ok(())
    }

    /// Names the lease under which the group of a name is made: by one writer at a time, in whatever lane.
    pub fn group_lease(&self, scope: &TenantKey, kind: GroupKind, name: &str) -> String {
        let key = self.binding_key(scope, kind, name);
        format!("{}#{}", key.pk, key.sk)
    }

    /// The write that has a membership of the mirror compared with the group's members at the next look, although their
    /// list may be the one that was read last: a writer that changes the mirror without having read the list.
    pub fn note_membership(&self, scope: &TenantKey, group: &ObjectId, account: &ObjectId) -> Write {
        self.write_note(&NoteList::memberships(scope), &membership_name(group, account), Vec::new())
    }

    /// Memberships that are to be compared, by group.
    pub async fn noted_memberships(&self, scope: &TenantKey) -> Result<BTreeMap<ObjectId, BTreeSet<ObjectId>>> {
        let mut noted: BTreeMap<ObjectId, BTreeSet<ObjectId>> = BTreeMap::new();
        for name in self.notes(&NoteList::memberships(scope)).await? {
            if let Some((group, account)) = name.split_once('~') {
                noted.entry(ObjectId::new(group)).or_default().insert(ObjectId::new(account));
            }
        }
        Ok(noted)
    }

    /// Forgets memberships that were compared, as group and account.
    pub async fn forget_memberships(&self, scope: &TenantKey, compared: &[(ObjectId, ObjectId)]) -> Result<()> {
        let names: Vec<String> = compared.iter().map(|(group, account)| membership_name(group, account)).collect();
        self.delete_notes(&NoteList::memberships(scope), names.iter().map(String::as_str)).await
    }

    fn binding_key(&self, scope: &TenantKey, kind: GroupKind, name: &str) -> Key {
        keys::group_binding(scope, &self.secret, kind.name(), name)
    }
}

fn membership_name(group: &ObjectId, account: &ObjectId) -> String {
    format!("{group}~{account}")
}
