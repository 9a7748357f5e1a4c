//! What each function may do: exactly what the adapters it builds need, as `shared/aws/README.md` says, on its own
//! resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::expanded::{list, of_type, properties, target, template, text};

/// A statement of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    pub(crate) actions: BTreeSet<String>,
    pub(crate) resources: Vec<Value>,
    pub(crate) condition: Value,
}

impl Statement {
    /// Resources of the template that it names.
    pub(crate) fn targets(&self) -> BTreeSet<&str> {
        self.resources.iter().filter_map(target).collect()
    }

    /// Whether one of its actions is of this service.
    pub(crate) fn is_of(&self, service: &str) -> bool {
        self.actions.iter().any(|action| action.starts_with(&format!("{service}:")))
    }
}

/// Statements of a policy document; one that depends on a condition counts as there. Those that take something away are
/// left out: `operators` and `network` look at them.
pub(crate) fn statements(document: &Value) -> Vec<Statement> {
    let mut found = Vec::new();
    for entry in list(&document["Statement"]) {
        let statement = if entry["Fn::If"].is_null() { entry } else { &entry["Fn::If"][1] };
        if ["NotSigning", "NotByItself"].iter().any(|sid| statement["Sid"] == *sid) {
            continue;
        }
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        assert!(statement["NotAction"].is_null() && statement["NotResource"].is_null(), "{statement}");
        found.push(Statement {
            sid: statement["Sid"].as_str().unwrap_or_default().to_owned(),
            actions: list(&statement["Action"]).iter().filter_map(|one| one.as_str()).map(str::to_owned).collect(),
            resources: list(&statement["Resource"]).into_iter().cloned().collect(),
            condition: statement["Condition"].clone(),
        });
    }
    found
}

fn role(name: &str) -> Vec<Statement> {
    let own = list(&properties(name)["Policies"]).into_iter().map(|policy| &policy["PolicyDocument"]);
    let shared = list(&properties(name)["ManagedPolicyArns"]).into_iter().map(|arn| {
        let policy = arn["Ref"].as_str().unwrap_or_else(|| panic!("{name} has rights from elsewhere"));
        &properties(policy)["PolicyDocument"]
    });
    own.chain(shared).flat_map(statements).collect()
}

/// Actions by adapter and method, from the table of the adapters' README.
pub(crate) fn needs() -> BTreeMap<(String, String), BTreeSet<String>> {
    let readme = text("shared/aws/README.md");
    let quoted = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let (mut needs, mut adapter) = (BTreeMap::new(), String::new());
    for line in readme.lines().skip_while(|line| *line != "## Rights").filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        if cells.len() != 4 || cells[1].contains("Method") {
            continue;
        }
        adapter = quoted(cells[0]).into_iter().next().unwrap_or(adapter);
        let actions: BTreeSet<String> =
            quoted(cells[2]).into_iter().filter(|word| word.contains(':') && !word.contains('/')).collect();
        for method in quoted(cells[1]) {
            needs.insert((adapter.clone(), method), actions.clone());
        }
    }
    needs
}

/// What these methods of an adapter need.
pub(crate) fn needed(adapter: &str, methods: &[&str]) -> BTreeSet<String> {
    let needs = needs();
    let of = |method: &&str| needs.get(&(adapter.to_owned(), (*method).to_owned())).cloned();
    methods
        .iter()
        .flat_map(|method| of(method).unwrap_or_else(|| panic!("the README knows no {adapter}::{method}")))
        .collect()
}

/// What a role may do on a resource.
fn on(role: &[Statement], resource: &str) -> BTreeSet<String> {
    role.iter()
        .filter(|statement| statement.targets().contains(resource))
        .flat_map(|statement| statement.actions.clone())
        .collect()
}

/// Roles of functions, the queues each takes messages from, and those it sends to.
const FUNCTIONS: [(&str, &[&str], &[&str]); 6] = [
    ("SourceRole", &["SourceQueue"], &["SourceQueue", "MatchQueue"]),
    ("TenantRole", &["TenantQueue"], &["TenantQueue", "MatchQueue"]),
    (
        "MatchRole",
        &["MatchQueue", "CommandQueue", "ApproveQueue"],
        &["SourceQueue", "TenantQueue", "MatchQueue", "WriteQueue"],
    ),
    ("WriteRole", &["WriteQueue"], &["WriteQueue", "MatchQueue"]),
    ("ConnectRole", &[], &[]),
    ("WebhookRole", &[], &["MatchQueue"]),
];
const WHOLE_TABLE: [&str; 6] = ["get", "batch_get", "query", "write", "batch_write", "transact"];

#[test]
fn the_table_and_the_bucket_are_open_as_far_as_the_adapters_reach() {
    for (name, _, _) in FUNCTIONS {
        let rights = role(name);
        let methods: &[&str] = match name {
            "ConnectRole" => &["get", "query", "write"],
            "MatchRole" => &WHOLE_TABLE,
            // What is read and left alone is checked by who decides.
            _ => &["get", "batch_get", "query", "write", "batch_write"],
        };
        assert_eq!(on(&rights, "WorkTable"), needed("DynamoTable", methods), "{name} on the table");
        // Plans and reports are match's; the tenant's side keeps how far it has read, and who is a member of what.
        let blobs: &[&str] = match name {
            "MatchRole" | "TenantRole" => &["put", "get", "list", "delete_all"],
            // Copies of directories.
            "SourceRole" => &["put", "get"],
            _ => &[],
        };
        assert_eq!(on(&rights, "Bucket"), needed("S3Blobs", blobs), "{name} on the bucket");
        for copies in rights.iter().filter(|one| one.sid == "DirectoryCopies") {
            assert_eq!(copies.resources, [json!({"Fn::Sub": "${Bucket.Arn}/sources/*"})]);
        }
        for statement in rights.iter().filter(|one| name == "TenantRole" && one.actions.contains("s3:GetObject")) {
            let folders = ["runs/*/observe/*", "tenants/*/members/*"];
            let folders = folders.map(|folder| json!({"Fn::Sub": format!("${{Bucket.Arn}}/{folder}")}));
            assert_eq!(statement.resources, folders);
        }
    }
}

#[test]
fn messages_are_taken_and_sent_where_the_function_stands() {
    let polling: BTreeSet<String> =
        ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"]
            .map(|action| format!("sqs:{action}"))
            .into();
    for (name, takes, sends) in FUNCTIONS {
        let rights = role(name);
        let may = |action: &str| -> BTreeSet<&str> {
            let of = rights.iter().filter(|statement| statement.actions.contains(action));
            of.flat_map(Statement::targets).collect()
        };
        for action in &polling {
            let mut wanted: BTreeSet<&str> = takes.iter().copied().collect();
            // Where an operator asks for it, letters are put back by the function that may send to all queues of work.
            if name == "MatchRole" && matches!(action.as_str(), "sqs:ReceiveMessage" | "sqs:DeleteMessage") {
                wanted.insert("DeadLetters");
            }
            assert_eq!(may(action), wanted, "{name} and {action}");
        }
        assert_eq!(may("sqs:SendMessage"), sends.iter().copied().collect(), "{name} sends to");
        let others = rights.iter().flat_map(|statement| &statement.actions);
        let others: Vec<_> = others
            .filter(|one| one.starts_with("sqs:") && !polling.contains(*one) && *one != "sqs:SendMessage")
            .collect();
        assert!(others.is_empty(), "{name}: {others:?}");
    }
}

#[test]
fn only_match_takes_commands_and_no_function_can_forge_one() {
    for (name, takes, sends) in FUNCTIONS {
        for queue in ["CommandQueue", "ApproveQueue"] {
            assert!(!sends.contains(&queue), "{name} could give a command");
            assert_eq!(takes.contains(&queue), name == "MatchRole");
        }
    }
    let scheduler = role("SchedulerRole");
    let sends: BTreeSet<&str> = scheduler.iter().flat_map(Statement::targets).collect();
    assert_eq!(sends, BTreeSet::from(["DeadLetters", "MatchQueue"]));
}

#[test]
fn a_condition_over_all_values_is_not_met_by_none() {
    let roles = of_type("AWS::IAM::Role").into_iter().map(|(name, _)| (name, role(name)));
    let managed = of_type("AWS::IAM::ManagedPolicy");
    let managed = managed.into_iter().map(|(name, policy)| (name, statements(&policy["PolicyDocument"])));
    let mut guarded = 0;
    for (name, rights) in roles.chain(managed) {
        for statement in rights {
            let conditions = statement.condition.as_object().into_iter().flatten();
            for (_, keys) in conditions.filter(|(operator, _)| operator.starts_with("ForAllValues:")) {
                for key in keys.as_object().expect("keys").keys() {
                    assert_eq!(statement.condition["Null"][key], "false", "{name}: {} and {key}", statement.sid);
                    guarded += 1;
                }
            }
        }
    }
    assert_eq!(
        guarded, 15,
        "sealing and proving in three roles and their shared policy, the table's writing in five, its reading in two"
    );
}

#[test]
fn who_decides_or_faces_the_source_has_no_way_to_the_tenant() {
    for name in ["MatchRole", "SourceRole", "WebhookRole"] {
        for statement in role(name) {
            // Passwords of directories lie where no secret of a tenant may: `StackLimits` sees to it.
            let of_source = name == "SourceRole" && statement.sid == "DirectorySecrets";
            let reaches = statement.is_of("sts") || (statement.is_of("secretsmanager") && !of_source);
            assert!(!reaches, "{name}: {} leads to the tenant", statement.sid);
            let tokens = statement.targets().iter().any(|of| of.starts_with("Token"));
            assert!(!tokens, "{name}: {} leads to tokens", statement.sid);
        }
    }
}

#[test]
fn tokens_are_read_kept_and_forgotten_by_who_speaks_to_the_tenant() {
    for name in ["TenantRole", "WriteRole", "ConnectRole"] {
        let rights = role(name);
        let kept = needed("DynamoTable", &["get", "write", "batch_write"]);
        assert_eq!(on(&rights, "TokenTable"), kept, "{name} on the table of tokens");
        assert_eq!(on(&rights, "TokenKey"), needed("KmsSeal", &["data_key", "unwrap_key"]), "{name} on their key");
        for statement in rights.iter().filter(|statement| statement.targets().contains("TokenKey")) {
            // At rest through DynamoDB, or by ourselves and then under a context that names the connection.
            let via = &statement.condition["StringLike"]["kms:ViaService"];
            let named = &statement.condition["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"];
            let ours = *named == json!(["hardmatch:connection", "hardmatch:kind"]);
            assert!(ours || via.to_string().contains("dynamodb."), "{name}: {}", statement.sid);
        }
    }
}

#[test]
fn who_we_are_is_proved_to_entra_alone_and_briefly() {
    for name in ["TenantRole", "WriteRole", "ConnectRole"] {
        let rights = role(name);
        let sts: Vec<_> = rights.iter().filter(|statement| statement.is_of("sts")).collect();
        assert_eq!(sts.len(), 1, "{name}");
        assert_eq!(sts[0].actions, needed("StsWebIdentity", &["token"]), "{name}");
        let audiences: Vec<String> = ["", "USGov", "China"]
            .iter()
            .map(|cloud| format!("api://AzureADTokenExchange{cloud}"))
            .flat_map(|audience| [audience.clone(), format!("{audience}/*")])
            .collect();
        assert_eq!(
            sts[0].condition["ForAllValues:StringLike"]["sts:IdentityTokenAudience"],
            json!(audiences),
            "{name}"
        );
        assert_eq!(sts[0].condition["NumericLessThanEqualsIfExists"]["sts:DurationSeconds"], 300, "{name}");
    }
}

#[test]
fn secrets_are_read_only_by_the_name_that_the_operator_gave() {
    for (name, _, _) in FUNCTIONS {
        for statement in role(name).iter().filter(|statement| statement.is_of("secretsmanager")) {
            assert_eq!(statement.actions, BTreeSet::from(["secretsmanager:GetSecretValue".to_owned()]), "{name}");
            let arn = statement.resources[0]["Fn::Sub"].as_str().expect("an ARN");
            let names =
                if name == "SourceRole" { ":secret:${SecretPrefix}*/source/*" } else { ":secret:${SecretPrefix}*/*" };
            assert!(arn.ends_with(names), "{name}: {arn}");
        }
        // Without a prefix the statement is not there at all: `secret:*` would be every secret of the account.
        let policies = list(&properties(name)["Policies"]);
        for entry in policies.into_iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])) {
            let given = &entry["Fn::If"][0];
            let of_source = name == "SourceRole" && given == "HasDirectorySecrets";
            assert!(of_source || !entry.to_string().contains("secretsmanager:"), "{name} has a secret of its own");
        }
    }
    let given = &template()["Conditions"]["HasDirectorySecrets"]["Fn::And"];
    assert_eq!(*given, json!([{ "Condition": "HasDirectories" }, { "Condition": "HasSecrets" }]));
    let shared = properties("TenantAccess")["PolicyDocument"].to_string();
    assert!(shared.contains("HasSecrets") && shared.contains("secretsmanager:"), "{shared}");
}

#[test]
fn the_pages_reach_connections_and_nobodys_record() {
    let rights = role("ConnectRole");
    let table: Vec<_> = rights.iter().filter(|statement| statement.targets().contains("WorkTable")).collect();
    for statement in table {
        let keys = match statement.sid.as_str() {
            "ReadConnections" => json!(["CONN#*", "CONNECT#*", "CONNECTING#*", "STORE"]),
            _ => json!(["CONNECT#*", "CONNECTING#*"]),
        };
        assert_eq!(statement.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], keys, "{}", statement.sid);
    }
    assert!(!rights.iter().any(|statement| statement.is_of("sqs") || statement.is_of("s3")));
}

#[test]
fn the_webhook_writes_who_was_pushed_and_who_is_wanted_and_nothing_else() {
    let rights = role("WebhookRole");
    let table: Vec<_> = rights.iter().filter(|statement| statement.targets().contains("WorkTable")).collect();
    assert_eq!(table.len(), 2);
    for statement in table {
        let keys = match statement.sid.as_str() {
            "ReadTable" => {
                json!([
                    "CONN#*",
                    "STORE",
                    "SIGNING#*",
                    "PUSHED#*",
                    "SYNC#*",
                    "P#*",
                    "KP#*",
                    "A#*",
                    "KA#*",
                    "T#*",
                    "REPAIR#*"
                ])
            }
            _ => json!(["PUSHED#*", "SYNC#*", "HOOK#*"]),
        };
        assert_eq!(statement.condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], keys, "{}", statement.sid);
    }
    assert!(!rights.iter().any(|statement| statement.is_of("s3")));
}

#[test]
fn the_source_is_read_and_never_written() {
    for (name, _, _) in FUNCTIONS {
        let files: Vec<_> = role(name).into_iter().filter(|statement| statement.sid == "PeopleFiles").collect();
        assert_eq!(files.len(), usize::from(name == "SourceRole"), "{name}");
        for statement in files {
            assert_eq!(statement.actions, BTreeSet::from(["s3:GetObject".to_owned()]));
        }
    }
}

#[test]
fn logs_go_to_the_functions_own_group() {
    for (name, function) in of_type("AWS::Lambda::Function") {
        let rights = role(target(&function["Role"]).expect("a role"));
        let logs: Vec<_> = rights.iter().filter(|statement| statement.is_of("logs")).collect();
        assert_eq!(logs.len(), 1, "{name}");
        assert_eq!(logs[0].targets().first().copied(), target(&function["LoggingConfig"]["LogGroup"]), "{name}");
    }
}

/// Actions that name no resource: why each is right with `*`.
const NO_RESOURCE: [(&str, &str); 7] = [
    ("sts:GetWebIdentityToken", "a token is no resource; audience and life are bounded by conditions"),
    ("ec2:CreateNetworkInterface", OF_LAMBDA),
    ("ec2:DescribeNetworkInterfaces", OF_LAMBDA),
    ("ec2:DescribeSubnets", OF_LAMBDA),
    ("ec2:DeleteNetworkInterface", OF_LAMBDA),
    ("ec2:AssignPrivateIpAddresses", OF_LAMBDA),
    ("ec2:UnassignPrivateIpAddresses", OF_LAMBDA),
];
const OF_LAMBDA: &str =
    "Lambda makes the interfaces, which have no name before; the function itself is denied each of these";

#[test]
fn no_statement_is_about_everything() {
    let roles = of_type("AWS::IAM::Role").into_iter().map(|(name, _)| (name, role(name)));
    let managed = of_type("AWS::IAM::ManagedPolicy");
    let managed = managed.into_iter().map(|(name, policy)| (name, statements(&policy["PolicyDocument"])));
    for (name, rights) in roles.chain(managed) {
        for statement in rights {
            let excused = statement.actions.iter().all(|action| NO_RESOURCE.iter().any(|(one, _)| one == action));
            assert!(
                !statement.resources.contains(&json!("*")) || excused,
                "{name}: {} is about everything",
                statement.sid
            );
            for action in &statement.actions {
                assert!(!action.contains('*'), "{name}: {} allows {action}", statement.sid);
            }
        }
    }
}

#[test]
fn a_keys_own_policy_speaks_of_itself_and_leaves_the_rest_to_roles() {
    for (name, key) in of_type("AWS::KMS::Key") {
        for statement in list(&key["KeyPolicy"]["Statement"]) {
            assert_eq!(statement["Resource"], "*", "{name}: in a key policy `*` is the key");
            let root = statement["Principal"]["AWS"]["Fn::Sub"].as_str().is_some_and(|arn| arn.ends_with(":root"));
            let ours = !statement["Condition"]["StringEquals"]["aws:SourceAccount"].is_null();
            assert!(root || ours, "{name}: {statement}");
        }
    }
    assert_eq!(list(&properties("TokenKey")["KeyPolicy"]["Statement"]).len(), 1, "no service opens tokens");
}

#[test]
fn functions_are_started_by_lambda_alone() {
    for (name, _, _) in FUNCTIONS {
        let trust = &properties(name)["AssumeRolePolicyDocument"]["Statement"];
        let lambda =
            json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
        assert_eq!(*trust, json!([lambda]), "{name}");
    }
}
