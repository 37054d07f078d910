//! How long a sweep takes while somebody loads the page in a loop, beside one that nobody watches.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::helper::Helper;
use crate::leaf::OtherSide;
use crate::site::{Pace, Site};

/// Both, with the limit of requests that a large fleet would have.
pub(crate) struct Beside {
    pub(crate) fleet: u64,
    /// Seconds of each sweep without a reader, and with one.
    pub(crate) alone: Vec<f64>,
    pub(crate) read: Vec<f64>,
    /// Pages loaded meanwhile.
    pub(crate) pages: u64,
}

impl Beside {
    const SWEEPS: usize = 6;
    const PACE: Pace = Pace {
        sweep: "6s",
        group_wait: "60s",
        max_requests_per_second: 2_500,
    };

    pub(crate) fn measure(fleet: u64) -> Self {
        let (_leaf, other): (Helper, OtherSide) =
            Helper::start_and_hear(&["leaf", &fleet.to_string()]);
        let site = Site::new(fleet, &other, &Self::PACE);
        let port = free_port();
        site.with_page(port);
        let _daemon = Helper::start(&["daemon", &site.config()]);
        // The first sweep writes down who there is.
        sweeps(port, 1);
        let alone = sweeps(port, Self::SWEEPS);
        let (pages, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let read = std::thread::scope(|scope| {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) == 0 {
                    if get(port, "/").is_some_and(|page| page.contains("200 OK")) {
                        pages.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            let read = sweeps(port, Self::SWEEPS);
            done.store(1, Ordering::Relaxed);
            read
        });
        Beside {
            fleet,
            alone,
            read,
            pages: pages.into_inner(),
        }
    }

    /// The median of the one to the median of the other.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.read) / median(&self.alone)
    }
}

fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The lengths of the next `count` sweeps.
fn sweeps(port: u16, count: usize) -> Vec<f64> {
    let mut last = last_sweep(port);
    let mut lengths = Vec::new();
    while lengths.len() < count {
        std::thread::sleep(Duration::from_millis(200));
        let now = last_sweep(port);
        if now != last {
            lengths.extend(now);
            last = now;
        }
    }
    lengths
}

fn last_sweep(port: u16) -> Option<f64> {
    let metrics = get(port, "/metrics")?;
    let value = |line: &str| {
        let value = line.strip_prefix("leafwatch_last_sweep_duration_seconds ")?;
        value.trim().parse().ok()
    };
    metrics.lines().find_map(value)
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
