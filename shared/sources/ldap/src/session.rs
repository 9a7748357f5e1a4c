//! One signed-in connection to one server, and what the server says about itself.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use hardmatch_ports::SourceError;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, StdStream};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::locate::{self, is_unknown};
use crate::refusal::{self, Asked};
use crate::settings::{LdapSettings, TimeLimits};
use crate::tls::{self, Presented};
use crate::wire::WireEntry;

/// Whether a server is Active Directory. <https://learn.microsoft.com/openspecs/windows_protocols/ms-adts/3ed61e6c-cfdc-487d-9f02-5a3397be3772>
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// A signed-in connection.
pub(crate) struct Session {
    pub(crate) ldap: Ldap,
    /// The server, as configured.
    pub(crate) server: String,
    pub(crate) settings: LdapSettings,
    pub(crate) is_active_directory: bool,
    /// The part of the tree that holds the base.
    pub(crate) context: String,
    /// OIDs of the controls that the server knows.
    pub(crate) controls: Vec<String>,
    /// The server's certificate.
    pub(crate) certificate: Presented,
    /// Ends with the session.
    _driver: JoinSet<()>,
}

impl Session {
    /// Signs in at the first server that can be reached.
    pub(crate) async fn open(settings: LdapSettings, password: SecretString) -> Result<Self, SourceError> {
        // An empty password is an anonymous bind to some servers, which succeeds and shows little.
        if password.expose_secret().is_empty() {
            return Err(SourceError {
                problem: "The password of [source] is empty, and an empty one is never sent".to_owned(),
                cure: "Put the password of the bind account where [source] password says".to_owned(),
                retry: false,
            });
        }
        let (config, certificate) = tls::config(&settings.ca)?;
        let mut unreachable: Option<SourceError> = None;
        for server in settings.servers.clone() {
            match connect(&server, config.clone(), &settings).await {
                Ok((ldap, driver)) => {
                    let mut session = Self::sign_in(ldap, driver, server, settings, &password).await?;
                    session.certificate = certificate;
                    return Ok(session);
                }
                // A certificate of somebody else's is not passed over for the next server.
                Err(error) if !error.retry && !is_unknown(&error) => return Err(error),
                Err(error) => unreachable = Some(unreachable.unwrap_or(error)),
            }
        }
        Err(unreachable.unwrap_or_else(|| SourceError {
            problem: "[source] location names no server".to_owned(),
            cure: "Write ldaps://host:636".to_owned(),
            retry: false,
        }))
    }

    async fn sign_in(
        mut ldap: Ldap,
        driver: JoinSet<()>,
        server: String,
        settings: LdapSettings,
        password: &SecretString,
    ) -> Result<Self, SourceError> {
        let bound =
            ldap.with_timeout(settings.limits.answer).simple_bind(&settings.bind, password.expose_secret()).await;
        let bound = bound.map_err(|error| refusal::connection(&server, &error))?;
        let asked = Asked { server: &server, bind: &settings.bind, base: &settings.base };
        if bound.rc != 0 {
            return Err(refusal::bind(asked, &bound));
        }
        let mut session = Self {
            ldap,
            server,
            settings,
            is_active_directory: false,
            context: String::new(),
            controls: Vec::new(),
            certificate: Presented::default(),
            _driver: driver,
        };
        let attributes = ["supportedCapabilities", "namingContexts", "defaultNamingContext", "supportedControl"];
        // Without it, Active Directory would be read as another directory, whose people are found otherwise.
        let Some(root) = session.entry("", Scope::Base, "(objectClass=*)", &attributes).await? else {
            return Err(SourceError {
                problem: format!("{} says nothing of itself", session.server),
                cure: "Let the account read the server's own entry. OpenLDAP: access to dn.base=\"\" by * read"
                    .to_owned(),
                retry: true,
            });
        };
        session.is_active_directory = root.texts("supportedCapabilities").any(|one| one == ACTIVE_DIRECTORY);
        session.controls = root.texts("supportedControl").map(str::to_owned).collect();
        let base = session.settings.base.to_lowercase();
        let contexts = root.texts("namingContexts").filter(|context| base.ends_with(&context.to_lowercase()));
        session.context = contexts.max_by_key(|context| context.len()).unwrap_or(&session.settings.base).to_owned();
        Ok(session)
    }

    /// What an entry is known by, whatever it is called: the bytes of `objectGUID`, or the text of `entryUUID`; `None` where
    /// the account may not read it.
    pub(crate) fn id_of(&self, entry: &WireEntry) -> Option<Vec<u8>> {
        let name = if self.is_active_directory { "objectGUID" } else { "entryUUID" };
        entry.values(name).first().cloned()
    }

    /// An attribute of the server's own entry.
    pub(crate) async fn of_root(&mut self, name: &str) -> Result<Option<String>, SourceError> {
        let root = self.entry("", Scope::Base, "(objectClass=*)", &[name]).await?;
        Ok(root.and_then(|root| root.text(name).map(str::to_owned)))
    }

    /// What was asked, for words: the configured base, whatever entry a request was about.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { server: &self.server, bind: &self.settings.bind, base: &self.settings.base }
    }

    /// The filter for people.
    pub(crate) fn people(&self) -> String {
        let people =
            if self.is_active_directory { "(objectCategory=person)(objectClass=user)" } else { "(objectClass=person)" };
        match &self.settings.filter {
            Some(filter) => format!("(&{people}{filter})"),
            None => format!("(&{people})"),
        }
    }
}

async fn connect(
    server: &str,
    config: std::sync::Arc<rustls::ClientConfig>,
    settings: &LdapSettings,
) -> Result<(Ldap, JoinSet<()>), SourceError> {
    let no_url = || SourceError {
        problem: format!("{server} is no address of a directory"),
        cure: "Write [source] location as ldaps://host:636, or ldap://host:389 for StartTLS".to_owned(),
        retry: false,
    };
    let url = url::Url::parse(server).map_err(|_| no_url())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(no_url)?;
    let port = url.port().unwrap_or(if url.scheme() == "ldap" { 389 } else { 636 });
    let limit = settings.limits.connect;
    let stream = open_stream(server, &locate::addresses(host, port, settings).await?, limit).await?;
    let settings = LdapConnSettings::new()
        .set_conn_timeout(limit)
        .set_config(config)
        .set_starttls(url.scheme() == "ldap")
        .set_std_stream(StdStream::Tcp(stream));
    let (connection, ldap) = LdapConnAsync::from_url_with_settings(settings, &url)
        .await
        .map_err(|error| refusal::connection(server, &error))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Its end is seen by the code that waits for an answer.
        drop(connection.drive().await);
    });
    Ok((ldap, driver))
}

/// A connection to the first of a server's addresses that takes one.
async fn open_stream(
    server: &str,
    addresses: &[SocketAddr],
    limit: Duration,
) -> Result<std::net::TcpStream, SourceError> {
    let mut last = None;
    for address in addresses {
        let opened = match tokio::time::timeout(limit, TcpStream::connect(address)).await {
            Ok(opened) => opened.and_then(TcpStream::into_std).map_err(LdapError::from),
            Err(elapsed) => Err(LdapError::from(elapsed)),
        };
        match opened {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| refusal::malformed(server), |error| refusal::connection(server, &error)))
}

/// Does something with a directory in a task of its own, so that a panic of the library's parsers ends this look and nothing
/// else, and within a time limit.
pub(crate) async fn contained<T: Send + 'static>(
    server: String,
    limits: TimeLimits,
    work: impl Future<Output = Result<T, SourceError>> + Send + 'static,
) -> Result<T, SourceError> {
    let mut task = JoinSet::new();
    task.spawn(tokio::time::timeout(limits.whole, work));
    match task.join_next().await {
        Some(Ok(Ok(done))) => done,
        Some(Ok(Err(_))) => Err(SourceError {
            problem: format!("Reading {server} takes longer than {} minutes", limits.whole.as_secs() / 60),
            cure: "Narrow [source] base, or look why the directory is slow".to_owned(),
            retry: true,
        }),
        Some(Err(_)) | None => Err(refusal::malformed(&server)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_one_look_and_says_so() {
        let looked = contained::<()>("ldaps://dc1".to_owned(), TimeLimits::default(), async {
            std::panic::panic_any("malformed")
        })
        .await;
        assert!(looked.is_err_and(|error| error.retry && error.problem.contains("no LDAP")));
    }

    #[tokio::test]
    async fn an_empty_password_is_never_sent() {
        let settings = LdapSettings {
            servers: vec!["ldaps://127.0.0.1:1".to_owned()],
            base: "dc=x".to_owned(),
            filter: None,
            bind: "cn=svc".to_owned(),
            ca: "/nowhere".into(),
            mapping: hardmatch_sources_entry::ColumnMapping::default(),
            nameserver: None,
            limits: TimeLimits::default(),
        };
        let opened = Session::open(settings, SecretString::from("")).await;
        assert!(opened.is_err_and(|error| error.problem.contains("empty")));
    }
}
