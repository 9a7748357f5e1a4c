//! The tenant's client, with the credential that a configuration names.

use std::collections::BTreeSet;
use std::sync::Arc;

use hardmatch_graph::{EntraPlatform, GrantKind, GraphClient, GraphOptions};
use hardmatch_policy::permission::{least, needs};
use hardmatch_policy::{ClientCertificate, ClientProof, ClientSecret, Config, Endpoints, Method, SecretRef, TokenRef};
use hardmatch_ports::credentials::{Credential, SecretReader, WebIdentity};
use hardmatch_ports::{Clock, TokenStore};
#[cfg(feature = "programs")]
use hardmatch_vault::CommandIdentity;
use hardmatch_vault::{
    CertificateCredential, DelegatedCredential, FederatedCredential, FileIdentity, SecretCredential, SecretPlace,
};
use url::Url;

use crate::Unfit;

/// What the place where we run has to offer.
#[derive(Clone)]
pub struct TenantMeans {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The platform's own identity, where it has one.
    pub identity: Option<Arc<dyn WebIdentity>>,
    /// Secrets by reference, where there is a service for them.
    pub secrets: Option<Arc<dyn SecretReader>>,
    /// Keeps the connection's tokens.
    pub token_store: Option<Arc<dyn TokenStore>>,
}

/// How the application of a configuration proves itself. `None`: the configuration does not say, as it may for a simulated
/// tenant.
pub fn credential(config: &Config, means: &TenantMeans) -> Result<Option<Arc<dyn Credential>>, Unfit> {
    let Some(auth) = &config.tenant.auth else { return Ok(None) };
    Ok(Some(match &auth.method {
        Method::Secret(secret) => client_secret(secret, means)?,
        Method::Certificate(certificate) => client_certificate(certificate, means)?,
        Method::Federated { audience, token } => {
            Arc::new(FederatedCredential::new(identity(token.as_ref(), means)?, audience))
        }
        Method::Delegated { client, .. } => Arc::new(match client {
            ClientProof::Secret(secret) => DelegatedCredential::confidential(client_secret(secret, means)?),
            ClientProof::Certificate(certificate) => {
                DelegatedCredential::confidential(client_certificate(certificate, means)?)
            }
            ClientProof::Public => DelegatedCredential::public(),
        }),
    }))
}

fn identity(token: Option<&TokenRef>, means: &TenantMeans) -> Result<Arc<dyn WebIdentity>, Unfit> {
    match (token, &means.identity) {
        (Some(TokenRef::File(path)), _) => Ok(Arc::new(FileIdentity::new(path))),
        #[cfg(feature = "programs")]
        (Some(TokenRef::Command { program, arguments }), _) => {
            Ok(Arc::new(CommandIdentity::new(program, arguments.clone(), Arc::clone(&means.clock))))
        }
        #[cfg(not(feature = "programs"))]
        (Some(TokenRef::Command { .. }), _) => Err(Unfit(
            "functions start no programs. Leave tenant.auth.token out: a function proves itself with its role".to_owned(),
        )),
        (None, Some(identity)) => Ok(Arc::clone(identity)),
        (None, None) => Err(Unfit(
            "method = \"federated\" has the platform's own identity on AWS only; on this machine add token = \"file:PATH\" or \"command:PROGRAM\""
                .to_owned(),
        )),
    }
}

fn client_secret(secret: &ClientSecret, means: &TenantMeans) -> Result<Arc<dyn Credential>, Unfit> {
    Ok(Arc::new(SecretCredential::new(place(&secret.place, means)?, secret.expires)))
}

fn client_certificate(wanted: &ClientCertificate, means: &TenantMeans) -> Result<Arc<dyn Credential>, Unfit> {
    let key = wanted.key.as_ref().map(|kept| place(kept, means)).transpose()?;
    Ok(Arc::new(CertificateCredential::new(place(&wanted.certificate, means)?, key, Arc::clone(&means.clock))))
}

fn place(kept: &SecretRef, means: &TenantMeans) -> Result<SecretPlace, Unfit> {
    match (kept, &means.secrets) {
        (SecretRef::Env(name), _) => {
            Ok(SecretPlace::env(name.clone(), |name| hardmatch_runtime::env::read(name).ok().flatten()))
        }
        (SecretRef::File(path), _) => Ok(SecretPlace::file(path.clone())),
        (SecretRef::SecretsManager(arn), Some(reader)) => {
            Ok(SecretPlace::secrets_manager(arn.clone(), Arc::clone(reader)))
        }
        (SecretRef::SecretsManager(_), None) => {
            Err(Unfit("secretsmanager: references need AWS; use env:NAME or file:PATH on this machine".to_owned()))
        }
    }
}

/// The delegated permissions a configuration needs, when its administrator signs in.
pub fn scopes(config: &Config) -> BTreeSet<String> {
    least(&needs(&config.features()))
}

/// What a client of the tenant is made from.
pub fn options(
    config: &Config,
    endpoints: &Endpoints,
    client_id: &str,
    credential: Arc<dyn Credential>,
    means: &TenantMeans,
) -> Result<GraphOptions, Unfit> {
    let parse = |text: &str| Url::parse(text).map_err(|error| Unfit(format!("{text}: {error}")));
    let mut options = GraphOptions::new(
        config.tenant.id.clone(),
        client_id,
        parse(&endpoints.login)?,
        parse(&endpoints.graph)?,
        credential,
        Arc::clone(&means.clock),
    );
    options.extensions = config.directory_extensions();
    options.token_store.clone_from(&means.token_store);
    if let Some(Method::Delegated { .. }) = config.tenant.auth.as_ref().map(|auth| &auth.method) {
        options.grant = GrantKind::Delegated { scopes: scopes(config) };
    }
    Ok(options)
}

/// The options of a configuration that says everything itself: one of a real tenant.
pub fn whole(config: &Config, means: &TenantMeans) -> Result<(String, GraphOptions), Unfit> {
    let auth = config.tenant.auth.as_ref();
    let auth =
        auth.ok_or_else(|| Unfit("[tenant.auth] is missing: say how the application proves itself".to_owned()))?;
    let endpoints = config.tenant.cloud.endpoints();
    let endpoints = endpoints.ok_or_else(|| {
        Unfit("a simulated tenant lives on one machine; name a cloud that functions can reach".to_owned())
    })?;
    let credential = credential(config, means)?;
    let credential = credential.ok_or_else(|| Unfit("[tenant.auth] is missing".to_owned()))?;
    let options = options(config, &endpoints, &auth.client_id, credential, means)?;
    Ok((auth.client_id.clone(), options))
}

/// The tenant's client.
pub fn client(options: GraphOptions) -> Result<GraphClient, Unfit> {
    GraphClient::new(options).map_err(|error| Unfit(error.to_string()))
}

/// The identity platform, as the pages for connecting need it.
pub fn platform(options: &GraphOptions) -> Result<EntraPlatform, Unfit> {
    EntraPlatform::new(options).map_err(|error| Unfit(error.to_string()))
}
