//! Entra Connect as an actor: what it exports meets hard match, soft match and the service's refusals
//! (<https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-install-existing-tenant>,
//! <https://learn.microsoft.com/entra/identity/hybrid/connect/tshoot-connect-sync-errors>). It keeps no state of its
//! own: what it manages are the users that say `onPremisesSyncEnabled`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::iso;
use crate::deleted::unmangled;
use crate::directory::Key;
use crate::error::SimError;
use crate::object::{Mask, Object};
use crate::schema::{Kind, at};
use crate::state::State;
use crate::world::World;

/// What became of an exported object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// A new user.
    Provisioned(Uuid),
    /// A new user without the value that somebody else holds: the name of the property.
    Quarantined(Uuid, &'static str),
    /// A user with this anchor was taken over.
    HardMatched(Uuid),
    /// A user with this name or primary address, and without an anchor, was taken over.
    SoftMatched(Uuid),
    /// A user that is synced already was changed.
    Updated(Uuid),
    /// A user left the scope and was deleted softly.
    Removed(Uuid),
    /// Nothing happened.
    Refused(SyncError),
}

/// Why Connect reports an error, under the names it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncError {
    /// Directory synchronization is not on in the tenant.
    SyncDisabled,
    /// Another anchor holds the name or address.
    InvalidSoftMatch,
    /// Takeover by anchor is blocked: by the tenant's flag, or by the hardening of 2026.
    InvalidHardMatch,
    /// The name or address belongs to an object of another type.
    ObjectTypeMismatch,
    /// Another object owns a value.
    AttributeValueMustBeUnique,
    /// The user who would be matched holds a directory role.
    ExistingAdminRoleConflict,
    /// From one federated domain straight to another.
    FederatedDomainChange,
    /// `onPremisesObjectIdentifier` cannot be changed any more.
    AttributeUpdateNotAllowed,
    /// The user's authority was moved to the cloud.
    CloudManaged,
    /// The object is not Connect's (any more).
    DeletingCloudOnlyObjectNotAllowed,
    /// Too many removals in one run: none was done.
    DeletionThreshold,
}

impl World {
    /// Entra Connect exports a user of its scope. `properties` are Graph's names; `userPrincipalName` is needed for a
    /// new user. Every value it brings overwrites the cloud's.
    pub fn connect_export(&self, anchor: &str, properties: Value) -> Result<Exported, SimError> {
        let Value::Object(properties) = properties else {
            return Err(SimError::NoSuch("properties are a JSON object".to_owned()));
        };
        self.edit(|state| state.export(anchor, properties))
    }

    /// Users leave Connect's scope, all in one run.
    pub fn connect_remove(&self, anchors: &[&str]) -> Result<Vec<Exported>, SimError> {
        self.edit(|state| {
            // https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-sync-feature-prevent-accidental-deletes
            if anchors.len() > state.options.connect.deletion_threshold {
                return Ok(anchors.iter().map(|_| Exported::Refused(SyncError::DeletionThreshold)).collect());
            }
            Ok(anchors.iter().map(|anchor| state.leave_scope(anchor)).collect())
        })
    }
}

impl State {
    fn export(&mut self, anchor: &str, properties: Map<String, Value>) -> Result<Exported, SimError> {
        if self.organization.on_premises_sync_enabled != Some(true) {
            return Ok(Exported::Refused(SyncError::SyncDisabled));
        }
        let holders = self.dir.holding(Key::ImmutableId, anchor);
        let own = |s: &&u32| self.dir.object(**s).live() && self.dir.object(**s).synced();
        if let Some(slot) = holders.iter().find(own).copied() {
            return self.resync(slot, properties);
        }
        // A live user before one in the bin.
        let live = holders.iter().find(|s| self.dir.object(**s).live()).copied();
        if let Some(slot) = live.or(holders.first().copied()) {
            return Ok(match self.hard_match(slot, &properties) {
                Some(error) => Exported::Refused(error),
                None => Exported::HardMatched(self.take_over(slot, anchor, properties)?),
            });
        }
        self.meet_by_name(anchor, properties)
    }

    /// A user that is synced already changes.
    fn resync(&mut self, slot: u32, properties: Map<String, Value>) -> Result<Exported, SimError> {
        let before = Object::clone(self.dir.object(slot));
        if self.identifier_is_fixed(&before, &properties) {
            return Ok(Exported::Refused(SyncError::AttributeUpdateNotAllowed));
        }
        let upn = properties.get("userPrincipalName").and_then(Value::as_str).unwrap_or_default();
        let domain = |upn: &str| upn.rsplit_once('@').map(|(_, d)| d.to_ascii_lowercase());
        if !upn.is_empty() && self.federated(before.upn()) && self.federated(upn) && domain(before.upn()) != domain(upn)
        {
            return Ok(Exported::Refused(SyncError::FederatedDomainChange));
        }
        // What would have been a match for a new object is an error for one that is known.
        if !self.taken(Some(slot), &properties).is_empty() {
            return Ok(Exported::Refused(SyncError::AttributeValueMustBeUnique));
        }
        let anchor = before.text(at::IMMUTABLE_ID).unwrap_or_default().to_owned();
        Ok(Exported::Updated(self.take_over(slot, &anchor, properties)?))
    }

    /// What speaks against a hard match.
    fn hard_match(&self, slot: u32, properties: &Map<String, Value>) -> Option<SyncError> {
        let rules = &self.options.connect;
        let user = self.dir.object(slot);
        // Its own user comes back from the bin; nothing of the cloud's is taken over.
        if !user.live() && user.was_synced {
            return None;
        }
        // https://learn.microsoft.com/graph/api/resources/onpremisessyncbehavior
        if user.was_synced && user.get(at::SYNC_ENABLED) == Some(&Value::Null) {
            return Some(SyncError::CloudManaged);
        }
        let role = rules.harden_role_holders && !self.roles.held_by(user.id).is_empty();
        let blocked = rules.block_hard_match || role || self.identifier_is_fixed(user, properties);
        blocked.then_some(SyncError::InvalidHardMatch)
    }

    /// The hardening of July 2026: an identifier once stored is not replaced by another.
    fn identifier_is_fixed(&self, user: &Object, properties: &Map<String, Value>) -> bool {
        let stored = Kind::User.find("onPremisesObjectIdentifier").and_then(|p| user.text(p));
        let brought = properties.get("onPremisesObjectIdentifier").and_then(Value::as_str);
        self.options.connect.harden_object_identifier
            && stored.zip(brought).is_some_and(|(stored, brought)| stored != brought)
    }

    /// No anchor is known: soft match, or a new user.
    fn meet_by_name(&mut self, anchor: &str, properties: Map<String, Value>) -> Result<Exported, SimError> {
        let rules = self.options.connect.clone();
        let refused = |error| Ok(Exported::Refused(error));
        let candidate = if rules.block_soft_match { None } else { self.soft_candidate(&properties) };
        if let Some(slot) = candidate {
            let holder = self.dir.object(slot);
            if holder.kind != Kind::User {
                return refused(SyncError::ObjectTypeMismatch);
            }
            if holder.text(at::IMMUTABLE_ID).is_none() {
                if !self.roles.held_by(holder.id).is_empty() {
                    return refused(SyncError::ExistingAdminRoleConflict);
                }
                return Ok(Exported::SoftMatched(self.take_over(slot, anchor, properties)?));
            }
            // For new objects the resiliency against duplicates hides this error.
            if !rules.quarantine_duplicates {
                return refused(SyncError::InvalidSoftMatch);
            }
        }
        let taken = self.taken(None, &properties);
        if !taken.is_empty() && !rules.quarantine_duplicates {
            return refused(SyncError::AttributeValueMustBeUnique);
        }
        self.provision(anchor, properties, &taken)
    }

    /// Who holds the name or the primary address.
    fn soft_candidate(&self, properties: &Map<String, Value>) -> Option<u32> {
        let upn = properties.get("userPrincipalName").and_then(Value::as_str);
        let by_name = upn.filter(|_| self.options.connect.soft_match_on_upn).and_then(|u| self.dir.user_by_upn(u));
        by_name.or_else(|| {
            let primary = addresses(properties).into_iter().find(|a| a.starts_with("SMTP:"))?;
            let holders = self.dir.holding(Key::Address, &primary);
            holders
                .into_iter()
                .find(|s| self.dir.object(*s).texts(at::PROXY_ADDRESSES).any(|a| is_primary(a, &primary)))
        })
    }

    /// Values that somebody else holds: (property, value).
    fn taken(&self, me: Option<u32>, properties: &Map<String, Value>) -> Vec<(&'static str, String)> {
        let other = |slots: Vec<u32>| slots.into_iter().any(|s| Some(s) != me && self.dir.object(s).live());
        let mut found = Vec::new();
        if let Some(upn) = properties.get("userPrincipalName").and_then(Value::as_str)
            && other(self.dir.holding(Key::Upn, upn))
        {
            found.push(("UserPrincipalName", upn.to_owned()));
        }
        for address in addresses(properties) {
            if other(self.dir.holding(Key::Address, &address)) {
                found.push(("ProxyAddress", address));
            }
        }
        found
    }

    /// Duplicates are left out and reported (<https://learn.microsoft.com/entra/identity/hybrid/connect/how-to-connect-syncservice-duplicate-attribute-resiliency>).
    fn provision(
        &mut self,
        anchor: &str,
        mut properties: Map<String, Value>,
        taken: &[(&'static str, String)],
    ) -> Result<Exported, SimError> {
        let upn = properties.get("userPrincipalName").and_then(Value::as_str).map(str::to_owned);
        let upn = upn.ok_or_else(|| SimError::NoSuch("a new user needs a userPrincipalName".to_owned()))?;
        let local = upn.split('@').next().unwrap_or_default().to_owned();
        let now = iso(self.now());
        for (property, value) in taken {
            if *property == "UserPrincipalName" {
                let placeholder = format!("{local}{:04}@{}", self.rng.below(10_000), self.initial_domain());
                properties.insert("userPrincipalName".to_owned(), json!(placeholder));
            } else if let Some(Value::Array(list)) = properties.get_mut("proxyAddresses") {
                list.retain(|a| a.as_str() != Some(value));
            }
        }
        let errors: Vec<Value> = taken
            .iter()
            .map(|(property, value)| {
                json!({
                    "category": "PropertyConflict",
                    "propertyCausingError": property,
                    "value": value,
                    "occurredDateTime": now,
                })
            })
            .collect();
        let mut user = Object::new(Kind::User, self.fresh_id());
        user.set(at::CREATED, json!(now));
        user.set(at::USER_TYPE, json!("Member"));
        user.set(at::ACCOUNT_ENABLED, json!(true));
        user.set(at::DISPLAY_NAME, json!(local));
        user.set(at::MAIL_NICKNAME, json!(local));
        let id = user.id;
        self.stamp(&mut user, anchor, properties)?;
        if let Some(prop) = Kind::User.find("onPremisesProvisioningErrors").filter(|_| !errors.is_empty()) {
            user.set(prop, json!(errors));
        }
        self.commit_new(user);
        Ok(match taken.first() {
            None => Exported::Provisioned(id),
            Some((property, _)) => Exported::Quarantined(id, property),
        })
    }

    fn take_over(&mut self, slot: u32, anchor: &str, properties: Map<String, Value>) -> Result<Uuid, SimError> {
        let mut user = Object::clone(self.dir.object(slot));
        if user.deleted_at.take().is_some() {
            user.unset(at::DELETED);
            let upn = unmangled(&user);
            user.set(at::UPN, json!(upn));
        }
        self.stamp(&mut user, anchor, properties)?;
        let id = user.id;
        self.commit(slot, user, Mask::ALL);
        Ok(id)
    }

    fn stamp(&mut self, user: &mut Object, anchor: &str, mut properties: Map<String, Value>) -> Result<(), SimError> {
        // A suffix the tenant has not verified is replaced by its first domain.
        if let Some(upn) = properties.get("userPrincipalName").and_then(Value::as_str)
            && self.check_upn_domain(upn).is_err()
        {
            let local = upn.split('@').next().unwrap_or_default();
            let upn = format!("{local}@{}", self.initial_domain());
            properties.insert("userPrincipalName".to_owned(), json!(upn));
        }
        self.fill(user, Value::Object(properties))?;
        user.set(at::IMMUTABLE_ID, json!(anchor));
        user.set(at::SYNC_ENABLED, json!(true));
        if let Some(prop) = Kind::User.find("onPremisesLastSyncDateTime") {
            user.set(prop, json!(iso(self.now())));
        }
        user.was_synced = true;
        Ok(())
    }

    /// Out of scope: deleted softly, and no longer synced.
    fn leave_scope(&mut self, anchor: &str) -> Exported {
        let slots = self.dir.holding(Key::ImmutableId, anchor);
        let own = slots.into_iter().find(|s| self.dir.object(*s).live() && self.dir.object(*s).synced());
        let Some(slot) = own else { return Exported::Refused(SyncError::DeletingCloudOnlyObjectNotAllowed) };
        let mut user = Object::clone(self.dir.object(slot));
        user.set(at::SYNC_ENABLED, json!(false));
        let id = user.id;
        self.commit(slot, user, Mask::of(&[at::SYNC_ENABLED]));
        self.soft_delete(slot);
        Exported::Removed(id)
    }
}

fn addresses(properties: &Map<String, Value>) -> Vec<String> {
    let list = properties.get("proxyAddresses").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the held address is the wanted one, and a primary address.
fn is_primary(held: &str, wanted: &str) -> bool {
    held.starts_with("SMTP:") && held.eq_ignore_ascii_case(wanted)
}
