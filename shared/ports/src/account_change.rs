//! What a delta entry says of an account: only what changed, laid over what was known before.

use std::fmt;

use hardmatch_domain::account::{Account, AccountKind, Authority};
use hardmatch_domain::attribute::{Attributes, Texts};
use hardmatch_domain::ids::{ImmutableId, ObjectId};

/// Properties of a live account that a delta entry names. A property that it does not name is unchanged; only one that it
/// names without a value is cleared. The documentation of delta queries promises the id and what changed, no more.
/// <https://learn.microsoft.com/graph/delta-query-overview>
#[derive(Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// The object id of the account.
    pub id: ObjectId,
    /// `onPremisesImmutableId`; `Some(None)` when it was cleared, `None` when the entry does not speak of it.
    pub immutable_id: Option<Option<ImmutableId>>,
    /// Attributes that are named; an empty text is one without a value.
    pub attributes: Attributes,
    /// `accountEnabled`.
    pub enabled: Option<Option<bool>>,
    /// `proxyAddresses`, all of them.
    pub proxies: Option<Texts>,
    /// `userType`.
    pub kind: Option<AccountKind>,
    /// `onPremisesSyncEnabled`.
    pub authority: Option<Authority>,
    /// `assignedLicenses`, all of them.
    pub licenses: Option<Texts>,
    /// The manager's object id; `Some(None)` when there is none any more.
    pub manager: Option<Option<ObjectId>>,
    /// `createdDateTime`.
    pub created: Option<Option<Box<str>>>,
    /// `onPremisesLastSyncDateTime`.
    pub last_sync: Option<Option<Box<str>>>,
    /// `externalUserState`.
    pub guest_state: Option<Option<Box<str>>>,
}

impl AccountChange {
    /// A change that names nothing.
    pub fn of(id: ObjectId) -> Self {
        Self {
            id,
            immutable_id: None,
            attributes: Attributes::default(),
            enabled: None,
            proxies: None,
            kind: None,
            authority: None,
            licenses: None,
            manager: None,
            created: None,
            last_sync: None,
            guest_state: None,
        }
    }

    /// A change that names every property but the manager: what most tenants answer.
    pub fn naming_all(account: Account) -> Self {
        let unnamed = hardmatch_domain::attribute::Attr::ALL.iter().map(|attr| (*attr, ""));
        Self {
            attributes: unnamed.chain(account.attributes.iter()).collect(),
            id: account.id,
            immutable_id: Some(account.immutable_id),
            enabled: Some(account.enabled),
            proxies: Some(account.proxies),
            kind: Some(account.kind),
            authority: Some(account.authority),
            licenses: Some(account.licenses),
            manager: None,
            created: Some(account.created),
            last_sync: Some(account.last_sync),
            guest_state: Some(account.guest_state),
        }
    }

    /// The account after the change: live, and as it was before in everything that the change does not name.
    #[must_use]
    pub fn onto(self, before: Option<&Account>) -> Account {
        let before = before.cloned().unwrap_or_else(|| Account::blank(self.id));
        let overlaid = before.attributes.overlaid(&self.attributes);
        Account {
            attributes: overlaid.iter().filter(|(_, value)| !value.is_empty()).collect(),
            immutable_id: self.immutable_id.unwrap_or(before.immutable_id),
            enabled: self.enabled.unwrap_or(before.enabled),
            proxies: self.proxies.unwrap_or(before.proxies),
            kind: self.kind.unwrap_or(before.kind),
            authority: self.authority.unwrap_or(before.authority),
            licenses: self.licenses.unwrap_or(before.licenses),
            manager: self.manager.unwrap_or(before.manager),
            created: self.created.unwrap_or(before.created),
            last_sync: self.last_sync.unwrap_or(before.last_sync),
            guest_state: self.guest_state.unwrap_or(before.guest_state),
            deleted: None,
            ..before
        }
    }
}

/// Personal data: the object id only.
impl fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountChange").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hardmatch_domain::attribute::Attr;

    use super::*;

    fn ada() -> Account {
        Account {
            attributes: Attributes::from_pairs([
                (Attr::UserPrincipalName, "ada@x.example"),
                (Attr::JobTitle, "Countess"),
            ]),
            immutable_id: Some(ImmutableId::new("AAAA")),
            enabled: Some(true),
            proxies: Texts::new(["SMTP:ada@x.example"]),
            licenses: Texts::new(["e3"]),
            manager: Some(ObjectId::from("boss")),
            kind: AccountKind::Guest,
            authority: Authority::Synced,
            ..Account::blank(ObjectId::from("ada"))
        }
    }

    #[test]
    fn what_a_change_does_not_name_stays() {
        let id = ObjectId::from("ada");
        let fax = Attributes::from_pairs([(Attr::FaxNumber, "1")]);
        let after = AccountChange { attributes: fax, ..AccountChange::of(id.clone()) }.onto(Some(&ada()));
        assert_eq!(after, Account { attributes: ada().attributes.with(Attr::FaxNumber, "1"), ..ada() });
        assert_eq!(AccountChange::of(id).onto(Some(&ada())), ada());
    }

    #[test]
    fn what_a_change_names_without_a_value_is_cleared() {
        let change = AccountChange {
            attributes: Attributes::from_pairs([(Attr::JobTitle, "")]),
            immutable_id: Some(None),
            proxies: Some(Texts::default()),
            licenses: Some(Texts::default()),
            manager: Some(None),
            ..AccountChange::of(ObjectId::from("ada"))
        };
        let after = change.onto(Some(&ada()));
        assert_eq!((after.attributes.get(Attr::JobTitle), after.upn()), (None, Some("ada@x.example")));
        assert_eq!((after.immutable_id, after.manager), (None, None));
        assert!(after.proxies.is_empty() && after.licenses.is_empty());
    }

    #[test]
    fn a_change_that_names_everything_leaves_only_the_manager() {
        let whole = Account { manager: None, enabled: Some(false), ..Account::blank(ObjectId::from("ada")) };
        let after = AccountChange::naming_all(whole.clone()).onto(Some(&ada()));
        assert_eq!(after, Account { manager: ada().manager, ..whole });
    }

    #[test]
    fn an_account_that_changes_is_live() {
        let binned = Account { deleted: Some("then".into()), ..ada() };
        let change = AccountChange::of(ObjectId::from("ada"));
        assert!(!change.onto(Some(&binned)).is_deleted());
    }
}
