//! Our enums in words, once for every form of report. Sentences and names only: nothing here knows HTML or terminals.

use hardmatch_domain::change::{Action, EvidenceRule, Found, Hold, Join, Removals};
use hardmatch_domain::link::{JoinRule, LeavingCause};
use hardmatch_ports::run::{CollectionState, Intent, LimitNote, Phase, ReadMode, Run, Seats, Status, Stop};
use jiff::Timestamp;

use crate::attention::Acknowledged;

/// How a run ended, in a sentence; where it is, when it has not ended.
pub(crate) fn status(run: &Run) -> &'static str {
    match run.status {
        Some(Status::Converged) => "Everybody is as they should be.",
        Some(Status::Attention) => "Finished; some people need attention or an approval.",
        Some(Status::Planned) => "The plan is ready and waits to be accepted.",
        Some(Status::Incomplete) => "Something could not be read completely, so nothing was removed.",
        Some(Status::Abandoned) => "Superseded by a newer run.",
        Some(Status::Failed) => "Could not go on.",
        None => match run.phase {
            Phase::Observing => "Reading the source and the tenant.",
            Phase::Deciding => "Deciding.",
            Phase::Planned => "The plan is ready and waits to be accepted.",
            Phase::Writing => "Writing.",
            Phase::Gate => "Judging removals.",
            Phase::Removing => "Writing the removals that were let through.",
            Phase::WritingBack => "Giving the source what its people lack.",
            Phase::Reporting => "Writing the report.",
            Phase::Closed => "Closed.",
        },
    }
}

/// One word for the status, or the phase of a run that has not ended.
pub(crate) fn status_word(run: &Run) -> &'static str {
    match run.status {
        Some(Status::Converged) => "converged",
        Some(Status::Attention) => "needs attention",
        Some(Status::Planned) => "planned",
        Some(Status::Incomplete) => "incomplete",
        Some(Status::Abandoned) => "superseded",
        Some(Status::Failed) => "failed",
        None => match run.phase {
            Phase::Observing => "observing",
            Phase::Deciding => "deciding",
            Phase::Planned => "planned",
            Phase::Writing => "writing",
            Phase::Gate => "gate",
            Phase::Removing => "removing",
            Phase::WritingBack => "writing back",
            Phase::Reporting => "reporting",
            Phase::Closed => "closed",
        },
    }
}

/// Why a run stops at its plan, and what to do about it.
pub(crate) fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::Asked => "Only a plan was asked for. Nothing was written.",
        Stop::FirstRun => "This is the connection's first run: nothing is written before somebody accepts its plan.",
        Stop::PolicyWidened => {
            "The policy now reaches more than before: nothing is written before somebody accepts the plan."
        }
        Stop::Quarantined => {
            "Too much of the last run failed, so the connection is quarantined: nothing is written before the next attempt is due. Applying the plan by its hash releases it."
        }
        Stop::StateLost => {
            "The state was lost and rebuilt from the tenant, or restored from before the last run: nothing is written before somebody accepts the plan."
        }
    }
}

pub(crate) fn intent(intent: Intent) -> &'static str {
    match intent {
        Intent::Plan => "plan only",
        Intent::Sync => "sync",
    }
}

pub(crate) fn collection_state(state: CollectionState) -> &'static str {
    match state {
        CollectionState::Reading => "being read",
        CollectionState::Complete => "complete",
        CollectionState::Unknown => "unknown",
    }
}

/// How the users were read.
pub(crate) fn read_mode(mode: ReadMode) -> &'static str {
    match mode {
        ReadMode::Whole => "read whole",
        ReadMode::Changes => "read by what changed",
        ReadMode::Asked => "asked for the people concerned",
    }
}

/// A collection's stored name as a person would say it.
pub(crate) fn collection(name: &str) -> &str {
    match name {
        "people" => "People of the source",
        "users" => "Users of the tenant",
        "deleted_users" => "Deleted users",
        "domains" => "Domains",
        "roles" => "Holders of directory roles",
        "eligible_roles" => "Who may activate a directory role",
        "groups" => "Addresses of groups",
        "licences" => "Licences of the tenant",
        "memberships" => "Members of groups that rules name",
        "contacts" => "Addresses of contacts",
        other => other,
    }
}

/// An action as a verb for people; its stable name is [`Action::name`].
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::None => "nothing",
        Action::Create => "create",
        Action::Takeover => "take over",
        Action::Link => "link",
        Action::Update => "update",
        Action::License => "change licences",
        Action::Membership => "change memberships",
        Action::Rename => "rename",
        Action::Enable => "allow sign-in",
        Action::Suspend => "block sign-in",
        Action::Restore => "restore",
        Action::Delete => "delete",
        Action::Purge => "purge",
        Action::Repair => "repair",
        Action::Merge => "merge",
    }
}

/// An action of which is known that it was done.
pub(crate) fn done(action: Action) -> &'static str {
    match action {
        Action::None => "nothing was done",
        Action::Create => "the account was created",
        Action::Takeover => "the account was taken over",
        Action::Link => "linked",
        Action::Update => "updated",
        Action::License => "licences were changed",
        Action::Membership => "memberships were changed",
        Action::Rename => "the sign-in name was changed",
        Action::Enable => "sign-in was allowed",
        Action::Suspend => "sign-in was blocked",
        Action::Restore => "the account was restored",
        Action::Delete => "the account was deleted (recycle bin)",
        Action::Purge => "the account was deleted for good",
        Action::Repair => "the immutable ID was repaired",
        Action::Merge => "the accounts were merged",
    }
}

/// A reason's detail with moments as days: `until 1796083200` is for machines.
pub(crate) fn detail(detail: &str) -> String {
    match detail.strip_prefix("until ").and_then(|at| at.parse::<i64>().ok()) {
        Some(at) => format!("until {}", moment(at.saturating_mul(1000))),
        None => detail.to_owned(),
    }
}

/// How a person was joined, in two or three words.
pub(crate) fn join(join: &Join) -> &'static str {
    match join {
        Join::Joined { rule, .. } => join_rule(*rule),
        Join::None => "none",
        Join::Refused { .. } => "refused",
        Join::NotLooked => "not looked for",
    }
}

/// The stable name of a join: `joined`, `none`, `refused`, `not_looked`.
pub(crate) fn join_name(join: &Join) -> &'static str {
    match join {
        Join::Joined { .. } => "joined",
        Join::None => "none",
        Join::Refused { .. } => "refused",
        Join::NotLooked => "not_looked",
    }
}

pub(crate) fn join_rule(rule: JoinRule) -> &'static str {
    match rule {
        JoinRule::Link => "link",
        JoinRule::HardMatch => "hard match",
        JoinRule::DeletedHardMatch => "hard: deleted",
        JoinRule::Upn => "soft: UPN",
        JoinRule::PrimarySmtp => "soft: address",
        JoinRule::EmployeeId => "soft: employee ID",
        JoinRule::DeletedSoftMatch => "soft: deleted",
        JoinRule::Created => "created",
    }
}

/// The stable name of a rule, as it is stored.
pub(crate) fn join_rule_name(rule: JoinRule) -> &'static str {
    match rule {
        JoinRule::Link => "link",
        JoinRule::HardMatch => "hard_match",
        JoinRule::DeletedHardMatch => "deleted_hard_match",
        JoinRule::Upn => "upn",
        JoinRule::PrimarySmtp => "primary_smtp",
        JoinRule::EmployeeId => "employee_id",
        JoinRule::DeletedSoftMatch => "deleted_soft_match",
        JoinRule::Created => "created",
    }
}

pub(crate) fn evidence_rule(rule: EvidenceRule) -> &'static str {
    match rule {
        EvidenceRule::Scope => "Scope",
        EvidenceRule::Link => "Link",
        EvidenceRule::HardMatch => "Immutable ID",
        EvidenceRule::DeletedHardMatch => "Immutable ID, deleted accounts",
        EvidenceRule::Upn => "Sign-in name (UPN)",
        EvidenceRule::PrimarySmtp => "Primary address",
        EvidenceRule::DeletedSoftMatch => "Name or address, deleted accounts",
        EvidenceRule::Address => "Other address",
        EvidenceRule::Proof => "Proof of identity",
        EvidenceRule::Roles => "Directory roles",
        EvidenceRule::Domain => "Domain",
        EvidenceRule::Licenses => "Licences",
        EvidenceRule::Groups => "Groups",
        EvidenceRule::Enabled => "Sign-in allowed",
        EvidenceRule::Dates => "Dates",
        EvidenceRule::Claims => "Claims",
        EvidenceRule::Drift => "Last written, now, wanted",
    }
}

/// What a rule found; of those of the policy that give something, that they do.
pub(crate) fn found(rule: EvidenceRule, found: Found) -> &'static str {
    match found {
        Found::Same if matches!(rule, EvidenceRule::Licenses | EvidenceRule::Groups) => "given by a rule",
        Found::Nothing => "nothing",
        Found::Same => "the same",
        Found::Different => "different",
        Found::CaseOnly => "differs in upper and lower case only",
        Found::Several => "several",
        Found::Fact => "noted",
        Found::Unknown => "unknown",
    }
}

pub(crate) fn hold(hold: &Hold) -> &'static str {
    match hold {
        Hold::Approval => "Waits for an approval.",
        Hold::Removal => "Holds a removal: judged together with the run's other removals, last.",
    }
}

pub(crate) fn leaving(cause: LeavingCause) -> &'static str {
    match cause {
        LeavingCause::Absent => "gone from the source",
        LeavingCause::LeftScope => "no longer in scope",
        LeavingCause::Disabled => "disabled at the source",
        LeavingCause::PasswordExpired => "password expired at the source",
        LeavingCause::Ended => "last day is over",
        LeavingCause::Undone => "undone by an operator",
    }
}

/// The kinds and numbers of removals: `1 deletion, 2 blanked attributes`.
pub(crate) fn removals(removals: Removals) -> String {
    let parts = [
        (removals.deletes, "deletion", "deletions"),
        (removals.suspends, "blocked sign-in", "blocked sign-ins"),
        (removals.blanks, "blanked attribute", "blanked attributes"),
        (removals.licenses, "licence taken away", "licences taken away"),
        (removals.memberships, "membership taken away", "memberships taken away"),
    ];
    let named: Vec<String> = parts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    named.join(", ")
}

/// A moment as `2026-10-11 02:00 UTC`. Reports are read in several time zones, so they speak one.
pub(crate) fn moment(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms)
        .map_or_else(|_| format!("{unix_ms} ms"), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// How long a closed run took: from its start, or for a plan that lay and was then applied, from its acceptance.
pub(crate) fn run_ms(run: &Run) -> Option<i64> {
    let began =
        run.accepted.as_ref().filter(|accepted| accepted.by_hash).map_or(run.started_ms, |accepted| accepted.at_ms);
    Some((run.closed_ms? - began).max(0))
}

/// A length of time in its two largest units: `1 h 5 min`, `42 s`, `1.5 s`.
pub(crate) fn duration(ms: i64) -> String {
    if ms < 0 {
        return "unknown".to_owned();
    }
    let seconds = ms / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match seconds {
        ..10 => format!("{seconds}.{} s", ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600.. => format!("{hours} h {minutes} min"),
    }
}

/// A length of time that is only estimated: `1 min`, `45 s`, `2 h 5 min`.
pub fn whole_duration(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        3600.. => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Seconds to the millisecond, for documents.
pub(crate) fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1000.0
}

/// A stored count's name as a word: `none` of the actions is `nothing`.
pub(crate) fn counted(name: &str) -> String {
    match name {
        "none" => "nothing".to_owned(),
        other => other.replace('_', " "),
    }
}

/// What a plan takes of the seats that the tenant has, in a sentence: `SPE_E3 needs 12 seats and 10 are free: 2 short.`
pub(crate) fn seats(seats: &Seats) -> String {
    let Seats { part_number, needed, free } = seats;
    let verdict = match seats.short() {
        0 => "enough".to_owned(),
        short => format!("{} short", number(short)),
    };
    let (needed, free) = (number(*needed), number(*free));
    let one = |count: &str, one: &'static str, many: &'static str| if count == "1" { one } else { many };
    format!(
        "{part_number} needs {needed} {} and {free} {} free: {verdict}.",
        one(&needed, "seat", "seats"),
        one(&free, "is", "are")
    )
}

/// A number in groups: `200,000`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 person`, `2 people`.
pub(crate) fn people(count: u64) -> String {
    format!("{} {}", number(count), if count == 1 { "person" } else { "people" })
}

/// What a limit holds, in a sentence: `40 new sign-in names wait: …`.
pub(crate) fn limit(limit: &LimitNote) -> String {
    let LimitNote { kind, wanted, before, allowed } = limit;
    let (one, many) = kind.nouns();
    let (noun, verb) = if *wanted == 1 { (one, "waits") } else { (many, "wait") };
    let gone = match before {
        0 => String::new(),
        before => format!(", {} went before", number(*before)),
    };
    format!(
        "{} {noun} {verb} for an approval: at most {} may go in 24 hours without one{gone} ([guard] {}).",
        number(*wanted),
        number(*allowed),
        kind.settings()
    )
}

/// What an operator said of a person, in a sentence.
pub(crate) fn acknowledged(known: &Acknowledged) -> String {
    // The end of a day is the beginning of the next.
    let moment = moment(known.until.saturating_sub(1).saturating_mul(1000));
    let day = moment.split(' ').next().unwrap_or_default();
    format!("Acknowledged until {day} by {}: {}", known.by, known.comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(200_000), "200,000");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(duration(1_540), "1.5 s");
        assert_eq!(duration(42_000), "42 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(duration(3_900_000), "1 h 5 min");
        assert_eq!(duration(-1), "unknown");
        assert_eq!(moment(1_791_684_000_000), "2026-10-11 02:00 UTC");
        assert_eq!(people(1), "1 person");
    }

    #[test]
    fn seats_are_counted_against_what_is_free() {
        let of = |needed, free| seats(&Seats { part_number: "SPE_E3".to_owned(), needed, free });
        assert_eq!(of(12, 10), "SPE_E3 needs 12 seats and 10 are free: 2 short.");
        assert_eq!(of(1, 1), "SPE_E3 needs 1 seat and 1 is free: enough.");
        assert_eq!(of(1_200, 0), "SPE_E3 needs 1,200 seats and 0 are free: 1,200 short.");
    }

    #[test]
    fn removals_name_each_kind() {
        let some = Removals { deletes: 1, blanks: 2, ..Removals::default() };
        assert_eq!(removals(some), "1 deletion, 2 blanked attributes");
        assert_eq!(removals(Removals::default()), "");
    }
}
