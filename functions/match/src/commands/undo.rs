//! `runs undo`: opening a run that plans how to undo what was written.

use hardmatch_ports::command::Reply;
use hardmatch_ports::run::{Intent, Undo};
use hardmatch_store::PersonHash;
use hardmatch_store::connection::ConnectionState;

use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::left_over::notify_left_over;
use crate::opening::{NewRun, open_run};
use crate::ports::MatchPorts;

pub(super) async fn handle(ports: &MatchPorts, request: &Request<'_>, undo: &Undo) -> Result<Reply, MatchError> {
    let (store, connection) = (&ports.store, request.connection);
    // Handed over again: the run that the first delivery opened goes on.
    if let Some(run) = store.run(connection, request.run).await? {
        notify_left_over(ports, &run.value).await?;
        return Ok(done(Some(request.run)));
    }
    let meta = store.meta(connection).await?;
    if meta.status.state == ConnectionState::Disconnected {
        return Ok(refused("the connection is disconnected. Connect it again with `hardmatch auth connect`"));
    }
    if undo.run.is_none() && undo.person.is_none() {
        return Ok(refused("name what is to be undone: a run, a person or a change"));
    }
    if let (Some(run), None) = (&undo.run, &undo.person)
        && store.run(connection, run).await?.is_none()
    {
        return Ok(refused(format!("there is no run {run}. `hardmatch runs list` names them")));
    }
    if undo.person.as_deref().is_some_and(|hex| PersonHash::parse(hex).is_none()) {
        return Ok(refused("nobody of that name is known any more. Look them up again"));
    }
    let new = NewRun {
        undo: Some(Undo { by: request.by.to_owned(), ..undo.clone() }),
        ..NewRun::new(request.run.to_owned(), connection.clone(), Intent::Plan, request.by.to_owned())
    };
    let run = open_run(store, &*ports.doorbell, &new, ports.clock.now().as_millisecond()).await?;
    Ok(done(Some(&run.id)))
}
