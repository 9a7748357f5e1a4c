//! `apply HASH`: accepting the plan with this hash.

use hardmatch_ports::command::Reply;
use hardmatch_store::connection::ConnectionState;

use super::pause::paused;
use super::request::{Request, done, refused};
use crate::acceptance::{Acceptance, accept};
use crate::error::MatchError;
use crate::ports::MatchPorts;

pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>, hash: &str) -> Result<Reply, MatchError> {
    let meta = ports.store.meta(request.connection).await?;
    if meta.status.state == ConnectionState::Paused {
        return Ok(refused(format!("{} `hardmatch connection resume`", paused(&meta))));
    }
    Ok(reply(hash, accept(ports, request.connection, hash, request.by).await?))
}

fn reply(hash: &str, acceptance: Acceptance) -> Reply {
    match acceptance {
        Acceptance::GoesOn(run) | Acceptance::Resumes(run) | Acceptance::Applied(run) => done(Some(&run.id)),
        Acceptance::Expired(run) => refused(format!(
            "the plan {hash} (run {}) is too old: a plan can be applied for seven days, and what was begun for one. Make a new plan with `hardmatch plan`",
            run.id
        )),
        Acceptance::Unknown { waiting: Some(waiting) } => refused(format!(
            "no plan of this connection that waits has the hash {hash}. The plan that waits is {waiting}; look at it with `hardmatch runs show`"
        )),
        Acceptance::Unknown { waiting: None } => refused(format!(
            "no plan of this connection waits under the hash {hash}: a newer run took its place. Make a plan with `hardmatch plan`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hardmatch_ports::command::{Command, CommandAuthority};
    use hardmatch_ports::run::{Intent, Phase, PlanHead, Run, Stop};

    use super::*;
    use crate::commands::Handled;
    use crate::fixture::{Fixture, SLOT, contoso, why};
    use hardmatch_store::connection::ConnectionStatus;

    const HASH: &str = "abcdef0123456789";

    /// A run that waits at a plan with [`HASH`].
    async fn planned(fixture: &Fixture) -> Run {
        let run = fixture.opened(SLOT).await;
        let waits = |run: &mut Run| {
            (run.phase, run.intent, run.stop) = (Phase::Planned, Intent::Plan, Some(Stop::Asked));
            run.plan = Some(PlanHead { hash: HASH.to_owned(), ..PlanHead::default() });
        };
        fixture.change(&run, waits).await
    }

    fn apply(hash: &str) -> Command {
        Command::Accept { hash: hash.to_owned() }
    }

    #[tokio::test]
    async fn an_accepted_plan_is_observed_once_more_and_then_written() {
        let fixture = Fixture::new(&["contoso"]).await;
        let run = planned(&fixture).await;
        fixture.notified();
        assert_eq!(fixture.handle(&apply(&HASH[..8])).await, Handled::Replied(done(Some(&run.id))));
        assert_eq!(fixture.notified().len(), 2, "both sides");
        let run = fixture.run(&run.id).await;
        assert_eq!((run.phase, run.intent), (Phase::Observing, Intent::Sync));
        assert!(run.accepted.is_some_and(|accepted| accepted.by_hash && accepted.by == "ada"));
    }

    #[tokio::test]
    async fn an_operator_without_the_approver_role_accepts_nothing() {
        let fixture = Fixture::new(&["contoso"]).await;
        let run = planned(&fixture).await;
        let handled = fixture.handle_as(&apply(HASH), CommandAuthority::Operator).await;
        assert!(why(&handled).contains("takes an approver"), "{handled:?}");
        assert_eq!(fixture.run(&run.id).await.phase, Phase::Planned);
    }

    #[tokio::test]
    async fn a_plan_that_cannot_be_applied_is_refused_with_the_remedy() {
        let fixture = Fixture::new(&["contoso"]).await;
        let handled = fixture.handle(&apply(HASH)).await;
        assert!(why(&handled).contains("Make a plan with `hardmatch plan`"), "{handled:?}");
        let run = planned(&fixture).await;
        let handled = fixture.handle(&apply("00000000")).await;
        assert!(why(&handled).contains(&format!("The plan that waits is {HASH}")), "{handled:?}");
        fixture.store.update(&contoso(), |status: &mut ConnectionStatus| status.pause("bea", 5)).await.unwrap();
        let handled = fixture.handle(&apply(HASH)).await;
        assert!(why(&handled).contains("paused by bea"), "{handled:?}");
        fixture.store.update(&contoso(), ConnectionStatus::resume).await.unwrap();
        fixture.clock.advance(Duration::from_hours(7 * 24 + 1));
        let handled = fixture.handle(&apply(HASH)).await;
        assert!(why(&handled).contains("too old"), "{handled:?}");
        assert_eq!(fixture.run(&run.id).await.phase, Phase::Planned, "nothing was begun");
    }
}
