//! The product as a cloud team runs it: the shipped template, deployed unmodified on a stand-in for AWS with its policies
//! enforced; the functions as Lambda starts them, over the wire protocols of SQS, DynamoDB, S3, KMS and STS, against
//! simulated tenants over HTTP.
//!
//! One stack for all stories, one after the other, as a stack lives: what happened to an earlier connection is still there.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod approved;
mod boundary;
mod company;
mod directory;
mod entitled;
#[expect(dead_code, unused_imports, reason = "a controller for the tests of directories, which ask more of it")]
#[path = "../ldap/fake/mod.rs"]
mod fake;
mod kills;
mod messages;
mod neighbours;
mod nightly;
mod poison;
mod pushed;
mod rebuild;
mod repaired;
mod roles;
mod stack;
mod told;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use hardmatch_sim::Running;
use tokio::runtime::Runtime;

use crate::stack::Stack;

/// What all stories share.
struct Fixture {
    /// Tenants answer here.
    runtime: Runtime,
    /// All of them, to the end.
    tenants: RefCell<Vec<Rc<Running>>>,
    stack: Stack,
    /// What was begun early and takes long.
    poisoned: Option<poison::Begun>,
}

/// A story. It leaves its connection behind for the others.
type Story = fn(&mut Fixture);

const STORIES: [(&str, Story); 18] = [
    ("poison is sent, and goes on while everything else does", poison::begun),
    ("who may do what, by command", roles::story),
    ("an operator is not an owner", boundary::story),
    ("functions are killed in the middle of a batch", kills::story),
    ("every message is lost once; others come twice and out of order", messages::story),
    ("two connections of one tenant at once", neighbours::story),
    ("licences and groups by rule", entitled::story),
    ("people whom an identity provider pushes", pushed::story),
    ("a directory, then several sources", directory::story),
    ("approved, undone, followed, removed", approved::story),
    ("broken joins, found and repaired", repaired::story),
    ("poisoned people, and the dead letters with their reasons", poison::story),
    ("a nightly sync by the clock, and an upgrade in the middle of it", nightly::story),
    ("the first push after a quiet day", pushed::cold),
    ("what is told, and the queues are empty", told::story),
    ("what was stored before the stack's limits", boundary::limits),
    ("the table is lost", rebuild::story),
    ("nobody is named in any log", told::nobody),
];

#[test]
fn the_shipped_template_as_a_team_runs_it() {
    // For somebody at work on a story: parts of the names of those that are told, separated by commas.
    let only = hardmatch_runtime::env::read("HARDMATCH_STORIES").unwrap();
    let began = Instant::now();
    let mut fixture = Fixture {
        runtime: Runtime::new().unwrap(),
        tenants: RefCell::default(),
        stack: Stack::deploy("hm"),
        poisoned: None,
    };
    eprintln!("deployed after {} s", began.elapsed().as_secs());
    for (name, story) in STORIES {
        if only.as_ref().is_some_and(|only| !only.split(',').any(|part| name.contains(part))) {
            continue;
        }
        let began = Instant::now();
        eprintln!("{name} ...");
        story(&mut fixture);
        eprintln!("{name}: {} s", began.elapsed().as_secs());
    }
}
