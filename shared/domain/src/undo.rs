//! The change that undoes what earlier changes of one person wrote: every step the other way round, with the values of
//! before. What somebody changed since is left as it is and named, and so is what Graph cannot bring back.

use crate::declined::Declined;
use crate::rules::flow::is_hazardous;
use crate::vocabulary::account::{Account, Authority, Tenant};
use crate::vocabulary::attribute::{Attr, Attributes, Texts};
use crate::vocabulary::change::{
    Action, Change, ChangeId, Decision, Hold, Join, ManagerTarget, Removals, RepairCall, RepairPlan, Revisions, Step,
};
use crate::vocabulary::group::{GroupKind, GroupTarget};
use crate::vocabulary::ids::{ImmutableId, ObjectId};
use crate::vocabulary::license::License;
use crate::vocabulary::link::{JoinRule, LeavingCause, Link};
use crate::vocabulary::person::PersonRecord;
use crate::vocabulary::reason::{Code, Reason};
use crate::vocabulary::text::same_name;

/// What was written can be undone for so long (seconds).
pub const UNDONE_WITHIN: i64 = 30 * 24 * 60 * 60;

/// A change of before, as the history has it.
#[derive(Clone, Copy, Debug)]
pub struct PastChange<'a> {
    /// The change.
    pub change: &'a ChangeId,
    /// The run that wrote it.
    pub run: &'a str,
    /// When (Unix seconds).
    pub at: i64,
    /// The steps that the tenant took.
    pub steps: &'a [Step],
}

/// What an undoing rests on.
#[derive(Clone, Copy)]
pub struct UndoFacts<'a> {
    /// The person, as the source was understood last.
    pub record: &'a PersonRecord,
    /// The account that the changes were made on, as it is now.
    pub account: Option<&'a Account>,
    /// Its link.
    pub link: Option<&'a Link>,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The revision of the policy.
    pub policy: u64,
    /// The operator who asks.
    pub by: &'a str,
    /// When it is asked (Unix seconds).
    pub now: i64,
}

/// The decision that undoes changes of one person, given newest first.
pub fn undo(past: &[PastChange<'_>], facts: &UndoFacts<'_>) -> Decision {
    let mut plan = Plan { facts, steps: Vec::new(), removals: Vec::new(), forward: Vec::new(), not: Vec::new() };
    let (recent, old): (Vec<&PastChange<'_>>, Vec<&PastChange<'_>>) =
        past.iter().partition(|one| facts.now - one.at <= UNDONE_WITHIN);
    for one in old {
        plan.refuse(format!("change {} of run {}: it was written more than 30 days ago", one.change.short(), one.run));
    }
    let written = Written::of(&recent);
    if !recent.is_empty() {
        plan.make(&written);
    }
    decision(&recent, plan)
}

/// What changes wrote, all of them together: as they left it, and as it was before.
#[derive(Default)]
struct Written {
    values: Vec<(Attr, Box<str>, Box<str>)>,
    enabled: Option<(bool, bool)>,
    manager: Option<(Option<ObjectId>, Option<ObjectId>)>,
    licenses: Vec<(Box<str>, Option<License>, Option<License>)>,
    groups: Vec<(ObjectId, Box<str>, GroupKind, bool, bool)>,
    immutable_id: Option<ImmutableId>,
    created: bool,
    linked: bool,
    /// Whether it was live: after, before.
    live: Option<(bool, bool)>,
    purged: Vec<ObjectId>,
    sessions: bool,
    nameless_groups: Vec<Box<str>>,
    repairs: Vec<RepairPlan>,
}

impl Written {
    /// Newest first: what is seen first is how it was left, what is seen last is how it was before.
    fn of(past: &[&PastChange<'_>]) -> Self {
        let mut all = Self::default();
        for step in past.iter().flat_map(|one| one.steps.iter().rev()) {
            all.add(step);
        }
        all
    }

    fn add(&mut self, step: &Step) {
        match step {
            Step::Create { .. } => self.created = true,
            Step::Link => self.linked = true,
            Step::Update { immutable_id, before, after } => {
                for (attr, value) in after.iter() {
                    self.value(attr, value, before.get(attr).unwrap_or_default());
                }
                if let Some(id) = immutable_id {
                    self.immutable_id.get_or_insert_with(|| id.clone());
                }
            }
            Step::Rename { before, after } => self.value(Attr::UserPrincipalName, after, before),
            Step::SetEnabled { before, after, .. } => {
                let ours = self.enabled.map_or(*after, |(ours, _)| ours);
                self.enabled = Some((ours, before.unwrap_or(!after)));
            }
            Step::RevokeSessions => self.sessions = true,
            Step::SetManager { before, after } => {
                let after = after.as_ref().and_then(|target| match target {
                    ManagerTarget::Account(id) => Some(id.clone()),
                    ManagerTarget::Person(_) => None,
                });
                let ours = self.manager.take().map_or(after, |(ours, _)| ours);
                self.manager = Some((ours, before.clone()));
            }
            Step::SetLicenses { give, take } => {
                for license in take {
                    self.license(license, None, Some(License { held: false, ..license.clone() }));
                }
                for license in give {
                    let before = license.held.then(|| License { without: license.before.clone(), ..license.clone() });
                    self.license(license, Some(license.clone()), before);
                }
            }
            Step::JoinGroup { group } => match &group.id {
                Some(id) => self.group(id, &group.name, group.kind, true),
                None => self.nameless_groups.push(group.name.clone()),
            },
            Step::LeaveGroup { id, name } => self.group(id, name, GroupKind::Security, false),
            Step::Restore => self.live = Some((self.live.is_none_or(|(ours, _)| ours), false)),
            Step::Delete { .. } => self.live = Some((self.live.is_some_and(|(ours, _)| ours), true)),
            Step::Purge { account } => self.purged.push(account.clone()),
            // Undone changes are undone by making them again, which the next decision does.
            Step::ClearId { .. } | Step::Unlink => {}
            Step::Repair(plan) => self.repairs.push((**plan).clone()),
        }
    }

    fn value(&mut self, attr: Attr, after: &str, before: &str) {
        match self.values.iter_mut().find(|(known, ..)| *known == attr) {
            Some((_, _, target)) => *target = before.into(),
            None => self.values.push((attr, after.into(), before.into())),
        }
    }

    fn license(&mut self, license: &License, after: Option<License>, before: Option<License>) {
        match self.licenses.iter_mut().find(|(sku, ..)| *sku == license.sku) {
            Some((_, _, target)) => *target = before,
            None => self.licenses.push((license.sku.clone(), after, before)),
        }
    }

    fn group(&mut self, id: &ObjectId, name: &str, kind: GroupKind, joined: bool) {
        match self.groups.iter_mut().find(|(known, ..)| known == id) {
            Some((.., before)) => *before = !joined,
            None => self.groups.push((id.clone(), name.into(), kind, joined, !joined)),
        }
    }
}

/// Values as they are now, and as they were before.
type Values<'v> = (Vec<(Attr, &'v str)>, Vec<(Attr, &'v str)>);

/// The undoing as it grows.
struct Plan<'a, 'f> {
    facts: &'a UndoFacts<'f>,
    steps: Vec<Step>,
    removals: Vec<Step>,
    /// What is undone, as it was written: not to be written again.
    forward: Vec<Step>,
    /// What is not undone, and why.
    not: Vec<Reason>,
}

impl Plan<'_, '_> {
    fn refuse(&mut self, why: impl Into<Box<str>>) {
        let reason = Reason::with(Code::NotUndone, why);
        if !self.not.contains(&reason) {
            self.not.push(reason);
        }
    }

    fn make(&mut self, written: &Written) {
        for account in &written.purged {
            self.refuse(format!("account {account} was deleted for good"));
        }
        if written.sessions {
            self.refuse("sessions that were ended stay ended: the person signs in again");
        }
        for name in &written.nameless_groups {
            self.refuse(format!("membership of {name}: which group it was is not known"));
        }
        let Some(account) = self.facts.account else {
            self.refuse("the account is neither in the tenant nor in its recycle bin any more");
            return;
        };
        if account.authority == Authority::Synced {
            self.refuse("Entra Connect masters the account now, and it is never written");
            return;
        }
        if self.facts.link.is_some_and(|link| link.person != self.facts.record.reference()) {
            self.refuse("the account is another person's by now");
            return;
        }
        if written.created {
            self.delete(
                account,
                Step::Create { attributes: Attributes::default(), immutable_id: None, enabled: true, manager: None },
            );
            return;
        }
        if let Some((ours, before)) = written.live.filter(|(ours, before)| ours != before) {
            if ours == account.is_deleted() {
                self.refuse("the account was deleted or restored since");
                return;
            }
            if !before {
                self.delete(account, Step::Restore);
                return;
            }
            self.steps.push(Step::Restore);
            self.forward.push(Step::Delete { cause: LeavingCause::Undone });
        } else if account.is_deleted() {
            self.refuse("the account is in the recycle bin: restore it first");
            return;
        }
        let privileged = self.privileged(account);
        if !self.repairs(written, privileged) {
            return;
        }
        self.values(written, account, privileged);
        self.manager(written, account);
        self.enabled(written, account, privileged);
        self.licenses(written, account);
        self.groups(written, account);
        self.joined(written, account, privileged);
    }

    /// A repair is undone by its calls the other way round, newest repair first; whether the rest may be undone.
    fn repairs(&mut self, written: &Written, privileged: bool) -> bool {
        for plan in &written.repairs {
            let inverse: Option<Vec<RepairCall>> = plan.calls.iter().rev().map(RepairCall::inverse).collect();
            let Some(calls) = inverse else {
                self.refuse(format!("the repair ({}): it deleted an account for good", plan.kind.name()));
                return false;
            };
            if privileged && calls.iter().any(RepairCall::writes_id) {
                self.refuse("immutable ID: the account holds a directory role, or may, or who does is not known");
                return false;
            }
            self.steps.push(Step::Repair(Box::new(RepairPlan { calls, ..plan.clone() })));
            self.forward.push(Step::Repair(Box::new(plan.clone())));
        }
        true
    }

    /// Whether the account holds a role or may activate one, as far as is known: sensitive steps are left to people.
    fn privileged(&self, account: &Account) -> bool {
        let of = |known: &Option<std::collections::BTreeMap<ObjectId, Vec<String>>>| {
            known.as_ref().is_none_or(|holders| holders.contains_key(&account.id))
        };
        of(&self.facts.tenant.roles) || of(&self.facts.tenant.eligible)
    }

    fn delete(&mut self, account: &Account, undone: Step) {
        if account.is_deleted() {
            self.refuse("the account is in the recycle bin already");
        } else if self.privileged(account) {
            self.refuse("the account holds a directory role, or who does is not known: it is not deleted");
        } else {
            self.removals.push(Step::Delete { cause: LeavingCause::Undone });
            self.forward.push(undone);
        }
    }

    fn values(&mut self, written: &Written, account: &Account, privileged: bool) {
        let mut groups: [Values<'_>; 3] = Default::default();
        let mut blanks: Values<'_> = Default::default();
        for (attr, ours, before) in &written.values {
            let now = account.attributes.filled(*attr).unwrap_or_default();
            let same = |one: &str, other: &str| {
                one == other || (matches!(attr, Attr::UserPrincipalName | Attr::Mail) && same_name(one, other))
            };
            if now == &**before {
                continue;
            }
            if !same(now, ours) {
                self.refuse(format!("{attr}: it was changed since"));
                continue;
            }
            if privileged && attr.is_sensitive() {
                self.refuse(format!("{attr}: the account holds a directory role, or who does is not known"));
                continue;
            }
            if before.is_empty() && attr.keeps_a_value() {
                self.refuse(format!("{attr}: Graph does not clear it"));
                continue;
            }
            if *attr == Attr::UserPrincipalName {
                self.steps.push(Step::Rename { before: now.into(), after: before.clone() });
                self.forward.push(Step::Rename { before: before.clone(), after: ours.clone() });
                continue;
            }
            let single = |value: &str| Attributes::from_pairs([(*attr, value)]);
            self.forward.push(Step::Update { immutable_id: None, before: single(before), after: single(ours) });
            let place = if before.is_empty() {
                &mut blanks
            } else if is_hazardous(*attr, account) {
                &mut groups[1]
            } else if attr.is_sensitive() {
                &mut groups[2]
            } else {
                &mut groups[0]
            };
            place.0.push((*attr, now));
            place.1.push((*attr, before));
        }
        let update = |(now, before): Values<'_>| {
            let some = !before.is_empty();
            let (before, after) = (Attributes::from_pairs(now), Attributes::from_pairs(before));
            some.then_some(Step::Update { immutable_id: None, before, after })
        };
        self.steps.extend(groups.into_iter().filter_map(update));
        self.removals.extend(update(blanks));
    }

    fn manager(&mut self, written: &Written, account: &Account) {
        let Some((ours, before)) = &written.manager else { return };
        if account.manager == *before {
            return;
        }
        if account.manager != *ours {
            self.refuse("manager: it was changed since");
            return;
        }
        let after = before.clone().map(ManagerTarget::Account);
        let removes = after.is_none();
        let step = Step::SetManager { before: account.manager.clone(), after };
        if removes {
            self.removals.push(step);
        } else {
            self.steps.push(step);
        }
        let undone = ours.clone().map(ManagerTarget::Account);
        self.forward.push(Step::SetManager { before: before.clone(), after: undone });
    }

    fn enabled(&mut self, written: &Written, account: &Account, privileged: bool) {
        let Some((ours, before)) = written.enabled.filter(|(ours, before)| ours != before) else { return };
        match account.enabled {
            Some(now) if now == before => return,
            Some(now) if now == ours => {}
            Some(_) | None => return self.refuse("accountEnabled: it was changed since"),
        }
        if privileged {
            return self.refuse("accountEnabled: the account holds a directory role, or who does is not known");
        }
        let cause = (!before).then_some(LeavingCause::Undone);
        let step = Step::SetEnabled { before: Some(ours), after: before, cause };
        if before {
            self.steps.push(step);
        } else {
            self.removals.push(step);
        }
        self.forward.push(Step::SetEnabled { before: Some(before), after: ours, cause: None });
    }

    fn licenses(&mut self, written: &Written, account: &Account) {
        let (mut give, mut take) = (Vec::new(), Vec::new());
        let (mut gave, mut took) = (Vec::new(), Vec::new());
        for (sku, ours, before) in &written.licenses {
            let has = account.licenses.contains(sku);
            let name = ours.as_ref().or(before.as_ref()).map(|license| license.part_number.clone()).unwrap_or_default();
            let grant = self.facts.link.and_then(|link| link.ledger.grant(sku));
            let as_left = match ours {
                None => !has,
                Some(ours) => has && grant.is_some_and(|grant| grant.without == ours.without),
            };
            if !as_left {
                if has != before.is_some() || ours.is_some() == before.is_some() {
                    self.refuse(format!("licence {name}: it was changed since"));
                }
                continue;
            }
            match (ours, before) {
                (Some(ours), Some(before)) if ours.without == before.without => {}
                (Some(ours), Some(before)) => {
                    let back = License { held: true, before: ours.without.clone(), ..before.clone() };
                    give.push(back);
                    gave.push(ours.clone());
                }
                (Some(ours), None) => {
                    take.push(License { held: false, before: Texts::default(), ..ours.clone() });
                    gave.push(ours.clone());
                }
                (None, Some(before)) => {
                    give.push(License { held: false, before: Texts::default(), ..before.clone() });
                    took.push(before.clone());
                }
                (None, None) => {}
            }
        }
        if give.is_empty() && take.is_empty() {
            return;
        }
        let removes = !take.is_empty();
        let step = Step::SetLicenses { give, take };
        if removes {
            self.removals.push(step);
        } else {
            self.steps.push(step);
        }
        // Each by itself: an exchange is not asked for again as long as one half of it is not wanted.
        self.forward.extend(gave.into_iter().map(|one| Step::SetLicenses { give: vec![one], take: Vec::new() }));
        self.forward.extend(took.into_iter().map(|one| Step::SetLicenses { give: Vec::new(), take: vec![one] }));
    }

    fn groups(&mut self, written: &Written, account: &Account) {
        for (id, name, kind, ours, before) in &written.groups {
            let is = account.memberships.contains(id.as_str());
            if ours == before || is == *before {
                continue;
            }
            let group = GroupTarget { name: name.clone(), kind: *kind, id: Some(id.clone()) };
            let leave = Step::LeaveGroup { id: id.clone(), name: name.clone() };
            if *before {
                self.steps.push(Step::JoinGroup { group });
                self.forward.push(leave);
            } else {
                self.removals.push(leave);
                self.forward.push(Step::JoinGroup { group });
            }
        }
    }

    /// A join is undone with the immutable ID that it set.
    fn joined(&mut self, written: &Written, account: &Account, privileged: bool) {
        if let Some(id) = &written.immutable_id {
            let federated = account
                .upn()
                .and_then(|upn| self.facts.tenant.verified_domain_of(upn))
                .is_some_and(|domain| domain.federated);
            if account.immutable_id.as_ref() != Some(id) {
                if account.immutable_id.is_some() {
                    self.refuse("immutable ID: it was changed since");
                    return;
                }
            } else if privileged {
                self.refuse("immutable ID: the account holds a directory role, or may, or who does is not known");
                return;
            } else if federated {
                self.refuse(
                    "immutable ID: the sign-in name is in a federated domain, where it takes a repair to clear it",
                );
                return;
            } else {
                self.removals.push(Step::ClearId { before: id.clone() });
                self.forward.push(Step::Link);
            }
        }
        // A repair of a person who was linked before only renewed the link.
        let renewed =
            !written.repairs.is_empty() && self.facts.link.is_some_and(|link| link.joined_by == JoinRule::Link);
        if written.linked && self.facts.link.is_some() && !renewed {
            self.removals.push(Step::Unlink);
            self.forward.push(Step::Link);
        }
    }
}

fn decision(past: &[&PastChange<'_>], plan: Plan<'_, '_>) -> Decision {
    let Plan { facts, mut steps, removals, forward, not } = plan;
    let who = facts.record.reference();
    let removal_from = (!removals.is_empty()).then_some(steps.len());
    let counted = counted(&removals, facts);
    steps.extend(removals);
    let mut reasons: Vec<Reason> = Vec::new();
    if !steps.is_empty() {
        let named = past.iter().map(|one| format!("change {} of run {}", one.change.short(), one.run));
        reasons.extend(named.map(|text| Reason::with(Code::Undoing, text)));
    }
    reasons.extend(not);
    if reasons.is_empty() {
        reasons.push(Reason::with(Code::Undoing, "everything is as it was before already"));
    }
    let account = facts.account.map(|account| account.id.clone());
    let joined_by = facts.link.map_or(JoinRule::Link, |link| link.joined_by);
    let change = (!steps.is_empty()).then(|| {
        let mut change = Change {
            id: ChangeId::of(&who, account.as_ref(), &steps),
            person: who.clone(),
            account: account.clone(),
            action: steps.iter().map(|step| step.traits().action).max().unwrap_or(Action::None),
            steps,
            after: Vec::new(),
            hold: removal_from.map(|_| Hold::Removal),
            removals: counted,
            removal_from,
            depth: 0,
            link_from: None,
            decided_on: Revisions {
                person: facts.record.revision,
                account: facts.account.map_or(0, |account| account.revision),
                policy: facts.policy,
            },
            joined_by,
            reasons: reasons.clone(),
            undoes: None,
        };
        let newest = past.first().map(|one| one.change);
        change.undoes = newest.map(|newest| Box::new(Declined::undone(newest, &forward, &change, facts.by, facts.now)));
        Box::new(change)
    });
    let active = facts.account.is_some_and(|account| {
        let ours = facts.link.is_some_and(|link| link.ledger.suspended.is_some());
        !(account.is_deleted() || account.enabled == Some(false) && ours)
    });
    Decision {
        key: who.key,
        join: account.map_or(Join::NotLooked, |account| Join::Joined { rule: joined_by, account }),
        action: change.as_ref().map_or(Action::None, |change| change.action),
        reasons,
        evidence: Vec::new(),
        change,
        look_again_at: None,
        leaving: None,
        ledger: None,
        active,
        write_back: Box::default(),
    }
}

/// What removals of the guard's kinds steps hold.
fn counted(removals: &[Step], facts: &UndoFacts<'_>) -> Removals {
    let any = |of: fn(&Step) -> bool| u32::from(removals.iter().any(of));
    let blocked = facts.account.is_some_and(|account| account.enabled == Some(false));
    Removals {
        deletes: any(|step| matches!(step, Step::Delete { .. })),
        suspends: any(|step| matches!(step, Step::SetEnabled { .. })),
        blanks: any(|step| {
            matches!(step, Step::Update { .. } | Step::SetManager { .. } | Step::ClearId { .. } | Step::Unlink)
        }),
        licenses: any(|step| matches!(step, Step::SetLicenses { .. })),
        memberships: any(|step| matches!(step, Step::LeaveGroup { .. })),
        departs: !blocked && removals.iter().any(|step| step.traits().departs),
    }
}
