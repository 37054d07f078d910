//! How many looks, and how long a hold, each kind of trouble takes until it is told, and until it is over.

use std::time::Duration;

use crate::model::{Incident, Kind, Needed, Thresholds};

/// What a suspicion of `kind` takes until it is told, where it does not come back within the flap window. What the
/// failures of its events take is not counted in looks: see [`failing::warns`](super::failing::warns).
pub fn to_open(kind: Kind, thresholds: &Thresholds) -> Needed {
    let (looks, held) = match kind {
        Kind::Missing => (thresholds.second_look, thresholds.missing_hold),
        Kind::ProviderUnavailable => (1, thresholds.provider_unavailable_hold),
        Kind::Unreadable => (1, thresholds.unreadable_hold),
        Kind::LeafLogin => (2, thresholds.leaf_login_hold),
        Kind::LeafUnreachable => (1, thresholds.leaf_unreachable_hold),
        Kind::WrongAccount | Kind::EnvironmentContradiction => (2, Duration::ZERO),
        Kind::UnknownStatus => (thresholds.second_look, Duration::ZERO),
        _ => return Needed::ONE_LOOK,
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
