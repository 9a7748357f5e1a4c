//! Every few minutes by a schedule of the connection's own: what a quiet time takes, and how soon a change gets through. The
//! source tells whether it has changed, as a directory does.

use std::path::Path;
use std::time::Duration;

use hardmatch_match::Started;
use hardmatch_policy::{Config, Schedule};
use hardmatch_ports::table::Units;
use hardmatch_tests::World;
use hardmatch_tests::month::{company, name};
use hardmatch_tests::telling::LastRead;
use hardmatch_tests::trace::Trace;

fn every_five_minutes() -> Schedule {
    let text = "schema = 1\nconnection = \"a\"\n[tenant]\nid = \"a.test\"\ncloud = \"simulated\"\n[source]\nkind = \"ldap\"\n\
                location = \"ldaps://a.test\"\nbase = \"dc=a\"\nbind = \"cn=a\"\npassword = \"env:A\"\nca = \"ca.pem\"\n\
                [schedule]\nevery = \"5m\"\nfull = \"02:30\"\n";
    Config::load(text, "a", Path::new(".")).expect("a configuration").schedule.expect("a schedule")
}

/// A company whose source was read whole today, by the schedule.
async fn at_rest(people: usize) -> (World, Schedule) {
    let mut world = company(people).await.expect("a company");
    world.telling = Some(LastRead::default());
    let schedule = every_five_minutes();
    world.pass_days(1);
    let (started, _) = world.due(&schedule).await.expect("the day's whole reading");
    assert!(matches!(started, Started::Opened(_)), "{started:?}");
    (world, schedule)
}

/// What the next time of the schedule, five minutes later, begins.
async fn next(world: &mut World, schedule: &Schedule) -> (Started, Units, Trace) {
    // A command takes the fifth.
    world.pass(Duration::from_mins(4));
    let trace = Trace::default();
    world.trace = Some(trace.clone());
    let (started, units) = world.due(schedule).await.expect("a time of the schedule");
    world.trace = None;
    (started, units, trace)
}

#[tokio::test]
async fn a_quiet_time_takes_a_handful_of_units_and_no_question_to_the_tenant() {
    let (mut world, schedule) = at_rest(400).await;
    let runs = world.runs().await.len();
    for _ in 0..3 {
        let (started, units, trace) = next(&mut world, &schedule).await;
        assert_eq!(started, Started::Looks);
        assert_eq!(trace.messages(), ["observe-source"], "{trace}");
        eprintln!("a quiet time of 400 people: {} read and {} write units", units.read, units.write);
        assert_eq!(units, Units { read: 6, write: 1 }, "{trace}");
        assert!(world.tenant.requests().is_empty(), "nobody asked the tenant");
    }
    assert_eq!(world.runs().await.len(), runs, "no run was opened");
}

#[tokio::test]
async fn a_change_at_the_source_is_written_within_five_minutes() {
    let (mut world, schedule) = at_rest(40).await;
    world.people.set(&name(7), "title", "Director");
    let (started, _, trace) = next(&mut world, &schedule).await;
    assert_eq!(started, Started::Looks, "{trace}");
    assert_eq!(trace.messages()[..2], ["observe-source", "start"], "{trace}");
    let run = world.runs().await.remove(0);
    assert_eq!(run.outcomes.get("done"), Some(&1), "{:?}", run.outcomes);
    assert_eq!(world.account(&format!("{}@contoso.com", name(7))).text("jobTitle"), "Director");
    let (started, _, trace) = next(&mut world, &schedule).await;
    assert_eq!((started, trace.messages()), (Started::Looks, vec!["observe-source".to_owned()]), "at rest again");
}

#[tokio::test]
async fn a_schedule_of_a_day_reads_whole_once_and_skips_nothing_that_is_due() {
    let (mut world, schedule) = at_rest(4).await;
    let mut opened = 0;
    for _ in 0..24 * 12 {
        match next(&mut world, &schedule).await.0 {
            Started::Opened(_) => opened += 1,
            Started::Looks => {}
            Started::Already(_) | Started::PassedBy(_) => panic!("skipped"),
        }
    }
    assert_eq!(opened, 1, "the day's whole reading");
}
