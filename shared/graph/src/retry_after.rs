//! `Retry-After`: whole seconds, fractions (rounded up), or an HTTP date.
//! <https://learn.microsoft.com/graph/throttling>

use std::time::Duration;

use jiff::Timestamp;

/// The longest wait that is obeyed. A service that asks for more is waited for so long, and then asked again.
pub(crate) const LONGEST: Duration = Duration::from_hours(24);

/// How long to wait from `now` on, up to [`LONGEST`]; `None` when the text says nothing.
pub(crate) fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(LONGEST).min(LONGEST));
    }
    let date = date(text)?;
    // Rounded up: a date has whole seconds, and the clock has parts of one.
    let millis = date.as_millisecond().saturating_sub(now.as_millisecond()).max(0);
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(LONGEST))
}

/// An HTTP date. <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_fractions_and_dates_are_understood() {
        let now: Timestamp = "2026-01-09T02:02:12.5Z".parse().unwrap();
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(parse(text, now), millis.map(Duration::from_millis), "{text}");
        };
        check("10", Some(10_000));
        check(" 0 ", Some(0));
        check("2.128", Some(3_000));
        check("Fri, 09 Jan 2026 02:02:22 GMT", Some(9_500));
        check("Fri, 09 Jan 2026 02:02:02 GMT", Some(0));
        let day = Some(24 * 60 * 60 * 1000);
        for long in ["1000000000", "99999999999999999999999", "1e300", "inf", "Fri, 09 Jan 2099 02:02:22 GMT"] {
            check(long, day);
        }
        check("-1", None);
        check("-1.5", None);
        check("soon", None);
        check("", None);
        check("NaN", None);
    }
}
