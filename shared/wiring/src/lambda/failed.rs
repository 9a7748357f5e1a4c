//! What becomes of a message that failed: it is heard again after seconds, not after the time for which a function that died
//! keeps it. And of a request that nobody waits for any more.

use std::time::Duration;

use hardmatch_ports::command::{PATIENCE, Reply};
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_runtime::queue::{SqsMessage, understand};
use hardmatch_runtime::telemetry::field;
use jiff::Timestamp;

use super::Home;

/// Rests after the first failure, the second, and each later one.
const RESTS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2)];
/// For so long a message of which the work is brief is kept by a function: where that dies, it is heard again soon.
pub(super) const BRIEF: Duration = Duration::from_secs(20);
/// A request is not begun so shortly before nobody waits for its reply.
const LAST: Duration = Duration::from_secs(10);

/// How long a message rests that failed when it was handed over for the n-th time.
pub(super) fn rest_after(received: Option<u32>) -> Duration {
    let place = usize::try_from(received.unwrap_or(1).saturating_sub(1)).unwrap_or(usize::MAX);
    RESTS[place.min(RESTS.len() - 1)]
}

/// Whether the work of a message is done in a moment: what begins a night.
pub(super) fn is_brief(body: &str) -> bool {
    understand(body)
        .is_ok_and(|message| matches!(message.kind, MessageKind::Nightly { .. } | MessageKind::Start { .. }))
}

/// Has a message handed over again after a time. Where that cannot be asked for, it is after the queue's own.
pub(super) async fn hand_over_again(home: &Home, queue: &str, receipt: &str, after: Duration) {
    if let Err(error) = home.queues.hand_over_again(queue, receipt, after).await {
        tracing::warn!({ field::ERROR } = %error, "when a message is handed over again could not be set");
    }
}

/// Whether a message is a request of somebody who has given up waiting.
pub(super) fn has_expired(queue: &str, sent: Option<Timestamp>, now: Timestamp) -> bool {
    let asked = queue.ends_with("-command") || queue.ends_with("-approve");
    asked
        && sent
            .is_some_and(|sent| now.duration_since(sent).unsigned_abs() > PATIENCE.saturating_sub(LAST) && now > sent)
}

/// Leaves a request undone, with a reply that says so where it can be understood. A request of a newer version ends here,
/// too, and is never a dead letter.
pub(super) async fn expire(home: &Home, record: &SqsMessage) {
    tracing::warn!(
        { field::MESSAGE_ID } = record.message_id,
        "a request was left undone: nobody waits for its reply any more"
    );
    let Ok(message) = understand(&record.body) else { return };
    let MessageKind::OperatorCommand { reply, .. } = &message.kind else { return };
    if matches!(home.store.reply(&message.connection, reply).await, Ok(Some(_))) {
        return;
    }
    let why = "the request was not taken up while somebody waited for it, and was left undone. Ask again".to_owned();
    let put = home.store.put_reply(&message.connection, reply, &Reply::Refused { why }, home.clock.now_seconds()).await;
    if let Err(error) = put {
        tracing::warn!({ field::ERROR } = %error, "a reply could not be stored");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_failed_rests_for_seconds_and_then_for_two_minutes() {
        let rests: Vec<u64> =
            [None, Some(1), Some(2), Some(3), Some(4), Some(5)].map(|received| rest_after(received).as_secs()).to_vec();
        assert_eq!(rests, [5, 5, 30, 120, 120, 120]);
    }

    #[test]
    fn a_request_expires_with_the_patience_of_who_asked_and_work_never_does() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        for (queue, sent, now, expired) in [
            ("hm-command", Some(0), 79, false),
            ("hm-command", Some(0), 81, true),
            ("hm-approve", Some(0), 81, true),
            // The clock of the queue is ahead of ours.
            ("hm-command", Some(1_000), 0, false),
            ("hm-command", None, 81, false),
            ("hm-match", Some(0), 1_000_000, false),
            ("hm-write", Some(0), 1_000_000, false),
        ] {
            assert_eq!(has_expired(queue, sent.map(at), at(now)), expired, "{queue} {sent:?} {now}");
        }
    }

    #[test]
    fn a_request_that_nobody_understands_expires_before_its_fifth_receipt_makes_a_dead_letter() {
        let sent = Timestamp::UNIX_EPOCH;
        let fifth = (1..5).map(|received| rest_after(Some(received))).sum::<Duration>();
        for queue in ["hm-command", "hm-approve"] {
            assert!(has_expired(queue, Some(sent), sent + fifth), "{queue}");
            assert!(!has_expired(queue, Some(sent), sent + rest_after(Some(1))), "{queue}");
        }
    }

    #[test]
    fn what_begins_a_night_is_brief() {
        assert!(is_brief(r#"{"v":1,"kind":"nightly","slot":"2031-01-31T02:00:00Z"}"#));
        assert!(is_brief(r#"{"v":1,"connection":"contoso","kind":"start","slot":"2031-01-31T02:00:00Z"}"#));
        assert!(!is_brief(r#"{"v":1,"connection":"contoso","run":"r1","kind":"match"}"#));
        assert!(!is_brief("poison"));
    }
}
