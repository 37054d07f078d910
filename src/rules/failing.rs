//! The early warning: what the events since the last success say about a credential whose status still says that it is well.

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
    /// Whether a 403 is all it says: one request of many may be forbidden.
    pub forbidden: bool,
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
        Some(Sign {
            at,
            failed,
            fatal,
            forbidden: event.status_code == Some(403) && !fatal,
        })
    }
}

/// The signs that count: not older than the window nor than `since`, and not after Leaf's now. Newest first; of one
/// moment a success comes first.
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
    counting.sort_by_key(|sign| (std::cmp::Reverse(sign.at), sign.failed));
    counting
}

/// Those of `signs` (newest first, as [`counting`] gives them) that failed since the last success.
pub fn since_success(signs: &[Sign]) -> &[Sign] {
    let success = signs.iter().position(|sign| !sign.failed);
    &signs[..success.unwrap_or(signs.len())]
}

/// Whether `signs` (newest first, as [`counting`] gives them) make the warning, and why. Where Leaf never logged a
/// success of the provider it may log failures only, and 403 alone says nothing of all that went well.
pub fn warns(signs: &[Sign], logs_success: bool, thresholds: &Thresholds) -> Option<String> {
    if let [first, second, ..] = signs
        && first.fatal
        && second.fatal
    {
        return Some(
            "the newest 2 events say that the provider no longer accepts the credential".to_owned(),
        );
    }
    let failed = since_success(signs);
    let (newest, oldest) = (failed.first()?, failed.last()?);
    let spread = newest.at.duration_since(oldest.at).unsigned_abs();
    let holds = failed.len() >= thresholds.failing_events_count.max(1) as usize
        && spread >= thresholds.failing_events_spread
        && (logs_success || failed.iter().any(|sign| !sign.forbidden));
    holds.then(|| {
        let count = failed.len();
        format!("{count} events that speak of the credential failed, and none succeeded since")
    })
}

/// Whether the newest event that counts is a success: the proof that ends the warning early.
pub fn recovered(signs: &[Sign]) -> bool {
    signs.first().is_some_and(|newest| !newest.failed)
}
