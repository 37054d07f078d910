//! When a schedule next falls due, in local time and right over clock changes.
//!
//! Which wall-clock times a cron line names is croner's; what becomes of them when the clock is put forward or
//! back is decided here. Fixed times (`0 0 8 * * *`) come exactly once on every local day: one that is skipped comes
//! at the first moment after the gap, one that is repeated the first time. Lines with a `*` or a step in second, minute
//! or hour follow the clock as it runs: nothing in the skipped hour, and on through the repeated one.

use std::time::Duration;

use croner::Cron;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::model::{Schedule, next_civil};

/// The first firing after `after`; none where the calendar ends before one.
///
/// A duration counts from `last_began`: what should have come before `after` is skipped, not made up for. A `last_began`
/// later than `after` (the clock was set back) counts as `after`, so that nothing stands still for as long as
/// the clock was wrong. Cron lines need only `after`.
pub fn next_after(
    schedule: &Schedule,
    zone: &TimeZone,
    last_began: Timestamp,
    after: Timestamp,
) -> Option<Timestamp> {
    match schedule {
        Schedule::Every(interval) => {
            let interval = SignedDuration::try_from(*interval).ok()?.as_nanos().max(1);
            let last_began = last_began.min(after);
            let since = after.as_nanosecond() - last_began.as_nanosecond();
            let steps = since / interval + 1;
            Timestamp::from_nanosecond(last_began.as_nanosecond() + steps * interval).ok()
        }
        Schedule::Cron(cron) if is_fixed(cron) => next_fixed(cron, zone, after),
        Schedule::Cron(cron) => next_running(cron, zone, after),
    }
}

/// How many firings fell after `since` and up to `until`; counting stops at `at_most`.
/// Unlike a number of intervals it does not mistake the night for an outage where a schedule runs by day only.
pub fn firings_between(
    schedule: &Schedule,
    zone: &TimeZone,
    since: Timestamp,
    until: Timestamp,
    at_most: u32,
) -> u32 {
    let mut count = 0;
    let mut last = since;
    while count < at_most {
        match next_after(schedule, zone, since, last) {
            Some(next) if next <= until => last = next,
            _ => break,
        }
        count += 1;
    }
    count
}

/// Whether a whole sweep is overdue, where none was for `unwatched` of monotonic time: for more than `intervals` of the longer
/// of the schedule's interval and the time that a sweep `takes`, and more than so many firings ago.
pub fn is_overdue(
    sweep: &Schedule,
    zone: &TimeZone,
    takes: Duration,
    intervals: u32,
    unwatched: Duration,
    now: Timestamp,
) -> bool {
    let longer = sweep.typical_interval().max(takes);
    let since = now.checked_sub(unwatched);
    unwatched > longer.saturating_mul(intervals)
        && since
            .is_ok_and(|since| firings_between(sweep, zone, since, now, intervals + 1) > intervals)
}

/// Whether nobody ran for so long that things could have happened unseen; a short restart is no such time, and one that
/// could not reach Leaf did run.
pub fn was_off(sweep: &Schedule, last_alive: Option<Timestamp>, now: Timestamp) -> bool {
    last_alive
        .is_some_and(|last| now.duration_since(last).unsigned_abs() > sweep.typical_interval() * 2)
}

/// Whether the line names times of day, rather than steps of the running clock.
fn is_fixed(cron: &Cron) -> bool {
    let pattern = &cron.pattern;
    [&pattern.seconds, &pattern.minutes, &pattern.hours]
        .into_iter()
        .all(|field| !field.from_wildcard && field.step == 1)
}

fn next_fixed(cron: &Cron, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut civil = on_the_clock(after, zone.to_offset(after));
    loop {
        civil = next_civil(cron, civil, false)?;
        match wall_clock(civil).and_then(|wall| moment_of(wall, zone)) {
            // In the repeated hour the first pass is over, and lists of times meet again at the end of a gap.
            Some(at) if at > after => return Some(at),
            Some(_) | None => {}
        }
    }
}

/// The one moment that stands for a fixed time; none on a date that the zone left out whole (Samoa, 30 December 2011).
pub(super) fn moment_of(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
        AmbiguousOffset::Gap { before, after } => {
            // Read with the offset that holds after the gap, the skipped time lies before the change; the next
            // change from there is the end of the gap.
            let early = after.to_timestamp(wall).ok()?;
            let end = zone.following(early).next()?.timestamp();
            let last_before = before
                .to_datetime(end)
                .checked_sub(SignedDuration::from_nanos(1));
            let lived = [last_before.ok()?.date(), after.to_datetime(end).date()];
            lived.contains(&wall.date()).then_some(end)
        }
    }
}

fn next_running(cron: &Cron, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut from = after;
    let mut inclusive = false;
    loop {
        // Until the next change of the clock the offset is one, so that wall clock and time run alike.
        let offset = zone.to_offset(from);
        let change = zone.following(from).next().map(|change| change.timestamp());
        let civil = next_civil(cron, on_the_clock(from, offset), inclusive)?;
        let at = Timestamp::from_second(civil - i64::from(offset.seconds())).ok();
        match (at, change) {
            (Some(at), Some(change)) if at < change => return Some(at),
            (_, Some(change)) => (from, inclusive) = (change, true),
            (at, None) => return at,
        }
    }
}

/// The wall-clock second that [`next_civil`] counts in.
fn on_the_clock(at: Timestamp, offset: Offset) -> i64 {
    at.as_nanosecond().div_euclid(1_000_000_000) as i64 + i64::from(offset.seconds())
}

fn wall_clock(civil: i64) -> Option<DateTime> {
    let as_if_utc = Timestamp::from_second(civil).ok()?;
    Some(Offset::UTC.to_datetime(as_if_utc))
}

#[cfg(test)]
mod tests;
