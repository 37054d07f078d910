//! `demo`: the story on this machine.

use super::args::{Cli, Demo};
use super::exit::{Exit, Failure};
use crate::clock::Clock;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn demo(_cli: &Cli, _clock: &Clock, _args: &Demo) -> Result<Exit, Failure> {
    Err(Failure::new(
        Exit::Fallen,
        anyhow::anyhow!("leafwatch demo is not wired yet"),
    ))
}
