//! What becomes of a dead letter when an operator has them put back.

use hardmatch_aws::{Letter, Redrive};
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_runtime::queue::{MessageProblem, understand};

/// Work goes back where it is answered, a start that the scheduler could not deliver among it; what nobody can answer is
/// deleted; a message of a newer version waits for that.
pub fn judge_dead_letter(letter: &Letter) -> Redrive {
    let of_people =
        letter.failed_in.as_deref().is_some_and(|queue| queue.ends_with("-command") || queue.ends_with("-approve"));
    match understand(&letter.body) {
        Err(MessageProblem::Newer(_)) if !of_people => Redrive::Leave,
        Ok(message) if !of_people && !matches!(message.kind, MessageKind::OperatorCommand { .. }) => {
            Redrive::Back(message.queue().deployed())
        }
        Ok(_) | Err(_) => Redrive::Delete,
    }
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::doorbell::Queue;

    use super::*;

    fn judged(body: &str, failed_in: Option<&str>) -> Redrive {
        judge_dead_letter(&Letter {
            id: "m1".to_owned(),
            body: body.to_owned(),
            sent: None,
            failed_in: failed_in.map(str::to_owned),
            undelivered: None,
        })
    }

    #[test]
    fn a_request_is_never_put_back_as_work_and_work_of_a_forged_origin_neither() {
        let write = r#"{"v":1,"connection":"contoso","run":"r1","urgency":"now","kind":"write"}"#;
        let nightly = r#"{"v":1,"kind":"nightly","slot":"2031-01-31T02:00:00Z"}"#;
        let request =
            r#"{"v":1,"connection":"contoso","kind":"operator-command","reply":"A","command":{"do":"pause"}}"#;
        let newer = r#"{"v":99,"kind":"something-new"}"#;
        for (body, failed_in, wanted) in [
            (write, Some("hm-write"), Redrive::Back(Queue::Write)),
            (write, None, Redrive::Back(Queue::Write)),
            (nightly, None, Redrive::Back(Queue::Match)),
            (write, Some("hm-command"), Redrive::Delete),
            (write, Some("hm-approve"), Redrive::Delete),
            (request, Some("hm-command"), Redrive::Delete),
            (request, Some("hm-match"), Redrive::Delete),
            (request, None, Redrive::Delete),
            ("poison", Some("hm-write"), Redrive::Delete),
            (newer, Some("hm-write"), Redrive::Leave),
            (newer, Some("hm-approve"), Redrive::Delete),
        ] {
            assert_eq!(judged(body, failed_in), wanted, "{body} from {failed_in:?}");
        }
    }
}
