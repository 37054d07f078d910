//! `config check`: every fault of the config.

use super::args::{Cli, ConfigCheck};
use super::exit::{Exit, Failure};
use crate::clock::Clock;
use crate::config::{self, Calendar};
use crate::rules::{due, quiet};

/// How many times ahead a quiet window is told.
const OPENINGS: usize = 3;

/// Runs the command.
///
/// # Errors
/// Where the answer cannot be printed.
pub fn config_check(cli: &Cli, clock: &Clock, args: &ConfigCheck) -> Result<Exit, Failure> {
    let loaded = cli.config();
    let secrets = loaded
        .as_ref()
        .map(config::Config::check_secrets)
        .unwrap_or_default();
    let calendar = Calendar {
        next: |schedule, zone, now| due::next_after(schedule, zone, now, now),
        openings: |window, now| quiet::openings(window, now, OPENINGS),
    };
    let report = config::report(&loaded, &secrets, clock.now(), calendar);
    if !(args.quiet && report.exit_ok) {
        super::print(if args.quiet {
            &report.faults
        } else {
            &report.text
        })?;
    }
    Ok(if report.exit_ok {
        Exit::Fine
    } else {
        Exit::Trouble
    })
}
