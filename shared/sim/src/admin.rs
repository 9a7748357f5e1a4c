//! What a test or an operator sees and does beside the API: snapshots, counters, and changes made by somebody else.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::iso;
use crate::deleted::unmangled;
use crate::error::SimError;
use crate::faults::FaultRule;
use crate::object::{Mask, Object};
use crate::options::SimOptions;
use crate::records::{CallCounts, SeenRequest};
use crate::registration::{App, Consent};
use crate::roles::Assignment;
use crate::schema::{Kind, at};
use crate::seed::{SeedDomain, SeedSku};
use crate::state::State;
use crate::world::World;

impl World {
    /// All users, live and soft-deleted, with every property they have, in order of creation. Extra members:
    /// `manager` (an id), `roles` (names), `deleted` (true when soft-deleted).
    pub fn users(&self) -> Vec<Value> {
        self.lock().everyone(Kind::User)
    }

    /// All groups, with `members` and `owners`.
    pub fn groups(&self) -> Vec<Value> {
        self.lock().everyone(Kind::Group)
    }

    /// A user by id, or by the UPN it has or had before deletion.
    pub fn user(&self, key: &str) -> Option<Value> {
        let state = self.lock();
        let slot = state.find_user(key)?;
        Some(state.shown(state.dir.object(slot)))
    }

    /// The number of live users.
    pub fn live_users(&self) -> usize {
        self.lock().dir.live_users
    }

    /// The totals so far.
    pub fn counters(&self) -> CallCounts {
        self.lock().records.counters.clone()
    }

    /// The totals so far, which start again from nothing.
    pub fn take_counters(&self) -> CallCounts {
        std::mem::take(&mut self.lock().records.counters)
    }

    /// Requests and batch parts, oldest first.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.lock().records.requests.iter().cloned().collect()
    }

    /// The requests so far, which are then forgotten.
    pub fn take_requests(&self) -> Vec<SeenRequest> {
        std::mem::take(&mut self.lock().records.requests).into()
    }

    /// What no client of Graph should have done. A story must end with none.
    pub fn violations(&self) -> Vec<String> {
        self.lock().records.violations.clone()
    }

    /// The violations so far, which are then forgotten.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().records.violations)
    }

    /// Changes the switches of the running tenant. Quotas and lags take effect for what follows.
    pub fn configure(&self, change: impl FnOnce(&mut SimOptions)) {
        let mut state = self.lock();
        change(&mut state.options);
        let limits = state.options.throttle.clone();
        state.buckets = crate::throttle::Buckets::new(limits);
        let longest = state.options.lag.longest();
        state.dir.keep_ms = state.dir.keep_ms.max(longest);
    }

    /// Adds a fault.
    pub fn inject(&self, rule: FaultRule) {
        self.lock().faults.add(rule);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Changes an app's registration or consent: permissions, secret, disabled.
    pub fn change_app(&self, client_id: &str, change: impl FnOnce(&mut App)) -> Result<(), SimError> {
        let mut state = self.lock();
        let app = state.apps.iter_mut().find(|a| a.client_id.eq_ignore_ascii_case(client_id));
        change(app.ok_or_else(|| SimError::NoSuch(format!("no app {client_id}")))?);
        Ok(())
    }

    /// The object id of an app's service principal.
    pub fn principal_of(&self, client_id: &str) -> Uuid {
        self.lock().principal(client_id)
    }

    /// Everything secret that was issued or received at sign-in so far – secrets, assertions, codes, verifiers, access,
    /// refresh and id tokens – and the seed's client secrets. For tests that look for them where they must not be.
    pub fn issued_secrets(&self) -> Vec<String> {
        let state = self.lock();
        let seeded = state.apps.iter().flat_map(|a| a.secret.iter().chain(a.secrets.iter().map(|s| &s.value)));
        let mut all: std::collections::BTreeSet<String> = seeded.cloned().collect();
        all.extend(state.entra.secrets.iter().cloned());
        all.into_iter().collect()
    }

    /// An administrator consents to everything the app registered.
    pub fn grant_consent(&self, client_id: &str) -> Result<(), SimError> {
        let mut state = self.lock();
        let app = state.apps.iter().find(|a| a.client_id.eq_ignore_ascii_case(client_id)).cloned();
        let app = app.ok_or_else(|| SimError::NoSuch(format!("no app {client_id}")))?;
        state.consent(&app);
        Ok(())
    }

    /// An administrator removes the app from the tenant. Tokens already issued go on working until they end.
    pub fn withdraw_consent(&self, client_id: &str) -> Result<(), SimError> {
        self.change_app(client_id, |app| app.consent = Consent::Missing)?;
        self.lock().entra.consents.remove(&client_id.to_ascii_lowercase());
        Ok(())
    }

    /// Ends a user's refresh tokens, as an administrator or the user would ("revoke sessions").
    pub fn revoke_sessions(&self, key: &str) -> Result<(), SimError> {
        self.on_user(key, |state, slot| {
            let mut user = Object::clone(state.dir.object(slot));
            user.set(at::SESSIONS_VALID_FROM, json!(iso(state.now())));
            state.revoke_refresh_tokens(user.id);
            state.commit(slot, user, Mask::of(&[at::SESSIONS_VALID_FROM]));
        })
    }

    /// An administrator resets a user's password in the admin centre: the refresh tokens of confidential clients die
    /// with it (<https://learn.microsoft.com/entra/identity-platform/refresh-tokens>).
    pub fn reset_password(&self, key: &str) -> Result<(), SimError> {
        self.revoke_sessions(key)
    }

    /// Whether somebody could sign in to a user's account with this password.
    pub fn opens(&self, key: &str, password: &str) -> bool {
        let state = self.lock();
        let slot = state.find_user(key);
        slot.is_some_and(|slot| state.dir.object(slot).password.as_deref() == Some(password))
    }

    /// The sign-in service starts to sign with another key; the last one stays published beside it.
    pub fn roll_signing_key(&self) {
        self.lock().entra.rollovers += 1;
    }

    /// Changes a domain as an administrator would: verified or not any more, managed or federated.
    pub fn change_domain(&self, name: &str, change: impl FnOnce(&mut SeedDomain)) -> Result<(), SimError> {
        self.edit(|state| {
            let domain = state.domains.iter_mut().find(|domain| domain.name.eq_ignore_ascii_case(name));
            change(domain.ok_or_else(|| SimError::NoSuch(format!("no domain {name}")))?);
            Ok(())
        })
    }

    /// Makes every delta token answer 410.
    pub fn reset_delta(&self) {
        self.edit(|state| {
            state.delta_epoch += 1;
            Ok(())
        })
        .unwrap_or_default();
    }

    /// Sets properties of a user as an administrator or another app would, without any rule. A null clears;
    /// `manager` is an id, a UPN or null.
    pub fn set_user(&self, key: &str, properties: Value) -> Result<(), SimError> {
        self.edit(|state| {
            let slot = state.find_user(key).ok_or_else(|| SimError::NoSuch(format!("no user {key}")))?;
            let mut user = Object::clone(state.dir.object(slot));
            let mask = state.fill(&mut user, properties)?;
            state.commit(slot, user, mask);
            Ok(())
        })
    }

    /// Gives a group, found by its alias, another display name as an administrator would.
    pub fn rename_group(&self, alias: &str, name: &str) -> Result<(), SimError> {
        self.edit(|state| {
            let is = |slot: &u32| state.dir.object(*slot).text(at::MAIL_NICKNAME) == Some(alias);
            let slot = state.dir.of_kind(Kind::Group).iter().copied().find(is);
            let slot = slot.ok_or_else(|| SimError::NoSuch(format!("no group {alias}")))?;
            let mut group = Object::clone(state.dir.object(slot));
            group.set(at::DISPLAY_NAME, json!(name));
            state.commit(slot, group, Mask::of(&[at::DISPLAY_NAME]));
            Ok(())
        })
    }

    /// Changes what the tenant has bought.
    pub fn change_subscriptions(&self, change: impl FnOnce(&mut Vec<SeedSku>)) {
        self.edit(|state| {
            change(&mut state.skus);
            Ok(())
        })
        .unwrap_or_default();
    }

    /// Creates a user as an administrator would, without any rule; answers its id.
    pub fn add_user(&self, properties: Value) -> Result<Uuid, SimError> {
        self.edit(|state| {
            let id = state.fresh_id();
            let mut user = Object::new(Kind::User, id);
            let now = iso(state.now());
            user.set(at::CREATED, json!(now));
            user.set(at::USER_TYPE, json!("Member"));
            user.set(at::ACCOUNT_ENABLED, json!(true));
            state.fill(&mut user, properties)?;
            state.commit_new(user);
            Ok(id)
        })
    }

    /// Makes changes of one user visible later than those of others, by so many milliseconds. Delta waits for the
    /// latest object, so that nothing is skipped.
    pub fn delay_user(&self, key: &str, ms: u32) -> Result<(), SimError> {
        self.on_user(key, |state, slot| state.dir.delay(slot, i64::from(ms)))
    }

    /// Deletes a user softly.
    pub fn delete_user(&self, key: &str) -> Result<(), SimError> {
        self.on_user(key, |state, slot| {
            if state.dir.object(slot).live() {
                state.soft_delete(slot);
            }
        })
    }

    /// Restores a soft-deleted user under its old UPN.
    pub fn restore_user(&self, key: &str) -> Result<(), SimError> {
        self.on_user(key, |state, slot| {
            let mut user = Object::clone(state.dir.object(slot));
            let upn = unmangled(&user);
            user.deleted_at = None;
            user.unset(at::DELETED);
            user.set(at::UPN, json!(upn));
            state.commit(slot, user, Mask::ALL);
        })
    }

    /// Removes a user for good, soft-deleted or not.
    pub fn purge_user(&self, key: &str) -> Result<(), SimError> {
        self.on_user(key, State::purge_slot)
    }

    /// Gives a user, a group or an app's service principal (by client id) a directory role.
    pub fn grant_role(&self, key: &str, role: &str) -> Result<(), SimError> {
        self.edit(|state| {
            let assignment = state.assignment(key, role)?;
            state.roles.assignments.push(assignment);
            Ok(())
        })
    }

    /// Makes a user or an app eligible for a directory role.
    pub fn make_eligible(&self, key: &str, role: &str) -> Result<(), SimError> {
        self.edit(|state| {
            let assignment = state.assignment(key, role)?;
            state.roles.assignments.push(Assignment { eligible: true, ..assignment });
            Ok(())
        })
    }

    /// Takes a directory role away.
    pub fn revoke_role(&self, key: &str, role: &str) -> Result<(), SimError> {
        self.edit(|state| {
            let Assignment { principal, role, .. } = state.assignment(key, role)?;
            state.roles.assignments.retain(|a| a.principal != principal || a.role != role);
            Ok(())
        })
    }

    fn on_user(&self, key: &str, act: impl FnOnce(&mut State, u32)) -> Result<(), SimError> {
        self.edit(|state| {
            let slot = state.find_user(key).ok_or_else(|| SimError::NoSuch(format!("no user {key}")))?;
            act(state, slot);
            Ok(())
        })
    }

    pub(crate) fn edit<T>(&self, act: impl FnOnce(&mut State) -> Result<T, SimError>) -> Result<T, SimError> {
        let mut state = self.lock();
        let result = act(&mut state)?;
        state.persist()?;
        Ok(result)
    }
}

impl State {
    pub(crate) fn dump(&self) -> Value {
        json!({
            "users": self.everyone(Kind::User),
            "groups": self.everyone(Kind::Group),
            "contacts": self.everyone(Kind::Contact),
        })
    }

    fn everyone(&self, kind: Kind) -> Vec<Value> {
        self.dir
            .of_kind(kind)
            .iter()
            .map(|s| self.dir.object(*s))
            .filter(|o| !o.purged)
            .map(|o| self.shown(o))
            .collect()
    }

    fn shown(&self, object: &Object) -> Value {
        let mut map: Map<String, Value> =
            object.props().iter().map(|(p, v)| (object.kind.name_of(*p).to_owned(), v.clone())).collect();
        if object.deleted_at.is_some() {
            map.insert("deleted".to_owned(), json!(true));
        }
        if let Some(manager) = object.manager {
            map.insert("manager".to_owned(), json!(manager));
        }
        let roles = self.roles.held_by(object.id);
        if !roles.is_empty() {
            map.insert("roles".to_owned(), json!(roles));
        }
        if object.kind == Kind::Group {
            map.insert("members".to_owned(), json!(object.members));
            map.insert("owners".to_owned(), json!(object.owners));
        }
        Value::Object(map)
    }

    fn find_user(&self, key: &str) -> Option<u32> {
        if let Ok(id) = Uuid::parse_str(key) {
            return self.dir.slot_of(id).filter(|s| !self.dir.object(*s).purged);
        }
        let deleted = || {
            let mut slots = self.dir.deleted.iter().rev().map(|(_, s)| *s);
            slots.find(|s| unmangled(self.dir.object(*s)).eq_ignore_ascii_case(key))
        };
        self.dir.user_by_upn(key).or_else(deleted)
    }

    pub(crate) fn fill(&self, user: &mut Object, properties: Value) -> Result<Mask, SimError> {
        let Value::Object(properties) = properties else {
            return Err(SimError::NoSuch("properties are a JSON object".to_owned()));
        };
        let mut mask = Mask::default();
        for (name, value) in properties {
            let prop = Kind::User.find(&name).ok_or_else(|| SimError::NoSuch(format!("no property {name}")))?;
            mask.add(prop);
            if prop == at::MANAGER {
                user.manager = match value.as_str() {
                    None => None,
                    Some(key) => {
                        let slot = self.find_user(key).ok_or_else(|| SimError::NoSuch(format!("no user {key}")))?;
                        Some(self.dir.object(slot).id)
                    }
                };
                continue;
            }
            user.set(prop, value);
        }
        if user.synced() {
            user.was_synced = true;
        }
        Ok(mask)
    }

    fn assignment(&self, key: &str, role: &str) -> Result<Assignment, SimError> {
        let app = self.apps.iter().find(|a| a.client_id.eq_ignore_ascii_case(key));
        let principal = app
            .map(|a| self.principal(&a.client_id))
            .or_else(|| self.find_user(key).map(|s| self.dir.object(s).id))
            .ok_or_else(|| SimError::NoSuch(format!("no user, group or app {key}")))?;
        let role = self.roles.template(role).ok_or_else(|| SimError::NoSuch(format!("no role {role}")))?;
        Ok(Assignment { principal, role, eligible: false })
    }
}
