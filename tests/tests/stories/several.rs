//! Several sources of one connection: one account a person, attributes by precedence, and nobody who loses anything by a
//! source that lacks people.

use std::fmt::Write as _;

use hardmatch_ports::run::Status;
use hardmatch_sim::Seed;
use hardmatch_tests::World;

const ONE: &str = "[source]\nkind = \"csv\"\nlocation = \"people.csv\"\n";
const TWO: &str = "[[source]]\nname = \"corp\"\nkind = \"csv\"\nlocation = \"people.csv\"\n\
                   [[source]]\nname = \"hr\"\nkind = \"csv\"\nlocation = \"hr.csv\"\n";
const JOINED: &str = "[sources]\nsame_person = \"employeeId\"\n";
const BY_HR: &str = "[sources]\nsame_person = \"employeeId\"\n[sources.precedence]\njobTitle = \"hr\"\ndepartment = [\"hr\", \"corp\"]\n";

/// Ada, Bea, Cleo and others with accounts of ours, from one source.
async fn world(people: usize) -> World {
    let mut world = World::with(Seed::contoso(), "").await;
    world.set_sources(ONE, "");
    for name in ["ada", "bea", "cleo"] {
        world.people.hire(name);
    }
    for number in 3..people {
        world.people.hire(&format!("p{number}"));
    }
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    world.pass_days(1);
    world
}

/// Writes the file of human resources: employee numbers with a title and a department.
fn hr(world: &World, rows: &[(usize, &str, &str)]) {
    let mut text = "id,employeeID,title,department\n".to_owned();
    for (number, title, department) in rows {
        writeln!(text, "{number},E{number:04},{title},{department}").expect("a text");
    }
    std::fs::write(world.people.path().with_file_name("hr.csv"), text).expect("a file");
}

fn everybody(people: usize, title: &'static str) -> Vec<(usize, &'static str, &'static str)> {
    (1..=people).map(|number| (number, title, "")).collect()
}

#[tokio::test]
async fn j6_a_second_source_changes_nobodys_account_and_gives_what_it_is_declared_for() {
    let mut world = world(8).await;
    let accounts = world.tenant.live_users();
    hr(&world, &everybody(8, "Lead"));
    world.set_sources(TWO, JOINED);
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0), "the first source counts first");
    world.pass_days(1);
    world.set_sources(TWO, BY_HR);
    let ran = world.settle_by_hash().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 8), "{}", ran.decided("ada@contoso.com"));
    let ada = world.account("ada@contoso.com");
    assert_eq!((ada.text("jobTitle"), ada.text("department")), ("Lead", "Research"), "hr has no department");
    assert_eq!(world.tenant.live_users(), accounts, "nobody is new, and nobody gone");
}

#[tokio::test]
async fn a_second_source_without_a_declared_join_refuses_who_stands_in_both() {
    let mut world = world(8).await;
    let text = "id,userPrincipalName,displayName,title\n1,ada@contoso.com,Ada Contoso,Lead\n";
    std::fs::write(world.people.path().with_file_name("hr.csv"), text).expect("a file");
    world.set_sources(TWO, "");
    let ran = world.settle_by_hash().await;
    assert!(ran.writes.is_empty(), "Ada stays as she is: {}", ran.decided("ada@contoso.com"));
    assert_eq!(ran.status(), Some(Status::Attention));
}

#[tokio::test]
async fn a_source_that_lost_people_takes_nothing_away() {
    let mut world = world(12).await;
    hr(&world, &everybody(12, "Lead"));
    world.set_sources(TWO, BY_HR);
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    for rows in [everybody(3, "Lead"), Vec::new()] {
        world.pass_days(1);
        hr(&world, &rows);
        let ran = world.sync().await;
        assert!(ran.writes.is_empty(), "{} rows: {:?}", rows.len(), ran.calls());
        assert_eq!(world.account("p11@contoso.com").text("jobTitle"), "Lead");
    }
    // The file is not there at all: the run ends, and nothing is concluded.
    world.pass_days(1);
    std::fs::remove_file(world.people.path().with_file_name("hr.csv")).expect("a file");
    let ran = world.sync().await;
    assert!(ran.writes.is_empty() && ran.status() != Some(Status::Converged));
    assert_eq!(world.account("p11@contoso.com").text("jobTitle"), "Lead");
    // It is whole again.
    world.pass_days(1);
    hr(&world, &everybody(12, "Lead"));
    let ran = world.sync().await;
    assert_eq!((ran.status(), ran.writes.len()), (Some(Status::Converged), 0));
}

#[tokio::test]
async fn who_leaves_the_source_of_people_leaves_although_another_has_them() {
    let mut world = world(12).await;
    hr(&world, &everybody(12, "Lead"));
    let supplement = TWO.replace("\"hr\"\nkind", "\"hr\"\npeople = false\nkind");
    world.set_sources(&supplement, BY_HR);
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    world.pass_days(1);
    world.people.remove("cleo");
    let ran = world.sync().await;
    assert_eq!(ran.decided("cleo@contoso.com"), "suspend: source_absent", "{:?}", ran.calls());
    // With people of its own the second source keeps them, under their key and with their account.
    let mut world = self::world(12).await;
    let text = (1..=12).fold("id,employeeID,userPrincipalName,displayName\n".to_owned(), |text, number| {
        let name = ["ada", "bea", "cleo"]
            .get(number - 1)
            .map_or_else(|| format!("p{}", number - 1), |name| (*name).to_owned());
        text + &format!("{number},E{number:04},{name}@contoso.com,{name} Contoso\n")
    });
    std::fs::write(world.people.path().with_file_name("hr.csv"), text).expect("a file");
    world.set_sources(TWO, JOINED);
    assert_eq!(world.settle_by_hash().await.status(), Some(Status::Converged));
    world.pass_days(1);
    let accounts = world.tenant.live_users();
    world.people.remove("cleo");
    let ran = world.sync().await;
    assert!(!ran.decided("cleo@contoso.com").starts_with("suspend"), "{}", ran.decided("cleo@contoso.com"));
    assert_eq!(world.tenant.live_users(), accounts);
}
