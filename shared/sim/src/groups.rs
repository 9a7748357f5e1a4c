//! Groups and their members (<https://learn.microsoft.com/graph/api/group-post-groups>,
//! <https://learn.microsoft.com/graph/api/group-post-members>).

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Refusal};
use crate::caller::Caller;
use crate::clock::iso;
use crate::directory::Key;
use crate::object::{Mask, Object};
use crate::rules::synced_refusal;
use crate::schema::{Kind, at};
use crate::serve::Ask;
use crate::state::State;
use crate::values::{self, Write};

/// Relationships in one request.
const MAX_LINKS: usize = 20;

fn exists(relation: &str) -> Box<Refusal> {
    Refusal::bad(format!(
        "One or more added object references already exist for the following modified properties: '{relation}'."
    ))
}

fn too_many() -> Box<Refusal> {
    Refusal::bad(format!("A resource cannot contain more than {MAX_LINKS} link changes."))
}

impl State {
    pub(crate) fn create_group(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let write = values::parse(Kind::Group, ask.body()?, ask.call.beta)?;
        for (prop, name) in [
            (at::DISPLAY_NAME, "displayName"),
            (at::MAIL_ENABLED, "mailEnabled"),
            (at::MAIL_NICKNAME, "mailNickname"),
            (at::SECURITY_ENABLED, "securityEnabled"),
        ] {
            if write.get(prop).is_none() {
                return Err(Refusal::required(name, "Group"));
            }
        }
        if write.binds.len() > MAX_LINKS {
            return Err(too_many());
        }
        self.check_quota()?;
        let mut group = Object::new(Kind::Group, self.fresh_id());
        group.set(at::CREATED, json!(iso(self.now())));
        group.set(at::GROUP_TYPES, json!([]));
        assign(&mut group, &write);
        let unified = group.group_type("Unified");
        if group.flag(at::MAIL_ENABLED) == Some(true) && !unified {
            // Mail-enabled security and distribution groups belong to Exchange.
            // https://github.com/pnp/cli-microsoft365/issues/5476
            return Err(Refusal::bad("Cannot Create a mail-enabled security groups and or distribution list."));
        }
        if group.flag(at::ROLE_ASSIGNABLE) == Some(true) && !ask.caller.has("RoleManagement.ReadWrite.Directory") {
            return Err(Refusal::denied());
        }
        if unified {
            let nickname = group.text(at::MAIL_NICKNAME).unwrap_or_default().to_owned();
            // https://github.com/microsoftgraph/microsoft-graph-docs/issues/5122
            if let Some(holder) = self.dir.holding(Key::Nickname, &nickname).first() {
                return Err(self.conflict("mailNickname", self.dir.object(*holder)));
            }
            let mail = format!("{nickname}@{}", self.group_domain());
            group.set(at::MAIL, json!(mail));
            group.set(at::PROXY_ADDRESSES, json!([format!("SMTP:{mail}")]));
        }
        if let Some(name) = group.text(at::UNIQUE_NAME)
            && let Some(holder) = self.dir.holding(Key::UniqueName, name).first()
        {
            return Err(self.conflict("uniqueName", self.dir.object(*holder)));
        }
        self.check_unique(None, &group)?;
        for (member, id) in &write.binds {
            self.linked(*id)?;
            link(&mut group, *member, *id)?;
        }
        let location = format!("{}/v1.0/groups/{}", self.base, group.id);
        let body = self.entity(&group, Mask(Kind::Group.defaults()), None, 0);
        self.commit_new(group);
        Ok(Answer::bytes(201, body).with("location", location))
    }

    fn group_domain(&self) -> String {
        self.domains.iter().find(|d| d.default).map_or_else(|| self.initial_domain().to_owned(), |d| d.name.clone())
    }

    /// What keeps a group from being changed through Graph.
    fn changeable(&self, caller: &Caller, group: &Object, links: bool) -> Outcome<()> {
        if self.mastered(group) {
            return Err(synced_refusal());
        }
        if group.flag(at::MAIL_ENABLED) == Some(true) && !group.group_type("Unified") {
            return Err(Refusal::bad("Cannot Update a mail-enabled security groups and or distribution list."));
        }
        if links && group.group_type("DynamicMembership") {
            return Err(Refusal::denied());
        }
        let assignable = group.flag(at::ROLE_ASSIGNABLE) == Some(true);
        if assignable && !caller.has("RoleManagement.ReadWrite.Directory") {
            return Err(Refusal::denied());
        }
        Ok(())
    }

    pub(crate) fn update_group(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let write = values::parse(Kind::Group, ask.body()?, ask.call.beta)?;
        if !write.values.is_empty() && !ask.caller.has_any(&["Group.ReadWrite.All", "Directory.ReadWrite.All"]) {
            return Err(Refusal::denied());
        }
        let (slot, before) = self.target(Kind::Group, ask.key)?;
        self.changeable(ask.caller, &before, !write.binds.is_empty())?;
        if write.binds.len() > MAX_LINKS {
            return Err(too_many());
        }
        let mut group = before.clone();
        assign(&mut group, &write);
        // All or nothing: one duplicate refuses them all.
        let mut mask = group.differs_from(&before);
        for (member, id) in &write.binds {
            self.linked(*id)?;
            link(&mut group, *member, *id)?;
            mask.add(if *member { at::MEMBERS } else { at::OWNERS });
        }
        if mask != Mask::default() {
            self.commit(slot, group, mask);
        }
        Ok(Answer::empty(204))
    }

    pub(crate) fn delete_group(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let (slot, group) = self.target(Kind::Group, ask.key)?;
        self.changeable(ask.caller, &group, false)?;
        if group
            .get(Kind::Group.find("assignedLicenses").unwrap_or(0))
            .and_then(Value::as_array)
            .is_some_and(|l| !l.is_empty())
        {
            return Err(Refusal::bad("The group cannot be deleted because it has active licenses assigned."));
        }
        self.soft_delete(slot);
        Ok(Answer::empty(204))
    }

    pub(crate) fn add_link(&mut self, ask: &Ask<'_>, member: bool) -> Outcome {
        ask.query.only(&[])?;
        let body = ask.body()?;
        let id = values::reference(body.get("@odata.id").unwrap_or(&Value::Null))?;
        let (slot, mut group) = self.target(Kind::Group, ask.key)?;
        self.changeable(ask.caller, &group, true)?;
        self.linked(id)?;
        link(&mut group, member, id)?;
        self.commit(slot, group, Mask::of(&[if member { at::MEMBERS } else { at::OWNERS }]));
        Ok(Answer::empty(204))
    }

    pub(crate) fn remove_link(&mut self, ask: &Ask<'_>, member: bool) -> Outcome {
        ask.query.only(&[])?;
        let (slot, mut group) = self.target(Kind::Group, ask.key)?;
        self.changeable(ask.caller, &group, member)?;
        let id = Uuid::parse_str(ask.second).map_err(|_| Refusal::not_found(ask.second))?;
        let unified = group.group_type("Unified");
        let list = if member { &mut group.members } else { &mut group.owners };
        let Some(i) = list.iter().position(|m| *m == id) else { return Err(self.no_link(ask.second, member)) };
        if !member && unified && list.len() == 1 {
            return Err(Refusal::bad("The group must have at least one owner, hence this owner cannot be removed."));
        }
        list.remove(i);
        self.commit(slot, group, Mask::of(&[if member { at::MEMBERS } else { at::OWNERS }]));
        Ok(Answer::empty(204))
    }

    /// Removing who is not there.
    fn no_link(&self, id: &str, member: bool) -> Box<Refusal> {
        if !self.options.removing_a_stranger_is_400 {
            return Refusal::not_found(id);
        }
        let relation = if member { "members" } else { "owners" };
        Refusal::bad(format!(
            "One or more removed object references do not exist for the following modified properties: '{relation}'."
        ))
    }

    pub(crate) fn list_links(&mut self, ask: &Ask<'_>, members: bool) -> Outcome {
        ask.query.only(&["$select", "$top", "$skiptoken"])?;
        let horizon = self.list_horizon();
        let (_, group) = self.seen(Kind::Group, ask.key, horizon)?;
        let list = if members { &group.members } else { &group.owners };
        let list = list.clone();
        self.link_page(ask, &list, horizon)
    }

    /// <https://learn.microsoft.com/graph/api/user-list-memberof>: direct memberships.
    pub(crate) fn member_of(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select", "$top", "$skiptoken"])?;
        let horizon = self.list_horizon();
        let (_, user) = self.seen(Kind::User, ask.key, horizon)?;
        let groups: Vec<Uuid> = self
            .dir
            .of_kind(Kind::Group)
            .iter()
            .filter_map(|s| self.dir.slot(*s).seen(horizon))
            .filter(|g| g.live() && g.members.contains(&user.id))
            .map(|g| g.id)
            .collect();
        self.link_page(ask, &groups, horizon)
    }

    /// A page of directory objects, each with its type.
    pub(crate) fn link_page(&self, ask: &Ask<'_>, ids: &[Uuid], horizon: i64) -> Outcome {
        let top = self.page_size(ask)?;
        let (start, end) = self.page_start(ask, ids.len() as u64)?;
        let mut rows = Vec::new();
        let mut taken = 0;
        let mut next = None;
        for (i, id) in ids.iter().enumerate().skip(usize::try_from(start).unwrap_or(usize::MAX)) {
            let object = self.dir.slot_of(*id).and_then(|s| self.dir.slot(s).seen(horizon)).filter(|o| o.live());
            let Some(object) = object else { continue };
            if taken == top {
                next = Some((i as u64, end));
                break;
            }
            if taken > 0 {
                rows.push(b',');
            }
            taken += 1;
            rows.extend_from_slice(b"{\"@odata.type\":");
            crate::object::write_value(&mut rows, &json!(object.kind.odata()));
            object.write(&mut rows, shown(ask, object.kind), true, false);
            rows.push(b'}');
        }
        Ok(self.page(ask, "directoryObjects", &rows, None, next))
    }

    /// <https://learn.microsoft.com/graph/api/directoryobject-getbyids>: unknown ids are left out silently.
    pub(crate) fn get_by_ids(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let body = ask.body()?;
        if let Some(name) = body.keys().find(|k| !["ids", "types"].contains(&k.as_str())) {
            return Err(Refusal::unknown(format!("'{name}' in getByIds")));
        }
        let texts = |name: &str| -> Vec<&str> {
            body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let (ids, types) = (texts("ids"), texts("types"));
        if ids.is_empty() || ids.len() > 1000 {
            return Err(Refusal::bad("The number of ids must be between 1 and 1000."));
        }
        let horizon = self.list_horizon();
        let mut rows = Vec::new();
        for id in ids {
            let slot = Uuid::parse_str(id).ok().and_then(|id| self.dir.slot_of(id));
            let Some(object) = slot.and_then(|s| self.dir.slot(s).seen(horizon)).filter(|o| o.live()) else { continue };
            let kind = object.kind.odata().trim_start_matches("#microsoft.graph.");
            if !types.is_empty() && !types.contains(&kind) && !types.contains(&"directoryObject") {
                continue;
            }
            if !rows.is_empty() {
                rows.push(b',');
            }
            rows.extend_from_slice(b"{\"@odata.type\":");
            crate::object::write_value(&mut rows, &json!(object.kind.odata()));
            object.write(&mut rows, shown(ask, object.kind), true, false);
            rows.push(b'}');
        }
        Ok(self.page(ask, "directoryObjects", &rows, None, None))
    }
}

/// The selected properties that this kind has; a collection of several kinds ignores the others.
fn shown(ask: &Ask<'_>, kind: Kind) -> Mask {
    let Some(select) = ask.query.get("$select") else { return Mask(kind.defaults()) };
    let mut mask = Mask::of(&[at::ID]);
    for prop in select.split(',').filter_map(|name| kind.find(name.trim())) {
        mask.add(prop);
    }
    mask
}

fn link(group: &mut Object, member: bool, id: Uuid) -> Outcome<()> {
    let (list, relation) = if member { (&mut group.members, "members") } else { (&mut group.owners, "owners") };
    if list.contains(&id) {
        return Err(exists(relation));
    }
    list.push(id);
    Ok(())
}

fn assign(group: &mut Object, write: &Write) {
    for (prop, value) in &write.values {
        group.set(*prop, value.clone());
    }
}
