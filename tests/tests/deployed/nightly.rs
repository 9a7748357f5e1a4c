//! The nightly sync, begun by the deployed schedule. The stand-in sends a message by the clock, so it is the schedule's own rule, target,
//! message and role that begin the run; what the stand-in does not do is to put the scheduled time into the message, so the
//! run has its slot from when the message was sent. In the middle of the run the stack is deployed anew, with another build
//! of every function. The next night is told twice.

use std::collections::BTreeMap;

use hardmatch_sim::{Fault, FaultRule};
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::Stack;

const FUNCTIONS: [&str; 5] = ["ingest-source", "ingest-tenant", "match", "write", "connect"];

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::new(fixture, "nightly", &tenant);
    company.people(&fixture.stack, 0..30, "Sales");
    let first = company.says(&fixture.stack, &["sync", "--yes"], 0);
    assert_eq!(first["status"], "converged", "{first}");
    company.people(&fixture.stack, 0..30, "Marketing");

    // Nothing is written before the tenant says so: the night lasts until then, however long the deployment takes.
    let before = tenant.world().take_counters();
    assert_eq!(before.throttled, 0);
    let busy = Fault::Throttled { retry_after: Some("2".to_owned()) };
    tenant.world().inject(FaultRule::new("PATCH /users/{id}", busy));
    let due = fixture.stack.due_minute();
    fixture.stack.update(&[&format!("NightlySchedule=cron({} {} * * ? *)", due.minute(), due.hour())]);
    let schedule =
        fixture.stack.call("scheduler", "get_schedule", &json!({ "Name": format!("{}-nightly", fixture.stack.name) }));
    assert_eq!(schedule["State"], "ENABLED", "{schedule}");
    let input: Value = serde_json::from_str(schedule["Target"]["Input"].as_str().unwrap()).unwrap();
    assert_eq!(input, json!({ "v": 1, "kind": "nightly", "slot": "<aws.scheduler.scheduled-time>" }));
    fixture.stack.build_anew();
    fixture.stack.until("the night", || tenant.world().counters().throttled > 0);

    let old = builds(&fixture.stack);
    fixture.stack.update(&["LogLevel=debug"]);
    let new = builds(&fixture.stack);
    for function in FUNCTIONS {
        assert_ne!(old[function], new[function], "{function} has another build");
    }
    let run = company.newest(&fixture.stack);
    assert_eq!((&run["status"], &run["intent"]), (&Value::Null, &json!("sync")), "in the middle: {run}");
    assert_eq!(tenant.count("Marketing"), 0);
    tenant.world().clear_faults();
    let ended = |stack: &Stack| company.newest(stack)["status"] == "converged";
    fixture.stack.until("the end of the night", || tenant.count("Marketing") == 30 && ended(&fixture.stack));

    // A later night is told twice, and is one run that finds nothing to do.
    let run = company.newest(&fixture.stack);
    let told = fixture.stack.told(run["run"].as_str().unwrap());
    assert!(told.len() > 3, "{told:?}");
    let later = r#"{"v":1,"kind":"nightly","slot":"2031-03-15T02:00:00Z"}"#;
    fixture.stack.send("MatchQueue", later);
    fixture.stack.send("MatchQueue", later);
    let runs = || company.says(&fixture.stack, &["runs", "list"], 0)["runs"].as_array().unwrap().clone();
    fixture.stack.until("the later night", || runs().len() > 2 && runs()[0]["status"] == "converged");
    assert_eq!(runs().len(), 3, "one by command, one by the clock, one later: {:?}", runs());

    // What the night cost is told by its functions. One that is replaced while it works tells nobody what it did.
    let counted = tenant.world().counters();
    let sum = |metric: &str| told.iter().filter_map(|line| line[metric].as_u64()).sum::<u64>();
    assert!((30..=counted.writes).contains(&sum("GraphWrites")), "{counted:?}");
    assert!((1..=counted.throttled).contains(&sum("Throttles")), "{counted:?}");
    assert!(sum("GraphRequests") > 3 && sum("ReadUnits") > 30 && sum("WriteUnits") > 30, "{told:?}");
    let ended: Vec<&Value> = told.iter().filter(|line| line["RunsEnded"] == 1).collect();
    assert_eq!(ended.len(), 1, "the end of a run is told once: {told:?}");
    assert_eq!((&ended[0]["People"], &ended[0]["Changes"]), (&json!(30), &json!(30)), "{}", ended[0]);
    assert_eq!(ended[0]["ChangesByAction"], json!({ "update": 30 }));
    tenant.nobody_twice();
}

/// What is deployed, by function.
fn builds(stack: &Stack) -> BTreeMap<&'static str, String> {
    let of = |function: &'static str| {
        let asked = json!({ "FunctionName": format!("{}-{function}", stack.name) });
        let found = stack.call("lambda", "get_function_configuration", &asked);
        (function, found["CodeSha256"].as_str().unwrap().to_owned())
    };
    FUNCTIONS.map(of).into()
}
