//! Where the clients come from: one configuration, read once from the environment as every AWS tool reads it.

use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::region::ProvideRegion as _;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use hardmatch_ports::Clock;

#[cfg(feature = "blobs")]
use crate::blobs::S3Blobs;
use crate::doorbell::{QueueUrls, SqsDoorbell};
#[cfg(feature = "credentials")]
use crate::identity::StsWebIdentity;
#[cfg(feature = "credentials")]
use crate::seal::KmsSeal;
#[cfg(feature = "secrets")]
use crate::secrets::SecretsManager;
use crate::table::DynamoTable;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(3);
/// Until one attempt of a small request is answered. A part of an upload has [`UPLOAD`].
const ATTEMPT: Duration = Duration::from_secs(10);
/// Until one part of an upload is answered.
#[cfg(feature = "blobs")]
const UPLOAD: Duration = Duration::from_mins(1);
/// Attempts of everything but the table, by the SDK itself: these calls may all be repeated, and a lost answer harms
/// nothing.
const ATTEMPTS: u32 = 3;

/// An account and a region of AWS, as the environment names them. Gives the adapters; build each once, when the function
/// starts.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    clock: Arc<dyn Clock>,
    dynamo: aws_sdk_dynamodb::Client,
}

impl Aws {
    /// Credentials, region and endpoint from the environment, the profile files, or the machine's role.
    /// `AWS_ENDPOINT_URL` is respected.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>
    pub async fn load(clock: Arc<dyn Clock>) -> Self {
        Self::with(aws_config::load_defaults(BehaviorVersion::latest()).await, clock)
    }

    /// As Lambda hands them to a function: credentials and region from the environment, and looked for nowhere else. What
    /// would read profile files or ask for a machine's role is then not even linked. `endpoint` takes the place of every
    /// service's own address.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
    pub async fn in_function(endpoint: Option<String>, clock: Arc<dyn Clock>) -> Self {
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(EnvironmentVariableRegionProvider::new().region().await)
            .credentials_provider(credentials);
        config.set_endpoint_url(endpoint);
        Self::with(config.build(), clock)
    }

    /// With a configuration of the caller's.
    pub fn with(config: SdkConfig, clock: Arc<dyn Clock>) -> Self {
        let config = config
            .into_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts(ATTEMPT))
            .build();
        // The table asks again by itself: only it knows whether an attempt whose answer was lost may be repeated, its
        // waits go by the clock, and what it gives up it gives back to the queue.
        let dynamo = aws_sdk_dynamodb::Client::from_conf(
            aws_sdk_dynamodb::config::Builder::from(&config).retry_config(RetryConfig::disabled()).build(),
        );
        Self { config, clock, dynamo }
    }

    /// The configuration underneath.
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// A table by name. All tables share one client.
    pub fn table(&self, name: impl Into<String>) -> DynamoTable {
        DynamoTable::new(self.dynamo.clone(), name, Arc::clone(&self.clock))
    }

    /// The blobs of a bucket.
    #[cfg(feature = "blobs")]
    pub fn blobs(&self, bucket: impl Into<String>) -> S3Blobs {
        S3Blobs::new(self.s3(), bucket)
    }

    #[cfg(feature = "blobs")]
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config)
            // A stand-in answers under one name for all buckets.
            .force_path_style(self.config.endpoint_url().is_some())
            .timeout_config(timeouts(UPLOAD))
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// The queues by URL.
    pub fn doorbell(&self, urls: QueueUrls) -> SqsDoorbell {
        SqsDoorbell::new(aws_sdk_sqs::Client::new(&self.config), urls)
    }

    /// The key of a key service, by id, ARN or alias.
    #[cfg(feature = "credentials")]
    pub fn seal(&self, key: impl Into<String>) -> KmsSeal {
        KmsSeal::new(aws_sdk_kms::Client::new(&self.config), key)
    }

    /// The role's own identity, for others to trust.
    #[cfg(feature = "credentials")]
    pub fn web_identity(&self) -> StsWebIdentity {
        StsWebIdentity::new(aws_sdk_sts::Client::new(&self.config))
    }

    /// Secrets by ARN.
    #[cfg(feature = "secrets")]
    pub fn secrets(&self) -> SecretsManager {
        SecretsManager::new(aws_sdk_secretsmanager::Client::new(&self.config), Arc::clone(&self.clock))
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}
