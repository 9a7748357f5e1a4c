//! A company: a connection of the stack, its people's file, and a tenant of its own.

use std::fs;
use std::ops::Range;
use std::rc::Rc;

use hardmatch_sim::{Running, Seed, Sim, World};
use hardmatch_tests::connection::{Connection, Proof, people};
use hardmatch_tests::fixture::{CLIENT, TENANT, tenant, trusting_the_stand_in};
use serde_json::Value;

use crate::Fixture;
use crate::stack::{PEOPLE, Stack};

/// A tenant that trusts the stack. It stays when its story has ended, as its connection does: the tick looks after all.
pub(crate) struct Tenant {
    running: Rc<Running>,
}

impl Tenant {
    pub(crate) fn start(fixture: &Fixture) -> Self {
        Self::of(fixture, tenant(trusting_the_stand_in()))
    }

    pub(crate) fn of(fixture: &Fixture, seed: Seed) -> Self {
        let running = Rc::new(fixture.runtime.block_on(Sim::new(seed).start_local()).unwrap());
        fixture.tenants.borrow_mut().push(Rc::clone(&running));
        Self { running }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        self.running.url()
    }

    pub(crate) fn world(&self) -> &World {
        self.running.world()
    }

    /// People who have an account, by a department.
    pub(crate) fn count(&self, department: &str) -> usize {
        self.world().users().iter().filter(|user| user["department"] == department).count()
    }

    /// Every created account was created once, whatever was sent again.
    #[track_caller]
    pub(crate) fn nobody_twice(&self) {
        let mut created: Vec<String> = Vec::new();
        for request in self.world().requests() {
            if (request.method.as_str(), request.route.as_str(), request.status) == ("POST", "/users", 201) {
                created.push(request.body.unwrap()["userPrincipalName"].as_str().unwrap().to_owned());
            }
        }
        let all = created.len();
        created.sort();
        created.dedup();
        assert_eq!(created.len(), all, "somebody was created twice");
        assert_eq!(self.world().violations(), Vec::<String>::new());
    }
}

/// A connection of a tenant.
pub(crate) struct Company {
    pub(crate) name: &'static str,
    /// Its configuration's file.
    pub(crate) file: String,
}

impl Company {
    /// Writes the configuration; nothing is in the stack yet.
    pub(crate) fn new(fixture: &Fixture, name: &'static str, tenant: &Tenant) -> Self {
        Self::with(fixture, name, tenant, "[guard]\nalways_allow = 50\nmax_removals_percent = 100\n")
    }

    /// Writes a configuration with these sections for its sources; nothing is in the stack yet.
    pub(crate) fn reading(fixture: &Fixture, name: &'static str, tenant: &Tenant, sources: &str) -> Self {
        let company = Self { name, file: format!("{name}.toml") };
        company.reads(&fixture.stack, tenant, sources);
        company
    }

    /// Writes the configuration anew, with other sections for its sources.
    pub(crate) fn reads(&self, stack: &Stack, tenant: &Tenant, sources: &str) {
        let (proof, url) = (Proof::Federated, tenant.running.url());
        let said = Connection { name: self.name, tenant: TENANT, client: CLIENT, url, proof, people: "", more: "" };
        fs::write(stack.folder.path().join(&self.file), said.tenant_side() + sources).unwrap();
    }

    /// Writes a configuration with more in it; nothing is in the stack yet.
    pub(crate) fn with(fixture: &Fixture, name: &'static str, tenant: &Tenant, more: &str) -> Self {
        let text = Connection {
            name,
            tenant: TENANT,
            client: CLIENT,
            url: tenant.running.url(),
            proof: Proof::Federated,
            people: &format!("s3://{PEOPLE}/{name}.csv"),
            more,
        }
        .toml();
        let file = format!("{name}.toml");
        fs::write(fixture.stack.folder.path().join(&file), text).unwrap();
        Self { name, file }
    }

    /// Puts the people's file where functions read it.
    pub(crate) fn people(&self, stack: &Stack, numbers: Range<u32>, department: &str) {
        stack.people(&format!("{}.csv", self.name), &people(numbers, department));
    }

    /// A command about this connection, as the account's owner.
    #[track_caller]
    pub(crate) fn says(&self, stack: &Stack, words: &[&str], code: i32) -> Value {
        stack.json(&[words, &["--config", &self.file]].concat(), code)
    }

    /// The newest run.
    #[track_caller]
    pub(crate) fn newest(&self, stack: &Stack) -> Value {
        self.says(stack, &["runs", "show"], 0)
    }

    /// A further sync finds nothing to do, and nobody without an account.
    #[track_caller]
    pub(crate) fn nothing_to_do(&self, stack: &Stack, tenant: &Tenant) {
        let writes = tenant.world().counters().writes;
        let again = self.says(stack, &["sync"], 0);
        assert_eq!(again["status"], "converged", "{again}");
        assert_eq!(tenant.world().counters().writes, writes, "{again}");
    }
}
