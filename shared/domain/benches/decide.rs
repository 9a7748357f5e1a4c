//! Decisions a second: 200,000 people against 200,000 accounts, on one core, with evidence, changes, counts and the
//! plan's hash. 95 % are linked and unchanged; the rest are new, changed, or to be taken over by name.
//!
//! `cargo bench -p hardmatch-domain`; prints the peak memory of the process at the end (Linux).

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use divan::Bencher;
use divan::counter::ItemsCount;
use hardmatch_domain::account::{Account, AccountKind, Authority, Domain, Tenant};
use hardmatch_domain::attribute::{Attr, Attributes, Texts};
use hardmatch_domain::change::Decision;
use hardmatch_domain::facts::Lookups;
use hardmatch_domain::facts::knowledge::Knowledge;
use hardmatch_domain::facts::memory::MemoryFacts;
use hardmatch_domain::ids::{Guid, ImmutableId, ObjectId, PersonRef};
use hardmatch_domain::link::{JoinRule, Ledger, Link};
use hardmatch_domain::person::{Address, Addresses, Anchor, Extra, Manager, Person, PersonRecord, SourceStatus};
use hardmatch_domain::plan::{Counts, plan_hash, slice_hash};
use hardmatch_domain::policy::{
    AccountDeleted, Actions, Expression, FlowFrom, FlowManager, FlowWhen, Guard, LeavingAction, Lifecycle, Mapping,
    OnConflict, Policy, Reenable, Rule, RuleError, SoftDeleted, SoftRule, Stage, Switch, WhenEmpty,
};
use hardmatch_domain::repair::holds::OpenRepairs;
use hardmatch_domain::{Context, decide};

const PEOPLE: u32 = 200_000;
const SLICE: usize = 100;
const NOW: i64 = 1_800_000_000;

fn main() {
    LazyLock::force(&FACTS);
    let facts = memory("VmRSS");
    divan::main();
    let peak = memory("VmHWM");
    #[expect(clippy::print_stdout, reason = "the benchmark's result")]
    {
        println!("memory: facts alone {facts}, peak with decisions {peak}");
    }
}

/// A line of the process's status.
fn memory(which: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    line.unwrap_or("unknown").trim().to_owned()
}

static FACTS: LazyLock<MemoryFacts> = LazyLock::new(facts);
static TENANT: LazyLock<Tenant> = LazyLock::new(tenant);

#[divan::bench(sample_count = 5, sample_size = 1)]
fn default_policy(bencher: Bencher<'_, '_>) {
    run(bencher, &policy());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn scope_and_three_expressions(bencher: Bencher<'_, '_>) {
    let mut policy = policy();
    policy.scope = Some(Arc::new(In("Staff")));
    for attr in [Attr::JobTitle, Attr::Department, Attr::OfficeLocation] {
        if let Some(mapping) = policy.flow.iter_mut().find(|mapping| mapping.to == attr) {
            mapping.from = FlowFrom::Expression(Arc::new(Copied(attr)));
        }
    }
    run(bencher, &policy);
}

/// All decisions of a run held at once, as a plan on one machine holds them. Measures memory more than rules.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn default_policy_all_held(bencher: Bencher<'_, '_>) {
    let policy = policy();
    let context = Context {
        policy: &policy,
        tenant: &TENANT,
        now: NOW,
        disconnected: &[],
        knowledge: Knowledge::LISTINGS,
        repairs: OpenRepairs::NONE,
    };
    bencher.counter(ItemsCount::new(PEOPLE)).bench_local(|| {
        let people = FACTS.all_people().iter();
        people.map(|record| decide(record, &*FACTS, &context)).collect::<Vec<Decision>>()
    });
}

/// Slice by slice, as `match` decides: decisions, counts and hashes of a slice, then the next.
fn run(bencher: Bencher<'_, '_>, policy: &Policy) {
    let context = Context {
        policy,
        tenant: &TENANT,
        now: NOW,
        disconnected: &[],
        knowledge: Knowledge::LISTINGS,
        repairs: OpenRepairs::NONE,
    };
    bencher.counter(ItemsCount::new(PEOPLE)).bench_local(|| {
        let mut counts = Counts::default();
        let mut slices: Vec<String> = Vec::new();
        for slice in FACTS.all_people().chunks(SLICE) {
            let decisions: Vec<Decision> = slice.iter().map(|record| decide(record, &*FACTS, &context)).collect();
            for decision in &decisions {
                counts.add(decision);
            }
            slices.push(slice_hash(&decisions));
        }
        assert_eq!(counts.converged, u64::from(PEOPLE) * 95 / 100, "{counts:?}");
        (counts, plan_hash(slices.iter().map(String::as_str)))
    });
}

/// What a person of the mixture is.
#[derive(PartialEq, Eq)]
enum Kind {
    Unchanged,
    Changed,
    New,
    Unclaimed,
}

fn kind(n: u32) -> Kind {
    match n % 100 {
        0 | 1 => Kind::New,
        2 | 3 => Kind::Changed,
        4 => Kind::Unclaimed,
        _ => Kind::Unchanged,
    }
}

fn facts() -> MemoryFacts {
    let mut people = Vec::with_capacity(PEOPLE as usize);
    let mut accounts = Vec::with_capacity(PEOPLE as usize);
    let mut links = Vec::with_capacity(PEOPLE as usize);
    for n in 0..PEOPLE {
        let record = person(n);
        let kind = kind(n);
        let account = account(n, &kind);
        if matches!(kind, Kind::Unchanged | Kind::Changed) {
            links.push(Link {
                person: PersonRef { connection: record.connection.clone(), key: record.person.key.clone() },
                account: account.id.clone(),
                immutable_id: account.immutable_id.clone(),
                joined_by: JoinRule::HardMatch,
                ledger: Ledger::default(),
                revision: 1,
            });
        }
        people.push(record);
        accounts.push(account);
    }
    MemoryFacts::new(Lookups::default(), people, accounts, links, [])
}

/// People come in key order, as a store lists them.
fn guid(n: u32) -> Guid {
    Guid::parse(&format!("{n:08x}-89ab-cdef-0123-456789abcdef")).unwrap_or(Guid::from_ad_bytes([0; 16]))
}

/// Accounts are anywhere.
fn object(n: u32) -> ObjectId {
    let mixed = n.wrapping_mul(0x9e37_79b9);
    ObjectId::new(format!("{mixed:08x}-0000-4000-8000-0000{n:08x}"))
}

fn attributes(n: u32, title: &str) -> Attributes {
    let surname = format!("Surname{}", n / 20);
    let given = format!("Given{}", n % 20);
    let login = format!("given{}.surname{}", n % 20, n / 20);
    Attributes::from_pairs([
        (Attr::UserPrincipalName, format!("{login}@contoso.com").as_str()),
        (Attr::MailNickname, login.as_str()),
        (Attr::DisplayName, format!("{given} {surname}").as_str()),
        (Attr::GivenName, given.as_str()),
        (Attr::Surname, surname.as_str()),
        (Attr::JobTitle, title),
        (Attr::Department, "Research and Development"),
        (Attr::CompanyName, "Contoso"),
        (Attr::EmployeeId, format!("E{n}").as_str()),
        (Attr::OfficeLocation, "Building 7"),
        (Attr::City, "Gothenburg"),
        (Attr::PostalCode, "411 04"),
        (Attr::Country, "Sweden"),
        (Attr::UsageLocation, "SE"),
        (Attr::BusinessPhones, "+46 31 100000"),
        (Attr::PreferredLanguage, "sv-SE"),
    ])
}

fn person(n: u32) -> PersonRecord {
    let attributes = attributes(n, "Engineer");
    let address = attributes.get(Attr::UserPrincipalName).unwrap_or_default().to_owned();
    PersonRecord {
        connection: "contoso".into(),
        person: Person {
            key: guid(n).to_string().as_str().into(),
            anchors: vec![Anchor { from: "objectGUID".into(), id: ImmutableId::from_guid(&guid(n)) }],
            attributes,
            addresses: Addresses::new(Address::parse(&address), Texts::new([address.as_str()])),
            groups: Texts::new(["Staff"]),
            manager: (n >= 20).then(|| Manager::Person(guid(boss(n)).to_string().as_str().into())),
            enabled: Some(true),
            password_expired: None,
            extra: Extra::default(),
            given_by: None,
        },
        standing: SourceStatus::Present,
        revision: 1,
        former: Vec::new(),
    }
}

/// Somebody who is linked.
fn boss(n: u32) -> u32 {
    n / 2000 * 100 + 50
}

fn account(n: u32, kind: &Kind) -> Account {
    let title = if *kind == Kind::Changed { "Trainee" } else { "Engineer" };
    let mut attributes = attributes(n, title);
    if *kind == Kind::New {
        // Somebody else's: the tenant has accounts that nobody at the source is.
        let other = format!("service{n}@contoso.com");
        attributes = attributes.with(Attr::UserPrincipalName, &other).without(Attr::EmployeeId);
    }
    let upn = attributes.get(Attr::UserPrincipalName).unwrap_or_default().to_owned();
    Account {
        id: object(n),
        immutable_id: matches!(kind, Kind::Unchanged | Kind::Changed).then(|| ImmutableId::from_guid(&guid(n))),
        attributes,
        enabled: Some(true),
        proxies: Texts::new([format!("SMTP:{upn}").as_str()]),
        kind: AccountKind::Member,
        authority: Authority::Cloud,
        memberships: Texts::default(),
        licenses: Texts::new(["05e9a617-0261-4cee-bb44-138d3ef5d965"]),
        manager: (n >= 20).then(|| object(boss(n))),
        created: Some("2024-05-01T08:00:00Z".into()),
        deleted: None,
        last_sync: None,
        guest_state: None,
        revision: 1,
    }
}

fn tenant() -> Tenant {
    let domain = Domain { verified: true, federated: false, initial: false };
    Tenant {
        id: "00000000-0000-0000-0000-000000000000".into(),
        domains: BTreeMap::from([("contoso.com".to_owned(), domain)]),
        roles: Some(BTreeMap::new()),
        eligible: Some(BTreeMap::new()),
        users_complete: true,
        deleted_complete: true,
        groups_complete: true,
        contacts_complete: true,
        directory_sync: None,
        proving: BTreeMap::new(),
        skus: None,
        named_groups: BTreeMap::new(),
    }
}

/// The default policy, as `hardmatch.toml` gives it when nothing is said.
fn policy() -> Policy {
    let flow = Attr::ALL
        .iter()
        .copied()
        .filter(|attr| attr.extension_number().is_none() && !matches!(attr, Attr::Mail | Attr::FaxNumber));
    let suspend = vec![Stage { action: LeavingAction::Suspend, after_seconds: 0 }];
    Policy {
        connection: "contoso".into(),
        revision: 1,
        scope: None,
        anchor_from: vec!["mS-DS-ConsistencyGuid".into(), "objectGUID".into()],
        on_conflict: OnConflict::Stop,
        soft: vec![SoftRule::Upn, SoftRule::PrimarySmtp],
        prove: vec![Attr::EmployeeId],
        soft_deleted: SoftDeleted::Restore,
        merge_synced: false,
        write_back: Vec::new(),
        full_listing_days: 7,
        flow: flow
            .map(|to| Mapping { to, from: FlowFrom::Same, when: FlowWhen::Always, when_empty: WhenEmpty::Clear })
            .collect(),
        manager: FlowManager { when: FlowWhen::Always, when_empty: WhenEmpty::Clear },
        lifecycle: Lifecycle {
            absent: suspend.clone(),
            left_scope: suspend.clone(),
            disabled: suspend,
            password_expired: Vec::new(),
            ended: Vec::new(),
            account_deleted: AccountDeleted::Report,
            create_disabled: false,
            reenable: Reenable::Ours,
            revoke_sessions: false,
        },
        starts: None,
        ends: None,
        actions: Actions {
            create: Switch::On,
            update: Switch::On,
            takeover: Switch::On,
            rename: Switch::On,
            enable: Switch::On,
            suspend: Switch::On,
            restore: Switch::On,
            delete: Switch::Approve,
            license: Switch::On,
            membership: Switch::On,
            repair: Switch::Approve,
            merge: Switch::Approve,
            purge: Switch::Approve,
        },
        guard: Guard {
            max_removals: 500,
            max_removals_percent: 5,
            always_allow: 3,
            max_creations_percent: 20,
            max_identity_changes_percent: 20,
        },
        licenses: Vec::new(),
        groups: Vec::new(),
    }
}

/// A scope as plain code: what the rules cost without an expression language.
#[derive(Debug)]
struct In(&'static str);

impl Rule for In {
    fn test(&self, person: &Person) -> Result<bool, RuleError> {
        Ok(person.groups.contains(self.0))
    }

    fn text(&self) -> &str {
        self.0
    }
}

/// An expression as plain code.
#[derive(Debug)]
struct Copied(Attr);

impl Expression for Copied {
    fn eval(&self, person: &Person) -> Result<String, RuleError> {
        Ok(person.attributes.get(self.0).unwrap_or_default().to_owned())
    }

    fn text(&self) -> &str {
        self.0.name()
    }
}
