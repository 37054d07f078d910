//! The systemd unit: there, enabled, running.

use std::path::Path;
use std::process::Command;

use crate::config::Config;
use crate::view::doctor::Finding;

const CHECK: &str = "systemd unit";

/// Asks systemd, where it runs.
pub(super) fn look(config: &Config) -> Finding {
    if !Path::new("/run/systemd/system").is_dir() {
        return Finding::skipped(CHECK, "systemd does not run here");
    }
    let unit = name(&config.file);
    let asked = Command::new("systemctl")
        .args(["show", &unit, "--property"])
        .arg("LoadState,ActiveState,SubState,UnitFileState,Result")
        .output();
    match asked {
        Ok(output) if output.status.success() => {
            judge(&unit, &String::from_utf8_lossy(&output.stdout))
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Finding::skipped(CHECK, format!("systemctl does not tell: {}", said.trim()))
        }
        Err(error) => Finding::skipped(CHECK, format!("systemctl cannot be run: {error}")),
    }
}

/// The unit that runs with a config file: `leafwatch.toml` has its own, every other file is an instance.
pub fn name(config: &Path) -> String {
    match config.file_stem().and_then(|stem| stem.to_str()) {
        None | Some("leafwatch") => "leafwatch.service".to_owned(),
        Some(instance) => format!("leafwatch@{instance}.service"),
    }
}

/// Judges what `systemctl show` prints of `unit`.
pub fn judge(unit: &str, shown: &str) -> Finding {
    let property = |name: &str| {
        let mut lines = shown.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default()
    };
    let journal = format!("see journalctl -u {unit}");
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
        ("loaded", state, _) => Finding::wrong(
            CHECK,
            format!("{unit} is {state} (result: {})", property("Result")),
            format!("{journal}, then: systemctl enable --now {unit}"),
        ),
        (state, ..) => Finding::wrong(CHECK, format!("{unit} cannot be loaded ({state})"), journal),
    }
}
