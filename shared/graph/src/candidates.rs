//! Looking one person up: the accounts, groups and contacts that hold what the person would hold, in one batch. An answer
//! of the batch that cannot be used is asked for again by itself, as any other reading is.
//! <https://learn.microsoft.com/graph/json-batching>

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::future::join_all;
use hardmatch_domain::account::{Account, HolderKind};
use hardmatch_domain::facts::knowledge::Question;
use hardmatch_domain::ids::ObjectId;
use hardmatch_ports::TenantRead as _;
use hardmatch_ports::tenant::{CandidateRoles, Candidates, MAX_CALLS, Priority, TenantError};
use reqwest::Method;
use serde_json::{Value, json};

use crate::batch;
use crate::client::GraphClient;
use crate::links;
use crate::organization::{ASSIGNED, ELIGIBLE, Principals, ROLE_NAMES};
use crate::query::{self, LONGEST_VALUE, escaped};
use crate::read::{Items, deleted_users, holders, live_users};
use crate::user::{Select, User};
use crate::wire::{Outgoing, Tally, Unread};

/// Clauses in one filter. <https://learn.microsoft.com/graph/aad-advanced-queries>
const MOST_CLAUSES: usize = 15;
/// Objects on a page of an answer.
const TOP: u32 = 999;

/// One part of the batch.
struct Part {
    path: String,
    route: &'static str,
    what: What,
}

/// What a part reads.
enum What {
    Live,
    Deleted,
    Holders(HolderKind),
    Account(ObjectId),
    DeletedAccount,
    Assigned,
    Eligible,
    RoleNames,
}

/// A part's answer: status and body. `None`: the batch brought none that says anything.
type PartReply = Option<(u16, Bytes)>;

impl GraphClient {
    pub(crate) async fn read_candidates(&self, questions: &[Question]) -> Result<Candidates, TenantError> {
        let (asked, unanswered): (Vec<&Question>, Vec<&Question>) =
            questions.iter().partition(|question| fits_filter(question));
        let parts = parts(&asked, &self.select);
        let replies = self.batched(&parts).await;
        let mut found = Candidates { unanswered: unanswered.into_iter().cloned().collect(), ..Candidates::default() };
        let mut by_id: BTreeSet<ObjectId> = BTreeSet::new();
        let (mut assigned, mut eligible, mut names) = (None, None, None);
        for (part, reply) in parts.iter().zip(replies) {
            match &part.what {
                What::Live => found.accounts.extend(self.listed(part, &reply, live_users).await?),
                What::Deleted => {
                    // Filters of the recycle bin are documented vaguely: where one is refused, all of it is read.
                    let first = usable(&reply, deleted_users);
                    let bin = match first {
                        Some(items) => self.rest(part, items, deleted_users).await?,
                        None => self.whole_bin().await?,
                    };
                    found.accounts.extend(bin);
                }
                What::Holders(kind) => match self.listed(part, &reply, |body| holders(body, *kind)).await {
                    Ok(some) => found.holders.extend(some),
                    Err(error) if error.is_forbidden() => found.withheld.push(*kind),
                    Err(error) => return Err(error),
                },
                What::Account(id) => match one(&reply, Place::Live) {
                    Some(Some(account)) => found.accounts.push(account),
                    Some(None) => _ = by_id.insert(id.clone()),
                    None => match self.account(id).await? {
                        Some(account) => found.accounts.push(account),
                        None => _ = by_id.insert(id.clone()),
                    },
                },
                What::DeletedAccount => {
                    found.accounts.extend(one(&reply, Place::RecycleBin).flatten());
                }
                What::Assigned => assigned = Some((part, reply)),
                What::Eligible => eligible = Some((part, reply)),
                What::RoleNames => names = Some((part, reply)),
            }
        }
        let seen: BTreeSet<&ObjectId> = found.accounts.iter().map(|account| &account.id).collect();
        let not_in_batch: Vec<ObjectId> = by_id.into_iter().filter(|id| !seen.contains(id)).collect();
        for id in not_in_batch {
            // Live and in the recycle bin the batch found nothing, or said nothing usable of the bin.
            match self.account(&id).await? {
                Some(account) => found.accounts.push(account),
                None => found.missing.push(id),
            }
        }
        if !found.accounts.is_empty() {
            let names = match names {
                Some((part, reply)) => self.listed(part, &reply, crate::organization::role_names).await.ok(),
                None => None,
            };
            let names: BTreeMap<String, String> = names.into_iter().flatten().collect();
            let holders = self.role_part(assigned, &names).await?;
            let eligible = self.role_part(eligible, &names).await?;
            found.roles = Some(CandidateRoles { holders, eligible });
        }
        Ok(found)
    }

    /// Holders of roles, from a part's answer. `None` where they cannot be read.
    async fn role_part(
        &self,
        part: Option<(&Part, PartReply)>,
        names: &BTreeMap<String, String>,
    ) -> Result<Option<BTreeMap<ObjectId, Vec<String>>>, TenantError> {
        let Some((part, reply)) = part else { return Ok(None) };
        let listed: Principals = match self.listed(part, &reply, crate::organization::principals).await {
            Ok(listed) => listed,
            Err(error) if error.code == crate::organization::NO_PREMIUM => return Ok(Some(BTreeMap::new())),
            Err(error) if error.is_refused() => return Ok(None),
            Err(error) => return Err(error),
        };
        self.holders_of(
            listed
                .into_iter()
                .map(|(holder, role, kind)| {
                    let role = names.get(&role).cloned().unwrap_or(role);
                    (holder, role, kind)
                })
                .collect(),
        )
        .await
        .map(Some)
    }

    async fn whole_bin(&self) -> Result<Vec<Account>, TenantError> {
        let mut all = Vec::new();
        let mut page = None;
        loop {
            let listed = self.deleted_users(page.as_ref()).await?;
            all.extend(listed.items);
            match listed.next {
                Some(next) => page = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// All of a listing, whose first page the batch may have brought.
    async fn listed<I: Send>(
        &self,
        part: &Part,
        reply: &PartReply,
        parse: impl Fn(&[u8]) -> Result<Items<I>, Unread> + Send + Sync,
    ) -> Result<Vec<I>, TenantError> {
        match usable(reply, &parse) {
            Some(items) => self.rest(part, items, parse).await,
            None => self.list_all(part.route, &part.path, parse).await,
        }
    }

    async fn rest<I: Send>(
        &self,
        part: &Part,
        first: Items<I>,
        parse: impl Fn(&[u8]) -> Result<Items<I>, Unread> + Send + Sync,
    ) -> Result<Vec<I>, TenantError> {
        let mut all = first.items;
        let mut next = match first.next.filter(|next| !next.is_empty()) {
            Some(next) => Some(links::cursor(&self.graph, &next, part.route)?),
            None => None,
        };
        while let Some(page) = next {
            let listed = self.list(part.route, Some(&page), &part.path, &parse).await?;
            all.extend(listed.items);
            next = listed.next;
        }
        Ok(all)
    }

    /// Sends the parts, twenty in a batch.
    async fn batched(&self, parts: &[Part]) -> Vec<PartReply> {
        let batches = parts.chunks(MAX_CALLS).map(|some| self.one_batch(some));
        join_all(batches).await.into_iter().flatten().collect()
    }

    async fn one_batch(&self, parts: &[Part]) -> Vec<PartReply> {
        let mut replies: Vec<PartReply> = parts.iter().map(|_| None).collect();
        let requests: Vec<Value> = parts.iter().enumerate().map(|(at, part)| part.json(at)).collect();
        let Ok(body) = serde_json::to_vec(&json!({ "requests": requests })) else { return replies };
        let url = self.url("/$batch");
        let body = Some(Bytes::from(body));
        let request = Outgoing { method: Method::POST, url: &url, route: "/$batch", body, priority: Priority::High };
        let Ok(reply) = self.wire.exchange(&request).await else { return replies };
        Tally::add(&self.wire.tally.batches, 1);
        Tally::add(&self.wire.tally.batched_calls, parts.len());
        if !batch::is_answer(reply.status, &reply.body) {
            return replies;
        }
        for answer in batch::parse(&reply.body, self.wire.clock.now()).unwrap_or_default() {
            if let Some(place) = replies.get_mut(answer.at)
                && matches!(answer.status, 200 | 404)
            {
                *place = Some((answer.status, Bytes::copy_from_slice(answer.body)));
            }
        }
        replies
    }
}

impl Part {
    fn json(&self, at: usize) -> Value {
        let mut request = json!({ "id": at.to_string(), "method": "GET", "url": self.path });
        if matches!(self.what, What::Deleted) {
            request["headers"] = json!({ "ConsistencyLevel": "eventual" });
        }
        request
    }
}

/// Whether a question's value can stand in a filter.
fn fits_filter(question: &Question) -> bool {
    match question {
        // `smtp:` stands before an address.
        Question::ImmutableId(value) | Question::EmployeeId(value) => value.chars().count() <= LONGEST_VALUE,
        Question::Name(value) => value.chars().count() + 5 <= LONGEST_VALUE,
        Question::Account(_) => true,
    }
}

fn parts(questions: &[&Question], select: &Select) -> Vec<Part> {
    let (mut live, mut bin, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    let mut parts = Vec::new();
    for question in questions {
        match question {
            Question::ImmutableId(value) => {
                live.push(vec![equals("onPremisesImmutableId", value)]);
                bin.push(vec![equals("onPremisesImmutableId", value)]);
            }
            Question::EmployeeId(value) => {
                live.push(vec![equals("employeeId", value)]);
                bin.push(vec![equals("employeeId", value)]);
            }
            Question::Name(value) => {
                let address = address_clauses(value);
                live.push([vec![equals("userPrincipalName", value)], address.clone()].concat());
                // While deleted, a sign-in name has the object id in front.
                bin.push([vec![format!("endsWith(userPrincipalName,{})", quoted(value))], address.clone()].concat());
                addresses.push(address);
            }
            Question::Account(id) => {
                let what = What::Account(id.clone());
                parts.push(Part { path: query::user(id.as_str(), select), route: "/users/{id}", what });
                let route = "/directory/deletedItems/{id}";
                parts.push(Part { path: query::deleted(id.as_str(), select), route, what: What::DeletedAccount });
            }
        }
    }
    for filter in filters(live) {
        let path = format!("/users?$select={select}&$expand=manager($select=id)&$top={TOP}&$filter={filter}");
        parts.push(Part { path, route: "/users", what: What::Live });
    }
    let route = "/directory/deletedItems/microsoft.graph.user";
    for filter in filters(bin) {
        let path = format!("{route}?$select={select},deletedDateTime&$count=true&$top={TOP}&$filter={filter}");
        parts.push(Part { path, route, what: What::Deleted });
    }
    for (route, kind) in [("/groups", HolderKind::Group), ("/contacts", HolderKind::Contact)] {
        for filter in filters(addresses.clone()) {
            let path = format!("{route}?$select=id,mail,proxyAddresses&$top={TOP}&$filter={filter}");
            parts.push(Part { path, route, what: What::Holders(kind) });
        }
    }
    for (listing, what) in [(ASSIGNED, What::Assigned), (ELIGIBLE, What::Eligible), (ROLE_NAMES, What::RoleNames)] {
        parts.push(Part { path: listing.path.to_owned(), route: listing.route, what });
    }
    parts
}

/// The prefix is part of a proxy address, and a filter may tell its case apart.
fn address_clauses(value: &str) -> Vec<String> {
    let proxy = |prefix: &str| format!("proxyAddresses/any(p:p eq {})", quoted(&format!("{prefix}{value}")));
    vec![equals("mail", value), proxy("smtp:"), proxy("SMTP:")]
}

fn equals(property: &str, value: &str) -> String {
    format!("{property} eq {}", quoted(value))
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// Clauses joined to as few filters as they fit into, escaped; those of one value stay together.
fn filters(values: Vec<Vec<String>>) -> Vec<String> {
    let mut filters: Vec<Vec<String>> = Vec::new();
    for clauses in values {
        match filters.last_mut() {
            Some(last) if last.len() + clauses.len() <= MOST_CLAUSES => last.extend(clauses),
            Some(_) | None => filters.push(clauses),
        }
    }
    filters.into_iter().map(|clauses| escaped(&clauses.join(" or "))).collect()
}

fn usable<I>(reply: &PartReply, parse: impl Fn(&[u8]) -> Result<Items<I>, Unread>) -> Option<Items<I>> {
    let (status, body) = reply.as_ref()?;
    if *status == 200 { parse(body).ok() } else { None }
}

/// Where one user is asked for.
#[derive(Clone, Copy)]
enum Place {
    Live,
    RecycleBin,
}

/// One user of a part's answer: somebody, nobody, or nothing that says either.
#[expect(clippy::option_option, reason = "nothing said, nobody, somebody")]
fn one(reply: &PartReply, place: Place) -> Option<Option<Account>> {
    let (status, body) = reply.as_ref()?;
    if *status == 404 {
        return Some(None);
    }
    let user: User<'_> = serde_json::from_slice(body).ok()?;
    let account = || match place {
        Place::Live => user.account(),
        Place::RecycleBin => user.deleted_account(),
    };
    (!user.id.is_empty()).then(|| user.is_user().then(account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_batch() {
        let asked = [
            Question::Account("a1".into()),
            Question::ImmutableId("a+b==".into()),
            Question::Name("o'brien@contoso.com".into()),
            Question::Name("ob@contoso.com".into()),
            Question::EmployeeId("0012".into()),
        ];
        let parts = parts(&asked.iter().collect::<Vec<_>>(), &Select::with(Vec::new()));
        assert_eq!(parts.len(), 9);
        let users = parts.iter().find(|part| matches!(part.what, What::Live)).unwrap();
        assert!(users.path.contains("onPremisesImmutableId%20eq%20%27a%2Bb%3D%3D%27%20or%20"), "{}", users.path);
        assert!(users.path.contains("%27SMTP%3Ao%27%27brien%40contoso.com%27"), "{}", users.path);
    }

    #[test]
    fn a_filter_has_fifteen_clauses_at_most() {
        let names: Vec<Question> = (0..9).map(|n| Question::Name(format!("p{n}@contoso.com"))).collect();
        for part in parts(&names.iter().collect::<Vec<_>>(), &Select::with(Vec::new())) {
            let clauses = part.path.matches("%20eq%20").count() + part.path.matches("endsWith").count();
            assert!(clauses <= MOST_CLAUSES, "{clauses} in {}", part.route);
        }
    }

    #[test]
    fn a_value_too_long_for_a_filter_stays_unanswered() {
        assert!(fits_filter(&Question::ImmutableId("a".repeat(120))));
        assert!(!fits_filter(&Question::ImmutableId("a".repeat(121))));
        assert!(!fits_filter(&Question::Name("a".repeat(116))));
    }
}
