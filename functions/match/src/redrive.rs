//! Puts dead letters back into the queues of work. A function does it, because an operator may send to no function's queue.
//! What operators and approvers asked for is not put back: a letter's text is whatever somebody sent, and its queue, which
//! said whose word it was, is lost. They ask again.

use std::collections::BTreeMap;

use hardmatch_ports::command::Reply;
use hardmatch_ports::doorbell::Queue;
use hardmatch_wiring::lambda::{Home, Timestamp, judge_dead_letter};

/// Dead letters between two looks at the clock.
const AT_ONCE: usize = 50;
/// Dead letters that one command moves: messages that fail again and come back meanwhile are not moved for ever.
const MOST: usize = 2_000;

/// Until the queue of dead letters is empty or the time is over.
pub(crate) async fn redrive(home: &Home, until: Timestamp) -> Reply {
    let mut moved: BTreeMap<String, u64> =
        Queue::DEPLOYED.into_iter().map(|queue| (queue.name().to_owned(), 0)).collect();
    let mut deleted = 0;
    let counted = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    for round in 0..MOST / AT_ONCE {
        if round > 0 && home.clock.now() >= until {
            return Reply::Redriven { moved, deleted, more: true, stopped: None };
        }
        let done = match home.queues.dead_letters() {
            Ok(dead) => home.queues.redrive(&dead, AT_ONCE, judge_dead_letter).await,
            Err(error) => Err(error),
        };
        let done = match done {
            Ok(done) => done,
            Err(error) => return Reply::Redriven { moved, deleted, more: false, stopped: Some(error.to_string()) },
        };
        for (queue, count) in &done.moved {
            *moved.entry(queue.name().to_owned()).or_default() += counted(*count);
        }
        deleted += counted(done.deleted);
        if done.stopped.is_some() || done.seen() < AT_ONCE {
            return Reply::Redriven { moved, deleted, more: false, stopped: done.stopped };
        }
    }
    Reply::Redriven { moved, deleted, more: true, stopped: None }
}
