//! `run`: the daemon in the foreground.

use super::args::Cli;
use super::exit::{Exit, Failure};
use crate::clock::Clock;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn run(_cli: &Cli, _clock: &Clock) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::Fallen,
        anyhow::anyhow!("leafwatch run is not wired yet"),
    ))
}
