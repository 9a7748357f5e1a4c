//! `plan`, `apply` and `sync` on a deployed stack: asked for through its queues, watched in its table.

use hardmatch_embedded::Missing;

use crate::args::Common;
use crate::connection::{State, load, open_state};
use crate::fail::Failure;

#[cfg(feature = "aws")]
pub(crate) use deployed::{apply, connect, plan, push, sync};
#[cfg(not(feature = "aws"))]
pub(crate) use missing::{apply, connect, disconnect, doctor, plan, push, reset, status, sync};
#[cfg(feature = "aws")]
pub(crate) use reaching::{disconnect, doctor, reset, status};

#[cfg(feature = "aws")]
mod reaching;

/// A connection's state, to be read: of this machine, or of a stack.
pub(crate) async fn state(common: &Common) -> Result<State, Failure> {
    match &common.stack {
        None => open_state(load(&common.config)?, Missing::Refuse).await,
        #[cfg(feature = "aws")]
        Some(stack) => Ok(crate::stack::Stack::open(stack, common).await?.state),
        #[cfg(not(feature = "aws"))]
        Some(_) => Err(no_aws()),
    }
}

/// This build cannot reach AWS.
#[cfg(not(feature = "aws"))]
pub(crate) fn no_aws() -> Failure {
    Failure::usage(
        "this build does not know AWS. Use a released binary, or build with: cargo build --release -p hardmatch --features aws",
    )
}

#[cfg(not(feature = "aws"))]
mod missing {
    use super::no_aws;
    use crate::args::{ApplyArgs, Common, ConnectArgs, PlanArgs, SyncArgs};
    use crate::fail::{Exit, Failure};

    pub(crate) async fn plan(_: &str, _: &PlanArgs) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn sync(_: &str, _: &SyncArgs) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn apply(_: &str, _: &ApplyArgs) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn connect(_: &str, _: &ConnectArgs) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn push(_: &Common) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn status(_: &str, _: &Common) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn reset(_: &str, _: &Common) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn disconnect(_: &str, _: &Common) -> Result<Exit, Failure> {
        Err(no_aws())
    }

    pub(crate) async fn doctor(_: &str, _: &Common) -> Result<Exit, Failure> {
        Err(no_aws())
    }
}

#[cfg(feature = "aws")]
mod deployed {
    use std::time::Duration;

    use hardmatch_connect::{ConnectLink, PublicUrl, draft};
    use hardmatch_ports::command::{Command, Stops};
    use hardmatch_ports::run::{Intent, Phase, Run};
    use hardmatch_store::connecting::{ConnectState, Connected};
    use hardmatch_store::runs::new_run_id;
    use jiff::SignedDuration;
    use serde_json::json;
    use url::Url;

    use crate::args::{ApplyArgs, Common, ConnectArgs, PlanArgs, SyncArgs};
    use crate::commands::rows::Printed;
    use crate::commands::run::{ExitBy, Rows, Wanted, show_plan, show_run, show_stop};
    use crate::commands::who;
    use crate::fail::{Exit, Failure};
    use crate::output;
    use crate::progress::Progress;
    use crate::stack::Stack;

    /// How long is waited for somebody who opened a link in its last minute.
    const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

    pub(crate) async fn plan(name: &str, args: &PlanArgs) -> Result<Exit, Failure> {
        let stack = Stack::open(name, &args.common).await?;
        let meta = stack.push().await?;
        let open = Command::Open {
            intent: Intent::Plan,
            stops: Stops::Kept,
            everybody: args.full,
            only: None,
            accept_source: args.accept_source,
            retry: args.retry,
        };
        let run = opened(&stack, open).await?;
        let wanted = Wanted {
            rows: if args.rows { Rows::Shown } else { Rows::Left },
            exit: if args.detailed_exitcode { ExitBy::Changes } else { ExitBy::People },
        };
        let printed =
            Printed::of(&stack.state.loaded.config, &meta, &args.common, args.all, stack.state.clock.now_seconds());
        show_plan(&stack.deciding(&meta)?, &run, &args.common, &printed, wanted).await
    }

    pub(crate) async fn sync(name: &str, args: &SyncArgs) -> Result<Exit, Failure> {
        let stack = Stack::open(name, &args.common).await?;
        let meta = stack.push().await?;
        let deciding = stack.deciding(&meta)?;
        let only = match &args.who {
            None => None,
            Some(who) => {
                let found =
                    who::find(&deciding, stack.connection(), who).await?.ok_or_else(|| who::nobody(who, &[]))?;
                Some(deciding.store.pid(&found).hex())
            }
        };
        let open = Command::Open {
            intent: Intent::Sync,
            stops: if args.yes { Stops::Passed } else { Stops::Kept },
            everybody: args.full,
            only,
            accept_source: args.accept_source,
            retry: args.retry,
        };
        let run = opened(&stack, open).await?;
        let printed =
            Printed::of(&stack.state.loaded.config, &meta, &args.common, args.all, stack.state.clock.now_seconds());
        if run.phase == Phase::Planned {
            return show_stop(&deciding, &run, &args.common, &printed).await;
        }
        show_run(&deciding, &run, &args.common, &printed).await
    }

    pub(crate) async fn apply(name: &str, args: &ApplyArgs) -> Result<Exit, Failure> {
        let stack = Stack::open(name, &args.common).await?;
        let meta = stack.push().await?;
        let accept = Command::Accept { hash: args.hash.clone() };
        let run = stack.ask("", accept).await?;
        let run = run.ok_or_else(|| Failure::run("the stack accepted the plan and does not say of which run"))?;
        let run = watched(&stack, &run, Phase::Planned).await?;
        let printed =
            Printed::of(&stack.state.loaded.config, &meta, &args.common, args.all, stack.state.clock.now_seconds());
        show_run(&stack.deciding(&meta)?, &run, &args.common, &printed).await
    }

    /// Makes a link to the stack's pages, prints it, and waits for what comes of it.
    pub(crate) async fn connect(name: &str, args: &ConnectArgs) -> Result<Exit, Failure> {
        let stack = Stack::open(name, &args.common).await?;
        stack.push().await?;
        let address = Url::parse(&stack.whole.url("Url")?).map_err(Failure::run)?;
        let address = PublicUrl::new(&address).map_err(Failure::run)?;
        let clock = &stack.state.clock;
        let link = draft(&stack.state.store, &**clock, &address);
        stack.ask("", Command::Connect { ticket: link.id.clone() }).await?;
        if args.no_wait && args.common.json {
            output::document(&json!({ "v": 1, "connection": stack.connection(), "url": link.url.as_str() }));
            return Ok(Exit::Attention);
        }
        output::note("An administrator of the tenant opens this address within 15 minutes. It works once:");
        output::note(link.url.as_str());
        if args.no_wait {
            return Ok(Exit::Attention);
        }
        let progress = Progress::start();
        let ended = awaited(&stack, &link).await;
        progress.end();
        let connected = ended?;
        if args.common.json {
            output::document(&json!({ "v": 1, "connection": stack.connection(), "connected": connected }));
        } else {
            let granted: Vec<&str> = connected.permissions.iter().map(String::as_str).collect();
            output::line(format!(
                "Connected to tenant {}. Granted: {}. Next: hardmatch plan{}",
                connected.tenant,
                granted.join(", "),
                args.common.place()
            ));
        }
        Ok(Exit::Converged)
    }

    async fn awaited(stack: &Stack, link: &ConnectLink) -> Result<Connected, Failure> {
        let clock = &stack.state.clock;
        loop {
            let known = stack.state.store.connecting(stack.connection()).await?.map(|stored| stored.value);
            let known = known.filter(|known| known.ticket == link.id);
            match known.as_ref().map(|known| known.state) {
                Some(ConnectState::Done) => {
                    if let Some(connected) = known.and_then(|known| known.connected) {
                        return Ok(connected);
                    }
                }
                Some(ConnectState::Failed) => {
                    let code = known.and_then(|known| known.code).unwrap_or_default();
                    return Err(Failure::run(format!("not connected: {code}. The page said why; make a new link")));
                }
                // Somebody who opened it in its last minute still has time to agree.
                Some(ConnectState::Waiting) | None if clock.now() > link.expires + PATIENCE => {
                    return Err(Failure::run("nobody has connected in time, and the link has ended. Make a new one"));
                }
                Some(ConnectState::Waiting) | None => {}
            }
            clock.sleep(Duration::from_secs(1)).await;
        }
    }

    /// Stores the file's configuration.
    pub(crate) async fn push(common: &Common) -> Result<Exit, Failure> {
        let Some(name) = &common.stack else {
            return Err(Failure::usage("name the stack with --stack; on this machine a run reads the file by itself"));
        };
        let stack = Stack::open(name, common).await?;
        let meta = stack.push().await?;
        let connection = stack.connection();
        if common.json {
            output::document(&json!({ "v": 1, "connection": connection, "configuration": meta.policy_revision }));
        } else {
            output::line(format!(
                "Connection {connection} of stack {name} has configuration {}.",
                meta.policy_revision
            ));
        }
        Ok(Exit::Converged)
    }

    async fn opened(stack: &Stack, open: Command) -> Result<Run, Failure> {
        let id = new_run_id(stack.state.clock.now().as_millisecond());
        stack.ask(&id, open).await?;
        watched(stack, &id, Phase::Observing).await
    }

    async fn watched(stack: &Stack, id: &str, since: Phase) -> Result<Run, Failure> {
        let progress = Progress::start();
        let run = stack.watch(id, since, &progress).await;
        progress.end();
        run
    }
}
