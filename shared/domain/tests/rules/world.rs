//! Small builders for people, accounts and links, and one line for a decision.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use hardmatch_domain::account::{Account, AccountKind, AddressHolder, Authority, Domain, HolderKind, Tenant};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::change::{Decision, Hold, Join, ManagerTarget, RepairCall, RepairWrite, Step};
use hardmatch_domain::disconnected_period::DisconnectedPeriod;
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::facts::knowledge::Knowledge;
use hardmatch_domain::facts::memory::MemoryFacts;
use hardmatch_domain::group::{FoundGroup, GroupKind, NamedGroup};
use hardmatch_domain::ids::{ImmutableId, ObjectId, PersonRef, TenantId};
use hardmatch_domain::license::{License, Sku};
use hardmatch_domain::link::{JoinRule, LeavingCause, Ledger, Link, Suspension};
use hardmatch_domain::person::{Address, Addresses, Anchor, Manager, Person, PersonRecord, SourceStatus};
use hardmatch_domain::policy::{
    AccountDeleted, Actions, Expression, FlowFrom, FlowManager, FlowWhen, GroupRule, Guard, LicenseRule, Lifecycle,
    Mapping, OnConflict, Policy, Reenable, Rule, RuleError, SoftDeleted, SoftRule, Stage, Switch, WhenEmpty,
};
use hardmatch_domain::repair::holds::OpenRepairs;
use hardmatch_domain::{Context, decide};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const DAY: i64 = 86_400;

pub(crate) struct World {
    pub(crate) people: Vec<PersonRecord>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) links: Vec<Link>,
    pub(crate) holders: Vec<(String, AddressHolder)>,
    pub(crate) policy: Policy,
    pub(crate) tenant: Tenant,
    pub(crate) now: i64,
    pub(crate) disconnected: Vec<DisconnectedPeriod>,
}

impl World {
    pub(crate) fn facts(&self) -> MemoryFacts {
        let lookups = Lookups::of(&self.policy);
        MemoryFacts::new(lookups, self.people.clone(), self.accounts.clone(), self.links.clone(), self.holders.clone())
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            policy: &self.policy,
            tenant: &self.tenant,
            now: self.now,
            disconnected: &self.disconnected,
            knowledge: Knowledge::LISTINGS,
            repairs: OpenRepairs::NONE,
        }
    }

    pub(crate) fn decide(&self, key: &str) -> Decision {
        let record = self.people.iter().find(|record| record.person.key.as_str() == key).expect("a known key");
        decide(record, &self.facts(), &self.context())
    }

    pub(crate) fn person(mut self, record: PersonRecord) -> Self {
        self.people.push(record);
        self
    }

    pub(crate) fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Attributes by which people of the connection and accounts can be looked up.
    pub(crate) fn proving(mut self, attrs: &[Attr]) -> Self {
        self.tenant.proving.insert(self.policy.connection.clone(), attrs.to_vec());
        self
    }

    pub(crate) fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    pub(crate) fn role(mut self, account: &str) -> Self {
        let roles = self.tenant.roles.get_or_insert_default();
        roles.insert(account.into(), vec!["User Administrator".into()]);
        self
    }

    pub(crate) fn eligible(mut self, account: &str) -> Self {
        let eligible = self.tenant.eligible.get_or_insert_default();
        eligible.insert(account.into(), vec!["User Administrator".into()]);
        self
    }

    pub(crate) fn holder(mut self, address: &str, kind: HolderKind) -> Self {
        self.holders.push((address.into(), AddressHolder { id: "holder".into(), kind }));
        self
    }

    pub(crate) fn policy(mut self, set: impl FnOnce(&mut Policy)) -> Self {
        set(&mut self.policy);
        self
    }

    pub(crate) fn tenant(mut self, set: impl FnOnce(&mut Tenant)) -> Self {
        set(&mut self.tenant);
        self
    }

    pub(crate) fn federate(self, domain: &str) -> Self {
        let domain = domain.to_owned();
        self.tenant(|tenant| {
            tenant.domains.insert(domain, Domain { verified: true, federated: true, initial: false });
        })
    }
}

pub(crate) fn world() -> World {
    World {
        people: Vec::new(),
        accounts: Vec::new(),
        links: Vec::new(),
        holders: Vec::new(),
        policy: policy(),
        tenant: tenant(),
        now: NOW,
        disconnected: Vec::new(),
    }
}

pub(crate) fn tenant() -> Tenant {
    let managed = Domain { verified: true, federated: false, initial: false };
    Tenant {
        id: TenantId::from("t"),
        domains: BTreeMap::from([
            ("contoso.com".to_owned(), managed),
            ("new.contoso.com".to_owned(), managed),
            ("contoso.onmicrosoft.com".to_owned(), Domain { initial: true, ..managed }),
            ("unverified.com".to_owned(), Domain { verified: false, ..managed }),
        ]),
        roles: Some(BTreeMap::new()),
        eligible: Some(BTreeMap::new()),
        users_complete: true,
        deleted_complete: true,
        groups_complete: true,
        contacts_complete: true,
        directory_sync: None,
        proving: BTreeMap::new(),
        skus: None,
        named_groups: BTreeMap::new(),
    }
}

pub(crate) fn policy() -> Policy {
    use Attr::*;
    let flow = [
        UserPrincipalName,
        MailNickname,
        DisplayName,
        GivenName,
        Surname,
        JobTitle,
        Department,
        EmployeeId,
        UsageLocation,
        BusinessPhones,
        MobilePhone,
    ];
    Policy {
        connection: "hr".into(),
        revision: 1,
        scope: None,
        anchor_from: vec!["mS-DS-ConsistencyGuid".into(), "objectGUID".into()],
        on_conflict: OnConflict::Stop,
        soft: vec![SoftRule::Upn, SoftRule::PrimarySmtp],
        prove: vec![Attr::EmployeeId],
        soft_deleted: SoftDeleted::Restore,
        merge_synced: false,
        write_back: Vec::new(),
        full_listing_days: 7,
        flow: flow
            .map(|to| Mapping { to, from: FlowFrom::Same, when: FlowWhen::Always, when_empty: WhenEmpty::Clear })
            .into(),
        manager: FlowManager { when: FlowWhen::Always, when_empty: WhenEmpty::Clear },
        lifecycle: Lifecycle {
            absent: suspend(0),
            left_scope: suspend(0),
            disabled: suspend(0),
            password_expired: Vec::new(),
            ended: suspend(0),
            account_deleted: AccountDeleted::Report,
            create_disabled: false,
            reenable: Reenable::Ours,
            revoke_sessions: false,
        },
        starts: None,
        ends: None,
        actions: Actions {
            create: Switch::On,
            update: Switch::On,
            takeover: Switch::On,
            rename: Switch::On,
            enable: Switch::On,
            suspend: Switch::On,
            restore: Switch::On,
            delete: Switch::Approve,
            license: Switch::On,
            membership: Switch::On,
            repair: Switch::Approve,
            merge: Switch::Approve,
            purge: Switch::Approve,
        },
        guard: Guard {
            max_removals: 500,
            max_removals_percent: 5,
            always_allow: 3,
            max_creations_percent: 20,
            max_identity_changes_percent: 20,
        },
        licenses: Vec::new(),
        groups: Vec::new(),
    }
}

pub(crate) fn suspend(after: i64) -> Vec<Stage> {
    vec![Stage { action: hardmatch_domain::policy::LeavingAction::Suspend, after_seconds: after }]
}

pub(crate) fn delete(after: i64) -> Vec<Stage> {
    vec![Stage { action: hardmatch_domain::policy::LeavingAction::Delete, after_seconds: after }]
}

/// A scope that holds everybody in the group `Staff`; `Broken` makes it fail.
#[derive(Debug)]
pub(crate) struct Staff;

impl Rule for Staff {
    fn test(&self, person: &Person) -> Result<bool, RuleError> {
        if person.groups.contains("Broken") {
            return Err(RuleError("no such overload".into()));
        }
        Ok(person.groups.contains("Staff"))
    }

    fn text(&self) -> &'static str {
        "'Staff' in person.groups"
    }
}

pub(crate) fn staff(policy: &mut Policy) {
    policy.scope = Some(Arc::new(Staff));
}

/// Staff have the licence E3 and are in the group Staff.
pub(crate) fn entitle(policy: &mut Policy) {
    policy.licenses.push(LicenseRule { sku: "E3".into(), without: Vec::new(), when: Arc::new(Staff) });
    policy.groups.push(GroupRule { name: "Staff".into(), kind: GroupKind::Security, when: Arc::new(Staff) });
}

/// A licence of the tenant, as accounts of this world have it.
pub(crate) fn sku_e3() -> Sku {
    Sku { id: "E3".into(), part_number: "E3".into(), seats: 10, used: 0, plans: Vec::new() }
}

pub(crate) fn staff_group() -> FoundGroup {
    FoundGroup::Found { id: "g-Staff".into(), members: 10, digest: "".into() }
}

pub(crate) fn named(name: &str, found: FoundGroup) -> NamedGroup {
    NamedGroup { name: name.into(), kind: GroupKind::Security, found }
}

/// Suspended at once, without licences after so long, deleted after a month.
pub(crate) fn ladder(strips_after: i64) -> Vec<Stage> {
    let strip = Stage { action: hardmatch_domain::policy::LeavingAction::RemoveLicenses, after_seconds: strips_after };
    [suspend(0), vec![strip], delete(30 * DAY)].concat()
}

/// An expression that gives the title in brackets, and fails for `Broken` people.
#[derive(Debug)]
pub(crate) struct Bracketed;

impl Expression for Bracketed {
    fn eval(&self, person: &Person) -> Result<String, RuleError> {
        if person.groups.contains("Broken") {
            return Err(RuleError("no such overload".into()));
        }
        Ok(format!("({})", person.attributes.filled(Attr::JobTitle).unwrap_or("-")))
    }

    fn text(&self) -> &'static str {
        "'(' + person.jobTitle + ')'"
    }
}

/// An expression that gives the alias in contoso.com, and fails for `Broken` people.
#[derive(Debug)]
struct AliasInContoso;

impl Expression for AliasInContoso {
    fn eval(&self, person: &Person) -> Result<String, RuleError> {
        if person.groups.contains("Broken") {
            return Err(RuleError("no such overload".into()));
        }
        Ok(format!("{}@contoso.com", person.attributes.filled(Attr::MailNickname).unwrap_or("-")))
    }

    fn text(&self) -> &'static str {
        "person.mailNickname + '@contoso.com'"
    }
}

/// Sign-in names come from an expression.
pub(crate) fn mapped_upn(policy: &mut Policy) {
    let mapping = policy.flow.iter_mut().find(|mapping| mapping.to == Attr::UserPrincipalName);
    mapping.expect("a mapping").from = FlowFrom::Expression(Arc::new(AliasInContoso));
}

/// A present, enabled person `key` with anchor `id-key` and address `key@contoso.com`.
pub(crate) fn person(key: &str) -> PersonRecord {
    let upn = format!("{key}@contoso.com");
    PersonRecord {
        connection: "hr".into(),
        person: Person {
            key: key.into(),
            anchors: vec![Anchor { from: "objectGUID".into(), id: ImmutableId::new(format!("id-{key}")) }],
            attributes: Attributes::from_pairs([
                (Attr::UserPrincipalName, upn.as_str()),
                (Attr::DisplayName, key),
                (Attr::MailNickname, key),
            ]),
            addresses: Addresses::new(Address::parse(&upn), Texts::new([upn.as_str()])),
            groups: Texts::default(),
            manager: None,
            enabled: Some(true),
            password_expired: None,
            extra: hardmatch_domain::person::Extra::default(),
            given_by: None,
        },
        standing: SourceStatus::Present,
        revision: 1,
        former: Vec::new(),
    }
}

pub(crate) trait PersonExt: Sized {
    fn set(self, attr: Attr, value: &str) -> Self;
    fn without(self, attr: Attr) -> Self;
    fn login(self, upn: &str) -> Self;
    fn primary(self, address: &str) -> Self;
    fn anchors(self, ids: &[&str]) -> Self;
    fn groups(self, groups: &[&str]) -> Self;
    fn standing(self, standing: SourceStatus) -> Self;
    fn enabled(self, enabled: Option<bool>) -> Self;
    fn expired(self) -> Self;
    fn manager(self, key: &str) -> Self;
    fn of(self, connection: &str) -> Self;
}

impl PersonExt for PersonRecord {
    fn set(mut self, attr: Attr, value: &str) -> Self {
        self.person.attributes = self.person.attributes.with(attr, value);
        self
    }
    fn without(mut self, attr: Attr) -> Self {
        self.person.attributes = self.person.attributes.without(attr);
        self
    }
    fn login(self, upn: &str) -> Self {
        self.set(Attr::UserPrincipalName, upn)
    }
    fn primary(mut self, address: &str) -> Self {
        self.person.addresses = Addresses::new(Address::parse(address), Texts::new([address]));
        self
    }
    fn anchors(mut self, ids: &[&str]) -> Self {
        self.person.anchors =
            ids.iter().map(|id| Anchor { from: "objectGUID".into(), id: ImmutableId::from(*id) }).collect();
        self
    }
    fn groups(mut self, groups: &[&str]) -> Self {
        self.person.groups = groups.iter().copied().collect();
        self
    }
    fn standing(mut self, standing: SourceStatus) -> Self {
        self.standing = standing;
        self
    }
    fn enabled(mut self, enabled: Option<bool>) -> Self {
        self.person.enabled = enabled;
        self
    }
    fn expired(mut self) -> Self {
        self.person.password_expired = Some(true);
        self
    }
    fn manager(mut self, key: &str) -> Self {
        self.person.manager = Some(Manager::Person(key.into()));
        self
    }
    fn of(mut self, connection: &str) -> Self {
        self.connection = connection.into();
        self
    }
}

/// An enabled, licensed account `a-key` with everything as `person(key)` wants it, the ID included.
pub(crate) fn account(key: &str) -> Account {
    let upn = format!("{key}@contoso.com");
    Account {
        id: ObjectId::new(format!("a-{key}")),
        immutable_id: Some(ImmutableId::new(format!("id-{key}"))),
        attributes: Attributes::from_pairs([
            (Attr::UserPrincipalName, upn.as_str()),
            (Attr::DisplayName, key),
            (Attr::MailNickname, key),
        ]),
        enabled: Some(true),
        proxies: Texts::new([format!("SMTP:{upn}").as_str()]),
        kind: AccountKind::Member,
        authority: Authority::Cloud,
        memberships: Texts::default(),
        licenses: Texts::new(["E3"]),
        manager: None,
        created: Some("2020-01-01T00:00:00Z".into()),
        deleted: None,
        last_sync: None,
        guest_state: None,
        revision: 1,
    }
}

pub(crate) trait AccountExt: Sized {
    fn named(self, id: &str) -> Self;
    fn id(self, id: Option<&str>) -> Self;
    fn set(self, attr: Attr, value: &str) -> Self;
    fn login(self, upn: &str) -> Self;
    fn proxies(self, proxies: &[&str]) -> Self;
    fn enabled(self, enabled: Option<bool>) -> Self;
    fn unlicensed(self) -> Self;
    fn guest(self) -> Self;
    fn synced(self) -> Self;
    fn deleted(self) -> Self;
    fn manager(self, id: &str) -> Self;
}

impl AccountExt for Account {
    fn named(mut self, id: &str) -> Self {
        self.id = id.into();
        self
    }
    fn id(mut self, id: Option<&str>) -> Self {
        self.immutable_id = id.map(Into::into);
        self
    }
    fn set(mut self, attr: Attr, value: &str) -> Self {
        self.attributes = self.attributes.with(attr, value);
        self
    }
    fn login(self, upn: &str) -> Self {
        self.set(Attr::UserPrincipalName, upn)
    }
    fn proxies(mut self, proxies: &[&str]) -> Self {
        self.proxies = proxies.iter().copied().collect();
        self
    }
    fn enabled(mut self, enabled: Option<bool>) -> Self {
        self.enabled = enabled;
        self
    }
    fn unlicensed(mut self) -> Self {
        self.licenses = Texts::default();
        self
    }
    fn guest(mut self) -> Self {
        self.kind = AccountKind::Guest;
        self.guest_state = Some("Accepted".into());
        self
    }
    fn synced(mut self) -> Self {
        self.authority = Authority::Synced;
        self
    }
    fn deleted(mut self) -> Self {
        self.deleted = Some("2026-11-01T00:00:00Z".into());
        self
    }
    fn manager(mut self, id: &str) -> Self {
        self.manager = Some(id.into());
        self
    }
}

/// The link of `person(key)` to `account(key)`.
pub(crate) fn link(key: &str) -> Link {
    link_of(key, &format!("a-{key}"), Some(&format!("id-{key}")))
}

pub(crate) fn link_of(key: &str, account: &str, id: Option<&str>) -> Link {
    Link {
        person: PersonRef { connection: "hr".into(), key: key.into() },
        account: account.into(),
        immutable_id: id.map(Into::into),
        joined_by: JoinRule::HardMatch,
        ledger: Ledger::default(),
        revision: 1,
    }
}

pub(crate) trait LinkExt: Sized {
    fn ledger(self, set: impl FnOnce(&mut Ledger)) -> Self;
    fn suspended(self) -> Self;
    fn since(self, cause: LeavingCause, since: i64) -> Self;
}

impl LinkExt for Link {
    fn ledger(mut self, set: impl FnOnce(&mut Ledger)) -> Self {
        set(&mut self.ledger);
        self
    }
    fn suspended(self) -> Self {
        self.ledger(|ledger| ledger.suspended = Some(Suspension { at: NOW - DAY, cause: LeavingCause::Disabled }))
    }
    fn since(self, cause: LeavingCause, since: i64) -> Self {
        self.ledger(|ledger| {
            ledger.leaving_since = Some(since);
            ledger.leaving_cause = Some(cause);
        })
    }
}

/// A linked person with an account that is as it should be.
pub(crate) fn linked(key: &str) -> World {
    world().person(person(key)).account(account(key)).link(link(key))
}

/// One line for a decision: action, reasons; then steps, hold, people waited for.
pub(crate) fn line(decision: &Decision) -> String {
    let codes: Vec<&str> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let mut text = format!("{}: {}", decision.action.name(), codes.join(", "));
    if let Some(change) = &decision.change {
        let steps: Vec<String> = change.steps.iter().map(step).collect();
        let _ = write!(text, " | {}", steps.join(" + "));
        if let Some(hold) = &change.hold {
            let _ = match (hold, change.removal_from) {
                (Hold::Approval, None) => write!(text, " | approval"),
                (Hold::Approval, Some(from)) => write!(text, " | approval, removal from {from}"),
                (Hold::Removal, from) => write!(text, " | removal from {}", from.expect("an index")),
            };
        }
        for who in &change.after {
            let _ = write!(text, " | after {}", who.key.as_str());
        }
    }
    text
}

fn step(step: &Step) -> String {
    let target = |target: &ManagerTarget| match target {
        ManagerTarget::Account(id) => id.to_string(),
        ManagerTarget::Person(key) => format!("person {}", key.as_str()),
    };
    match step {
        Step::Create { enabled, manager, immutable_id, .. } => format!(
            "create{}{}{}",
            immutable_id.as_ref().map(|id| format!(" {}", id.as_str())).unwrap_or_default(),
            if *enabled { "" } else { " blocked" },
            manager.as_ref().map(|manager| format!(" under {}", target(manager))).unwrap_or_default()
        ),
        Step::Link => "link".into(),
        Step::Update { immutable_id, after, .. } => {
            let mut parts: Vec<String> = immutable_id.iter().map(|id| format!("id={}", id.as_str())).collect();
            parts.extend(after.iter().map(|(attr, value)| format!("{attr}={value}")));
            format!("set {}", parts.join(" "))
        }
        Step::Rename { before, after } => format!("rename {before} to {after}"),
        Step::SetEnabled { after: true, .. } => "enable".into(),
        Step::SetEnabled { after: false, cause, .. } => format!("suspend {:?}", cause.expect("a cause")),
        Step::RevokeSessions => "revoke".into(),
        Step::ClearId { .. } => "clear id".into(),
        Step::Unlink => "unlink".into(),
        Step::SetManager { after, .. } => format!("manager {}", after.as_ref().map_or("none".into(), target)),
        Step::SetLicenses { give, take } => {
            let signed = |sign, licenses: &[License]| {
                licenses.iter().fold(String::new(), |text, license| format!("{text} {sign}{}", license.part_number))
            };
            format!("licences{}{}", signed('+', give), signed('-', take))
        }
        Step::JoinGroup { group } => {
            format!("join {}{}", group.name, if group.id.is_none() { " (new)" } else { "" })
        }
        Step::LeaveGroup { name, .. } => format!("leave {name}"),
        Step::Restore => "restore".into(),
        Step::Delete { cause } => format!("delete {cause:?}"),
        Step::Purge { account } => format!("purge {account}"),
        Step::Repair(plan) => {
            let calls: Vec<String> = plan.calls.iter().map(call).collect();
            format!("repair {} ({})", plan.kind.name(), calls.join(", "))
        }
    }
}

/// One line for a call of a repair.
fn call(call: &RepairCall) -> String {
    let id = |id: &Option<ImmutableId>| id.as_ref().map_or("none".to_owned(), |id| id.as_str().to_owned());
    let what = match &call.write {
        RepairWrite::Upn { before, after } => format!("{before} → {after}"),
        RepairWrite::Id { before, after } => format!("{} → {}", id(before), id(after)),
        RepairWrite::Delete => "delete".into(),
        RepairWrite::Restore { upn } => {
            format!("restore{}", upn.as_ref().map(|upn| format!(" as {upn}")).unwrap_or_default())
        }
        RepairWrite::Purge => "purge".into(),
    };
    format!("{}: {what}", call.account)
}

/// Checks one decision, and what holds for every decision.
#[track_caller]
pub(crate) fn check(world: &World, key: &str, expected: &str) -> Decision {
    let decision = world.decide(key);
    assert_eq!(line(&decision), expected);
    lawful(world, &decision);
    decision
}

/// What must hold of every decision in whatever world.
#[track_caller]
pub(crate) fn lawful(world: &World, decision: &Decision) {
    use hardmatch_domain::reason::Code;
    assert!(!decision.reasons.is_empty(), "never without a reason");
    let Some(change) = &decision.change else {
        assert_eq!(decision.action.name(), "none");
        return;
    };
    assert!(!change.steps.is_empty() && !change.reasons.is_empty());
    assert_eq!(change.removals.is_none(), change.removal_from.is_none());
    let is_removal = |step: &Step| match step {
        Step::SetEnabled { after, .. } => !after,
        Step::Delete { .. } | Step::LeaveGroup { .. } => true,
        Step::SetLicenses { take, .. } => !take.is_empty(),
        Step::Update { after, .. } => after.iter().any(|(_, value)| value.is_empty()),
        Step::SetManager { after, .. } => after.is_none(),
        _ => false,
    };
    let from = change.removal_from.unwrap_or(change.steps.len());
    assert!(!change.steps[..from].iter().any(is_removal), "removals come last");
    if from < change.steps.len() {
        assert!(is_removal(&change.steps[from]));
        assert!(change.hold.is_some(), "a removal is held");
        for code in [Code::Unknown, Code::Incomplete, Code::EntryRefused] {
            assert!(change.reasons.iter().all(|reason| reason.code != code), "no removal for {code}");
        }
    }
    if let Some(id) = &change.account {
        let account = world.accounts.iter().find(|account| account.id == *id).expect("an existing account");
        assert_ne!(account.authority, Authority::Synced, "never written");
        let is_linked = world.links.iter().any(|link| link.account == *id);
        assert!(account.kind == AccountKind::Member || is_linked, "a guest is never joined");
        if let Join::Joined { account, .. } = &decision.join {
            assert_eq!(account, id);
        }
        // Never an account with the ID of somebody else.
        let me = world.people.iter().find(|record| record.reference() == change.person).expect("a person");
        let gone =
            |record: &PersonRecord| matches!(record.standing, SourceStatus::Absent(_) | SourceStatus::Deleted(_));
        if let Some(theirs) = account.immutable_id.as_ref().filter(|id| !me.person.knows_anchor(id)) {
            let another = world
                .people
                .iter()
                .any(|other| other.reference() != me.reference() && other.person.knows_anchor(theirs) && !gone(other));
            assert!(!another, "never an account with another's immutable ID");
        }
    }
}
