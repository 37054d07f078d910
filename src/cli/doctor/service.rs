//! Looks as the service does: the same examination once more, started by systemd with the unit's user, secrets and sandbox.
//!
//! Everything else that `doctor` finds is what this user can do, who is usually root, and root can do what the service cannot.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::args::{Cli, Doctor};
use crate::view::doctor::Finding;

const CHECK: &str = "as the service";

/// What belongs to the life of the unit, and not to what its process may see and do. A runtime folder is removed with the
/// unit that has it, so that a second one would take it from the daemon.
const OF_ITS_LIFE: [&str; 24] = [
    "Type",
    "NotifyAccess",
    "ExecStart",
    "ExecStartPre",
    "ExecStartPost",
    "ExecCondition",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
    "Restart",
    "RestartSec",
    "RestartPreventExitStatus",
    "RestartForceExitStatus",
    "SuccessExitStatus",
    "WatchdogSec",
    "WatchdogSignal",
    "TimeoutSec",
    "TimeoutStartSec",
    "TimeoutStopSec",
    "TimeoutAbortSec",
    "OOMPolicy",
    "RuntimeDirectory",
    "RuntimeDirectoryMode",
    "RuntimeDirectoryPreserve",
];

/// The part of a unit that says what its process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The words of `ExecStart=`.
    start: Vec<String>,
    /// `Key=value`, in the order of the unit.
    properties: Vec<String>,
}

impl Service {
    /// Reads what `systemctl cat` prints of `unit`: its file and whatever was laid over it.
    pub fn read(unit: &str, text: &str) -> Self {
        let mut service = Service::default();
        let joined = text.replace("\\\n", " ");
        let mut section = "";
        for line in joined.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| section == "[Service]") else {
                continue;
            };
            if line.starts_with(['#', ';']) {
                continue;
            }
            let value = specified(value.trim(), unit);
            if key == "ExecStart" {
                // An empty one takes back those before it.
                let program = value.trim_start_matches(['@', '-', ':', '+', '!']);
                service.start = program.split_whitespace().map(str::to_owned).collect();
            }
            if !OF_ITS_LIFE.contains(&key) && !key.starts_with("Standard") {
                service.properties.push(format!("{key}={value}"));
            }
        }
        service
    }

    /// The files that secrets are copied from.
    pub fn secrets(&self) -> impl Iterator<Item = &Path> {
        let loaded = self
            .properties
            .iter()
            .filter_map(|property| property.strip_prefix("LoadCredential="));
        loaded
            .filter_map(|credential| credential.split_once(':'))
            .map(|(_, path)| Path::new(path))
    }

    /// The config that the unit reads, where it says.
    pub fn config(&self) -> Option<PathBuf> {
        let mut words = self.start.iter();
        while let Some(word) = words.next() {
            if word == "--config" {
                return words.next().map(PathBuf::from);
            }
            if let Some(path) = word.strip_prefix("--config=") {
                return Some(path.into());
            }
        }
        None
    }

    /// What starts the program of the unit as the unit would, to examine instead of to run.
    pub fn examiner(&self, config: &Path, args: &Doctor) -> Option<Command> {
        let mut command = Command::new("systemd-run");
        command.args([
            "--quiet",
            "--pipe",
            "--wait",
            "--collect",
            "--service-type=exec",
        ]);
        for property in &self.properties {
            command.arg("-p").arg(property);
        }
        command.arg("--").arg(self.start.first()?);
        command.args(["doctor", "--relay", "--config"]).arg(config);
        if let Some(to) = &args.send_to {
            command.arg("--send-to").arg(to.as_str());
        }
        Some(command)
    }
}

/// The value with the unit's names in it: `%i` of `leafwatch@production.service` is `production`.
fn specified(value: &str, unit: &str) -> String {
    let whole = unit.trim_end_matches(".service");
    let (prefix, instance) = whole.split_once('@').unwrap_or((whole, ""));
    [
        ("%i", instance),
        ("%I", instance),
        ("%p", prefix),
        ("%N", whole),
        ("%n", unit),
        ("%%", "%"),
    ]
    .into_iter()
    .fold(value.to_owned(), |value, (name, meant)| {
        value.replace(name, meant)
    })
}

/// Why nothing can be tried as the service, where it cannot.
pub(super) fn not_tried(unit: Option<&str>) -> Option<String> {
    let why = match unit {
        None => "no unit of ours reads this config",
        Some(_) if !super::unit::is_there() => "systemd does not run here",
        Some(_) if !rustix::process::geteuid().is_root() => "only root can",
        Some(_) => return None,
    };
    Some(format!(
        "not tried: {why}. What follows is what this user can do; the service's own user, secrets and sandbox may fare otherwise"
    ))
}

/// Reads the unit; where that fails, says why.
pub(super) fn of(unit: &str) -> Result<Service, Finding> {
    let asked = Command::new("systemctl").args(["cat", unit]).output();
    match asked {
        Ok(output) if output.status.success() => Ok(Service::read(
            unit,
            &String::from_utf8_lossy(&output.stdout),
        )),
        Ok(_) => Err(Finding::skipped(
            CHECK,
            format!(
                "not tried: {unit} is not there yet. What follows is what root can do, and the service may not"
            ),
        )),
        Err(error) => Err(Finding::skipped(
            CHECK,
            format!("not tried: systemctl cannot be run: {error}"),
        )),
    }
}

/// Lets the service examine, and tells each thing that it found as it comes. Says why where it could not begin.
pub(super) fn examine<E>(
    service: &Service,
    cli: &Cli,
    args: &Doctor,
    mut tell: impl FnMut(Finding) -> Result<(), E>,
) -> Result<Result<(), Finding>, E> {
    let failed = |why: &str| {
        Ok(Err(Finding::wrong(
            CHECK,
            format!("it could not look: {}", why.trim()),
            "mend that first, for the service itself will not fare better; what follows is what root can do",
        )))
    };
    let Some(mut command) = service.examiner(&cli.config, args) else {
        return failed("the unit has no ExecStart=");
    };
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return failed(&format!("systemd-run: {error}")),
    };
    let mut told = 0;
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines())
    {
        let found = line
            .ok()
            .and_then(|line| serde_json::from_str::<Finding>(&line).ok());
        if let Some(finding) = found {
            told += 1;
            tell(finding)?;
        }
    }
    let mut said = String::new();
    if let Some(mut error) = child.stderr.take() {
        // What cannot be read is not told.
        let _ = error.read_to_string(&mut said);
    }
    let code = child.wait().ok().and_then(|status| status.code());
    match (told, code) {
        (0, code) => {
            let meaning = code.and_then(super::unit::meaning).unwrap_or_default();
            failed(&format!("{said} {meaning}"))
        }
        (_, Some(0 | 1)) => Ok(Ok(())),
        (_, code) => {
            let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            failed(&format!("its examination ended with {code} {said}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = include_str!("../../../systemd/leafwatch.service");
    const EACH: &str = include_str!("../../../systemd/leafwatch@.service");

    fn arguments(service: &Service, config: &str) -> Vec<String> {
        let args = Doctor {
            send_to: None,
            relay: false,
            json: false,
        };
        let command = service.examiner(config.as_ref(), &args).unwrap();
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_examination_has_the_units_user_secrets_folder_and_sandbox_and_none_of_its_life() {
        let service = Service::read("leafwatch@production.service", EACH);
        let words = arguments(&service, "/etc/leafwatch/production.toml");
        for property in [
            "DynamicUser=yes",
            "User=leafwatch-production",
            "StateDirectory=leafwatch-production",
            "LoadCredential=leaf-password:/etc/leafwatch/production/leaf-password",
            r"SetCredential=leaf-password:\n",
            "ProtectSystem=strict",
            "SystemCallFilter=~@privileged @resources",
            "CapabilityBoundingSet=",
            "MemoryMax=1G",
        ] {
            assert!(
                words.iter().any(|word| word == property),
                "{property}: {words:#?}"
            );
        }
        for key in [
            "Exec",
            "Type=",
            "Restart",
            "Watchdog",
            "Timeout",
            "Description",
            "WantedBy",
        ] {
            assert!(
                !words.iter().any(|word| word.starts_with(key)),
                "{key}: {words:#?}"
            );
        }
        let end = &words[words.iter().position(|word| word == "--").unwrap()..];
        assert_eq!(
            end,
            [
                "--",
                "/usr/local/bin/leafwatch",
                "doctor",
                "--relay",
                "--config",
                "/etc/leafwatch/production.toml"
            ]
        );
        assert_eq!(service.secrets().count(), 4);
    }

    #[test]
    fn what_is_laid_over_the_unit_counts() {
        let over = "\n# /etc/systemd/system/leafwatch.service.d/own.conf\n[Service]\nUser=watch\n#Group=x\nExecStart=\n\
                    ExecStart=/opt/leafwatch run \\\n  --config /srv/leafwatch.toml\nRuntimeDirectory=leafwatch\nStandardOutput=null\n";
        let service = Service::read("leafwatch.service", &format!("{ONE}{over}"));
        assert_eq!(
            service.config().as_deref(),
            Some(Path::new("/srv/leafwatch.toml"))
        );
        let words = arguments(&service, "/srv/leafwatch.toml");
        assert!(words.contains(&"User=watch".to_owned()));
        assert!(words.contains(&"/opt/leafwatch".to_owned()));
        assert!(
            !words.iter().any(|word| word.starts_with("RuntimeDirectory")
                || word.contains("Group=x")
                || word.starts_with("Standard"))
        );
        let plain = Service::read("leafwatch.service", ONE);
        assert_eq!(
            plain.config().as_deref(),
            Some(Path::new("/etc/leafwatch/leafwatch.toml"))
        );
    }
}
