//! Puts dead letters back into the queues that they failed in. A function does it, because an operator may send to no
//! function's queue. What operators and approvers asked for is not put back: they ask again.

use std::collections::BTreeMap;

use futures::future::join_all;
use hardmatch_ports::command::Reply;
use hardmatch_ports::doorbell::Queue;
use hardmatch_wiring::lambda::{Home, Timestamp};

/// Dead letters between two looks at the clock.
const AT_ONCE: usize = 50;
/// Dead letters of a queue that one command moves: messages that fail again and come back meanwhile are not moved for ever.
const MOST: usize = 2_000;

/// All queues at the same time, until they are empty or the time is over.
pub(crate) async fn redrive(home: &Home, until: Timestamp) -> Reply {
    let mut moved = BTreeMap::new();
    let (mut more, mut stopped) = (false, None);
    for (queue, result) in join_all(Queue::ALL.map(|queue| async move { (queue, of(home, queue, until).await) })).await
    {
        moved.insert(queue.name().to_owned(), result.moved);
        more |= result.more;
        stopped = stopped.or(result.stopped.map(|why| format!("dead letters of the queue {}: {why}", queue.name())));
    }
    Reply::Redriven { moved, more, stopped }
}

#[derive(Default)]
struct Moved {
    moved: u64,
    more: bool,
    stopped: Option<String>,
}

async fn of(home: &Home, queue: Queue, until: Timestamp) -> Moved {
    let mut result = Moved::default();
    let dead = match home.queues.dead_letters(queue) {
        Ok(dead) => dead,
        Err(error) => return Moved { stopped: Some(error.to_string()), ..result },
    };
    for round in 0..MOST / AT_ONCE {
        if round > 0 && home.clock.now() >= until {
            result.more = true;
            return result;
        }
        match home.queues.redrive(&dead, queue, AT_ONCE).await {
            Ok(done) => {
                result.moved += u64::try_from(done.moved).unwrap_or_default();
                result.stopped = done.stopped;
                if result.stopped.is_some() || done.moved < AT_ONCE {
                    return result;
                }
            }
            Err(error) => return Moved { stopped: Some(error.to_string()), ..result },
        }
    }
    result.more = true;
    result
}
