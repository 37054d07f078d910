//! Quiet windows: until when a mail of some severity waits. Right over both clock changes: a window that begins or ends
//! in an hour that is skipped does so at the first moment after it, and one in a repeated hour the first time, as schedules do.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::due;
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

/// When the window is next open, after `now`: the first `count` times, the one that is open now among them.
pub fn openings(window: &QuietWindow, now: Timestamp, count: usize) -> Vec<(Timestamp, Timestamp)> {
    let today = window.zone.to_datetime(now).date();
    let days = (-1..).map_while(|ahead: i64| today.checked_add(ahead.days()).ok());
    // A window that is open on one weekday only comes again after a week at the latest.
    days.take(2 + 7 * (count + 1))
        .filter_map(|day| bounds(window, day))
        .filter(|(_, to)| *to > now)
        .take(count)
        .collect()
}

/// The end of the window, where it is open at `now`.
fn open_at(window: &QuietWindow, now: Timestamp) -> Option<Timestamp> {
    let open = openings(window, now, 1).into_iter();
    open.filter(|(from, _)| *from <= now)
        .map(|(_, to)| to)
        .next()
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
    let at = |day: Date, time| due::moment_of(day.to_datetime(time), &window.zone);
    let bounds = (at(day, window.from)?, at(last, window.to)?);
    // Nothing is left of a window that the clock skips whole.
    (bounds.0 < bounds.1).then_some(bounds)
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
            "2026-03-29T01:00:00Z"
        );
    }

    #[test]
    fn a_window_across_the_repeated_hour_is_open_through_both_of_them() {
        let window = QuietWindow {
            from: time(1, 30, 0, 0),
            to: time(3, 30, 0, 0),
            ..nights("America/Chicago")
        };
        // On 1 November 2026 the clock goes from 02:00 CDT back to 01:00 CST: 01:30 comes at 06:30 and at 07:30 UTC.
        assert_eq!(ends(&window, "2026-11-01T06:29:59Z"), None);
        for within in [
            "2026-11-01T06:30:00Z",
            "2026-11-01T07:15:00Z",
            "2026-11-01T09:29:59Z",
        ] {
            assert_eq!(ends(&window, within).unwrap(), "2026-11-01T09:30:00Z");
        }
        let whole_gap = QuietWindow {
            from: time(2, 10, 0, 0),
            to: time(2, 50, 0, 0),
            ..nights("America/Chicago")
        };
        // On 8 March 2026 there is no such time.
        let around = "2026-03-08T07:00:00Z".parse().unwrap();
        let next = openings(&whole_gap, around, 1);
        assert_eq!(next[0].0.to_string(), "2026-03-14T07:10:00Z");
    }

    #[test]
    fn openings_are_told_ahead_with_the_one_that_is_open() {
        let window = nights("Europe/Berlin");
        let now = "2026-10-24T21:00:00Z".parse().unwrap();
        let told: Vec<String> = openings(&window, now, 3)
            .into_iter()
            .map(|(from, to)| format!("{from} {to}"))
            .collect();
        assert_eq!(
            told,
            [
                "2026-10-24T20:00:00Z 2026-10-25T05:00:00Z",
                "2026-10-25T21:00:00Z 2026-10-26T05:00:00Z",
                "2026-10-31T21:00:00Z 2026-11-01T05:00:00Z"
            ]
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
            openings(&windows[0], now, 2)[1].0.to_string(),
            "2026-06-07T22:00:00Z"
        );
    }
}
