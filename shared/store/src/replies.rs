//! Replies to operators' requests, for commands that wait for one.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::command::Reply;
use hardmatch_ports::{Condition, Write};

use crate::{Result, Store, json, keys};

/// A reply is kept so long (seconds).
const KEPT: i64 = 24 * 60 * 60;

impl Store {
    /// Leaves a reply.
    pub async fn put_reply(&self, c: &ConnectionId, name: &str, reply: &Reply, now: i64) -> Result<()> {
        let write = Write::Put {
            key: keys::reply(c, name),
            body: json(reply),
            expires: Some(now + KEPT),
            condition: Condition::None,
        };
        self.table.write(write).await?;
        Ok(())
    }

    /// The reply of this name, once there is one.
    pub async fn reply(&self, c: &ConnectionId, name: &str) -> Result<Option<Reply>> {
        Ok(self.read::<Reply>(&keys::reply(c, name), "reply").await?.map(|stored| stored.value))
    }
}
