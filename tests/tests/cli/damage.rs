//! A state file that is damaged: each command ends with an error that names the file and the cure, and none hangs.

use std::collections::BTreeSet;
use std::fs;

use crate::fixture::{Fixture, rows, tenant};

/// Pages of the file that are damaged one after the other.
const PAGES: usize = 40;

const COMMANDS: [&[&str]; 3] = [
    &["sync", "--config", "lab.toml", "--yes", "--json"],
    &["explain", "person3@contoso.com", "--config", "lab.toml", "--json"],
    &["connection", "pause", "--config", "lab.toml", "--json"],
];

/// The pages of a SQLite file that hold nothing: the leaves of its list of free pages, counted from 0.
/// SQLite neither reads nor trusts what is in them (<https://www.sqlite.org/fileformat2.html#the_freelist>).
fn empty_pages(file: &[u8], size: usize) -> BTreeSet<usize> {
    let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut empty = BTreeSet::new();
    let mut trunk = number(32);
    while trunk != 0 {
        let at = (trunk - 1) * size;
        empty.extend((0..number(at + 4)).map(|nth| number(at + 8 + nth * 4) - 1));
        trunk = number(at);
    }
    empty
}

fn with_damage(damage: impl Fn(&mut [u8])) {
    let fixture = Fixture::with_people(tenant(), &rows(70));
    fixture.plan_and_apply();
    fixture.world().take_counters();
    let intact = fs::read(fixture.path("lab.db")).unwrap();
    let size = usize::from(u16::from_be_bytes([intact[16], intact[17]]));
    let pages = intact.len() / size;
    assert!(pages >= PAGES, "{pages}");
    let empty = empty_pages(&intact, size);
    assert!(empty.len() < pages / 4, "{} of {pages} pages hold nothing", empty.len());
    for nth in 0..PAGES {
        let page = nth * pages / PAGES;
        let mut bytes = intact.clone();
        damage(&mut bytes[page * size..(page + 1) * size]);
        // Each command is tried on a damaged file of its own; which one takes turns.
        let command = COMMANDS[nth % COMMANDS.len()];
        fixture.write("lab.db", &bytes);
        let said = fixture.run(command);
        let sync = command[0] == "sync";
        match said.code {
            Some(1) => {
                said.says(&["lab.db", "damaged", "estore it from a copy"]);
            }
            // A command that reads little may not meet the damage; a run reads every page that holds something.
            Some(0) if !sync || bytes == intact || empty.contains(&page) => {}
            _ => panic!("page {page}: {said}"),
        }
        assert!(!fixture.path("lab.db-wal").exists() || !sync, "it was closed in order");
        let _ = fs::remove_file(fixture.path("lab.db-wal"));
        let _ = fs::remove_file(fixture.path("lab.db-shm"));
    }
    assert_eq!(fixture.world().counters().writes, 0, "nothing is concluded from a damaged file");
    fixture.write("lab.db", &intact);
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0, "the lease is let go, and the copy is good");
}

#[test]
fn a_zeroed_page_of_the_state_file_is_an_error() {
    with_damage(|page| page.fill(0));
}

#[test]
fn a_flipped_page_of_the_state_file_is_an_error() {
    with_damage(|page| page.iter_mut().for_each(|byte| *byte = !*byte));
}

#[test]
fn a_state_file_that_was_cut_off_is_an_error() {
    let fixture = Fixture::with_people(tenant(), &rows(10));
    fixture.plan_and_apply();
    let intact = fs::read(fixture.path("lab.db")).unwrap();
    for left in [0, 10, 5000, intact.len() / 2] {
        fixture.write("lab.db", &intact[..left]);
        for command in COMMANDS {
            fixture.run(command).ends(1).says(&["lab.db", "is damaged", "Restore it from a copy"]);
        }
    }
    fixture.write("lab.db", &intact);
    assert_eq!(fixture.sync().ends(0).json()["writes"], 0);
}

#[cfg(unix)]
#[test]
fn a_state_file_that_others_can_read_is_remarked_on() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::with_people(tenant(), &rows(2));
    fixture.plan_and_apply();
    let quiet = fixture.run(&["runs", "list", "--config", "lab.toml"]).ends(0);
    assert!(!quiet.err.contains("chmod"), "{quiet}");
    for name in ["lab.db", "lab.db.lock"] {
        assert_eq!(fs::metadata(fixture.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    fs::set_permissions(fixture.path("lab.db"), fs::Permissions::from_mode(0o644)).unwrap();
    fixture.run(&["runs", "list", "--config", "lab.toml"]).ends(0).says(&["lab.db (mode 644)", "chmod 600"]);
    let doctor = fixture.run(&["doctor", "--config", "lab.toml", "--json"]).json();
    let remark =
        |check: &&serde_json::Value| check["state"] == "warn" && check["cure"].to_string().contains("chmod 600");
    assert!(doctor["checks"].as_array().unwrap().iter().any(|check| remark(&check)), "{doctor}");
}
