//! The client against the simulated tenant, which refuses as Graph does and notes every call Graph would not know.

use std::collections::BTreeMap;
use std::time::Duration;

use hardmatch_domain::account::Account;
use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::ids::{ImmutableId, ObjectId};
use hardmatch_graph::GraphClient;
use hardmatch_ports::Clock as _;
use hardmatch_ports::tenant::{
    Answer, Call, Cursor, Delta, DeltaNext, LaterCause, Priority, RefusalKind, Retry, TenantRead, TenantWrite,
};
use hardmatch_sim::{
    CONTOSO_CLIENT_ID, CONTOSO_SECRET, CONTOSO_TENANT_ID, FULL_LIFECYCLE, Fault, FaultRule, Place, Running, Seed, Sim,
    SimClock,
};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use crate::support::{Secret, TestClock, options};

pub(crate) struct Tenant {
    pub(crate) running: Running,
    pub(crate) client: GraphClient,
    pub(crate) clock: TestClock,
}

impl Tenant {
    pub(crate) async fn start(seed: Seed) -> Self {
        let clock = TestClock::default();
        let hands = clock.clone();
        let shared = SimClock::Shared(std::sync::Arc::new(move || hands.now()));
        let running = Sim::new(seed).clock(shared).start_local().await.unwrap();
        let url = Url::parse(running.url()).unwrap();
        let mut options = options(&url, &clock);
        CONTOSO_TENANT_ID.clone_into(&mut options.tenant);
        CONTOSO_CLIENT_ID.clone_into(&mut options.client_id);
        options.credential = std::sync::Arc::new(Secret(CONTOSO_SECRET));
        let client = GraphClient::new(options).unwrap();
        Self { running, client, clock }
    }

    pub(crate) async fn one(&self, call: Call) -> Answer {
        self.client.perform(&[call], Priority::High).await.remove(0)
    }

    #[track_caller]
    pub(crate) fn nothing_unknown(&self) {
        assert_eq!(self.running.world().violations(), Vec::<String>::new());
        assert_eq!(self.running.world().counters().early_calls, 0);
    }

    pub(crate) async fn all_users(&self) -> Vec<Account> {
        let mut all = Vec::new();
        let mut page: Option<Cursor> = None;
        loop {
            let found = self.client.users(page.as_ref()).await.unwrap();
            all.extend(found.items);
            match found.next {
                Some(next) => page = Some(next),
                None => return all,
            }
        }
    }

    /// Follows a round to its end.
    async fn round(&self, from: &Cursor) -> (Vec<Delta>, Cursor) {
        let mut changes = Vec::new();
        let mut at = from.clone();
        loop {
            let page = self.client.delta(&at).await.unwrap();
            changes.extend(page.changes);
            match page.next {
                DeltaNext::Page(next) => at = next,
                DeltaNext::Done(next) => return (changes, next),
            }
        }
    }
}

pub(crate) fn person(n: usize, domain: &str) -> Call {
    let upn = format!("person{n}@{domain}");
    let name = format!("Person {n}");
    let nick = format!("person{n}");
    Call::Create {
        attributes: Attributes::from_pairs([
            (Attr::UserPrincipalName, upn.as_str()),
            (Attr::DisplayName, name.as_str()),
            (Attr::MailNickname, nick.as_str()),
            (Attr::Department, "Sales"),
            (Attr::BusinessPhones, "+49 1"),
            (Attr::ExtensionAttribute1, "one"),
        ]),
        immutable_id: Some(anchor(n)),
        enabled: true,
        manager: None,
        password: SecretString::from("Xy9!longenough"),
    }
}

fn anchor(n: usize) -> ImmutableId {
    ImmutableId::new(format!("anchor+{n}/=="))
}

#[track_caller]
pub(crate) fn account(answer: &Answer) -> &Account {
    match answer {
        Answer::Done(Some(account)) => account,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn kind(answer: &Answer) -> RefusalKind {
    match answer {
        Answer::Refused(refusal) => refusal.kind,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn update(account: &ObjectId, pairs: &[(Attr, &str)]) -> Call {
    Call::Update {
        account: account.clone(),
        immutable_id: None,
        attributes: Attributes::from_pairs(pairs.iter().copied()),
    }
}

fn set_id(account: &ObjectId, id: Option<&str>) -> Call {
    Call::Update {
        account: account.clone(),
        immutable_id: Some(id.map(ImmutableId::from)),
        attributes: Attributes::default(),
    }
}

#[tokio::test]
async fn what_is_created_is_what_is_listed_found_and_followed() {
    let tenant = Tenant::start(Seed::contoso()).await;
    let start = tenant.client.delta_start().await.unwrap();
    let calls: Vec<Call> = (0..20).map(|n| person(n, "contoso.com")).collect();
    let answers = tenant.client.perform(&calls, Priority::Low).await;
    let created: BTreeMap<ObjectId, &Account> =
        answers.iter().map(|answer| (account(answer).id.clone(), account(answer))).collect();
    assert_eq!((created.len(), tenant.running.world().live_users()), (20, 20));

    let listed = tenant.all_users().await;
    assert_eq!(listed.len(), 20);
    for seen in &listed {
        let made = created[&seen.id];
        assert_eq!(
            (&made.attributes, &made.immutable_id, made.enabled),
            (&seen.attributes, &seen.immutable_id, seen.enabled)
        );
    }
    let (changes, after) = tenant.round(&start).await;
    let followed =
        changes.iter().filter(|change| matches!(change, Delta::Seen(change) if created.contains_key(&change.id)));
    assert_eq!(followed.count(), 20);
    assert!(tenant.round(&after).await.0.is_empty());

    let found = tenant.one(Call::FindByImmutableId { immutable_id: anchor(3) }).await;
    assert_eq!(account(&found).upn(), Some("person3@contoso.com"));
    let found = tenant.one(Call::FindByUpn { upn: "PERSON4@contoso.com".to_owned() }).await;
    assert_eq!(account(&found).immutable_id, Some(anchor(4)));
    assert!(matches!(tenant.one(Call::FindByUpn { upn: "o'nobody@contoso.com".to_owned() }).await, Answer::NotFound));
    let counters = tenant.client.counters();
    assert_eq!((counters.writes, counters.batches, counters.batched_calls, counters.tokens), (20, 1, 20, 1));
    tenant.nothing_unknown();
}

#[tokio::test]
async fn an_account_goes_through_its_whole_life() {
    let tenant = Tenant::start(Seed::contoso()).await;
    let answers = tenant.client.perform(&[person(1, "contoso.com"), person(2, "contoso.com")], Priority::Low).await;
    let (ada, boss) = (account(&answers[0]).id.clone(), account(&answers[1]).id.clone());
    let start = tenant.client.delta_start().await.unwrap();
    let changes = [
        (Attr::JobTitle, "Countess"),
        (Attr::Department, ""),
        (Attr::BusinessPhones, ""),
        (Attr::ExtensionAttribute1, ""),
        (Attr::ExtensionAttribute2, "two"),
    ];
    let calls = [
        update(&ada, &changes),
        Call::SetManager { account: ada.clone(), manager: Some(boss.clone()) },
        Call::SetEnabled { account: boss.clone(), enabled: false },
        Call::RevokeSessions { account: boss.clone() },
    ];
    let answers = tenant.client.perform(&calls, Priority::Low).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(None))), "{answers:?}");
    let seen = tenant.one(Call::Read { account: ada.clone() }).await;
    let seen = account(&seen);
    assert_eq!(seen.manager.as_ref(), Some(&boss));
    assert_eq!(seen.attributes.get(Attr::JobTitle), Some("Countess"));
    assert_eq!(seen.attributes.get(Attr::ExtensionAttribute2), Some("two"));
    for cleared in [Attr::Department, Attr::BusinessPhones, Attr::ExtensionAttribute1] {
        assert_eq!(seen.attributes.get(cleared), None, "{cleared}");
    }
    assert_eq!(tenant.client.account(&boss).await.unwrap().unwrap().enabled, Some(false));
    let (changes, after) = tenant.round(&start).await;
    assert!(changes.iter().any(
        |change| matches!(change, Delta::Seen(change) if change.id == ada && change.manager == Some(Some(boss.clone())))
    ));

    assert!(matches!(tenant.one(Call::SetManager { account: ada.clone(), manager: None }).await, Answer::Done(None)));
    assert!(matches!(tenant.one(Call::SetManager { account: ada.clone(), manager: None }).await, Answer::Done(None)));
    assert!(matches!(tenant.one(Call::Delete { account: ada.clone() }).await, Answer::Done(None)));
    assert!(matches!(tenant.one(Call::Delete { account: ada.clone() }).await, Answer::Done(None)));
    assert!(matches!(tenant.one(Call::Read { account: ada.clone() }).await, Answer::NotFound));
    let deleted = tenant.client.account(&ada).await.unwrap().unwrap();
    assert_eq!((deleted.is_deleted(), deleted.upn()), (true, Some("person1@contoso.com")));
    let bin = tenant.client.deleted_users(None).await.unwrap();
    assert_eq!(bin.items.iter().map(|account| account.upn()).collect::<Vec<_>>(), [Some("person1@contoso.com")]);
    let (changes, after) = tenant.round(&after).await;
    assert!(matches!(changes.last(), Some(Delta::Deleted(id)) if *id == ada));

    assert!(matches!(tenant.one(Call::Restore { account: ada.clone(), upn: None }).await, Answer::Done(None)));
    assert!(!tenant.client.account(&ada).await.unwrap().unwrap().is_deleted());
    assert!(matches!(tenant.one(Call::Delete { account: ada.clone() }).await, Answer::Done(None)));
    assert!(matches!(tenant.one(Call::Purge { account: ada.clone() }).await, Answer::Done(None)));
    assert!(matches!(tenant.one(Call::Purge { account: ada.clone() }).await, Answer::NotFound));
    assert!(tenant.client.account(&ada).await.unwrap().is_none());
    let (changes, _) = tenant.round(&after).await;
    assert!(matches!(changes.last(), Some(Delta::Purged(id)) if *id == ada), "{changes:?}");
    tenant.nothing_unknown();
}

#[tokio::test]
async fn refusals_come_in_our_terms() {
    let seed = Seed::contoso()
        .user(json!({"userPrincipalName": "synced@contoso.com", "onPremisesSyncEnabled": true, "onPremisesImmutableId": "s=="}))
        .user(json!({"userPrincipalName": "admin@contoso.com", "roles": ["Global Administrator"]}))
        .user(json!({"userPrincipalName": "fed@fed.contoso.com", "onPremisesImmutableId": "f=="}))
        .user(json!({"userPrincipalName": "plain@contoso.com", "mail": "plain@contoso.com"}));
    let tenant = Tenant::start(seed).await;
    let ids: BTreeMap<String, ObjectId> =
        tenant.all_users().await.into_iter().map(|account| (account.upn().unwrap().to_owned(), account.id)).collect();
    let of = |upn: &str| &ids[upn];

    let taken = tenant.one(set_id(of("plain@contoso.com"), Some("s=="))).await;
    let Answer::Refused(refusal) = &taken else { panic!("{taken:?}") };
    assert_eq!((refusal.kind, refusal.conflict.as_ref()), (RefusalKind::Conflict, Some(of("synced@contoso.com"))));
    assert_eq!(refusal.property.as_deref(), Some("onPremisesImmutableId"));
    assert!(!refusal.request_id.is_empty());

    let mastered = tenant.one(update(of("synced@contoso.com"), &[(Attr::Department, "x")])).await;
    assert_eq!(kind(&mastered), RefusalKind::Mastered);
    let privileged = tenant.one(Call::SetEnabled { account: of("admin@contoso.com").clone(), enabled: false }).await;
    assert_eq!(kind(&privileged), RefusalKind::Forbidden);
    assert_eq!(kind(&tenant.one(set_id(of("fed@fed.contoso.com"), Some("g=="))).await), RefusalKind::Federated);
    tenant.running.world().configure(|options| options.name_federated_property = true);
    assert_eq!(kind(&tenant.one(set_id(of("fed@fed.contoso.com"), Some("g=="))).await), RefusalKind::Federated);
    let renamed =
        tenant.one(update(of("plain@contoso.com"), &[(Attr::UserPrincipalName, "a@unverified.contoso.com")])).await;
    assert_eq!(kind(&renamed), RefusalKind::DomainNotVerified);
    let no_id = match person(9, "fed.contoso.com") {
        Call::Create { attributes, enabled, manager, password, .. } => {
            Call::Create { attributes, immutable_id: None, enabled, manager, password }
        }
        other => other,
    };
    assert_eq!(kind(&tenant.one(no_id).await), RefusalKind::Federated);
    let weak = match person(9, "contoso.com") {
        Call::Create { attributes, immutable_id, enabled, manager, .. } => {
            Call::Create { attributes, immutable_id, enabled, manager, password: SecretString::from("weak") }
        }
        other => other,
    };
    assert_eq!(kind(&tenant.one(weak).await), RefusalKind::Password);
    let manager = |boss: &str| match person(9, "contoso.com") {
        Call::Create { attributes, immutable_id, enabled, password, .. } => {
            Call::Create { attributes, immutable_id, enabled, password, manager: Some(ObjectId::from(boss)) }
        }
        other => other,
    };
    assert_eq!(kind(&tenant.one(manager("86462606-fde0-4fc4-9e0c-a20eb73e54c6")).await), RefusalKind::ManagerBind);
    tenant.running.world().configure(|options| options.manager_bind_on_create = hardmatch_sim::Reaction::Refuse);
    let boss = of("plain@contoso.com").as_str();
    assert_eq!(kind(&tenant.one(manager(boss)).await), RefusalKind::ManagerBind);
    tenant.running.world().configure(|options| options.manager_bind_on_create = hardmatch_sim::Reaction::Accept);
    let made = tenant.one(manager(boss)).await;
    assert_eq!(account(&made).manager.as_ref().map(ObjectId::as_str), Some(boss));
    tenant.running.world().configure(|options| options.object_quota = 1);
    assert_eq!(kind(&tenant.one(person(10, "contoso.com")).await), RefusalKind::Quota);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn the_tenant_describes_itself_and_us() {
    let seed = Seed::contoso()
        .user(json!({"userPrincipalName": "a@contoso.com", "roles": ["User Administrator"]}))
        .user(json!({"userPrincipalName": "member@contoso.com"}))
        .group(json!({"displayName": "Admins", "mailNickname": "admins", "roles": ["Global Reader"], "isAssignableToRole": true, "members": ["member@contoso.com"]}))
        .group(json!({"displayName": "Sales", "mailNickname": "sales", "mail": "Sales@contoso.com", "mailEnabled": true, "groupTypes": ["Unified"]}))
        .contact(json!({"displayName": "Out", "mail": "out@example.com"}));
    let tenant = Tenant::start(seed).await;
    let organization = tenant.client.organization().await.unwrap();
    assert_eq!((organization.id.as_str(), organization.name.as_str()), (CONTOSO_TENANT_ID, "Contoso"));
    assert!(
        organization.domains["fed.contoso.com"].federated && organization.domains["contoso.onmicrosoft.com"].initial
    );
    assert!(!organization.domains["unverified.contoso.com"].verified);
    let groups = tenant.client.group_addresses(None).await.unwrap().items;
    assert_eq!(groups.iter().map(|(address, _)| address.as_str()).collect::<Vec<_>>(), ["sales@contoso.com"]);
    let contacts = tenant.client.contact_addresses(None).await.unwrap().items;
    assert_eq!(contacts[0].0, "out@example.com");
    assert!(tenant.client.skus().await.unwrap().is_empty());
    let granted = tenant.client.granted().await.unwrap();
    let mut all: Vec<&str> = FULL_LIFECYCLE.to_vec();
    all.sort_unstable();
    assert_eq!(granted.permissions, all);
    assert_eq!(granted.tenant.as_deref(), Some(CONTOSO_TENANT_ID));
    assert_eq!(granted.principal.unwrap().as_str(), tenant.running.world().principal_of(CONTOSO_CLIENT_ID).to_string());
    let roles = tenant.client.role_holders().await.unwrap();
    let users: BTreeMap<String, ObjectId> =
        tenant.all_users().await.into_iter().map(|account| (account.upn().unwrap().to_owned(), account.id)).collect();
    assert_eq!(roles[&users["a@contoso.com"]], ["User Administrator"]);
    assert_eq!(roles[&users["member@contoso.com"]], ["Global Reader"]);
    // Without a plan for them nobody is eligible; somebody who is, is not taken for a holder.
    assert!(tenant.client.eligible_for_roles().await.unwrap().is_empty());
    let world = tenant.running.world();
    world.make_eligible("member@contoso.com", "User Administrator").unwrap();
    let eligible = tenant.client.eligible_for_roles().await.unwrap();
    assert_eq!(
        eligible,
        BTreeMap::from([(users["member@contoso.com"].clone(), vec!["User Administrator".to_owned()])])
    );
    assert_eq!(tenant.client.role_holders().await.unwrap(), roles);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn delta_survives_its_traps_and_a_lost_token_means_from_the_start() {
    let seed = Seed::contoso().with(|options| {
        options.delta_page_size = 3;
        options.delta.empty_pages = 0.5;
        options.delta.duplicates = 0.5;
        options.delta.replays = 0.5;
    });
    let tenant = Tenant::start(seed).await;
    let mut at = tenant.client.delta_start().await.unwrap();
    let calls: Vec<Call> = (0..20).map(|n| person(n, "contoso.com")).collect();
    let answers = tenant.client.perform(&calls, Priority::Low).await;
    let gone: Vec<ObjectId> = answers.iter().take(5).map(|answer| account(answer).id.clone()).collect();
    for round in 0..3 {
        for id in &gone {
            let call = match round {
                1 => Call::Delete { account: id.clone() },
                _ => update(id, &[(Attr::City, "Rome")]),
            };
            if round < 2 {
                tenant.one(call).await;
            }
        }
        let (changes, next) = tenant.round(&at).await;
        at = next;
        let mut last: BTreeMap<ObjectId, bool> = BTreeMap::new();
        for change in &changes {
            match change {
                Delta::Seen(change) => last.insert(change.id.clone(), true),
                Delta::Deleted(id) | Delta::Purged(id) => last.insert(id.clone(), false),
            };
        }
        if round == 1 {
            assert!(gone.iter().all(|id| last.get(id) == Some(&false)));
        }
    }
    tenant.running.world().inject(FaultRule::once("GET /users/delta", Fault::Gone));
    assert_eq!(tenant.client.delta(&at).await.unwrap_err().retry, Retry::FromTheStart);
    tenant.clock.advance(Duration::from_hours(8 * 24));
    assert!(tenant.client.delta(&at).await.unwrap_err().is_cursor_lost());
    tenant.nothing_unknown();
}

#[tokio::test]
async fn throttled_parts_come_later_and_nothing_is_sent_too_early() {
    let seed = Seed::contoso().with(|options| {
        options.throttle.writes = 30;
        options.throttle.writes_seconds = 15;
    });
    let tenant = Tenant::start(seed).await;
    let mut waiting: Vec<usize> = (0..100).collect();
    let mut hands = 0;
    while !waiting.is_empty() {
        hands += 1;
        let hand: Vec<usize> = waiting.iter().copied().take(20).collect();
        let calls: Vec<Call> = hand.iter().map(|n| person(*n, "contoso.com")).collect();
        let answers = tenant.client.perform(&calls, Priority::Low).await;
        let mut wait = Duration::ZERO;
        for (n, answer) in hand.iter().zip(&answers) {
            match answer {
                Answer::Done(Some(_)) => waiting.retain(|have| have != n),
                Answer::Later(later) => {
                    assert_eq!(later.cause, LaterCause::Throttled);
                    wait = wait.max(later.after);
                }
                other => panic!("{other:?}"),
            }
        }
        // Refused calls are charged too: a client that only just waits long enough hardly gets on.
        tenant.clock.advance(wait + Duration::from_secs(8));
        assert!(hands < 20);
    }
    assert_eq!(tenant.running.world().live_users(), 100);
    assert!(tenant.client.counters().throttles > 0);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_lost_answer_leaves_a_trace_that_can_be_found() {
    let tenant = Tenant::start(Seed::contoso()).await;
    let world = tenant.running.world();
    for (n, fault) in [Fault::DroppedAfter, Fault::Truncated].into_iter().enumerate() {
        world.inject(FaultRule::once("POST /users", fault));
        assert!(matches!(tenant.one(person(n, "contoso.com")).await, Answer::Unknown(_)));
        let found = tenant.one(Call::FindByImmutableId { immutable_id: anchor(n) }).await;
        assert_eq!(account(&found).immutable_id, Some(anchor(n)));
    }
    world.inject(FaultRule::once("POST /$batch", Fault::DroppedAfter).only(Place::Outer));
    let answers = tenant.client.perform(&[person(7, "contoso.com"), person(8, "contoso.com")], Priority::Low).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Unknown(_))));
    assert_eq!(world.live_users(), 4);
    world.inject(FaultRule::once("POST /users", Fault::Dropped));
    assert!(matches!(tenant.one(person(9, "contoso.com")).await, Answer::Unknown(_)));
    assert!(matches!(tenant.one(Call::FindByImmutableId { immutable_id: anchor(9) }).await, Answer::NotFound));
    tenant.nothing_unknown();
}

#[tokio::test]
async fn an_expired_token_is_renewed_without_losing_a_call() {
    let tenant = Tenant::start(Seed::contoso()).await;
    let world = tenant.running.world();
    world.inject(FaultRule::once("POST /users", Fault::TokenExpired).only(Place::Inner));
    world.inject(FaultRule::once("GET /users", Fault::TokenExpired));
    let answers = tenant.client.perform(&[person(1, "contoso.com"), person(2, "contoso.com")], Priority::Low).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done(Some(_)))), "{answers:?}");
    assert_eq!(tenant.all_users().await.len(), 2);
    assert_eq!(tenant.client.counters().tokens, 3);
    tenant.clock.advance(Duration::from_hours(2));
    assert_eq!(tenant.all_users().await.len(), 2);
    tenant.nothing_unknown();
}

#[tokio::test]
async fn a_wrong_secret_or_a_missing_permission_is_named_with_its_cure() {
    let tenant = Tenant::start(Seed::contoso()).await;
    let url = Url::parse(tenant.running.url()).unwrap();
    let mut wrong = options(&url, &tenant.clock);
    CONTOSO_TENANT_ID.clone_into(&mut wrong.tenant);
    CONTOSO_CLIENT_ID.clone_into(&mut wrong.client_id);
    let error = GraphClient::new(wrong.clone()).unwrap().users(None).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retry), ("AADSTS7000215", Retry::Never));
    assert!(error.message.contains("not its id"), "{}", error.message);
    "nowhere.example".clone_into(&mut wrong.tenant);
    let error = GraphClient::new(wrong).unwrap().users(None).await.unwrap_err();
    assert_eq!(error.code, "AADSTS90002");
    tenant
        .running
        .world()
        .change_app(CONTOSO_CLIENT_ID, |app| app.roles.retain(|role| !role.starts_with("OrgContact")))
        .unwrap();
    tenant.clock.advance(Duration::from_hours(2));
    assert!(tenant.client.contact_addresses(None).await.unwrap_err().is_forbidden());
    tenant.nothing_unknown();
}
