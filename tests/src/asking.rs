//! What a stack's functions are asked for, with the authority of the queue that a request came through.

use hardmatch_domain::ids::PersonKey;
use hardmatch_match::{Handled, Request, handle_command};
use hardmatch_ports::command::{Command, CommandAuthority, Reply, Stops};
use hardmatch_ports::run::Intent;

use crate::ran::Ran;
use crate::world::World;

impl World {
    /// Asks with an authority. The run that the request is about is driven until it rests; without one there is none. A
    /// refusal is its words.
    pub async fn ask_as(&mut self, authority: CommandAuthority, command: &Command) -> Result<Option<Ran>, String> {
        let (engine, config) = self.begin().await.expect("a process");
        let connection = &config.connection;
        let name = format!("{:026}", self.commands());
        let request = Request { connection, run: &name, command, authority, by: "ada", reply: "" };
        match handle_command(&engine.deciding, &request).await.expect("a reply") {
            Handled::Replied(Reply::Refused { why }) => Err(why),
            Handled::Replied(Reply::Done { run: Some(run) }) => {
                let run = engine.drive(connection, &run).await.expect("the run rests");
                Ok(Some(self.ended(&engine, run).await.expect("nothing is left over")))
            }
            Handled::Replied(_) | Handled::PassedOn => Ok(None),
        }
    }

    /// Asks an operator's queue for a plan of one person, as `repair start` does of a stack.
    pub async fn plan_person_by_request(&mut self, key: &str) -> Ran {
        let command = Command::Open {
            intent: Intent::Plan,
            stops: Stops::Kept,
            everybody: false,
            only: Some(self.person_hex(key).await),
            accept_source: false,
            retry: true,
        };
        let planned = self.ask_as(CommandAuthority::Operator, &command).await;
        planned.expect("an operator may plan").expect("a plan is a run")
    }

    /// A person's place in keys, as requests name them.
    pub async fn person_hex(&self, key: &str) -> String {
        self.store().await.secret().pid(&PersonKey::new(key)).hex()
    }
}
