//! The people whom a run is about, when it is not about everybody: who they are, which request wanted each, and what the
//! tenant was asked about them.

use hardmatch_domain::facts::knowledge::Answers;
use hardmatch_domain::ids::PersonKey;
use hardmatch_ports::{Key, Write};
use serde::{Deserialize, Serialize};

use crate::hashes::PersonHash;
use crate::{Result, Store, Stored, json, keys, parse};

/// A person whom a run is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedPerson {
    /// Version of this shape.
    pub v: u32,
    /// Who.
    pub key: PersonKey,
    /// The revision of the sync request that wanted the person, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// What the tenant answered about the person, when it was asked about them alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
}

impl AskedPerson {
    /// A person of whom nothing was asked yet.
    pub fn new(key: PersonKey, request: Option<u64>) -> Self {
        Self { v: 1, key, request, answers: None }
    }
}

impl Store {
    /// The write that makes a run about a person, or notes what the tenant answered about them.
    pub fn put_asked(&self, run: &str, asked: &AskedPerson) -> Write {
        Write::put(keys::asked(run, self.secret.pid(&asked.key)), json(asked))
    }

    /// Everybody whom a run is about, in the order of places in keys.
    pub async fn asked(&self, run: &str) -> Result<Vec<(PersonHash, AskedPerson)>> {
        let found = self.read_all(keys::all_asked(run), "person asked for").await?;
        Ok(found.into_iter().filter_map(|(key, stored)| Some((PersonHash::parse(&key.sk)?, stored.value))).collect())
    }

    /// What the tenant answered about some people of a run.
    pub async fn answers(&self, run: &str, pids: &[PersonHash]) -> Result<Answers> {
        let wanted: Vec<Key> = pids.iter().map(|pid| keys::asked(run, *pid)).collect();
        let mut answers = Answers::default();
        for item in self.table.batch_get(&wanted).await? {
            let asked: Stored<AskedPerson> = parse(&item, "person asked for")?;
            answers.extend(asked.value.answers.unwrap_or_default());
        }
        Ok(answers)
    }
}
