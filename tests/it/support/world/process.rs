//! The real binary, started on a world's config, and what it tells its service manager.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use leafwatch::clock::Clock;

use super::World;

/// How long the binary may take for anything before the test is said to be stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon; killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// A wall clock that only the binary sees, and that a test may set: libfaketime, which leaves monotonic time alone.
pub(crate) struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

/// The socket that stands for systemd.
pub(crate) struct Systemd {
    said: mpsc::Receiver<String>,
    path: PathBuf,
}

impl World {
    /// Starts the binary as `leafwatch run`, on the config as it is now.
    pub(crate) fn starts_binary(&self) -> Process {
        self.starts_binary_with(&[])
    }

    /// The same under systemd.
    pub(crate) fn starts_binary_under(&self, systemd: &Systemd) -> Process {
        let socket = systemd.path.to_str().unwrap();
        self.starts_binary_with(&[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "400000")])
    }

    /// The same under a clock that a test may set.
    pub(crate) fn starts_binary_beside(&self, clock: &FakeClock) -> Process {
        let (library, file) = (clock.library.to_str(), clock.file.to_str());
        self.starts_binary_with(&[
            ("LD_PRELOAD", library.unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", file.unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ])
    }

    /// A clock that is right until it is set; none where libfaketime is not installed.
    pub(crate) fn fake_clock(&self) -> Option<FakeClock> {
        let library = std::fs::read_dir("/usr/lib")
            .ok()?
            .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketime.so.1")))
            .find(|library| library.exists())?;
        let file = self.folder.path().join("clock");
        let clock = FakeClock { library, file };
        clock.set("+0");
        Some(clock)
    }

    fn starts_binary_with(&self, environment: &[(&str, &str)]) -> Process {
        self.run_on(&self.config_file(), environment)
    }

    /// Starts it on the config file as it stands, whatever is in it.
    pub(crate) fn run_on(&self, config: &std::path::Path, environment: &[(&str, &str)]) -> Process {
        let logs = self.folder.path().join("logs");
        let number = std::fs::read_dir(&logs).unwrap().count();
        let log = logs.join(format!("run-{number}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_leafwatch"))
            .arg("run")
            .arg("--config")
            .arg(config)
            .env_clear()
            .env("RUST_LOG", "debug")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Process { child, log }
    }

    /// Runs the binary with these words to its end, beside whatever runs.
    pub(crate) fn runs(&self, words: &[&str]) -> Output {
        let command = Command::new(env!("CARGO_BIN_EXE_leafwatch"))
            .args(words)
            .arg("--config")
            .arg(self.config_file())
            .env_clear()
            .env("USER", "anna")
            .output();
        command.unwrap()
    }

    /// The socket on which the binary tells how it fares.
    pub(crate) fn systemd(&self) -> Systemd {
        let path = self.folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (heard, said) = mpsc::channel();
        // Read at once, as systemd does: the socket holds few messages, and who cannot send one waits.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if heard.send(text).is_err() {
                    return;
                }
            }
        });
        Systemd { said, path }
    }
}

impl FakeClock {
    /// Sets it so far from the machine's: `-40`, `-1h`, `+1d`.
    pub(crate) fn set(&self, offset: &str) {
        // Never half written: it is read at every look at the clock.
        let whole = self.file.with_extension("new");
        std::fs::write(&whole, offset).unwrap();
        std::fs::rename(&whole, &self.file).unwrap();
    }
}

impl Process {
    /// `kill -9`. Returns when it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name: `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.unwrap().success(), "signal {name}");
    }

    /// Waits for its end, and says how long that took.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let watch = Clock::system();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, watch.monotonic());
            }
            assert!(
                watch.monotonic() < PATIENCE,
                "it never ends: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it logs a line that holds these words, and returns the line.
    pub(crate) fn logs(&self, words: &str) -> String {
        let watch = Clock::system();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(watch.monotonic() < PATIENCE, "never {words:?}: {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it serves its page, and says where.
    pub(crate) fn page(&self) -> String {
        let begun = "the page is at ";
        let line = self.logs(begun);
        let address = line.split(begun).nth(1).unwrap();
        address.split_whitespace().next().unwrap().to_owned()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The files that it has open, as the kernel names them: ` (deleted)` behind those that have no name any more.
    pub(crate) fn open_files(&self) -> Vec<PathBuf> {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // One may be closed between the two looks.
        descriptors
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .collect()
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Systemd {
    /// The socket's file.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Waits for a message that begins like this; others before it are returned with it, the awaited one last.
    pub(crate) fn hears(&self, beginning: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let said = match self.said.recv_timeout(PATIENCE) {
                Ok(said) => said,
                Err(error) => panic!("{beginning} was never said ({error}), but {heard:?}"),
            };
            let awaited = said.starts_with(beginning);
            heard.push(said);
            if awaited {
                return heard;
            }
        }
    }
}
