//! Quiet windows: until when a mail of some severity waits. Right over both clock changes: a window that begins or ends
//! in an hour that is skipped does so at the first moment after it, and one in a repeated hour the first time.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::model::{QuietWindow, Severity};

/// When the quiet that holds for `severity` now is over; none where it is not quiet.
pub fn until(windows: &[QuietWindow], severity: Severity, now: Timestamp) -> Option<Timestamp> {
    let mut end = now;
    // One window may run into the next.
    while let Some(later) = windows
        .iter()
        .filter(|window| window.severities.contains(&severity))
        .filter_map(|window| open_at(window, end))
        .max()
        .filter(|later| *later > end)
    {
        end = later;
        if end > now + jiff::SignedDuration::from_hours(24 * 14) {
            break;
        }
    }
    (end > now).then_some(end)
}

/// The next time the window begins and ends, after `now`.
pub fn next(window: &QuietWindow, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let today = window.zone.to_datetime(now).date();
    (0..=8)
        .filter_map(|ahead| today.checked_add(ahead.days()).ok())
        .filter_map(|day| bounds(window, day))
        .find(|(from, _)| *from > now)
}

/// The end of the window, where it is open at `now`.
fn open_at(window: &QuietWindow, now: Timestamp) -> Option<Timestamp> {
    let today = window.zone.to_datetime(now).date();
    let days = [today.yesterday().ok(), Some(today)];
    days.into_iter()
        .flatten()
        .filter_map(|day| bounds(window, day))
        .find(|(from, to)| *from <= now && now < *to)
        .map(|(_, to)| to)
}

/// Beginning and end of the window that begins on `day`, where one does.
fn bounds(window: &QuietWindow, day: Date) -> Option<(Timestamp, Timestamp)> {
    if !window.weekdays.contains(&day.weekday()) {
        return None;
    }
    let last = if window.to > window.from {
        day
    } else {
        day.tomorrow().ok()?
    };
    let at = |day: Date, time| {
        let ambiguous = window.zone.to_ambiguous_timestamp(day.to_datetime(time));
        ambiguous.compatible().ok()
    };
    Some((at(day, window.from)?, at(last, window.to)?))
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, time};
    use jiff::tz::TimeZone;

    use super::*;

    fn nights(zone: &str) -> QuietWindow {
        QuietWindow {
            weekdays: vec![Weekday::Saturday, Weekday::Sunday],
            from: time(22, 0, 0, 0),
            to: time(6, 0, 0, 0),
            zone: TimeZone::get(zone).unwrap(),
            severities: vec![Severity::Warning],
        }
    }

    fn ends(window: &QuietWindow, now: &str) -> Option<String> {
        until(
            std::slice::from_ref(window),
            Severity::Warning,
            now.parse().unwrap(),
        )
        .map(|end| end.to_string())
    }

    #[test]
    fn a_night_ends_in_the_morning_and_spares_the_other_severity() {
        let window = nights("Europe/Berlin");
        assert_eq!(
            ends(&window, "2026-06-06T20:30:00Z").unwrap(),
            "2026-06-07T04:00:00Z"
        );
        assert_eq!(ends(&window, "2026-06-06T19:59:59Z"), None);
        assert_eq!(ends(&window, "2026-06-07T04:00:00Z"), None);
        let now = "2026-06-06T20:30:00Z".parse().unwrap();
        assert_eq!(until(&[window], Severity::Critical, now), None);
    }

    #[test]
    fn it_ends_at_the_local_time_on_both_nights_of_a_clock_change() {
        let window = nights("Europe/Berlin");
        // Clocks go forward on 29 March 2026 at 02:00, back on 25 October at 03:00.
        assert_eq!(
            ends(&window, "2026-03-28T23:00:00Z").unwrap(),
            "2026-03-29T04:00:00Z"
        );
        assert_eq!(
            ends(&window, "2026-10-24T23:00:00Z").unwrap(),
            "2026-10-25T05:00:00Z"
        );
    }

    #[test]
    fn an_end_that_the_clock_skips_comes_right_after() {
        let window = QuietWindow {
            from: time(1, 0, 0, 0),
            to: time(2, 30, 0, 0),
            ..nights("Europe/Berlin")
        };
        assert_eq!(
            ends(&window, "2026-03-29T00:30:00Z").unwrap(),
            "2026-03-29T01:30:00Z"
        );
    }

    #[test]
    fn windows_that_touch_are_one() {
        let day = QuietWindow {
            from: time(6, 0, 0, 0),
            to: time(12, 0, 0, 0),
            ..nights("UTC")
        };
        let windows = [nights("UTC"), day];
        let now = "2026-06-06T23:00:00Z".parse().unwrap();
        let end = until(&windows, Severity::Warning, now).unwrap();
        assert_eq!(end.to_string(), "2026-06-07T12:00:00Z");
        assert_eq!(
            next(&windows[0], now).unwrap().0.to_string(),
            "2026-06-07T22:00:00Z"
        );
    }
}
