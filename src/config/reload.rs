//! What a reload cannot change.

use super::Config;

/// The keys that differ and need a restart; all others hold from the next request, decision and mail on.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    if old.database.path != new.database.path {
        keys.push("database.path");
    }
    if old.web.listen != new.web.listen {
        keys.push("web.listen");
    }
    if old.heartbeat.as_ref().map(|heartbeat| &heartbeat.url)
        != new.heartbeat.as_ref().map(|heartbeat| &heartbeat.url)
    {
        keys.push("heartbeat.url");
    }
    if old.log_format != new.log_format {
        keys.push("log.format");
    }
    keys
}
