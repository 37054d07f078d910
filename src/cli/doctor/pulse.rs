//! The dead man's switch: whether a ping arrives there.

use std::time::Duration;

use crate::config::Config;
use crate::daemon::heartbeat::Heartbeat;
use crate::view::doctor::Finding;
use crate::view::words;

/// Pings it as after a good sweep.
pub(super) async fn heartbeat(config: &Config) -> Finding {
    const CHECK: &str = "heartbeat";
    const WITHIN: Duration = Duration::from_secs(10);
    let Some(url) = config
        .heartbeat
        .as_ref()
        .and_then(|heartbeat| heartbeat.url.parse().ok())
    else {
        return Finding::skipped(
            CHECK,
            "none is set, so that nobody would notice if this machine died",
        );
    };
    let heartbeat = match Heartbeat::new(url, WITHIN) {
        Ok(heartbeat) => heartbeat,
        Err(error) => {
            return Finding::wrong(
                CHECK,
                words::with_causes(&error.without_url()),
                "see that the machine has its certificates: install ca-certificates",
            );
        }
    };
    match heartbeat.ping(true).await {
        Ok(()) => Finding::ok(CHECK, "a ping arrived; over there it counts as any other"),
        Err(error) => Finding::wrong(
            CHECK,
            words::with_causes(&error),
            "check heartbeat.url, DNS and the firewall",
        ),
    }
}
