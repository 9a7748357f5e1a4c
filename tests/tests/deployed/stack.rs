//! A stack of the shipped template on the stand-in, its functions built as they are, policies enforced.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hardmatch_aws::stand_in::{PACKAGES, Policies, REGION, StandIn, venv};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Packaged functions.
const BUCKET: &str = "packaged-functions";
/// The bucket of people's files.
pub(crate) const PEOPLE: &str = "people-files";
/// What is deployed.
const FUNCTIONS: [&str; 4] = ["ingest", "match", "write", "connect"];
/// No single step takes longer on the slowest machine, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(4);

/// Somebody's key to the account.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    id: String,
    secret: String,
}

impl Keys {
    fn root() -> Self {
        Self { id: "test".to_owned(), secret: "test".to_owned() }
    }
}

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// What it printed, where it ended with this status.
    pub(crate) fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

pub(crate) struct Stack {
    server: StandIn,
    tools: PathBuf,
    pub(crate) name: &'static str,
    pub(crate) folder: TempDir,
    outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Deploys the template, unmodified.
    pub(crate) fn deploy(name: &'static str) -> Self {
        package();
        let tools = venv(&PACKAGES).unwrap();
        let server = StandIn::start(Policies::Enforced).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stack = Self { server, tools, name, folder, outputs: BTreeMap::new() };
        stack.aws(&["s3", "mb", &format!("s3://{BUCKET}")]);
        stack.aws(&["s3", "mb", &format!("s3://{PEOPLE}")]);
        stack.update(&[]);
        stack
    }

    /// Deploys once more, with other parameters on top.
    pub(crate) fn update(&mut self, parameters: &[&str]) {
        let packaged = self.folder.path().join("packaged.yaml");
        let packaged = packaged.to_str().unwrap();
        self.aws(&[
            "cloudformation",
            "package",
            "--template-file",
            "infra/template.yaml",
            "--s3-bucket",
            BUCKET,
            "--output-template-file",
            packaged,
        ]);
        let source = format!("SourceBucket={PEOPLE}");
        let mut arguments = vec![
            "cloudformation",
            "deploy",
            "--stack-name",
            self.name,
            "--s3-bucket",
            BUCKET,
            "--template-file",
            packaged,
            "--capabilities",
            "CAPABILITY_IAM",
            "CAPABILITY_NAMED_IAM",
            "CAPABILITY_AUTO_EXPAND",
            "--no-fail-on-empty-changeset",
            "--parameter-overrides",
            "Architecture=x86_64",
            "FunctionTimeout=20",
            "QueueVisibility=21",
            "TickRate=rate(1 minute)",
            "BucketTlsOnly=false",
            &source,
        ];
        arguments.extend(parameters);
        let deployed = self.try_aws(&Keys::root(), &arguments);
        if deployed.code != 0 {
            let events = self.aws(&["cloudformation", "describe-stack-events", "--stack-name", self.name]);
            panic!("the template could not be deployed: {}\n{events}", deployed.err);
        }
        let described = self.aws_json(&["cloudformation", "describe-stacks", "--stack-name", self.name]);
        for output in described["Stacks"][0]["Outputs"].as_array().unwrap() {
            let text = |key: &str| output[key].as_str().unwrap().to_owned();
            self.outputs.insert(text("OutputKey"), text("OutputValue"));
        }
    }

    /// An output of the template.
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name} in {:?}", self.outputs.keys()))
    }

    /// The command line of AWS, as the account's owner.
    pub(crate) fn aws(&self, arguments: &[&str]) -> String {
        let ran = self.try_aws(&Keys::root(), arguments);
        assert_eq!(ran.code, 0, "aws {arguments:?}\n{}\n{}", ran.out, ran.err);
        ran.out
    }

    pub(crate) fn aws_json(&self, arguments: &[&str]) -> Value {
        let text = self.aws(arguments);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) fn try_aws(&self, keys: &Keys, arguments: &[&str]) -> Ran {
        let mut command = Command::new(self.tools.join("bin/aws"));
        // The older command line does not take the endpoint of SQS from the environment.
        command.args(["--endpoint-url", self.server.endpoint(), "--output", "json"]).args(arguments).current_dir(ROOT);
        run(self.environment(&mut command, keys))
    }

    /// The command, on this stack.
    pub(crate) fn hardmatch(&self, keys: &Keys, arguments: &[&str]) -> Ran {
        let mut command = Command::new(hardmatch());
        command.args(arguments).current_dir(self.folder.path());
        run(self.environment(&mut command, keys))
    }

    /// The command as the account's owner, with one JSON document for an answer.
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--stack", self.name, "--json"]);
        self.hardmatch(&Keys::root(), &all).json(code)
    }

    fn environment<'c>(&self, command: &'c mut Command, keys: &Keys) -> &'c mut Command {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .env("AWS_ACCESS_KEY_ID", &keys.id)
            .env("AWS_SECRET_ACCESS_KEY", &keys.secret)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_REGION", REGION)
    }

    /// Somebody with one of the shipped policies.
    pub(crate) fn person(&self, policy: &str) -> Keys {
        let name = policy.to_lowercase();
        self.aws(&["iam", "create-user", "--user-name", &name]);
        self.aws(&["iam", "attach-user-policy", "--user-name", &name, "--policy-arn", self.output(policy)]);
        let made = self.aws_json(&["iam", "create-access-key", "--user-name", &name]);
        let text = |key: &str| made["AccessKey"][key].as_str().unwrap().to_owned();
        Keys { id: text("AccessKeyId"), secret: text("SecretAccessKey") }
    }

    /// Puts a people's file where functions read it.
    pub(crate) fn people(&self, key: &str, text: &str) {
        let file = self.folder.path().join("upload");
        fs::write(&file, text).unwrap();
        self.aws(&["s3", "cp", file.to_str().unwrap(), &format!("s3://{PEOPLE}/{key}")]);
    }

    /// Sends a message to a queue by its output's name.
    pub(crate) fn send(&self, queue: &str, body: &str) {
        self.aws(&["sqs", "send-message", "--queue-url", self.output(queue), "--message-body", body]);
    }

    /// What a browser gets from the stack's pages at an address.
    pub(crate) fn page(&self, address: &str) -> String {
        let (host, path) = address.trim_start_matches("https://").split_once('/').unwrap();
        let api = host.split('.').next().unwrap();
        let url = format!("{}/_aws/execute-api/{api}/$default/{path}", self.server.endpoint());
        let mut browser = Command::new(self.tools.join("bin/python3"));
        browser.args([
            "-c",
            "import sys,urllib.request;print(urllib.request.urlopen(sys.argv[1]).read().decode())",
            &url,
        ]);
        let ran = run(&mut browser);
        assert_eq!(ran.code, 0, "{url}: {}", ran.err);
        ran.out
    }

    /// How many messages a queue holds, seen and unseen.
    pub(crate) fn depth(&self, queue: &str) -> u64 {
        let answer = self.aws_json(&[
            "sqs",
            "get-queue-attributes",
            "--queue-url",
            self.output(queue),
            "--attribute-names",
            "All",
        ]);
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
            .iter()
            .map(|name| answer["Attributes"][*name].as_str().map_or(0, |count| count.parse::<u64>().unwrap()))
            .sum()
    }

    /// Everything the functions have logged.
    pub(crate) fn logs(&self, function: &str) -> String {
        let group = format!("/hardmatch/{}/{function}", self.name);
        let events = self.try_aws(&Keys::root(), &["logs", "filter-log-events", "--log-group-name", &group]);
        events.out
    }

    /// What the stand-in itself has to say, when something went wrong.
    pub(crate) fn server_log(&self) -> String {
        fs::read_to_string(self.server.log()).unwrap_or_default()
    }

    /// Waits until something is so. Functions work in other processes; there is nothing else to wait for.
    pub(crate) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(
                began.elapsed() < PATIENCE,
                "waited for {what} in vain. match: {}\nserver: {}",
                tail(&self.logs("match"), 4000),
                tail(&self.server_log(), 3000)
            );
            pause(Duration::from_millis(300));
        }
    }
}

pub(crate) fn tail(text: &str, chars: usize) -> &str {
    let from = text.len().saturating_sub(chars);
    text.get(text.ceil_char_boundary(from)..).unwrap_or_default()
}

/// A while, on a channel that nobody sends to.
fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

fn run(command: &mut Command) -> Ran {
    let shown = format!("{command:?}");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("{shown}: {error}");
        });
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let mut text = String::new();
    let _ = out.read_to_string(&mut text);
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Ran { code, out: text, err: reader.join().unwrap() }
}

/// The command with AWS in it.
fn hardmatch() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = target().join("with-aws");
        // In a folder of its own: the command beside this test is the one without AWS, and others are using it.
        cargo(&["build", "--package", "hardmatch", "--features", "aws", "--bin", "hardmatch"]);
        fs::create_dir_all(&target).unwrap();
        let copy = target.join("hardmatch");
        replace(&profile().join("hardmatch"), &copy);
        copy
    })
}

/// Builds the functions as they are, without what only a debugger reads, where the template looks for them.
fn package() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let mut arguments = vec!["build".to_owned(), "--bins".to_owned()];
        let mut features = Vec::new();
        for name in FUNCTIONS {
            arguments.extend(["--package".to_owned(), format!("hardmatch-{name}")]);
            features.push(format!("hardmatch-{name}/lambda"));
        }
        arguments.extend(["--features".to_owned(), features.join(",")]);
        cargo(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        for name in FUNCTIONS {
            let folder = Path::new(ROOT).join("target/functions").join(name);
            fs::create_dir_all(&folder).unwrap();
            let bootstrap = folder.join("bootstrap");
            replace(&profile().join(name), &bootstrap);
            let stripped: Output = Command::new("strip").arg("--strip-debug").arg(&bootstrap).output().unwrap();
            assert!(stripped.status.success(), "{}", String::from_utf8_lossy(&stripped.stderr));
        }
    });
}

fn replace(from: &Path, to: &Path) {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::rename(fresh, to).unwrap();
}

/// The folder of this test's own profile.
fn profile() -> PathBuf {
    let ourselves = std::env::current_exe().unwrap();
    ourselves.parent().and_then(Path::parent).unwrap().to_owned()
}

fn target() -> PathBuf {
    profile().parent().unwrap().to_owned()
}

fn cargo(arguments: &[&str]) {
    let name = profile().file_name().unwrap().to_string_lossy().into_owned();
    let name = if name == "debug" { "dev".to_owned() } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(arguments)
        .args(["--quiet", "--locked", "--profile", &name, "--target-dir"])
        .arg(target())
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
