//! Timers: what must happen later is an item, taken when its time has come. Nothing here waits, and no clock of the table
//! is relied on: the next look takes what is due.

use hardmatch_domain::ids::ConnectionId;
use hardmatch_ports::{Key, Write};

use crate::hashes::PersonHash;
use crate::{Result, Store, keys};

/// No timer is set further ahead (seconds): what is due later is looked at in between, and a connection's timers can all be
/// found.
pub const FARTHEST: i64 = 400 * 24 * 60 * 60;

/// What a timer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Time alone may change what is decided about a person: a grace ends, a deleted account is gone for good.
    Person(PersonHash),
    /// A connection in quarantine may try again.
    Quarantine,
    /// The run of a scheduled time, which is the timer's, is to begin: it lies here until that run exists, so that no
    /// message has to arrive for a night to begin.
    Start,
}

/// A timer whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What it is about.
    pub timer: Timer,
    /// When it was due (Unix seconds).
    pub at: i64,
    /// Its key, to delete it by once it has been acted on.
    pub key: Key,
}

impl Timer {
    fn name(self) -> String {
        match self {
            Timer::Person(pid) => format!("person#{}", pid.hex()),
            Timer::Quarantine => "quarantine#-".to_owned(),
            Timer::Start => "start#-".to_owned(),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name.split_once('#')? {
            ("person", key) => PersonHash::parse(key).map(Timer::Person),
            ("quarantine", _) => Some(Timer::Quarantine),
            ("start", _) => Some(Timer::Start),
            _ => None,
        }
    }
}

impl Store {
    /// The write that sets a timer (Unix seconds). The same timer at the same time is one.
    pub fn put_timer(&self, c: &ConnectionId, timer: Timer, at: i64) -> Write {
        Write::put(keys::timer(c, day(at), at, &timer.name()), Vec::new())
    }

    /// The write that takes a timer away.
    pub fn delete_timer(&self, c: &ConnectionId, timer: Timer, at: i64) -> Write {
        Write::delete(keys::timer(c, day(at), at, &timer.name()))
    }

    /// Timers whose time has come since a time (both Unix seconds), in order of their time. Kinds we do not know are left
    /// for the code that set them.
    pub async fn due(&self, c: &ConnectionId, since: i64, now: i64) -> Result<Vec<Due>> {
        let mut found = Vec::new();
        for day in day(since)..=day(now) {
            self.each(keys::timers(c, day, now), |item| {
                let due = keys::timer_of(&item.key).and_then(|(at, name)| Some((at, Timer::parse(name)?)));
                if let Some((at, timer)) = due {
                    found.push(Due { timer, at, key: item.key });
                }
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }
}

/// Timers of a day lie together, so that looking for due ones reads today and not the future.
fn day(at: i64) -> i64 {
    at.div_euclid(86_400)
}
