//! How long to wait before asking again: backoff with full jitter, and what a `Retry-After` means.
//!
//! Decides only; whoever asks brings the random number and does the waiting.

use std::time::Duration;

use jiff::Timestamp;

/// How often a request is tried again after a fault that may pass (429, 5xx, time-out, network).
pub const RETRIES: u32 = 3;

/// The longest wait that a sweep sits out; a longer one gives the sweep up.
pub const GIVE_UP_ABOVE: Duration = Duration::from_secs(5 * 60);

/// The longest pause that Leaf can impose, whatever its `Retry-After` says.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// The longest pause before a retry that nobody asked for.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// What to do about a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Wait this long, then ask again.
    For(Duration),
    /// Too long to sit out: stop now, and ask nothing before this time has passed.
    GiveUp(Duration),
}

/// The pause before the next try: anything up to `first` after the first try, up to twice that after the second and
/// so on, at most [`LONGEST_BACKOFF`].
///
/// The whole range is used (full jitter), so that callers who failed together do not come back together.
/// `random` is at least 0 and below 1.
pub fn backoff(first: Duration, tries_before: u32, random: f64) -> Duration {
    let doubled = 2u32.saturating_pow(tries_before.min(30));
    let ceiling = first.saturating_mul(doubled).min(LONGEST_BACKOFF);
    ceiling.mul_f64(random.clamp(0.0, 1.0))
}

/// Reads a `Retry-After`: seconds, or an HTTP date as seen from `now` (best the answer's own `Date`, since both come
/// from the same clock). A date in the past means no wait; what cannot be read is `None`.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is still a number, and a very long wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let until = Timestamp::try_from(date).ok()?;
    Some(until.duration_since(now).try_into().unwrap_or_default())
}

/// How long the whole client pauses after a 429: what Leaf asks for, else the caller's own `backoff`.
pub fn after_too_many(retry_after: Option<Duration>, backoff: Duration) -> Wait {
    match retry_after {
        Some(asked) if asked > GIVE_UP_ABOVE => Wait::GiveUp(asked.min(LONGEST_PAUSE)),
        Some(asked) => Wait::For(asked),
        None => Wait::For(backoff),
    }
}

/// How long one request waits after a fault of the server: never less than its `backoff`.
/// `GiveUp` is about this request alone.
pub fn after_fault(retry_after: Option<Duration>, backoff: Duration) -> Wait {
    match retry_after {
        Some(asked) if asked > GIVE_UP_ABOVE => Wait::GiveUp(asked.min(LONGEST_PAUSE)),
        Some(asked) => Wait::For(asked.max(backoff)),
        None => Wait::For(backoff),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn noon() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn backoff_doubles_and_is_capped() {
        let most = |tries| backoff(SECOND, tries, 1.0);
        assert_eq!(most(0), SECOND);
        assert_eq!(most(1), 2 * SECOND);
        assert_eq!(most(2), 4 * SECOND);
        assert_eq!(most(40), LONGEST_BACKOFF);
        assert_eq!(backoff(SECOND, 3, 0.0), Duration::ZERO);
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        assert_eq!(retry_after(" 120 ", noon()), Some(120 * SECOND));
        assert_eq!(retry_after("0", noon()), Some(Duration::ZERO));
        assert_eq!(
            retry_after("Sun, 01 Mar 2026 12:01:30 GMT", noon()),
            Some(90 * SECOND)
        );
        assert_eq!(
            retry_after("Sunday, 01-Mar-26 12:00:05 GMT", noon()),
            Some(5 * SECOND)
        );
        assert_eq!(
            retry_after("Sun, 01 Mar 2026 11:00:00 GMT", noon()),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn an_unreadable_retry_after_is_none_and_an_absurd_one_is_long() {
        for odd in ["", "soon", "-5", "1.5", "12 seconds", "\u{661}"] {
            assert_eq!(retry_after(odd, noon()), None, "{odd:?}");
        }
        let absurd = retry_after("99999999999999999999999", noon());
        assert_eq!(after_too_many(absurd, SECOND), Wait::GiveUp(LONGEST_PAUSE));
    }

    #[test]
    fn up_to_five_minutes_are_sat_out() {
        assert_eq!(
            after_too_many(Some(300 * SECOND), SECOND),
            Wait::For(300 * SECOND)
        );
        assert_eq!(
            after_too_many(Some(301 * SECOND), SECOND),
            Wait::GiveUp(301 * SECOND)
        );
        assert_eq!(after_too_many(None, SECOND), Wait::For(SECOND));
        assert_eq!(after_fault(Some(SECOND), 2 * SECOND), Wait::For(2 * SECOND));
        assert_eq!(
            after_fault(Some(3600 * SECOND), SECOND),
            Wait::GiveUp(3600 * SECOND)
        );
    }

    proptest! {
        #[test]
        fn retry_after_never_panics(value in "\\PC{0,40}") {
            let _ = retry_after(&value, noon());
        }

        #[test]
        fn backoff_stays_below_its_ceiling(tries in 0u32..100, random in 0.0f64..1.0, first in 0u64..10_000) {
            let first = Duration::from_millis(first);
            prop_assert!(backoff(first, tries, random) <= LONGEST_BACKOFF);
            prop_assert!(backoff(first, 0, random) <= first);
        }
    }
}
