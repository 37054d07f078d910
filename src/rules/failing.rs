//! The early warning: what the newest events say about a credential whose status still says that it is well.

use jiff::Timestamp;

use crate::model::{Event, EventVerdict, Thresholds};

/// Errors of OAuth that name the credential itself (RFC 6749 section 5.2).
const FATAL: [&str; 2] = ["invalid_grant", "invalid_client"];

/// What the rule needs of one event that speaks of the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// When it happened, by Leaf's clock.
    pub at: Timestamp,
    /// Whether the provider refused.
    pub failed: bool,
    /// Whether it refused with `invalid_grant` or `invalid_client`.
    pub fatal: bool,
}

impl Sign {
    /// What `event` is a sign of; none where it does not speak of the credential or has no readable date.
    pub fn of(event: &Event) -> Option<Sign> {
        let at = event.at?;
        let failed = match event.verdict() {
            EventVerdict::Success => false,
            EventVerdict::Failure => true,
            EventVerdict::Neither => return None,
        };
        let fatal = failed && {
            let body = event.body.to_ascii_lowercase();
            FATAL.iter().any(|word| body.contains(word))
        };
        Some(Sign { at, failed, fatal })
    }
}

/// The signs that count: of this epoch, not older than the window, not after Leaf's now, and newer than the last
/// look whose status word was bad (Leaf judged the credential anew after them). Newest first.
pub fn counting(
    signs: &[Sign],
    since: Option<Timestamp>,
    leaf_now: Timestamp,
    thresholds: &Thresholds,
) -> Vec<Sign> {
    let oldest = leaf_now - thresholds.failing_events_window;
    let mut counting: Vec<Sign> = signs
        .iter()
        .copied()
        .filter(|sign| {
            sign.at <= leaf_now && sign.at >= oldest && since.is_none_or(|since| sign.at >= since)
        })
        .collect();
    counting.sort_by_key(|sign| std::cmp::Reverse(sign.at));
    counting
}

/// Whether `signs` (newest first, as [`counting`] gives them) make the warning, and why.
pub fn warns(signs: &[Sign], thresholds: &Thresholds) -> Option<String> {
    if let [first, second, ..] = signs
        && first.fatal
        && second.fatal
    {
        return Some(
            "the newest 2 events say that the provider no longer accepts the credential".to_owned(),
        );
    }
    let count = thresholds.failing_events_count.max(1) as usize;
    let newest = signs.get(..count)?;
    let spread = newest[0]
        .at
        .duration_since(newest[count - 1].at)
        .unsigned_abs();
    let holds = newest.iter().all(|sign| sign.failed) && spread >= thresholds.failing_events_spread;
    holds.then(|| format!("the newest {count} events that speak of the credential failed"))
}

/// Whether the newest event that counts is a success: the proof that ends the warning early.
pub fn recovered(signs: &[Sign]) -> bool {
    signs.first().is_some_and(|newest| !newest.failed)
}
