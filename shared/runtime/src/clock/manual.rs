//! A clock that stands until somebody moves it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hardmatch_ports::clock::{AtWork, Clock};
use jiff::Timestamp;
use tokio::sync::Notify;

/// A [`Clock`] for tests and simulations. Clones show the same time.
///
/// [`ManualClock::new`] stands until [`advance`](ManualClock::advance) moves it; sleepers wake when it has come far
/// enough.
///
/// [`ManualClock::auto`] moves itself, and only when nobody else could do anything first. The rule:
///
/// 1. The time jumps to the earliest wake-up, never past one, and sleepers wake in the order of their wake-ups (of equal
///    ones, in the order they lay down).
/// 2. It jumps only when at least as many sleep as are [at work](Clock::at_work): work that waits for a socket, a disk or
///    another thread looks idle to the scheduler, so code that does such work holds an [`AtWork`] for its duration.
///    Sleeping in the midst of it is fine, since the sleeper counts.
/// 3. Before a jump the scheduler runs, once, everything that is ready.
///
/// On a current-thread runtime a simulation without threads of its own is thereby the same at every run.
#[derive(Clone)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    now: Timestamp,
    moves: Moves,
    at_work: usize,
    next_seat: u64,
    /// When they wake, and as the how-manieth they lay down.
    asleep: BTreeSet<(Timestamp, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moves {
    ByHand,
    ByItself,
}

impl ManualClock {
    /// A clock that is moved by hand.
    pub fn new(now: Timestamp) -> Self {
        Self::of(now, Moves::ByHand)
    }

    /// A clock that moves itself when everybody waits for it.
    pub fn auto(now: Timestamp) -> Self {
        Self::of(now, Moves::ByItself)
    }

    /// Moves it on and wakes whose time has come.
    pub fn advance(&self, time: Duration) {
        let mut state = self.shared.state();
        state.now += time;
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// When the next sleeper wakes.
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.shared.state().asleep.first().map(|&(wakes, _)| wakes)
    }

    /// Waits until so many sleep: a test moves the clock when those it is about have lain down.
    pub async fn until_asleep(&self, count: usize) {
        self.shared.until(|state| state.asleep.len() >= count).await;
    }

    fn of(now: Timestamp, moves: Moves) -> Self {
        let state = State { now, moves, at_work: 0, next_seat: 0, asleep: BTreeSet::new() };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }) }
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.shared.state().now
    }

    async fn sleep(&self, time: Duration) {
        let bed = Bed::lie_down(&self.shared, time);
        self.shared.until(|state| state.wakes(bed.place)).await;
    }

    fn at_work(&self) -> AtWork {
        self.shared.state().at_work += 1;
        AtWork::until_dropped(Working(Arc::clone(&self.shared)))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, mut is: impl FnMut(&mut State) -> bool) {
        loop {
            // Made before looking, so that no change between looking and waiting is missed.
            let changed = self.changed.notified();
            tokio::task::yield_now().await;
            if is(&mut self.state()) {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    fn wakes(&mut self, place: (Timestamp, u64)) -> bool {
        let is_first = self.asleep.first() == Some(&place);
        if self.moves == Moves::ByItself && is_first && self.asleep.len() >= self.at_work {
            self.now = self.now.max(place.0);
        }
        self.now >= place.0
    }
}

/// Where a sleeper lies; given up when it wakes or stops waiting.
struct Bed<'c> {
    shared: &'c Shared,
    place: (Timestamp, u64),
}

impl<'c> Bed<'c> {
    fn lie_down(shared: &'c Shared, time: Duration) -> Self {
        let mut state = shared.state();
        let place = (state.now.checked_add(time).unwrap_or(Timestamp::MAX), state.next_seat);
        state.next_seat += 1;
        state.asleep.insert(place);
        drop(state);
        shared.changed.notify_waiters();
        Self { shared, place }
    }
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        self.shared.state().asleep.remove(&self.place);
        self.shared.changed.notify_waiters();
    }
}

struct Working(Arc<Shared>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.state().at_work -= 1;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::future::{join, join3};
    use tokio::sync::oneshot;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn it_stands_until_it_is_moved_far_enough() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(3 * SECOND).await;
                clock.now()
            }
        });
        clock.until_asleep(1).await;
        assert_eq!(clock.next_wake(), Some(Timestamp::UNIX_EPOCH + 3 * SECOND));
        clock.advance(2 * SECOND);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!sleeper.is_finished());
        clock.advance(2 * SECOND);
        assert_eq!(sleeper.await.unwrap().as_second(), 4);
        assert_eq!(clock.next_wake(), None);
    }

    #[tokio::test]
    async fn by_itself_it_wakes_sleepers_in_order_and_never_jumps_past_one() {
        let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
        let woken = RefCell::new(Vec::new());
        let sleeper = async |name: &'static str, seconds: &[u32]| {
            for &time in seconds {
                clock.sleep(time * SECOND).await;
                woken.borrow_mut().push((name, clock.now().as_second()));
            }
        };
        join3(sleeper("slow", &[10]), sleeper("quick", &[1, 1, 1]), sleeper("even", &[2, 0, 8])).await;
        let expected = [("quick", 1), ("even", 2), ("quick", 2), ("even", 2), ("quick", 3), ("slow", 10), ("even", 10)];
        assert_eq!(*woken.borrow(), expected);
    }

    #[tokio::test]
    async fn by_itself_it_waits_for_whoever_is_at_work() {
        let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
        let (answer, answered) = oneshot::channel();
        let working = clock.at_work();
        // Waits for something the scheduler cannot see, and goes on within the same second.
        let worker = async {
            answered.await.unwrap();
            let finished = clock.now();
            drop(working);
            finished
        };
        let thread = std::thread::spawn(move || answer.send(()).unwrap());
        let sleeper = async {
            let counted = clock.at_work();
            clock.sleep(60 * SECOND).await;
            drop(counted);
            clock.now()
        };
        let (finished, woke) = join(worker, sleeper).await;
        thread.join().unwrap();
        assert_eq!((finished.as_second(), woke.as_second()), (0, 60));
    }

    #[tokio::test]
    async fn a_sleep_that_is_given_up_holds_nobody() {
        let clock = ManualClock::auto(Timestamp::UNIX_EPOCH);
        let working = clock.at_work();
        let also = clock.at_work();
        {
            let sleep = clock.sleep(SECOND);
            futures::pin_mut!(sleep);
            assert!(futures::poll!(&mut sleep).is_pending());
            assert!(clock.next_wake().is_some());
        }
        assert_eq!(clock.next_wake(), None);
        drop((working, also));
        clock.sleep(5 * SECOND).await;
        assert_eq!(clock.now().as_second(), 5);
    }
}
