//! What an observation concludes of damage, through the pure rules: everybody of a small company is decided, and the
//! guard judges. Nothing is read, written or asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hardmatch_domain::account::{Account, Tenant};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::change::{Decision, Hold, Step};
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::facts::knowledge::Knowledge;
use hardmatch_domain::facts::memory::MemoryFacts;
use hardmatch_domain::guard::{FirstPlan, Judgement, Kind as Limited, Record, Wanted, judge};
use hardmatch_domain::link::Link;
use hardmatch_domain::person::{Address, Addresses, PersonRecord, SourceStatus};
use hardmatch_domain::policy::Policy;
use hardmatch_domain::repair::holds::OpenRepairs;
use hardmatch_domain::{Context, decide};
use hardmatch_policy::Config;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::damage::company::{Company, Form};
use crate::rng::Rng;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
/// How many observations one company sees.
pub const OBSERVATIONS: u64 = 1000;

/// What an observation concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Rows with a readable key were refused.
    Refused,
    /// Numbers that are keys and anchors came without their zeros.
    ZerosLost,
    /// People have other keys, and some of their rows were refused since.
    OtherKeys,
    /// A collection of the tenant was not read, and somebody is new.
    NotRead,
    /// Somebody new has the sign-in name and address of somebody who is there.
    NameTaken,
    /// Somebody new has the employee number of somebody who is there.
    NumberTaken,
    /// Two new people claim one name.
    TwoNewcomers,
    /// Somebody new and disabled.
    DisabledNewcomer,
    /// Somebody new has the sign-in name of a deleted account of somebody else.
    NameInBin,
    /// People are not listed any more: this looks like leaving.
    Missing,
}

impl Seen {
    const ALL: [Seen; 10] = [
        Seen::Refused,
        Seen::ZerosLost,
        Seen::OtherKeys,
        Seen::NotRead,
        Seen::NameTaken,
        Seen::NumberTaken,
        Seen::TwoNewcomers,
        Seen::DisabledNewcomer,
        Seen::NameInBin,
        Seen::Missing,
    ];
}

/// What observations led to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By what was seen.
    pub seen: BTreeMap<Seen, Count>,
    /// What went wrong, with the seed.
    pub wrong: Vec<String>,
}

/// What observations of one kind led to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Observations.
    pub observations: u64,
    /// Sign-ins blocked or accounts deleted that the guard lets through.
    pub blocks: u64,
    /// Changes of what an account says.
    pub overwrites: u64,
    /// New accounts, and deleted ones restored.
    pub creations: u64,
    /// Blocks that the guard holds.
    pub held: u64,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: Tally) {
        for (seen, count) in other.seen {
            let sum = self.seen.entry(seen).or_default();
            sum.observations += count.observations;
            sum.blocks += count.blocks;
            sum.overwrites += count.overwrites;
            sum.creations += count.creations;
            sum.held += count.held;
        }
        self.wrong.extend(other.wrong);
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:>12} {:>7} {:>10} {:>9} {:>6}\n",
            "seen", "observations", "blocks", "overwrites", "creations", "held"
        );
        for (seen, count) in &self.seen {
            let Count { observations, blocks, overwrites, creations, held } = count;
            let seen = format!("{seen:?}");
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "{seen:<16} {observations:>12} {blocks:>7} {overwrites:>10} {creations:>9} {held:>6}");
        }
        text
    }
}

/// The company of a seed under so many observations.
pub fn company(seed: u64, observations: u64) -> Tally {
    let mut rng = Rng::new(seed);
    let form = if rng.happens(50) { Form::Csv } else { Form::Numbered };
    let settled = Settled::new(&mut rng, form);
    let mut tally = Tally::default();
    for number in 0..observations {
        let seen = Seen::ALL[rng.below(Seen::ALL.len())];
        let Some(observed) = settled.observe(seen, &mut rng) else { continue };
        let decided = settled.decide(&observed);
        let count = tally.seen.entry(seen).or_default();
        count.observations += 1;
        count.blocks += decided.blocks;
        count.overwrites += decided.overwrites;
        count.creations += decided.creations;
        count.held += decided.held;
        let limit = if seen == Seen::Missing { settled.limit() } else { 0 };
        let creations = decided.creations.saturating_sub(observed.newcomers_allowed);
        if decided.blocks > limit || decided.overwrites > 0 || creations > 0 {
            tally.wrong.push(format!("seed {seed}, observation {number}, {seen:?} of {form:?}: {decided:?}"));
        }
    }
    tally
}

/// A company whose people all have accounts with everything as it should be.
struct Settled {
    company: Company,
    policy: Policy,
    tenant: Tenant,
    people: Vec<PersonRecord>,
    accounts: Vec<Account>,
    links: Vec<Link>,
    strangers: Vec<PersonRecord>,
}

/// The facts after an observation.
struct Observed {
    people: Vec<PersonRecord>,
    accounts: Vec<Account>,
    tenant: Tenant,
    /// How many accounts may rightly be made.
    newcomers_allowed: u64,
}

#[derive(Debug)]
struct Decided {
    blocks: u64,
    held: u64,
    overwrites: u64,
    creations: u64,
}

impl Settled {
    fn new(rng: &mut Rng, form: Form) -> Self {
        let mut company = Company::new(rng, form);
        company.rows.truncate(6 + rng.below(10));
        let strangers = company.strangers(rng, 4, "contoso.example");
        let (key, from) = match form {
            Form::Numbered => ("employeeID", "employeeID"),
            Form::Csv | Form::NumberLast | Form::Ldif => ("objectGUID", "objectGUID"),
        };
        let text = format!(
            "schema = 1\nconnection = \"c\"\n[tenant]\nid = \"contoso.onmicrosoft.com\"\ncloud = \"simulated\"\n[source]\nkind = \"csv\"\n\
             location = \"people.csv\"\nkey = \"{key}\"\n[anchor]\nfrom = \"{from}\"\n[match]\nprove = [\"employeeId\"]\n"
        );
        let config = Config::load(&text, "test", std::path::Path::new(".")).expect("a configuration");
        let people: Vec<PersonRecord> = company.rows.iter().map(|row| record(&company, row)).collect();
        let settled = Self {
            policy: config.policy(1),
            tenant: made(json!({
                "id": "t", "domains": { "contoso.example": { "verified": true, "federated": false, "initial": false } },
                "roles": {}, "users_complete": true, "deleted_complete": true, "groups_complete": true,
                "contacts_complete": true, "directory_sync": null,
            })),
            accounts: people.iter().map(account).collect(),
            links: people.iter().map(link).collect(),
            strangers: strangers.iter().map(|row| record(&company, row)).collect(),
            people,
            company,
        };
        let quiet = settled.decide(&settled.now());
        assert!(quiet.blocks + quiet.held + quiet.overwrites + quiet.creations == 0, "a settled company: {quiet:?}");
        settled
    }

    /// How many people may lose their account in a day without an approval.
    fn limit(&self) -> u64 {
        self.company.limit() as u64
    }

    /// The facts as they were.
    fn now(&self) -> Observed {
        Observed {
            people: self.people.clone(),
            accounts: self.accounts.clone(),
            tenant: self.tenant.clone(),
            newcomers_allowed: 0,
        }
    }

    fn observe(&self, seen: Seen, rng: &mut Rng) -> Option<Observed> {
        let mut observed = self.now();
        let mut newcomer = self.strangers[rng.below(self.strangers.len())].clone();
        let one = rng.below(self.people.len());
        let known = &self.people[one].person;
        let upn = known.attributes.filled(Attr::UserPrincipalName).unwrap_or_default();
        match seen {
            Seen::Refused => {
                for _ in 0..=rng.below(4) {
                    let at = rng.below(observed.people.len());
                    observed.people[at].standing = SourceStatus::Refused;
                }
            }
            Seen::Missing => {
                for _ in 0..=rng.below(self.people.len()) {
                    let at = rng.below(observed.people.len());
                    observed.people[at].standing = SourceStatus::Absent(NOW - DAY);
                }
            }
            Seen::ZerosLost => {
                if self.company.form != Form::Numbered {
                    return None;
                }
                let numbers = self.company.rows.iter().enumerate().filter(|(_, row)| row[0].starts_with('0'));
                for (at, row) in numbers.take(1 + rng.below(3)) {
                    let mut row = row.clone();
                    let zeros = row[0].len() - row[0].trim_start_matches('0').len();
                    row[0].drain(..zeros);
                    observed.people[at].standing = SourceStatus::Absent(NOW);
                    observed.people.push(record(&self.company, &row));
                }
            }
            Seen::OtherKeys => {
                if self.company.form == Form::Numbered {
                    return None;
                }
                for at in [one, (one + 1) % self.people.len()] {
                    let mut row = self.company.rows[at].clone();
                    row[0] = crate::directory::guid(0x000c_0000 + at);
                    let mut other = record(&self.company, &row);
                    if rng.happens(50) {
                        other.standing = SourceStatus::Refused;
                    }
                    observed.people[at].standing = SourceStatus::Absent(NOW - DAY);
                    observed.people.push(other);
                }
            }
            Seen::NotRead => {
                match rng.below(3) {
                    0 => observed.tenant.users_complete = false,
                    1 => observed.tenant.deleted_complete = false,
                    _ => observed.tenant.domains.clear(),
                }
                observed.people.push(newcomer);
            }
            Seen::NameTaken => {
                rename(&mut newcomer, upn);
                observed.people.push(newcomer);
            }
            Seen::NumberTaken => {
                if self.company.form == Form::Numbered {
                    // Such a row has the other's key.
                    return None;
                }
                let number = known.attributes.filled(Attr::EmployeeId)?;
                newcomer.person.attributes = newcomer.person.attributes.with(Attr::EmployeeId, number);
                observed.people.push(newcomer);
                // Somebody with two records, or a typing error: an account of their own, and nobody else's is touched.
                observed.newcomers_allowed = 1;
            }
            Seen::TwoNewcomers => {
                let mut other = self.strangers[rng.below(self.strangers.len())].clone();
                if other.person.key == newcomer.person.key {
                    return None;
                }
                rename(&mut other, newcomer.person.attributes.filled(Attr::UserPrincipalName).unwrap_or_default());
                observed.people.extend([newcomer, other]);
            }
            Seen::DisabledNewcomer => {
                newcomer.person.enabled = Some(false);
                observed.people.push(newcomer);
            }
            Seen::NameInBin => {
                let mut deleted = account(&newcomer);
                deleted.immutable_id = None;
                let other =
                    [(Attr::GivenName, "Quite"), (Attr::DisplayName, "Quite Another"), (Attr::EmployeeId, "X1")];
                for (attr, value) in other {
                    deleted.attributes = deleted.attributes.with(attr, value);
                }
                deleted.deleted = Some("2027-01-01T00:00:00Z".into());
                observed.accounts.push(deleted);
                observed.people.push(newcomer);
                // An account of their own is right, the other's is not.
                observed.newcomers_allowed = 1;
            }
        }
        Some(observed)
    }

    fn decide(&self, observed: &Observed) -> Decided {
        let Observed { people, accounts, tenant, .. } = observed;
        let lookups = Lookups::of(&self.policy);
        let facts = MemoryFacts::new(lookups, people.clone(), accounts.clone(), self.links.clone(), []);
        let context = Context {
            policy: &self.policy,
            tenant,
            now: NOW,
            disconnected: &[],
            knowledge: Knowledge::LISTINGS,
            repairs: OpenRepairs::NONE,
        };
        let decisions: Vec<Decision> = people.iter().map(|record| decide(record, &facts, &context)).collect();
        let mut removals = Wanted::new(Limited::Removals);
        let (mut blocks, mut overwrites, mut creations) = (0, 0, 0);
        let free = decisions.iter().filter_map(|decision| decision.change.as_deref()).filter(|change| {
            // A hold that waits for somebody's approval is nothing that happens by itself.
            !matches!(change.hold, Some(Hold::Approval))
        });
        for change in free {
            removals.add(change);
            for step in &change.steps {
                match step {
                    Step::SetEnabled { after: false, .. } | Step::Delete { .. } | Step::Purge { .. } => blocks += 1,
                    Step::Create { .. } | Step::Restore => creations += 1,
                    Step::Update { .. } | Step::Rename { .. } => overwrites += 1,
                    _ => {}
                }
            }
        }
        let record = Record {
            limits: self.policy.guard,
            links: self.links.len() as u64,
            spent: 0,
            approved: None,
            first_plan: FirstPlan::Applied,
            groups: &BTreeMap::new(),
        };
        match judge(&removals, &record) {
            Judgement::Go(_) => Decided { blocks, held: 0, overwrites, creations },
            Judgement::Wait(_) => Decided { blocks: 0, held: blocks, overwrites, creations },
        }
    }
}

/// A person's new sign-in name and address.
fn rename(record: &mut PersonRecord, upn: &str) {
    record.person.attributes = record.person.attributes.with(Attr::UserPrincipalName, upn).with(Attr::Mail, upn);
    record.person.addresses = Addresses::new(Address::parse(upn), Texts::new([upn]));
}

/// A value from its stored form, so that what a type learns later has its default.
fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a stored form")
}

fn attributes(company: &Company, row: &[String]) -> Attributes {
    const NAMES: [(&str, Attr); 8] = [
        ("userPrincipalName", Attr::UserPrincipalName),
        ("displayName", Attr::DisplayName),
        ("givenName", Attr::GivenName),
        ("sn", Attr::Surname),
        ("mail", Attr::Mail),
        ("employeeID", Attr::EmployeeId),
        ("department", Attr::Department),
        ("title", Attr::JobTitle),
    ];
    Attributes::from_pairs(NAMES.map(|(name, attr)| (attr, row[company.column(name)].as_str())))
}

fn record(company: &Company, row: &[String]) -> PersonRecord {
    let mail = row[company.column("mail")].as_str();
    let key = row[0].as_str();
    let (from, id) = match company.form {
        Form::Numbered => ("employeeID", key.to_owned()),
        Form::Csv | Form::NumberLast | Form::Ldif => ("objectGUID", crate::account::immutable_id(key)),
    };
    made(json!({
        "connection": "c",
        "person": {
            "key": key, "anchors": [{ "from": from, "id": id }], "attributes": attributes(company, row),
            "addresses": Addresses::new(Address::parse(mail), Texts::new([mail])), "groups": [], "manager": null,
            "enabled": true, "password_expired": null, "extra": [],
        },
        "standing": SourceStatus::Present,
        "revision": 1,
    }))
}

/// The account of a person, with everything as it should be.
fn account(record: &PersonRecord) -> Account {
    let person = &record.person;
    let mail = person.addresses.primary().unwrap_or_default();
    made(json!({
        "id": format!("a-{}", person.key.as_str()), "immutable_id": person.anchors.first().map(|anchor| &anchor.id),
        "attributes": person.attributes, "enabled": true, "proxies": [format!("SMTP:{mail}")], "kind": "member",
        "authority": "cloud", "licences": [], "manager": null, "revision": 1,
    }))
}

fn link(record: &PersonRecord) -> Link {
    made(json!({
        "person": record.reference(), "account": format!("a-{}", record.person.key.as_str()),
        "immutable_id": record.person.anchors.first().map(|anchor| &anchor.id), "joined_by": "created", "revision": 1,
    }))
}
