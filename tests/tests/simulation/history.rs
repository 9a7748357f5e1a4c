//! One history: its dice, its world, and what must hold all along.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hardmatch_embedded::doorbell::Faults;
use hardmatch_match::Accept;
use hardmatch_ports::Clock as _;
use hardmatch_ports::run::{CollectionState, PlanRow};
use hardmatch_sim::{Fault, FaultRule, Seed, SeenRequest};
use hardmatch_tests::damage::company::{Company, Form};
use hardmatch_tests::damage::fault::{Kind, damage};
use hardmatch_tests::damage::looks::Looks;
use hardmatch_tests::directory::COLUMNS;
use hardmatch_tests::{Backup, CorruptAnswer, KillAt, Ran, Rng, Seen, Stopped, World, guid, immutable_id, invariants};
use serde_json::json;

/// Rounds of edits and commands in a history.
const EPISODES: usize = 5;
/// Research is licensed, Sales is in a group that nobody has made yet.
const ENTITLED: &str = "[[license]]\nsku = \"SPE_E3\"\nwhen = \"person.department == 'Research'\"\n\
     [[group]]\nname = \"Sales\"\nwhen = \"person.department == 'Sales'\"\n";
/// Leaving in three stages.
const STAGES: &str =
    "[\"suspend\", { action = \"remove-licenses\", after = \"1d\" }, { action = \"delete\", after = \"3d\" }]";
const E3: &str = "05e9a617-0261-4cee-bb44-138d3ef5d965";
/// `[guard] always_allow`: with so few people the only limit that counts.
const ALLOWED: usize = 3;
/// Names of people: an account has no other name than one that stood under that column.
const NAMES: [(&str, &str); 3] = [("displayName", "displayName"), ("givenName", "givenName"), ("sn", "surname")];
const GIVEN: [&str; 6] = ["Jörg", "Bärbel", "Zoë", "François", "Anna", "Max"];
const SURNAMES: [&str; 5] = ["Müller", "Schäfer", "Weiß", "Öberg", "Lang"];

pub(crate) struct History {
    seed: u64,
    rng: Rng,
    world: World,
    /// Whether rules give licences and memberships.
    entitled: bool,
    /// People who left and may come back: as they were.
    gone: Vec<(String, BTreeMap<String, String>)>,
    hired: usize,
    /// Anchors of everybody who was ever there, by key.
    anchors: BTreeMap<String, String>,
    /// Removals that nobody approved by hash: when, and of which account.
    removals: Vec<(i64, String)>,
    /// An older state of the table.
    backup: Option<Backup>,
    /// The last whole listing was read to its end.
    known: bool,
    /// Every name that ever stood under a column.
    called: BTreeSet<(&'static str, String)>,
    log: Vec<String>,
}

impl History {
    pub(crate) async fn begin(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let conflict = ["stop", "source-wins"][rng.below(2)];
        let absent = ["\"suspend\"", "{ action = \"delete\", after = \"2d\" }", "\"delete\""][rng.below(3)];
        let delete = ["on", "approve"][rng.below(2)];
        let deleted = ["report", "restore"][rng.below(2)];
        let empty = ["keep", "clear"][rng.below(2)];
        let entitled = rng.happens(50);
        let absent = if entitled && rng.happens(30) { STAGES } else { absent };
        let rules = if entitled { ENTITLED } else { "" };
        let policy = format!(
            "[anchor]\non_conflict = \"{conflict}\"\n[match]\nprove = [\"employeeId\"]\n\
             [lifecycle]\nabsent = {absent}\naccount_deleted = \"{deleted}\"\n[actions]\ndelete = \"{delete}\"\n\
             [attributes]\ndepartment = {{ from = \"person.department\", when_empty = \"{empty}\" }}\n\
             usageLocation = \"'SE'\"\n[guard]\nalways_allow = {ALLOWED}\n{rules}"
        );
        let world = World::with(tenant(&mut rng), &policy).await;
        let mut history = Self {
            seed,
            rng,
            world,
            entitled,
            gone: Vec::new(),
            hired: 0,
            anchors: BTreeMap::new(),
            removals: Vec::new(),
            backup: None,
            known: false,
            called: BTreeSet::new(),
            log: vec![policy],
        };
        for _ in 0..8 + history.rng.below(6) {
            history.hire();
        }
        history
    }

    pub(crate) async fn play(mut self) {
        for episode in 0..EPISODES {
            self.say(format!("episode {episode}"));
            for _ in 0..self.rng.below(4) {
                self.edit_people();
            }
            for _ in 0..self.rng.below(3) {
                self.edit_tenant();
            }
            self.misfortune();
            self.note_names();
            let damaged = if self.known && self.rng.happens(25) { self.damage() } else { None };
            self.command(damaged).await;
            self.world.people.spoil(None);
            let hours = self.rng.below(40);
            self.world.pass(Duration::from_secs(hours as u64 * 3600 + 60));
            if self.rng.happens(6) {
                // Longer than the recycle bin keeps an account.
                self.say("a month passes".to_owned());
                self.world.pass_days(31);
            }
            if self.rng.happens(15) {
                match self.backup.take() {
                    None => self.backup = Some(self.world.backup().await),
                    Some(backup) => {
                        self.say("the table is restored".to_owned());
                        self.world.restore(&backup).await;
                        self.known = false;
                    }
                }
            }
        }
        self.settle().await;
    }

    fn say(&mut self, what: String) {
        self.log.push(what);
    }

    fn check(&self, problems: &[String]) {
        assert!(problems.is_empty(), "seed {}:\n{}\n{problems:#?}", self.seed, self.log.join("\n"));
    }

    /// One command, repeated as long as it is killed, and what must hold afterwards.
    async fn command(&mut self, damaged: Option<Looks>) {
        let first = self.world.commands();
        let by_hash = self.rng.happens(30);
        let mut writes = Vec::new();
        let mut hash = None;
        let before = self.world.accounts();
        if by_hash {
            hash = self.attempts(&mut writes, Do::Plan).await.map(|ran| ran.hash());
            self.check(&told(&writes, "a plan wrote"));
            if self.rng.happens(30) {
                self.edit_tenant();
            }
        }
        let before = if by_hash { self.world.accounts() } else { before };
        let ran = match hash.filter(|hash| !hash.is_empty()) {
            Some(hash) => self.attempts(&mut writes, Do::Apply(hash)).await,
            None if by_hash => None,
            None => self.attempts(&mut writes, Do::Sync).await,
        };
        let approved = ran.as_ref().is_some_and(|ran| ran.run.accepted.as_ref().is_some_and(|it| it.by_hash));
        self.say(format!("ended {:?}: {} writes", ran.as_ref().map(Ran::status), writes.len()));
        if damaged.is_none() {
            let people = ran.as_ref().and_then(|ran| ran.run.collections.get("people"));
            self.known = people.is_some_and(|people| people.state == CollectionState::Complete);
        }
        self.nobody_is_harmed(damaged, &before, &writes);
        self.judge(first, &before, &writes, approved).await;
    }

    /// The names that stand in the source now.
    fn note_names(&mut self) {
        for name in self.world.people.names() {
            for (column, _) in NAMES {
                self.called.insert((column, self.world.people.get(&name, column).to_owned()));
            }
        }
    }

    /// Damages the listing of this episode in some way; gives what it looks like.
    fn damage(&mut self) -> Option<Looks> {
        let people = &self.world.people;
        assert_eq!(people.columns, COLUMNS);
        let row = |name: &String| COLUMNS.iter().map(|column| people.get(name, column).to_owned()).collect();
        let rows: Vec<Vec<String>> = people.names().iter().map(row).collect();
        let company = Company { form: Form::Csv, columns: COLUMNS.to_vec(), rows };
        // Where two people share a name, address or number, nobody can say whose row is missing.
        let is_shared = company.identifying().into_iter().any(|column| {
            let values: BTreeSet<&String> = company.rows.iter().map(|row| &row[column]).collect();
            values.len() < company.rows.len()
        });
        if is_shared {
            return None;
        }
        let kind = *self.rng.pick(&Kind::ALL)?;
        let damaged = damage(&company, kind, &mut self.rng)?;
        self.say(format!("the listing is damaged: {kind:?}, looks {:?}", damaged.looks));
        self.world.people.hand_in("people.csv", damaged.bytes);
        Some(damaged.looks)
    }

    /// A damaged listing blocks nobody who is in the true one, and gives nobody a name that no one ever had.
    fn nobody_is_harmed(&self, damaged: Option<Looks>, before: &[Seen], writes: &[SeenRequest]) {
        if damaged != Some(Looks::Damaged) {
            return;
        }
        let people = &self.world.people;
        let works = |name: &String| people.get(name, "enabled") == "true";
        let working: BTreeSet<String> = people
            .names()
            .iter()
            .filter(|name| works(name))
            .map(|name| immutable_id(people.get(name, "objectGUID")))
            .collect();
        let mut problems = Vec::new();
        for write in writes {
            let account = before.iter().find(|account| write.target.as_deref() == Some(account.id()));
            let theirs = account.and_then(Seen::immutable_id).is_some_and(|id| working.contains(id));
            if removes(write) && theirs {
                problems.push(format!("{} {} of somebody who works here", write.method, write.route));
            }
            for (column, property) in NAMES {
                let Some(value) = write.body.as_ref().and_then(|body| body[property].as_str()) else { continue };
                if !self.called.contains(&(column, value.to_owned())) {
                    problems.push(format!("{} {}: nobody's {property} is {value:?}", write.method, write.route));
                }
            }
        }
        self.check(&problems);
    }

    /// The same command until it is not killed any more.
    async fn attempts(&mut self, writes: &mut Vec<SeenRequest>, what: Do) -> Option<Ran> {
        for attempt in 0..4 {
            if attempt < 3 && self.rng.happens(35) {
                let at = 1 + self.rng.below(60) as u64;
                let spoil = if self.rng.happens(50) { CorruptAnswer::Lost } else { CorruptAnswer::Done };
                self.world.cut = Some(KillAt { at, spoil });
            }
            let ran = match &what {
                Do::Plan => self.world.try_plan().await,
                Do::Sync => self.world.try_sync(Accept::TheStop).await,
                Do::Apply(hash) => self.world.try_apply(hash).await,
            };
            writes.extend(self.world.tenant.requests().into_iter().filter(invariants::is_write));
            match ran {
                Ok(ran) => return Some(ran),
                Err(Stopped::Killed) => self.say(format!("killed in attempt {attempt} of {what:?}")),
                Err(Stopped::Failed(why)) => self.check(&[why]),
            }
        }
        None
    }

    async fn judge(&mut self, first: u64, before: &[Seen], writes: &[SeenRequest], approved: bool) {
        let rows = self.world.rows_since(first.saturating_sub(1)).await;
        let after = self.world.accounts();
        let mut problems = invariants::twice(&after);
        problems.extend(invariants::unplanned(writes, &rows, before, &after));
        problems.extend(invariants::mixed_up(&rows, &after, &self.anchors));
        self.check(&problems);
        let now = self.world.clock.now().as_second();
        let removed: BTreeSet<&str> =
            writes.iter().filter(|write| removes(write)).filter_map(|write| write.target.as_deref()).collect();
        if !approved {
            self.removals.extend(removed.into_iter().map(|id| (now, id.to_owned())));
            let lately = self.removals.iter().filter(|(at, _)| now - at < 23 * 3600).count();
            if lately > ALLOWED {
                self.check(&[format!("{lately} removals in a day that nobody approved")]);
            }
        }
    }

    /// The faults end: everything that can be done is done, and then nothing more.
    async fn settle(mut self) {
        self.world.tenant.clear_faults();
        self.world.habits.faults = Faults::default();
        self.world.at_once = 1;
        self.say("settling".to_owned());
        let mut quiet = 0;
        let mut refused = BTreeSet::new();
        for _ in 0..14 {
            let (first, before) = (self.world.commands(), self.world.accounts());
            let mut writes = Vec::new();
            let hash = self.attempts(&mut writes, Do::Plan).await.map(|ran| ran.hash()).unwrap_or_default();
            let before_apply = writes.len();
            let ran = self.attempts(&mut writes, Do::Apply(hash)).await;
            self.check(&told(&writes[..before_apply], "a plan wrote"));
            self.judge(first, &before, &writes, true).await;
            let calls: Vec<String> =
                writes.iter().map(|call| format!("{} {} {}", call.method, call.route, call.status)).collect();
            refused = ran.iter().flat_map(|ran| ran.outcomes.values().map(|outcome| outcome.change.clone())).collect();
            let decided: Vec<String> = ran
                .iter()
                .flat_map(|ran| {
                    ran.rows
                        .iter()
                        .map(|row| format!("{} = {} ({})", row.upn, ran.decided(&row.upn), ran.outcome(&row.upn)))
                })
                .collect();
            self.say(format!("settling wrote {calls:?}: {decided:#?}"));
            // What the tenant refuses is tried again every time somebody asks for it.
            let applied = writes.iter().filter(|call| (200..300).contains(&call.status)).count();
            quiet = if applied == 0 { quiet + 1 } else { 0 };
            if quiet == 4 {
                break;
            }
            self.world.pass_days(1);
        }
        if quiet < 4 {
            self.check(&["it does not come to rest".to_owned()]);
        }
        // Looking at everybody again finds nothing that looking at the changed ones left undone.
        let full = self.world.plan_everybody().await;
        let left: Vec<String> = full
            .rows
            .iter()
            .filter_map(|row| Some((row, row.decision.change.as_ref()?)))
            .filter(|(_, change)| !refused.contains(&change.id))
            .map(|(row, change)| format!("{}: {:?} {:?}", full.decided(&row.upn), change.steps, row.decision.join))
            .collect();
        self.check(&left);
        let made = self.world.tenant.groups().len();
        if made > 1 {
            self.check(&[format!("{made} groups were made for one name")]);
        }
        self.everybody_has_what_they_should(&full);
    }

    /// People whom nothing stands in the way of have one live account that says what the source says.
    fn everybody_has_what_they_should(&self, full: &Ran) {
        let accounts = self.world.accounts();
        let mut problems = Vec::new();
        for name in self.world.people.names() {
            let people = &self.world.people;
            let key = people.get(&name, "objectGUID");
            let is_theirs = |row: &&PlanRow| row.decision.key.as_str() == key;
            let free = full.rows.iter().find(is_theirs).is_none_or(|row| row.decision.is_converged());
            if !free {
                continue;
            }
            let anchor = immutable_id(key);
            let mine: Vec<&Seen> = accounts.iter().filter(|account| account.immutable_id() == Some(&anchor)).collect();
            let [account] = mine.as_slice() else { continue };
            if account.synced() || account.guest() || account.deleted() {
                continue;
            }
            let wanted = people.get(&name, "title");
            if !wanted.is_empty() && account.text("jobTitle") != wanted {
                problems.push(format!("{name} is {:?} and should be {wanted:?}", account.text("jobTitle")));
            }
            if self.entitled && people.get(&name, "enabled") == "true" {
                let department = people.get(&name, "department");
                let licensed = account.0["assignedLicenses"].as_array().is_some_and(|licenses| !licenses.is_empty());
                if licensed != (department == "Research") || self.is_member(account) != (department == "Sales") {
                    problems.push(format!(
                        "{name} of {department}: licensed {licensed}, member {}",
                        self.is_member(account)
                    ));
                }
            }
        }
        self.check(&problems);
    }

    fn is_member(&self, account: &Seen) -> bool {
        let is =
            |group: &serde_json::Value| group["members"].as_array().is_some_and(|ids| ids.contains(&account.0["id"]));
        self.world.tenant.groups().iter().any(is)
    }

    fn hire(&mut self) {
        self.hired += 1;
        let name = format!("p{:02}", self.hired);
        let (given, surname) = (GIVEN[self.rng.below(GIVEN.len())], SURNAMES[self.rng.below(SURNAMES.len())]);
        let people = self.world.people.hire(&name);
        people.set(&name, "givenName", given).set(&name, "sn", surname);
        people.set(&name, "displayName", &format!("{given} {surname} {}", self.hired));
        self.note_anchor(&name);
        self.say(format!("{name} is hired"));
    }

    fn note_anchor(&mut self, name: &str) {
        let guid = self.world.people.get(name, "objectGUID").to_owned();
        self.anchors.insert(guid.clone(), immutable_id(&guid));
    }

    fn edit_people(&mut self) {
        let names = self.world.people.names();
        let Some(name) = self.rng.pick(&names).cloned() else { return self.hire() };
        let other = self.rng.pick(&names).cloned().unwrap_or_default();
        let number = self.rng.below(1000);
        let what = self.rng.below(15);
        match what {
            0 => return self.hire(),
            1 if names.len() > 4 => {
                if let Some(row) = self.world.people.remove(&name) {
                    self.gone.push((name.clone(), row));
                }
            }
            2 => {
                let Some((name, row)) = self.gone.pop() else { return };
                self.world.people.put_back(&name, row);
                return self.say(format!("{name} returns"));
            }
            3 => drop(self.world.people.rename(&name, &format!("{name}.{number}@contoso.com"))),
            4 => drop(self.world.people.set(&name, "title", &format!("Title {number}"))),
            5 => drop(self.world.people.set(&name, "department", ["", "Sales", "Research"][number % 3])),
            6 => drop(self.world.people.set(&name, "enabled", "false")),
            7 => drop(self.world.people.set(&name, "enabled", "true")),
            8 => {
                let boss = self.world.people.get(&other, "userPrincipalName").to_owned();
                self.world.people.set(&name, "manager", &boss);
            }
            9 => drop(self.world.people.set(&name, "manager", "")),
            10 => {
                // Hired again: another GUID, the same employee number and name.
                let Some((old, row)) = self.gone.pop() else { return };
                self.hire();
                let new = format!("p{:02}", self.hired);
                let people = &mut self.world.people;
                people.set(&new, "employeeID", &row["employeeID"]).rename(&new, &row["userPrincipalName"]);
                return self.say(format!("{old} is hired again as {new}"));
            }
            11 => {
                // A newcomer gets the name of somebody who moves away from it.
                let upn = self.world.people.get(&name, "userPrincipalName").to_owned();
                self.world.people.rename(&name, &format!("{name}.moved{number}@contoso.com"));
                self.hire();
                let new = format!("p{:02}", self.hired);
                self.world.people.rename(&new, &upn);
            }
            12 => {
                // Another key for the same person.
                let key = guid(30_000 + number);
                self.world.people.set(&name, "objectGUID", &key);
                self.note_anchor(&name);
            }
            13 => {
                // A namesake comes while somebody leaves.
                self.hire();
                let new = format!("p{:02}", self.hired);
                for column in ["displayName", "givenName", "sn"] {
                    let value = self.world.people.get(&name, column).to_owned();
                    self.world.people.set(&new, column, &value);
                }
                if let Some(row) = self.world.people.remove(&name) {
                    self.gone.push((name.clone(), row));
                }
            }
            _ => {
                // Somebody is given the name of one who is gone.
                let Some((_, row)) = self.gone.last() else { return };
                let upn = row["userPrincipalName"].clone();
                self.world.people.rename(&name, &upn);
            }
        }
        self.say(format!("people: {what} {name} {other} {number}"));
    }

    fn edit_tenant(&mut self) {
        let accounts = self.world.accounts();
        let Some(account) = self.rng.pick(&accounts).cloned() else { return };
        let tenant = &self.world.tenant;
        let id = account.id();
        let what = self.rng.below(11);
        let number = self.rng.below(1000);
        let done = match what {
            0 => tenant.set_user(id, json!({ "jobTitle": format!("Meddled {number}") })),
            1 => tenant.set_user(id, json!({ "accountEnabled": false })),
            2 => tenant.set_user(id, json!({ "accountEnabled": true })),
            3 if !account.deleted() => tenant.delete_user(id),
            4 if account.deleted() && !self.is_taken(&account) => tenant.restore_user(id),
            5 => tenant.grant_role(id, "User Administrator"),
            6 if account.privileged() => tenant.revoke_role(id, "User Administrator"),
            7 if !account.deleted() => tenant.set_user(id, json!({ "onPremisesSyncEnabled": !account.synced() })),
            8 if !account.deleted() => tenant.set_user(id, json!({ "onPremisesImmutableId": null })),
            9 if !account.deleted() => {
                tenant.set_user(id, json!({ "onPremisesImmutableId": immutable_id(&guid(50_000 + number)) }))
            }
            _ => tenant
                .add_user(json!({
                    "userPrincipalName": format!("guest{number}@contoso.com"),
                    "mail": format!("p{:02}.{number}@contoso.com", number % 12),
                    "displayName": "Somebody",
                    "userType": if number.is_multiple_of(2) { "Guest" } else { "Member" },
                }))
                .map(drop),
        };
        self.say(format!("tenant: {what} {} {number} {:?}", account.upn(), done.err()));
    }

    /// Whether somebody else holds a deleted account's name or ID by now: nobody could restore it.
    fn is_taken(&self, account: &Seen) -> bool {
        let upn = account.upn().to_owned();
        self.world.accounts().iter().any(|other| {
            !other.deleted()
                && (upn.ends_with(&other.upn().to_lowercase())
                    || (other.immutable_id().is_some() && other.immutable_id() == account.immutable_id()))
        })
    }

    /// What goes wrong in this episode.
    fn misfortune(&mut self) {
        self.world.tenant.clear_faults();
        let percent = |rng: &mut Rng| u8::try_from(rng.below(50)).unwrap_or(0);
        let rng = &mut self.rng;
        self.world.habits.faults = if rng.happens(40) {
            Faults { seed: rng.throw(), lose: percent(rng), duplicate: percent(rng), reorder: percent(rng) }
        } else {
            Faults::default()
        };
        self.world.at_once = 1 + rng.below(2);
        let mut told = Vec::new();
        for _ in 0..rng.below(4) {
            let route =
                ["*", "POST /users", "PATCH /users/{id}", "POST /$batch", "GET /users*", "PUT /users*", "DELETE /*"]
                    [rng.below(7)];
            let status = [500, 502, 503, 504][rng.below(4)];
            let fault = match rng.below(9) {
                0 | 1 => Fault::Throttled { retry_after: [Some("7".to_owned()), None][rng.below(2)].clone() },
                2 => Fault::Status { status, code: None, message: None, retry_after: None, applied: false },
                3 => Fault::Status { status, code: None, message: None, retry_after: None, applied: true },
                4 => Fault::Dropped,
                5 | 6 => Fault::DroppedAfter,
                7 => Fault::Truncated,
                _ => Fault::TokenExpired,
            };
            told.push(format!("{route} {fault:?}"));
            let times = 1 + rng.below(6) as u64;
            self.world.tenant.inject(FaultRule::new(route, fault).with_probability(0.5).times(times));
        }
        if rng.happens(15) {
            self.world.tenant.inject(FaultRule::once("GET /users/{id}", Fault::Stale { ms: 300_000 }));
        }
        if rng.happens(10) {
            self.world.tenant.reset_delta();
        }
        let habits = self.world.habits.faults.clone();
        self.say(format!("faults: {told:?} {habits:?}"));
    }
}

#[derive(Debug)]
enum Do {
    Plan,
    Sync,
    Apply(String),
}

fn told(writes: &[SeenRequest], what: &str) -> Vec<String> {
    writes.iter().map(|write| format!("{what}: {} {}", write.method, write.route)).collect()
}

fn removes(write: &SeenRequest) -> bool {
    let blocks = write.body.as_ref().is_some_and(|body| body["accountEnabled"] == json!(false));
    (write.method == "DELETE" && write.route == "/users/{id}") || (write.method == "PATCH" && blocks)
}

/// Accounts that are there before us: some are people's, some only look like it.
fn tenant(rng: &mut Rng) -> Seed {
    let mut seed = Seed::contoso();
    seed.skus = vec![
        serde_json::from_value(json!({ "skuId": E3, "skuPartNumber": "SPE_E3", "enabled": 100, "plans": [] }))
            .expect("a subscription"),
    ];
    for number in 1..=8_usize {
        let upn = format!("p{number:02}@contoso.com");
        let mut account = json!({ "userPrincipalName": upn, "mail": upn, "displayName": upn });
        match rng.below(10) {
            0 => {}
            1 => account["onPremisesImmutableId"] = json!(immutable_id(&guid(number))),
            2 => account["onPremisesImmutableId"] = json!(immutable_id(&guid(40_000 + number))),
            3 => account["onPremisesSyncEnabled"] = json!(true),
            4 => account["userType"] = json!("Guest"),
            5 => account["roles"] = json!(["User Administrator"]),
            6 => {
                account["onPremisesImmutableId"] = json!(immutable_id(&guid(number)));
                account["deletedDateTime"] = json!("2026-01-10T08:00:00Z");
            }
            _ => continue,
        }
        seed = seed.user(account);
    }
    seed.options.seed = rng.throw() % 1_000_000;
    if rng.happens(30) {
        seed = seed.with(|options| options.manager_bind_on_create = hardmatch_sim::Reaction::Refuse);
    }
    if rng.happens(50) {
        seed = seed.with(|options| options.delta.changed_only = true);
    }
    if rng.happens(30) {
        seed = seed.with(|options| {
            options.delta.replays = 0.3;
            options.delta.duplicates = 0.2;
        });
    }
    seed
}
