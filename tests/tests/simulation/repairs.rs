//! Repairs of every kind and a plain run, killed before and after any write of the journal, with a network that loses answers
//! and replicas that lag: whatever happens, later runs leave the tenant as an undisturbed repair does.

use std::collections::BTreeMap;

use hardmatch_domain::ids::{PersonKey, PersonRef};
use hardmatch_domain::repair::holds::RepairHold;
use hardmatch_match::Accept;
use hardmatch_ports::command::{Command, Reply};
use hardmatch_sim::{DomainType, Fault, FaultRule, Place, Seed, SeedDomain};
use hardmatch_store::TenantKey;
use hardmatch_tests::{CorruptAnswer, KillAt, Rng, World, by_hand, guid, immutable_id};
use serde_json::{Value, json};

/// Everything happens without a further question.
const UNATTENDED: &str = "[anchor]\non_conflict = \"source-wins\"\n[match]\nprove = [\"employeeId\"]\nmerge_synced = true\n\
    [actions]\nrepair = \"on\"\nmerge = \"on\"\npurge = \"on\"\ndelete = \"on\"\ntakeover = \"on\"\nrename = \"on\"\n\
    [attributes]\nmail = { flow = \"never\" }";
/// Nights after the faults, at most, until everything must be settled. What was refused is sent again after days.
const NIGHTS: usize = 12;
/// A process is killed at one of so many writes of the table, or not at all.
const WRITES: usize = 70;

/// What is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Nothing: new accounts.
    Plain,
    SetFederated,
    ReplaceManaged,
    ReplaceFederated,
    Merge,
    MergeFederated,
    MergeSynced,
    MergeDeleted,
    Purge,
    Rehire,
    Exchange,
    ToFederated,
    /// Nothing: people who change, leave and come.
    PlainChanges,
    ClearManaged,
    ClearFederated,
    /// The ID of a copy is cleared by name, and the account with the name gets it.
    ClearOfPair,
    /// The account of somebody hired again is in the recycle bin.
    RehireDeleted,
}

impl Kind {
    pub(crate) const ALL: [Self; 17] = [
        Self::Plain,
        Self::PlainChanges,
        Self::ClearManaged,
        Self::ClearFederated,
        Self::ClearOfPair,
        Self::RehireDeleted,
        Self::SetFederated,
        Self::ReplaceManaged,
        Self::ReplaceFederated,
        Self::Merge,
        Self::MergeFederated,
        Self::MergeSynced,
        Self::MergeDeleted,
        Self::Purge,
        Self::Rehire,
        Self::Exchange,
        Self::ToFederated,
    ];

    fn is_federated(self) -> bool {
        let federated = matches!(self, Self::SetFederated | Self::ReplaceFederated | Self::MergeFederated);
        federated || matches!(self, Self::ToFederated | Self::ClearFederated)
    }

    fn policy(self) -> String {
        let more = if self == Self::Purge { "soft_deleted = \"purge\"\n" } else { "" };
        let stages = match self {
            Self::RehireDeleted => {
                "\n[lifecycle]\nabsent = [{ action = \"suspend\" }, { action = \"delete\", after = \"3d\" }]"
            }
            _ => "",
        };
        UNATTENDED.replace("[actions]", &format!("{more}[actions]")) + stages
    }

    /// The tenant before the repair.
    fn tenant(self) -> Seed {
        let mut seed = Seed::contoso();
        if self.is_federated() {
            for domain in seed.domains.iter_mut().filter(|domain| domain.name == "contoso.com") {
                domain.kind = DomainType::Federated;
            }
        }
        seed.domains.push(SeedDomain::new("managed.example", DomainType::Managed));
        let with = |name: &str, more: Value| {
            let mut account = by_hand(name);
            account
                .as_object_mut()
                .into_iter()
                .for_each(|all| all.extend(more.as_object().cloned().unwrap_or_default()));
            account
        };
        let id = |number: usize| json!(immutable_id(&guid(number)));
        let copy = || with("ada1234", json!({ "onPremisesImmutableId": id(1) }));
        let wrong = || with("ada", json!({ "onPremisesImmutableId": id(99), "employeeId": "E0001" }));
        match self {
            Self::Plain | Self::PlainChanges | Self::Rehire | Self::RehireDeleted | Self::Exchange => seed,
            Self::ClearManaged | Self::ClearFederated => {
                seed.user(with("left", json!({ "onPremisesImmutableId": id(99), "onPremisesSyncEnabled": false })))
            }
            Self::SetFederated => seed.user(by_hand("ada")),
            Self::ReplaceManaged | Self::ReplaceFederated => seed.user(wrong()),
            Self::Merge | Self::MergeFederated | Self::MergeDeleted | Self::ClearOfPair => {
                seed.user(copy()).user(by_hand("ada"))
            }
            Self::MergeSynced => {
                let synced = with("ada1234", json!({ "onPremisesImmutableId": id(1), "onPremisesSyncEnabled": true }));
                seed.user(synced).user(by_hand("ada"))
            }
            Self::Purge => seed.user(with("ada", json!({ "onPremisesImmutableId": id(1) }))),
            Self::ToFederated => {
                let there = json!({ "userPrincipalName": "ada@managed.example", "onPremisesImmutableId": id(1) });
                seed.user(with("ada", there))
            }
        }
    }

    /// The world in the moment before the repair is applied, and the plan's hash.
    async fn begin(self) -> (World, String) {
        let mut world = World::with(self.tenant(), &self.policy()).await;
        world.people.hire("ada").hire("bea").hire("cleo");
        match self {
            Self::MergeDeleted => world.tenant.delete_user("ada1234@contoso.com").expect("the copy is there"),
            Self::Purge => world.tenant.delete_user("ada@contoso.com").expect("the account is there"),
            Self::Rehire => {
                world.settle_by_hash().await;
                world.people.remove("ada");
                world.pass_days(1);
                world.sync_yes().await;
                world.pass_days(10);
                world.people.hire("ada").set("ada", "employeeID", "E0001");
            }
            Self::RehireDeleted => {
                world.settle_by_hash().await;
                world.people.remove("ada");
                for _ in 0..6 {
                    world.pass_days(1);
                    world.sync_yes().await;
                }
                world.people.hire("ada").set("ada", "employeeID", "E0001");
            }
            Self::PlainChanges => {
                world.settle_by_hash().await;
                world.pass_days(1);
                world.people.set("ada", "title", "Lead").rename("bea", "bea.new@contoso.com").hire("dora");
                world.people.remove("cleo");
            }
            Self::ClearManaged | Self::ClearFederated => begun(&mut world, "left@contoso.com").await,
            Self::ClearOfPair => begun(&mut world, "ada1234@contoso.com").await,
            Self::Exchange => {
                world.settle_by_hash().await;
                world.pass_days(1);
                let people = &mut world.people;
                people
                    .rename("ada", "bea@contoso.com")
                    .rename("bea", "cleo@contoso.com")
                    .rename("cleo", "ada@contoso.com");
            }
            _ => {}
        }
        let hash = world.plan().await.hash();
        (world, hash)
    }
}

/// Begins to clear the immutable ID of an account; nothing is written yet.
async fn begun(world: &mut World, upn: &str) {
    let account = world.account(upn).id().to_owned();
    let plan = world.plan().await;
    assert!(plan.writes.is_empty());
    let reply = world.ask(&Command::RepairClear { account, leftover: false }).await;
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
}

fn scope() -> TenantKey {
    TenantKey::new("simulated", hardmatch_sim::CONTOSO_TENANT_ID)
}

/// What is left in the tenant, without what differs from one attempt to the other.
fn left(world: &World) -> Vec<String> {
    let mut all: Vec<String> = world
        .accounts()
        .iter()
        .map(|account| {
            // A deleted account's name begins with its id.
            let upn = account.upn().trim_start_matches(account.id().replace('-', "").as_str()).to_owned();
            format!("{upn} {:?} {} {}", account.immutable_id(), account.enabled(), account.deleted())
        })
        .collect();
    all.sort();
    all
}

async fn nights(world: &mut World, wanted: Option<&[String]>) {
    for _ in 0..NIGHTS {
        world.pass_days(1);
        let _ended = world.try_sync(Accept::TheStop).await;
        let open = world.store().await.open_repairs(&scope()).await.expect("repairs").len();
        if open == 0 && wanted.is_some_and(|wanted| left(world) == wanted) {
            return;
        }
    }
}

/// What an undisturbed repair leaves, by kind.
#[derive(Default)]
pub(crate) struct Wanted(BTreeMap<Kind, Vec<String>>);

impl Wanted {
    async fn of(&mut self, kind: Kind) -> Vec<String> {
        if let Some(known) = self.0.get(&kind) {
            return known.clone();
        }
        let (mut world, hash) = kind.begin().await;
        world.apply(&hash).await;
        nights(&mut world, None).await;
        let found = left(&world);
        self.0.insert(kind, found.clone());
        found
    }
}

/// One disturbed repair.
pub(crate) async fn trial(kind: Kind, seed: u64, wanted: &mut Wanted) {
    let wanted = wanted.of(kind).await;
    let mut rng = Rng::new(seed ^ ((kind as u64) << 48));
    let (mut world, hash) = kind.begin().await;
    let cut = |rng: &mut Rng| {
        let spoil = if rng.happens(50) { CorruptAnswer::Lost } else { CorruptAnswer::Done };
        Some(KillAt { at: 1 + rng.below(WRITES) as u64, spoil })
    };
    if rng.happens(40) {
        let ms = |rng: &mut Rng| u32::try_from(rng.below(9_000)).unwrap_or(0);
        let (rules, reads, uniqueness) = (ms(&mut rng), ms(&mut rng), ms(&mut rng));
        world.tenant.configure(|options| {
            options.lag.rules_ms = rules;
            options.lag.reads_ms = reads;
            options.lag.uniqueness_ms = uniqueness;
        });
    }
    if rng.happens(40) {
        let times = 1 + rng.below(4) as u64;
        let fault = match rng.below(3) {
            0 => Fault::DroppedAfter,
            1 => Fault::Dropped,
            _ => Fault::Throttled { retry_after: Some("5".to_owned()) },
        };
        for route in ["PATCH /users/{id}", "DELETE /users/{id}"] {
            let rule = FaultRule::new(route, fault.clone()).from_call(1 + rng.below(3) as u64).times(times);
            world.tenant.inject(rule.only(Place::Inner));
        }
    }
    world.cut = cut(&mut rng);
    let _ended = world.try_apply(&hash).await;
    for _ in 0..rng.below(3) {
        world.pass_days(1);
        world.cut = cut(&mut rng);
        let _ended = world.try_sync(Accept::TheStop).await;
    }
    world.cut = None;
    world.tenant.clear_faults();
    nights(&mut world, Some(&wanted)).await;
    assert_eq!(left(&world), wanted, "{kind:?} {seed}");
    let store = world.store().await;
    assert!(store.open_repairs(&scope()).await.expect("repairs").is_empty(), "{kind:?} {seed}");
    for number in 1..=4 {
        let who = PersonRef { connection: world.connection(), key: PersonKey::new(guid(number)) };
        let held = store.repair_that_holds(&scope(), &[RepairHold::Person(who)]).await.expect("a hold");
        assert_eq!(held, None, "{kind:?} {seed}");
    }
}
