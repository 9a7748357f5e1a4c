//! The journals of a connection's repairs, as commands read them.

use hardmatch_domain::ids::{ConnectionId, ObjectId};
use hardmatch_domain::repair::journal::{Direction, Journal};
use hardmatch_match::MatchPorts;

use crate::fail::Failure;

/// Repairs that ended and are listed.
const ENDED: usize = 50;

/// A connection's repairs, open ones first.
pub(super) async fn of(ports: &MatchPorts, connection: &ConnectionId) -> Result<Vec<Journal>, Failure> {
    let (store, scope) = (&ports.store, &ports.scope);
    let open: Vec<Journal> = store.open_repairs(scope).await?.into_iter().map(|stored| stored.value).collect();
    let mut ended = store.closed_repairs(scope, ENDED).await?;
    // One that ended and is being taken back is open again.
    ended.retain(|journal| open.iter().all(|open| open.id != journal.id));
    Ok(open.into_iter().chain(ended).filter(|journal| journal.connection == *connection).collect())
}

/// The newest repair of an account, open or ended.
pub(super) async fn of_account(
    ports: &MatchPorts,
    connection: &ConnectionId,
    id: &ObjectId,
) -> Result<Option<Journal>, Failure> {
    let repairs = of(ports, connection).await?;
    Ok(repairs.into_iter().filter(|journal| journal.accounts() == [id]).max_by_key(|journal| journal.began_ms))
}

/// A repair in one line.
pub(super) fn line(journal: &Journal) -> String {
    let way = match journal.direction {
        Direction::Forward => "",
        Direction::Back => ", going back",
    };
    let why = journal.why.as_ref().map(|why| {
        format!(": {}{}", why.code, why.detail.as_deref().map(|detail| format!(", {detail}")).unwrap_or_default())
    });
    let (state, kind) = (journal.state.name(), journal.kind.name());
    let (done, all) = (journal.done, journal.calls.len());
    let way = if journal.state.is_closed() { "" } else { way };
    format!("{} {state} {kind}, {done} of {all} calls{way}{}", journal.id, why.unwrap_or_default())
}
