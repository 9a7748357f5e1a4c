//! A laboratory: a folder with a connection's files, a simulated tenant that speaks HTTP, and the command.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use hardmatch_sim::{App, Running, Seed, Sim, SimClock, World};
pub(crate) use hardmatch_tests::command::binary;
use hardmatch_tests::connection::{Connection, Proof};
pub(crate) use hardmatch_tests::fixture::{CLIENT, ROLES, TENANT};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Long and odd enough to be found anywhere it does not belong.
pub(crate) const SECRET: &str = "lab~secret.V8Q-kangaroo";
pub(crate) const SECRET_NAME: &str = "HARDMATCH_CLIENT_SECRET";

/// No command of these tests takes longer, on the slowest machine, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// An empty tenant with one verified domain and the laboratory's application.
pub(crate) fn tenant() -> Seed {
    hardmatch_tests::fixture::tenant(App::new(CLIENT, SECRET, &ROLES))
}

/// One person of a source.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) guid: String,
    pub(crate) upn: String,
    pub(crate) given: String,
    pub(crate) surname: String,
    pub(crate) department: String,
    pub(crate) employee: String,
    pub(crate) manager: String,
    pub(crate) control: u32,
}

impl Row {
    /// The nth person; everybody but the first reports to the first.
    pub(crate) fn nth(n: usize) -> Self {
        Row {
            guid: format!("{n:08x}-1a2b-4c3d-8e4f-0123456789ab"),
            upn: format!("person{n}@contoso.com"),
            given: format!("Given{n}"),
            surname: format!("Surname{n}"),
            department: format!("Department {}", n % 7),
            employee: format!("{n:06}"),
            manager: if n == 0 { String::new() } else { "person0@contoso.com".to_owned() },
            control: 512,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.given, self.surname)
    }

    /// Names and values in the order of the columns.
    fn cells(&self) -> [(&'static str, String); 10] {
        [
            ("objectGUID", self.guid.clone()),
            ("userPrincipalName", self.upn.clone()),
            ("mail", self.upn.clone()),
            ("givenName", self.given.clone()),
            ("sn", self.surname.clone()),
            ("displayName", self.name()),
            ("department", self.department.clone()),
            ("employeeID", self.employee.clone()),
            ("manager", self.manager.clone()),
            ("userAccountControl", self.control.to_string()),
        ]
    }
}

pub(crate) fn rows(count: usize) -> Vec<Row> {
    (0..count).map(Row::nth).collect()
}

pub(crate) fn csv(rows: &[Row]) -> String {
    let mut text = Row::nth(0).cells().map(|(name, _)| name).join(",");
    for row in rows {
        text.push('\n');
        text.push_str(&row.cells().map(|(_, value)| value).join(","));
    }
    text.push('\n');
    text
}

pub(crate) fn jsonl(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let object: serde_json::Map<String, Value> =
            row.cells().into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
        writeln!(text, "{}", Value::Object(object)).unwrap();
    }
    text
}

pub(crate) fn ldif(rows: &[Row]) -> String {
    let mut text = "version: 1\n".to_owned();
    for row in rows {
        writeln!(text, "\ndn: CN={},OU=People,DC=contoso,DC=com\nobjectClass: person", row.name()).unwrap();
        for (name, value) in row.cells().into_iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(text, "{name}: {value}").unwrap();
        }
    }
    text
}

/// What a finished command left behind.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Exactly one JSON document on standard output, whatever the exit status.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("standard output is no single JSON document ({error}):\n{self}"))
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard error says all of this.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        // Pictures of problems are wrapped; what is said matters, not where its lines break.
        let flat =
            self.err.split_whitespace().filter(|word| !matches!(*word, "│" | "╰─▶")).collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "standard error lacks \"{word}\"\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- standard output\n{}\n--- standard error\n{}", self.code, self.out, self.err)
    }
}

/// A command under way. It does not outlive its test.
pub(crate) struct Started {
    child: Child,
    out: mpsc::Receiver<String>,
    err: mpsc::Receiver<String>,
}

impl Started {
    fn new(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = listen(child.stdout.take().unwrap());
        let err = listen(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL. False: it had ended before.
    pub(crate) fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().code().is_none()
    }

    /// Waits for it; one that does not end is killed, and the test fails.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Said {
        let Ok(out) = self.out.recv_timeout(PATIENCE) else {
            self.child.kill().unwrap();
            panic!("the command does not end; it said:\n{}", self.err.recv().unwrap());
        };
        let err = self.err.recv().unwrap();
        SAID.with_borrow_mut(|said| said.extend([out.clone(), err.clone()]));
        Said { code: self.child.wait().unwrap().code(), out, err }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A test that failed must not leave a command behind that waits for a tenant which is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

thread_local! {
    /// What the commands of this test have said: a test has a thread of its own.
    static SAID: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Files in which a test puts secrets on purpose, by the end of their names.
const THEIR_PLACES: [&str; 4] = ["lab.pem", "token.jwt", "lab.key", "initial.csv"];

/// Whatever a test is about, at its end nothing secret of the tenant lies in a file or was said by a command.
struct Sweep {
    folder: PathBuf,
    world: World,
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let secrets: Vec<String> = self.world.issued_secrets().into_iter().filter(|secret| secret.len() >= 8).collect();
        let holds = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
        for (path, bytes) in files(&self.folder) {
            let theirs = THEIR_PLACES.iter().any(|place| path.ends_with(place));
            assert!(theirs || !holds(&String::from_utf8_lossy(&bytes)), "a secret lies in {}", path.display());
        }
        let said = SAID.with_borrow(Clone::clone);
        assert!(!said.iter().any(|said| holds(said)), "a command said a secret");
    }
}

/// A folder, a tenant, and the command between them.
pub(crate) struct Fixture {
    /// Before the folder goes.
    sweep: Sweep,
    folder: TempDir,
    running: Running,
    runtime: Runtime,
}

impl Fixture {
    /// Starts the tenant and writes `lab.toml` as the manual's example has it, with the tenant's own address.
    pub(crate) fn new(seed: Seed) -> Self {
        Fixture::at(seed, SimClock::Real)
    }

    /// A laboratory whose tenant goes by this clock.
    pub(crate) fn at(seed: Seed, clock: SimClock) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let running = runtime.block_on(Sim::new(seed).clock(clock).start_local()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let sweep = Sweep { folder: folder.path().to_owned(), world: running.world().clone() };
        let fixture = Fixture { sweep, folder, running, runtime };
        fixture.write("lab.toml", fixture.config());
        fixture
    }

    /// A laboratory whose source has these people.
    pub(crate) fn with_people(seed: Seed, people: &[Row]) -> Self {
        let fixture = Fixture::new(seed);
        fixture.write("source.csv", csv(people));
        fixture
    }

    /// The text of `lab.toml`.
    pub(crate) fn config(&self) -> String {
        Connection {
            name: "lab",
            tenant: TENANT,
            client: CLIENT,
            url: self.running.url(),
            proof: Proof::Secret(&format!("env:{SECRET_NAME}")),
            people: "source.csv",
            more: r#"[match]
soft_deleted = "restore"
[lifecycle]
reenable = "always"
[state]
path = "lab.db"
"#,
        }
        .toml()
    }

    /// Writes `lab.toml` with one piece of text replaced by another.
    #[track_caller]
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let config = self.config();
        assert!(config.contains(from), "lab.toml has no {from}");
        self.write("lab.toml", config.replace(from, to));
    }

    pub(crate) fn world(&self) -> &World {
        self.running.world()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The command, ready to start: in the folder, with the secret.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).current_dir(self.folder.path()).env(SECRET_NAME, SECRET);
        command.env_remove("HARDMATCH_LOG").env_remove("HARDMATCH_LOG_FORMAT").stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        Fixture::finish(&mut self.command(words))
    }

    /// Runs a prepared command to its end.
    #[track_caller]
    pub(crate) fn finish(command: &mut Command) -> Said {
        Started::new(command).ends()
    }

    /// Starts the command and does not wait.
    pub(crate) fn start(&self, words: &[&str]) -> Started {
        Started::new(&mut self.command(words))
    }

    /// `plan --json`; the document.
    #[track_caller]
    pub(crate) fn plan(&self) -> Value {
        self.run(&["plan", "--config", "lab.toml", "--json"]).json()
    }

    /// `plan`, then `apply` of its hash, which converges.
    #[track_caller]
    pub(crate) fn plan_and_apply(&self) -> Value {
        let plan = self.plan();
        let hash = text(&plan["plan"]).to_owned();
        self.run(&["apply", &hash, "--config", "lab.toml", "--json"]).ends(0).json()
    }

    /// `sync --yes --json`.
    pub(crate) fn sync(&self) -> Said {
        self.run(&["sync", "--config", "lab.toml", "--yes", "--json"])
    }

    /// Sign-in names of the accounts that live.
    pub(crate) fn upns(&self) -> Vec<String> {
        let mut upns: Vec<String> = self
            .world()
            .users()
            .iter()
            .filter(|user| user["deleted"] != true)
            .map(|user| text(&user["userPrincipalName"]).to_owned())
            .collect();
        upns.sort();
        upns
    }

    #[track_caller]
    pub(crate) fn user(&self, upn: &str) -> Value {
        self.world().user(upn).unwrap_or_else(|| panic!("the tenant has no {upn}"))
    }

    /// Every file below the folder, with its bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(self.folder.path())
    }

    /// Nobody asked the tenant for what Graph does not have.
    #[track_caller]
    pub(crate) fn lawful(&self) {
        assert_eq!(self.world().violations(), Vec::<String>::new());
    }

    /// Stops the tenant; its address refuses connections from here on.
    pub(crate) fn stop_tenant(self) -> TempDir {
        let Fixture { sweep, folder, running, runtime } = self;
        runtime.block_on(running.stop());
        drop(sweep);
        folder
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// Reads a stream to its end.
fn listen(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (done, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        // A test that gave up waiting does not listen any more.
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    heard
}

/// The text of a JSON string.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
