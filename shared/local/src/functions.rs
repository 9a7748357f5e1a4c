//! The functions, each with its own ports, made from one list of parts.

use std::fmt::Display;
use std::sync::Arc;

use hardmatch_ingest::{SourcePorts, TenantPorts};
use hardmatch_match::{MatchPorts, RunMetrics};
use hardmatch_ports::credentials::PasswordSink;
use hardmatch_ports::doorbell::{After, MessageKind, Urgency};
use hardmatch_ports::source::Source;
use hardmatch_ports::{Blobs, Clock, Doorbell, Message, Policies, TenantRead, TenantWrite};
use hardmatch_store::{Store, TenantKey};
use hardmatch_write::WritePorts;
use jiff::Timestamp;

/// What functions are made from.
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// Plans, listings and reports.
    pub blobs: Arc<dyn Blobs>,
    /// Cloud and tenant.
    pub scope: TenantKey,
    /// The directory.
    pub source: Arc<dyn Source>,
    /// The tenant, to be read.
    pub tenant: Arc<dyn TenantRead>,
    /// The tenant, to be written to.
    pub writer: Arc<dyn TenantWrite>,
    /// The application that writes.
    pub client_id: String,
    /// Where initial passwords go.
    pub passwords: Arc<dyn PasswordSink>,
    /// Policies by revision.
    pub policies: Arc<dyn Policies>,
    /// What a run has cost.
    pub metrics: Arc<dyn RunMetrics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where functions notify one another.
    pub doorbell: Arc<dyn Doorbell>,
    /// This process, in words for people.
    pub holder: String,
}

/// The functions with their ports.
#[derive(Clone)]
pub struct Functions {
    /// `ingest`, the side of the source.
    pub source: SourcePorts,
    /// `ingest`, the side of the tenant.
    pub tenant: TenantPorts,
    /// `match`.
    pub deciding: MatchPorts,
    /// `write`.
    pub writing: WritePorts,
}

impl Functions {
    /// Gives each function what it may use, and nothing else.
    pub fn new(parts: Parts) -> Self {
        let deciding = MatchPorts {
            store: parts.store.clone(),
            scope: parts.scope.clone(),
            blobs: Arc::clone(&parts.blobs),
            clock: Arc::clone(&parts.clock),
            doorbell: Arc::clone(&parts.doorbell),
            policies: Arc::clone(&parts.policies),
            metrics: parts.metrics,
            deadline: None,
        };
        let source = SourcePorts {
            store: parts.store.clone(),
            scope: parts.scope.clone(),
            source: parts.source,
            policies: Arc::clone(&parts.policies),
            clock: Arc::clone(&parts.clock),
            doorbell: Arc::clone(&parts.doorbell),
            deadline: None,
        };
        let tenant = TenantPorts {
            store: parts.store.clone(),
            scope: parts.scope.clone(),
            tenant: parts.tenant,
            policies: parts.policies,
            clock: Arc::clone(&parts.clock),
            doorbell: Arc::clone(&parts.doorbell),
            blobs: parts.blobs,
            deadline: None,
        };
        let writing = WritePorts {
            store: parts.store,
            scope: parts.scope,
            client: parts.client_id,
            tenant: parts.writer,
            passwords: parts.passwords,
            clock: parts.clock,
            doorbell: parts.doorbell,
            holder: parts.holder,
            deadline: None,
        };
        Self { source, tenant, deciding, writing }
    }

    /// The same functions, of which a message has time until then; `None`: as much as it takes.
    #[must_use]
    pub fn with_deadline(&self, deadline: Option<Timestamp>) -> Self {
        Self {
            source: SourcePorts { deadline, ..self.source.clone() },
            tenant: TenantPorts { deadline, ..self.tenant.clone() },
            deciding: MatchPorts { deadline, ..self.deciding.clone() },
            writing: WritePorts { deadline, ..self.writing.clone() },
        }
    }

    /// Answers a message with the function that it is for, as on AWS: what the tenant refuses is not the message's fault,
    /// and is found again by the next process that notifies.
    pub async fn answer(&self, message: &Message) -> Result<After, String> {
        match message.kind {
            MessageKind::Write => {
                told(hardmatch_write::answer(&self.writing, &message.connection, message.run.as_str()).await)
            }
            _ => self.answer_or_fail(message).await,
        }
    }

    /// Answers a message with the function that it is for, where somebody waits: what goes wrong with the tenant is an error.
    pub async fn answer_or_fail(&self, message: &Message) -> Result<After, String> {
        let (connection, run) = (&message.connection, message.run.as_str());
        match message.kind {
            MessageKind::ObserveSource => match message.urgency {
                Urgency::Scheduled => told(hardmatch_ingest::observe_source(&self.source, connection, run).await),
                Urgency::Now => told(hardmatch_ingest::observe_source_now(&self.source, connection, run).await),
            },
            MessageKind::WriteBack => told(hardmatch_ingest::write_back(&self.source, connection, run).await),
            MessageKind::ObserveTenant => match message.urgency {
                Urgency::Scheduled => told(hardmatch_ingest::observe_tenant(&self.tenant, connection, run).await),
                Urgency::Now => told(hardmatch_ingest::observe_tenant_now(&self.tenant, connection, run).await),
            },
            MessageKind::Match
            | MessageKind::Advance
            | MessageKind::Start { .. }
            | MessageKind::Nightly { .. }
            | MessageKind::Tick
            | MessageKind::OperatorCommand { .. }
            | MessageKind::SyncPeople
            | MessageKind::TenantRequest { .. } => told(hardmatch_match::answer(&self.deciding, message).await),
            MessageKind::Write => told(hardmatch_write::drain(&self.writing, connection, run).await),
        }
    }
}

fn told<E: Display>(after: Result<After, E>) -> Result<After, String> {
    after.map_err(|error| error.to_string())
}
