use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// All firings after `from` and before `to`, shown on the zone's clock.
fn firings(line: &str, zone_name: &str, from: &str, to: &str) -> Vec<String> {
    let schedule = Schedule::cron(line).unwrap();
    let zone = zone(zone_name);
    let mut found = Vec::new();
    let mut last = at(from);
    while let Some(next) = next_after(&schedule, &zone, last, last)
        && next < at(to)
    {
        found.push(
            next.to_zoned_datetime(zone.clone())
                .strftime("%m-%d %H:%M %Z")
                .to_string(),
        );
        last = next;
    }
    found
}

#[test]
fn eight_o_clock_stays_eight_o_clock_over_the_year() {
    let days = firings(
        "0 0 8 * * *",
        "Europe/Berlin",
        "2026-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    );
    assert_eq!(days.len(), 365);
    assert!(days.iter().all(|time| time.contains(" 08:00 ")));
}

#[test]
fn a_skipped_time_comes_right_after_the_gap_and_a_repeated_one_once() {
    assert_eq!(
        firings(
            "0 30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00:00Z",
            "2026-03-31T00:00:00Z"
        ),
        ["03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"]
    );
    assert_eq!(
        firings(
            "0 30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T00:00:00Z",
            "2026-10-27T00:00:00Z"
        ),
        ["10-24 02:30 CEST", "10-25 02:30 CEST", "10-26 02:30 CET"]
    );
    // A clock that is put forward by half an hour only.
    assert_eq!(
        firings(
            "0 15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            "2026-10-05T00:00:00Z"
        ),
        ["10-04 02:30 +11", "10-05 02:15 +11"]
    );
}

#[test]
fn a_list_of_times_comes_once_each() {
    assert_eq!(
        firings(
            "0 30 2,14 * * *",
            "Europe/Berlin",
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z"
        ),
        ["10-25 02:30 CEST", "10-25 14:30 CET"]
    );
}

#[test]
fn steps_follow_the_running_clock() {
    assert_eq!(
        firings(
            "0 */30 * * * *",
            "America/Chicago",
            "2026-03-08T07:00:00Z",
            "2026-03-08T09:00:00Z"
        ),
        ["03-08 01:30 CST", "03-08 03:00 CDT", "03-08 03:30 CDT"]
    );
    assert_eq!(
        firings(
            "0 */30 * * * *",
            "America/Chicago",
            "2026-11-01T05:59:00Z",
            "2026-11-01T08:30:00Z"
        ),
        [
            "11-01 01:00 CDT",
            "11-01 01:30 CDT",
            "11-01 01:00 CST",
            "11-01 01:30 CST",
            "11-01 02:00 CST"
        ]
    );
}

#[test]
fn a_date_that_the_zone_left_out_has_no_firing() {
    assert_eq!(
        firings(
            "0 0 8 * * *",
            "Pacific/Apia",
            "2011-12-29T00:00:00Z",
            "2012-01-01T00:00:00Z"
        ),
        ["12-29 08:00 -10", "12-31 08:00 +14", "01-01 08:00 +14"]
    );
}

#[test]
fn a_gap_at_midnight_does_not_lose_the_day() {
    assert_eq!(
        firings(
            "0 0 0 * * *",
            "America/Santiago",
            "2026-09-05T12:00:00Z",
            "2026-09-07T12:00:00Z"
        ),
        ["09-06 01:00 -03", "09-07 00:00 -03"]
    );
}

#[test]
fn a_duration_counts_from_the_last_begin_and_makes_up_for_nothing() {
    let quarter = Schedule::Every(Duration::from_secs(900));
    let began = at("2026-05-01T10:00:00Z");
    let next = |after: &str| next_after(&quarter, &TimeZone::UTC, began, at(after)).unwrap();
    assert_eq!(next("2026-05-01T10:00:00Z"), at("2026-05-01T10:15:00Z"));
    assert_eq!(next("2026-05-01T10:14:59.9Z"), at("2026-05-01T10:15:00Z"));
    assert_eq!(next("2026-05-01T10:15:00Z"), at("2026-05-01T10:30:00Z"));
    assert_eq!(next("2026-05-01T13:05:00Z"), at("2026-05-01T13:15:00Z"));
    // The clock was set back by a day.
    assert_eq!(next("2026-04-30T10:00:00Z"), at("2026-04-30T10:15:00Z"));
}

#[test]
fn a_sweep_is_overdue_after_three_of_the_longer_of_its_interval_and_its_length() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let zone = zone("UTC");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = at("2026-03-02T12:00:30Z");
    for quarter in ["0 */15 * * * *", "15m"] {
        let schedule = Schedule::cron(quarter).unwrap_or(Schedule::Every(minutes(15)));
        let overdue = |takes, unwatched| {
            is_overdue(&schedule, &zone, minutes(takes), 3, minutes(unwatched), now)
        };
        assert!(!overdue(0, 45) && overdue(0, 61), "{quarter}");
        // What takes 40 minutes at the limits is never whole in less.
        assert!(!overdue(40, 119) && overdue(40, 121), "{quarter}");
    }
    // By day only: the night is no outage.
    let by_day = Schedule::cron("0 */15 8-18 * * *").unwrap();
    let morning = at("2026-03-03T08:20:00Z");
    let overdue =
        |unwatched, now| is_overdue(&by_day, &zone, minutes(1), 3, minutes(unwatched), now);
    assert!(!overdue(13 * 60, morning));
    assert!(overdue(14 * 60, at("2026-03-03T09:00:00Z")));
}

#[test]
fn firings_are_counted_not_intervals() {
    let by_day = Schedule::cron("0 */15 8-17 * * *").unwrap();
    let berlin = zone("Europe/Berlin");
    let count = |from, to| firings_between(&by_day, &berlin, at(from), at(to), 100);
    // 18:00 to 07:59 in Berlin.
    assert_eq!(count("2026-06-01T16:00:00Z", "2026-06-02T05:59:00Z"), 0);
    assert_eq!(count("2026-06-02T06:00:00Z", "2026-06-02T07:00:00Z"), 4);
    let capped = firings_between(
        &by_day,
        &berlin,
        at("2026-06-01T00:00:00Z"),
        at("2026-07-01T00:00:00Z"),
        3,
    );
    assert_eq!(capped, 3);
}

/// Both clock changes of zones that differ in hour, hemisphere and size of the step.
const CHANGES: [(&str, i16, i8, i8); 8] = [
    ("Europe/Berlin", 2026, 3, 29),
    ("Europe/Berlin", 2026, 10, 25),
    ("America/Chicago", 2026, 3, 8),
    ("America/Chicago", 2026, 11, 1),
    ("Australia/Lord_Howe", 2026, 4, 5),
    ("Australia/Lord_Howe", 2026, 10, 4),
    ("Australia/Sydney", 2026, 4, 5),
    ("Australia/Sydney", 2026, 10, 4),
];

/// What the line should do, by looking at every second minute by minute, with nothing of the code above.
fn brute_force(
    cron: &Cron,
    zone: &TimeZone,
    second: i64,
    from: Timestamp,
    days: i64,
) -> Vec<Timestamp> {
    let names = |wall: DateTime| {
        let as_if_utc = Offset::UTC.to_timestamp(wall).unwrap().as_second();
        let as_if_utc = chrono::DateTime::from_timestamp(as_if_utc, 0).unwrap();
        cron.is_time_matching(&as_if_utc).unwrap()
    };
    let fixed = !cron
        .as_str()
        .split(' ')
        .take(3)
        .any(|field| field.contains(['*', '/']));
    let minutes = (0..days * 24 * 60).map(|minute| from + minute.minutes() + second.seconds());
    if !fixed {
        return minutes
            .filter(|at| names(at.to_zoned_datetime(zone.clone()).datetime()))
            .collect();
    }
    // Every wall-clock time up to the one shown has come: the first moment at which that is so is its firing.
    let mut highest = from.to_zoned_datetime(zone.clone()).datetime() - 1.second();
    let mut found = Vec::new();
    for minute in (0..days * 24 * 60).map(|minute| from + minute.minutes()) {
        let end = (minute + 59.seconds())
            .to_zoned_datetime(zone.clone())
            .datetime();
        let mut wall = highest + 1.second();
        while wall <= end {
            if i64::from(wall.second()) == second && names(wall) {
                let shown = minute.to_zoned_datetime(zone.clone()).datetime();
                let skipped = wall < shown;
                found.push(if skipped {
                    minute
                } else {
                    minute + second.seconds()
                });
            }
            wall += 1.second();
        }
        highest = highest.max(end);
    }
    found.dedup();
    found
}

fn time_field(largest: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0..=largest).prop_map(|value| value.to_string()),
        1 => Just("*".to_owned()),
        1 => (1..=largest).prop_map(|step| format!("*/{step}")),
        1 => (0..=largest, 0..=largest).prop_map(|(one, other)| format!("{one},{other}")),
        1 => (0..=largest, 0..=largest).prop_map(|(one, other)| format!("{}-{}", one.min(other), one.max(other))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn firings_are_those_of_a_clock_watched_minute_by_minute(
        change in 0..CHANGES.len(),
        second in 0_i64..60,
        minute in time_field(59),
        hour in prop_oneof![time_field(23), time_field(4)],
        weekday in prop_oneof![Just("*"), Just("Sun"), Just("Sat-Sun")],
    ) {
        let (name, year, month, day) = CHANGES[change];
        let zone = zone(name);
        let line = format!("{second} {minute} {hour} * * {weekday}");
        let schedule = Schedule::cron(&line).unwrap();
        let Schedule::Cron(cron) = &schedule else { unreachable!() };
        let from = date(year, month, day).at(0, 0, 0, 0) - 12.hours();
        let from = from.to_zoned_datetime(zone.clone()).unwrap().timestamp();
        let expected = brute_force(cron, &zone, second, from, 2);
        let mut last = from - 1.second();
        let mut found = Vec::new();
        while let Some(next) = next_after(&schedule, &zone, last, last) && next < from + 48.hours() {
            prop_assert!(next > last);
            found.push(next);
            last = next;
        }
        prop_assert_eq!(found, expected, "{} in {}", line, name);
    }

    #[test]
    fn asking_in_between_changes_nothing(offset_seconds in 0_i64..200_000, change in 0..CHANGES.len()) {
        let (name, year, month, day) = CHANGES[change];
        let zone = zone(name);
        let start = date(year, month, day).at(0, 0, 0, 0).to_zoned_datetime(zone.clone()).unwrap().timestamp();
        let asked = start - 24.hours() + offset_seconds.seconds();
        for line in ["0 30 2 * * *", "0 */20 * * * *", "0 0 1-3 * * *"] {
            let schedule = Schedule::cron(line).unwrap();
            let next = next_after(&schedule, &zone, asked, asked).unwrap();
            let just_before = next - 1.millisecond();
            prop_assert_eq!(next_after(&schedule, &zone, asked, just_before.max(asked)), Some(next));
        }
    }
}
