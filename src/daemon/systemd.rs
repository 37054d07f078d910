//! Tells systemd how the daemon fares: ready, reloading, stopping, a status line, the watchdog.
//!
//! Says nothing where systemd did not ask (`NOTIFY_SOCKET` is absent), and is no reason to stop: a message that cannot be
//! sent is returned as an error for the log. It never decides whether the daemon is well; [`crate::vitals`] is asked first.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

/// The daemon serves: the config holds, the database is open and the loops run. Also ends a reload.
///
/// # Errors
///
/// Where systemd's socket cannot be written to.
pub fn ready(status: &str) -> io::Result<()> {
    tell(&[NotifyState::Ready], status)
}

/// The settings are being read again; [`ready`] says when that is over, whether or not they were taken.
///
/// # Errors
///
/// Where systemd's socket cannot be written to, or the monotonic clock not be read.
pub fn reloading() -> io::Result<()> {
    // From version 253 on systemd pairs the message with its own SIGHUP by this time; older ones ignore it.
    let now = NotifyState::monotonic_usec_now()?;
    tell(&[NotifyState::Reloading, now], "reading the settings again")
}

/// The daemon was told to stop, and finishes what runs.
///
/// # Errors
///
/// Where systemd's socket cannot be written to.
pub fn stopping(status: &str) -> io::Result<()> {
    tell(&[NotifyState::Stopping], status)
}

/// The line that `systemctl status` shows. Control characters become blanks: a line break would begin another message.
///
/// # Errors
///
/// Where systemd's socket cannot be written to.
pub fn status(text: &str) -> io::Result<()> {
    tell(&[], text)
}

/// Feeds the watchdog. To be called only when no loop is stuck.
///
/// # Errors
///
/// Where systemd's socket cannot be written to.
pub fn feed_watchdog() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}

/// How often to feed the watchdog: half of `WatchdogSec=`, as sd_watchdog_enabled(3) advises; none where it is off.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
        .map(|limit| limit / 2)
        .filter(|half| !half.is_zero())
}

fn tell(states: &[NotifyState<'_>], status: &str) -> io::Result<()> {
    let status = status.replace(char::is_control, " ");
    let mut all = states.to_vec();
    all.push(NotifyState::Status(&status));
    sd_notify::notify(&all)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Output};

    use super::*;

    /// The crate reads the process's environment, which a test may not change for its neighbours: so the daemon's side
    /// runs in a process of its own, which is this test binary asked for the one test below.
    fn daemon_side(environment: &[(&str, &str)]) -> Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture"])
            .arg("daemon::systemd::tests::says_all_it_can")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    #[test]
    #[ignore = "not a test of its own: the other side of the ones below"]
    fn says_all_it_can() {
        println!("watchdog: {:?}", watchdog_interval());
        for said in [
            ready("watching 3 credentials"),
            status("a line\nWATCHDOG=trigger"),
            reloading(),
            feed_watchdog(),
            stopping("a sweep ends"),
        ] {
            println!("said: {said:?}");
        }
    }

    #[test]
    fn systemd_hears_each_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        systemd
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();

        let daemon = daemon_side(&[
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "120000000"),
        ]);
        let printed = String::from_utf8_lossy(&daemon.stdout);
        assert!(printed.contains("watchdog: Some(60s)"), "{printed}");

        let hear = || {
            let mut bytes = [0; 512];
            let length = systemd.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        assert_eq!(hear(), "READY=1\nSTATUS=watching 3 credentials\n");
        assert_eq!(hear(), "STATUS=a line WATCHDOG=trigger\n");
        let reloading = hear();
        let time = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .and_then(|rest| rest.strip_suffix("\nSTATUS=reading the settings again\n"))
            .unwrap_or_else(|| panic!("{reloading}"));
        assert!(time.parse::<u64>().unwrap() > 0);
        assert_eq!(hear(), "WATCHDOG=1\n");
        assert_eq!(hear(), "STOPPING=1\nSTATUS=a sweep ends\n");
    }

    #[test]
    fn without_systemd_nothing_is_said_and_nothing_fails() {
        let daemon = daemon_side(&[]);
        let printed = String::from_utf8_lossy(&daemon.stdout);
        assert!(printed.contains("watchdog: None"), "{printed}");
        assert_eq!(printed.matches("said: Ok(())").count(), 5, "{printed}");
    }

    #[test]
    fn a_socket_that_nobody_reads_is_an_error_to_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone");
        let daemon = daemon_side(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        let printed = String::from_utf8_lossy(&daemon.stdout);
        assert_eq!(printed.matches("said: Err(").count(), 5, "{printed}");
    }
}
