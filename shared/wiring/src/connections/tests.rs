//! Who may push what, what is refused again when it is loaded, and that a refusal leaves nothing behind.

use hardmatch_embedded::FileTable;
use hardmatch_ports::{Query, Table};
use hardmatch_store::connection::ActivePolicy;

use super::*;

const TENANT: &str = "5f0d2c1e-6a0b-4c7e-9b6e-0a1b2c3d4e5f";
const HOSTS: &str = "login.microsoftonline.com,graph.microsoft.com,login.microsoftonline.us,graph.microsoft.us";

/// A configuration with this cloud, these lines in `[tenant.auth]`, and this object of people.
fn text(cloud: &str, auth: &str, object: &str) -> String {
    format!(
        "schema = 1\nconnection = \"contoso\"\n[tenant]\nid = \"{TENANT}\"\n{cloud}\n[tenant.auth]\n\
         client_id = \"0f6b6c1d-7d0a-4f4e-8a51-2f6d1f3b9c77\"\nmethod = \"federated\"\n{auth}\n[source]\nkind = \"csv\"\n\
         location = \"s3://people/{object}\"\n"
    )
}

fn usual() -> String {
    text("", "", "contoso.csv")
}

struct Stack {
    table: Arc<FileTable>,
    store: Store,
    connections: Connections,
}

impl Stack {
    async fn new() -> Self {
        let table = Arc::new(FileTable::in_memory().unwrap());
        let store = Store::open(table.clone()).await.unwrap();
        let limits = Arc::new(StackLimits::new(HOSTS, "hm/").unwrap());
        Self { connections: Connections::new(store.clone(), Some(limits)), store, table }
    }

    async fn push(&self, authority: CommandAuthority, text: &str) -> Result<Meta, String> {
        let contoso = ConnectionId::new("contoso");
        let push = Push { connection: &contoso, text, tenant: TENANT, authority };
        self.connections.configure(&push).await.map_err(|error| error.to_string())
    }

    /// Everything in the partitions of the connection and of the list of connections.
    async fn items(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        for partition in ["CONN#contoso", "CONNS"] {
            let page = self.table.query(&Query::prefix(partition, "")).await.unwrap();
            assert!(page.next.is_none());
            found.extend(page.items.into_iter().map(|item| (format!("{}/{}", item.key.pk, item.key.sk), item.body)));
        }
        found
    }
}

#[tokio::test]
async fn the_first_configuration_takes_an_approver() {
    let stack = Stack::new().await;
    let refused = stack.push(CommandAuthority::Operator, &usual()).await.unwrap_err();
    assert!(refused.contains("takes an approver") && refused.contains("first configuration"), "{refused}");
    assert_eq!(stack.items().await, [], "nothing is left behind");
    assert_eq!(stack.push(CommandAuthority::Approver, &usual()).await.unwrap().policy.revision, 1);
    let opened = stack.connections.open(&ConnectionId::new("contoso")).await.unwrap();
    assert_eq!(opened.meta.status.tenant.as_deref(), Some(TENANT));
}

#[tokio::test]
async fn protected_parts_take_an_approver_and_the_rest_an_operator() {
    let stack = Stack::new().await;
    stack.push(CommandAuthority::Approver, &usual()).await.unwrap();
    let before = stack.items().await;
    for (new, words) in [
        (text("cloud = \"usgov\"", "", "contoso.csv"), "[tenant] changes"),
        (text("", "audience = \"api://AzureADTokenExchange/contoso\"", "contoso.csv"), "[tenant.auth] changes"),
        (text("", "", "other.csv"), "source.location changes"),
    ] {
        let refused = stack.push(CommandAuthority::Operator, &new).await.unwrap_err();
        assert!(refused.contains(words), "{refused}");
        assert_eq!(stack.items().await, before, "{words}: nothing is left behind");
    }
    let rest = format!("{}[guard]\nalways_allow = 7\n", usual());
    assert_eq!(stack.push(CommandAuthority::Operator, &rest).await.unwrap().policy.revision, 2);
    let moved = text("", "", "other.csv");
    assert_eq!(stack.push(CommandAuthority::Approver, &moved).await.unwrap().policy.revision, 3);
    assert_eq!(
        stack.push(CommandAuthority::Operator, &moved).await.unwrap().policy.revision,
        3,
        "the same is no change"
    );
}

#[tokio::test]
async fn what_is_out_of_limits_is_refused_from_anybody_when_it_is_pushed() {
    let stack = Stack::new().await;
    stack.push(CommandAuthority::Approver, &usual()).await.unwrap();
    let before = stack.items().await;
    let evil = "cloud = \"custom\"\nlogin = \"https://evil.example\"\ngraph = \"https://graph.microsoft.com\"";
    for (new, words) in [
        (text("", "token = \"command:env\"", "contoso.csv"), "would start a program"),
        (text("", "token = \"file:/proc/self/environ\"", "contoso.csv"), "tenant.auth.token"),
        (text(evil, "", "contoso.csv"), "evil.example"),
        (usual().replace("contoso\"", "fabrikam\""), "it is of connection fabrikam"),
        (usual().replace(TENANT, "11111111-6a0b-4c7e-9b6e-0a1b2c3d4e5f"), "another directory id"),
        (format!("{}#{}", usual(), "x".repeat(MAX_TEXT)), "a stack stores up to"),
    ] {
        for authority in [CommandAuthority::Operator, CommandAuthority::Approver] {
            let refused = stack.push(authority, &new).await.unwrap_err();
            assert!(refused.contains(words), "{refused}");
            assert_eq!(stack.items().await, before, "{words}: nothing is left behind");
        }
    }
}

#[tokio::test]
async fn what_was_stored_before_the_limits_is_refused_when_it_is_loaded() {
    let contoso = ConnectionId::new("contoso");
    let secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:hm/contoso2/app-AbCdEf";
    for (auth, words) in [
        ("token = \"command:env\"".to_owned(), "would start a program"),
        ("token = \"file:/proc/self/environ\"".to_owned(), "tenant.auth.token"),
        (format!("certificate = \"secretsmanager:{secret}\""), "not one of connection contoso"),
        ("certificate = \"env:AWS_SESSION_TOKEN\"".to_owned(), "tenant.auth.certificate"),
    ] {
        let stack = Stack::new().await;
        let old = text("", &auth, "contoso.csv");
        let old = if auth.starts_with("cert") { old.replace("federated", "certificate") } else { old };
        stack.store.put_policy(&contoso, 1, &old).await.unwrap();
        let active = stack.store.update(&contoso, |policy: &mut ActivePolicy| policy.revision = 1).await.unwrap();
        assert_eq!(active.revision, 1);
        let Err(error) = stack.connections.open(&contoso).await else { panic!("{auth} was loaded") };
        assert!(matches!(error, ConnectionError::OutOfLimits { .. }) && error.to_string().contains(words), "{error}");
        // What is refused there is put right by an approver, because nobody knows whose word it was.
        stack.push(CommandAuthority::Operator, &usual()).await.unwrap_err();
        stack.push(CommandAuthority::Approver, &usual()).await.unwrap();
        stack.connections.open(&contoso).await.unwrap();
    }
}

#[tokio::test]
async fn a_push_is_judged_against_what_it_replaces() {
    let stack = Stack::new().await;
    stack.push(CommandAuthority::Approver, &usual()).await.unwrap();
    let contoso = ConnectionId::new("contoso");
    let read_before = stack.store.meta(&contoso).await.unwrap();
    stack.push(CommandAuthority::Approver, &text("", "", "moved.csv")).await.unwrap();
    // Of two at the same time: the one that was judged under the earlier state does not get in, and leaves no text.
    let before = stack.items().await;
    let late = stack.store.activate_policy(&contoso, &read_before, &usual(), "hash", |_| {}).await.unwrap();
    assert_eq!(late, None);
    assert_eq!(stack.items().await, before);
    let refused = stack.push(CommandAuthority::Operator, &usual()).await.unwrap_err();
    assert!(refused.contains("source.location changes"), "{refused}");
    let (a, b) = (text("", "", "a.csv"), text("", "", "b.csv"));
    let both = tokio::join!(stack.push(CommandAuthority::Approver, &a), stack.push(CommandAuthority::Approver, &b));
    let mut revisions = [both.0.unwrap().policy.revision, both.1.unwrap().policy.revision];
    revisions.sort_unstable();
    assert_eq!(revisions, [3, 4], "each has a revision of its own");
}

#[tokio::test]
async fn a_text_left_by_a_process_that_ended_early_does_not_stop_later_pushes() {
    let stack = Stack::new().await;
    stack.push(CommandAuthority::Approver, &usual()).await.unwrap();
    stack.store.put_policy(&ConnectionId::new("contoso"), 2, "left behind").await.unwrap();
    let rest = format!("{}[guard]\nalways_allow = 7\n", usual());
    let meta = stack.push(CommandAuthority::Operator, &rest).await.unwrap();
    assert_eq!(meta.policy.revision, 3);
    let opened = stack.connections.open(&ConnectionId::new("contoso")).await.unwrap();
    assert_eq!(opened.config.guard.always_allow, 7);
}
