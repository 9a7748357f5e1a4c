//! The trust boundary of a deployed stack: what a configuration may say where functions carry it out, and which parts of
//! it take an approver.
//!
//! A function holds credentials that the people who push configurations do not have: its role, the connection's secrets
//! and tokens. A configuration decides where these are sent and where they come from, so a stack takes a configuration
//! only within limits that its owner sets when it is deployed, and a change of who is written to, how the application
//! proves itself or where people come from only from an approver. Both are decided here, from values alone.

use std::fmt;

use hardmatch_domain::ids::ConnectionId;
use url::Url;

use crate::config::{ClientProof, Config, Method, Passwords};
use crate::places::{SecretRef, TokenRef};

mod sources;
#[cfg(test)]
mod tests;

/// What a stack lets its configurations name, set by its owner when the stack is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackLimits {
    hosts: Vec<AllowedHost>,
    /// What the names of secrets begin with; `None` lets functions read no secret.
    secret_prefix: Option<String>,
}

/// An entry in the list of allowed hosts. Compared after the URL parser's normalisation: lower case, punycode.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AllowedHost {
    host: String,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Exactly(u16),
    /// `HOST:*`.
    Any,
}

/// An entry of the list of allowed hosts that is not a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a host. Write hosts as login.example.com, login.example.com:8443 or login.example.com:*, separated by commas"
)]
pub struct BadHost(pub String);

impl StackLimits {
    /// From the stack's parameters: hosts separated by commas (`HOST` means port 443, `HOST:PORT` that port, `HOST:*` any),
    /// and what the names of secrets begin with; an empty prefix lets functions read none.
    ///
    /// # Errors
    /// An entry is not a host.
    pub fn new(hosts: &str, secret_prefix: &str) -> Result<Self, BadHost> {
        let entries = hosts.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let hosts = entries.map(AllowedHost::parse).collect::<Result<_, _>>()?;
        let secret_prefix = Some(secret_prefix.trim()).filter(|prefix| !prefix.is_empty()).map(str::to_owned);
        Ok(Self { hosts, secret_prefix })
    }

    /// What a configuration says that functions do not carry out: one sentence each, with its cure. Empty when the
    /// configuration is within the limits.
    pub fn violations(&self, config: &Config) -> Vec<String> {
        let mut found = Vec::new();
        if config.tenant.cloud.endpoints().is_none() {
            found.push(
                "a simulated tenant lives on one machine. Name the cloud of a real tenant as tenant.cloud".to_owned(),
            );
        }
        for (key, url) in hosts(config) {
            found.extend(self.host(key, &url).err());
        }
        for (key, place) in secrets(config) {
            found.extend(match place {
                SecretRef::Env(_) => Some(refused(key, "env:", "an environment variable of the function")),
                SecretRef::File(_) => Some(refused(key, "file:", "a file of the function")),
                SecretRef::SecretsManager(arn) => self.secret(&config.connection, arn).err().or_else(|| {
                    let folder = self.source_folder(&config.connection);
                    self.is_of_source(&config.connection, arn).then(|| format!(
                        "{key} names a secret in {folder}, which the function that reads the source can read. Store it under another name"
                    ))
                }),
            });
        }
        if let Some(Method::Federated { audience, token }) = config.tenant.auth.as_ref().map(|auth| &auth.method) {
            let cure = "Leave tenant.auth.token out: a function proves itself with the identity of its own role";
            found.extend(token.as_ref().map(|token| match token {
                TokenRef::File(_) => {
                    format!("tenant.auth.token = \"file:…\" would send a file of the function. {cure}")
                }
                TokenRef::Command { .. } => format!("tenant.auth.token = \"command:…\" would start a program. {cure}"),
            }));
            found.extend(own_audience(&config.connection, audience).err());
        }
        found.extend(self.violations_of_sources(config));
        if let Passwords::File(_) = &config.passwords {
            found.push("[passwords] names a file, and functions keep none. Leave [passwords] out, or write deliver_to = \"discard\"".to_owned());
        }
        found
    }

    /// Whether functions may send to the host of a URL; otherwise why not.
    fn host(&self, key: &str, text: &str) -> Result<(), String> {
        let Ok(url) = Url::parse(text) else {
            return Err(format!("{key} is not a URL. Write it as https://HOST"));
        };
        if self.hosts.iter().any(|allowed| allowed.covers(&url)) {
            return Ok(());
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Err(format!(
            "{key} names the host {}{port}, which is not in the stack's list of hosts. Name a host of that list, or let the stack's owner add it to the parameter AllowedHosts",
            url.host_str().unwrap_or_default()
        ))
    }

    /// Whether a connection may use a secret of AWS Secrets Manager: its name is the stack's prefix, the connection's name,
    /// a slash, and more. Otherwise why not.
    ///
    /// # Errors
    /// A sentence with its cure.
    pub fn secret(&self, connection: &ConnectionId, arn: &str) -> Result<(), String> {
        let Some(prefix) = &self.secret_prefix else {
            return Err("the stack lets functions read no secret. Let the stack's owner set its parameter SecretPrefix, or use method = \"federated\", which needs no secret".to_owned());
        };
        let folder = format!("{prefix}{connection}/");
        let cure = format!(
            "Store the secret under a name that begins with {folder}, and write its ARN: arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:{folder}NAME"
        );
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "secretsmanager", region, account, "secret", name] = parts[..] else {
            return Err(format!("secretsmanager: does not name one secret by its ARN. {cure}"));
        };
        // Letters that names of secrets have; a wildcard is none of them.
        // <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte));
        let whole = !partition.is_empty()
            && plain(partition)
            && !region.is_empty()
            && plain(region)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && plain(name);
        // A name is no path, and nobody follows `..` in it; read by people as a path, it would mislead an approver.
        let own = name.strip_prefix(folder.as_str()).filter(|rest| !rest.is_empty());
        let steps =
            |rest: &str| rest.split('/').chain([connection.as_str()]).any(|part| matches!(part, "" | "." | ".."));
        match own {
            Some(rest) if whole && !steps(rest) => Ok(()),
            _ => Err(format!("the secret is not one of connection {connection}. {cure}")),
        }
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(entry.to_owned());
        let (name, any) = match entry.strip_suffix(":*") {
            Some(name) => (name, true),
            None => (entry, false),
        };
        if name.contains(|c: char| c.is_whitespace() || c.is_control() || "@/?#\\*%".contains(c)) {
            return Err(bad());
        }
        let url = Url::parse(&format!("https://{name}/")).map_err(|_| bad())?;
        if any && url.port().is_some() {
            return Err(bad());
        }
        let host = url.host_str().ok_or_else(bad)?.to_owned();
        let port = if any { Port::Any } else { Port::Exactly(url.port_or_known_default().ok_or_else(bad)?) };
        Ok(Self { host, port })
    }

    fn takes(&self, port: u16) -> bool {
        match self.port {
            Port::Any => true,
            Port::Exactly(exactly) => exactly == port,
        }
    }

    fn covers(&self, url: &Url) -> bool {
        let port = url.port_or_known_default().is_some_and(|port| self.takes(port));
        let bare = url.username().is_empty() && url.password().is_none();
        bare && port && is_private(url) && url.host_str() == Some(self.host.as_str())
    }
}

/// Whether nobody can listen in: HTTPS, or plain HTTP within one machine.
fn is_private(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}

/// Every URL that a configuration names, with its key: what functions send to, and where a browser is sent back.
fn hosts(config: &Config) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(endpoints) = config.tenant.cloud.endpoints() {
        found.push(("tenant.login", endpoints.login));
        found.push(("tenant.graph", endpoints.graph));
    }
    if let Some(Method::Delegated { redirect: Some(redirect), .. }) =
        config.tenant.auth.as_ref().map(|auth| &auth.method)
    {
        found.push(("tenant.auth.redirect", redirect.clone()));
    }
    found
}

/// Every place of a secret of the tenant that a configuration names, with its key.
fn secrets(config: &Config) -> Vec<(&'static str, &SecretRef)> {
    let (secret, certificate) = match config.tenant.auth.as_ref().map(|auth| &auth.method) {
        Some(Method::Secret(secret) | Method::Delegated { client: ClientProof::Secret(secret), .. }) => {
            (Some(secret), None)
        }
        Some(
            Method::Certificate(certificate) | Method::Delegated { client: ClientProof::Certificate(certificate), .. },
        ) => (None, Some(certificate)),
        Some(Method::Federated { .. } | Method::Delegated { client: ClientProof::Public, .. }) | None => (None, None),
    };
    let mut found = Vec::new();
    found.extend(secret.map(|secret| ("tenant.auth.secret", &secret.place)));
    found.extend(certificate.map(|certificate| ("tenant.auth.certificate", &certificate.certificate)));
    found.extend(certificate.and_then(|certificate| certificate.key.as_ref()).map(|key| ("tenant.auth.key", key)));
    found
}

fn refused(key: &str, kind: &str, what: &str) -> String {
    format!(
        "{key} = \"{kind}…\" would send {what}. Store the secret in AWS Secrets Manager and write {key} = \"secretsmanager:ARN\""
    )
}

/// The audiences of Microsoft's clouds.
/// <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>
const AUDIENCES: [&str; 3] =
    ["api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"];

/// Functions ask for identity tokens with the audience of a Microsoft cloud, or with one that ends in the connection's own
/// name, which no other connection gets a token for.
fn own_audience(connection: &ConnectionId, audience: &str) -> Result<(), String> {
    let own = |cloud: &&str| {
        audience.strip_prefix(*cloud).and_then(|rest| rest.strip_prefix('/')) == Some(connection.as_str())
    };
    if AUDIENCES.contains(&audience) || AUDIENCES.iter().any(own) {
        return Ok(());
    }
    Err(format!(
        "tenant.auth.audience is neither the audience of a Microsoft cloud nor this connection's own. Leave it out, or write api://AzureADTokenExchange/{connection}"
    ))
}

/// The configuration that a connection has now.
#[derive(Clone, Copy, Debug)]
pub enum Active<'c> {
    /// None: the connection is new.
    Missing,
    /// One that this version does not understand.
    Unreadable,
    /// This one.
    Understood(&'c Config),
}

/// A part of a configuration that an approver sets and an operator leaves as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protected {
    /// All of them, in a connection's first configuration.
    First,
    /// All of them: what they were cannot be read.
    Unknown,
    /// Which tenant is written to, in which cloud: `[tenant]`.
    Tenant,
    /// How the application proves itself: `[tenant.auth]`.
    SignIn,
    /// Where people come from: `source.location`.
    SourceLocation,
    /// By whose word a directory is the one that is meant: `source.ca`, `source.nameserver`.
    SourceAuthority,
    /// Which password goes to which of several directories: `source.password`.
    SourcePassword,
}

impl fmt::Display for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "it is the connection's first configuration, which names its tenant, sign-in and source",
            Self::Unknown => {
                "the stored configuration cannot be read, so that every part of the new one counts as changed"
            }
            Self::Tenant => "[tenant] changes",
            Self::SignIn => "[tenant.auth] changes",
            Self::SourceLocation => "source.location changes",
            Self::SourceAuthority => "source.ca or source.nameserver changes",
            Self::SourcePassword => "source.password of one of several directories changes",
        })
    }
}

/// What in a new configuration takes an approver. An operator may push whatever else there is.
pub fn protected_changes(active: Active<'_>, new: &Config) -> Vec<Protected> {
    let old = match active {
        Active::Missing => return vec![Protected::First],
        Active::Unreadable => return vec![Protected::Unknown],
        Active::Understood(old) => old,
    };
    let changes = [
        (old.tenant.id != new.tenant.id || old.tenant.cloud != new.tenant.cloud, Protected::Tenant),
        (old.tenant.auth != new.tenant.auth, Protected::SignIn),
        (sources::locations(old) != sources::locations(new), Protected::SourceLocation),
        (sources::authorities(old) != sources::authorities(new), Protected::SourceAuthority),
        (sources::passwords(old) != sources::passwords(new), Protected::SourcePassword),
    ];
    changes.into_iter().filter(|(changed, _)| *changed).map(|(_, part)| part).collect()
}

/// Why a push takes an approver, and what to do: one text for the function that refuses and the command that asks.
pub fn takes_an_approver(changes: &[Protected]) -> String {
    let why: Vec<String> = changes.iter().map(ToString::to_string).collect();
    format!(
        "this takes an approver, because {}. Ask somebody whose role has the stack's approver policy to run the same command",
        why.join(", and ")
    )
}
