//! Reads the date forms that Leaf may send (leaf-api: micro-, nano- or milliseconds, `Z`, an offset or no zone).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a date as Leaf writes them; one without a zone is UTC. Anything else is `None`, never a guess.
///
/// ```
/// let date = leafwatch::leaf::date::parse("2026-03-01T12:00:00.123456").unwrap();
/// assert_eq!(date.to_string(), "2026-03-01T12:00:00.123456Z");
/// ```
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(exact);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return TimeZone::UTC.to_timestamp(local).ok();
    }
    if text.len() >= 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return from_epoch(text.parse().ok()?);
    }
    with_colon_in_offset(text)?.parse().ok()
}

/// Reads a number of milliseconds since 1970; below 10^11 (which is in 1973) it must be seconds.
pub(super) fn from_epoch(number: i64) -> Option<Timestamp> {
    if number.abs() < 100_000_000_000 {
        Timestamp::from_second(number).ok()
    } else {
        Timestamp::from_millisecond(number).ok()
    }
}

/// Reads an HTTP date, as in the `Date` header.
pub(super) fn parse_http(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

/// `…+0000`, as Java's older formatters write it, with the colon that the standard wants.
fn with_colon_in_offset(text: &str) -> Option<String> {
    let sign = text.len().checked_sub(5)?;
    let offset = text.get(sign..)?;
    let digits = offset.strip_prefix(['+', '-'])?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = text.split_at(text.len() - 2);
    Some(format!("{hours}:{minutes}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_leaf_may_send_is_read() {
        for (text, expected) in [
            ("2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:00.123456Z"),
            (
                "2026-03-01T12:00:00.123456789Z",
                "2026-03-01T12:00:00.123456789Z",
            ),
            ("2026-03-01T12:00:00.123Z", "2026-03-01T12:00:00.123Z"),
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
            ("2026-03-01T12:00:00", "2026-03-01T12:00:00Z"),
            ("2026-03-01T12:00", "2026-03-01T12:00:00Z"),
            ("2026-03-01 12:00:00.5", "2026-03-01T12:00:00.5Z"),
            ("2026-03-01T14:00:00+02:00", "2026-03-01T12:00:00Z"),
            ("2026-03-01T12:00:00.000+0000", "2026-03-01T12:00:00Z"),
            ("2026-03-01T06:30:00-0530", "2026-03-01T12:00:00Z"),
            (" 2026-03-01T12:00:00Z ", "2026-03-01T12:00:00Z"),
            ("1772366400000", "2026-03-01T12:00:00Z"),
            ("1772366400", "2026-03-01T12:00:00Z"),
        ] {
            let read = parse(text).map(|at| at.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for odd in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "12",
            "0000",
            "+0000",
            "ü+000",
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
