//! `repair rollback` and `repair link`.

use hardmatch_domain::account::AccountKind;
use hardmatch_domain::facts::By;
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::link::{JoinRule, Ledger, Link};
use hardmatch_domain::reason::{Code, Reason};
use hardmatch_domain::repair::RepairKind;
use hardmatch_domain::repair::holds::RepairHold;
use hardmatch_domain::repair::journal::{Direction, Journal, RepairState};
use hardmatch_ports::command::Reply;
use hardmatch_store::PersonHash;
use hardmatch_store::repairs::BeginRepair;

use super::clear_id;
use super::request::{Request, done, refused};
use crate::error::MatchError;
use crate::ports::MatchPorts;

/// So many of the repairs that ended last are looked at for a name.
const ENDED: usize = 200;

/// Turns an open repair back. The writer carries that out in the next run that writes.
pub(super) async fn roll_back(ports: &MatchPorts, request: &Request<'_>, repair: &str) -> Result<Reply, MatchError> {
    let named = |journal: &Journal| {
        journal.connection == *request.connection && journal.id.starts_with(repair) && repair.len() >= 8
    };
    let open = ports.store.open_repairs(&ports.scope).await?;
    let mut fitting = open.into_iter().filter(|open| named(&open.value));
    let (found, another) = (fitting.next(), fitting.next());
    let Some(mut open) = found.filter(|_| another.is_none()) else {
        let mut ended = ports.store.closed_repairs(&ports.scope, ENDED).await?;
        ended.retain(named);
        return match ended.pop().filter(|_| ended.is_empty()) {
            Some(journal) => roll_back_ended(ports, request, journal).await,
            None => Ok(refused(format!(
                "no repair, or more than one, begins with {repair}. `hardmatch repair list` names them in full"
            ))),
        };
    };
    match open.value.direction {
        Direction::Back => open.value.unblock(),
        Direction::Forward if !open.value.can_turn_back() => {
            return Ok(refused(
                "this repair has deleted an account for good, and nothing brings it back: it only goes on. Remove the cause that `hardmatch repair show` names, then run `hardmatch sync`",
            ));
        }
        Direction::Forward => {
            let why = format!("taken back by {}", request.by);
            open.value.turn_back(Reason::with(Code::RepairRolledBack, why));
        }
    }
    if !ports.store.put_repair(&ports.scope, &mut open).await? {
        return Ok(refused("the repair is being written at this moment. Run the same command again"));
    }
    let person = open.value.person.iter();
    let marks = person.map(|who| ports.store.mark_dirty(request.connection, ports.store.pid(who)));
    ports.store.write_all(marks.collect()).await?;
    Ok(done(None))
}

/// Takes back a repair that ended. What a person's run repaired is undone like everything else that the run wrote; an ID that
/// was cleared by name is set again by the same journal.
async fn roll_back_ended(ports: &MatchPorts, request: &Request<'_>, mut journal: Journal) -> Result<Reply, MatchError> {
    if journal.state != RepairState::Repaired {
        return Ok(refused("this repair was taken back already"));
    }
    if journal.kind != RepairKind::ClearId {
        return Ok(refused(format!(
            "this repair has ended. Plan how to undo what it wrote: hardmatch runs undo --change {}",
            journal.change.short()
        )));
    }
    journal.reopen(Reason::with(Code::RepairRolledBack, format!("taken back by {}", request.by)));
    if let BeginRepair::HeldByOther = ports.store.begin_repair(&ports.scope, &journal).await? {
        return Ok(refused(
            "another repair holds its account, its ID or a name of it. `hardmatch repair list` names it; wait until it ends",
        ));
    }
    clear_id::write_soon(ports, request).await;
    Ok(done(None))
}

/// Links a person to an account that is nobody's. Nothing is written to the tenant: an account that holds a role keeps its ID.
pub(super) async fn link(
    ports: &MatchPorts,
    request: &Request<'_>,
    person: &str,
    account: &str,
) -> Result<Reply, MatchError> {
    let (store, scope) = (&ports.store, &ports.scope);
    let Some(pid) = PersonHash::parse(person) else { return Ok(refused("the person's place is not 32 hex digits")) };
    let Some((_, record)) = store.people(request.connection, &[pid]).await?.pop() else {
        return Ok(refused("the person is not known. Make a plan first: `hardmatch plan`"));
    };
    let who = record.reference();
    let id = ObjectId::new(account.to_lowercase());
    let Some(item) = store.account(scope, &id).await? else {
        return Ok(refused(format!("no account {id} was read. Make a plan first: `hardmatch plan`")));
    };
    if item.account.is_deleted() {
        return Ok(refused(format!(
            "the account {id} is in the recycle bin. Restore it in the tenant first, and plan, so that it is read"
        )));
    }
    if item.account.kind == AccountKind::Guest {
        return Ok(refused(format!("the account {id} is a guest's. Guests are nobody's account here")));
    }
    let wanted = [RepairHold::Person(who.clone()), RepairHold::Account(id.clone())];
    if let Some(repair) = store.repair_that_holds(scope, &wanted).await? {
        return Ok(refused(format!("the repair {repair} holds them. Wait until it ends, or take it back first")));
    }
    if let Some(had) = store.link_to(scope, &id).await? {
        let owner = &had.value.person;
        if *owner == who {
            return Ok(done(None));
        }
        return Ok(refused(format!(
            "the account {id} is linked to {} of connection {}, and {} cannot have it, too. Decide whose it is: end the other link by taking that person out of the source",
            owner.key.as_str(),
            owner.connection,
            who.key.as_str()
        )));
    }
    if let Some(had) = store.link_of(scope, &who).await? {
        return Ok(refused(format!(
            "{} is linked to the account {}, and cannot have {id}, too. Decide which account is theirs, and delete the other one",
            who.key.as_str(),
            had.value.account
        )));
    }
    if let Some(anchor) = &item.account.immutable_id {
        for other in store.people_by(scope, By::ImmutableId, anchor.as_str()).await? {
            let Some(record) = store.person(&other).await?.filter(|_| other != who) else { continue };
            if record.person.knows_anchor(anchor) {
                return Ok(refused(format!(
                    "the account {id} carries the immutable ID of {}, and {} cannot have it. Decide whose it is, and correct the anchor at the source",
                    other.key.as_str(),
                    who.key.as_str()
                )));
            }
        }
    }
    let link = Link {
        person: who.clone(),
        account: id.clone(),
        immutable_id: item.account.immutable_id.clone(),
        joined_by: JoinRule::Link,
        ledger: Ledger::default(),
        revision: 1,
    };
    let claimed = store.each_if(vec![store.claim(scope, None, &link)]).await?;
    if claimed.first().is_none_or(Option::is_none) {
        return Ok(refused("the account was linked at this moment. Run the same command again"));
    }
    store.write_all(vec![store.put_link_pointer(&who, &id), store.mark_dirty(request.connection, pid)]).await?;
    Ok(done(None))
}
