//! `check`: one sweep now.

use super::args::{Check, Cli};
use super::exit::{Exit, Failure};
use crate::clock::Clock;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn check(_cli: &Cli, _clock: &Clock, _args: &Check) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::Fallen,
        anyhow::anyhow!("leafwatch check is not wired yet"),
    ))
}
