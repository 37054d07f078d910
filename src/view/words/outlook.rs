//! What opens and what ends each kind of trouble of a credential, and what cannot be seen at all.

use super::{counted, duration};
use crate::model::{Kind, Needed, Thresholds};

/// What Leafwatch cannot see; said wherever somebody might take a healthy state for a promise.
pub const CANNOT_SEE: &str = "What Leafwatch cannot see: Leaf tries a stored access only when it uses it, so one that has \
    died may go on saying OK for up to a day; events often tell earlier. And OK means that the access works, not that data \
    arrives.";

/// When trouble of this kind, which takes `needed`, opens, as a clause. None for what is no credential's.
pub fn opens(kind: Kind, needed: Needed, thresholds: &Thresholds) -> Option<String> {
    let (t, held) = (thresholds, duration(needed.held));
    let clause = match kind {
        Kind::Invalid => {
            "at the first look whose status word says that the access is dead".to_owned()
        }
        Kind::Missing => format!(
            "when Leaf has no such connection in {} over {held}",
            counted(u64::from(needed.looks), "look"),
        ),
        Kind::LimitedPermission => {
            "at the first look whose status word says that permissions are lacking".to_owned()
        }
        Kind::ProviderUnavailable => {
            format!("when the status word says so for {held} without a break")
        }
        Kind::FailingEvents => format!(
            "while the status is healthy: when {} within {} that speak of the access failed since the last success, over \
             at least {}; or the newest 2 say invalid_grant or invalid_client",
            counted(u64::from(t.failing_events_count), "event"),
            duration(t.failing_events_window),
            duration(t.failing_events_spread)
        ),
        Kind::EnvironmentMismatch => {
            "at the first look that finds another environment than the one expected".to_owned()
        }
        Kind::Unreadable => {
            format!("when Leaf gives no answer about it for {held}, though it does about others")
        }
        _ => return None,
    };
    Some(clause)
}

/// The proof that ends trouble of this kind, as a clause.
pub fn ends(kind: Kind, thresholds: &Thresholds) -> String {
    match kind {
        Kind::Invalid | Kind::LimitedPermission | Kind::ProviderUnavailable => {
            "a look that finds a healthy status word; nothing else".to_owned()
        }
        Kind::Missing => {
            "a look that finds the connection there again, with a healthy status word".to_owned()
        }
        Kind::FailingEvents => format!(
            "an event newer than the failures that succeeded; or {} without a new failure",
            duration(thresholds.failing_events_window)
        ),
        Kind::EnvironmentMismatch => {
            "a look that finds the expected environment, whatever the status word".to_owned()
        }
        Kind::Unreadable => "any answer of Leaf about it".to_owned(),
        Kind::LeafLogin | Kind::LeafUnreachable | Kind::WrongAccount => {
            "a whole sweep in which it is no longer true".to_owned()
        }
        _ => "that it is no longer true".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Track;

    #[test]
    fn every_kind_of_a_credential_says_when_it_opens() {
        let thresholds = Thresholds::default();
        for &kind in Kind::ALL {
            let of_credential = matches!(
                kind.track(),
                Track::Access | Track::Environment | Track::Sight
            );
            assert_eq!(
                opens(kind, Needed::ONE_LOOK, &thresholds).is_some(),
                of_credential,
                "{kind}"
            );
        }
        let needed = Needed {
            looks: 2,
            held: thresholds.missing_hold,
        };
        assert_eq!(
            opens(Kind::Missing, needed, &thresholds).unwrap(),
            "when Leaf has no such connection in 2 looks over 30 min"
        );
    }
}
