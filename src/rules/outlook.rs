//! The rules of `incidents` told forwards: what a suspicion still lacks, and what a run of good looks still lacks.

use std::time::Duration;

use crate::model::{Incident, Kind, Thresholds};
use crate::rules::incidents::Known;

/// Looks, and time in which every look said the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needed {
    /// Looks.
    pub looks: u32,
    /// Time.
    pub held: Duration,
}

/// What a suspicion of `kind` takes until it is told when a sweep ends whole; nothing more where it comes back within the
/// flap window.
pub fn to_open(known: &Known, kind: Kind, thresholds: &Thresholds) -> Needed {
    let again = known.incidents.iter().any(|incident| {
        !incident.is_open() && incident.track == kind.track() && incident.kind == kind
    });
    let (looks, held) = match kind {
        _ if again => (1, Duration::ZERO),
        Kind::Missing => (thresholds.second_look, thresholds.missing_hold),
        Kind::ProviderUnavailable => (1, thresholds.provider_unavailable_hold),
        Kind::Unreadable => (1, thresholds.unreadable_hold),
        _ => (1, Duration::ZERO),
    };
    Needed { looks, held }
}

/// The run of good looks that ends `incident`.
pub fn to_end(incident: &Incident, thresholds: &Thresholds) -> Needed {
    Needed {
        looks: thresholds.resolve_after.max(1),
        held: match incident.reopened {
            0 => Duration::ZERO,
            _ => thresholds.flap_window,
        },
    }
}
