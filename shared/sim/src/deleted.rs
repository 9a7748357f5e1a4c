//! Deleted items: list, restore, purge, and the clock that purges
//! (<https://learn.microsoft.com/graph/api/directory-deleteditems-restore>).

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::{Answer, Outcome, Refusal};
use crate::directory::Key;
use crate::object::{Mask, Object};
use crate::options;
use crate::schema::{Kind, at};
use crate::serve::Ask;
use crate::state::State;

const DAY_MS: i64 = 86_400_000;

impl State {
    pub(crate) fn list_deleted(&mut self, kind: Kind, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select", "$top", "$skiptoken", "$filter", "$count"])?;
        let mask = ask.query.select(kind, ask.call.beta, true)?;
        let filter =
            ask.query.get("$filter").map(|f| crate::filter::Filter::parse(f, kind, ask.advanced())).transpose()?;
        let top = self.page_size(ask)?;
        let (start, end) = self.page_start(ask, u64::MAX)?;
        let horizon = self.list_horizon();
        // Positions are slots: a page token stays right when others come and go.
        let mut slots: Vec<u32> = self.dir.deleted.iter().map(|(_, s)| *s).filter(|s| u64::from(*s) >= start).collect();
        slots.sort_unstable();
        let mut rows = Vec::new();
        let mut taken = 0;
        let mut next = None;
        for slot in slots {
            let Some(object) = self.dir.slot(slot).seen(horizon) else { continue };
            let deleted = object.deleted_at.is_some() && !object.purged && object.kind == kind;
            if !deleted || filter.as_ref().is_some_and(|f| !f.matches(object)) {
                continue;
            }
            if taken == top {
                next = Some((u64::from(slot), end));
                break;
            }
            if taken > 0 {
                rows.push(b',');
            }
            taken += 1;
            rows.push(b'{');
            object.write(&mut rows, mask, true, true);
            rows.push(b'}');
        }
        Ok(self.page(ask, kind.set(), &rows, None, next))
    }

    fn deleted_item(&self, key: &str, horizon: i64) -> Outcome<(u32, Arc<Object>)> {
        Uuid::parse_str(key)
            .ok()
            .and_then(|id| self.dir.slot_of(id))
            .and_then(|s| Some((s, Arc::clone(self.dir.slot(s).seen(horizon)?))))
            .filter(|(_, o)| o.deleted_at.is_some() && !o.purged)
            .ok_or_else(|| Refusal::not_found(key))
    }

    pub(crate) fn get_deleted(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&["$select"])?;
        let horizon = self.read_horizon();
        let (_, object) = self.deleted_item(ask.key, horizon)?;
        let mask = ask.query.select(object.kind, ask.call.beta, false)?;
        let mut out = b"{\"@odata.type\":".to_vec();
        crate::object::write_value(&mut out, &json!(object.kind.odata()));
        object.write(&mut out, mask, true, false);
        out.push(b'}');
        Ok(Answer::bytes(200, out))
    }

    pub(crate) fn restore(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let body = ask.optional_body()?;
        let mut reconcile = false;
        let mut new_upn = None;
        for (name, value) in &body {
            match (name.as_str(), value) {
                ("autoReconcileProxyConflict", Value::Bool(b)) => reconcile = *b,
                ("newUserPrincipalName", Value::String(upn)) => new_upn = Some(upn.clone()),
                ("autoReconcileProxyConflict" | "newUserPrincipalName", Value::Null) => {}
                _ => return Err(Refusal::unknown(format!("'{name}' in the body of restore"))),
            }
        }
        let (slot, deleted) = self.deleted_item(ask.key, self.now())?;
        if deleted.kind == Kind::User {
            self.may_act_on(ask.caller, &deleted)?;
        }
        let mut object = Object::clone(&deleted);
        object.deleted_at = None;
        object.unset(at::DELETED);
        if object.kind == Kind::User {
            let upn = new_upn.unwrap_or_else(|| unmangled(&object));
            let parsed = serde_json::Map::from_iter([("userPrincipalName".to_owned(), json!(upn))]);
            crate::values::parse(Kind::User, parsed, false)?;
            self.check_upn_domain(&upn)?;
            if self.federated(&upn) && object.text(at::IMMUTABLE_ID).is_none() {
                return Err(self.federated_refusal());
            }
            object.set(at::UPN, json!(upn));
        }
        if reconcile {
            self.drop_taken_addresses(slot, &mut object);
        }
        self.check_unique(Some(slot), &object).map_err(|mut refusal| {
            if self.options.restore_conflict_is_409 {
                refusal.status = 409;
            }
            refusal
        })?;
        let body = self.entity(&object, Mask(object.kind.defaults()), None, 0);
        self.commit(slot, object, Mask::ALL);
        Ok(Answer::bytes(200, body))
    }

    fn drop_taken_addresses(&self, slot: u32, object: &mut Object) {
        let free: Vec<String> = object
            .texts(at::PROXY_ADDRESSES)
            .filter(|a| self.dir.holding(Key::Address, a).into_iter().all(|s| s == slot))
            .map(str::to_owned)
            .collect();
        let primary = free.iter().find_map(|a| a.strip_prefix("SMTP:").map(str::to_owned));
        if object.text(at::MAIL).is_some() && primary.is_none() {
            object.set(at::MAIL, Value::Null);
        }
        if object.get(at::PROXY_ADDRESSES).is_some() {
            object.set(at::PROXY_ADDRESSES, json!(free));
        }
    }

    /// <https://learn.microsoft.com/graph/api/directory-deleteditems-delete>
    pub(crate) fn purge(&mut self, ask: &Ask<'_>) -> Outcome {
        ask.query.only(&[])?;
        let (slot, object) = self.deleted_item(ask.key, self.now())?;
        // A group cannot be purged with application permissions at all.
        if object.kind != Kind::User || self.options.purge_app_only == options::Reaction::Refuse {
            return Err(Refusal::denied());
        }
        self.may_act_on(ask.caller, &object)?;
        self.purge_slot(slot);
        Ok(Answer::empty(204))
    }

    pub(crate) fn purge_slot(&mut self, slot: u32) {
        let mut object = Object::new(self.dir.object(slot).kind, self.dir.object(slot).id);
        object.purged = true;
        let id = object.id;
        self.roles.assignments.retain(|a| a.principal != id);
        self.commit(slot, object, Mask::ALL);
    }

    /// The service purges what was deleted thirty days ago.
    pub(crate) fn purge_overdue(&mut self) {
        let limit = self.now() - i64::from(self.options.deleted_days) * DAY_MS;
        let overdue: Vec<u32> = self.dir.deleted.iter().take_while(|(at, _)| *at <= limit).map(|(_, s)| *s).collect();
        for slot in overdue {
            self.purge_slot(slot);
        }
    }
}

/// The UPN from before the deletion.
pub(crate) fn unmangled(object: &Object) -> String {
    let prefix = object.id.simple().to_string();
    object.upn().strip_prefix(&prefix).unwrap_or(object.upn()).to_owned()
}
