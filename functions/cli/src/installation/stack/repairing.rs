//! Repairs in a stack: planned, approved and carried out by its functions.

use async_trait::async_trait;
use hardmatch_domain::ids::{ConnectionId, ObjectId, PersonKey, PersonRef};
use hardmatch_match::MatchPorts;
use hardmatch_ports::command::{Command, Stops};
use hardmatch_ports::run::{Intent, Run};
use hardmatch_store::runs::new_run_id;

use super::{accepted, opened};
use crate::args::{Common, RepairStartArgs};
use crate::commands::repair::{AfterRepair, Audited, RepairRuns, Tenant, show_audit, start_by};
use crate::commands::shown::read_whole;
use crate::fail::{Exit, Failure};
use crate::stack::Stack;

/// A stack whose functions plan and apply.
struct InStack<'s> {
    stack: &'s Stack,
    ports: MatchPorts,
}

pub(super) async fn start(name: &str, args: &RepairStartArgs, audited: Option<Audited>) -> Result<Exit, Failure> {
    let stack = Stack::open(name, &args.common).await?;
    let meta = stack.push().await?;
    let ports = stack.deciding(&meta)?;
    start_by(&InStack { stack: &stack, ports }, args, audited).await
}

#[async_trait(?Send)]
impl RepairRuns for InStack<'_> {
    fn connection(&self) -> &ConnectionId {
        self.stack.connection()
    }

    fn ports(&self) -> &MatchPorts {
        &self.ports
    }

    async fn plan_person(&self, key: &PersonKey) -> Result<Run, Failure> {
        let who = PersonRef { connection: self.connection().clone(), key: key.clone() };
        let open = Command::Open {
            intent: Intent::Plan,
            stops: Stops::Kept,
            everybody: false,
            only: Some(self.ports.store.pid(&who).hex()),
            accept_source: false,
            retry: true,
        };
        opened(self.stack, open).await
    }

    async fn apply(&self, hash: &str) -> Result<Run, Failure> {
        accepted(self.stack, hash).await
    }

    async fn clear_leftover(&self, account: &ObjectId) -> Result<(), Failure> {
        let command = Command::RepairClear { account: account.as_str().to_owned(), leftover: true };
        let id = new_run_id(self.stack.state.clock.now().as_millisecond());
        self.stack.ask(&id, command).await.map(|_| ())
    }

    /// The stack's own writer was told.
    async fn carry_out(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// An operator does not reach the tenant.
    async fn checks(&self, _: &PersonKey) -> Result<Vec<AfterRepair>, Failure> {
        Ok(Vec::new())
    }
}

/// Has the stack plan everybody, and shows what that plan and what the functions keep of the tenant find broken.
pub(super) async fn audit(name: &str, common: &Common) -> Result<Exit, Failure> {
    let stack = Stack::open(name, common).await?;
    let meta = stack.push().await?;
    let ports = stack.deciding(&meta)?;
    let open = Command::Open {
        intent: Intent::Plan,
        stops: Stops::Kept,
        everybody: true,
        only: None,
        accept_source: false,
        retry: true,
    };
    let run = read_whole(opened(&stack, open).await?)?;
    show_audit(&ports, &run, &mut Tenant::stored(&ports).await?, common).await
}
