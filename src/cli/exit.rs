//! The exit codes, which scripts and the systemd unit rely on; and a failure with the code that it means.

use std::fmt;
use std::process::ExitCode;

use crate::config::Faults;
use crate::store;

/// How a command ended. The numbers from 64 on are those of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Fine,
    /// `check`, `config check` or `doctor` found trouble.
    Trouble,
    /// `check` could not tell.
    CouldNotTell,
    /// The command line was not understood.
    Usage,
    /// No user, or no single one, was meant.
    NoSingleUser,
    /// Leaf or the mail server could not be reached.
    Unreachable,
    /// A loop of the daemon ended by itself.
    Fallen,
    /// The database failed.
    Database,
    /// Another daemon holds the database.
    Held,
    /// The config is at fault, or the database is refused.
    Config,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Trouble => 1,
            Exit::CouldNotTell => 2,
            Exit::Usage => 64,
            Exit::NoSingleUser => 65,
            Exit::Unreachable => 69,
            Exit::Fallen => 70,
            Exit::Database => 74,
            Exit::Held => 75,
            Exit::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command failed, and the code that says so.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What is wrong, where, and what to do.
    pub error: anyhow::Error,
}

impl Failure {
    /// `error`, told by `exit`.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Failure {
            exit,
            error: error.into(),
        }
    }
}

impl fmt::Display for Failure {
    /// The error and what led to it, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        for cause in self.error.chain().skip(1) {
            write!(f, "\n  because: {cause}")?;
        }
        Ok(())
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        let exit = match error {
            store::Error::InUse { .. } => Exit::Held,
            store::Error::Refused { .. } => Exit::Config,
            store::Error::Unopened { .. }
            | store::Error::Unwritable(_)
            | store::Error::Failed(_)
            | store::Error::Stopped => Exit::Database,
        };
        Failure::new(exit, error)
    }
}

impl From<store::NotOneUser> for Failure {
    fn from(error: store::NotOneUser) -> Self {
        match error {
            store::NotOneUser::Store(error) => error.into(),
            other => Failure::new(Exit::NoSingleUser, other),
        }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Failure::new(Exit::Config, faults)
    }
}

impl From<anyhow::Error> for Failure {
    /// A document that could not be written; only memory can be lacking.
    fn from(error: anyhow::Error) -> Self {
        Failure::new(Exit::Fallen, error)
    }
}

impl From<serde_json::Error> for Failure {
    /// What is shown can always be written as JSON; only memory can be lacking.
    fn from(error: serde_json::Error) -> Self {
        Failure::new(Exit::Fallen, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_chain_and_code() {
        let failure = Failure::from(store::Error::Unopened {
            database: "/nowhere/leafwatch.db".into(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        });
        assert_eq!(failure.exit.code(), 74);
        assert_eq!(
            failure.to_string(),
            "error: cannot open the database /nowhere/leafwatch.db\n  because: entity not found"
        );
    }
}
