//! The links that operators make.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::Clock;
use hardmatch_store::connecting::{ConnectSecret, TICKET_SECONDS, Ticket};
use hardmatch_store::{Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::PublicUrl;
use crate::secret::secret;

/// A link that connects one connection, once.
#[derive(Clone)]
pub struct ConnectLink {
    /// To be opened in the administrator's browser. The link alone admits its bearer, so only the operator is shown it.
    pub url: Url,
    /// Its hash: what the store's record of the connection names while it waits for this link.
    pub id: String,
    /// Worth nothing from then on.
    pub expires: Timestamp,
}

impl std::fmt::Debug for ConnectLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Makes a link. The command that waits for it reads [`Store::connecting`].
pub async fn issue(
    store: &Store,
    clock: &dyn Clock,
    url: &PublicUrl,
    connection: &ConnectionId,
) -> Result<ConnectLink, StoreError> {
    let link = draft(store, clock, url);
    let ticket = Ticket { v: 1, connection: connection.clone(), expires: link.expires.as_second(), browser: None };
    store.put_ticket(&link.id, &ticket, clock.now().as_second()).await?;
    Ok(link)
}

/// A link that opens nothing until its hash is entered: for a command that writes into no table and has it entered by a function.
pub fn draft(store: &Store, clock: &dyn Clock, url: &PublicUrl) -> ConnectLink {
    let secret = secret();
    let id = store.connect_id(ConnectSecret::Ticket, &secret);
    let expires = clock.now() + SignedDuration::from_secs(TICKET_SECONDS);
    ConnectLink { url: url.ticket(&secret), id, expires }
}
