//! What can never be answered or written is put aside, with its reason, and takes nobody along.

use std::thread::JoinHandle;

use hardmatch_sim::{Fault, FaultRule};
use hardmatch_tests::connection::people;
use hardmatch_tests::fixture::{tenant, trusting_the_stand_in};
use hardmatch_tests::immutable_id;
use serde_json::{Value, json};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::Ran;

/// No program understands it.
const NO_MESSAGE: &str = "poison";
/// A message, about a connection that there is not.
const NOBODYS: &str = r#"{"v":1,"connection":"nobody","run":"01KCZZZZZZZZZZZZZZZZZZZZZZ","kind":"write"}"#;
/// For a version that is not deployed yet.
const NEWER: &str = r#"{"v":99,"kind":"something-new"}"#;

/// A start that the scheduler gave up. <https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html>
const UNDELIVERED: [(&str, &str); 4] = [
    ("ERROR_CODE", "AWS.SimpleQueueService.NonExistentQueue"),
    ("ERROR_MESSAGE", "The specified queue does not exist."),
    ("SCHEDULE_ARN", "arn:aws:scheduler:us-east-1:000000000000:schedule/default/hm-nightly"),
    ("SCHEDULED_TIME", "2031-01-31T02:00:00Z"),
];
const PEOPLE: u32 = 20;

/// A run that takes its time.
pub(crate) struct Begun {
    tenant: Tenant,
    company: Company,
    applied: JoinHandle<Ran>,
}

/// At the beginning: a message is given up after five attempts, and a person after eight; both take their time.
pub(crate) fn begun(fixture: &mut Fixture) {
    fixture.stack.send("WriteQueue", NO_MESSAGE);
    fixture.stack.send("WriteQueue", NOBODYS);
    fixture.stack.send("MatchQueue", NEWER);

    let account = |n: u32, more: Value| {
        let mut account = json!({
            "userPrincipalName": format!("person{n}@contoso.com"),
            "mail": format!("person{n}@contoso.com"),
            "onPremisesImmutableId": immutable_id(&format!("{n:08x}-1a2b-4c3d-8e4f-0123456789ab")),
        });
        account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        account
    };
    // Somebody who left, and whom the tenant lets no application block: refused whenever that is written. And somebody whom
    // every change fails of, by the service's own fault.
    let seed = tenant(trusting_the_stand_in()).user(account(3, json!({ "restricted": true })));
    let tenant = Tenant::of(fixture, seed.user(account(4, json!({}))));
    let failing = tenant.world().user("person4@contoso.com").unwrap()["id"].as_str().unwrap().to_owned();
    let failure = Fault::Status {
        status: 500,
        code: Some("UnknownError".to_owned()),
        message: None,
        retry_after: None,
        applied: false,
    };
    tenant.world().inject(FaultRule::new(&format!("PATCH /users/{failing}"), failure));

    let company = Company::new(fixture, "poisoned", &tenant);
    let standing = |line: &str| if line.starts_with("00000003") { "514" } else { "512" };
    let people: Vec<String> = people(0..PEOPLE, "Sales")
        .lines()
        .enumerate()
        .map(|(n, line)| format!("{line},{}", if n == 0 { "userAccountControl" } else { standing(line) }))
        .collect();
    fixture.stack.people("poisoned.csv", &people.join("\n"));
    let planned = company.says(&fixture.stack, &["plan"], 0);
    let applied = fixture.stack.begin(&["apply", planned["plan"].as_str().unwrap(), "--config", &company.file]);
    fixture.poisoned = Some(Begun { tenant, company, applied });
}

/// Much later, and before a night begins, which would take the place of a run that is still open: everything that was done
/// meanwhile was done beside it.
pub(crate) fn story(fixture: &mut Fixture) {
    let Begun { tenant, company, applied } = fixture.poisoned.take().unwrap();
    let stack = &fixture.stack;
    let run = applied.join().unwrap().json(3);
    assert_eq!(run["status"], "attention", "{run}");
    // Everybody else has what they should have, but for these two.
    assert!(tenant.count("Sales") >= PEOPLE as usize - 2, "everybody else");
    assert_eq!(tenant.world().user("person3@contoso.com").unwrap()["accountEnabled"], true);
    assert_ne!(tenant.world().user("person4@contoso.com").unwrap()["department"], "Sales");
    // Nobody else's change is still open or lost.
    let expected = json!({ "done": PEOPLE - 2, "refused": 1, "unavailable": 1 });
    assert_eq!(run["outcomes"], expected, "{run}");
    let refusals = run["refusals"].as_object().unwrap();
    assert_eq!(refusals.len(), 1, "{run}");
    let refused = refusals.keys().next().unwrap();
    for (who, reason) in [("person3@contoso.com", refused.as_str()), ("person4@contoso.com", "unavailable")] {
        let why = company.says(stack, &["explain", who, "--history"], 0);
        assert!(why.to_string().contains(reason), "{who}: {why}");
    }
    // Tried some times with longer and longer rests: neither the tenant nor the queues are run down.
    let tried = tenant.world().requests();
    let tried = tried.iter().filter(|one| (one.method.as_str(), one.status) == ("PATCH", 500)).count();
    assert!((3..=8).contains(&tried), "sent {tried} times");
    // Most of them were sent by the stories meanwhile, which tick by hand and hand over twice; by itself it takes a dozen.
    assert!(run["cost"]["messages"].as_u64().unwrap() < 250, "{run}");
    let told = stack.told(run["run"].as_str().unwrap());
    let ended = told.iter().find(|line| line["RunsEnded"] == 1).unwrap();
    assert_eq!(ended["RefusalsByReason"], run["refusals"], "{ended}");
    assert_eq!((&ended["People"], &ended["Refusals"]), (&json!(PEOPLE), &json!(1)), "{ended}");
    // The next run goes on with whom the service failed; whom the tenant refuses is told of again.
    tenant.world().clear_faults();
    let again = company.says(stack, &["sync"], 3);
    assert_eq!(again["status"], "attention", "{again}");
    assert_eq!(tenant.world().user("person4@contoso.com").unwrap()["department"], "Sales");
    tenant.nobody_twice();

    // What was sent in the beginning, and what the scheduler gave up.
    stack.send_noted("DeadLetters", r#"{"v":1,"kind":"nightly"}"#, &UNDELIVERED);
    let shown = stack.json(&["connection", "dead-letters"], 3);
    let queues = shown["queues"].as_array().unwrap();
    let piles: Vec<_> = queues.iter().map(|pile| (pile["queue"].as_str().unwrap(), &pile["count"])).collect();
    assert_eq!(piles, [("scheduler", &json!(1)), ("write", &json!(2))], "nobody's work was given up: {shown}");
    let start = &queues[0]["letters"][0];
    let expected = (&json!("start"), &json!("hm-nightly"), &json!("2031-01-31T02:00:00Z"));
    assert_eq!((&start["what"], &start["schedule"], &start["due"]), expected, "{shown}");
    assert!(start["why"].as_str().unwrap().contains("NonExistentQueue"), "{shown}");
    let letters = queues[1]["letters"].as_array().unwrap();
    let of = |what: &str| -> &Value { letters.iter().find(|letter| letter["what"] == what).unwrap() };
    assert!(of("no message")["why"].as_str().unwrap().contains("no message"), "{shown}");
    assert_eq!(of("write")["connection"], "nobody", "{shown}");
    assert!(of("write")["why"].as_str().unwrap().contains("connection"), "{shown}");
    assert!(letters.iter().all(|letter| letter["since"].is_string()), "{shown}");
    assert!(!shown.to_string().contains(NO_MESSAGE), "what strangers send is not repeated: {shown}");
    assert_eq!(stack.holds("MatchQueue")[2], 1, "a message of a newer version waits for that");
}
