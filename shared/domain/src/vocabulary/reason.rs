//! Why: stable codes, each with one sentence and a remedy. A longer page for each is shipped with the report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a code is about, for counting and for the exit status.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Says why something is done or why nothing is.
    Note,
    /// Known, reported, nothing to wait for.
    Reported,
    /// Waits for an approval, a guard, a timer or another change.
    Held,
    /// Refused: a person must look.
    Refused,
}

/// What can end a reason that holds somebody back, without anybody looking at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wakes {
    /// A date: a timer brings the person back.
    Timer,
    /// An operator's word about the change that is planned; without a change, somebody must look.
    Approval,
    /// The person's own change, which is planned and waits for another person's.
    Change,
    /// What happens to another object: a manager gets an account, the tenant empties its recycle bin.
    Another,
    /// Nobody but an operator, or nothing to wait for.
    Nobody,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $weight:ident, $wakes:ident, $says:literal, $cure:literal;)*) => {
        /// A reason code. The text form is stable: scripts and pages rely on it.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The stable text form.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code),* }
            }

            /// What kind of reason it is.
            pub fn weight(self) -> Weight {
                match self { $(Code::$name => Weight::$weight),* }
            }

            /// What can end a reason that holds somebody back.
            pub fn wakes(self) -> Wakes {
                match self { $(Code::$name => Wakes::$wakes),* }
            }

            /// One sentence, the same for everybody: no personal data.
            pub fn sentence(self) -> &'static str {
                match self { $(Code::$name => $says),* }
            }

            /// What a person can do about it; empty when there is nothing to do.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$name => $cure),* }
            }

            /// The code of that text form.
            pub fn parse(text: &str) -> Option<Code> {
                match text { $($code => Some(Code::$name),)* _ => None }
            }
        }
    };
}

codes! {
    // Why something is done.
    /// No account exists: one is created.
    Provision = "provision", Note, Nobody, "Nobody in the tenant holds this person's ID, sign-in name or addresses, so an account is created.", "";
    /// Joined by immutable ID.
    HardMatched = "hard_matched", Note, Nobody, "The account's immutable ID is the person's.", "";
    /// Joined by UPN or address: we claim the account.
    Takeover = "takeover", Note, Nobody, "An unclaimed cloud account has the person's sign-in name or primary address and is joined to them.", "";
    /// Attributes differ from what the source says.
    AttributesDiffer = "attributes_differ", Note, Nobody, "The source's values differ from the account's.", "";
    /// Somebody changed a mapped attribute in the tenant.
    Drift = "drift", Note, Nobody, "A value that we wrote was changed in the tenant and is written again.", "To let the tenant's value stand, set flow = \"initial\" for the attribute.";
    /// The sign-in name changes.
    Rename = "rename", Note, Nobody, "The source has a new sign-in name for this linked person.", "";
    /// The manager changes.
    ManagerDiffers = "manager_differs", Note, Nobody, "The source names another manager.", "";
    /// A licence rule gives, or no longer gives.
    LicenseRule = "license_rule", Note, Nobody, "The licence rules say that the person's licences are to change.", "";
    /// A group rule includes, or no longer includes.
    GroupRule = "group_rule", Note, Nobody, "The group rules say that the person's memberships are to change.", "";
    /// Sign-in is blocked: the person is gone from the source.
    SourceAbsent = "source_absent", Note, Nobody, "The person is gone from a complete listing of the source.", "If they should still be there, look at the source's filter before approving.";
    /// Sign-in is blocked: the scope no longer includes them.
    LeftScope = "left_scope", Note, Nobody, "The scope no longer includes the person.", "Look at [scope] include if this is unexpected.";
    /// Sign-in is blocked: disabled at the source.
    SourceDisabled = "source_disabled", Note, Nobody, "The source has disabled the person.", "";
    /// Sign-in is blocked: password expired at the source.
    SourcePasswordExpired = "source_password_expired", Note, Nobody, "The person's password has expired at the source.", "";
    /// Sign-in is blocked: the last day is over.
    EmploymentEnded = "employment_ended", Note, Nobody, "The person's last day at the source is over.", "Correct the last day at the source if the person stays.";
    /// The first day is still to come.
    NotStarted = "not_started", Held, Timer, "The person's first day is still to come: no account is enabled before it.", "";
    /// Sign-in is allowed again.
    Returned = "returned", Note, Nobody, "The person is back and what we blocked is allowed again.", "";
    /// A soft-deleted account of the person is restored.
    RestoreDeleted = "restore_deleted", Note, Nobody, "The person's account is in the recycle bin and is restored with its mail.", "";
    /// Nothing to do.
    Converged = "converged", Note, Nobody, "The account is as it should be.", "";
    /// Not ours, and never was.
    OutOfScope = "out_of_scope", Note, Nobody, "The scope does not include the person.", "";
    /// Disabled at the source, no account: none is created.
    DisabledNotProvisioned = "disabled_not_provisioned", Note, Nobody, "The person is disabled at the source and has no account, so none is created.", "Set lifecycle.create_disabled = true to create disabled accounts.";
    /// Left, and there is nothing (more) to do.
    LeftSettled = "left_settled", Note, Nobody, "The person has left and their account is already as policy wants it.", "";
    /// Leaving is ignored by policy.
    LeavingIgnored = "leaving_ignored", Note, Nobody, "Policy ignores this kind of leaving.", "";

    /// Somebody else blocked sign-in: it stays blocked.
    BlockedElsewhere = "blocked_elsewhere", Held, Nobody, "The person is present and enabled, and somebody else blocked their sign-in, so it stays blocked.", "Allow sign-in in the tenant, or set lifecycle.reenable = \"always\" for a source that says who is enabled.";

    // Refusals of joining.
    /// Link and hard match name different accounts.
    LinkConflict = "link_conflict", Refused, Nobody, "Our link names one account and the immutable ID another; neither is written.", "Find out which account is the person's, then take the person's immutable ID, or their name and addresses, off the other one.";
    /// A linked account's ID was cleared or changed to nobody's.
    AnchorDrift = "anchor_drift", Refused, Nobody, "The linked account's immutable ID was cleared or changed in the tenant.", "Write the right ID to the account, or set anchor.on_conflict.";
    /// The account carries another ID and nothing proves identity.
    AnchorConflict = "anchor_conflict", Refused, Nobody, "The account with the person's name or address carries a different immutable ID, and nothing proves it is the same person.", "Compare the two people; then set the right ID on the account, or free the address.";
    /// The account carries a wrong ID of the same person.
    AnchorWrong = "anchor_wrong", Held, Approval, "The account is proven to be the person's but carries a wrong immutable ID.", "Set anchor.on_conflict = \"source-wins\" or \"tenant-wins\"; a change that is planned is made with `hardmatch apply HASH`.";
    /// The account belongs to another person: InvalidSoftMatch.
    AddressTaken = "address_taken", Refused, Nobody, "The account with the person's name or address is anchored to another person (Entra Connect calls this InvalidSoftMatch).", "Decide who owns the address and change the other person's at the source.";
    /// Different rules name different accounts.
    Ambiguous = "ambiguous", Refused, Nobody, "More than one account fits the person.", "Remove the address from the wrong account, or set the person's immutable ID on the right one.";
    /// Several people claim one account.
    Contested = "contested", Refused, Nobody, "Several people of the source claim the same account, sign-in name or ID.", "Give each person their own sign-in name and address at the source.";
    /// The anchor history of a person names two links.
    SplitIdentity = "split_identity", Refused, Nobody, "The person's key and anchor are linked to two different accounts.", "Give the source's entry the key and the anchor that belong together.";
    /// Another connection has the person's account.
    ClaimedByConnection = "claimed_by_connection", Refused, Nobody, "The account belongs to another connection.", "Leave the person in the scope of one connection only.";
    /// A guest holds the address.
    AddressHeldByGuest = "address_held_by_guest", Refused, Nobody, "A guest account holds the person's address.", "Remove the guest, or convert it to a member by hand.";
    /// A group holds the address.
    AddressHeldByGroup = "address_held_by_group", Refused, Nobody, "A group holds one of the person's addresses.", "Change the group's address or the person's.";
    /// A contact holds the address.
    AddressHeldByContact = "address_held_by_contact", Refused, Nobody, "A contact holds one of the person's addresses.", "Delete the contact in Exchange, or change the address.";
    /// The account holds an admin role.
    Privileged = "privileged", Refused, Nobody, "The account holds a directory role, or is eligible for one: it is given to nobody by a match, and sensitive changes are not made.", "Make the change by hand, or take the role away while it is made.";
    /// A leaver's account holds an admin role.
    PrivilegedLeaver = "privileged_leaver", Refused, Nobody, "Somebody who has left holds a directory role; their account is not touched by rule.", "Remove the role and block the account by hand, now.";
    /// Entra Connect masters the account.
    MasteredElsewhere = "mastered_elsewhere", Refused, Nobody, "Entra Connect masters this account; it is never written.", "Take the person out of Entra Connect's scope, or switch the object's source of authority to the cloud.";
    /// The address is held by an account that does not give it up.
    AddressInUse = "address_in_use", Refused, Nobody, "Another account holds the person's sign-in name or address and is not giving it up.", "Change the address of one of the two at the source or in the tenant.";
    /// Waits for another person's change in the same plan.
    WaitsForRelease = "waits_for_release", Held, Change, "The sign-in name is held by somebody who leaves it in the same plan; this change waits for that one.", "";
    /// Known to be another person: the address was recycled.
    RecycledIdentity = "recycled_identity", Refused, Nobody, "The account with this address belongs to another person: the employee IDs differ.", "Free the address before it is given to somebody else.";
    /// An account that nobody links has the employee ID.
    PossibleDuplicate = "possible_duplicate", Held, Nobody, "An account without a link has the same employee ID but another name and address.", "Set the person's immutable ID on the account if it is theirs; otherwise correct the employee ID.";
    /// One holds the ID, another the mailbox.
    DuplicatePair = "duplicate_pair", Held, Approval, "One account holds the person's ID and another their sign-in name or mailbox.", "Look at both, then apply the plan with `hardmatch apply HASH`: it makes one account of the two.";
    /// Both accounts of a duplicate pair hold mail or licences.
    DuplicateHasData = "duplicate_has_data", Refused, Nobody, "Two accounts are the person's and both hold mail or licences, so neither can be dropped.", "Move the data of one to the other, delete the other one, and plan again.";
    /// The tenant's ID stays and the source is to learn it.
    AnchorLearned = "anchor_learned", Reported, Nobody, "The tenant's immutable ID is kept for this person; the source is to learn it.", "`hardmatch repair learned` lists it for the source, and `--write` hands it to a directory.";
    /// The source has no value where it is to have one of the account's.
    WriteBack = "write_back", Note, Nobody, "The source lacks values that `[write_back]` gives it from the person's account.", "";
    /// Somebody else at the source continues this person.
    ContinuedElsewhere = "continued_elsewhere", Held, Nobody, "Somebody else at the source now has this absent person's anchor, employee ID or name, so the account is left alone.", "Settle who continues the account; see the other person's decision.";
    /// Could be a shared mailbox.
    MaybeShared = "maybe_shared", Held, Approval, "The account found by address alone is disabled, unlicensed and has mail: it may be a shared mailbox.", "If it is the person's, apply the plan with `hardmatch apply HASH`.";
    /// Same employee ID, new anchor, old person absent.
    Rehire = "rehire", Held, Approval, "The person is back under a new anchor; their old account is re-anchored.", "Look at both entries, then apply the plan with `hardmatch apply HASH`.";
    /// Newcomers resemble absentees.
    MaybeRekeyed = "maybe_rekeyed", Held, Nobody, "A newcomer has the sign-in name, the address or the number of somebody who disappeared: the source may have changed its keys, so both wait.", "Check the source's key and anchor columns before anything is created or removed.";
    /// The hold of a resemblance has lasted for too long.
    RekeyOverdue = "rekey_overdue", Refused, Nobody, "Somebody disappeared more than a week ago, a newcomer has their sign-in name, address or number, and nobody has settled whether they are one person; the account stays open meanwhile.", "Give the person their old key and anchor back at the source, or give the newcomer another sign-in name, address and number.";
    /// Only a name is alike.
    Namesake = "namesake", Held, Nobody, "Somebody of the same name, or with the same part before the @, disappeared lately; the newcomer waits, and only the deletion of the other's account does.", "If they are two people, fill the employee ID of both at the source; after two weeks the newcomer gets an account by itself.";
    /// Somebody who is leaving has an account in the recycle bin.
    NotRestored = "not_restored", Note, Nobody, "The person's account is in the recycle bin and stays there while they are disabled or leaving.", "";
    /// So many share the value that it is a placeholder.
    SharedValue = "shared_value", Refused, Nobody, "Several people have the same employee ID or address, so it proves nobody and is not written.", "Correct the value at the source, or leave it empty there.";
    /// A repair sequence is needed.
    RepairNeeded = "repair_needed", Held, Nobody, "What is needed takes a repair, which is planned by itself; or the sign-in name is a temporary one that a repair left.", "Plan again when the rest is written; `hardmatch repair list` shows what is open.";
    /// An open repair holds the person, or what the change would touch.
    HeldByRepair = "held_by_repair", Held, Another, "A repair that is not finished holds this person, or an account, ID, name or address that the change would touch.", "Wait until it ends, or look at it with `hardmatch repair show`; `hardmatch repair rollback` takes it back.";
    /// A repair can go neither way.
    RollbackBlocked = "rollback_blocked", Refused, Nobody, "A repair failed, and what it wrote could not be taken back.", "Remove the cause that `hardmatch repair show` names, then run `hardmatch repair rollback`.";
    /// A repair failed and everything is as it was.
    RepairRolledBack = "repair_rolled_back", Refused, Nobody, "A repair failed; everything that it wrote is as it was before.", "Remove the cause that the report names, and plan again.";
    /// The soft-deleted account waits until the tenant purges it.
    WaitForPurge = "wait_for_purge", Held, Another, "The person's old account is in the recycle bin; policy waits until the tenant purges it.", "";
    /// The soft-deleted account is refused by policy.
    DeletedHolder = "deleted_holder", Refused, Nobody, "An account in the recycle bin holds the person's ID, sign-in name or address.", "Restore it, purge it, or set match.soft_deleted.";

    // Refusals of values.
    /// UPN domain not verified.
    DomainNotVerified = "domain_not_verified", Refused, Nobody, "The domain of the sign-in name is not a verified domain of the tenant.", "Verify the domain in the tenant, or correct the sign-in name.";
    /// Federated domain without an ID.
    FederatedWithoutId = "federated_without_id", Refused, Nobody, "The domain is federated and the person has no anchor; nobody could sign in.", "Give the source an anchor attribute (anchor.from).";
    /// No anchor at all.
    AnchorMissing = "anchor_missing", Refused, Nobody, "The person has none of the anchor attributes.", "Fill the anchor attribute at the source, or change anchor.from.";
    /// A value Graph would refuse.
    InvalidValue = "invalid_value", Refused, Nobody, "A value is too long or has characters that Microsoft 365 does not take.", "Correct the value at the source.";
    /// A required value is missing.
    MissingValue = "missing_value", Refused, Nobody, "A value that an account needs is empty at the source.", "Fill it at the source, or map it from another attribute.";
    /// A rule names a licence the tenant does not have.
    LicenseUnknown = "license_unknown", Refused, Nobody, "A licence rule names a licence or a service plan that the tenant does not have.", "Correct the name; `hardmatch doctor` lists the tenant's licences.";
    /// No country to license for.
    UsageLocationMissing = "usage_location_missing", Refused, Nobody, "A licence is due, but neither the source nor the account has a usage location, and Microsoft 365 gives nobody a licence without one.", "Fill the country at the source, or map usageLocation.";
    /// No seat is free.
    NoSeats = "no_seats", Held, Nobody, "The tenant has no free seat of the licence; the rest of the person's change was made.", "Buy seats or free some; the next run tries again.";
    /// Plans of licences that exclude or need one another.
    LicenseConflict = "license_conflict", Refused, Nobody, "Service plans of the licence exclude others that the account has, or need others that it lacks; the rest of the person's change was made.", "Name the plans that are to stay off with disabled_plans, or give the licence that is needed.";
    /// The licence came by a group.
    LicenseInherited = "license_inherited", Refused, Nobody, "The account has the licence through a group, so it cannot be taken from the account itself.", "Take the person out of the group that gives it.";
    /// Several groups of the name.
    AmbiguousGroup = "ambiguous_group", Refused, Nobody, "More than one group of the tenant has the name that a group rule gives, so nobody is made a member of either.", "Rename one of them.";
    /// A group that is not ours to write.
    UnsupportedGroupType = "unsupported_group_type", Refused, Nobody, "The group that a rule names is of a kind whose members are not written: a distribution list, a mail-enabled security group, one with dynamic members, one mastered elsewhere, or one that gives directory roles.", "Name another group, or keep this one where it is mastered.";
    /// An expression failed.
    Unknown = "unknown", Refused, Nobody, "An expression of the policy could not be evaluated for this person, so nothing is removed and nothing new is decided.", "Run `hardmatch config test` with this person.";
    /// The source refused the entry.
    EntryRefused = "entry_refused", Refused, Nobody, "The source's entry for this person could not be understood.", "Correct the row that the report names.";

    // Facts.
    /// Something needed was not read.
    Incomplete = "incomplete", Held, Nobody, "Something this decision needs could not be read completely.", "See the run's list of collections; the next complete run decides.";
    /// Roles unknown.
    RolesUnknown = "roles_unknown", Held, Nobody, "Who holds directory roles, or may activate one, could not be read, so nobody is taken for unprivileged.", "Grant RoleManagement.Read.Directory to the application.";
    /// The account we linked is gone.
    AccountUnseen = "account_unseen", Held, Nobody, "A full reading of the tenant did not show the linked account; it is looked for before it is believed gone.", "";
    /// The account we linked was deleted by somebody.
    AccountDeleted = "account_deleted", Reported, Nobody, "Somebody deleted this linked account in the tenant.", "Restore it in the tenant, or set lifecycle.account_deleted.";
    /// Facts changed since the decision.
    FactsMoved = "facts_moved", Held, Nobody, "The facts changed after this was decided; it is decided again.", "";
    /// A reference outside the scope.
    ReferenceOutOfScope = "reference_out_of_scope", Reported, Nobody, "The manager is outside the scope or unknown to the source, so the manager is left as it is.", "";
    /// The manager has no account yet.
    WaitsForManager = "waits_for_manager", Held, Another, "The manager's account does not exist yet; the reference is set when it does.", "";
    /// Exchange masters the address.
    MailMasteredElsewhere = "mail_mastered_elsewhere", Reported, Nobody, "The primary address differs, but Exchange masters it.", "Change the primary address in Exchange.";

    // Gates.
    /// Waits for an approval.
    AwaitingApproval = "awaiting_approval", Held, Approval, "Policy wants an approval for this action.", "Approve it with `hardmatch approvals approve`, or apply the plan that shows it with `hardmatch apply HASH`.";
    /// Switched off.
    ActionOff = "action_off", Reported, Nobody, "This action is switched off, by policy or by an operator; it is only reported.", "";
    /// An approver said no.
    Rejected = "rejected", Reported, Nobody, "An approver rejected this change; it is not planned again until the person's facts or the policy change.", "If it should be made after all, `hardmatch approvals approve` it by its name.";
    /// It was written and undone.
    Undone = "undone", Reported, Nobody, "This was written and undone; it is not planned again until the person's facts or the policy change.", "Change the facts at the source or the policy, or undo the undoing.";
    /// An operator asked for it by name.
    AskedFor = "asked_for", Note, Nobody, "An operator asked for this by name.", "";
    /// It undoes what was written.
    Undoing = "undoing", Note, Nobody, "An operator asked to undo what an earlier change wrote.", "";
    /// It cannot be undone.
    NotUndone = "not_undone", Refused, Nobody, "This change, or part of it, cannot be undone.", "Make the rest by hand, as the detail says.";
    /// The guard holds it.
    Guarded = "guarded", Held, Nobody, "Too many changes of one kind at once: these wait for an approval of exactly this set.", "Look at why there are so many; if they should be, apply the plan that shows them with `hardmatch apply HASH`.";
    /// A plan of the connection waits.
    PlanWaits = "plan_waits", Held, Approval, "The connection's first plan, or one after a change of its rules, is not applied yet, and nobody is written before.", "Make the plan with `hardmatch plan`, and apply it with `hardmatch apply HASH`.";
    /// The connection is quarantined.
    Quarantined = "quarantined", Held, Timer, "Too much of the connection's last runs failed, so nothing is written before the next attempt.", "Cure what the last runs report, then release the connection with `hardmatch connection release`.";
    /// First removals of a connection.
    FirstRemovals = "first_removals", Held, Nobody, "Nothing is removed before a first plan was applied by its hash.", "Apply the plan with `hardmatch apply HASH`.";
    /// Grace period.
    InGrace = "in_grace", Held, Timer, "The next stage of leaving is due later.", "";
    /// Waiting for the same person's open change.
    InProgress = "in_progress", Held, Nobody, "An earlier change of this person is still being written.", "";

    // Writing.
    /// Nobody knows the initial password.
    PasswordUnknown = "password_unknown", Refused, Nobody, "The account was created, but its initial password could not be handed over.", "Reset the person's password in the tenant.";
    /// Graph refused.
    TenantRefused = "tenant_refused", Refused, Nobody, "Microsoft Graph refused the change.", "See Graph's code and request id in the report.";
    /// Graph lacks a permission.
    PermissionMissing = "permission_missing", Refused, Nobody, "The application lacks a permission for this change, or the account holds a role above it.", "Run `hardmatch doctor`.";
    /// Retries used up for now.
    Unavailable = "unavailable", Held, Nobody, "The tenant did not answer in time; it is tried again in the next run.", "";
    /// Deciding this person failed.
    Failed = "failed", Refused, Nobody, "Deciding this person failed; the others went on.", "Report this with the run id.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Code::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown reason code {text}")))
    }
}

/// A code with what it is about in this case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reason {
    /// The code of the reason.
    pub code: Code,
    /// What exactly: attribute names, limits, dates. May hold personal data: shown to operators, never logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
}

impl Reason {
    /// A reason with nothing to add.
    pub fn plain(code: Code) -> Self {
        Self { code, detail: None }
    }

    /// A reason with its detail.
    pub fn with(code: Code, detail: impl Into<Box<str>>) -> Self {
        Self { code, detail: Some(detail.into()) }
    }
}
