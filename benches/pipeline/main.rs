//! `cargo bench --bench pipeline`: the real pipeline (HTTP, decode, judge, commit, pack) against the simulated Leaf in
//! another process, beside a bare loop that only fetches and parses the same answers. Prints a table in Markdown.
//!
//! Every part runs in a process of its own, which is this program again with a role: the processor time and memory of
//! one are not those of another. `-- --quick` leaves out 100,000 credentials, `-- --page` all but the last line.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement that fails may only stop; its table goes to stdout"
)]

mod bare;
mod beside;
mod case;
mod daemon;
mod helper;
mod leaf;
mod meter;
mod postbox;
mod site;
mod sweeper;
mod table;

use beside::Beside;
use case::{Case, Latency};

/// The fleets, and how many pairs of an unchanged sweep and a bare pass are made with each.
const FLEETS: [(u64, u32); 3] = [(1_000, 50), (10_000, 20), (100_000, 10)];
/// Requests in flight, on both sides.
const IN_FLIGHT: usize = 16;
/// The fleet in whose sweep the latency of a mail is measured.
const LATENCY_FLEET: u64 = 10_000;

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [] => measure(&FLEETS),
        ["--quick"] => measure(&FLEETS[..2]),
        ["--page"] => page_in_a_loop(),
        ["leaf", fleet] => leaf::play(fleet.parse().unwrap()),
        ["bare", fleet, base_url] => bare::play(fleet.parse().unwrap(), base_url),
        ["sweeper", config] => sweeper::play(config.as_ref()),
        ["daemon", config] => daemon::play(config.as_ref()),
        _ => eprintln!("cargo bench --bench pipeline [-- --quick | --page]"),
    }
}

fn measure(fleets: &[(u64, u32)]) {
    let mut cases = Vec::new();
    for &(fleet, pairs) in fleets {
        eprintln!("measuring {fleet} credentials");
        cases.push(Case::measure(fleet, pairs));
    }
    eprintln!("measuring the time from a bad answer to an accepted mail");
    let latency = Latency::measure(LATENCY_FLEET);
    println!("{}", table::markdown(&cases, &latency));
    page_in_a_loop();
}

fn page_in_a_loop() {
    eprintln!("measuring sweeps while the page is loaded in a loop");
    let beside = Beside::measure(LATENCY_FLEET);
    println!("{}", table::beside(&beside));
}
