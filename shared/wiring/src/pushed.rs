//! People who were pushed, as a source like any other: everybody who is there, and one person by key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use hardmatch_domain::ids::{ConnectionId, PersonKey};
use hardmatch_policy::Config;
use hardmatch_ports::source::{Asked, Completeness, OnePerson, Read, SourceCursor, Spool};
use hardmatch_ports::{Entry, Source, SourceError};
use hardmatch_sources_scim::{PushedEntry, ScimReading, manager_value};
use hardmatch_store::pushed::{Claim, PushedPerson};
use hardmatch_store::{PersonHash, Store, StoreError};

/// People who are read at a time.
const CHUNK: usize = 200;

/// The pushed people of a connection.
#[derive(Clone)]
pub struct PushedPeople {
    store: Store,
    connection: ConnectionId,
    reading: ScimReading,
}

impl PushedPeople {
    /// Of the connection of a configuration.
    pub fn new(config: &Config, store: &Store) -> Self {
        Self {
            store: store.clone(),
            connection: config.connection.clone(),
            reading: ScimReading { anchor_from: config.anchor.from.clone(), extra: config.source_attributes() },
        }
    }

    fn entry(&self, person: &PushedPerson, groups: &[String], manager: Option<&PersonKey>) -> Entry {
        let had: &BTreeSet<String> = &person.had;
        self.reading.entry(&PushedEntry { key: &person.key, attributes: &person.attributes, had, groups, manager })
    }

    /// Whom the manager's value names: a pushed person, by id or by external id.
    async fn manager(
        &self,
        person: &PushedPerson,
        known: &mut HashMap<String, Option<PersonKey>>,
    ) -> Result<Option<PersonKey>, StoreError> {
        let Some(value) = manager_value(&person.attributes) else { return Ok(None) };
        if let Some(known) = known.get(value) {
            return Ok(known.clone());
        }
        let c = &self.connection;
        let claimed = self.store.pushed_claim(c, &Claim::new("externalId", value)).await?;
        let id = claimed.unwrap_or_else(|| value.to_lowercase());
        let found = self.store.pushed_person_by_id(c, &id).await?.map(|stored| stored.value.key);
        known.insert(value.to_owned(), found.clone());
        Ok(found)
    }
}

fn unread(error: &StoreError) -> SourceError {
    SourceError {
        problem: format!("the pushed people cannot be read: {error}"),
        cure: "Run again; if it stays, look at the state".to_owned(),
        retry: true,
    }
}

#[async_trait]
impl Source for PushedPeople {
    async fn read(&self, to: &mut dyn Spool, _: Option<SourceCursor>) -> Result<Read, SourceError> {
        let ids = self.store.pushed_ids(&self.connection).await.map_err(|error| unread(&error))?;
        let groups = self.store.pushed_groups(&self.connection).await.map_err(|error| unread(&error))?;
        let names: BTreeMap<String, String> =
            groups.into_iter().map(|group| (group.value.id, group.value.name)).collect();
        let memberships = self.store.all_pushed_memberships(&self.connection).await.map_err(|error| unread(&error))?;
        let mut managers = HashMap::new();
        let mut completeness = Completeness::default();
        for chunk in ids.chunks(CHUNK) {
            let pids: Vec<PersonHash> = chunk.iter().map(|(_, pid)| *pid).collect();
            let mut found = self.store.pushed_people(&self.connection, &pids).await.map_err(|error| unread(&error))?;
            found.sort_by(|a, b| a.value.id.cmp(&b.value.id));
            let mut entries = Vec::with_capacity(found.len());
            for person in found.into_iter().map(|stored| stored.value) {
                let ids = memberships.get(&self.store.secret().pid(&person.key)).map(Vec::as_slice).unwrap_or_default();
                let groups: Vec<String> = ids.iter().filter_map(|id| names.get(id).cloned()).collect();
                let manager = self.manager(&person, &mut managers).await.map_err(|error| unread(&error))?;
                entries.push(self.entry(&person, &groups, manager.as_ref()));
            }
            completeness.entries += entries.len() as u64;
            to.put(entries)?;
        }
        Ok(Read::Complete(completeness))
    }

    async fn ask(&self, key: &PersonKey) -> Result<Asked, SourceError> {
        let pid = self.store.secret().pid(key);
        let found = self.store.pushed_person(&self.connection, pid).await.map_err(|error| unread(&error))?;
        let Some(person) = found.map(|stored| stored.value).filter(|person| person.deleted.is_none()) else {
            return Ok(Asked::Nobody);
        };
        let mut groups = Vec::new();
        for id in self.store.pushed_memberships(&self.connection, pid).await.map_err(|error| unread(&error))? {
            let group = self.store.pushed_group(&self.connection, &id).await.map_err(|error| unread(&error))?;
            groups.extend(group.map(|group| group.value.name));
        }
        let manager = self.manager(&person, &mut HashMap::new()).await.map_err(|error| unread(&error))?;
        Ok(Asked::Found(self.entry(&person, &groups, manager.as_ref())))
    }

    fn one_person(&self) -> OnePerson {
        OnePerson::Pushed
    }

    async fn probe(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn location(&self) -> String {
        "the people who were pushed".to_owned()
    }
}
