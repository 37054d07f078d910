//! `run`: the daemon in the foreground.

use super::args::Cli;
use super::exit::{Exit, Failure};
use super::log;
use crate::app::{self, Fatal, StartError};
use crate::clock::Clock;
use crate::config::{Config, Faults};
use crate::leaf;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn run(cli: &Cli, clock: &Clock) -> Result<Exit, Failure> {
    let config = config_with_secrets(cli)?;
    log::start(config.log_format);
    let runtime = runtime(&config)?;
    let ended = runtime.block_on(app::run(config.into(), clock.clone()));
    // A name that a dead resolver still looks up must not hold the stop up.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended?;
    Ok(Exit::Fine)
}

/// The config, every secret file of which was looked at too.
pub(super) fn config_with_secrets(cli: &Cli) -> Result<Config, Failure> {
    let config = cli.config()?;
    let faults = config.check_secrets();
    match faults.is_empty() {
        true => Ok(config),
        false => Err(Faults(faults).into()),
    }
}

/// A runtime with as many threads as the daemon has use for: it waits far more than it works.
pub(super) fn runtime(config: &Config) -> Result<tokio::runtime::Runtime, Failure> {
    const MOST: usize = 4;
    leaf::install_tls();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(config.leaf.max_in_flight).clamp(1, MOST);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Fallen, error))
}

impl From<Fatal> for Failure {
    fn from(fatal: Fatal) -> Self {
        match fatal {
            Fatal::Start(start) => start.into(),
            Fatal::Displaced(_) => Failure::new(Exit::Database, fatal),
            other => Failure::new(Exit::Fallen, other),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => error.into(),
            StartError::Leaf(_) | StartError::Password(_) => Failure::new(Exit::Config, error),
            StartError::System(_) => Failure::new(Exit::Fallen, error),
        }
    }
}
