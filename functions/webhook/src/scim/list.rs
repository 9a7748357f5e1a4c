//! Lists: filters, pages by index, and which attributes are told. Sorting and cursors are not there, and announced so.
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2>

use hardmatch_store::pushed::{Claim, PushedGroup, PushedPerson};
use hardmatch_store::{PersonHash, Stored};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Scim;
use super::claims::email_claim;
use super::filter::{ResourceFilter, Wanted};
use super::schema::ResourceType;
use super::select::Select;
use crate::error::ScimError;

use crate::reply::Reply;

/// Resources on a page, where nobody says how many.
const USUAL_PAGE: usize = 100;
/// Resources on a page at most.
pub(super) const LONGEST_PAGE: usize = 200;
/// People who are read at a time.
const CHUNK: usize = 100;

/// What somebody asks to be told.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What is told of people.
    users: Select,
    /// What is told of groups.
    groups: Select,
    /// Whether all is told, whatever is told on request alone included.
    pub(super) all: bool,
    filters: Vec<(ResourceType, ResourceFilter)>,
    /// Whether the filter asks for what is not stored with a person.
    computed: bool,
    /// The first of the page, from 1.
    start: usize,
    count: Option<usize>,
}

impl Asked {
    /// From the query of an address.
    pub(super) fn of_query(of: ResourceType, query: &str) -> Result<Self, ScimError> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let all = |name: &str| -> Vec<&str> {
            let named = pairs.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_str()).collect()
        };
        let select = |of| Select::new(of, all("attributes"), all("excludedAttributes"));
        let text = |name: &str| all(name).first().map(|text| (*text).to_owned());
        Self::of(&[of], &select, text("filter").as_deref(), text("startIndex"), text("count"))
    }

    /// From the body of a search.
    pub(super) fn of_search(of: Option<ResourceType>, body: &Value) -> Result<Self, ScimError> {
        let member = |name: &str| {
            let body = body.as_object()?;
            body.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        if !body.is_object() {
            return Err(ScimError::syntax("A search needs an object."));
        }
        let names = |name: &str| -> Vec<&str> {
            match member(name) {
                Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
                Some(Value::String(names)) => vec![names.as_str()],
                _ => Vec::new(),
            }
        };
        let number = |name: &str| member(name).map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        let types: Vec<ResourceType> = of.map_or(ResourceType::ALL.to_vec(), |of| vec![of]);
        let select = |of| Select::new(of, names("attributes"), names("excludedAttributes"));
        Self::of(&types, &select, member("filter").and_then(Value::as_str), number("startIndex"), number("count"))
    }

    fn of(
        types: &[ResourceType],
        select: &dyn Fn(ResourceType) -> Select,
        filter: Option<&str>,
        start: Option<String>,
        count: Option<String>,
    ) -> Result<Self, ScimError> {
        let number = |text: Option<String>, name: &str| -> Result<Option<i64>, ScimError> {
            text.filter(|text| text != "null")
                .map(|text| text.trim().parse::<i64>())
                .transpose()
                .map_err(|_| ScimError::value(format!("{name} must be a whole number.")))
        };
        let start = number(start, "startIndex")?.unwrap_or(1).max(1);
        let count = number(count, "count")?.map(|count| usize::try_from(count.max(0)).unwrap_or(usize::MAX));
        let filter = filter.filter(|filter| !filter.trim().is_empty());
        let mut filters = Vec::new();
        for of in types {
            if let Some(filter) = filter {
                filters.push((*of, ResourceFilter::parse(*of, filter)?));
            }
        }
        let lower = filter.unwrap_or_default().to_ascii_lowercase();
        let computed = lower.contains("provisioning") || lower.contains("groups") || lower.contains("members");
        let (users, groups) = (select(ResourceType::User), select(ResourceType::Group));
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        Ok(Self { users, groups, all: false, filters, computed, start, count })
    }

    /// Everything, for a filter that asks for what is not stored with a person.
    fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// What is told of a type.
    pub(super) fn select(&self, of: ResourceType) -> &Select {
        match of {
            ResourceType::User => &self.users,
            ResourceType::Group => &self.groups,
        }
    }

    fn filter(&self, of: ResourceType) -> Option<&ResourceFilter> {
        self.filters.iter().find(|(have, _)| *have == of).map(|(_, filter)| filter)
    }
}

/// A page while it is filled: how many there are in all, and those on it.
struct Page {
    first: usize,
    most: usize,
    total: usize,
}

impl Page {
    /// Counts one more; whether it is on the page.
    fn takes(&mut self) -> bool {
        self.total += 1;
        self.total >= self.first && self.total - self.first < self.most
    }
}

impl Scim<'_> {
    pub(super) async fn list(&self, of: Option<ResourceType>, asked: &Asked) -> Result<Reply, ScimError> {
        let most = asked.count.unwrap_or(USUAL_PAGE).min(LONGEST_PAGE);
        let mut page = Page { first: asked.start, most, total: 0 };
        let mut told = Vec::new();
        for kind in ResourceType::ALL.into_iter().filter(|kind| of.is_none_or(|of| of == *kind)) {
            match kind {
                ResourceType::User => self.list_users(asked, &mut page, &mut told).await?,
                ResourceType::Group => self.list_groups(asked, &mut page, &mut told).await?,
            }
        }
        Ok(Reply::ok(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": page.total,
            "startIndex": asked.start,
            "itemsPerPage": told.len(),
            "Resources": told,
        })))
    }

    async fn list_users(&self, asked: &Asked, page: &mut Page, told: &mut Vec<Value>) -> Result<(), ScimError> {
        let Some(filter) = asked.filter(ResourceType::User) else {
            let ids = self.ports.store.pushed_ids(self.connection).await?;
            let on_page: Vec<PersonHash> = ids.into_iter().filter(|_| page.takes()).map(|(_, pid)| pid).collect();
            for person in self.people(&on_page).await? {
                told.push(asked.users.of(self.tell_user(&person, asked).await?));
            }
            return Ok(());
        };
        let pids: Vec<PersonHash> = if let Some(wanted) = filter.wanted() {
            self.users_wanted(wanted).await?
        } else {
            let ids = self.ports.store.pushed_ids(self.connection).await?;
            ids.into_iter().map(|(_, pid)| pid).collect()
        };
        for chunk in pids.chunks(CHUNK) {
            for person in self.people(chunk).await? {
                let seen = if asked.computed {
                    self.tell_user(&person, &Asked::everything()).await?
                } else {
                    self.plain_user(&person)
                };
                if filter.is_met_by(&seen) && page.takes() {
                    told.push(asked.users.of(self.tell_user(&person, asked).await?));
                }
            }
        }
        Ok(())
    }

    /// People by place, in the order of ids.
    async fn people(&self, pids: &[PersonHash]) -> Result<Vec<Stored<PushedPerson>>, ScimError> {
        let mut people = self.ports.store.pushed_people(self.connection, pids).await?;
        people.sort_by(|a, b| a.value.id.cmp(&b.value.id));
        Ok(people)
    }

    /// Places of everybody who has a value.
    async fn users_wanted(&self, wanted: Wanted) -> Result<Vec<PersonHash>, ScimError> {
        let store = &self.ports.store;
        let id = match wanted {
            Wanted::Id(id) => Some(id),
            Wanted::UserName(name) => {
                store.pushed_claim(self.connection, &Claim::new("userName", name.trim().to_lowercase())).await?
            }
            Wanted::ExternalId(id) => store.pushed_claim(self.connection, &Claim::new("externalId", id.trim())).await?,
            Wanted::Email(address) => {
                return Ok(store.pushed_people_by(self.connection, &email_claim(&address)).await?);
            }
            Wanted::GroupName(_) => None,
        };
        let Some(id) = id else { return Ok(Vec::new()) };
        Ok(store.pushed_pid(self.connection, &id).await?.into_iter().collect())
    }

    async fn list_groups(&self, asked: &Asked, page: &mut Page, told: &mut Vec<Value>) -> Result<(), ScimError> {
        let store = &self.ports.store;
        let filter = asked.filter(ResourceType::Group);
        let groups: Vec<Stored<PushedGroup>> = match filter.and_then(ResourceFilter::wanted) {
            Some(Wanted::Id(id)) => store.pushed_group(self.connection, &id).await?.into_iter().collect(),
            Some(Wanted::GroupName(name)) => match store.pushed_group_named(self.connection, name.trim()).await? {
                Some(id) => store.pushed_group(self.connection, &id).await?.into_iter().collect(),
                None => Vec::new(),
            },
            _ => store.pushed_groups(self.connection).await?,
        };
        for group in groups {
            let met = match filter {
                None => true,
                Some(filter) if asked.computed => {
                    filter.is_met_by(&self.tell_group(&group, &Asked::everything()).await?)
                }
                Some(filter) => filter.is_met_by(&self.plain_group(&group)),
            };
            if met && page.takes() {
                told.push(asked.groups.of(self.tell_group(&group, asked).await?));
            }
        }
        Ok(())
    }
}
