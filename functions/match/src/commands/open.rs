//! `plan` and `sync`: opening a run.

use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::command::{Command, Reply, Stops};
use hardmatch_ports::run::Intent;
use hardmatch_store::PersonHash;
use hardmatch_store::connection::ConnectionState;

use super::pause::paused;
use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::left_over::notify_left_over;
use crate::opening::{Accept, NewRun, open_run};
use crate::ports::MatchPorts;

pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>) -> Result<Reply, MatchError> {
    let Command::Open { intent, stops, everybody, only, accept_source, retry } = request.command else {
        return Ok(refused("this opens no run"));
    };
    let (store, connection) = (&ports.store, request.connection);
    // Handed over again: the run that the first delivery opened goes on.
    if let Some(run) = store.run(connection, request.run).await? {
        notify_left_over(ports, &run.value).await?;
        return Ok(done(Some(request.run)));
    }
    let meta = store.meta(connection).await?;
    match meta.status.state {
        ConnectionState::Disconnected => {
            return Ok(refused("the connection is disconnected. Connect it again with `hardmatch auth connect`"));
        }
        ConnectionState::Paused if *intent == Intent::Sync => {
            return Ok(refused(format!("{} `hardmatch connection resume`", paused(&meta))));
        }
        ConnectionState::Paused | ConnectionState::Active => {}
    }
    let only = match only {
        None => None,
        Some(hex) => match known_person(ports, request, hex).await? {
            Some(key) => Some(key),
            None => return Ok(refused("nobody of that name is known any more. Look them up again")),
        },
    };
    let new = NewRun {
        accept: match stops {
            Stops::Kept => Accept::Nothing,
            Stops::Passed => Accept::TheStop,
        },
        everybody: *everybody,
        only,
        accept_source: *accept_source,
        retry: *retry,
        ..NewRun::new(request.run.to_owned(), connection.clone(), *intent, request.by.to_owned())
    };
    let run = open_run(store, &*ports.doorbell, &new, ports.clock.now().as_millisecond()).await?;
    Ok(done(Some(&run.id)))
}

/// The key of the person whom a request names by their keyed hash: no message carries the key.
async fn known_person(ports: &MatchPorts, request: &Request<'_>, hex: &str) -> Result<Option<PersonKey>, MatchError> {
    let Some(pid) = PersonHash::parse(hex) else { return Ok(None) };
    let found = ports.store.people(request.connection, &[pid]).await?;
    Ok(found.into_iter().next().map(|(_, record)| record.person.key.clone()))
}

#[cfg(test)]
mod tests {
    use hardmatch_ports::command::CommandAuthority;
    use hardmatch_ports::run::Phase;
    use hardmatch_store::connection::ConnectionStatus;
    use hardmatch_store::connection::Meta;

    use super::*;
    use crate::commands::Handled;
    use crate::fixture::{Fixture, contoso, why};

    fn open(intent: Intent, stops: Stops, only: Option<&str>) -> Command {
        let only = only.map(str::to_owned);
        Command::Open { intent, stops, everybody: false, only, accept_source: false, retry: false }
    }

    #[tokio::test]
    async fn a_request_that_comes_twice_opens_one_run() {
        let fixture = Fixture::new(&["contoso"]).await;
        let sync = open(Intent::Sync, Stops::Kept, None);
        for delivery in 1..=2 {
            assert_eq!(fixture.handle(&sync).await, Handled::Replied(done(Some(Fixture::RUN))), "delivery {delivery}");
            assert_eq!(fixture.notified().len(), 2, "both sides, delivery {delivery}");
        }
        assert_eq!(fixture.store.run_ids(&contoso(), 9).await.unwrap(), [Fixture::RUN]);
        assert_eq!(fixture.run(Fixture::RUN).await.phase, Phase::Observing);
    }

    #[tokio::test]
    async fn a_paused_connection_is_planned_and_not_written() {
        let fixture = Fixture::new(&["contoso"]).await;
        fixture.store.update(&contoso(), |status: &mut ConnectionStatus| status.pause("bea", 5)).await.unwrap();
        let handled = fixture.handle(&open(Intent::Sync, Stops::Kept, None)).await;
        assert!(why(&handled).contains("paused by bea since 1970-01-01T00:00:05Z"), "{handled:?}");
        assert!(fixture.notified().is_empty());
        fixture.handle(&open(Intent::Plan, Stops::Kept, None)).await;
        assert_eq!(fixture.run(Fixture::RUN).await.intent, Intent::Plan);
    }

    #[tokio::test]
    async fn a_disconnected_connection_opens_no_run() {
        let fixture = Fixture::new(&["contoso"]).await;
        fixture.store.update_together(&contoso(), |meta: &mut Meta| _ = meta.status.disconnect(5)).await.unwrap();
        for intent in [Intent::Plan, Intent::Sync] {
            let handled = fixture.handle(&open(intent, Stops::Kept, None)).await;
            assert!(why(&handled).contains("hardmatch auth connect"), "{handled:?}");
        }
        assert!(fixture.store.run_ids(&contoso(), 9).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn passing_the_stop_takes_an_approver() {
        let fixture = Fixture::new(&["contoso"]).await;
        let yes = open(Intent::Sync, Stops::Passed, None);
        let handled = fixture.handle_as(&yes, CommandAuthority::Operator).await;
        assert!(why(&handled).contains("takes an approver"), "{handled:?}");
        fixture.handle(&yes).await;
        let accepted = fixture.run(Fixture::RUN).await.accepted.unwrap();
        assert_eq!((accepted.by_hash, accepted.by.as_str()), (false, "ada"));
    }

    #[tokio::test]
    async fn nobody_unknown_has_a_run_of_their_own() {
        let fixture = Fixture::new(&["contoso"]).await;
        for name in ["no hash", &"0".repeat(32)] {
            let handled = fixture.handle(&open(Intent::Sync, Stops::Kept, Some(name))).await;
            assert!(why(&handled).contains("Look them up again"), "{handled:?}");
        }
    }
}
