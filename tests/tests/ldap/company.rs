//! A directory of a company's size, read by the real program: how long a whole reading and one by changes take, and the most
//! memory they need. `HARDMATCH_DIRECTORY_PEOPLE=20000` says how many people; without it there are few.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;

use crate::asked_for;
use crate::changes::FOLLOWED;
use crate::people::command;
use crate::slapd::{self, Slapd};

/// People who are added in one command.
const TOGETHER: u32 = 1_000;

/// A plan, its seconds, and the most memory that its process had, in MB.
fn plan(folder: &Path) -> (Value, f64, u64) {
    let began = Instant::now();
    let mut child = command(folder, &["plan", "--json"], slapd::PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (status, mut said) = (format!("/proc/{}/status", child.id()), String::new());
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || out.read_to_string(&mut said).map(|_| said));
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let now = std::fs::read_to_string(&status).unwrap_or_default();
        let line = now.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = kilobytes.unwrap_or(most).max(most);
        std::thread::yield_now();
    }
    let said = reader.join().unwrap().unwrap();
    (serde_json::from_str(&said).unwrap(), began.elapsed().as_secs_f64(), most / 1024)
}

#[test]
fn c19_c29_a_company_is_read_whole_and_then_by_changes() {
    if !asked_for("c19_c29_a_company_is_read_whole_and_then_by_changes") {
        return;
    }
    let asked = std::env::var_os("HARDMATCH_DIRECTORY_PEOPLE");
    let people: u32 = asked.map_or(1_200, |number| number.to_str().unwrap().parse().unwrap());
    let server = Slapd::start(FOLLOWED);
    for first in (0..people).step_by(TOGETHER as usize) {
        let numbers = first..people.min(first + TOGETHER);
        server.change(&numbers.map(|number| slapd::person(number, "Engineer")).collect::<String>());
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(server.ca(), folder.path().join("ca.pem")).unwrap();
    let config = format!(
        "schema = 1\nconnection = \"corp\"\n\n[tenant]\nid = \"CHANGE-ME\"\ncloud = \"simulated\"\n\n[source]\nkind = \"ldap\"\n\
         location = \"ldaps://127.0.0.1:{}\"\nbase = \"{}\"\nbind = \"{}\"\npassword = \"env:LDAP_PASSWORD\"\nca = \"ca.pem\"\n",
        server.tls,
        slapd::BASE,
        slapd::READER
    );
    std::fs::write(folder.path().join("hardmatch.toml"), config).unwrap();
    let (whole, seconds, memory) = plan(folder.path());
    assert_eq!(whole["people"], people, "{whole}");
    crate::say(&format!("{people} people of slapd: read whole and planned in {seconds:.1} s, at most {memory} MB"));
    let mut changes = String::new();
    for number in 0..10 {
        let dn = format!("dn: uid=p{number},{}", slapd::BASE);
        write!(changes, "{dn}\nchangetype: modify\nreplace: title\ntitle: Lead\n\n").unwrap();
    }
    server.change(&changes);
    let (changed, seconds, memory) = plan(folder.path());
    assert_eq!(changed["people"], people, "{changed}");
    let notes = changed.to_string();
    assert!(notes.contains("10 people were read again by content synchronization"), "{changed}");
    crate::say(&format!("ten changes among them: read and planned in {seconds:.1} s, at most {memory} MB"));
}
