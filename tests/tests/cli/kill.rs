//! Pulled plugs: the process is killed in the middle, the same command is given again, and the tenant ends as if
//! nothing had happened. Where it was killed is counted in the tenant's own log, so no time is involved.

use hardmatch_sim::{CallCounts, Fault, FaultRule, Place};

use crate::fixture::{Fixture, Row, Started, binary, rows, tenant, text};

const PEOPLE: usize = 70;

/// Kills the command (SIGKILL) as soon as the tenant has counted enough. False: it ended before that.
pub(crate) fn kill_when(fixture: &Fixture, mut started: Started, enough: impl Fn(&CallCounts) -> bool) -> bool {
    loop {
        if enough(&fixture.world().counters()) {
            return started.kill();
        }
        if started.has_ended() {
            return false;
        }
        std::thread::yield_now();
    }
}

/// Answers to writes come late, so that a kill finds the process waiting for one.
pub(crate) fn late_answers(fixture: &Fixture) {
    fixture.world().inject(FaultRule::new("POST /$batch", Fault::Latency { ms: 400 }).only(Place::Outer));
}

/// Everybody is there once, with their own ID and manager.
#[track_caller]
fn everybody_once(fixture: &Fixture, people: &[Row]) {
    let mut wanted: Vec<String> = people.iter().map(|row| row.upn.clone()).collect();
    wanted.sort();
    assert_eq!(fixture.upns(), wanted);
    let users = fixture.world().users();
    assert_eq!(users.len(), people.len(), "nobody was created and deleted on the way");
    let mut ids: Vec<&str> = users.iter().map(|user| text(&user["onPremisesImmutableId"])).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), people.len());
    let boss = &fixture.user(&people[0].upn)["id"];
    assert!(people[1..].iter().all(|row| fixture.user(&row.upn)["manager"] == *boss));
    fixture.lawful();
}

/// Creations that took effect: never more than there are people.
fn creations(fixture: &Fixture) -> usize {
    let made = |request: &&hardmatch_sim::SeenRequest| {
        request.method == "POST" && request.route == "/users" && request.status == 201
    };
    fixture.world().requests().iter().filter(made).count()
}

/// The next start converges, and a run after it finds nothing to do.
#[track_caller]
fn goes_on(fixture: &Fixture, command: &[&str], people: &[Row]) {
    fixture.world().clear_faults();
    let done = fixture.run(command).ends(0).json();
    assert_eq!(done["status"], "converged", "{done}");
    everybody_once(fixture, people);
    assert_eq!(creations(fixture), people.len(), "nobody was created twice");
    fixture.world().take_counters();
    let again = fixture.sync().ends(0).json();
    assert_eq!(again["writes"], 0, "{again}");
    assert_eq!(fixture.world().counters().writes, 0);
}

fn apply_killed_at(writes: u64) {
    let people = rows(PEOPLE);
    let fixture = Fixture::with_people(tenant(), &people);
    let plan = fixture.plan();
    let hash = text(&plan["plan"]);
    let command = ["apply", hash, "--config", "lab.toml", "--json"];
    late_answers(&fixture);
    assert!(kill_when(&fixture, fixture.start(&command), |counters| counters.writes_applied >= writes));
    goes_on(&fixture, &command, &people);
}

#[test]
fn d19_apply_killed_before_the_first_answer_goes_on() {
    apply_killed_at(1);
}

#[test]
fn d19_apply_killed_in_the_middle_goes_on() {
    apply_killed_at(30);
}

#[test]
fn d19_apply_killed_near_the_end_goes_on() {
    apply_killed_at(61);
}

#[test]
fn apply_killed_again_and_again_goes_on() {
    let people = rows(25);
    let fixture = Fixture::with_people(tenant(), &people);
    let plan = fixture.plan();
    let command = ["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"];
    late_answers(&fixture);
    let mut kills = 0;
    // Each start is killed at the first new account, until a start finds none left to create.
    loop {
        let before = creations(&fixture);
        if !kill_when(&fixture, fixture.start(&command), |_| creations(&fixture) > before) {
            break;
        }
        kills += 1;
        assert!(kills <= people.len(), "every start gets on: {:?}", fixture.world().counters().requests);
    }
    assert!(kills >= 2, "{kills}");
    goes_on(&fixture, &command, &people);
}

#[test]
fn plan_killed_while_it_reads_goes_on() {
    let people = rows(PEOPLE);
    let fixture = Fixture::with_people(tenant(), &people);
    for calls in [1, 3, 5] {
        let before = fixture.world().counters().round_trips;
        let started = fixture.start(&["plan", "--config", "lab.toml", "--json"]);
        assert!(kill_when(&fixture, started, |counters| counters.round_trips >= before + calls), "after {calls} calls");
    }
    assert_eq!(fixture.world().counters().writes, 0);
    let plan = fixture.plan();
    assert_eq!(plan["counts"]["by_action"]["create"], PEOPLE, "{plan}");
    goes_on(&fixture, &["apply", text(&plan["plan"]), "--config", "lab.toml", "--json"], &people);
}

#[test]
fn sync_killed_while_it_writes_goes_on() {
    let people = rows(PEOPLE);
    let fixture = Fixture::with_people(tenant(), &people);
    let command = ["sync", "--config", "lab.toml", "--yes", "--json"];
    late_answers(&fixture);
    assert!(kill_when(&fixture, fixture.start(&command), |counters| counters.round_trips >= 2));
    assert!(kill_when(&fixture, fixture.start(&command), |counters| counters.writes_applied >= 20));
    goes_on(&fixture, &command, &people);
}

#[test]
fn sync_killed_in_a_round_of_updates_goes_on() {
    let mut people = rows(PEOPLE);
    let fixture = Fixture::with_people(tenant(), &people);
    fixture.plan_and_apply();
    for row in &mut people {
        row.department = format!("{} of before", row.department);
    }
    fixture.write("source.csv", crate::fixture::csv(&people));
    late_answers(&fixture);
    fixture.world().take_counters();
    let command = ["sync", "--config", "lab.toml", "--yes", "--json"];
    assert!(kill_when(&fixture, fixture.start(&command), |counters| counters.writes_applied >= 20));
    goes_on(&fixture, &command, &people);
    assert!(people.iter().all(|row| fixture.user(&row.upn)["department"] == row.department.as_str()));
}

#[test]
fn two_at_once_and_the_second_names_who_holds_the_lease() {
    let people = rows(PEOPLE);
    let fixture = Fixture::with_people(tenant(), &people);
    // Long enough for the second to start while the first writes, however busy the machine is.
    fixture.world().inject(FaultRule::new("POST /$batch", Fault::Latency { ms: 8_000 }).only(Place::Outer));
    let mut first = fixture.start(&["sync", "--config", "lab.toml", "--yes", "--json"]);
    let holder = first.id();
    while fixture.world().counters().writes_applied == 0 {
        assert!(!first.has_ended(), "the first ended before it wrote");
        std::thread::yield_now();
    }
    let second = fixture.sync().ends(1);
    let program = binary().file_name().unwrap().to_string_lossy();
    let second = second.says(&[&format!("lease held by process {holder} ({program} sync), since 20")]);
    assert_eq!(second.json()["error"]["exit_status"], 1, "{second}");
    let first = first.ends().ends(0).json();
    assert_eq!(first["status"], "converged", "{first}");
    everybody_once(&fixture, &people);
    // The second process finds everything done.
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0);
}
