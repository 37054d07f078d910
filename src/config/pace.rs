//! How long a sweep and a round of events take when the request limit is what holds them up.

use std::time::Duration;

use super::Config;
use super::duration::rough_duration;
use super::reader::Section;

/// Of this many permits one goes to events while any wait.
const ONE_IN: f64 = 5.0;

/// What the limits allow. Leaf's own slowness comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Watched credentials: requests a sweep.
    pub credentials: usize,
    /// Those of providers with an events log: requests a round of events, if none has more than a page.
    pub with_events: usize,
    /// A sweep, one permit in five left to events; none without a limit.
    pub sweep: Option<Duration>,
    /// All events once, beside the sweeps; none without a limit.
    pub events_round: Option<Duration>,
}

impl Config {
    /// How long a sweep and a round of events take at the limits of this config.
    pub fn pace_estimate(&self) -> Pace {
        let credentials = self.watch.len();
        let with_events = self
            .watch
            .credentials()
            .filter(|credential| credential.provider.has_events())
            .count();
        let limit = match self.leaf.max_requests_per_second {
            0 => None,
            limit => Some(f64::from(limit)),
        };
        let interval = self.policy.schedules.sweep.typical_interval().as_secs_f64();
        Pace {
            credentials,
            with_events,
            sweep: limit.map(|limit| sweep(credentials as f64, with_events > 0, limit)),
            events_round: limit
                .map(|limit| events_round(credentials as f64, with_events as f64, limit, interval)),
        }
    }
}

/// Warns where the limits do not keep up with the schedules.
pub(super) fn warn(config: &Config, schedule: &Section<'_>) {
    let pace = config.pace_estimate();
    let (Some(sweep), Some(round)) = (pace.sweep, pace.events_round) else {
        return;
    };
    let schedules = &config.policy.schedules;
    let limit = config.leaf.max_requests_per_second;
    let advice = "sweep less often, or raise leaf.max_requests_per_second if Leaf agrees";
    let interval = schedules.sweep.typical_interval();
    if sweep > interval {
        schedule.warn(
            "sweep",
            &format!(
                "a sweep of {} credentials takes about {} at {}, and one is due every {}",
                pace.credentials,
                rough_duration(sweep),
                requests_a_second(limit),
                rough_duration(interval)
            ),
            advice,
        );
    }
    let unread = config.policy.thresholds.events_unread_after;
    let interval = schedules.events.typical_interval();
    let behind = [
        (unread, "and events count as unread after"),
        (interval, "and one is due every"),
    ];
    if let Some((bound, why)) = behind.into_iter().find(|(bound, _)| round > *bound) {
        schedule.warn(
            "events",
            &format!(
                "reading the events of {} credentials takes about {} beside the sweeps, {why} {}",
                pace.with_events,
                rough_duration(round),
                rough_duration(bound)
            ),
            advice,
        );
    }
}

fn sweep(credentials: f64, beside_events: bool, limit: f64) -> Duration {
    let share = if beside_events {
        1.0 - 1.0 / ONE_IN
    } else {
        1.0
    };
    seconds(credentials / (limit * share))
}

/// Events have what the sweeps leave of each interval, and at least their one permit in five.
fn events_round(credentials: f64, with_events: f64, limit: f64, interval: f64) -> Duration {
    let left = (limit - credentials / interval).max(limit / ONE_IN);
    seconds(with_events / left)
}

/// The limit in words.
pub(super) fn requests_a_second(limit: u32) -> String {
    match limit {
        1 => "1 request a second".to_owned(),
        _ => format!("{limit} requests a second"),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_thousand_at_five_a_second() {
        // 5,000 requests at 4 a second.
        assert_eq!(sweep(5_000.0, true, 5.0).as_secs(), 1_250);
        assert_eq!(sweep(5_000.0, false, 5.0).as_secs(), 1_000);
        // A sweep an hour leaves 5 - 5,000 / 3,600 permits a second.
        assert_eq!(
            events_round(5_000.0, 5_000.0, 5.0, 3_600.0).as_secs(),
            1_385
        );
        // A sweep each 15 minutes leaves none but the one in five.
        assert_eq!(events_round(5_000.0, 5_000.0, 5.0, 900.0).as_secs(), 5_000);
        assert_eq!(events_round(0.0, 0.0, 5.0, 900.0), Duration::ZERO);
    }
}
