//! How a deployed connection reaches its tenant: asked by an operator through the queues, passed on by match, answered by
//! the side that has the tokens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_checkup::TenantRequestContext;
use hardmatch_domain::ids::ConnectionId;
use hardmatch_embedded::{FileTable, FolderBlobs, ProcessDoorbell};
use hardmatch_match::{Handled, MatchPorts, Request, RunCost, RunMetrics, handle_command, watch_credential};
use hardmatch_ports::command::{Command, CommandAuthority, Reply};
use hardmatch_ports::doorbell::{After, MessageKind, Queue};
use hardmatch_ports::tenant_request::KnownGrant;
use hardmatch_ports::{CheckState, Clock as _, Doorbell as _, Message, TokenKind, TokenStore as _};
use hardmatch_runtime::pump::{Pump, Serving};
use hardmatch_runtime::{ManualClock, run_batch};
use hardmatch_sim::{CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, Running, Seed, Sim, SimClock};
use hardmatch_store::connection::{ConnectionState, ConnectionStatus};
use hardmatch_store::{Store, StoreError};
use hardmatch_tests::SecretScan;
use hardmatch_vault::{LocalSeal, TokenVault};
use hardmatch_wiring::tenant::TenantMeans;
use hardmatch_wiring::{CompiledPolicies, Connections, Push};
use jiff::Timestamp;
use tempfile::TempDir;

/// Noon on 15 January 2026, UTC.
const NOON: i64 = 1_768_478_400;
const DAY: Duration = Duration::from_hours(24);

struct Nobody;

#[async_trait]
impl RunMetrics for Nobody {
    async fn read(&self, _: &str) -> Result<RunCost, StoreError> {
        Ok(RunCost::default())
    }
}

/// Two functions, a queue between them, and a tenant. Match has the work table; the other side has the tokens as well.
#[derive(Clone)]
struct Fixture {
    secret_scan: Arc<SecretScan>,
    clock: ManualClock,
    running: Arc<Running>,
    store: Store,
    tokens: Arc<FileTable>,
    seal: Arc<LocalSeal>,
    connections: Arc<Connections>,
    doorbell: Arc<ProcessDoorbell>,
    folder: Arc<TempDir>,
}

impl Fixture {
    async fn new(more: &str) -> Self {
        let clock = ManualClock::auto(Timestamp::from_second(NOON).unwrap());
        let shared = clock.clone();
        let sim = Sim::new(Seed::contoso()).clock(SimClock::Shared(Arc::new(move || shared.now())));
        let running = Arc::new(sim.start_local().await.unwrap());
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let kept = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
        std::fs::write(&kept, CONTOSO_SECRET).unwrap();
        let store = Store::open(Arc::new(FileTable::in_memory().unwrap())).await.unwrap();
        let connections = Arc::new(Connections::new(store.clone(), None));
        let text = format!(
            "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"{CONTOSO_TENANT_ID}\"\ncloud = \"custom\"\n\
             login = \"{url}\"\ngraph = \"{url}\"\n[tenant.auth]\nclient_id = \"{CONTOSO_CLIENT_ID}\"\n\
             method = \"secret\"\nsecret = \"file:{}\"\n{more}\n[source]\nkind = \"csv\"\nlocation = \"s3://people-of-contoso/people.csv\"\n",
            kept.display(),
            url = running.url(),
        );
        let push = Push {
            connection: &contoso(),
            text: &text,
            tenant: CONTOSO_TENANT_ID,
            authority: CommandAuthority::Approver,
        };
        connections.configure(&push).await.unwrap();
        Self {
            secret_scan: Arc::new(SecretScan::new(running.world().clone(), folder.path())),
            doorbell: Arc::new(ProcessDoorbell::new(Arc::new(clock.clone()))),
            seal: Arc::new(LocalSeal::file(folder.path().join("key"))),
            tokens: Arc::new(FileTable::in_memory().unwrap()),
            clock,
            running,
            store,
            connections,
            folder,
        }
    }

    fn vault(&self) -> TokenVault {
        let (table, seal) = (self.tokens.clone(), self.seal.clone());
        TokenVault::new(table, seal, Arc::new(self.clock.clone()), "contoso")
    }

    async fn matching(&self) -> MatchPorts {
        MatchPorts {
            store: self.store.clone(),
            scope: self.connections.open(&contoso()).await.unwrap().scope,
            blobs: Arc::new(FolderBlobs::new(self.folder.path().join("files"))),
            clock: Arc::new(self.clock.clone()),
            doorbell: self.doorbell.clone(),
            policies: Arc::new(CompiledPolicies::without_files()),
            metrics: Arc::new(Nobody),
            deadline: None,
        }
    }

    /// As the two functions do it.
    async fn answer(self, message: Message) -> Result<After, String> {
        let opened = self.connections.open(&message.connection).await.map_err(|error| error.to_string())?;
        match &message.kind {
            MessageKind::OperatorCommand { reply, command } => {
                let request = Request {
                    connection: &message.connection,
                    run: &message.run,
                    command,
                    authority: CommandAuthority::Operator,
                    by: "an operator",
                    reply,
                };
                let obeyed =
                    handle_command(&self.matching().await, &request).await.map_err(|error| error.to_string())?;
                if let Handled::Replied(answer) = obeyed {
                    let now = self.clock.now_seconds();
                    self.store.put_reply(&message.connection, reply, &answer, now).await.unwrap();
                }
            }
            MessageKind::TenantRequest { reply, query } => {
                let means = TenantMeans {
                    clock: Arc::new(self.clock.clone()),
                    identity: None,
                    secrets: None,
                    token_store: Some(Arc::new(self.vault())),
                };
                let context = TenantRequestContext {
                    store: self.store.clone(),
                    vault: self.vault(),
                    means,
                    clock: Arc::new(self.clock.clone()),
                };
                let answered = hardmatch_checkup::answer(&context, &message.connection, &opened, query, reply).await;
                answered.map_err(|error| error.to_string())?;
            }
            other => panic!("nobody notifies {}", other.name()),
        }
        Ok(After::Done)
    }

    async fn pump(&self) {
        let mut pump = Pump::new(self.doorbell.clone(), Arc::new(self.clock.clone()));
        for queue in [Queue::Match, Queue::Tenant] {
            let fixture = self.clone();
            pump = pump.serve(queue, Serving { batch: 1, at_once: 1 }, move |event| {
                let fixture = fixture.clone();
                async move { run_batch(event, &*fixture.doorbell, |message| fixture.clone().answer(message)).await }
            });
        }
        pump.run_dry().await;
        assert!(self.doorbell.dead_letters().is_empty(), "{:?}", self.doorbell.dead_letters());
    }

    /// Asks, and looks for the reply as whoever asked does.
    async fn ask(&self, name: &str, command: Command) -> Reply {
        let kind = MessageKind::OperatorCommand { reply: name.to_owned(), command };
        self.doorbell.notify(Message::new(contoso(), "", kind), Duration::ZERO).await.unwrap();
        self.pump().await;
        let reply = self.store.reply(&contoso(), name).await.unwrap().expect("a reply");
        self.secret_scan.look("a reply", serde_json::to_string(&reply).unwrap().as_bytes());
        reply
    }

    async fn keeps_a_token(&self) -> bool {
        self.vault().load(TokenKind::Access).await.unwrap().is_some()
    }
}

fn contoso() -> ConnectionId {
    ConnectionId::new("contoso")
}

#[tokio::test]
async fn o15_o16_an_operator_asks_how_a_deployed_connection_stands_and_resets_it() {
    let fixture = Fixture::new("secret_expires = 2026-02-01").await;
    let Reply::Reached { reached } = fixture.ask("1", Command::Status).await else { panic!("no status") };
    let KnownGrant::Told { permissions } = &reached.granted else { panic!("{reached:?}") };
    assert!(permissions.contains("User.ReadWrite.All"), "{permissions:?}");
    assert_eq!(reached.client_id, CONTOSO_CLIENT_ID);
    assert_eq!(reached.ends.map(|ends| ends.strftime("%Y-%m-%d").to_string()).as_deref(), Some("2026-02-01"));
    assert!(reached.tokens.is_empty(), "none was kept before somebody asked");
    let Reply::Reached { reached } = fixture.ask("2", Command::Status).await else { panic!("no status") };
    assert_eq!(reached.tokens.len(), 1, "{reached:?}");

    assert_eq!(fixture.ask("3", Command::Reset).await, Reply::Done { run: None });
    assert!(!fixture.keeps_a_token().await);
    let meta = fixture.store.meta(&contoso()).await.unwrap();
    assert_eq!(meta.credential.forgotten, 1, "what a warm function has in memory is forgotten, too");
}

#[tokio::test]
async fn c9_doctor_on_a_stack_names_the_code_the_meaning_and_the_cure() {
    let fixture = Fixture::new("").await;
    let Reply::Checked { checks } = fixture.ask("1", Command::Checks).await else { panic!("no checks") };
    assert!(checks.iter().all(|check| check.state != CheckState::Fail), "{checks:?}");
    for area in ["clock", "expiry", "credentials", "permissions", "tenant", "domains", "directory role"] {
        assert!(checks.iter().any(|check| check.area == area), "nothing of {area}");
    }
    fixture.running.world().change_app(CONTOSO_CLIENT_ID, |app| app.secret_expired = true).unwrap();
    let Reply::Checked { checks } = fixture.ask("2", Command::Checks).await else { panic!("no checks") };
    let found = checks.iter().find(|check| check.area == "credentials").unwrap();
    assert_eq!(found.state, CheckState::Fail);
    assert!(found.finding.contains("AADSTS7000222") && found.cure.contains("new secret"), "{found:?}");
}

#[tokio::test]
async fn j2_o16_disconnecting_a_stack_stops_first_forgets_then_and_asks_nobody() {
    let fixture = Fixture::new("").await;
    fixture.ask("1", Command::Status).await;
    assert!(fixture.keeps_a_token().await);
    fixture.running.world().take_requests();
    let Reply::Disconnected { disconnected } = fixture.ask("2", Command::Disconnect).await else {
        panic!("not disconnected")
    };
    assert!(disconnected.new);
    assert!(!fixture.keeps_a_token().await);
    assert_eq!(fixture.store.meta(&contoso()).await.unwrap().status.state, ConnectionState::Disconnected);
    assert!(fixture.running.world().take_requests().is_empty(), "nobody is called");
    let Reply::Reached { reached } = fixture.ask("3", Command::Status).await else { panic!("no status") };
    assert!(matches!(reached.granted, KnownGrant::Untold { .. }), "{reached:?}");
    assert!(fixture.running.world().take_requests().is_empty(), "nobody is called");
}

#[tokio::test]
async fn j2_a_late_word_to_forget_does_not_take_what_was_kept_since() {
    let fixture = Fixture::new("").await;
    fixture.ask("1", Command::Disconnect).await;
    let now = fixture.clock.now_seconds();
    fixture.store.reconnect(&contoso(), CONTOSO_TENANT_ID, now).await.unwrap();
    fixture.ask("2", Command::Status).await;
    assert!(fixture.keeps_a_token().await);
    // The message of the first is handed over once more.
    let disconnected = hardmatch_match::DisconnectResult { new: true, links: 0, abandoned: 0 };
    let late = MessageKind::TenantRequest {
        reply: "1".to_owned(),
        query: hardmatch_ports::tenant_request::TenantQuery::Forget { disconnected },
    };
    fixture.doorbell.notify(Message::new(contoso(), "", late), Duration::ZERO).await.unwrap();
    fixture.pump().await;
    assert!(fixture.keeps_a_token().await, "the sign-in is new");
}

#[tokio::test]
async fn c13_c14_a_connection_without_a_run_knows_when_its_secret_ends() {
    let fixture = Fixture::new("secret_expires = 2026-02-01").await;
    let ports = fixture.matching().await;
    fixture
        .store
        .update(&contoso(), |status: &mut ConnectionStatus| status.state = ConnectionState::Paused)
        .await
        .unwrap();
    let ends = async || fixture.store.meta(&contoso()).await.unwrap().credential.ends;
    assert_eq!(ends().await, None);
    watch_credential(&ports, &contoso(), &ports.store.meta(&contoso()).await.unwrap()).await.unwrap();
    fixture.pump().await;
    assert_eq!(ends().await, Some(1_769_904_000), "noted for paused connections, too");
    // Once a day is enough.
    watch_credential(&ports, &contoso(), &ports.store.meta(&contoso()).await.unwrap()).await.unwrap();
    assert!(fixture.doorbell.is_empty());
    fixture.clock.advance(DAY);
    watch_credential(&ports, &contoso(), &ports.store.meta(&contoso()).await.unwrap()).await.unwrap();
    assert!(!fixture.doorbell.is_empty());
    fixture.pump().await;
    assert!(fixture.running.world().take_requests().is_empty(), "no token is asked for");
}

#[tokio::test]
async fn what_is_looked_for_would_be_found() {
    let fixture = Fixture::new("").await;
    assert_eq!(fixture.secret_scan.found(), Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    let other = std::mem::ManuallyDrop::new(SecretScan::new(fixture.running.world().clone(), folder.path()));
    other.look("an error", format!("refused: {CONTOSO_SECRET}").as_bytes());
    std::fs::write(folder.path().join("report.html"), format!("<p>{CONTOSO_SECRET}</p>")).unwrap();
    let found = other.found();
    assert_eq!(found.len(), 2, "{found:?}");
}
