//! `sync`, of one connection, or of one person in all of them.

use crate::args::SyncArgs;
use crate::commands::who;
use crate::fail::{Exit, Failure};
use crate::installation::{Installation, installation};
use crate::output;

pub(crate) async fn sync(args: &SyncArgs) -> Result<Exit, Failure> {
    let place = installation(&args.common)?;
    if args.all_connections {
        return all(&*place, args).await;
    }
    let nobody = || who::nobody(args.who.as_deref().unwrap_or_default(), &[]);
    place.sync(args).await?.ok_or_else(nobody)
}

/// One connection after the other. One that fails does not keep the others from it; its error is the command's.
async fn all(place: &dyn Installation, args: &SyncArgs) -> Result<Exit, Failure> {
    let who = args.who.as_deref().unwrap_or_default();
    let mut exit = None;
    let mut failed = None;
    for common in place.connections(&args.common).await? {
        let name = common.connection.clone().unwrap_or_else(|| common.config.display().to_string());
        output::line(format!("== {name}"));
        match place.sync(&SyncArgs { common, ..args.clone() }).await {
            Ok(Some(Exit::Converged)) => exit = exit.or(Some(Exit::Converged)),
            Ok(Some(other)) => exit = Some(other),
            Ok(None) => output::line(format!("Nobody here is called {who}.")),
            Err(failure) => {
                output::error(format!("hardmatch: {name}: {failure}"));
                failed = failed.or(Some(failure));
            }
        }
    }
    match (failed, exit) {
        (Some(failure), _) => Err(failure),
        (None, Some(exit)) => Ok(exit),
        (None, None) => Err(who::nobody(who, &[])),
    }
}
