//! A repair goes on: look, store, call, store, until it ends or must wait.

use hardmatch_domain::attribute::{Attr, Attributes};
use hardmatch_domain::ids::ObjectId;
use hardmatch_domain::repair::journal::{Journal, MAX_ATTEMPTS, RepairState};
use hardmatch_domain::repair::next::{self, Failure, Next, Observed, pause_ms};
use hardmatch_domain::repair::{RepairCall, RepairWrite};
use hardmatch_ports::tenant::{Answer, Call, Refusal};
use hardmatch_store::Stored;
use hardmatch_store::gate::{Gate, Wait};
use hardmatch_store::leases::LeaseProof;

use super::close;
use super::hear::{Heard, MaybeDone, hear};
use super::look::{Unseen, look};
use crate::lane::Lane;
use crate::timing::{TIMING, millis};
use crate::{WriteError, WritePorts};

/// Where a repair is when nothing more is done for it now.
pub(super) enum Driven {
    /// It goes on after so many milliseconds.
    Later(i64),
    /// It stays open for the next run: the service fails.
    LeftOpen,
    /// The tenant does not take the credentials.
    LockedOut(Refusal),
    /// It ended, or waits for somebody to look at it.
    Ended(Box<Journal>),
}

pub(super) async fn drive(
    ports: &WritePorts,
    lane: &Lane,
    lease: &LeaseProof,
    mut stored: Stored<Journal>,
) -> Result<Driven, WriteError> {
    loop {
        let now_ms = ports.clock.now().as_millisecond();
        if lease.is_over(now_ms) {
            // Another writer may have the lane by now.
            return Ok(Driven::Later(0));
        }
        if stored.value.state == RepairState::Blocked {
            return Ok(Driven::Ended(Box::new(stored.value)));
        }
        let accounts: Vec<ObjectId> = stored.value.accounts().into_iter().cloned().collect();
        let observed = match look(ports, &accounts, lane.priority()).await {
            Ok(observed) => observed,
            Err(Unseen::LockedOut(refusal)) => return Ok(Driven::LockedOut(refusal)),
            Err(Unseen::Unavailable) => return unavailable(ports, stored).await,
        };
        match next::next(&stored.value, &observed) {
            Next::Call(call) => {
                if let Some(driven) = send(ports, lane, &mut stored, &call).await? {
                    return Ok(driven);
                }
            }
            Next::Skip => {
                stored.value.advance();
                if !keep(ports, &mut stored).await? {
                    return Ok(Driven::Later(millis(TIMING.other_lane)));
                }
            }
            Next::Leave(name) => {
                stored.value.left.push(name.into());
                stored.value.advance();
                if !keep(ports, &mut stored).await? {
                    return Ok(Driven::Later(millis(TIMING.other_lane)));
                }
            }
            Next::Wait => {
                stored.value.looks += 1;
                keep(ports, &mut stored).await?;
                return Ok(Driven::Later(pause_ms(&stored.value)));
            }
            Next::TurnBack(reason) => {
                stored.value.turn_back(reason);
                if !keep(ports, &mut stored).await? {
                    return Ok(Driven::Later(millis(TIMING.other_lane)));
                }
            }
            Next::Block(reason) => {
                if stored.value.state != RepairState::Blocked {
                    stored.value.block(reason);
                }
                keep(ports, &mut stored).await?;
                return Ok(Driven::Ended(Box::new(stored.value)));
            }
            Next::Close => return end(ports, stored, &observed).await,
        }
    }
}

/// Makes a call; why the repair does not go on at once afterwards.
async fn send(
    ports: &WritePorts,
    lane: &Lane,
    stored: &mut Stored<Journal>,
    call: &RepairCall,
) -> Result<Option<Driven>, WriteError> {
    let now_ms = ports.clock.now().as_millisecond();
    let take = |gate: &mut Gate| gate.grant(now_ms, 1, lane.urgency);
    if let Err(Wait(wait)) = ports.store.gate(&ports.scope, &ports.client, take).await? {
        return Ok(Some(Driven::Later(wait)));
    }
    stored.value.sent = true;
    if !keep(ports, stored).await? {
        // Another writer goes on with it.
        return Ok(Some(Driven::Later(millis(TIMING.other_lane))));
    }
    let answers = ports.tenant.perform(&[as_call(call)], lane.priority()).await;
    let answer = answers.into_iter().next().unwrap_or_else(|| Answer::Unknown("no answer".to_owned()));
    let driven = match hear(&stored.value, call, answer) {
        Heard::Done => {
            stored.value.advance();
            None
        }
        Heard::Throttled(wait) => {
            stored.value.sent = false;
            let until_ms = ports.clock.now().as_millisecond() + millis(wait);
            let close = |gate: &mut Gate| gate.close(now_ms, until_ms);
            ports.store.gate(&ports.scope, &ports.client, close).await?;
            Some(Driven::Later(millis(wait)))
        }
        Heard::LockedOut(refusal) => {
            stored.value.sent = false;
            Some(Driven::LockedOut(refusal))
        }
        Heard::Failed(failure, maybe) => {
            stored.value.sent = maybe == MaybeDone::Yes;
            let (direction, out) = (stored.value.direction, matches!(failure, Failure::Unavailable(_)));
            next::failed(&mut stored.value, failure);
            let goes_on = stored.value.direction == direction && stored.value.state == RepairState::Open;
            match goes_on {
                true if out && stored.value.attempts + 1 >= MAX_ATTEMPTS => Some(Driven::LeftOpen),
                true => Some(Driven::Later(pause_ms(&stored.value))),
                false => None,
            }
        }
    };
    keep(ports, stored).await?;
    Ok(driven)
}

/// The tenant cannot be looked at: the repair waits, and after some attempts it is left to the next run.
async fn unavailable(ports: &WritePorts, mut stored: Stored<Journal>) -> Result<Driven, WriteError> {
    stored.value.attempts += 1;
    let over = stored.value.attempts >= MAX_ATTEMPTS;
    if over {
        stored.value.attempts = 0;
    }
    let wait = pause_ms(&stored.value);
    keep(ports, &mut stored).await?;
    Ok(if over { Driven::LeftOpen } else { Driven::Later(wait) })
}

/// Stores the journal; whether nobody else wrote it meanwhile.
async fn keep(ports: &WritePorts, stored: &mut Stored<Journal>) -> Result<bool, WriteError> {
    Ok(ports.store.put_repair(&ports.scope, stored).await?)
}

/// Everything shows: what the repair leaves is stored, and its holds are given back.
async fn end(ports: &WritePorts, mut stored: Stored<Journal>, observed: &Observed) -> Result<Driven, WriteError> {
    stored.value.close(ports.clock.now().as_millisecond());
    close::leave(ports, &stored.value, observed).await?;
    if ports.store.close_repair(&ports.scope, &stored).await? {
        return Ok(Driven::Ended(Box::new(stored.value)));
    }
    Ok(Driven::Later(millis(TIMING.other_lane)))
}

/// The call as the tenant's port has it.
fn as_call(call: &RepairCall) -> Call {
    let account = call.account.clone();
    match &call.write {
        RepairWrite::Upn { after, .. } => {
            let attributes = Attributes::from_pairs([(Attr::UserPrincipalName, &**after)]);
            Call::Update { account, immutable_id: None, attributes }
        }
        RepairWrite::Id { after, .. } => {
            Call::Update { account, immutable_id: Some(after.clone()), attributes: Attributes::default() }
        }
        RepairWrite::Delete => Call::Delete { account },
        RepairWrite::Restore { upn } => Call::Restore { account, upn: upn.clone() },
        RepairWrite::Purge => Call::Purge { account },
    }
}
