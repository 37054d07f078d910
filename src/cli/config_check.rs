//! `config check`: every fault of the config.

use super::args::Cli;
use super::exit::{Exit, Failure};
use crate::clock::Clock;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn config_check(_cli: &Cli, _clock: &Clock) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::Fallen,
        anyhow::anyhow!("leafwatch config check is not wired yet"),
    ))
}
