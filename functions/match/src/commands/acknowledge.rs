//! `acknowledge`: what an operator knows of a person sets no exit status for a while. Decides nothing.

use hardmatch_ports::command::Reply;
use hardmatch_store::PersonHash;
use hardmatch_store::acknowledgments::Acknowledgment;

use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// An acknowledgment that holds longer is one that nobody remembers (days).
pub const MOST_DAYS: i64 = 90;
/// One day more: the last day counts whole, wherever the operator is.
const LONGEST: i64 = (MOST_DAYS + 1) * 24 * 60 * 60;

/// What an operator says of a person.
pub(super) struct Said<'r> {
    pub(super) person: &'r str,
    pub(super) facts: &'r str,
    pub(super) until: i64,
    pub(super) comment: &'r str,
}

pub(super) async fn acknowledge(
    ports: &MatchPorts,
    request: &Request<'_>,
    said: &Said<'_>,
) -> Result<Reply, MatchError> {
    let Some(pid) = known(ports, request, said.person).await? else { return Ok(unknown()) };
    let now = ports.clock.now_seconds();
    if said.until <= now {
        return Ok(refused("the last day is over. Name a day to come with --until"));
    }
    if said.until > now + LONGEST {
        return Ok(refused(format!(
            "the last day is more than {MOST_DAYS} days away: look at it again by then, and name a nearer day with --until"
        )));
    }
    if said.comment.trim().is_empty() {
        return Ok(refused("the comment is empty. Say why with --comment, for readers of the report"));
    }
    let known = Acknowledgment {
        v: 1,
        facts: said.facts.to_owned(),
        until: said.until,
        by: request.by.to_owned(),
        at: now,
        comment: said.comment.trim().to_owned(),
    };
    ports.store.write_all(vec![ports.store.put_acknowledgment(request.connection, pid, &known)]).await?;
    Ok(done(None))
}

pub(super) async fn withdraw(ports: &MatchPorts, request: &Request<'_>, person: &str) -> Result<Reply, MatchError> {
    let Some(pid) = known(ports, request, person).await? else { return Ok(unknown()) };
    ports.store.write_all(vec![ports.store.drop_acknowledgment(request.connection, pid)]).await?;
    Ok(done(None))
}

/// The person whom a request names by their place in keys, when the connection knows them.
async fn known(ports: &MatchPorts, request: &Request<'_>, hex: &str) -> Result<Option<PersonHash>, MatchError> {
    let Some(pid) = PersonHash::parse(hex) else { return Ok(None) };
    Ok(ports.store.people(request.connection, &[pid]).await?.into_iter().next().map(|(pid, _)| pid))
}

fn unknown() -> Reply {
    refused("nobody of that name is known any more. Look them up again")
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::{Command, CommandAuthority};

    use crate::commands::Handled;
    use crate::commands::request::done;
    use crate::fixture::{Fixture, contoso, why};

    fn acknowledge(person: &str, until: i64) -> Command {
        let comment = " HR corrects it ".to_owned();
        Command::Acknowledge { person: person.to_owned(), facts: "ab".to_owned(), until, comment }
    }

    #[tokio::test]
    async fn an_operator_acknowledges_a_person_and_takes_it_back() {
        let fixture = Fixture::new(&["contoso"]).await;
        let pid = fixture.person("p1").await;
        let until = fixture.now() + 86_400;
        let handled = fixture.handle_as(&acknowledge(&pid.hex(), until), CommandAuthority::Operator).await;
        assert_eq!(handled, Handled::Replied(done(None)));
        let known = fixture.store.acknowledgments(&contoso(), &[pid]).await.unwrap().remove(&pid).unwrap();
        assert_eq!((known.until, known.by.as_str(), known.comment.as_str()), (until, "ada", "HR corrects it"));
        let withdraw = Command::WithdrawAcknowledgment { person: pid.hex() };
        assert_eq!(fixture.handle_as(&withdraw, CommandAuthority::Operator).await, Handled::Replied(done(None)));
        assert!(fixture.store.acknowledgments(&contoso(), &[pid]).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn nobody_unknown_and_no_wrong_day_is_acknowledged() {
        let fixture = Fixture::new(&["contoso"]).await;
        let pid = fixture.person("p1").await;
        for (person, until, said) in [
            ("no hash", 86_400, "Look them up again"),
            (&*"0".repeat(32), 86_400, "Look them up again"),
            (&*pid.hex(), 0, "is over"),
            (&*pid.hex(), 92 * 86_400, "more than 90 days away"),
        ] {
            let handled = fixture.handle(&acknowledge(person, fixture.now() + until)).await;
            assert!(why(&handled).contains(said), "{person} {until}: {handled:?}");
        }
        assert!(fixture.store.acknowledgments(&contoso(), &[pid]).await.unwrap().is_empty());
    }
}
