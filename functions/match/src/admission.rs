//! Which messages are taken from which queue. Who may send to a queue is decided by IAM, so a queue stands for its senders:
//! operators may send to the queue of commands, approvers to theirs as well, functions and schedules to the queues of work.
//! What a message says about itself counts for nothing here.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::{Command, CommandAuthority};
use hardmatch_ports::doorbell::{Message, MessageKind};

/// What approvers alone send to, by the end of its name.
const APPROVE: &str = "-approve";
/// What operators send to, by the end of its name.
const COMMAND: &str = "-command";
/// Longest name of a connection, a run or a reply.
const LONGEST: usize = 64;

/// What a message is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Work that a function or a schedule asks for.
    Work,
    /// A command, with this authority.
    Command(CommandAuthority),
    /// A command in a queue of work: not carried out, and answered so.
    Misplaced,
    /// Nothing: acknowledged and left undone. The sentence goes to the log.
    Refused(&'static str),
}

/// What a message from the queue of this name is taken for.
pub fn admit(queue: &str, message: &Message) -> Admission {
    let authority = if queue.ends_with(APPROVE) {
        Some(CommandAuthority::Approver)
    } else if queue.ends_with(COMMAND) {
        Some(CommandAuthority::Operator)
    } else {
        None
    };
    match (authority, &message.kind) {
        (None, MessageKind::OperatorCommand { reply, .. }) if is_name(reply) && is_connection(&message.connection) => {
            Admission::Misplaced
        }
        (None, MessageKind::OperatorCommand { .. }) => Admission::Refused("a command was in a queue of work"),
        (None, _) => Admission::Work,
        (Some(authority), MessageKind::OperatorCommand { reply, command }) => {
            // Names become parts of keys and of blobs' names.
            let run = message.run.is_empty() || (message.run.len() == 26 && is_name(&message.run));
            let connection = match command {
                Command::Redrive => message.connection.as_str().is_empty(),
                Command::Wake => message.connection.as_str().is_empty() || is_connection(&message.connection),
                _ => is_connection(&message.connection),
            };
            if is_name(reply) && run && connection {
                Admission::Command(authority)
            } else {
                Admission::Refused("a command names no connection, run or reply as this version does")
            }
        }
        (Some(_), _) => Admission::Refused("a queue of commands carried something else"),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// As a configuration may name it.
fn is_connection(connection: &ConnectionId) -> bool {
    let name = connection.as_str();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::tenant_request::TenantQuery;

    use super::*;

    const RUN: &str = "01KCZZZZZZZZZZZZZZZZZZZZZZ";

    fn ask(connection: &str, run: &str, reply: &str, command: Command) -> Message {
        Message::new(
            ConnectionId::new(connection),
            run,
            MessageKind::OperatorCommand { reply: reply.to_owned(), command },
        )
    }

    #[test]
    fn queues_of_commands_carry_commands_alone() {
        let slot = || "2031-01-31T02:00:00Z".to_owned();
        let kinds = [
            MessageKind::ObserveSource,
            MessageKind::ObserveTenant,
            MessageKind::Match,
            MessageKind::Write,
            MessageKind::WriteBack,
            MessageKind::Advance,
            MessageKind::SyncPeople,
            MessageKind::Start { slot: slot() },
            MessageKind::Nightly { slot: slot() },
            MessageKind::Tick,
            MessageKind::TenantRequest { reply: String::new(), query: TenantQuery::Reset },
        ];
        for kind in kinds {
            let message = Message::new(ConnectionId::new("contoso"), RUN, kind);
            for queue in ["hm-command", "hm-approve"] {
                assert!(matches!(admit(queue, &message), Admission::Refused(_)), "{queue}: {}", message.kind.name());
            }
            assert_eq!(admit("hm-match", &message), Admission::Work, "{}", message.kind.name());
        }
    }

    #[test]
    fn the_queue_says_whose_word_a_command_is() {
        let accept = ask("contoso", "", "A1", Command::Accept { hash: "abcdef01".into() });
        for (queue, wanted) in [
            ("hm-command", Admission::Command(CommandAuthority::Operator)),
            ("hm-approve", Admission::Command(CommandAuthority::Approver)),
            ("hm-match", Admission::Misplaced),
            ("hm-match-now", Admission::Misplaced),
            ("x-approve-match", Admission::Misplaced),
            ("approve", Admission::Misplaced),
            ("", Admission::Misplaced),
        ] {
            assert_eq!(admit(queue, &accept), wanted, "{queue}");
        }
    }

    #[test]
    fn a_command_with_odd_names_is_not_carried_out() {
        let admitted =
            |message: &Message| admit("hm-command", message) == Admission::Command(CommandAuthority::Operator);
        for good in [
            ask("contoso", "", "A1", Command::Pause),
            ask("con-to_so.eu", RUN, "01KCZZZZZZZZZZZZZZZZZZZZZZ", Command::Pause),
            ask("", "", "A1", Command::Redrive),
            ask("", "", "A1", Command::Wake),
            ask("contoso", "", "A1", Command::Wake),
        ] {
            assert!(admitted(&good), "{good:?}");
        }
        let long = "x".repeat(65);
        for bad in [
            ask("", "", "A1", Command::Pause),
            ask("contoso#META", "", "A1", Command::Pause),
            ask("contoso/..", "", "A1", Command::Pause),
            ask(&long, "", "A1", Command::Pause),
            ask("contoso", "../x", "A1", Command::Pause),
            ask("contoso", "short", "A1", Command::Pause),
            ask("contoso", "", "", Command::Pause),
            ask("contoso", "", "A#1", Command::Pause),
            ask("contoso", "", &long, Command::Pause),
            ask("contoso", "", "A1", Command::Redrive),
        ] {
            assert!(!admitted(&bad), "{bad:?}");
        }
    }
}
