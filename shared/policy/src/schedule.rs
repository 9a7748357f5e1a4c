//! `[schedule]`: at which times a connection is synced by itself, in the time zone that the file names.

use std::fmt;

use hardmatch_domain::policy::ScheduledTime;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// When a connection is synced: once a day, at which time the source is read whole, and in between every so often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    every: Option<Every>,
    full: Time,
    zone: TimeZone,
}

/// How often: a part of an hour in whole minutes, or a part of a day in whole hours, so that a line of cron says the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Every {
    seconds: i64,
}

impl Every {
    /// From `5m` or `2h`. The error is what is near and possible.
    pub(crate) fn parse(text: &str) -> Result<Self, Option<Self>> {
        let unit = match text.chars().last() {
            Some('m') => MINUTE,
            Some('h') => HOUR,
            _ => return Err(None),
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(None);
        }
        let seconds = digits.parse::<i64>().map_err(|_| None)? * unit;
        let fits = |seconds: &i64| match *seconds {
            1..HOUR => HOUR % seconds == 0 && seconds % MINUTE == 0,
            HOUR..=DAY => DAY % seconds == 0 && seconds % HOUR == 0,
            _ => false,
        };
        if fits(&seconds) {
            return Ok(Self { seconds });
        }
        let possible = (1..=24 * 60).map(|minutes| minutes * MINUTE).filter(fits);
        Err(possible.min_by_key(|possible| (possible - seconds).abs()).map(|seconds| Self { seconds }))
    }

    /// Seconds.
    pub fn seconds(self) -> i64 {
        self.seconds
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            seconds if seconds % HOUR == 0 => write!(f, "{}h", seconds / HOUR),
            seconds => write!(f, "{}m", seconds / MINUTE),
        }
    }
}

impl Schedule {
    pub(crate) fn new(every: Option<Every>, full: Time, zone: TimeZone) -> Self {
        Self { every, full, zone }
    }

    /// How often between the times of the day; `None`: once a day.
    pub fn every(&self) -> Option<Every> {
        self.every
    }

    /// The hour and minute at which the source is read whole.
    pub fn full(&self) -> (u8, u8) {
        // A time of day has no sign.
        (self.full.hour().unsigned_abs(), self.full.minute().unsigned_abs())
    }

    /// The time zone's name.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The times that came last, at a time (Unix seconds). A time of day that the clocks skip in spring comes when they have
    /// been put forward, and one that there is twice in autumn comes once.
    pub fn last(&self, now: i64) -> ScheduledTime {
        let Ok(moment) = Timestamp::from_second(now) else {
            return ScheduledTime { at: now, full: now, daily: true };
        };
        let here = moment.to_zoned(self.zone.clone());
        let full = self.full_before(&here).unwrap_or(now);
        let between = self.every.map_or(full, |every| every.before(&here).unwrap_or(now));
        ScheduledTime { at: between.max(full), full, daily: self.every.is_none() }
    }

    fn full_before(&self, here: &Zoned) -> Option<i64> {
        let on = |day: jiff::civil::Date| self.zone.to_zoned(day.to_datetime(self.full)).ok();
        let today = on(here.date())?.timestamp().as_second();
        if today <= here.timestamp().as_second() {
            return Some(today);
        }
        Some(on(here.date().yesterday().ok()?)?.timestamp().as_second())
    }
}

impl Every {
    /// The last time that is a whole number of these after midnight by the clocks of a place.
    fn before(self, here: &Zoned) -> Option<i64> {
        let now = here.timestamp().as_second();
        // Up to an hour, the time that there is twice in autumn is gone through twice.
        if self.seconds <= HOUR {
            let by_the_clock = now + i64::from(here.offset().seconds());
            return Some(now - by_the_clock.rem_euclid(self.seconds));
        }
        let hours = self.seconds / HOUR;
        let hour = i64::from(here.hour()) / hours * hours;
        let slot = here.date().at(i8::try_from(hour).ok()?, 0, 0, 0);
        let at = here.time_zone().to_zoned(slot).ok()?.timestamp().as_second();
        if at <= now {
            return Some(at);
        }
        let slot = slot.checked_sub(hours.hours()).ok()?;
        Some(here.time_zone().to_zoned(slot).ok()?.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(every: Option<&str>, full: (i8, i8), zone: &str) -> Schedule {
        let every = every.map(|every| Every::parse(every).unwrap());
        Schedule::new(every, Time::constant(full.0, full.1, 0, 0), TimeZone::get(zone).unwrap())
    }

    /// The last times, as text.
    fn last(schedule: &Schedule, now: &str) -> (String, String) {
        let now: Timestamp = now.parse().unwrap();
        let ScheduledTime { at, full, .. } = schedule.last(now.as_second());
        let text = |at: i64| Timestamp::from_second(at).unwrap().to_string();
        (text(at), text(full))
    }

    #[track_caller]
    fn check(schedule: &Schedule, now: &str, at: &str, full: &str) {
        assert_eq!(last(schedule, now), (at.to_owned(), full.to_owned()), "at {now}");
    }

    #[test]
    fn times_are_parts_of_the_hour_and_once_a_day_whole() {
        let utc = schedule(Some("5m"), (2, 30), "UTC");
        check(&utc, "2026-03-01T12:04:59Z", "2026-03-01T12:00:00Z", "2026-03-01T02:30:00Z");
        check(&utc, "2026-03-01T12:05:00Z", "2026-03-01T12:05:00Z", "2026-03-01T02:30:00Z");
        check(&utc, "2026-03-01T02:29:59Z", "2026-03-01T02:25:00Z", "2026-02-28T02:30:00Z");
        // A time of day between two parts of the hour is a time of its own.
        let odd = schedule(Some("30m"), (2, 47), "UTC");
        check(&odd, "2026-03-01T02:59:00Z", "2026-03-01T02:47:00Z", "2026-03-01T02:47:00Z");
        check(&odd, "2026-03-01T03:01:00Z", "2026-03-01T03:00:00Z", "2026-03-01T02:47:00Z");
        let nightly = schedule(None, (2, 30), "UTC");
        check(&nightly, "2026-03-01T12:05:00Z", "2026-03-01T02:30:00Z", "2026-03-01T02:30:00Z");
    }

    #[test]
    fn hours_are_counted_by_the_clocks_of_the_zone() {
        let six = schedule(Some("6h"), (3, 0), "Asia/Kolkata");
        check(&six, "2026-03-01T12:00:00Z", "2026-03-01T06:30:00Z", "2026-02-28T21:30:00Z");
        let one = schedule(Some("1h"), (3, 0), "Asia/Kolkata");
        check(&one, "2026-03-01T12:29:59Z", "2026-03-01T11:30:00Z", "2026-02-28T21:30:00Z");
        check(&one, "2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z", "2026-02-28T21:30:00Z");
    }

    #[test]
    fn a_time_that_the_clocks_skip_comes_after_they_were_put_forward() {
        // Clocks go from 02:00 to 03:00 at 01:00 UTC.
        let berlin = schedule(Some("5m"), (2, 30), "Europe/Berlin");
        check(&berlin, "2026-03-29T00:59:59Z", "2026-03-29T00:55:00Z", "2026-03-28T01:30:00Z");
        check(&berlin, "2026-03-29T01:29:59Z", "2026-03-29T01:25:00Z", "2026-03-28T01:30:00Z");
        check(&berlin, "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z");
        let two = schedule(Some("2h"), (4, 0), "Europe/Berlin");
        check(&two, "2026-03-29T01:10:00Z", "2026-03-29T01:00:00Z", "2026-03-28T03:00:00Z");
    }

    #[test]
    fn a_time_that_there_is_twice_comes_once_and_minutes_go_on() {
        // Clocks go from 03:00 to 02:00 at 01:00 UTC.
        let berlin = schedule(Some("5m"), (2, 30), "Europe/Berlin");
        check(&berlin, "2026-10-25T00:31:00Z", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z");
        check(&berlin, "2026-10-25T01:31:00Z", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z");
        let two = schedule(Some("2h"), (4, 0), "Europe/Berlin");
        check(&two, "2026-10-25T01:10:00Z", "2026-10-25T00:00:00Z", "2026-10-24T02:00:00Z");
    }

    #[test]
    fn no_time_comes_before_one_that_came_already() {
        for (every, zone) in [("5m", "Australia/Lord_Howe"), ("1h", "Asia/Kathmandu"), ("12h", "Africa/Cairo")] {
            let schedule = schedule(Some(every), (0, 15), zone);
            let (mut before, from) = (0, 1_767_225_600);
            for now in (from..from + 366 * DAY).step_by(601) {
                let ScheduledTime { at, full, .. } = schedule.last(now);
                assert!(before <= at && full <= at && at <= now, "{every} {zone} at {now}");
                assert!(now - full < 26 * HOUR, "{every} {zone} at {now}: the last whole reading was due at {full}");
                before = at;
            }
        }
    }

    #[test]
    fn only_what_cron_can_say_is_taken() {
        for good in ["1m", "5m", "15m", "30m", "60m", "1h", "2h", "12h", "24h"] {
            assert!(Every::parse(good).is_ok(), "{good}");
        }
        for (bad, near) in [("7m", "6m"), ("45m", "30m"), ("0m", "1m"), ("5h", "4h"), ("90m", "1h"), ("48h", "24h")] {
            let said = Every::parse(bad).unwrap_err().map(|near| near.to_string());
            assert_eq!(said.as_deref(), Some(near), "{bad}");
        }
        for bad in ["", "5", "m", "5s", "-5m", "5 m", "1d", "9999999m", "5µ"] {
            assert_eq!(Every::parse(bad), Err(None), "{bad}");
        }
    }
}
