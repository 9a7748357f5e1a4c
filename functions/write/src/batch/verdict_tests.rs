//! What each kind of answer means for a step, as a table: a step, what was asked, the answer, the verdict.

use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::change::{Action, Change, ChangeId, ManagerTarget, Removals, Revisions};
use hardmatch_domain::group::{GroupKind, GroupTarget};
use hardmatch_domain::ids::{ConnectionId, ImmutableId, PersonKey, PersonRef};
use hardmatch_domain::license::License;
use hardmatch_domain::link::{JoinRule, LeavingCause};
use hardmatch_ports::tenant::Later;
use hardmatch_store::PersonHash;
use hardmatch_store::changes::{ChangeState, OpenChange};

use super::*;
use crate::task::{Joining, OtherLane, Sent};

fn task(step: Step) -> Task {
    let person = PersonRef { connection: ConnectionId::new("contoso"), key: PersonKey::new("ada") };
    let account = (!matches!(step, Step::Create { .. })).then(|| ObjectId::from("a1"));
    let steps = vec![step];
    let change = Change {
        id: ChangeId::of(&person, account.as_ref(), &steps),
        person,
        account,
        action: Action::Update,
        steps,
        after: Vec::new(),
        hold: None,
        removals: Removals::default(),
        removal_from: None,
        depth: 0,
        link_from: None,
        decided_on: Revisions::default(),
        joined_by: JoinRule::Link,
        reasons: Vec::new(),
        undoes: None,
    };
    let open = OpenChange {
        v: 1,
        change,
        run: "run".to_owned(),
        state: ChangeState::Ready,
        done: 0,
        attempts: 0,
        not_before_ms: 0,
        accepted: false,
        manager_pending: None,
        refusal: None,
        refused_parts: Vec::new(),
        unwritten: Vec::new(),
        password_unknown: false,
        decided_ms: 0,
        account_revision: None,
        keep_open: false,
        account_id: None,
        lost: false,
        mark: None,
    };
    Task {
        pid: PersonHash::from_bytes([1; 16]),
        open,
        revision: 1,
        known_at_ms: 0,
        person_revision: None,
        reread: false,
        manager_separate: false,
        joining: Joining::Together,
        other_lane: OtherLane::Free,
        password: None,
        sent: Sent::Answered,
        after_pause: false,
    }
}

fn create() -> Step {
    let attributes = Attributes::from_pairs([(Attr::UserPrincipalName, "ada@x.example")]);
    Step::Create { attributes, immutable_id: Some(ImmutableId::new("AAAA")), enabled: true, manager: None }
}

fn update() -> Step {
    let after = Attributes::from_pairs([(Attr::JobTitle, "Countess")]);
    Step::Update { immutable_id: None, before: Attributes::default(), after }
}

fn block() -> Step {
    Step::SetEnabled { before: Some(true), after: false, cause: Some(LeavingCause::Absent) }
}

fn account(title: &str) -> Account {
    Account {
        attributes: Attributes::from_pairs([(Attr::UserPrincipalName, "ada@x.example"), (Attr::JobTitle, title)]),
        immutable_id: Some(ImmutableId::new("AAAA")),
        enabled: Some(true),
        ..Account::blank(ObjectId::from("a1"))
    }
}

fn done(account: Option<Account>) -> Answer {
    Answer::Done(account.map(Box::new))
}

fn later(cause: LaterCause) -> Answer {
    Answer::Later(Later { after: Duration::from_secs(9), cause, request_id: String::new() })
}

fn no(kind: RefusalKind) -> Answer {
    Answer::Refused(Refusal {
        kind,
        status: 400,
        code: "Request_BadRequest".to_owned(),
        message: String::new(),
        request_id: String::new(),
        conflict: None,
        property: None,
    })
}

fn lost() -> Answer {
    Answer::Unknown("the connection broke".to_owned())
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "done",
        Verdict::Reread => "as decided",
        Verdict::NotDone => "not done",
        Verdict::Unsure => "look",
        Verdict::UnsureFor(_) => "look later",
        Verdict::Refused(_) => "refused",
        Verdict::LockedOut(_) => "locked out",
        Verdict::ManagerApart(Whom::Everybody) => "managers apart",
        Verdict::ManagerApart(Whom::ThisPerson) => "manager apart",
        Verdict::NewPassword => "new password",
        Verdict::Later(_) => "again",
        Verdict::Throttled(_) => "throttled",
        Verdict::FactsMoved => "facts moved",
        Verdict::GiveUp => "given up",
    }
}

/// One step of each kind, with the account as the step leaves it: `None` where the account does not show it.
fn every_step() -> Vec<(Step, Option<Account>)> {
    let named = |upn: &str| Attributes::from_pairs([(Attr::UserPrincipalName, upn)]);
    let of = |step: &Step| match step {
        // A link is only in the table, sessions and memberships are not shown, and a purged account is not found.
        Step::Link
        | Step::Unlink
        | Step::RevokeSessions
        | Step::JoinGroup { .. }
        | Step::LeaveGroup { .. }
        | Step::Purge { .. }
        | Step::Repair(_) => None,
        Step::ClearId { .. } => Some(Account { immutable_id: None, ..account("") }),
        Step::Create { .. } | Step::Restore => Some(account("Engineer")),
        Step::Update { .. } => Some(account("Countess")),
        Step::Rename { .. } => Some(Account { attributes: named("adah@x.example"), ..account("") }),
        Step::SetEnabled { after, .. } => Some(Account { enabled: Some(*after), ..account("") }),
        Step::SetManager { .. } => Some(Account { manager: Some(ObjectId::from("m1")), ..account("") }),
        Step::SetLicenses { .. } => {
            let mut with = account("");
            with.relicense(&[license()], &[]);
            Some(with)
        }
        Step::Delete { .. } => Some(Account { deleted: Some("then".into()), ..account("") }),
    };
    let group = GroupTarget { name: "Sales".into(), kind: GroupKind::Security, id: Some(ObjectId::from("g1")) };
    let steps = [
        create(),
        Step::Link,
        update(),
        Step::Rename { before: "ada@x.example".into(), after: "adah@x.example".into() },
        block(),
        Step::RevokeSessions,
        Step::ClearId { before: "id".into() },
        Step::Unlink,
        Step::SetManager { before: None, after: Some(ManagerTarget::Account(ObjectId::from("m1"))) },
        Step::SetLicenses { give: vec![license()], take: Vec::new() },
        Step::JoinGroup { group },
        Step::LeaveGroup { id: ObjectId::from("g1"), name: "Sales".into() },
        Step::Restore,
        Step::Delete { cause: LeavingCause::Absent },
        Step::Purge { account: ObjectId::from("b2") },
    ];
    steps.into_iter().map(|step| (step.clone(), of(&step))).collect()
}

fn license() -> License {
    License {
        sku: "e3".into(),
        part_number: "E3".into(),
        without: Texts::default(),
        held: false,
        before: Texts::default(),
    }
}

/// Every kind of refusal, with the verdict on it for a step that is sent for the first time: of a creation, and of any other.
fn every_refusal() -> Vec<(RefusalKind, &'static str, &'static str)> {
    use RefusalKind as Kind;
    let all = [
        Kind::Conflict,
        Kind::InvalidValue,
        Kind::DomainNotVerified,
        Kind::Federated,
        Kind::Mastered,
        Kind::ExternalMaster,
        Kind::Forbidden,
        Kind::Credentials,
        Kind::Password,
        Kind::ManagerBind,
        Kind::Quota,
        Kind::NoSeats,
        Kind::LicenseConflict,
        Kind::UsageLocation,
        Kind::LicenseInherited,
        Kind::GroupType,
        Kind::Other,
    ];
    let verdict = |kind: Kind| match kind {
        Kind::Credentials => ("locked out", "locked out"),
        Kind::Conflict => ("look", "refused"),
        Kind::Password => ("new password", "refused"),
        Kind::ManagerBind => ("managers apart", "refused"),
        Kind::InvalidValue
        | Kind::DomainNotVerified
        | Kind::Federated
        | Kind::Mastered
        | Kind::ExternalMaster
        | Kind::Forbidden
        | Kind::Quota
        | Kind::NoSeats
        | Kind::LicenseConflict
        | Kind::UsageLocation
        | Kind::LicenseInherited
        | Kind::GroupType
        | Kind::Other => ("refused", "refused"),
    };
    all.into_iter().map(|kind| (kind, verdict(kind).0, verdict(kind).1)).collect()
}

fn check(step: Step, asked: Next, answer: Answer, expected: &str) {
    check_task(&task(step), asked, answer, expected);
}

fn check_task(task: &Task, asked: Next, answer: Answer, expected: &str) {
    let said = format!("{:?} {asked:?} {answer:?}", task.step());
    let manager = ObjectId::from("m1");
    let verdict = judge(task, asked, answer, Some(&account("Engineer")), Some(&manager));
    assert_eq!(name(&verdict), expected, "{said}");
}

#[test]
fn every_kind_of_step_meets_every_kind_of_answer() {
    for (step, _) in every_step() {
        for (answer, sent, manager, read, looked_for) in [
            (later(LaterCause::Throttled), "throttled", "throttled", "throttled", "throttled"),
            (later(LaterCause::Lagging), "again", "again", "again", "again"),
            (later(LaterCause::Unavailable), "again", "again", "again", "again"),
            (later(LaterCause::MaybeDone), "look later", "again", "again", "again"),
            (lost(), "look", "again", "again", "again"),
            (Answer::Made(ObjectId::from("g1")), "done", "done", "done", "done"),
        ] {
            check(step.clone(), Next::Send, answer.clone(), sent);
            check(step.clone(), Next::SendManager, answer.clone(), manager);
            check(step.clone(), Next::Reread, answer.clone(), read);
            check(step.clone(), Next::Verify, answer, looked_for);
        }
        for asked in [Next::Send, Next::SendManager] {
            check(step.clone(), asked, done(None), "done");
            check(step.clone(), asked, Answer::NotFound, "facts moved");
        }
        check(step.clone(), Next::Reread, Answer::NotFound, "facts moved");
        check(step.clone(), Next::Reread, done(Some(account("other title"))), "as decided");
    }
}

#[test]
fn every_kind_of_step_meets_every_kind_of_refusal() {
    for (step, _) in every_step() {
        let creates = matches!(step, Step::Create { .. });
        for (kind, of_creation, of_others) in every_refusal() {
            check(step.clone(), Next::Send, no(kind), if creates { of_creation } else { of_others });
            let afterwards = if kind == RefusalKind::Credentials { "locked out" } else { "refused" };
            for asked in [Next::SendManager, Next::Verify, Next::Reread] {
                check(step.clone(), asked, no(kind), afterwards);
            }
        }
        let mut expired = no(RefusalKind::Other);
        if let Answer::Refused(refusal) = &mut expired {
            refusal.status = 401;
        }
        check(step, Next::Send, expired, "again");
    }
}

#[test]
fn a_lost_step_of_every_kind_is_found_by_its_effect() {
    for (step, after) in every_step() {
        let (there, missing) = match &step {
            Step::Link | Step::Unlink => ("done", "done"),
            // The account is nowhere any more.
            Step::Delete { .. } | Step::Purge { .. } => ("not done", "done"),
            // A repair makes its calls itself.
            Step::Repair(_) => continue,
            Step::Create { .. } | Step::Restore => ("done", "not done"),
            // No look-up shows sessions and memberships: repeated, these steps do no harm.
            Step::RevokeSessions
            | Step::JoinGroup { .. }
            | Step::LeaveGroup { .. }
            | Step::ClearId { .. }
            | Step::Update { .. }
            | Step::Rename { .. }
            | Step::SetEnabled { .. }
            | Step::SetManager { .. }
            | Step::SetLicenses { .. } => ("not done", "not done"),
        };
        check(step.clone(), Next::Verify, done(Some(account("Engineer"))), there);
        check(step.clone(), Next::Verify, Answer::NotFound, missing);
        if let Some(after) = after {
            check(step, Next::Verify, done(Some(after)), "done");
        }
    }
}

#[test]
fn each_answer_to_a_step_has_its_verdict() {
    use RefusalKind as Kind;
    check(create(), Next::Send, done(Some(account(""))), "done");
    check(update(), Next::Send, done(None), "done");
    check(update(), Next::SendManager, done(None), "done");
    for step in [create(), update(), block()] {
        check(step.clone(), Next::Send, lost(), "look");
        check(step.clone(), Next::Send, later(LaterCause::Throttled), "throttled");
        check(step.clone(), Next::Send, later(LaterCause::Lagging), "again");
        check(step.clone(), Next::Send, later(LaterCause::Unavailable), "again");
        check(step.clone(), Next::Send, no(Kind::Credentials), "locked out");
        check(step.clone(), Next::Verify, lost(), "again");
        for kind in [Kind::InvalidValue, Kind::Forbidden, Kind::NoSeats, Kind::LicenseConflict, Kind::Other] {
            check(step.clone(), Next::Send, no(kind), "refused");
        }
    }
    // The account is nowhere: what was decided of it is not so any more.
    check(update(), Next::Send, Answer::NotFound, "facts moved");
    check(block(), Next::Reread, Answer::NotFound, "facts moved");
    // A manager is simply set again.
    check(update(), Next::SendManager, lost(), "again");
}

#[test]
fn a_look_before_a_step_compares_with_what_was_decided_on() {
    check(block(), Next::Reread, done(Some(account("another title"))), "as decided");
    for moved in [
        Account { immutable_id: None, ..account("") },
        Account { enabled: Some(false), ..account("") },
        Account { deleted: Some("then".into()), ..account("") },
        Account { attributes: Attributes::from_pairs([(Attr::UserPrincipalName, "x@x.example")]), ..account("") },
    ] {
        check(block(), Next::Reread, done(Some(moved)), "facts moved");
    }
}

#[test]
fn a_look_after_a_lost_answer_finds_what_was_done() {
    check(update(), Next::Verify, done(Some(account("Countess"))), "done");
    check(update(), Next::Verify, done(Some(account("Engineer"))), "not done");
    check(create(), Next::Verify, done(Some(account(""))), "done");
    check(create(), Next::Verify, Answer::NotFound, "not done");
    let theirs = Account { immutable_id: Some(ImmutableId::new("BBBB")), ..account("") };
    check(create(), Next::Verify, done(Some(theirs)), "not done");
    let purge = Step::Purge { account: ObjectId::from("b2") };
    check(purge.clone(), Next::Verify, Answer::NotFound, "done");
    check(purge, Next::Verify, done(Some(Account { deleted: Some("then".into()), ..account("") })), "not done");
}

#[test]
fn what_only_a_creation_is_refused_for() {
    use RefusalKind as Kind;
    check(create(), Next::Send, no(Kind::Conflict), "look");
    check(create(), Next::Send, no(Kind::Password), "new password");
    check(create(), Next::Send, no(Kind::ManagerBind), "managers apart");
    check(update(), Next::Send, no(Kind::Conflict), "refused");
    check(update(), Next::Send, no(Kind::Password), "refused");
    let mut looked_for = task(create());
    looked_for.open.attempts = 1;
    check_task(&looked_for, Next::Send, no(Kind::Conflict), "refused");
    looked_for.open.lost = true;
    check_task(&looked_for, Next::Send, no(Kind::Conflict), "look later");
}

#[test]
fn nobody_is_tried_for_ever() {
    for (step, asked, answer) in [
        (update(), Next::Send, later(LaterCause::Unavailable)),
        (create(), Next::Verify, lost()),
        (update(), Next::Verify, done(Some(account("Engineer")))),
    ] {
        let mut tired = task(step);
        tired.open.attempts = MAX_ATTEMPTS;
        check_task(&tired, asked, answer, "given up");
    }
    let mut throttled = task(update());
    throttled.open.attempts = MAX_ATTEMPTS;
    check_task(&throttled, Next::Send, later(LaterCause::Throttled), "throttled");
}

#[test]
fn after_a_pause_more_is_looked_at_before_it_is_done() {
    use hardmatch_store::changes::LanePhase::Write;
    let rename = Step::Rename { before: "ada@x.example".into(), after: "adah@x.example".into() };
    let allow = Step::SetEnabled { before: Some(false), after: true, cause: None };
    for step in [rename, allow, Step::Restore] {
        let mut task = task(step);
        assert_eq!(task.next(Write), Next::Send);
        task.after_pause = true;
        assert_eq!(task.next(Write), Next::Reread);
        task.reread = true;
        assert_eq!(task.next(Write), Next::Send);
    }
    let hour_ms = 60 * 60 * 1000;
    assert!(!task(update()).is_old(hour_ms) && task(update()).is_old(hour_ms + 1));
}

#[test]
fn steps_that_take_the_place_of_one_keep_the_removals_where_they_were() {
    let mut task = task(update());
    task.open.change.steps.push(block());
    task.open.change.removal_from = Some(1);
    task.replace_step(vec![update(), update(), update()]);
    assert_eq!((task.open.change.steps.len(), task.open.change.removal_from), (4, Some(3)));
    task.open.done = 3;
    task.replace_step(vec![block(), block()]);
    assert_eq!((task.open.change.steps.len(), task.open.change.removal_from), (5, Some(3)));
}
