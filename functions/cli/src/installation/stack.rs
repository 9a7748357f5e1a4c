//! A deployed stack: what is asked goes through its queues, and what comes of it is watched in its table.

mod reaching;
mod repairing;

use std::time::Duration;

use async_trait::async_trait;
use hardmatch_connect::{ConnectLink, PublicUrl, draft};
use hardmatch_domain::ids::ConnectionId;
use hardmatch_match::MatchPorts;
use hardmatch_ports::command::{Command, Reply, Stops};
use hardmatch_ports::run::{Intent, Phase, Run, Status, Undo};
use hardmatch_store::connecting::{ConnectState, Connected};
use hardmatch_store::runs::new_run_id;
use jiff::SignedDuration;
use serde_json::json;
use url::Url;

use super::Installation;
use crate::args::{ApplyArgs, Common, ConnectArgs, PlanArgs, RepairStartArgs, RunsUndoArgs, SyncArgs};
use crate::commands::repair::Audited;
use crate::commands::rows::Printed;
use crate::commands::run::too_old;
use crate::commands::shown::{ExitBy, Rows, Wanted, show_plan, show_run, show_stop};
use crate::commands::who;
use crate::commands::{held, replay, standing};
use crate::connection::State;
use crate::fail::{Exit, Failure};
use crate::output;
use crate::progress::Progress;
use crate::stack::{Stack, Whole};

/// The stack of this name.
pub(super) struct Deployed(pub(super) String);

#[async_trait(?Send)]
impl Installation for Deployed {
    async fn state(&self, common: &Common) -> Result<State, Failure> {
        Ok(Stack::open(&self.0, common).await?.state)
    }

    async fn url(&self) -> Result<Option<String>, Failure> {
        Whole::open(&self.0).await?.url("Url").map(Some)
    }

    async fn plan(&self, args: &PlanArgs) -> Result<Exit, Failure> {
        Box::pin(plan(&self.0, args)).await
    }

    async fn apply(&self, args: &ApplyArgs) -> Result<Exit, Failure> {
        Box::pin(apply(&self.0, args)).await
    }

    async fn sync(&self, args: &SyncArgs) -> Result<Option<Exit>, Failure> {
        sync(&self.0, args).await
    }

    async fn connections(&self, common: &Common) -> Result<Vec<Common>, Failure> {
        let all = Whole::open(&self.0).await?.store.connections().await?;
        let named = |connection: ConnectionId| Common { connection: Some(connection.to_string()), ..common.clone() };
        Ok(all.into_iter().map(named).collect())
    }

    async fn undo(&self, args: &RunsUndoArgs, undo: Undo) -> Result<Exit, Failure> {
        let stack = Stack::open(&self.0, &args.common).await?;
        let meta = stack.push().await?;
        let run = opened(&stack, Command::Undo { undo }).await?;
        let wanted = Wanted { rows: if args.rows { Rows::Shown } else { Rows::Left }, exit: ExitBy::People };
        let now = stack.state.clock.now_seconds();
        let printed = Printed::of(&stack.state.loaded.config, &meta, &args.common, args.all, now);
        show_plan(&stack.deciding(&meta)?, &run, &args.common, &printed, wanted).await
    }

    async fn repair_audit(&self, common: &Common) -> Result<Exit, Failure> {
        repairing::audit(&self.0, common).await
    }

    async fn start_repairs(&self, args: &RepairStartArgs, audited: Option<Audited>) -> Result<Exit, Failure> {
        repairing::start(&self.0, args, audited).await
    }

    async fn doctor(&self, common: &Common) -> Result<Exit, Failure> {
        reaching::doctor(&self.0, common).await
    }

    async fn connect(&self, args: &ConnectArgs) -> Result<Exit, Failure> {
        connect(&self.0, args).await
    }

    async fn auth_status(&self, common: &Common) -> Result<Exit, Failure> {
        reaching::status(&self.0, common).await
    }

    async fn auth_reset(&self, common: &Common) -> Result<Exit, Failure> {
        reaching::reset(&self.0, common).await
    }

    async fn auth_disconnect(&self, common: &Common) -> Result<Exit, Failure> {
        reaching::disconnect(&self.0, common).await
    }

    async fn push(&self, common: &Common) -> Result<Exit, Failure> {
        push(&self.0, common).await
    }

    async fn ask(&self, common: &Common, command: Command) -> Result<Reply, Failure> {
        Stack::open(&self.0, common).await?.reach(command).await
    }

    async fn command(&self, common: &Common, command: Command) -> Result<ConnectionId, Failure> {
        let stack = Stack::open(&self.0, common).await?;
        stack.ask("", command).await?;
        Ok(stack.connection().clone())
    }
}

/// How long is waited for somebody who opened a link in its last minute.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

async fn plan(name: &str, args: &PlanArgs) -> Result<Exit, Failure> {
    replay::new_file(args)?;
    let stack = Stack::open(name, &args.common).await?;
    let meta = stack.push().await?;
    let open = Command::Open {
        intent: Intent::Plan,
        stops: Stops::Kept,
        everybody: args.full || args.record.is_some(),
        only: None,
        accept_source: args.accept_source,
        retry: args.retry,
    };
    let run = opened(&stack, open).await?;
    // A run that could not read everything has decided nobody.
    if let Some(to) = args.record.as_ref().filter(|_| run.status != Some(Status::Incomplete)) {
        Box::pin(replay::record_facts(&stack.deciding(&meta)?, &run, to)).await?;
    }
    let wanted = Wanted {
        rows: if args.rows { Rows::Shown } else { Rows::Left },
        exit: if args.detailed_exitcode { ExitBy::Changes } else { ExitBy::People },
    };
    let printed =
        Printed::of(&stack.state.loaded.config, &meta, &args.common, args.all, stack.state.clock.now_seconds());
    show_plan(&stack.deciding(&meta)?, &run, &args.common, &printed, wanted).await
}

async fn sync(name: &str, args: &SyncArgs) -> Result<Option<Exit>, Failure> {
    let stack = Stack::open(name, &args.common).await?;
    let meta = stack.push().await?;
    let deciding = stack.deciding(&meta)?;
    let only = match &args.who {
        None => None,
        Some(who) => {
            let Some(found) = who::find(&deciding, stack.connection(), who).await? else { return Ok(None) };
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
    let shown = match run.phase {
        Phase::Planned => show_stop(&deciding, &run, &args.common, &printed).await,
        Phase::Closed => show_run(&deciding, &run, &args.common, &printed).await,
        _ => standing::stopped(&stack.state, &run, &args.common).await,
    };
    shown.map(Some)
}

async fn apply(name: &str, args: &ApplyArgs) -> Result<Exit, Failure> {
    let stack = Stack::open(name, &args.common).await?;
    let meta = stack.push().await?;
    let deciding = stack.deciding(&meta)?;
    let before = hardmatch_match::applied(&deciding, stack.connection(), &args.hash).await?;
    let run = match before {
        None => accepted(&stack, &args.hash).await?,
        Some(run) => apply_held(&stack, &deciding, run, &args.hash).await?,
    };
    if run.phase != Phase::Closed {
        return standing::stopped(&stack.state, &run, &args.common).await;
    }
    let printed =
        Printed::of(&stack.state.loaded.config, &meta, &args.common, args.all, stack.state.clock.now_seconds());
    show_run(&deciding, &run, &args.common, &printed).await
}

/// Has the plan with this hash applied.
async fn accepted(stack: &Stack, hash: &str) -> Result<Run, Failure> {
    let run = stack.ask("", Command::Accept { hash: hash.to_owned() }).await?;
    let run = run.ok_or_else(|| Failure::run("the stack accepted the plan and does not say of which run"))?;
    watched(stack, &run, Phase::Planned).await
}

/// Applies what a closed run held for an approval, and nothing else, as on one machine.
async fn apply_held(stack: &Stack, deciding: &MatchPorts, run: Run, hash: &str) -> Result<Run, Failure> {
    let held = held::changes(deciding, &run).await?;
    if held.is_empty() {
        output::note(format!("This plan was applied in run {}; nothing is left to do.", run.id));
        return Ok(run);
    }
    if held::is_too_old(&run, stack.state.clock.now().as_millisecond()) {
        return Err(too_old(hash, &run));
    }
    let open = Command::Open {
        intent: Intent::Plan,
        stops: Stops::Kept,
        everybody: false,
        only: None,
        accept_source: false,
        retry: false,
    };
    let newer = opened(stack, open).await?;
    accepted(stack, &held::still_planned(deciding, &run, &held, &newer).await?).await
}

/// Makes a link to the stack's pages, prints it, and waits for what comes of it.
async fn connect(name: &str, args: &ConnectArgs) -> Result<Exit, Failure> {
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
                    // The pages change no connection's state; a function does, sooner when it is woken.
                    stack.ask("", Command::Wake).await?;
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
async fn push(name: &str, common: &Common) -> Result<Exit, Failure> {
    let stack = Stack::open(name, common).await?;
    let meta = stack.push().await?;
    let connection = stack.connection();
    if common.json {
        output::document(&json!({ "v": 1, "connection": connection, "configuration": meta.policy.revision }));
    } else {
        output::line(format!("Connection {connection} of stack {name} has configuration {}.", meta.policy.revision));
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
