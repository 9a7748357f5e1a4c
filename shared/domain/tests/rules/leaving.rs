//! Leaving, returning, and who is not ours: every lifecycle policy, the graces, the ledger.

use hardmatch_domain::change::{EvidenceRule, Found};
use hardmatch_domain::disconnected_period::DisconnectedPeriod;
use hardmatch_domain::link::{LeavingCause, Suspension};
use hardmatch_domain::person::SourceStatus;
use hardmatch_domain::policy::{Reenable, Switch};
use hardmatch_domain::reason::{Code, Wakes, Weight};

use crate::world::*;

fn absent(since: i64) -> World {
    let mut world = linked("ada");
    world.people[0].standing = SourceStatus::Absent(since);
    world
}

fn disabled() -> World {
    let mut world = linked("ada");
    world.people[0].person.enabled = Some(false);
    world
}

#[test]
fn o19_delete_suspend_or_nothing() {
    let by = |stages| absent(NOW).policy(|p| p.lifecycle.absent = stages);
    let decision = check(&by(suspend(0)), "ada", "suspend: source_absent | suspend Absent | removal from 0");
    assert_eq!(decision.leaving, Some((LeavingCause::Absent, NOW)));
    check(&by(delete(0)), "ada", "delete: source_absent, awaiting_approval | delete Absent | approval, removal from 0");
    check(&by(Vec::new()), "ada", "none: leaving_ignored");
}

#[test]
fn deleted_by_the_sources_word_is_absent() {
    let mut world = linked("ada");
    world.people[0].standing = SourceStatus::Deleted(NOW);
    check(&world, "ada", "suspend: source_absent | suspend Absent | removal from 0");
}

#[test]
fn j18_left_scope_is_blocked_then_sessions_revoked() {
    let mut world = linked("ada").policy(staff);
    check(&world, "ada", "suspend: left_scope | suspend LeftScope | removal from 0");
    world.policy.lifecycle.revoke_sessions = true;
    check(&world, "ada", "suspend: left_scope | suspend LeftScope + revoke | removal from 0");
    world.people[0] = person("ada").groups(&["Staff"]);
    check(&world, "ada", "none: converged");
}

#[test]
fn c4_who_left_the_scope_is_told_by_which_expression() {
    for (world, expected) in [
        (linked("ada").policy(staff), "suspend: left_scope | suspend LeftScope | removal from 0"),
        (world().policy(staff).person(person("ada")), "none: out_of_scope"),
    ] {
        let decision = check(&world, "ada", expected);
        let scope = decision.evidence.iter().find(|seen| seen.rule == EvidenceRule::Scope).unwrap();
        assert_eq!((scope.found, scope.ours.as_deref()), (Found::Different, Some("'Staff' in person.groups")));
        if decision.change.is_some() {
            assert_eq!(decision.reasons[0].detail.as_deref(), Some("[scope] include = 'Staff' in person.groups"));
        }
    }
}

#[test]
fn the_ledger_after_a_decision_is_part_of_it() {
    let ledger_after = |world: &World| {
        let mut ledger = world.links[0].ledger.clone();
        let change = world.decide("ada").ledger;
        if let Some(change) = &change {
            change.apply(&mut ledger);
        }
        (change.is_some(), ledger)
    };
    assert!(!ledger_after(&linked("ada")).0, "nothing to remember");
    // Leaving is remembered with its cause, once, and forgotten when the person is back.
    let mut world = disabled();
    let (changes, ledger) = ledger_after(&world);
    assert!(changes);
    assert_eq!((ledger.leaving_cause, ledger.leaving_since), (Some(LeavingCause::Disabled), Some(NOW)));
    world.links[0].ledger = ledger;
    assert!(!ledger_after(&world).0, "remembered already");
    world.people[0].person.enabled = Some(true);
    assert_eq!(ledger_after(&world).1.leaving_since, None);
    // Sign-in that somebody else allows again is ours to block no more, unless we blocked it again meanwhile.
    let blocked = |at| Some(Suspension { at, cause: LeavingCause::Disabled });
    let mut world = linked("ada");
    world.links[0].ledger.suspended = blocked(NOW - DAY);
    let (changes, ledger) = ledger_after(&world);
    assert!(changes && ledger.suspended.is_none());
    let mut newer = world.links[0].ledger.clone();
    newer.suspended = blocked(NOW + 1);
    world.decide("ada").ledger.unwrap().apply(&mut newer);
    assert_eq!(newer.suspended, blocked(NOW + 1));
}

#[test]
fn only_what_holds_somebody_back_can_be_woken() {
    for &code in Code::ALL {
        let held = code.weight() == Weight::Held;
        assert!(held || code.wakes() == Wakes::Nobody, "{code} holds nobody back");
    }
    assert_eq!((Code::InGrace.wakes(), Code::AwaitingApproval.wakes()), (Wakes::Timer, Wakes::Approval));
    assert_eq!((Code::WaitsForRelease.wakes(), Code::WaitsForManager.wakes()), (Wakes::Change, Wakes::Another));
}

#[test]
fn out_of_scope_and_never_ours() {
    let world = world().policy(staff).person(person("ada")).account(account("ada"));
    assert!(check(&world, "ada", "none: out_of_scope").is_converged());
    let gone = crate::world::world().person(person("ada").standing(SourceStatus::Absent(0))).account(account("ada"));
    assert!(check(&gone, "ada", "none: left_settled").is_converged());
}

#[test]
fn an_expression_that_fails_removes_nothing() {
    let mut world = linked("ada").policy(staff);
    world.people[0] = person("ada").groups(&["Broken"]).enabled(Some(false));
    check(&world, "ada", "none: unknown");
}

#[test]
fn a_refused_entry_decides_nothing() {
    let mut world = disabled();
    world.people[0].standing = SourceStatus::Refused;
    check(&world, "ada", "none: entry_refused");
}

#[test]
fn graces_count_from_the_cause() {
    let staged = |since: i64, now: i64| {
        let mut world = absent(since).policy(|p| {
            p.lifecycle.absent = [suspend(DAY), delete(30 * DAY)].concat();
            p.actions.delete = Switch::On;
        });
        world.now = now;
        world
    };
    let due = |days: i64, expected: &str| check(&staged(NOW, NOW + days * DAY), "ada", expected);
    let waiting = due(0, "none: in_grace");
    assert_eq!(waiting.look_again_at, Some(NOW + DAY));
    let first = due(1, "suspend: source_absent, in_grace | suspend Absent | removal from 0");
    assert_eq!(first.look_again_at, Some(NOW + 30 * DAY));
    // Both due: sign-in is blocked first, the account deleted when that is done.
    due(31, "suspend: source_absent | suspend Absent | removal from 0");
    let mut blocked = staged(NOW, NOW + 31 * DAY);
    blocked.accounts[0].enabled = Some(false);
    check(&blocked, "ada", "delete: source_absent | delete Absent | removal from 0");
    blocked.now = NOW + 29 * DAY;
    check(&blocked, "ada", "none: in_grace");
    blocked.accounts[0].deleted = Some("2026-11-20".into());
    check(&blocked, "ada", "none: left_settled");
}

#[test]
fn j4_days_in_which_the_connection_was_disconnected_do_not_count() {
    let mut world = absent(NOW).policy(|p| p.lifecycle.absent = suspend(10 * DAY));
    world.disconnected = vec![DisconnectedPeriod { from: NOW + 4 * DAY, until: Some(NOW + 304 * DAY) }];
    world.now = NOW + 309 * DAY;
    let waiting = check(&world, "ada", "none: in_grace");
    assert_eq!((waiting.look_again_at, waiting.leaving), (Some(NOW + 310 * DAY), Some((LeavingCause::Absent, NOW))));
    world.now = NOW + 310 * DAY;
    check(&world, "ada", "suspend: source_absent | suspend Absent | removal from 0");
}

#[test]
fn the_clock_of_other_causes_is_the_ledgers() {
    let staged = |since: Option<i64>, cause| {
        let mut world = disabled().policy(|p| p.lifecycle.disabled = delete(30 * DAY));
        if let Some(since) = since {
            world.links[0] = link("ada").since(cause, since);
        }
        world
    };
    let first = check(&staged(None, LeavingCause::Disabled), "ada", "none: in_grace");
    assert_eq!(first.leaving, Some((LeavingCause::Disabled, NOW)));
    let due = staged(Some(NOW - 30 * DAY), LeavingCause::Disabled);
    check(&due, "ada", "delete: source_disabled, awaiting_approval | delete Disabled | approval, removal from 0");
    // Another cause before: the grace of this one begins now.
    let other = check(&staged(Some(NOW - 300 * DAY), LeavingCause::LeftScope), "ada", "none: in_grace");
    assert_eq!(other.leaving, Some((LeavingCause::Disabled, NOW)));
}

#[test]
fn disabled_at_the_source_still_flows() {
    let mut world = disabled();
    world.people[0] = world.people[0].clone().set(hardmatch_domain::attribute::Attr::GivenName, "Ada");
    check(
        &world,
        "ada",
        "suspend: source_disabled, attributes_differ | set givenName=Ada + suspend Disabled | removal from 1",
    );
    // An invalid value does not save anybody from being blocked.
    world.people[0] = world.people[0].clone().set(hardmatch_domain::attribute::Attr::MailNickname, "a b");
    check(&world, "ada", "suspend: source_disabled, invalid_value | suspend Disabled | removal from 0");
}

#[test]
fn j28_password_expired_by_policy() {
    let mut world = linked("ada");
    world.people[0] = person("ada").expired();
    check(&world, "ada", "none: converged");
    world.policy.lifecycle.password_expired = suspend(0);
    check(&world, "ada", "suspend: source_password_expired | suspend PasswordExpired | removal from 0");
}

#[test]
fn somebody_else_blocked_it_first() {
    let mut world = disabled();
    world.accounts[0].enabled = Some(false);
    let decision = check(&world, "ada", "none: converged");
    assert_eq!(decision.leaving, Some((LeavingCause::Disabled, NOW)));
}

#[test]
fn j19_j29_a_return_undoes_what_we_did() {
    let back = |ours: bool, reenable: Reenable, enabled: Option<bool>| {
        let mut world = linked("ada").policy(|p| p.lifecycle.reenable = reenable);
        world.accounts[0].enabled = Some(false);
        world.people[0].person.enabled = enabled;
        if ours {
            world.links[0] = link("ada").suspended();
        }
        world
    };
    check(&back(true, Reenable::Ours, Some(true)), "ada", "enable: returned | enable");
    check(&back(true, Reenable::Ours, None), "ada", "enable: returned | enable");
    let elsewhere = check(&back(false, Reenable::Ours, Some(true)), "ada", "none: blocked_elsewhere");
    assert!(!elsewhere.is_converged(), "somebody who may work cannot sign in: that needs a look");
    check(&back(false, Reenable::Always, Some(true)), "ada", "enable: returned | enable");
    check(&back(false, Reenable::Always, None), "ada", "none: blocked_elsewhere");
    check(&back(true, Reenable::Ours, Some(true)).role("a-ada"), "ada", "none: privileged");
    check(&back(true, Reenable::Ours, Some(true)).tenant(|t| t.roles = None), "ada", "none: roles_unknown");
    // Somebody who is disabled, and whom policy ignores, is not allowed again.
    let ignored = back(true, Reenable::Ours, Some(false)).policy(|p| p.lifecycle.disabled.clear());
    check(&ignored, "ada", "none: leaving_ignored");
}

#[test]
fn j22_a_return_restores_what_we_deleted() {
    let mut world = linked("ada");
    world.accounts[0] = account("ada").deleted().enabled(Some(false));
    world.links[0] = link("ada").suspended().ledger(|ledger| ledger.deleted = ledger.suspended);
    check(&world, "ada", "restore: returned | restore + link + enable");
}

#[test]
fn privileged_leavers_alarm_and_are_not_touched() {
    check(&absent(NOW).role("a-ada"), "ada", "none: privileged_leaver");
    check(&disabled().role("a-ada"), "ada", "none: privileged_leaver");
    check(&absent(NOW).tenant(|t| t.roles = None), "ada", "none: roles_unknown");
}

#[test]
fn nothing_is_removed_over_an_incomplete_listing() {
    check(&absent(NOW).tenant(|t| t.users_complete = false), "ada", "none: incomplete");
    check(&disabled().tenant(|t| t.deleted_complete = false), "ada", "none: incomplete");
}

#[test]
fn a_leaver_whose_account_is_unseen() {
    let mut world = absent(NOW);
    world.accounts.clear();
    check(&world, "ada", "none: account_unseen");
    world.links[0].ledger.confirmed_gone = Some(NOW);
    check(&world, "ada", "none: left_settled");
    // Between two looks the mirror still has it, and whatever was believed before is not believed.
    let mut world = absent(NOW);
    world.links[0].ledger.confirmed_gone = Some(NOW);
    check(&world, "ada", "suspend: source_absent | suspend Absent | removal from 0");
    world.links[0].ledger.unseen = Some(NOW);
    check(&world, "ada", "none: account_unseen");
}

#[test]
fn a_leaver_whose_id_was_changed_is_not_touched() {
    let mut world = absent(NOW);
    world.accounts[0].immutable_id = Some("x".into());
    check(&world, "ada", "none: anchor_drift");
    let taken = world.person(person("bob").anchors(&["x"]));
    check(&taken, "ada", "none: link_conflict");
    // Cleared: still the linked account.
    let mut cleared = absent(NOW);
    cleared.accounts[0].immutable_id = None;
    check(&cleared, "ada", "suspend: source_absent | suspend Absent | removal from 0");
}

#[test]
fn disabled_people_without_an_account() {
    let new = || world().person(person("ada").enabled(Some(false)));
    assert!(check(&new(), "ada", "none: disabled_not_provisioned").is_converged());
    check(&new().policy(|p| p.lifecycle.create_disabled = true), "ada", "create: provision | create id-ada blocked");
    // They are joined by ID all the same, and blocked.
    check(
        &new().account(account("ada")),
        "ada",
        "suspend: source_disabled, hard_matched | link + suspend Disabled | removal from 1",
    );
    // People who are gone are not.
    let gone = world().person(person("ada").standing(SourceStatus::Absent(NOW))).account(account("ada"));
    check(&gone, "ada", "none: left_settled");
    // A password that has expired blocks from the start where policy blocks at once.
    let expired = world().person(person("ada").expired()).policy(|p| p.lifecycle.password_expired = suspend(0));
    check(&expired, "ada", "create: provision | create id-ada blocked");
}

#[test]
fn suspending_may_be_switched_off_or_approved() {
    let off = absent(NOW).policy(|p| p.actions.suspend = Switch::Off);
    assert!(check(&off, "ada", "none: action_off").is_converged());
    let approve = absent(NOW).policy(|p| p.actions.suspend = Switch::Approve);
    check(&approve, "ada", "suspend: source_absent, awaiting_approval | suspend Absent | approval, removal from 0");
}

#[test]
fn c12_every_code_has_a_sentence_and_what_needs_somebody_a_remedy() {
    use hardmatch_domain::reason::Weight;
    for code in Code::ALL {
        assert!(code.sentence().ends_with('.'), "{code}");
        assert_eq!(Code::parse(code.as_str()), Some(*code));
        if code.weight() == Weight::Refused {
            assert!(!code.remedy().is_empty(), "{code}");
        }
    }
}

/// A day that is the same for everybody, or cannot be read.
#[derive(Debug)]
struct Day(Result<Option<i64>, &'static str>);

impl hardmatch_domain::policy::DayBoundary for Day {
    fn at(&self, _: &hardmatch_domain::person::Person) -> Result<Option<i64>, hardmatch_domain::policy::RuleError> {
        self.0.map_err(|why| hardmatch_domain::policy::RuleError(why.to_owned()))
    }

    fn text(&self) -> &'static str {
        "day"
    }
}

fn day(at: i64) -> std::sync::Arc<dyn hardmatch_domain::policy::DayBoundary> {
    std::sync::Arc::new(Day(Ok(Some(at))))
}

#[test]
fn nobody_is_created_before_the_first_day_and_the_day_itself_decides() {
    let mut world = world().person(person("ada")).policy(|p| p.starts = Some(day(NOW + 5 * DAY)));
    let waiting = check(&world, "ada", "none: not_started");
    assert_eq!(waiting.look_again_at, Some(NOW + 5 * DAY));
    world.now = NOW + 5 * DAY;
    let created = world.decide("ada");
    assert_eq!((created.action, created.look_again_at), (hardmatch_domain::change::Action::Create, None));
}

#[test]
fn what_we_blocked_is_not_enabled_before_the_first_day() {
    let mut world = linked("ada").policy(|p| p.starts = Some(day(NOW + DAY)));
    world.accounts[0].enabled = Some(false);
    let ours = hardmatch_domain::link::Suspension { at: NOW, cause: LeavingCause::Disabled };
    world.links[0].ledger.suspended = Some(ours);
    let waiting = check(&world, "ada", "none: not_started");
    assert_eq!(waiting.look_again_at, Some(NOW + DAY));
    // An account that may sign in already is not blocked because a first day was moved.
    check(&linked("ada").policy(|p| p.starts = Some(day(NOW + DAY))), "ada", "none: converged");
}

#[test]
fn sign_in_is_blocked_when_the_last_day_is_over() {
    let with = |at: i64| linked("ada").policy(move |p| p.ends = Some(day(at)));
    let before = check(&with(NOW + DAY), "ada", "none: converged");
    assert_eq!(before.look_again_at, Some(NOW + DAY));
    let after = check(&with(NOW - 3 * DAY), "ada", "suspend: employment_ended | suspend Ended | removal from 0");
    assert_eq!(after.leaving, Some((LeavingCause::Ended, NOW - 3 * DAY)));
    // Who never had an account gets none.
    let none = world().person(person("ada")).policy(|p| p.ends = Some(day(NOW)));
    check(&none, "ada", "none: employment_ended");
    // A first day after the last one is a new employment.
    let again = with(NOW - 3 * DAY).policy(|p| p.starts = Some(day(NOW - DAY)));
    check(&again, "ada", "none: converged");
}

#[test]
fn a_day_that_cannot_be_read_decides_nothing_but_an_explicit_disabled() {
    let unreadable = |world: World| world.policy(|p| p.ends = Some(std::sync::Arc::new(Day(Err("no date")))));
    check(&unreadable(linked("ada")), "ada", "none: unknown");
    check(&unreadable(world().person(person("ada"))), "ada", "none: unknown");
    check(&unreadable(disabled()), "ada", "suspend: source_disabled | suspend Disabled | removal from 0");
}
