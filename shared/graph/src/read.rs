//! Reading users: whole listings, changes, the recycle bin, one account.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use hardmatch_domain::account::{Account, AddressHolder, HolderKind};
use hardmatch_domain::attribute::DirectoryExtension;
use hardmatch_domain::facts::knowledge::Question;
use hardmatch_domain::group::Group;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::TenantRead;
use hardmatch_ports::tenant::{
    AccountChange, Candidates, Cursor, Delta, DeltaNext, DeltaPage, Granted, ListPage, Organization,
    RegisteredExtension, Sku, TenantError,
};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::client::GraphClient;
use crate::text::Text;
use crate::user::{Page, Reference, User, object_id};
use crate::wire::Unread;
use crate::{claims, explain, links, query};

/// Most items a page can have; the service may give fewer. <https://learn.microsoft.com/graph/api/user-list>
const TOP: u32 = 999;

#[async_trait]
impl TenantRead for GraphClient {
    async fn organization(&self) -> Result<Organization, TenantError> {
        self.read_organization().await
    }

    async fn role_holders(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        self.read_role_holders().await
    }

    async fn eligible_for_roles(&self) -> Result<BTreeMap<ObjectId, Vec<String>>, TenantError> {
        self.read_eligible_for_roles().await
    }

    async fn delta_start(&self) -> Result<Cursor, TenantError> {
        let mut at = Cursor(self.delta_url("&$deltatoken=latest"));
        loop {
            match self.delta(&at).await?.next {
                DeltaNext::Page(next) => at = next,
                DeltaNext::Done(start) => return Ok(start),
            }
        }
    }

    async fn delta_whole(&self) -> Result<Cursor, TenantError> {
        Ok(Cursor(self.delta_url("")))
    }

    async fn users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError> {
        let first = format!("/users?$select={}&$expand=manager($select=id)&$top={TOP}", self.select);
        self.list("/users", page, &first, live_users).await
    }

    async fn delta(&self, cursor: &Cursor) -> Result<DeltaPage, TenantError> {
        let route = "/users/delta";
        let url = links::follow(&self.graph, cursor, route)?;
        let page = self
            .wire
            .read(route, &url, self.read_priority, |body| {
                let page: Page<'_, User<'_>> = serde_json::from_slice(body)?;
                let link = |text: &str| links::cursor(&self.graph, text, route).map_err(Unread::Refused);
                let next = match (&page.next, &page.delta) {
                    // Never both; if both came, there may be more to read.
                    (Some(next), _) => DeltaNext::Page(link(next)?),
                    (None, Some(done)) => DeltaNext::Done(link(done)?),
                    (None, None) => return Err(Unread::Broken),
                };
                let mut changes = Vec::with_capacity(page.value.len());
                for user in page.value.iter().filter(|user| user.is_user()) {
                    changes.push(change(user).ok_or(Unread::Broken)?);
                }
                Ok(DeltaPage { changes, next })
            })
            .await?;
        let next = match &page.next {
            DeltaNext::Page(next) => Some(next),
            DeltaNext::Done(_) => None,
        };
        self.ends(route, &url, page.changes.len(), next)?;
        Ok(page)
    }

    async fn deleted_users(&self, page: Option<&Cursor>) -> Result<ListPage<Account>, TenantError> {
        // The type cast is mandatory. <https://learn.microsoft.com/graph/api/directory-deleteditems-list>
        let route = "/directory/deletedItems/microsoft.graph.user";
        let first = format!("{route}?$select={},deletedDateTime&$top={TOP}", self.select);
        self.list(route, page, &first, deleted_users).await
    }

    async fn group_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError> {
        let first = format!("/groups?$select=id,mail,proxyAddresses&$top={TOP}");
        self.list("/groups", page, &first, |body| holders(body, HolderKind::Group)).await
    }

    async fn contact_addresses(&self, page: Option<&Cursor>) -> Result<ListPage<(String, AddressHolder)>, TenantError> {
        let first = format!("/contacts?$select=id,mail,proxyAddresses&$top={TOP}");
        self.list("/contacts", page, &first, |body| holders(body, HolderKind::Contact)).await
    }

    async fn account(&self, id: &ObjectId) -> Result<Option<Account>, TenantError> {
        let live = self.one("/users/{id}", &query::user(id.as_str(), &self.select), Found::Live).await?;
        if live.is_some() {
            return Ok(live);
        }
        self.one("/directory/deletedItems/{id}", &query::deleted(id.as_str(), &self.select), Found::Deleted).await
    }

    async fn candidates(&self, questions: &[Question]) -> Result<Candidates, TenantError> {
        self.read_candidates(questions).await
    }

    async fn skus(&self) -> Result<Vec<Sku>, TenantError> {
        self.read_skus().await
    }

    async fn groups_named(&self, name: &str) -> Result<Vec<Group>, TenantError> {
        self.read_groups_named(name).await
    }

    async fn group(&self, id: &ObjectId) -> Result<Option<Group>, TenantError> {
        self.read_group(id).await
    }

    async fn members(&self, group: &ObjectId, page: Option<&Cursor>) -> Result<ListPage<ObjectId>, TenantError> {
        self.read_members(group, page).await
    }

    fn extensions(&self) -> &[DirectoryExtension] {
        self.select.extensions()
    }

    async fn registered_extensions(&self) -> Result<Vec<RegisteredExtension>, TenantError> {
        self.read_registered_extensions().await
    }

    async fn granted(&self) -> Result<Granted, TenantError> {
        Ok(claims::granted(self.wire.tokens.get().await?.secret.expose_secret()))
    }
}

impl GraphClient {
    /// A delta round's beginning. `manager` turns on relationship tracking; what is not selected is not tracked.
    fn delta_url(&self, more: &str) -> String {
        self.url(&format!("/users/delta?$select={},manager{more}", self.select))
    }

    /// One page of a listing: from the first path, or from the cursor.
    pub(crate) async fn list<I>(
        &self,
        route: &'static str,
        page: Option<&Cursor>,
        first: &str,
        parse: impl Fn(&[u8]) -> Result<Items<I>, Unread> + Send + Sync,
    ) -> Result<ListPage<I>, TenantError> {
        let begin = Cursor(self.url(first));
        let url = links::follow(&self.graph, page.unwrap_or(&begin), route)?;
        let page = self
            .wire
            .read(route, &url, self.read_priority, |body| {
                let Items { items, next } = parse(body)?;
                let next = next.filter(|next| !next.is_empty());
                let next = next.map(|next| links::cursor(&self.graph, &next, route)).transpose();
                Ok(ListPage { items, next: next.map_err(Unread::Refused)? })
            })
            .await?;
        self.ends(route, &url, page.items.len(), page.next.as_ref())?;
        Ok(page)
    }

    /// Whether the listing that this page belongs to goes on to an end.
    fn ends(&self, route: &str, url: &str, objects: usize, next: Option<&Cursor>) -> Result<(), TenantError> {
        let checked = self.pages.check(url, objects, next.map(|next| next.0.as_str()));
        checked.map_err(|endless| explain::endless(route, &self.wire.host, endless))
    }

    /// A whole listing, for the short ones.
    pub(crate) async fn list_all<I>(
        &self,
        route: &'static str,
        first: &str,
        parse: impl Fn(&[u8]) -> Result<Items<I>, Unread> + Send + Sync,
    ) -> Result<Vec<I>, TenantError> {
        let mut all = Vec::new();
        let mut page = None;
        loop {
            let ListPage { items, next } = self.list(route, page.as_ref(), first, &parse).await?;
            all.extend(items);
            match next {
                Some(next) => page = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// One user, or none when there is nobody, or something else, under the id.
    async fn one(&self, route: &'static str, path: &str, found: Found) -> Result<Option<Account>, TenantError> {
        let url = self.url(path);
        let read = self.wire.read(route, &url, self.read_priority, |body| {
            let user: User<'_> = serde_json::from_slice(body)?;
            if user.id.is_empty() {
                return Err(Unread::Broken);
            }
            Ok(user.is_user().then(|| match found {
                Found::Live => user.account(),
                Found::Deleted => user.deleted_account(),
            }))
        });
        match read.await {
            Err(error) if error.status == 404 => Ok(None),
            other => other,
        }
    }
}

/// Where one user was found.
#[derive(Clone, Copy)]
enum Found {
    Live,
    Deleted,
}

/// A page, translated.
pub(crate) struct Items<I> {
    pub(crate) items: Vec<I>,
    pub(crate) next: Option<String>,
}

/// Parses a page and translates its elements; `None` is an element without what every element has.
pub(crate) fn items<'de, T: Deserialize<'de>, I>(
    body: &'de [u8],
    mut translate: impl FnMut(T, &mut Vec<I>) -> Option<()>,
) -> Result<Items<I>, Unread> {
    let page: Page<'de, T> = serde_json::from_slice(body)?;
    let mut items = Vec::with_capacity(page.value.len());
    for element in page.value {
        translate(element, &mut items).ok_or(Unread::Broken)?;
    }
    Ok(Items { items, next: page.next.map(|next| next.0.into_owned()) })
}

/// A page of live users.
pub(crate) fn live_users(body: &[u8]) -> Result<Items<Account>, Unread> {
    items(body, |user: User<'_>, out| (!user.id.is_empty()).then(|| out.push(user.account())))
}

/// A page of soft-deleted users.
pub(crate) fn deleted_users(body: &[u8]) -> Result<Items<Account>, Unread> {
    items(body, |user: User<'_>, out| (!user.id.is_empty()).then(|| out.push(user.deleted_account())))
}

/// A page of groups or contacts: the addresses that each holds.
pub(crate) fn holders(body: &[u8], kind: HolderKind) -> Result<Items<(String, AddressHolder)>, Unread> {
    items(body, |holder: Holder<'_>, out| holder.addresses(kind, out))
}

/// One change; `None` for an object without an id.
fn change(user: &User<'_>) -> Option<Delta> {
    if user.id.is_empty() {
        return None;
    }
    if let Some(removed) = &user.removed {
        // Anything but "deleted" may still be restored.
        let purged = removed.reason.as_deref() == Some("deleted");
        let id = object_id(&user.id);
        return Some(if purged { Delta::Purged(id) } else { Delta::Deleted(id) });
    }
    let manager = manager_change(&user.manager_changes);
    Some(Delta::Seen(Box::new(AccountChange { manager, ..user.change() })))
}

/// What a round said about the manager: the new one, or that there is none any more.
#[expect(clippy::option_option, reason = "the shape of the port: nothing said, none, somebody")]
fn manager_change(changes: &[Reference<'_>]) -> Option<Option<ObjectId>> {
    let now = changes.iter().rev().find(|change| change.removed.is_none()).and_then(|change| change.id.as_deref());
    match now {
        Some(id) => Some(Some(object_id(id))),
        None if changes.is_empty() => None,
        None => Some(None),
    }
}

/// A group or a contact.
#[derive(Deserialize)]
struct Holder<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    mail: Option<Text<'a>>,
    #[serde(rename = "proxyAddresses", borrow, default)]
    proxies: Option<Vec<Text<'a>>>,
}

impl Holder<'_> {
    /// Its SMTP addresses in lower case, each once.
    fn addresses(&self, kind: HolderKind, out: &mut Vec<(String, AddressHolder)>) -> Option<()> {
        if self.id.is_empty() {
            return None;
        }
        let proxies = self.proxies.iter().flatten().filter_map(|proxy| {
            let (scheme, address) = proxy.split_once(':')?;
            scheme.eq_ignore_ascii_case("smtp").then_some(address)
        });
        let all = proxies.chain(self.mail.as_deref()).filter(|address| !address.is_empty());
        let each: BTreeSet<String> = all.map(str::to_lowercase).collect();
        let id = object_id(&self.id);
        out.extend(each.into_iter().map(|address| (address, AddressHolder { id: id.clone(), kind })));
        Some(())
    }
}
