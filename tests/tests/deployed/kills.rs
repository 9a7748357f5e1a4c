//! Functions are killed in the middle of their work, as by a host that fails. The simulated tenant answers so late that each
//! kill finds its function waiting for an answer: of what was written, nobody has been told.

use std::thread;

use hardmatch_sim::{Fault, FaultRule, Place};

use crate::Fixture;
use crate::company::{Company, Tenant};
use crate::stack::Stack;

/// Far longer than a kill takes, and less than a function's time.
const LATE: Fault = Fault::Latency { ms: 8_000 };
/// Two batches and a half.
const PEOPLE: u32 = 50;

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let company = Company::new(fixture, "killed", &tenant);
    let stack = &fixture.stack;
    company.people(stack, 0..PEOPLE, "Sales");

    let planned = thread::scope(|scope| {
        tenant.world().inject(FaultRule::once("GET /users*", LATE));
        let plan = scope.spawn(|| company.says(stack, &["plan"], 0));
        kill(stack, &tenant, "ingest-tenant", 1);
        plan.join().unwrap()
    });
    assert_eq!(planned["counts"]["by_action"]["create"], PEOPLE, "{planned}");

    let hash = planned["plan"].as_str().unwrap();
    let applied = thread::scope(|scope| {
        tenant.world().inject(FaultRule::once("POST /$batch", LATE).only(Place::Outer));
        let apply = scope.spawn(|| company.says(stack, &["apply", hash], 0));
        kill(stack, &tenant, "write", 2);
        assert!(tenant.count("Sales") >= 20, "the batch that was on its way has arrived");
        // The next writer looks first, and is killed at that; the one after it finishes.
        tenant.world().inject(FaultRule::once("POST /$batch", LATE).only(Place::Outer));
        kill(stack, &tenant, "write", 3);
        apply.join().unwrap()
    });
    assert_eq!(applied["status"], "converged", "{applied}");
    assert_eq!(tenant.count("Sales"), PEOPLE as usize);
    tenant.nobody_twice();
    let sent = tenant.world().counters().requests["POST /users"];
    assert_eq!(sent, u64::from(PEOPLE), "who was found to be there is not sent again");
    company.nothing_to_do(stack, &tenant);
}

/// Waits until the tenant keeps a function waiting for the nth time, and kills it.
#[track_caller]
fn kill(stack: &Stack, tenant: &Tenant, function: &str, nth: u64) {
    stack.until("a late answer", || tenant.world().counters().faults >= nth);
    let killed = stack.server.kill(&format!("{}-{function}", stack.name)).unwrap();
    assert!(killed >= 1, "{function} was not at work");
}
