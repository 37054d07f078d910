//! The only wording of times, durations, numbers, kinds, notices, causes and next steps; for mail, page and table.
//!
//! Pure: the same values give the same words.

mod causes;
mod commands;
mod credentials;
mod deliveries;
mod history;
mod incidents;
mod outlook;
mod report;
mod silences;
mod states;
mod troubles;
mod waits;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::clean;

pub use causes::{Advice, Matter, advice, for_the_grower, over_for_the_grower};
pub use commands::{command, unit};
pub use credentials::{
    KnownFact, answer, answered, by_state, changed, counts, ending, environment, kinds, known,
    leaf_says, mails, settles, state, state_explained, suspected,
};
pub use deliveries::attempt;
pub use history::{happening, lasting};
pub use incidents::{
    called, came_back, happened, lasted, lasted_in, outcome, own, so_far, step, told, told_after,
    told_and_held, told_by_address, transition, unproved,
};
pub use outlook::{CANNOT_SEE, ends, opens};
pub use report::{hidden, incidents_of, means, overall};
pub use silences::{held_back, quiet, said, silenced};
pub use states::{NOT_SEEN, ago, not_seen, says, sweep_end, unseen, unusable};
pub use troubles::{Stage, credential, kind, label, sentence, shout, stem, verb, was};
pub use waits::waits;

/// How long, in the two largest units that say something: `40 s`, `3 h 12 min`, `2 d 4 h`.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0 => "less than 1 s".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

/// The same, and `-` for no time at all.
pub fn some(length: Duration) -> String {
    match length.is_zero() {
        true => "-".to_owned(),
        false => duration(length),
    }
}

/// The time from `start` to `end`; nothing where the clock was set back between them.
pub fn between(start: Timestamp, end: Timestamp) -> Duration {
    end.duration_since(start).try_into().unwrap_or_default()
}

/// A point in time for people in `zone`, with UTC beside: `Tue 24 Nov 2026, 08:15 CST (14:15 UTC)`.
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    let utc = at.to_zoned_datetime(TimeZone::UTC);
    let here = local.strftime("%a %-d %b %Y, %H:%M %Z").to_string();
    if local.offset().is_zero() {
        here
    } else if local.date() == utc.date() {
        format!("{here} ({} UTC)", utc.strftime("%H:%M"))
    } else {
        format!("{here} ({} UTC)", utc.strftime("%a %H:%M"))
    }
}

/// The same for tables, where UTC stands elsewhere: `2026-11-24 08:15 CST`.
pub fn short_time(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned_datetime(zone.clone());
    local.strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// That Leaf asked for a pause, until when.
pub fn paused(until: Timestamp, zone: &TimeZone) -> String {
    format!("Leaf asked us to wait until {}", time(until, zone))
}

/// A number with its thousands set apart: `5,000`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and what it counts: `1 credential`, `5,000 credentials`. For nouns whose plural is an `s`.
pub fn counted(value: u64, noun: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(value))
}

/// A share from 0 to 1 in hundredths of a percent, cut and never rounded up: `99.99 %`, and `100 %` only where nothing lacks.
pub fn percent(share: f64) -> String {
    let hundredths = (share.clamp(0.0, 1.0) * 10_000.0).floor();
    match hundredths {
        10_000.0 => "100 %".to_owned(),
        _ => format!("{:.2} %", hundredths / 100.0),
    }
}

/// A foreign word as a TOML string, and as nothing but plain text: what is not seen is escaped.
pub fn quoted(word: &str) -> String {
    let mut out = String::from('"');
    let mut blank = true;
    for letter in word.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            // A second blank running, or one at the edge, would be lost where text is laid out.
            ' ' if !blank => out.push(' '),
            _ if letter.is_control()
                || letter.is_whitespace()
                || clean(letter.encode_utf8(&mut [0; 4]), 1).is_empty() =>
            {
                out.push_str(&format!("\\U{:08X}", u32::from(letter)));
            }
            _ => out.push(letter),
        }
        blank = letter == ' ';
    }
    if out.ends_with(' ') {
        out.pop();
        out.push_str("\\U00000020");
    }
    out.push('"');
    out
}

/// A text at the beginning of a line.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// A list as people say it: `a, b and c`.
pub fn listed<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// An error with its causes, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_aloud() {
        for (seconds, words) in [
            (0, "less than 1 s"),
            (40, "40 s"),
            (60, "1 min"),
            (11_520, "3 h 12 min"),
            (7200, "2 h"),
            (187_200, "2 d 4 h"),
            (86_400 * 400, "400 d"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn times_carry_their_zone_and_utc() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            time(at("2026-11-24T14:15:00Z"), &chicago),
            "Tue 24 Nov 2026, 08:15 CST (14:15 UTC)"
        );
        assert_eq!(
            time(at("2026-07-02T03:15:00Z"), &chicago),
            "Wed 1 Jul 2026, 22:15 CDT (Thu 03:15 UTC)"
        );
        assert_eq!(
            time(at("2026-11-24T14:15:00Z"), &TimeZone::UTC),
            "Tue 24 Nov 2026, 14:15 UTC"
        );
    }

    #[test]
    fn a_clock_set_back_makes_no_negative_time() {
        let later: Timestamp = "2026-11-24T14:15:00Z".parse().unwrap();
        let earlier: Timestamp = "2026-11-24T13:15:00Z".parse().unwrap();
        assert_eq!(between(earlier, later), Duration::from_secs(3600));
        assert_eq!(between(later, earlier), Duration::ZERO);
    }

    #[test]
    fn a_share_that_lacks_something_is_not_100_percent() {
        for (share, words) in [
            (1.0, "100 %"),
            (0.999_999, "99.99 %"),
            (0.75, "75.00 %"),
            (0.0, "0.00 %"),
        ] {
            assert_eq!(percent(share), words);
        }
    }

    #[test]
    fn numbers_are_set_apart() {
        for (value, words) in [
            (0, "0"),
            (999, "999"),
            (5000, "5,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(value), words);
        }
        assert_eq!(counted(1, "credential"), "1 credential");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }
}
