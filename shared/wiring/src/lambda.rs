//! A Lambda function's home: its names from the environment, its adapters on AWS, and the loop that hands it messages.

mod dead_letters;
mod failed;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "directories")]
pub use hardmatch_aws::SecretsManager;
use hardmatch_aws::{Aws, QueueUrls, SqsDoorbell};
use hardmatch_policy::{BadHost, StackLimits};
use hardmatch_ports::doorbell::{After, Doorbell, Message, Queue};
use hardmatch_ports::table::Units;
use hardmatch_ports::tenant::Counters;
use hardmatch_ports::{Clock, Policies, Table};
use hardmatch_runtime::env::{self, Variable};
use hardmatch_runtime::queue::{BatchResponse, SqsEvent};
use hardmatch_runtime::telemetry::field;
use hardmatch_runtime::{Metrics, MetricsLog, MetricsScope, RealClock, run_batch, telemetry};
use hardmatch_store::costs::Cost;
use hardmatch_store::troubles::Trouble;
use hardmatch_store::{KEEP_DAYS, Store, StoreError};
pub use jiff::Timestamp;
pub use lambda_runtime::Error;
use lambda_runtime::{LambdaEvent, service_fn};
use tracing::Instrument as _;

pub use self::dead_letters::judge_dead_letter;
use crate::connections::Connections;
use crate::policies::CompiledPolicies;

/// Kept back from a function's time for leaving everything in order.
const MARGIN: Duration = Duration::from_secs(10);

/// Why a function cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing.
    #[error("the environment variable {0} is not set. Deploy the function with infra/template.yaml, which sets it")]
    Missing(&'static str),
    /// A variable is no text.
    #[error(transparent)]
    NotText(#[from] env::NotText),
    /// The log cannot be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    /// A parameter of the stack is not as it must be.
    #[error("the stack's parameter AllowedHosts: {0}")]
    Hosts(#[from] BadHost),
    /// The table does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What every function has: the table, doorbells, time; and blobs, for those that were given them.
#[derive(Clone)]
pub struct Home {
    /// The adapters' maker, for what only some functions have.
    pub aws: Aws,
    /// The table that holds the work.
    pub table: Arc<dyn Table>,
    /// Item kinds over it.
    pub store: Store,
    /// Plans, listings, reports.
    #[cfg(feature = "blobs")]
    pub blobs: Arc<dyn hardmatch_ports::Blobs>,
    /// The queues.
    pub doorbell: Arc<dyn Doorbell>,
    /// The queues, for functions that also move, count or hide messages.
    pub queues: Arc<SqsDoorbell>,
    /// What the stack lets configurations say.
    pub limits: Arc<StackLimits>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Connections by name.
    pub connections: Arc<Connections>,
    /// Their policies, compiled.
    pub policies: Arc<dyn Policies>,
    /// What CloudWatch is told.
    pub metrics: MetricsLog,
}

impl Home {
    /// Reads the environment, starts the log and builds the clients, once.
    pub async fn open() -> Result<Self, StartError> {
        telemetry::start(telemetry::LogFormat::Json, "info")?;
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let aws = Aws::in_function(env::read(env::AWS_ENDPOINT_URL.name)?, Arc::clone(&clock)).await;
        let table: Arc<dyn Table> = Arc::new(aws.table(needed(env::TABLE)?));
        let days = env::read(env::KEEP_DAYS.name)?.and_then(|days| days.parse().ok()).unwrap_or(KEEP_DAYS);
        let store = Store::open(Arc::clone(&table)).await?.keeping(days);
        let mut urls = QueueUrls::new();
        for queue in Queue::ALL {
            urls.insert(queue, needed(url_of(queue))?);
        }
        let queues = Arc::new(aws.doorbell(urls));
        let doorbell: Arc<dyn Doorbell> = Arc::clone(&queues) as _;
        let prefix = env::read(env::SECRET_PREFIX.name)?.unwrap_or_default();
        let limits = Arc::new(StackLimits::new(&needed(env::ALLOWED_HOSTS)?, &prefix)?);
        let connections = Arc::new(Connections::new(store.clone(), Some(Arc::clone(&limits))));
        let policies: Arc<dyn Policies> = Arc::new(CompiledPolicies::without_files());
        let metrics =
            MetricsLog::stdout(&needed(env::STACK)?, MetricsScope::parse(env::read(env::METRICS.name)?.as_deref()));
        Ok(Self {
            #[cfg(feature = "blobs")]
            blobs: Arc::new(aws.blobs(needed(env::BUCKET)?)),
            aws,
            table,
            store,
            doorbell,
            queues,
            limits,
            clock,
            connections,
            policies,
            metrics,
        })
    }
}

/// Where the URL of a queue stands that carries a queue's messages.
fn url_of(queue: Queue) -> Variable {
    match queue {
        Queue::Source => env::QUEUE_SOURCE,
        Queue::Tenant => env::QUEUE_TENANT,
        Queue::Match | Queue::MatchNow => env::QUEUE_MATCH,
        Queue::Write | Queue::WriteNow => env::QUEUE_WRITE,
    }
}

/// A variable that the template sets.
pub fn needed(variable: Variable) -> Result<String, StartError> {
    env::read(variable.name)?.ok_or(StartError::Missing(variable.name))
}

/// Where the counters stood when the answer to a message began.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    units: Units,
    at: Timestamp,
}

impl Begun {
    fn now(home: &Home) -> Self {
        Self { units: home.table.units(), at: home.clock.now() }
    }

    /// What the message has cost since, without its calls to the tenant.
    pub fn cost(&self, home: &Home) -> Cost {
        let worked = home.clock.now().duration_since(self.at);
        Cost {
            calls: Counters::default(),
            units: home.table.units().since(self.units),
            messages: 1,
            worked_ms: u64::try_from(worked.as_millis()).unwrap_or_default(),
        }
    }
}

/// One message to be answered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// When the handler must have left everything in order.
    pub deadline: Timestamp,
    /// Who sent it, as the queue knows it: an IAM principal, not what a message claims.
    pub sender: String,
    /// Which queue it came from, by the last part of its name.
    pub queue: String,
    /// Names this receipt of the message.
    pub receipt: String,
    /// When it was sent, as the queue knows it.
    pub sent: Option<Timestamp>,
    /// Where the counters stood before anything was done for it.
    pub begun: Begun,
}

impl Delivery {
    /// Who sent it, for the log: a session of a role is named after somebody, often by their address, so that name is left
    /// out.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
    pub fn principal(&self) -> &str {
        self.sender.split_once(':').map_or(&self.sender, |(principal, _)| principal)
    }
}

/// Answers messages of one kind of function.
pub trait MessageHandler: Send + Sync + 'static {
    /// Answers one message. An error leaves it in its queue.
    fn answer(&self, delivery: Delivery) -> impl Future<Output = Result<After, String>> + Send;

    /// Calls to the tenant so far, by this process.
    fn calls(&self) -> Counters {
        Counters::default()
    }
}

/// Takes batches of messages from Lambda until the process is ended. What a message has cost is noted with its run.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
pub async fn serve(home: Home, answers: impl MessageHandler) -> Result<(), Error> {
    let shared = Arc::new((home, answers));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let shared = Arc::clone(&shared);
        let span = tracing::error_span!(
            "invocation",
            { field::FUNCTION_NAME } = event.context.env_config.function_name,
            { field::INVOCATION_ID } = event.context.request_id,
        );
        let handled = async move {
            let deadline = Timestamp::try_from(event.context.deadline()).unwrap_or(Timestamp::MAX);
            let deadline = deadline.saturating_sub(MARGIN).unwrap_or(deadline);
            Ok::<BatchResponse, Error>(batch(&shared.0, &shared.1, event.payload, deadline).await)
        };
        handled.instrument(span)
    }))
    .await
}

/// One batch. Messages are answered one after the other, so what changes in the counters meanwhile is theirs.
async fn batch(home: &Home, answers: &impl MessageHandler, event: SqsEvent, deadline: Timestamp) -> BatchResponse {
    let mut response = BatchResponse::default();
    for record in event.records {
        let (sender, queue) = (
            record.attributes.get("SenderId").cloned().unwrap_or_default(),
            record.event_source_arn.rsplit(':').next().unwrap_or_default().to_owned(),
        );
        let id = record.message_id.clone();
        let (handle, received) = (record.receipt_handle.clone(), record.received());
        let sent =
            record.attributes.get("SentTimestamp").and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok());
        if failed::has_expired(&queue, sent, home.clock.now()) {
            failed::expire(home, &record).await;
            continue;
        }
        if failed::is_brief(&record.body) {
            failed::hand_over_again(home, &queue, &handle, failed::BRIEF).await;
        }
        let receipt = format!("{id}#{}", record.received().unwrap_or_default());
        let from = queue.clone();
        let one = SqsEvent { records: vec![record] };
        let answered = run_batch(one, &*home.doorbell, |message| {
            let (sender, queue, receipt) = (sender.clone(), queue.clone(), receipt.clone());
            let delivery = Delivery { message, deadline, sender, queue, receipt, sent, begun: Begun::now(home) };
            let id = id.clone();
            async move {
                let answer = metered(home, answers, delivery).await;
                if let Err(why) = &answer {
                    note_failure(home, &id, why).await;
                }
                answer
            }
        })
        .await;
        if !answered.batch_item_failures.is_empty() {
            failed::hand_over_again(home, &from, &handle, failed::rest_after(received)).await;
        }
        response.batch_item_failures.extend(answered.batch_item_failures);
    }
    response
}

/// Keeps why a message failed beside the work: should it be put aside, this is what an operator is shown.
async fn note_failure(home: &Home, record: &str, why: &str) {
    let trouble = Trouble { why: why.to_owned(), at: home.clock.now().as_second() };
    if let Err(error) = home.store.note_failure(record, &trouble).await {
        tracing::warn!(error = %error, "why a message failed could not be noted");
    }
}

async fn metered(home: &Home, answers: &impl MessageHandler, delivery: Delivery) -> Result<After, String> {
    let (message, receipt) = (delivery.message.clone(), delivery.receipt.clone());
    let (calls, begun) = (answers.calls(), delivery.begun);
    // Boxed: the compiler lays out the whole of a handler's work in one piece otherwise, and gives up.
    let answer = Box::pin(answers.answer(delivery)).await;
    let mut cost = Cost { calls: answers.calls().since(calls), ..begun.cost(home) };
    if !message.run.is_empty() {
        cost.units.write += 1;
        if let Err(error) = home.store.note_cost(&message.run, &receipt, &cost, home.clock.now().as_second()).await {
            tracing::warn!(run.id = message.run, error = %error, "what a message has cost could not be noted");
        }
    }
    let now = home.clock.now();
    home.metrics.write(&Metrics::of_message(&message, &cost.calls, &cost.units), now);
    answer
}

#[cfg(test)]
mod tests;
