//! Why a message failed, for the operator who finds it among the dead letters: a message does not say by itself.

use hardmatch_ports::{Condition, Write};
use serde::{Deserialize, Serialize};

use crate::{Result, Store, json, keys};

/// The last failure of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// An error's own sentence: no names, no addresses, no secrets.
    pub why: String,
    /// When (Unix seconds).
    pub at: i64,
}

/// Kept a day longer than queues keep dead letters, in seconds.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const KEPT: i64 = 15 * 24 * 60 * 60;

impl Store {
    /// Notes why a message failed this time.
    pub async fn note_failure(&self, message: &str, trouble: &Trouble) -> Result<()> {
        let write = Write::Put {
            key: keys::failure(message),
            body: json(trouble),
            expires: Some(trouble.at + KEPT),
            condition: Condition::None,
        };
        self.table.write(write).await?;
        Ok(())
    }

    /// Why a message failed last. `None`: its function was ended before it could say so.
    pub async fn trouble(&self, message: &str) -> Result<Option<Trouble>> {
        Ok(self.read::<Trouble>(&keys::failure(message), "trouble").await?.map(|stored| stored.value))
    }
}
