//! Two connections of one tenant, which share some people, at once: an account has one owner, and neither sees what is the
//! other's.

use std::thread;

use serde_json::Value;

use crate::Fixture;
use crate::company::{Company, Tenant};

pub(crate) fn story(fixture: &mut Fixture) {
    let tenant = Tenant::start(fixture);
    let (north, south) = (Company::new(fixture, "north", &tenant), Company::new(fixture, "south", &tenant));
    let stack = &fixture.stack;
    // Of twenty each, four are in both.
    north.people(stack, 0..20, "North");
    south.people(stack, 16..36, "South");

    let sync = |company: &Company| {
        stack.hardmatch(&crate::stack::Keys::root(), &["sync", "--yes", "--config", &company.file, "--json"])
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| sync(&south));
        for ran in [sync(&north), other.join().unwrap()] {
            // Who came second needs somebody to look.
            assert!(matches!(ran.code, 0 | 3), "{}{}", ran.out, ran.err);
        }
    });
    tenant.nobody_twice();
    let there = tenant.count("North") + tenant.count("South");
    assert_eq!(there, 36, "everybody has one account");
    assert!(tenant.count("North") >= 16 && tenant.count("South") >= 16, "both are served");

    // The connection that was second at an account is told so by the next run, and leaves the account alone.
    let writes = tenant.world().counters().writes;
    let refused = |company: &Company| -> u64 {
        let ran = sync(company);
        let run: Value = serde_json::from_str(&ran.out).unwrap();
        run["refusals"]["claimed_by_connection"].as_u64().unwrap_or_default()
    };
    let (north_refused, south_refused) = (refused(&north), refused(&south));
    assert_eq!(north_refused + south_refused, 4, "north {north_refused}, south {south_refused}");
    assert_eq!(tenant.world().counters().writes, writes, "nobody writes what is another's");
    assert_eq!(tenant.count("North"), 20 - usize::try_from(north_refused).unwrap());

    // What one changes stays its own.
    north.people(stack, 0..20, "Far North");
    let ran = sync(&north);
    assert!(matches!(ran.code, 0 | 3), "{}{}", ran.out, ran.err);
    assert_eq!(tenant.count("Far North"), 20 - usize::try_from(north_refused).unwrap());
    assert_eq!(tenant.count("South"), 20 - usize::try_from(south_refused).unwrap());
    tenant.nobody_twice();
}
