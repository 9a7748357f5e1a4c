//! How a trial is played: a file becomes a configuration as `hardmatch init --from FILE` writes it, a tenant holds some
//! accounts, and nights pass. A trial that cannot be set up fails its test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests")]

use std::fs;
use std::path::PathBuf;
use std::pin::Pin;

use hardmatch_domain::reason::Weight;
use hardmatch_match::Accept;
use hardmatch_policy::template;
use hardmatch_ports::run::{Outcome, OutcomeKind, PlanRow, Status};
use hardmatch_sim::{CONTOSO_TENANT_ID, DomainType, Seed, SeedDomain, SeenRequest};
use hardmatch_sources_files::detect;
use hardmatch_wiring::source::suggestion;
use serde_json::{Value, json};

use crate::account::Seen;
use crate::ran::Ran;
use crate::stopped::Stopped;
use crate::world::World;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/trials");
/// The domain of the files. The people of [`Trial::staff`] have contoso.com.
const DOMAIN: &str = "contoso.example";
/// Three days before the first run.
const DELETED: &str = "2026-01-12T12:00:00Z";

/// A trial that is being set up; `.await` has it ready for its first night.
pub struct Setup {
    /// The base of a fixture's names; empty when the file is the test's own.
    name: String,
    /// Name and bytes of the first file; `None`: the people of [`World::people`].
    file: Option<(String, Vec<u8>)>,
    staff: usize,
    config: toml::Table,
    seed: Seed,
}

impl Setup {
    /// What the configuration says besides what `init` writes.
    #[must_use]
    pub fn with(mut self, config: &str) -> Self {
        merge(&mut self.config, toml::from_str(config).unwrap());
        self
    }

    /// Accounts as in a `.tenant.json`: `users`, and `deletedUsers` in the recycle bin.
    #[must_use]
    pub fn tenant(mut self, accounts: &Value) -> Self {
        let listed = |name: &str| accounts[name].as_array().cloned().unwrap_or_default();
        for user in listed("users") {
            self.seed = self.seed.user(user);
        }
        for mut user in listed("deletedUsers") {
            if user["deletedDateTime"].is_null() {
                user["deletedDateTime"] = json!(DELETED);
            }
            self.seed = self.seed.user(user);
        }
        self
    }

    /// Changes the tenant before it starts: switches, subscriptions, groups, roles.
    #[must_use]
    pub fn seed(mut self, change: impl FnOnce(Seed) -> Seed) -> Self {
        self.seed = change(self.seed);
        self
    }

    /// The tenant has so many seats of a licence.
    #[must_use]
    pub fn seats(self, part_number: &str, count: u32) -> Self {
        let number = self.seed.skus.len();
        let sku = json!({
            "skuId": format!("05e9a617-0261-4cee-bb44-{number:012x}"), "skuPartNumber": part_number, "enabled": count,
        });
        self.seed(|mut seed| {
            seed.skus.push(serde_json::from_value(sku).unwrap());
            seed
        })
    }

    async fn begin(self) -> Trial {
        let mut world = World::with(self.seed, "").await;
        if let Some((name, bytes)) = self.file {
            world.people.hand_in(&name, bytes);
        }
        for number in 1..=self.staff {
            world.people.hire(&format!("p{number}"));
        }
        let mut trial = Trial { world, name: self.name, more: self.config, configured: Err(String::new()) };
        trial.configured = trial.init();
        trial
    }
}

impl IntoFuture for Setup {
    type Output = Trial;
    type IntoFuture = Pin<Box<dyn Future<Output = Trial>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}

/// A trial that is being played.
pub struct Trial {
    /// The world below: clock, tenant, people of [`Trial::staff`], passwords that were delivered.
    pub world: World,
    name: String,
    more: toml::Table,
    /// Whether `init` understood the first file, or what it said.
    configured: Result<(), String>,
}

impl Trial {
    /// A given trial, by the base of its files' names.
    pub fn given(name: &str) -> Setup {
        let ending = ["csv", "ldif", "jsonl"].into_iter().find(|ending| fixture(name, "", ending).is_file()).unwrap();
        let bytes = fs::read(fixture(name, "", ending)).unwrap();
        let setup = Setup { name: name.to_owned(), ..Self::of(&format!("people.{ending}"), bytes) };
        match fs::read_to_string(fixture(name, "", "tenant.json")) {
            Ok(accounts) => setup.tenant(&serde_json::from_str(&accounts).unwrap()),
            Err(_) => setup,
        }
    }

    /// A trial of a test's own: the name of its file and what is in it.
    pub fn of(file: &str, text: impl Into<Vec<u8>>) -> Setup {
        let mut domain = SeedDomain::new(DOMAIN, DomainType::Managed);
        domain.default = true;
        let mut seed = Seed::contoso();
        seed.domains.iter_mut().for_each(|other| other.default = false);
        seed.domains.push(domain);
        let file = Some((file.to_owned(), text.into()));
        Setup { name: String::new(), file, staff: 0, config: toml::Table::new(), seed }
    }

    /// So many people of [`World::people`], `p1@contoso.com` and on; the test edits them there.
    pub fn staff(count: usize) -> Setup {
        Setup { file: None, staff: count, ..Self::of("people.csv", Vec::new()) }
    }

    /// What `hardmatch init --from FILE` would do with the file as it is now.
    fn init(&mut self) -> Result<(), String> {
        self.world.people.write().unwrap();
        let path = self.world.people.path().to_owned();
        let seen = detect(&path).map_err(|error| error.to_string())?;
        let location = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = template(&suggestion(&seen, "contoso".to_owned(), location));
        let mut config: toml::Table = toml::from_str(&text).unwrap();
        merge(&mut config, toml::from_str(&format!("tenant.id = \"{CONTOSO_TENANT_ID}\"")).unwrap());
        merge(&mut config, self.more.clone());
        self.world.set_config(config.to_string());
        Ok(())
    }

    /// From now on the configuration says this besides.
    pub fn reconfigure(&mut self, config: &str) {
        merge(&mut self.more, toml::from_str(config).unwrap());
        self.configured = self.init();
    }

    /// The source is another file of the given trial from now on: `day2` is `NAME.day2.csv`, nothing is the first again.
    pub fn hand_in(&mut self, day: &str) {
        let ending = self.world.people.path().extension().unwrap().to_string_lossy().into_owned();
        self.write(fs::read(fixture(&self.name, day, &ending)).unwrap());
    }

    /// The source has this in it from now on.
    pub fn write(&mut self, text: impl Into<Vec<u8>>) {
        let name = self.world.people.path().file_name().unwrap().to_string_lossy().into_owned();
        self.world.people.hand_in(&name, text.into());
    }

    /// The bytes of the source as it is now.
    pub fn source(&self) -> Vec<u8> {
        self.world.people.write().unwrap();
        fs::read(self.world.people.path()).unwrap()
    }

    /// `plan`.
    pub async fn plan(&mut self) -> Night {
        if let Some(failed) = self.not_configured() {
            return failed;
        }
        let ran = self.world.try_plan().await;
        Night::of(ran, Command::Plan)
    }

    /// `apply` of a plan.
    pub async fn apply(&mut self, plan: &Night) -> Night {
        let ran = self.world.try_apply(&plan.ran().hash()).await;
        Night::of(ran, Command::Run)
    }

    /// The first day: `plan`, and `apply` of its hash. What both told is told.
    pub async fn first_night(&mut self) -> Night {
        let plan = self.plan().await;
        if plan.ran.as_ref().is_none_or(|ran| ran.hash().is_empty()) {
            return plan;
        }
        let mut night = self.apply(&plan).await;
        night.told.splice(0..0, plan.told);
        night
    }

    /// A day passes, then `sync --yes`.
    pub async fn sleep(&mut self) -> Night {
        self.world.pass_days(1);
        self.sync().await
    }

    /// `sync --yes`.
    pub async fn sync(&mut self) -> Night {
        if let Some(failed) = self.not_configured() {
            return failed;
        }
        let ran = self.world.try_sync(Accept::TheStop).await;
        Night::of(ran, Command::Run)
    }

    /// A day passes, another file of the given trial is the source, then `sync --yes`.
    pub async fn night(&mut self, day: &str) -> Night {
        self.hand_in(day);
        self.sleep().await
    }

    /// A day passes, the source has this in it, then `sync --yes`.
    pub async fn night_with(&mut self, text: impl Into<Vec<u8>>) -> Night {
        self.write(text);
        self.sleep().await
    }

    /// A further night, which writes nothing.
    #[track_caller]
    pub fn quiet_night(&mut self) -> impl Future<Output = Night> {
        let place = std::panic::Location::caller();
        async move {
            let night = self.sleep().await;
            assert!(night.writes().is_empty(), "{place}: the night wrote {:#?}\n{night:?}", night.calls());
            night
        }
    }

    /// Live accounts.
    pub fn live(&self) -> Vec<Seen> {
        self.world.accounts().into_iter().filter(|account| !account.deleted()).collect()
    }

    /// Sign-in names of the live accounts, sorted.
    pub fn upns(&self) -> Vec<String> {
        let mut upns: Vec<String> = self.live().iter().map(|account| account.upn().to_owned()).collect();
        upns.sort();
        upns
    }

    /// The live account with a sign-in name or, where nobody has that, an address.
    pub fn find(&self, name: &str) -> Option<Seen> {
        let has =
            |property: &str| self.live().into_iter().find(|account| account.text(property).eq_ignore_ascii_case(name));
        has("userPrincipalName").or_else(|| has("mail"))
    }

    /// The live account with a sign-in name or an address.
    #[track_caller]
    pub fn account(&self, name: &str) -> Seen {
        self.find(name).unwrap_or_else(|| panic!("the tenant has no {name}; it has {:?}", self.upns()))
    }

    /// The part numbers of an account's licences.
    pub fn licenses(&self, name: &str) -> Vec<String> {
        self.account(name).0["assignedLicenses"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|license| license["skuId"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Whether an account is a member of a group, by display name.
    pub fn is_member(&self, name: &str, group: &str) -> bool {
        let id = self.account(name).0["id"].clone();
        let is = |found: &Value| {
            found["displayName"] == group && found["members"].as_array().is_some_and(|members| members.contains(&id))
        };
        self.world.tenant.groups().iter().any(is)
    }

    /// A command before `init` understood a file: it is tried again with the file as it is now.
    fn not_configured(&mut self) -> Option<Night> {
        if self.configured.is_err() {
            self.configured = self.init();
        }
        self.configured.as_ref().err().map(|why| Night { ran: None, exit: 2, told: vec![why.clone()] })
    }
}

/// What a command left behind.
#[derive(Debug)]
pub struct Night {
    ran: Option<Ran>,
    /// The exit status.
    pub exit: i32,
    /// Everything that the command tells an operator beside what it did: refused entries, doubts, rows that are refused
    /// or held or come with a reported reason, outcomes other than done, problems, the guard.
    pub told: Vec<String>,
}

#[derive(Clone, Copy)]
enum Command {
    Plan,
    Run,
}

impl Night {
    fn of(ran: Result<Ran, Stopped>, command: Command) -> Self {
        match ran {
            Err(Stopped::Failed(why)) => Self { ran: None, exit: 1, told: vec![why] },
            Err(Stopped::Killed) => panic!("nobody asked for a kill"),
            Ok(ran) => Self { exit: exit(&ran, command), told: told(&ran), ran: Some(ran) },
        }
    }

    /// The run.
    #[track_caller]
    pub fn ran(&self) -> &Ran {
        self.ran.as_ref().unwrap_or_else(|| panic!("the command failed: {:?}", self.told))
    }

    /// The rows of the plan.
    pub fn rows(&self) -> &[PlanRow] {
        self.ran.as_ref().map_or(&[], |ran| &ran.rows)
    }

    /// Requests that wrote, or tried to.
    pub fn writes(&self) -> &[SeenRequest] {
        self.ran.as_ref().map_or(&[], |ran| &ran.writes)
    }

    /// The same as `PATCH /users/{id} 204`, in order.
    pub fn calls(&self) -> Vec<String> {
        self.ran.as_ref().map(Ran::calls).unwrap_or_default()
    }

    /// Writes that the tenant refused.
    pub fn refused(&self) -> Vec<String> {
        self.writes()
            .iter()
            .filter(|write| (400..500).contains(&write.status) && write.status != 429)
            .map(|write| format!("{} {} {}: {:?}", write.method, write.route, write.status, write.body))
            .collect()
    }

    /// Whether something that is told names this: a sign-in name, a key, a code, a word, `line 4`.
    pub fn tells(&self, what: &str) -> bool {
        let what = what.to_lowercase();
        self.told.iter().any(|line| line.to_lowercase().contains(&what))
    }

    /// Whether one thing that is told names both.
    pub fn tells_both(&self, one: &str, other: &str) -> bool {
        let (one, other) = (one.to_lowercase(), other.to_lowercase());
        self.told.iter().map(|line| line.to_lowercase()).any(|line| line.contains(&one) && line.contains(&other))
    }
}

/// As the command ends.
fn exit(ran: &Ran, command: Command) -> i32 {
    if ran.status() == Some(Status::Incomplete) {
        return 1;
    }
    let is_refused = ran.rows.iter().any(|row| {
        row.decision.change.is_none()
            && row.decision.reasons.iter().any(|reason| reason.code.weight() == Weight::Refused)
    });
    let converged = match command {
        Command::Plan => {
            let run = &ran.run;
            let read = run.refused_entries.is_empty() && run.left_out.is_empty() && run.absence().is_empty();
            read && !is_refused
        }
        Command::Run => ran.status() == Some(Status::Converged),
    };
    if converged { 0 } else { 3 }
}

fn told(ran: &Ran) -> Vec<String> {
    let run = &ran.run;
    let mut told = Vec::new();
    for entry in run.refused_entries.iter().chain(&run.left_out) {
        let key = entry.key.as_ref().map_or("", |key| key.as_str());
        let column = entry.column.as_deref().unwrap_or_default();
        told.push(format!("line {} {column} {key}: {}. {}", entry.line, entry.problem, entry.cure));
    }
    for (name, collection) in &run.collections {
        let all = collection.doubts.iter().chain(&collection.absence).chain(&collection.notes);
        told.extend(all.map(|said| format!("{name}: {said}")));
    }
    told.extend(run.problems.iter().cloned());
    told.extend(run.guard.iter().filter(|guard| !guard.released).map(|guard| guard.sentence.clone()));
    for row in &ran.rows {
        let decision = &row.decision;
        let key = decision.key.as_str();
        let hold = decision.change.as_ref().and_then(|change| change.hold.clone());
        let named = decision.reasons.iter().filter(|reason| reason.code.weight() >= Weight::Reported);
        let reasons: Vec<String> = named
            .map(|reason| {
                let code = reason.code;
                format!("{} ({} {})", code.as_str(), code.sentence(), reason.detail.as_deref().unwrap_or_default())
            })
            .collect();
        if hold.is_some() || !reasons.is_empty() {
            let evidence = serde_json::to_string(&decision.evidence).unwrap();
            told.push(format!("{} {} {key}: {hold:?} {} {evidence}", row.upn, row.name, reasons.join(", ")));
        }
        let says = |outcome: &&Outcome| outcome.result != OutcomeKind::Done || !outcome.said().is_empty();
        if let Some(outcome) = ran.outcomes.get(&decision.key).filter(says) {
            let said = outcome.said().into_iter().map(|reason| {
                let detail = reason.detail.as_deref().unwrap_or_default();
                format!("{} {detail}", reason.code.as_str())
            });
            let said: Vec<String> = said.collect();
            told.push(format!(
                "{} {} {key}: {} {} {:?}",
                row.upn,
                row.name,
                outcome.result.name(),
                said.join(", "),
                outcome.refusal
            ));
        }
    }
    told
}

fn fixture(name: &str, day: &str, ending: &str) -> PathBuf {
    let day = if day.is_empty() { String::new() } else { format!(".{day}") };
    PathBuf::from(format!("{FIXTURES}/{name}{day}.{ending}"))
}

/// Tables are merged, everything else is replaced.
fn merge(into: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(old)), toml::Value::Table(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
