//! Why what is to be told is not told yet.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::short_time;
use crate::model::WaitsFor;

/// Why news waits for an address, and until when: `waiting for company until 2026-11-24 08:15 CST`.
pub fn waits(waits_for: WaitsFor, until: Option<Timestamp>, zone: &TimeZone) -> String {
    let time = until.map(|until| short_time(until, zone));
    let (why, join) = match waits_for {
        WaitsFor::Company => ("waiting for company", " until "),
        WaitsFor::FirstSweep => ("waiting for the end of the first sweep", ", at most until "),
        WaitsFor::SweepEnd => ("waiting for the end of the sweep", ", at most until "),
        WaitsFor::EarlierMail => (
            "waiting for an earlier mail to get through",
            ", next tried ",
        ),
        WaitsFor::HourlyLimit => ("waiting for alerts.max_emails_per_hour", ", until "),
        WaitsFor::QuietWindow => ("waiting for the end of a quiet window", ", "),
        WaitsFor::Silence => match until {
            Some(_) => ("silenced", " until "),
            None => ("silenced until the next whole look", ""),
        },
        WaitsFor::SecondSweep => ("waiting for a second sweep that says the same", ""),
        WaitsFor::Stragglers => ("waiting for more of a cause that was told", ", until "),
        WaitsFor::Acceptance => (
            "refused, tried again when mail next gets through",
            ", at the latest ",
        ),
        WaitsFor::Packing => ("to be written next", ""),
    };
    match time {
        Some(time) => format!("{why}{join}{time}"),
        None => why.to_owned(),
    }
}
