//! Wires the tenant side on AWS. No way to the source is linked here.

use std::sync::Arc;

use hardmatch_checkup::{TenantRequestContext, answer, note_expiry};
use hardmatch_ingest::{After, TenantPorts, observe_tenant, observe_tenant_now};
use hardmatch_ports::doorbell::{MessageKind, Urgency};
use hardmatch_ports::tenant::Counters;
use hardmatch_wiring::clients::Clients;
use hardmatch_wiring::lambda::{Delivery, Error, Home, MessageHandler, Timestamp, serve};
use hardmatch_wiring::tokens::TokenHome;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let home = Home::open().await?;
    let tokens = TokenHome::open(&home)?;
    let clients = Clients::new(tokens.clone());
    serve(home.clone(), Tenant { home, clients, tokens }).await
}

struct Tenant {
    home: Home,
    clients: Clients,
    tokens: TokenHome,
}

impl MessageHandler for Tenant {
    async fn answer(&self, delivery: Delivery) -> Result<After, String> {
        let connection = &delivery.message.connection;
        let opened = self.home.connections.open(connection).await.map_err(|error| error.to_string())?;
        match &delivery.message.kind {
            MessageKind::ObserveTenant => {}
            MessageKind::TenantRequest { reply, query } => {
                let context = TenantRequestContext {
                    store: self.home.store.clone(),
                    vault: self.tokens.vault(connection),
                    means: self.tokens.means(connection),
                    clock: Arc::clone(&self.home.clock),
                };
                answer(&context, connection, &opened, query, reply).await.map_err(|error| error.to_string())?;
                return Ok(After::Done);
            }
            MessageKind::ObserveSource
            | MessageKind::SyncPeople
            | MessageKind::Match
            | MessageKind::Write
            | MessageKind::WriteBack
            | MessageKind::Advance
            | MessageKind::Start { .. }
            | MessageKind::Nightly { .. }
            | MessageKind::Tick
            | MessageKind::OperatorCommand { .. } => return Ok(After::Done),
        }
        let client = self.clients.of(connection, &opened).map_err(|error| error.to_string())?;
        let ends = self.clients.credential_ends(connection).await;
        if opened.meta.credential.ends != ends.map(Timestamp::as_second) {
            note_expiry(&self.home.store, connection, ends).await.map_err(|error| error.to_string())?;
        }
        let ports = TenantPorts {
            store: self.home.store.clone(),
            scope: opened.scope,
            tenant: client.graph,
            policies: Arc::clone(&self.home.policies),
            clock: Arc::clone(&self.home.clock),
            doorbell: Arc::clone(&self.home.doorbell),
            blobs: Arc::clone(&self.home.blobs),
            deadline: Some(delivery.deadline),
        };
        let run = &delivery.message.run;
        let after = match delivery.message.urgency {
            Urgency::Scheduled => observe_tenant(&ports, connection, run).await,
            Urgency::Now => observe_tenant_now(&ports, connection, run).await,
        };
        after.map_err(|error| error.to_string())
    }

    fn calls(&self) -> Counters {
        self.clients.calls()
    }
}
