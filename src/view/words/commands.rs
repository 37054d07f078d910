//! Command lines to be typed: each means the daemon that tells of it, also where several run on one machine.

use crate::model::Daemon;

/// A command of ours: `ack 12` becomes `leafwatch ack 12 --instance production`.
pub fn command(daemon: &Daemon, what: &str) -> String {
    let mut line = format!("leafwatch {what}");
    if let Some(config) = &daemon.config {
        line = format!("{line} --config {}", quoted(&config.to_string_lossy()));
    }
    if let Some(instance) = &daemon.instance {
        line = format!("{line} --instance {instance}");
    }
    line
}

/// What systemd calls it, without `.service`: `leafwatch@production`.
pub fn unit(daemon: &Daemon) -> String {
    match &daemon.instance {
        Some(instance) => format!("leafwatch@{instance}"),
        None => "leafwatch".to_owned(),
    }
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%:,=".contains(c);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_means_the_daemon_that_tells_of_it() {
        let daemon = |instance: Option<&str>, config: Option<&str>| Daemon {
            instance: instance.map(str::to_owned),
            config: config.map(Into::into),
        };
        for (daemon, line, its_unit) in [
            (Daemon::default(), "leafwatch ack 12", "leafwatch"),
            (
                daemon(Some("production"), None),
                "leafwatch ack 12 --instance production",
                "leafwatch@production",
            ),
            (
                daemon(None, Some("/srv/own leaf's.toml")),
                r"leafwatch ack 12 --config '/srv/own leaf'\''s.toml'",
                "leafwatch",
            ),
            (
                daemon(Some("test"), Some("/srv/x.toml")),
                "leafwatch ack 12 --config /srv/x.toml --instance test",
                "leafwatch@test",
            ),
        ] {
            assert_eq!(command(&daemon, "ack 12"), line);
            assert_eq!(unit(&daemon), its_unit);
        }
    }
}
