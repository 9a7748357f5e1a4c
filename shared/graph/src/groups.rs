//! Groups that rules name: found by display name, and who is a member.

use hardmatch_domain::group::{Group, GroupKind, GroupLock};
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::tenant::{Cursor, ListPage, TenantError};
use serde::Deserialize;

use crate::client::GraphClient;
use crate::query::{LONGEST_VALUE, escaped};
use crate::read::items;
use crate::text::Text;
use crate::user::object_id;
use crate::wire::Unread;

/// What says whether a group's members are ours to write.
const SELECT: &str = "id,displayName,groupTypes,mailEnabled,securityEnabled,onPremisesSyncEnabled,isAssignableToRole";

/// Most members on a page. <https://learn.microsoft.com/graph/api/group-list-members>
const TOP: u32 = 999;

impl GraphClient {
    /// Every group of that display name, upper and lower case not counted.
    pub(crate) async fn read_groups_named(&self, name: &str) -> Result<Vec<Group>, TenantError> {
        let path = format!("/groups?$select={SELECT}&$filter={}", escaped(&named(name)));
        let same = name.trim().to_lowercase();
        let mut found = self
            .list_all("/groups", &path, |body| {
                items(body, |group: GroupObject<'_>, out| group.translate().map(|group| out.push(group)))
            })
            .await?;
        // Filters ignore more than case.
        found.retain(|group| group.name.trim().to_lowercase() == same);
        Ok(found)
    }

    /// One group, or none when there is nobody, or something else, under the id.
    pub(crate) async fn read_group(&self, id: &ObjectId) -> Result<Option<Group>, TenantError> {
        let url = self.url(&format!("/groups/{}?$select={SELECT}", escaped(id.as_str())));
        let read = self.wire.read("/groups/{id}", &url, self.read_priority, |body| {
            serde_json::from_slice::<GroupObject<'_>>(body)?.translate().ok_or(Unread::Broken)
        });
        match read.await {
            Err(error) if error.status == 404 => Ok(None),
            other => other.map(Some),
        }
    }

    /// One page of direct members.
    pub(crate) async fn read_members(
        &self,
        group: &ObjectId,
        page: Option<&Cursor>,
    ) -> Result<ListPage<ObjectId>, TenantError> {
        let first = format!("/groups/{}/members?$select=id&$top={TOP}", escaped(group.as_str()));
        self.list("/groups/{id}/members", page, &first, |body| {
            items(body, |member: Member<'_>, out| (!member.id.is_empty()).then(|| out.push(object_id(&member.id))))
        })
        .await
    }
}

/// The filter that finds a name: one that is too long for `eq` by its beginning.
/// <https://learn.microsoft.com/graph/aad-advanced-queries>
fn named(name: &str) -> String {
    let name = name.trim();
    let quoted = |text: &str| text.replace('\'', "''");
    match name.char_indices().nth(LONGEST_VALUE) {
        None => format!("displayName eq '{}'", quoted(name)),
        Some((end, _)) => format!("startsWith(displayName,'{}')", quoted(&name[..end])),
    }
}

/// A user, a group, a device, a contact: what it is does not matter here, and may not be told.
#[derive(Deserialize)]
struct Member<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// A group as Graph describes it. <https://learn.microsoft.com/graph/api/resources/group>
#[derive(Deserialize)]
struct GroupObject<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "displayName", borrow, default)]
    name: Option<Text<'a>>,
    #[serde(rename = "groupTypes", borrow, default)]
    types: Option<Vec<Text<'a>>>,
    #[serde(rename = "mailEnabled", default)]
    mail: Option<bool>,
    #[serde(rename = "securityEnabled", default)]
    security: Option<bool>,
    #[serde(rename = "onPremisesSyncEnabled", default)]
    synced: Option<bool>,
    #[serde(rename = "isAssignableToRole", default)]
    assignable: Option<bool>,
}

impl GroupObject<'_> {
    /// `None` without an id.
    fn translate(&self) -> Option<Group> {
        if self.id.is_empty() {
            return None;
        }
        let is = |wanted: &str| self.types.iter().flatten().any(|kind| kind.eq_ignore_ascii_case(wanted));
        let kind = if is("Unified") {
            Some(GroupKind::Microsoft365)
        } else if self.mail != Some(true) && self.security == Some(true) {
            Some(GroupKind::Security)
        } else {
            None
        };
        let locked = if is("DynamicMembership") {
            Some(GroupLock::Dynamic)
        } else if self.synced == Some(true) {
            Some(GroupLock::Synced)
        } else if self.assignable == Some(true) {
            Some(GroupLock::RoleAssignable)
        } else {
            None
        };
        let name = self.name.as_deref().unwrap_or_default().into();
        Some(Group { id: object_id(&self.id), name, kind, locked })
    }
}
