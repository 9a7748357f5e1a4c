//! The rules that several writes share: who may touch whom, federated domains, other masters, uniqueness.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use crate::answer::{Outcome, Refusal};
use crate::caller::Caller;
use crate::directory::{Directory, Key};
use crate::object::Object;
use crate::options::Reaction;
use crate::roles::{Protection, may_set_passwords, reaches};
use crate::schema::{Kind, at};
use crate::state::State;

/// <https://learn.microsoft.com/graph/api/user-update> (observed wording)
const SYNCED: &str = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.";
/// <https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/3001> (observed wording)
const EXTERNAL: &str =
    "Unable to update the specified properties for objects that have originated within an external service.";
/// <https://github.com/microsoftgraph/dotnetcore-console-sample/issues/46> (observed wording)
const GENERIC: &str = "One or more properties contains invalid values.";
/// Observed in many clients.
const UNVERIFIED: &str = "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.";

pub(crate) fn synced_refusal() -> Box<Refusal> {
    Refusal::bad(SYNCED)
}

pub(crate) fn external_refusal() -> Box<Refusal> {
    Refusal::bad(EXTERNAL)
}

impl State {
    /// A sensitive action on this user: is the app's own directory role high enough?
    /// <https://learn.microsoft.com/graph/api/resources/users>
    pub(crate) fn may_act_on(&self, caller: &Caller, target: &Object) -> Outcome<()> {
        let groups = || {
            self.dir
                .of_kind(Kind::Group)
                .iter()
                .map(|s| self.dir.object(*s))
                .filter(|g| g.live() && g.flag(at::ROLE_ASSIGNABLE) == Some(true))
                .filter(|g| g.members.contains(&target.id) || g.owners.contains(&target.id))
        };
        let mut roles = self.roles.held_by(target.id);
        let mut role_group = false;
        for group in groups() {
            role_group = true;
            roles.extend(self.roles.held_by(group.id));
        }
        let custom = roles.iter().any(|r| !self.roles.template(r).is_some_and(|id| self.roles.is_built_in(id)));
        let protection = Protection { roles, custom, role_group, restricted: target.restricted };
        if reaches(&self.roles.held_by(caller.principal), &protection) { Ok(()) } else { Err(Refusal::denied()) }
    }

    /// <https://learn.microsoft.com/graph/api/user-update>: a permission is not enough for passwords.
    pub(crate) fn may_set_password(&self, caller: &Caller) -> Outcome<()> {
        if may_set_passwords(&self.roles.held_by(caller.principal)) { Ok(()) } else { Err(Refusal::denied()) }
    }

    /// Whether on-premises masters this object now.
    pub(crate) fn mastered(&self, object: &Object) -> bool {
        object.synced() || (self.organization.dirsync_transition && object.was_synced)
    }

    pub(crate) fn check_mastery(&self, object: &Object, props: &[u8]) -> Outcome<()> {
        let free = |p: &u8| {
            *p == at::USAGE_LOCATION
                || (*p == at::ACCOUNT_ENABLED && self.options.account_enabled_of_synced == Reaction::Accept)
        };
        if self.mastered(object) && !props.iter().all(free) {
            return Err(synced_refusal());
        }
        // https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/3564
        let once_synced = object.was_synced || object.get(at::SYNC_ENABLED).is_some_and(|v| *v == json!(false));
        if once_synced && props.contains(&at::EXTENSIONS) {
            return Err(external_refusal());
        }
        if props.contains(&at::MAIL) && self.exchange_masters(object) {
            return Err(external_refusal());
        }
        Ok(())
    }

    fn exchange_masters(&self, object: &Object) -> bool {
        object.exchange_mastered || (self.options.exchange_masters_mail && object.has_mailbox())
    }

    /// Only a verified domain may stand in a UPN.
    pub(crate) fn check_upn_domain(&self, upn: &str) -> Outcome<()> {
        let domain = upn.rsplit_once('@').map_or("", |(_, d)| d);
        if self.domain(domain).is_some_and(|d| d.verified) {
            return Ok(());
        }
        Err(Refusal::bad(UNVERIFIED).detail("InvalidValue", "userPrincipalName"))
    }

    pub(crate) fn federated_refusal(&self) -> Box<Refusal> {
        if self.options.name_federated_property {
            return Refusal::bad("Property onPremisesImmutableId is invalid.")
                .detail("InvalidValue", "onPremisesImmutableId");
        }
        Refusal::bad(GENERIC)
    }

    /// Federated domains and immutable IDs: <https://learn.microsoft.com/education/windows/federated-sign-in>
    /// and <https://learn.microsoft.com/graph/api/user-post-users>.
    pub(crate) fn check_federation(&self, slot: u32, next: &Object, password: bool) -> Outcome<()> {
        let horizon = self.now() - i64::from(self.options.lag.rules_ms);
        let entry = self.dir.slot(slot);
        // A replica that lags judges by where the user still was.
        let before = entry.seen(horizon).unwrap_or(&entry.object);
        let (old, new) = (self.federated(before.upn()), self.federated(next.upn()));
        let moved = !entry.object.upn().eq_ignore_ascii_case(next.upn());
        let id_before = entry.object.text(at::IMMUTABLE_ID);
        let id_changed = id_before != next.text(at::IMMUTABLE_ID);
        let first = id_before.is_none() && self.options.first_immutable_id_in_federated_domain == Reaction::Accept;
        if old && id_changed && !first {
            return Err(self.federated_refusal());
        }
        if moved && new && next.text(at::IMMUTABLE_ID).is_none() {
            return Err(self.federated_refusal());
        }
        let domain = |upn: &str| upn.rsplit_once('@').map(|(_, d)| d.to_ascii_lowercase());
        let other_domain = domain(before.upn()) != domain(next.upn());
        if moved && old && new && other_domain && self.options.federated_to_federated == Reaction::Refuse {
            return Err(
                Refusal::bad("Property userPrincipalName is invalid.").detail("InvalidValue", "userPrincipalName")
            );
        }
        // https://learn.microsoft.com/en-us/previous-versions/azure/dn194135(v=azure.100)
        if moved && old && !new && !password && self.options.federated_to_managed_demands_password {
            return Err(Refusal::required("passwordProfile", "User"));
        }
        // A federated user's password cannot be changed here.
        if password && old && new {
            return Err(Refusal::bad(GENERIC));
        }
        Ok(())
    }

    /// Uniqueness across users, groups, contacts and, by switch, soft-deleted users' immutable IDs.
    pub(crate) fn check_unique(&self, me: Option<u32>, next: &Object) -> Outcome<()> {
        let before = me.map(|s| self.dir.object(s));
        let other =
            |slots: Vec<u32>| slots.into_iter().find(|s| Some(*s) != me).map(|s| Arc::clone(self.dir.object(s)));
        let upn = next.upn();
        if next.kind == Kind::User && before.is_none_or(|b| !b.upn().eq_ignore_ascii_case(upn)) {
            if let Some(holder) = other(self.dir.holding(Key::Upn, upn)) {
                return Err(self.conflict("userPrincipalName", &holder));
            }
            if let Some(holder) = other(self.dir.holding(Key::Address, &format!("smtp:{upn}"))) {
                return Err(self.conflict("proxyAddresses", &holder));
            }
            if let Some(slot) = me
                && self.options.lag.uniqueness_ms > 0
            {
                let horizon = self.now() - i64::from(self.options.lag.uniqueness_ms);
                let stale = self.dir.slot(slot).seen(horizon);
                if stale.is_some_and(|o| o.upn().eq_ignore_ascii_case(upn)) {
                    return Err(self.conflict("userPrincipalName", self.dir.object(slot)));
                }
            }
        }
        let latent = self.options.latent_address_conflicts;
        for address in next.texts(at::PROXY_ADDRESSES) {
            let known = before.is_some_and(|b| b.texts(at::PROXY_ADDRESSES).any(|a| a.eq_ignore_ascii_case(address)));
            if known && !latent {
                continue;
            }
            if let Some(holder) = other(self.dir.holding(Key::Address, address)) {
                return Err(self.conflict("proxyAddresses", &holder));
            }
        }
        if next.kind != Kind::User {
            return Ok(());
        }
        for (prop, key, name) in [
            (at::IMMUTABLE_ID, Key::ImmutableId, "onPremisesImmutableId"),
            (at::SID, Key::Sid, "onPremisesSecurityIdentifier"),
        ] {
            let Some(value) = next.text(prop) else { continue };
            if before.is_some_and(|b| b.live() && b.text(prop) == Some(value)) {
                continue;
            }
            let reserved = self.options.deleted_immutable_ids_reserved;
            let mut holders = self.dir.holding(key, value);
            holders.retain(|s| reserved || self.dir.object(*s).live());
            if let Some(holder) = other(holders) {
                return Err(self.conflict(name, &holder));
            }
        }
        Ok(())
    }

    /// <https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/8421>
    pub(crate) fn conflict(&self, property: &str, holder: &Object) -> Box<Refusal> {
        let mut refusal = if self.options.conflict_is_409 {
            Refusal::new(
                409,
                "Request_MultipleObjectsWithSameKeyValue",
                "A conflicting object with one or more of the specified property values is present in the directory.",
            )
        } else {
            Refusal::bad(format!("Another object with the same value for property {property} already exists."))
        };
        refusal = refusal.detail("ObjectConflict", property);
        if self.options.name_conflicting_objects {
            refusal = refusal.detail("ConflictingObjects", format!("{}_{}", holder.kind.resource(), holder.id));
        }
        refusal
    }

    /// The object a write is aimed at. A brand-new one may be unknown here for a while
    /// (<https://blogs.aaddevsup.xyz/2021/08/why-do-i-sometimes-get-a-404-when-trying-to-update-an-azure-directory-object-after-i-just-created-it/>).
    pub(crate) fn target(&mut self, kind: Kind, key: &str) -> Outcome<(u32, Object)> {
        let now = self.now();
        let (slot, object) = self.seen(kind, key, now)?;
        self.arrived(slot, key)?;
        Ok((slot, Object::clone(&object)))
    }

    /// Whether a write may already refer to this object.
    pub(crate) fn arrived(&mut self, slot: u32, key: &str) -> Outcome<()> {
        let horizon = self.horizon(self.options.lag.writes_ms);
        let entry = self.dir.slot(slot);
        if entry.born > horizon - entry.lag { Err(Refusal::not_found(key)) } else { Ok(()) }
    }

    /// A live object of any kind that a link names.
    pub(crate) fn linked(&mut self, id: Uuid) -> Outcome<Arc<Object>> {
        let slot = self.dir.slot_of(id).filter(|s| self.dir.object(*s).live());
        let slot = slot.ok_or_else(|| Refusal::not_found(&id.to_string()))?;
        self.arrived(slot, &id.to_string())?;
        Ok(Arc::clone(self.dir.object(slot)))
    }

    /// <https://learn.microsoft.com/en-us/previous-versions/azure/ad/graph/howto/azure-ad-graph-api-error-codes-and-error-handling>
    pub(crate) fn check_quota(&self) -> Outcome<()> {
        let quota = self.options.object_quota;
        if quota == 0 || held(&self.dir) < quota {
            return Ok(());
        }
        Err(Refusal::new(
            403,
            "Directory_QuotaExceeded",
            "The directory object quota limit for the Tenant has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota.",
        ))
    }
}

fn held(dir: &Directory) -> usize {
    dir.slots.iter().filter(|s| !s.object.purged).count()
}

/// Makes `mail` the primary address; the previous primary stays as a secondary one.
/// <https://learn.microsoft.com/graph/api/resources/user>
pub(crate) fn set_primary(object: &mut Object, mail: &str) {
    let mut addresses = vec![format!("SMTP:{mail}")];
    for address in object.texts(at::PROXY_ADDRESSES) {
        match address.strip_prefix("SMTP:").or_else(|| address.strip_prefix("smtp:")) {
            Some(same) if same.eq_ignore_ascii_case(mail) => {}
            Some(other) => addresses.push(format!("smtp:{other}")),
            None => addresses.push(address.to_owned()),
        }
    }
    object.set(at::PROXY_ADDRESSES, json!(addresses));
    object.set(at::MAIL, json!(mail));
}
