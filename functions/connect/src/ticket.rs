//! The links that operators make.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::Clock;
use hardmatch_store::connecting::{ConnectSecret, Ticket};
use hardmatch_store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::PublicUrl;
use crate::secret::secret;

/// A link is used within minutes of being made; one that is found later in a chat or a log opens nothing.
const LIFE: SignedDuration = SignedDuration::from_mins(15);

/// A link that connects one connection, once.
#[derive(Clone)]
pub struct Link {
    /// To be opened in the administrator's browser. Whoever has it may begin; it is shown to the operator alone.
    pub url: Url,
    /// Its hash: what the store's record of the connection names while it waits for this link.
    pub id: String,
    /// Worth nothing from then on.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Makes a link. Whoever waits for it reads [`Store::connecting`].
pub async fn issue(
    store: &Store,
    clock: &dyn Clock,
    url: &PublicUrl,
    connection: &ConnectionId,
) -> Result<Link, StoreError> {
    let secret = secret();
    let id = store.connect_id(ConnectSecret::Ticket, &secret);
    let now = clock.now();
    let expires = now + LIFE;
    let ticket = Ticket { v: 1, connection: connection.clone(), expires: expires.as_second() };
    store.put_ticket(&id, &ticket, now.as_second()).await?;
    Ok(Link { url: url.ticket(&secret), id, expires })
}
