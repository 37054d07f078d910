//! What can go wrong with the database, named by what the caller does next.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// A fault of the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another daemon has it; this one must not start.
    #[error("{} is held by another leafwatch daemon (lock file {})", .database.display(), .lock.display())]
    InUse {
        /// The database.
        database: PathBuf,
        /// The lock file beside it.
        lock: PathBuf,
    },
    /// It must not be touched: newer than this program, damaged, or not a database of ours.
    #[error("the database {} is refused: {why}; {advice}", .database.display())]
    Refused {
        /// The database.
        database: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What to do.
        advice: &'static str,
    },
    /// It cannot be opened at all.
    #[error("cannot open the database {}", .database.display())]
    Unopened {
        /// The database.
        database: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It cannot be written now: locked by another program, disk full, read-only. What was to be written is kept and
    /// tried again.
    #[error("the database cannot be written now")]
    Unwritable(#[source] rusqlite::Error),
    /// A statement failed in a way that waiting does not mend.
    #[error("the database failed")]
    Failed(#[source] rusqlite::Error),
    /// The writer has stopped.
    #[error("the database's writer has stopped")]
    Stopped,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory,
            ) => Error::Unwritable(error),
            _ => Error::Failed(error),
        }
    }
}
