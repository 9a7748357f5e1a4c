//! Wires write on AWS: the tenant, the tokens, the tables and queues.

use std::sync::Arc;

use hardmatch_ports::credentials::{DiscardPasswords, PasswordSink};
use hardmatch_ports::doorbell::MessageKind;
use hardmatch_ports::tenant::Counters;
use hardmatch_wiring::clients::Clients;
use hardmatch_wiring::lambda::{Delivery, Error, Home, MessageHandler, serve};
use hardmatch_wiring::policy::Passwords;
use hardmatch_wiring::tokens::TokenHome;
use hardmatch_write::{After, WritePorts, answer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    let clients = Clients::new(TokenHome::open(&home)?);
    serve(home.clone(), Writing { home, clients }).await
}

struct Writing {
    home: Home,
    clients: Clients,
}

impl MessageHandler for Writing {
    async fn answer(&self, delivery: Delivery) -> Result<After, String> {
        let MessageKind::Write = delivery.message.kind else { return Ok(After::Done) };
        let connection = &delivery.message.connection;
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        let client = self.clients.of(connection, &opened).map_err(|error| error.to_string())?;
        let passwords: Arc<dyn PasswordSink> = match &opened.config.passwords {
            Passwords::Discard => Arc::new(DiscardPasswords),
            Passwords::File(_) => {
                return Err("[passwords] names a file, and a function keeps none. Leave it out: people sign in at the identity provider, or reset their password".to_owned());
            }
        };
        let ports = WritePorts {
            store: self.home.store.clone(),
            scope: opened.scope,
            client: client.client_id,
            tenant: client.graph,
            passwords,
            clock: Arc::clone(&self.home.clock),
            doorbell: Arc::clone(&self.home.doorbell),
            holder: delivery.receipt.clone(),
            deadline: Some(delivery.deadline),
        };
        answer(&ports, connection, &delivery.message.run).await.map_err(|error| error.to_string())
    }

    fn calls(&self) -> Counters {
        self.clients.calls()
    }
}
