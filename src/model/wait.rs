//! Why what is to be told is not told yet.

use jiff::Timestamp;
use serde::Serialize;

/// Why news waits for an address, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Wait {
    /// Why.
    pub waits_for: WaitsFor,
    /// Until then at the latest, always ahead; none where no time is set.
    pub until: Option<Timestamp>,
}

/// What news waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// Company: `group_wait`.
    Company,
    /// The end of the first sweep.
    FirstSweep,
    /// The end of a sweep of which the address was told already.
    SweepEnd,
    /// An earlier mail to the address is under way.
    EarlierMail,
    /// The address had as many mails within an hour as it may have.
    HourlyLimit,
    /// The end of a quiet window.
    QuietWindow,
    /// The end of a silence.
    Silence,
    /// A second sweep that says the same: most of the fleet turned at once.
    SecondSweep,
    /// More of a cause that the address was told of.
    Stragglers,
    /// The address refused it: another try.
    Acceptance,
    /// Nothing: it is packed as soon as the daemon comes to it.
    Packing,
}

impl Wait {
    /// A wait until `until`, or without a time where that is past.
    pub fn new(waits_for: WaitsFor, until: Option<Timestamp>, now: Timestamp) -> Wait {
        let until = until.filter(|until| *until > now);
        Wait { waits_for, until }
    }
}
