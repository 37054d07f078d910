//! A year in a minute: growers, Leaf, the mail server and the daemon have every trouble there is, and what the readers heard
//! is held against the truth of it. `LEAFWATCH_SEED=… LEAFWATCH_YEARS=…` play other years, and more of them.

#![expect(
    clippy::print_stdout,
    reason = "the seed by which a year is played again"
)]

mod play;
mod truth;
mod verdict;

use play::Play;

/// Plays one, and fails with all that was wrong in it.
fn year(seed: u64, growers: usize, days: i64) {
    let mut play = Play::new(seed, growers, days);
    play.through();
    let faults = verdict::faults(&mut play);
    let what = verdict::eventful(&mut play);
    println!("LEAFWATCH_SEED={seed}: {what}");
    assert!(
        faults.is_empty(),
        "LEAFWATCH_SEED={seed}, {growers} growers, {days} days: {} faults\n{}",
        faults.len(),
        faults[..faults.len().min(12)].join("\n")
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "not a setting of the program, but how long this test runs"
)]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn some_months_with_every_trouble() {
    let seed = number("LEAFWATCH_SEED", 20_260_201);
    for nth in 0..4 {
        year(seed + nth, 120, 120);
    }
}

/// A thousand growers, hourly sweeps: nearly nine million looks.
#[test]
fn a_year_in_a_minute() {
    let (years, seed) = (
        number("LEAFWATCH_YEARS", 1),
        number("LEAFWATCH_SEED", 20_260_301),
    );
    for nth in 0..years {
        year(seed + nth, 1_000, 365);
    }
}
