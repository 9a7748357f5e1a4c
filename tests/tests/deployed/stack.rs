//! A stack of the shipped template on the stand-in, its functions built as they are, policies enforced.

#[path = "stack/aws.rs"]
mod aws;
#[path = "stack/build.rs"]
mod build;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hardmatch_aws::stand_in::{PACKAGES, REGION, StandIn, StandInPolicies, venv};
use hardmatch_ports::Clock as _;
use hardmatch_runtime::RealClock;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use self::aws::Aws;

pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Packaged functions.
const BUCKET: &str = "packaged-functions";
/// The bucket of people's files.
pub(crate) const PEOPLE: &str = "people-files";
/// Short times, so that what died is seen soon; a message comes back when the leases of the function that died have ended.
const PARAMETERS: [&str; 7] = [
    // Simulated tenants answer on this machine, each on a port of its own.
    "AllowedHosts=login.microsoftonline.com,graph.microsoft.com,127.0.0.1:*",
    "SecretPrefix=hm/",
    "Directories=true",
    "Architecture=x86_64",
    "FunctionTimeout=15",
    "TickRate=rate(1 minute)",
    "BucketTlsOnly=false",
];
/// No single step takes longer on the slowest machine, unless it hangs.
const PATIENCE: Duration = Duration::from_mins(8);

/// Somebody's key to the account.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    id: String,
    secret: String,
}

impl Keys {
    pub(crate) fn root() -> Self {
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
    #[track_caller]
    pub(crate) fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

pub(crate) struct Stack {
    pub(crate) server: StandIn,
    tools: PathBuf,
    command: PathBuf,
    owner: Option<Aws>,
    pub(crate) name: &'static str,
    pub(crate) folder: TempDir,
    outputs: BTreeMap<String, String>,
    deployed: Zoned,
    people: Mutex<BTreeMap<String, Keys>>,
}

impl Stack {
    /// Deploys the template, unmodified.
    pub(crate) fn deploy(name: &'static str) -> Self {
        let command = build::build().to_owned();
        let tools = venv(&PACKAGES).unwrap();
        let server = StandIn::start(StandInPolicies::Enforced).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let deployed = RealClock.now().to_zoned(TimeZone::UTC);
        let mut stack = Self {
            server,
            tools,
            command,
            owner: None,
            name,
            folder,
            outputs: BTreeMap::new(),
            deployed,
            people: Mutex::default(),
        };
        let mut python = Command::new(stack.tools.join("bin/python3"));
        stack.owner = Some(Aws::start(stack.environment(&mut python, &Keys::root())));
        for bucket in [BUCKET, PEOPLE] {
            stack.call("s3", "create_bucket", &json!({ "Bucket": bucket }));
        }
        stack.package();
        stack.update(&[]);
        stack.deployed = RealClock.now().to_zoned(TimeZone::UTC);
        stack
    }

    /// Packages the functions as they lie there.
    fn package(&self) {
        let packaged = self.packaged();
        let words = ["cloudformation", "package", "--template-file", "infra/template.yaml", "--s3-bucket", BUCKET];
        self.aws(&[&words[..], &["--output-template-file", &packaged]].concat());
    }

    fn packaged(&self) -> String {
        self.folder.path().join("packaged.yaml").to_str().unwrap().to_owned()
    }

    /// Packages another build of the functions, for the next update.
    pub(crate) fn build_anew(&self) {
        build::build_anew();
        self.package();
    }

    /// Deploys what was packaged last, with other parameters on top.
    pub(crate) fn update(&mut self, parameters: &[&str]) {
        let packaged = self.packaged();
        let source = format!("SourceBucket={PEOPLE}");
        // Half a day away: no night begins but the one that a story begins.
        let night = RealClock.now().to_zoned(TimeZone::UTC).saturating_add(12.hours());
        let night = format!("NightlySchedule=cron({} {} * * ? *)", night.minute(), night.hour());
        let mut arguments = vec![
            "cloudformation",
            "deploy",
            "--stack-name",
            self.name,
            "--s3-bucket",
            BUCKET,
            "--template-file",
            &packaged,
            "--capabilities",
            "CAPABILITY_IAM",
            "CAPABILITY_NAMED_IAM",
            "CAPABILITY_AUTO_EXPAND",
            "--no-fail-on-empty-changeset",
            "--parameter-overrides",
        ];
        // The later of two wins.
        let all = [&PARAMETERS[..], &[&source, &night], parameters].concat();
        let all: BTreeMap<&str, &str> = all.into_iter().filter_map(|one| one.split_once('=')).collect();
        let all: Vec<String> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
        arguments.extend(all.iter().map(String::as_str));
        let deployed = self.try_aws(&arguments);
        if deployed.code != 0 {
            let events = self.call("cloudformation", "describe_stack_events", &json!({ "StackName": self.name }));
            panic!("the template could not be deployed: {}\n{events}", deployed.err);
        }
        let described = self.call("cloudformation", "describe_stacks", &json!({ "StackName": self.name }));
        for output in described["Stacks"][0]["Outputs"].as_array().unwrap() {
            let text = |key: &str| output[key].as_str().unwrap().to_owned();
            self.outputs.insert(text("OutputKey"), text("OutputValue"));
        }
    }

    /// An output of the template.
    #[track_caller]
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output {name} in {:?}", self.outputs.keys()))
    }

    /// A call to AWS, as the account's owner.
    #[track_caller]
    pub(crate) fn call(&self, service: &str, operation: &str, parameters: &Value) -> Value {
        self.owner.as_ref().unwrap().call(service, operation, parameters)
    }

    /// The command line of AWS, for what its library has not.
    fn aws(&self, arguments: &[&str]) {
        let ran = self.try_aws(arguments);
        assert_eq!(ran.code, 0, "aws {arguments:?}\n{}\n{}", ran.out, ran.err);
    }

    fn try_aws(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(self.tools.join("bin/aws"));
        command.args(["--endpoint-url", self.server.endpoint(), "--output", "json"]).args(arguments).current_dir(ROOT);
        run(self.environment(&mut command, &Keys::root()))
    }

    /// The command, on this stack.
    pub(crate) fn hardmatch(&self, keys: &Keys, arguments: &[&str]) -> Ran {
        run(&mut self.command(keys, arguments))
    }

    /// The command on this machine, with nobody's keys and no stack.
    pub(crate) fn here(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.command);
        let search = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).current_dir(self.folder.path()).env_clear().env("PATH", search);
        run(command.env("HOME", self.folder.path()))
    }

    /// The same as the account's owner, with one JSON document for an answer, which may come much later.
    pub(crate) fn begin(&self, arguments: &[&str]) -> JoinHandle<Ran> {
        let mut command = self.command(&Keys::root(), &[arguments, &["--json"]].concat());
        thread::spawn(move || run(&mut command))
    }

    fn command(&self, keys: &Keys, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.command);
        command.args(arguments).args(["--stack", self.name]).current_dir(self.folder.path());
        self.environment(&mut command, keys);
        command
    }

    /// The command as the account's owner, with one JSON document for an answer.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        self.hardmatch(&Keys::root(), &[arguments, &["--json"]].concat()).json(code)
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

    /// Somebody with one of the shipped policies; the same person each time.
    pub(crate) fn person(&self, policy: &str) -> Keys {
        let mut known = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(policy.to_owned()).or_insert_with(|| self.new_person(policy)).clone()
    }

    /// Calls to AWS with somebody's keys.
    pub(crate) fn caller(&self, keys: &Keys) -> Aws {
        let mut python = Command::new(self.tools.join("bin/python3"));
        Aws::start(self.environment(&mut python, keys))
    }

    fn new_person(&self, policy: &str) -> Keys {
        let name = policy.to_lowercase();
        self.call("iam", "create_user", &json!({ "UserName": name }));
        // An operator has the viewer's policy, too, and an approver all three.
        let policies = ["ViewerPolicy", "OperatorPolicy", "ApproverPolicy"];
        let place = policies.iter().position(|one| *one == policy).unwrap();
        for policy in &policies[..=place] {
            self.call("iam", "attach_user_policy", &json!({ "UserName": name, "PolicyArn": self.output(policy) }));
        }
        let made = self.call("iam", "create_access_key", &json!({ "UserName": name }));
        let text = |key: &str| made["AccessKey"][key].as_str().unwrap().to_owned();
        Keys { id: text("AccessKeyId"), secret: text("SecretAccessKey") }
    }

    /// Puts a people's file where functions read it.
    pub(crate) fn people(&self, key: &str, text: &str) {
        self.call("s3", "put_object", &json!({ "Bucket": PEOPLE, "Key": key, "Body": text }));
    }

    /// Keeps a secret, and gives its ARN.
    pub(crate) fn secret(&self, name: &str, value: &str) -> String {
        let made = self.call("secretsmanager", "create_secret", &json!({ "Name": name, "SecretString": value }));
        made["ARN"].as_str().unwrap().to_owned()
    }

    /// Sends a message to a queue by its output's name.
    pub(crate) fn send(&self, queue: &str, body: &str) {
        self.call("sqs", "send_message", &json!({ "QueueUrl": self.output(queue), "MessageBody": body }));
    }

    /// Sends a message that carries texts beside its body.
    pub(crate) fn send_noted(&self, queue: &str, body: &str, noted: &[(&str, &str)]) {
        let texts =
            noted.iter().map(|(name, text)| ((*name).to_owned(), json!({ "DataType": "String", "StringValue": text })));
        let noted: serde_json::Map<String, Value> = texts.collect();
        let message = json!({ "QueueUrl": self.output(queue), "MessageBody": body, "MessageAttributes": noted });
        self.call("sqs", "send_message", &message);
    }

    /// Where the stand-in answers what AWS answers at an address of the stack's HTTP API.
    pub(crate) fn local(&self, address: &str) -> String {
        let (host, path) = address.trim_start_matches("https://").split_once('/').unwrap();
        let api = host.split('.').next().unwrap();
        format!("{}/_aws/execute-api/{api}/$default/{path}", self.server.endpoint())
    }

    /// What a browser gets from the stack's pages at an address.
    pub(crate) fn page(&self, address: &str) -> String {
        let url = self.local(address);
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

    /// How many messages a queue holds: waiting, in hand, and delayed.
    pub(crate) fn holds(&self, queue: &str) -> [u64; 3] {
        let asked = json!({ "QueueUrl": self.output(queue), "AttributeNames": ["All"] });
        let answer = self.call("sqs", "get_queue_attributes", &asked);
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
            .map(|name| answer["Attributes"][name].as_str().map_or(0, |count| count.parse::<u64>().unwrap()))
    }

    /// Everything a function has logged, a line a message.
    pub(crate) fn logs(&self, function: &str) -> Vec<String> {
        let mut asked = json!({ "logGroupName": format!("/hardmatch/{}/{function}", self.name) });
        let mut lines = Vec::new();
        loop {
            let page = self.call("logs", "filter_log_events", &asked);
            let events = page["events"].as_array().unwrap();
            for event in events {
                lines.extend(event["message"].as_str().unwrap().lines().map(str::to_owned));
            }
            if page["nextToken"].is_null() {
                return lines;
            }
            asked["nextToken"] = page["nextToken"].clone();
        }
    }

    /// What CloudWatch makes metrics of.
    pub(crate) fn metrics(&self) -> Vec<Value> {
        let lines = ["ingest-source", "ingest-tenant", "match", "write"].into_iter().flat_map(|name| self.logs(name));
        let parsed = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        // CloudWatch makes metrics of those that an alarm rests on; the others are told in the same form.
        parsed.filter(|line| line["_aws"].is_object() || line["Run"].is_string()).collect()
    }

    /// What of it is about a run.
    pub(crate) fn told(&self, run: &str) -> Vec<Value> {
        self.metrics().into_iter().filter(|line| line["Run"] == run).collect()
    }

    /// A minute that is due for a schedule which is changed to it now. The stand-in notifies the first time that a rule names
    /// after it last looked at the schedule, which it did soon after it was deployed, so that the present minute will do.
    pub(crate) fn due_minute(&self) -> Zoned {
        let minute = |at: Zoned| at.with().second(0).subsec_nanosecond(0).build().unwrap();
        let present = minute(RealClock.now().to_zoned(TimeZone::UTC));
        let looked = self.deployed.saturating_add(30.seconds());
        if present > looked { present } else { minute(looked).saturating_add(1.minute()) }
    }

    /// The keys of everything in a table, by its output, as `partition / sort key`.
    pub(crate) fn keys(&self, table: &str) -> Vec<String> {
        let mut asked = json!({ "TableName": self.output(table), "ProjectionExpression": "pk, sk" });
        let mut keys = Vec::new();
        loop {
            let page = self.call("dynamodb", "scan", &asked);
            let text = |item: &Value, name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
            let items = page["Items"].as_array().unwrap();
            keys.extend(items.iter().map(|item| format!("{} / {}", text(item, "pk"), text(item, "sk"))));
            if page["LastEvaluatedKey"].is_null() {
                return keys;
            }
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
        }
    }

    /// The names of everything in the stack's bucket.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut asked = json!({ "Bucket": self.output("Bucket") });
        let mut names = Vec::new();
        loop {
            let page = self.call("s3", "list_objects_v2", &asked);
            let found = page["Contents"].as_array().cloned().unwrap_or_default();
            names.extend(found.iter().map(|one| one["Key"].as_str().unwrap().to_owned()));
            if page["NextContinuationToken"].is_null() {
                return names;
            }
            asked["ContinuationToken"] = page["NextContinuationToken"].clone();
        }
    }

    /// Runs the smoke check of `infra/README.md` against this stack.
    pub(crate) fn smoke(&self) {
        let mut command = Command::new(self.tools.join("bin/python3"));
        command.args(["infra/check.py", self.name, "smoke"]).current_dir(ROOT);
        self.environment(&mut command, &Keys::root());
        let search = std::env::var_os("PATH").unwrap_or_default();
        let search = [self.tools.join("bin")].into_iter().chain(std::env::split_paths(&search));
        let ran = run(command.env("PATH", std::env::join_paths(search).unwrap()));
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        for seen in ["the stack is ", "a tick has opened the table", "an alarm was raised"] {
            assert!(ran.out.contains(&format!("ok   {seen}")), "{seen}: {}", ran.out);
        }
    }

    /// Loses everything that is in the table of work. How many items.
    pub(crate) fn lose_table(&self) -> usize {
        let table = self.output("WorkTable");
        let mut lost = 0;
        loop {
            let found = self.call("dynamodb", "scan", &json!({ "TableName": table, "ProjectionExpression": "pk, sk" }));
            let keys = found["Items"].as_array().unwrap();
            if keys.is_empty() {
                return lost;
            }
            lost += keys.len();
            for some in keys.chunks(25) {
                let deleted: Vec<Value> = some.iter().map(|key| json!({ "DeleteRequest": { "Key": key } })).collect();
                self.call("dynamodb", "batch_write_item", &json!({ "RequestItems": { table: deleted } }));
            }
        }
    }

    /// What the stand-in itself has to say, when something went wrong.
    fn server_log(&self) -> String {
        fs::read_to_string(self.server.log()).unwrap_or_default()
    }

    /// Waits until something is so. Functions work in other processes; there is nothing else to wait for.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(
                began.elapsed() < PATIENCE,
                "waited for {what} in vain. match: {}\nwrite: {}\nserver: {}",
                tail(&self.logs("match").join("\n"), 4000),
                tail(&self.logs("write").join("\n"), 4000),
                tail(&self.server_log(), 3000)
            );
            pause(Duration::from_millis(200));
        }
    }
}

fn tail(text: &str, chars: usize) -> &str {
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
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let mut text = String::new();
    let _ = out.read_to_string(&mut text);
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Ran { code, out: text, err: reader.join().unwrap() }
}
