//! What CloudWatch and the logs are told by everything that happened; and what they are never told.

use std::collections::BTreeSet;

use crate::Fixture;

const FUNCTIONS: [&str; 6] = ["ingest-source", "ingest-tenant", "match", "write", "connect", "webhook"];
const QUEUES: [&str; 6] = ["SourceQueue", "TenantQueue", "MatchQueue", "WriteQueue", "CommandQueue", "ApproveQueue"];
/// Without a dashboard only what an alarm rests on becomes a metric, and while nothing is wrong that is one.
const METRICS: [&str; 1] = ["HoursSinceRun"];
/// Parts of people's names, addresses and keys, and of tokens: JSON Web Tokens begin so, whatever they say.
const NEVER: [&str; 7] = ["Surname", "Given1", "@contoso.com", "eyJ", "Bearer ", "client_assertion", "123456789ab"];

/// After all runs: every function has said whose work it does, and nothing is left to do.
pub(crate) fn story(fixture: &mut Fixture) {
    let stack = &fixture.stack;
    stack.until("a tick that tells how the connections stand", || {
        let mut told = BTreeSet::new();
        for line in stack.metrics() {
            assert_eq!(line["Stack"], stack.name);
            // A line of which CloudWatch makes no metric is there for queries over the log.
            let Some(named) = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array() else { continue };
            told.extend(named.iter().map(|metric| metric["Name"].as_str().unwrap().to_owned()));
        }
        METRICS.iter().all(|metric| told.contains(*metric))
    });
    // What is run after a deployment in a real account.
    stack.smoke();
    // But for the message of a newer version, which waits for that.
    stack.until("empty queues", || QUEUES.iter().all(|queue| stack.holds(queue)[..2] == [0, 0]));
}

/// In the end: whatever happened, no function has logged a person or a token.
pub(crate) fn nobody(fixture: &mut Fixture) {
    for function in FUNCTIONS {
        let lines = fixture.stack.logs(function);
        assert!(!lines.is_empty(), "{function} says nothing");
        for line in lines {
            for never in NEVER {
                assert!(!line.contains(never), "{function} logs {never}: {line}");
            }
        }
    }
}
