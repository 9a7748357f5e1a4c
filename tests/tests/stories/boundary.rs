//! A bearer token, secret, assertion or identity token goes to approved hosts alone, whatever a configuration or an approved
//! host says: for each way of signing in, with a server that catches everything that reaches it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::FileTable;
use hardmatch_policy::StackLimits;
use hardmatch_ports::command::CommandAuthority;
use hardmatch_ports::credentials::{CredentialError, SecretReader, WebIdentity};
use hardmatch_ports::{Clock, KeptToken, TenantRead as _, TokenKind, TokenStore as _};
use hardmatch_runtime::ManualClock;
use hardmatch_store::Store;
use hardmatch_store::connection::ActivePolicy;
use hardmatch_vault::{KeySize, LocalSeal, NewCertificate, SecretString, TokenVault, make_certificate};
use hardmatch_wiring::tenant::{TenantMeans, client, whole};
use hardmatch_wiring::{Connections, Opened, Push};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const TENANT: &str = "5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f";
/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
const ARN: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hm/contoso/app-AbCdEf";
/// What the application proves itself with, where it is one text.
const CLIENT_SECRET: &str = "the-client-secret";
const IDENTITY: &str = "aWRlbnRpdHk.b2YtdGhl.cm9sZQ";
const REFRESH: &str = "the-refresh-token";
const BEARER: &str = "the-access-token";

/// Each way of signing in: its lines in `[tenant.auth]`, and what of it must not leak.
const METHODS: [(&str, &str, &str); 4] = [
    ("secret", "secret = \"secretsmanager:ARN\"", CLIENT_SECRET),
    ("certificate", "certificate = \"secretsmanager:ARN\"", "client_assertion="),
    ("federated", "", IDENTITY),
    ("delegated", "secret = \"secretsmanager:ARN\"", REFRESH),
];

/// What a server answers.
#[derive(Clone)]
enum Answers {
    /// Tokens at the token endpoint, nothing elsewhere.
    Tokens,
    /// Sends everybody to the same path of another server, in a way that keeps method and body.
    ElsewhereTo(String),
    /// Tokens, and for what is read a page that goes on at another server.
    PagesOf(String),
}

/// A server on this machine that keeps everything that reaches it.
struct Catcher {
    url: String,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Catcher {
    async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let caught = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&caught);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (kept, answers) = (Arc::clone(&kept), answers.clone());
                tokio::spawn(async move {
                    let mut request = String::new();
                    let mut bytes = [0; 4096];
                    while !is_whole(&request) {
                        let read = stream.read(&mut bytes).await.unwrap_or_default();
                        if read == 0 {
                            break;
                        }
                        request.push_str(&String::from_utf8_lossy(&bytes[..read]));
                    }
                    let answer = answers.to(&request);
                    kept.lock().unwrap().push(request);
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { url, caught }
    }

    fn caught(&self) -> Vec<String> {
        self.caught.lock().unwrap().clone()
    }

    /// As it stands in a list of allowed hosts.
    fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

/// Whether head and body have come.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

impl Answers {
    fn to(&self, request: &str) -> String {
        let path = request.split(' ').nth(1).unwrap_or_default();
        let said = |status: &str, more: &str, body: &str| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"
            )
        };
        let tokens = || {
            let tokens = format!(
                r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{BEARER}","refresh_token":"{REFRESH}"}}"#
            );
            said("200 OK", "", &tokens)
        };
        match self {
            Self::ElsewhereTo(url) => said("307 Temporary Redirect", &format!("location: {url}{path}\r\n"), ""),
            Self::Tokens | Self::PagesOf(_) if path.ends_with("/oauth2/v2.0/token") => tokens(),
            Self::Tokens => said("404 Not Found", "", "{}"),
            Self::PagesOf(url) => {
                said("200 OK", "", &format!(r#"{{"value":[],"@odata.nextLink":"{url}/v1.0/domains"}}"#))
            }
        }
    }
}

/// Secrets and identities that anybody may have who asks.
struct Given {
    secret: String,
}

#[async_trait]
impl SecretReader for Given {
    async fn read(&self, _: &str) -> Result<SecretString, CredentialError> {
        Ok(SecretString::from(self.secret.clone()))
    }
}

#[async_trait]
impl WebIdentity for Given {
    async fn token(&self, _: &str) -> Result<SecretString, CredentialError> {
        Ok(SecretString::from(IDENTITY))
    }
}

struct Fixture {
    clock: Arc<dyn Clock>,
    store: Store,
    folder: tempfile::TempDir,
    certificate: String,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wanted = NewCertificate { subject: "contoso", days: 30, key: KeySize::Rsa2048 };
        let made = make_certificate(&wanted, Timestamp::from_second(NOON).unwrap()).unwrap();
        let written = made.write(&folder.path().join("contoso.pem")).unwrap();
        Self {
            clock: Arc::new(ManualClock::auto(Timestamp::from_second(NOON).unwrap())),
            store: Store::open(Arc::new(FileTable::in_memory().unwrap())).await.unwrap(),
            certificate: std::fs::read_to_string(written.private).unwrap(),
            folder,
        }
    }

    /// What a function has for the connection; an administrator has signed in.
    async fn means(&self, method: &str) -> TenantMeans {
        let seal = Arc::new(LocalSeal::file(self.folder.path().join("key")));
        let table = Arc::new(FileTable::in_memory().unwrap());
        let vault = TokenVault::new(table, seal, Arc::clone(&self.clock), "contoso");
        let obtained = self.clock.now();
        let refresh = KeptToken { secret: SecretString::from(REFRESH), obtained, expires: None, mark: None };
        vault.keep(TokenKind::Refresh, &refresh, None).await.unwrap();
        let secret = if method == "certificate" { self.certificate.clone() } else { CLIENT_SECRET.to_owned() };
        let given = Arc::new(Given { secret });
        TenantMeans {
            clock: Arc::clone(&self.clock),
            identity: Some(given.clone()),
            secrets: Some(given),
            token_store: Some(Arc::new(vault)),
        }
    }

    fn connections(&self, hosts: &[&str]) -> Connections {
        Connections::new(self.store.clone(), Some(Arc::new(StackLimits::new(&hosts.join(","), "hm/").unwrap())))
    }

    /// Reads from the tenant of a connection that could be opened.
    async fn read(&self, method: &str, opened: &Opened) -> Result<(), String> {
        let (_, options) = whole(&opened.config, &self.means(method).await).map_err(|error| error.to_string())?;
        let client = client(options).map_err(|error| error.to_string())?;
        client.role_holders().await.map(drop).map_err(|error| error.to_string())
    }
}

fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

fn text(method: &str, auth: &str, login: &str, graph: &str) -> String {
    format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"{TENANT}\"\ncloud = \"custom\"\nlogin = \"{login}\"\n\
         graph = \"{graph}\"\n[tenant.auth]\nclient_id = \"0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77\"\nmethod = \"{method}\"\n\
         {}\n[source]\nkind = \"csv\"\nlocation = \"s3://people/contoso.csv\"\n",
        auth.replace("ARN", ARN)
    )
}

/// As an approver pushes it and a function opens it.
async fn opened(connections: &Connections, text: &str) -> Result<Opened, String> {
    let push = Push { connection: &contoso(), text, tenant: TENANT, authority: CommandAuthority::Approver };
    connections.configure(&push).await.map_err(|error| error.to_string())?;
    connections.open(&contoso()).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn nothing_reaches_a_host_that_was_not_approved() {
    let fixture = Fixture::new().await;
    for (method, auth, _) in METHODS {
        let (approved, catcher) = (Catcher::start(Answers::Tokens).await, Catcher::start(Answers::Tokens).await);
        let connections = fixture.connections(&[approved.host()]);
        for (login, graph) in [(&catcher, &approved), (&approved, &catcher), (&catcher, &catcher)] {
            let text = text(method, auth, &login.url, &graph.url);
            let refused = opened(&connections, &text).await.err().unwrap();
            assert!(refused.contains(catcher.host()) && refused.contains("AllowedHosts"), "{method}: {refused}");
            // Stored before the list was as it is: a function does not open it.
            let stored = fixture.store.meta(&contoso()).await.unwrap().policy.revision + 1;
            fixture.store.put_policy(&contoso(), stored, &text).await.unwrap();
            fixture.store.update(&contoso(), |policy: &mut ActivePolicy| policy.revision = stored).await.unwrap();
            let refused = connections.open(&contoso()).await.err().unwrap().to_string();
            assert!(refused.contains(catcher.host()), "{method}: {refused}");
        }
        assert_eq!(catcher.caught(), Vec::<String>::new(), "{method}");
    }
}

#[tokio::test]
async fn an_approved_host_is_sent_what_it_needs() {
    let fixture = Fixture::new().await;
    for (method, auth, proof) in METHODS {
        let (login, graph) = (Catcher::start(Answers::Tokens).await, Catcher::start(Answers::Tokens).await);
        let connections = fixture.connections(&[login.host(), graph.host()]);
        let opened = opened(&connections, &text(method, auth, &login.url, &graph.url)).await.unwrap();
        fixture.read(method, &opened).await.unwrap_err();
        let at_login = login.caught().join("\n");
        assert!(at_login.contains(proof), "{method}: the catcher catches what is sent: {at_login}");
        let at_graph = graph.caught().join("\n");
        assert!(at_graph.contains(BEARER) && !at_graph.contains(proof), "{method}: {at_graph}");
    }
}

#[tokio::test]
async fn an_approved_host_cannot_send_anything_on() {
    let fixture = Fixture::new().await;
    for (method, auth, _) in METHODS {
        let catcher = Catcher::start(Answers::Tokens).await;
        let onward = Catcher::start(Answers::ElsewhereTo(catcher.url.clone())).await;
        let pages = Catcher::start(Answers::PagesOf(catcher.url.clone())).await;
        let tokens = Catcher::start(Answers::Tokens).await;
        let connections = fixture.connections(&[onward.host(), pages.host(), tokens.host()]);
        for (login, graph) in [(&onward, &tokens), (&tokens, &onward), (&tokens, &pages)] {
            let opened = opened(&connections, &text(method, auth, &login.url, &graph.url)).await.unwrap();
            let error = fixture.read(method, &opened).await.unwrap_err();
            assert!(!error.contains(BEARER) && !error.contains(REFRESH), "{method}: {error}");
        }
        assert!(!onward.caught().is_empty() && !pages.caught().is_empty(), "{method}: both were asked");
        assert_eq!(catcher.caught(), Vec::<String>::new(), "{method}");
    }
}
