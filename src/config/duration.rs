//! Durations as people write them: `90s`, `15m`, `2 d`, `5y`.

use std::time::Duration;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 3600;

/// Units, largest first; each with its length in milliseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * DAY * 1000),
    ("w", 7 * DAY * 1000),
    ("d", DAY * 1000),
    ("h", 3600 * 1000),
    ("m", MINUTE * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// The text is no duration; says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotADuration(String);

/// Parses a whole number and a unit: `ms`, `s`, `m` (minutes), `h`, `d`, `w`, `y` (365 days). Several parts add up: `1h 30m`.
///
/// # Errors
/// Says what is missing or not understood.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(NotADuration("it is empty".to_owned()));
    }
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(NotADuration(format!(
                "{} does not begin with a whole number",
                super::fault::quoted(rest)
            )));
        }
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() && after.starts_with(['.', ',']) {
            return Err(NotADuration("only whole numbers count".to_owned()));
        }
        if unit.is_empty() {
            return Err(NotADuration(format!("{number} has no unit")));
        }
        let Some((_, length)) = UNITS.into_iter().find(|(name, _)| *name == unit) else {
            return Err(NotADuration(format!("{unit:?} is no unit")));
        };
        milliseconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(length))
            .and_then(|part| milliseconds.checked_add(part))
            .ok_or_else(|| NotADuration("it is longer than can be counted".to_owned()))?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(milliseconds))
}

/// The duration in the notation of the config, in the largest unit that fits it evenly: `90s`, `15m`, `14d`.
pub fn written_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    UNITS
        .into_iter()
        .filter(|(name, _)| *name != "w")
        .find(|(_, length)| {
            milliseconds >= u128::from(*length) && milliseconds.is_multiple_of(u128::from(*length))
        })
        .map(|(name, length)| format!("{}{name}", milliseconds / u128::from(length)))
        .unwrap_or_else(|| "0s".to_owned())
}

/// The duration as mails and tables show it: `40 s`, `20 min`, `3 h 12 min`, `2 d 4 h`.
pub(super) fn rough_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / DAY, seconds / 3600 % 24, seconds / MINUTE % 60);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..DAY => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_with_units_are_read_as_people_write_them() {
        let seconds = |text| parse_duration(text).unwrap().as_secs();
        assert_eq!(seconds("90s"), 90);
        assert_eq!(seconds(" 15m "), 900);
        assert_eq!(seconds("2 d"), 2 * DAY);
        assert_eq!(seconds("1h 30m"), 5400);
        assert_eq!(seconds("5y"), 5 * 365 * DAY);
        assert_eq!(seconds("0s"), 0);
        assert_eq!(parse_duration("200ms").unwrap().as_millis(), 200);
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        let reason = |text| parse_duration(text).unwrap_err().to_string();
        assert_eq!(reason(""), "it is empty");
        assert_eq!(reason("15"), "15 has no unit");
        assert_eq!(reason("15x"), "\"x\" is no unit");
        assert_eq!(reason("15M"), "\"M\" is no unit");
        assert_eq!(
            reason("soon"),
            "\"soon\" does not begin with a whole number"
        );
        assert_eq!(reason("-5m"), "\"-5m\" does not begin with a whole number");
        assert_eq!(reason("1.5h"), "only whole numbers count");
        assert_eq!(
            reason("99999999999999y"),
            "it is longer than can be counted"
        );
    }

    #[test]
    fn two_units_are_enough_to_read() {
        let rough = |seconds| rough_duration(Duration::from_secs(seconds));
        assert_eq!(rough(1_250), "20 min");
        assert_eq!(rough(3 * 3600 + 5), "3 h");
        assert_eq!(rough(DAY + 3600 + 60), "1 d 1 h");
        assert_eq!(rough(2), "2 s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0_u64..10_000_000_000_000) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&written_duration(duration)).unwrap(), duration);
        }
    }
}
