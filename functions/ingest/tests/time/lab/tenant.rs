//! A tenant in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_domain::account::{Account, AddressHolder, HolderKind};
use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::group::Group;
use hardmatch_domain::ids::{ObjectId, TenantId};
use hardmatch_ports::TenantRead;
use hardmatch_ports::tenant::{
    AccountChange, Cursor, Delta, DeltaNext, DeltaPage, Granted, ListPage, Organization, Retry, Sku, TenantError,
};
use hardmatch_runtime::ManualClock;

/// Accounts on a page.
pub(crate) const PAGE: usize = 50;

/// The tenant. Every page takes a second.
pub(crate) struct Accounts {
    clock: ManualClock,
    /// Title of each live account; `false`: in the recycle bin.
    pub(crate) all: Mutex<BTreeMap<usize, (String, bool)>>,
    /// What a round that is followed tells of.
    pub(crate) told: Mutex<Vec<usize>>,
    pub(crate) groups: Mutex<usize>,
    /// Groups that rules may name, and who is in them.
    pub(crate) named: Mutex<Vec<(Group, BTreeSet<ObjectId>)>>,
    pub(crate) skus: Mutex<Vec<Sku>>,
    /// Permissions withhold groups and licences.
    pub(crate) withheld: AtomicBool,
    /// How often licences, groups and members were asked for.
    pub(crate) asked: AtomicU64,
    /// The cursor that is not known any more, once.
    pub(crate) lost: Mutex<Option<String>>,
    /// The cursor at which the tenant is too busy, once.
    pub(crate) busy: Mutex<Option<String>>,
    pub(crate) pages: AtomicU64,
}

impl Accounts {
    pub(super) fn new(clock: ManualClock, count: usize) -> Self {
        Self {
            clock,
            all: Mutex::new((0..count).map(|number| (number, ("Engineer".to_owned(), true))).collect()),
            told: Mutex::default(),
            groups: Mutex::new(0),
            named: Mutex::default(),
            skus: Mutex::default(),
            withheld: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            lost: Mutex::default(),
            busy: Mutex::default(),
            pages: AtomicU64::new(0),
        }
    }

    fn page<T>(
        &self,
        page: Option<&Cursor>,
        name: &str,
        all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    ) -> Result<ListPage<T>, TenantError> {
        self.clock.advance(Duration::from_secs(1));
        self.pages.fetch_add(1, Ordering::SeqCst);
        let mut lost = self.lost.lock().unwrap();
        if page.is_some_and(|page| lost.as_ref() == Some(&page.0)) {
            *lost = None;
            return Err(TenantError {
                retry: Retry::FromTheStart,
                status: 400,
                code: "Directory_ExpiredPageToken".to_owned(),
                message: "the page token has expired".to_owned(),
                request_id: String::new(),
            });
        }
        let mut busy = self.busy.lock().unwrap();
        if page.is_some_and(|page| busy.as_ref() == Some(&page.0)) {
            *busy = None;
            return Err(TenantError {
                retry: Retry::After(Duration::from_secs(30)),
                status: 503,
                code: "serviceNotAvailable".to_owned(),
                message: "try again".to_owned(),
                request_id: String::new(),
            });
        }
        let all = all.into_iter();
        let at: usize = page.map_or(0, |page| page.0.rsplit(' ').next().unwrap().parse().unwrap());
        let more = all.len() > at + PAGE;
        let next = more.then(|| Cursor(format!("{name} {}", at + PAGE)));
        Ok(ListPage { items: all.skip(at).take(PAGE).collect(), next })
    }

    fn ask(&self) -> Result<(), TenantError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.withheld.load(Ordering::SeqCst) {
            return Err(TenantError {
                retry: Retry::Never,
                status: 403,
                code: "Authorization_RequestDenied".to_owned(),
                message: "Insufficient privileges".to_owned(),
                request_id: String::new(),
            });
        }
        Ok(())
    }

    fn accounts(&self, page: Option<&Cursor>, name: &str, live: bool) -> Result<ListPage<Account>, TenantError> {
        let all = self.all.lock().unwrap();
        let of_these: Vec<_> = all.iter().filter(|(_, (_, is))| *is == live).collect();
        self.page(page, name, of_these.into_iter().map(|(&number, (title, _))| account(number, title, live)))
    }
}

pub(crate) fn object_id(number: usize) -> ObjectId {
    ObjectId::new(format!("{number:08x}-2222-4222-8333-{number:012x}"))
}

fn account(number: usize, title: &str, live: bool) -> Account {
    let upn = format!("p{number}@contoso.com");
    Account {
        attributes: Attributes::from_pairs([(Attr::UserPrincipalName, upn.as_str()), (Attr::JobTitle, title)]),
        enabled: Some(true),
        deleted: (!live).then(|| "2026-01-01T00:00:00Z".into()),
        ..Account::blank(object_id(number))
    }
}

#[async_trait]
impl TenantRead for Accounts {
    async fn organization(&self) -> Result<Organization, TenantError> {
        Ok(Organization {
            id: TenantId::new("11111111-1111-4111-8111-111111111111"),
            name: "Contoso".to_owned(),
            domains: BTreeMap::new(),
            directory_sync: None,
            last_sync: None,
        })
    }

    async fn role_holders(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        Ok(BTreeMap::new())
    }

    async fn eligible_for_roles(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        Ok(BTreeMap::new())
    }

    async fn delta_start(&self) -> Result<Cursor, TenantError> {
        Ok(Cursor("delta 0".to_owned()))
    }

    async fn delta_whole(&self) -> Result<Cursor, TenantError> {
        Ok(Cursor("whole 0".to_owned()))
    }

    async fn users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError> {
        self.accounts(page, "users", true)
    }

    async fn delta(&self, cursor: &Cursor) -> Result<DeltaPage, TenantError> {
        let told = self.told.lock().unwrap().clone();
        let all = self.all.lock().unwrap().clone();
        let ListPage { items, next } = self.page(Some(cursor), "delta", told)?;
        let seen = |number: usize| match all.get(&number) {
            Some((title, true)) => Delta::Seen(Box::new(AccountChange::naming_all(account(number, title, true)))),
            Some((_, false)) => Delta::Deleted(object_id(number)),
            None => Delta::Purged(object_id(number)),
        };
        let next = next.map_or_else(|| DeltaNext::Done(Cursor("delta 0".to_owned())), DeltaNext::Page);
        Ok(DeltaPage { changes: items.into_iter().map(seen).collect(), next })
    }

    async fn deleted_users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError> {
        self.accounts(page, "bin", false)
    }

    async fn group_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError> {
        let held = |number: usize| {
            let holder = AddressHolder { id: object_id(900_000 + number), kind: HolderKind::Group };
            (format!("g{number}@contoso.com"), holder)
        };
        let groups = *self.groups.lock().unwrap();
        self.page(page, "groups", (0..groups).map(held))
    }

    async fn contact_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError> {
        self.page(page, "contacts", Vec::new())
    }

    async fn account(&self, id: &ObjectId) -> Result<Option<Account>, TenantError> {
        let all = self.all.lock().unwrap();
        Ok(all
            .iter()
            .find(|(number, _)| object_id(**number) == *id)
            .map(|(&number, (title, live))| account(number, title, *live)))
    }

    async fn skus(&self) -> Result<Vec<Sku>, TenantError> {
        self.ask()?;
        Ok(self.skus.lock().unwrap().clone())
    }

    async fn groups_named(&self, name: &str) -> Result<Vec<Group>, TenantError> {
        self.ask()?;
        let named = self.named.lock().unwrap();
        let of_it = named.iter().filter(|(group, _)| group.name.eq_ignore_ascii_case(name));
        Ok(of_it.map(|(group, _)| group.clone()).collect())
    }

    async fn group(&self, id: &ObjectId) -> Result<Option<Group>, TenantError> {
        self.ask()?;
        let named = self.named.lock().unwrap();
        Ok(named.iter().find(|(group, _)| group.id == *id).map(|(group, _)| group.clone()))
    }

    async fn members(&self, group: &ObjectId, page: Option<&Cursor>) -> Result<ListPage<ObjectId>, TenantError> {
        self.ask()?;
        let named = self.named.lock().unwrap();
        let found = named.iter().find(|(other, _)| other.id == *group);
        self.page(page, "members", found.map(|(_, members)| members.clone()).unwrap_or_default())
    }

    async fn granted(&self) -> Result<Granted, TenantError> {
        Ok(Granted { permissions: Vec::new(), principal: None, tenant: None })
    }
}
