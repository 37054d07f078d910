//! The systemd unit: there, enabled, running.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::config::{self, DEFAULT_PATH};
use crate::view::doctor::Finding;
use crate::view::words;

const CHECK: &str = "systemd unit";

/// A unit that came back and has run for less than this has not proved that it stays.
const PROVED: Duration = Duration::from_secs(10 * 60);

/// Whether systemd runs here.
pub(super) fn is_there() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Asks systemd, where it runs, about the unit that reads the config.
pub(super) fn look(unit: Option<&str>, config: &Path) -> Finding {
    if !is_there() {
        return Finding::skipped(CHECK, "systemd does not run here");
    }
    let Some(unit) = unit else {
        return Finding::skipped(
            CHECK,
            format!(
                "the units read {DEFAULT_PATH}, and leafwatch@NAME what --instance NAME says, not {}",
                config.display()
            ),
        );
    };
    let asked = Command::new("systemctl")
        .args(["show", unit, "--property"])
        .arg("LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts,ExecMainStatus,ActiveEnterTimestampMonotonic")
        .output();
    match asked {
        Ok(output) if output.status.success() => {
            judge(unit, &String::from_utf8_lossy(&output.stdout), uptime())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Finding::skipped(CHECK, format!("systemctl does not tell: {}", said.trim()))
        }
        Err(error) => Finding::skipped(CHECK, format!("systemctl cannot be run: {error}")),
    }
}

/// How long the machine has been up: what systemd counts from.
fn uptime() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The unit that runs with a config: one for the usual place, one for each instance, none for all others.
pub fn name(config: &Path, instance: Option<&str>) -> Option<String> {
    let daemon = config::daemon(config, instance);
    let has_one = daemon.instance.is_some() || daemon.config.is_none();
    has_one.then(|| format!("{}.service", words::unit(&daemon)))
}

/// Judges what `systemctl show` prints of `unit`, on a machine that has been up for `uptime`.
pub fn judge(unit: &str, shown: &str, uptime: Option<Duration>) -> Finding {
    let property = |name: &str| {
        let mut lines = shown.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default()
    };
    let journal = format!("see journalctl -u {unit}");
    let restarts: u64 = property("NRestarts").parse().unwrap_or(0);
    let code = property("ExecMainStatus");
    let ended = || {
        let meaning = code.parse().ok().and_then(meaning);
        format!(
            "its last run ended with {}{}",
            if code.is_empty() {
                "an unknown code"
            } else {
                code
            },
            meaning
                .map(|words| format!(", {words}"))
                .unwrap_or_default()
        )
    };
    let since = property("ActiveEnterTimestampMonotonic").parse().ok();
    let up = uptime.zip(since.map(Duration::from_micros));
    let young = up
        .map(|(now, since)| now.saturating_sub(since))
        .filter(|up| *up < PROVED);
    match (
        property("LoadState"),
        property("ActiveState"),
        property("UnitFileState"),
    ) {
        ("not-found", ..) => Finding::wrong(
            CHECK,
            format!("there is no {unit}"),
            "install it from systemd/ into /etc/systemd/system, then systemctl daemon-reload",
        ),
        ("masked", ..) => Finding::wrong(
            CHECK,
            format!("{unit} is masked"),
            format!("run: systemctl unmask {unit}"),
        ),
        ("loaded", "activating", _) if property("SubState") == "auto-restart" || restarts > 1 => {
            Finding::wrong(
                CHECK,
                format!(
                    "{unit} ends again and again, and was started anew {}; {}",
                    words::counted(restarts, "time"),
                    ended()
                ),
                journal,
            )
        }
        ("loaded", "active", _) if restarts > 1 && young.is_some() => Finding::wrong(
            CHECK,
            format!(
                "{unit} was started anew {} by systemd, the last time {} ago",
                words::counted(restarts, "time"),
                words::duration(young.unwrap_or_default())
            ),
            format!("{journal} for why it ended"),
        ),
        ("loaded", "active", "enabled" | "enabled-runtime") => {
            Finding::ok(CHECK, format!("{unit} is enabled and runs"))
        }
        ("loaded", "active", _) => Finding::wrong(
            CHECK,
            format!("{unit} runs, and would not come back after a reboot"),
            format!("run: systemctl enable {unit}"),
        ),
        ("loaded", "activating" | "reloading", _) => Finding::ok(
            CHECK,
            format!(
                "{unit} is {} ({})",
                property("ActiveState"),
                property("SubState")
            ),
        ),
        ("loaded", "inactive", _) if property("Result") == "success" => Finding::wrong(
            CHECK,
            format!("{unit} does not run"),
            format!("run: systemctl enable --now {unit}"),
        ),
        ("loaded", state, _) => Finding::wrong(
            CHECK,
            format!(
                "{unit} is {state} (result: {}); {}",
                property("Result"),
                ended()
            ),
            format!("{journal}, then: systemctl enable --now {unit}"),
        ),
        (state, ..) => Finding::wrong(CHECK, format!("{unit} cannot be loaded ({state})"), journal),
    }
}

/// What an exit code of ours, or one that systemd gives before we begin, tells.
pub(super) fn meaning(code: i32) -> Option<&'static str> {
    Some(match code {
        64 => {
            "a command line that was not understood: is the installed program of another version than the unit?"
        }
        70 => "a loop that ended by itself",
        74 => "trouble with the database",
        75 => "another daemon holds the database",
        78 => "a faulty config or a refused database",
        203 => "the program of ExecStart= cannot be run",
        217 => "the user of User= cannot be had",
        226 => "the sandbox cannot be set up",
        238 => "the state folder cannot be set up",
        243 => "the files of LoadCredential= cannot be handed over",
        _ => return None,
    })
}
