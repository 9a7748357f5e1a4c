//! A decision in the making: reasons, evidence and the parts a change is made of. Chooses nothing.

use crate::vocabulary::account::Account;
use crate::vocabulary::change::{Action, Evidence, EvidenceRule, Found, Join, Step};
use crate::vocabulary::ids::{ObjectId, PersonRef};
use crate::vocabulary::link::{JoinRule, LeavingCause};
use crate::vocabulary::reason::{Code, Reason};

#[derive(Default)]
pub(crate) struct Draft<'a> {
    pub(crate) join: Option<Join>,
    /// The account the parts are about; none for a create.
    pub(crate) account: Option<&'a Account>,
    pub(crate) rule: Option<JoinRule>,
    pub(crate) link_from: Option<PersonRef>,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) evidence: EvidenceLog,
    pub(crate) parts: Vec<Part>,
    pub(crate) after: Vec<PersonRef>,
    pub(crate) depth: u32,
    pub(crate) look_again_at: Option<i64>,
    pub(crate) leaving: Option<(LeavingCause, i64)>,
}

/// Steps that are switched, approved or held together.
pub(crate) struct Part {
    /// The action whose switch decides.
    pub(crate) action: Action,
    pub(crate) when: StepOrder,
    pub(crate) consent: Consent,
    /// Why these steps are taken.
    pub(crate) reason: Reason,
    pub(crate) steps: Vec<Step>,
}

impl Part {
    /// Whether it holds a repair.
    pub(crate) fn is_repair(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Repair(_)))
    }
}

/// Where in the change a part stands. The order of the variants is the order of the steps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StepOrder {
    /// Makes or claims the account: nothing else can be done without it.
    Opening,
    /// What differs.
    Write,
    /// What Graph may refuse for reasons of its own: apart, so that a refusal does not take the rest along.
    Hazard,
    Rename,
    Manager,
    Enable,
    /// After the usage location, without which there is none.
    License,
    Join,
    /// Removals, in the order in which they are taken.
    Blank,
    Suspend,
    Unlicense,
    Leave,
    Delete,
}

impl StepOrder {
    pub(crate) fn is_removal(self) -> bool {
        matches!(
            self,
            StepOrder::Blank | StepOrder::Suspend | StepOrder::Unlicense | StepOrder::Leave | StepOrder::Delete
        )
    }
}

/// What a part needs beside its switch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Consent {
    /// Nothing.
    Switch,
    /// An approval, even when the switch is on.
    Approval,
}

impl<'a> Draft<'a> {
    pub(crate) fn note(&mut self, reason: Reason) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    pub(crate) fn note_all(&mut self, reasons: Vec<Reason>) {
        for reason in reasons {
            self.note(reason);
        }
    }

    pub(crate) fn code(&mut self, code: Code) {
        self.note(Reason::plain(code));
    }

    /// Nothing is written for this reason.
    pub(crate) fn refuse(&mut self, reason: Reason) {
        self.parts.clear();
        self.note(reason);
    }

    pub(crate) fn joined(&mut self, rule: JoinRule, account: &'a Account) {
        self.join = Some(Join::Joined { rule, account: account.id.clone() });
        self.account = Some(account);
        self.rule = Some(rule);
    }

    pub(crate) fn part(&mut self, action: Action, when: StepOrder, reason: Reason, steps: Vec<Step>) {
        self.parts.push(Part { action, when, consent: Consent::Switch, reason, steps });
    }
}

/// What each rule found, in the order in which they looked.
#[derive(Default)]
pub(crate) struct EvidenceLog(Vec<Evidence>);

impl EvidenceLog {
    pub(crate) fn into_vec(self) -> Vec<Evidence> {
        self.0
    }

    /// A rule looked; nothing more is to be said.
    pub(crate) fn saw(&mut self, rule: EvidenceRule, found: Found) {
        self.0.push(Evidence { rule, found, account: None, ours: None, theirs: None });
    }

    /// A rule of the policy spoke for the person.
    pub(crate) fn saw_rule(&mut self, rule: EvidenceRule, says: &str) {
        self.saw_text(rule, Found::Same, says);
    }

    /// A rule of the policy found this, in its own words.
    pub(crate) fn saw_text(&mut self, rule: EvidenceRule, found: Found, says: &str) {
        let ours = Some(says.into());
        self.0.push(Evidence { rule, found, account: None, ours, theirs: None });
    }

    /// A rule found another person of the source.
    pub(crate) fn saw_person(&mut self, rule: EvidenceRule, found: Found, who: &str) {
        let theirs = Some(who.into());
        self.0.push(Evidence { rule, found, account: None, ours: None, theirs });
    }

    /// A rule found something at an account.
    pub(crate) fn saw_at(
        &mut self,
        rule: EvidenceRule,
        found: Found,
        account: &ObjectId,
        ours: Option<&str>,
        theirs: Option<&str>,
    ) {
        self.0.push(Evidence {
            rule,
            found,
            account: Some(Box::new(account.clone())),
            ours: ours.map(Into::into),
            theirs: theirs.map(Into::into),
        });
    }

    /// What an approver wants to see of an account.
    pub(crate) fn show(&mut self, account: &Account) {
        let enabled = match account.enabled {
            Some(true) => "enabled",
            Some(false) => "disabled",
            None => "unknown",
        };
        self.saw_at(EvidenceRule::Enabled, Found::Fact, &account.id, None, Some(enabled));
        let licenses = account.licenses.iter().count().to_string();
        self.saw_at(EvidenceRule::Licenses, Found::Fact, &account.id, None, Some(&licenses));
        if let Some(mail) = account.primary_address() {
            self.saw_at(EvidenceRule::Address, Found::Fact, &account.id, None, Some(mail));
        }
        let dates = [("created", &account.created), ("deleted", &account.deleted), ("last sync", &account.last_sync)];
        for (name, date) in dates {
            if let Some(date) = date {
                self.saw_at(EvidenceRule::Dates, Found::Fact, &account.id, None, Some(&format!("{name} {date}")));
            }
        }
    }
}
