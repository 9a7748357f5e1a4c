//! The real program is killed (SIGKILL) in the middle of a reading: the next run is as a fresh full reading would have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::fake::{Fault, On, name_of};
use crate::people::command;
use crate::samba::{BASE, PASSWORD, READER};
use crate::windows::Lab;

const PEOPLE: u32 = 40;

/// Synchronises; the document.
fn sync(folder: &Path) -> Value {
    let output = command(folder, &["sync", "--yes", "--json"], PASSWORD).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Begins to synchronise, and kills the program while the directory does not answer.
fn killed(folder: &Path, lab: &Lab) {
    let seen = lab.fake.is().faults_seen;
    let mut child = command(folder, &["sync", "--yes", "--json"], PASSWORD)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while lab.fake.is().faults_seen == seen {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    assert!(child.wait().unwrap().code().is_none());
}

/// The copies of directories that lie below a folder.
fn copies(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(copies(&path));
        } else if fs::read(&path).unwrap().starts_with(b"hardmatch directory copy") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_program_killed_in_mid_delta_goes_on_as_a_full_reading_would() {
    let lab = Lab::new(PEOPLE);
    lab.fake.is().replicates = true;
    lab.fake.is().sees_deletions = true;
    lab.fake.is().changes = 6;
    lab.fake.is().page = 15;
    let folder = tempfile::tempdir().unwrap();
    fs::copy(lab.trust.ca(), folder.path().join("ca.pem")).unwrap();
    fs::write(
        folder.path().join("hardmatch.toml"),
        format!(
            "schema = 1\nconnection = \"corp\"\n\n[tenant]\nid = \"CHANGE-ME\"\ncloud = \"simulated\"\n\n[source]\nkind = \"ldap\"\n\
             location = \"{}\"\nbase = \"{BASE}\"\nbind = \"{READER}\"\npassword = \"env:LDAP_PASSWORD\"\nca = \"ca.pem\"\n",
            lab.fake.url()
        ),
    )
    .unwrap();
    let first = sync(folder.path());
    assert_eq!((&first["status"], copies(folder.path()).len()), (&Value::from("converged"), 1), "{first}");
    for (round, (on, skip)) in
        [(On::Changes, 0), (On::Changes, 2), (On::Changes, 4), (On::Entries, 0), (On::Other, 3)].into_iter().enumerate()
    {
        for number in 1..=30 {
            lab.fake.is().tree.set(&name_of(number), "title", &[&format!("Round {round}")]);
        }
        let before = fs::read(&copies(folder.path())[0]).unwrap();
        lab.fake.is().plan(on, skip, Fault::Silent(2));
        killed(folder.path(), &lab);
        assert_eq!(fs::read(&copies(folder.path())[0]).unwrap(), before, "{on:?} {skip}");
        let done = sync(folder.path());
        assert_eq!((&done["status"], done["writes"].as_u64()), (&Value::from("converged"), Some(30)), "{done}");
        // Without the copy the directory is read whole, and there is nothing left to write.
        fs::remove_file(&copies(folder.path())[0]).unwrap();
        let fresh = sync(folder.path());
        assert_eq!((&fresh["status"], fresh["writes"].as_u64()), (&Value::from("converged"), Some(0)), "{fresh}");
    }
    // In the middle of a full reading, too.
    fs::remove_file(&copies(folder.path())[0]).unwrap();
    lab.fake.is().plan(On::Listing, 1, Fault::Silent(2));
    killed(folder.path(), &lab);
    assert!(copies(folder.path()).is_empty());
    let fresh = sync(folder.path());
    assert_eq!((&fresh["status"], fresh["writes"].as_u64()), (&Value::from("converged"), Some(0)), "{fresh}");
}
