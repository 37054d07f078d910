//! A year in a minute: growers, Leaf, the mail server, the clock and the daemon have every trouble there is, at the pace
//! of the defaults; what each mail says is held against the truth of it. `LEAFWATCH_SEED=… LEAFWATCH_YEARS=…` play other
//! years, and more of them; `LEAFWATCH_GROWERS=…` makes the longest larger.

#![expect(
    clippy::print_stdout,
    reason = "the seed by which a year is played again"
)]

mod mails;
mod play;
mod truth;
mod verdict;

use play::Play;

/// Plays one, and fails with all that was wrong in it.
fn year(seed: u64, growers: usize, days: i64) {
    let mut play = Play::new(seed, growers, days);
    play.through();
    let (faults, what) = verdict::verdict(&mut play);
    println!("LEAFWATCH_SEED={seed}: {growers} growers, {days} days: {what}");
    let shown = number("LEAFWATCH_FAULTS", 12) as usize;
    assert!(
        faults.is_empty(),
        "LEAFWATCH_SEED={seed}, {growers} growers, {days} days: {} faults\n{}",
        faults.len(),
        faults[..faults.len().min(shown)].join("\n")
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "not a setting of the program, but how long this test runs"
)]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

/// Plays as many as are asked for, from one seed on.
fn years(usual: u64, first: u64, growers: usize, days: i64) {
    let first = number("LEAFWATCH_SEED", first);
    for nth in 0..number("LEAFWATCH_YEARS", usual) {
        year(first + nth, growers, days);
    }
}

#[test]
fn some_months_with_every_trouble() {
    years(2, 20_260_201, 50, 90);
}

#[test]
fn a_year_in_a_minute() {
    let growers = number("LEAFWATCH_GROWERS", 40) as usize;
    years(1, 20_260_301, growers, 365);
}

/// A sweep takes more than three minutes: mails leave while it runs.
#[test]
fn some_weeks_of_a_thousand() {
    years(1, 20_260_401, 1_000, 24);
}

/// A sweep takes longer than the schedule has between two, and than the first look waits for its end.
#[test]
fn some_days_of_five_thousand() {
    years(1, 20_260_501, 5_000, 3);
}
