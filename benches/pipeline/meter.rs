//! What a process used of the machine, as it sees it itself.

use std::path::Path;
use std::time::Duration;

use leafwatch::clock::Clock;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What something took, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Took {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

impl Took {
    pub(crate) fn halved(self) -> Took {
        Took {
            wall: self.wall / 2.0,
            cpu: self.cpu / 2.0,
        }
    }
}

impl std::ops::AddAssign for Took {
    fn add_assign(&mut self, other: Took) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

impl std::ops::Add for Took {
    type Output = Took;

    fn add(mut self, other: Took) -> Took {
        self += other;
        self
    }
}

/// Begins to measure when it is made.
pub(crate) struct Meter {
    clock: Clock,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Meter {
            clock: Clock::system(),
            cpu: cpu(),
        }
    }

    pub(crate) fn took(&self) -> Took {
        Took {
            wall: self.clock.monotonic().as_secs_f64(),
            cpu: (cpu() - self.cpu).as_secs_f64(),
        }
    }
}

/// Processor time of all threads of this process, also of those that ended.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The most memory that this process ever held, in KiB (`VmHWM`).
pub(crate) fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap()
}

/// The length of a file, in bytes.
pub(crate) fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}
