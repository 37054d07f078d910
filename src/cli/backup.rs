//! `backup`: a consistent copy of the database, beside a running daemon.

use super::args::{Backup, Cli};
use super::exit::{Exit, Failure};
use crate::store::{Access, BackupError, Db};
use crate::view::words;

/// Runs the command.
///
/// # Errors
/// What is wrong, with the exit code that says so.
pub fn backup(cli: &Cli, args: &Backup) -> Result<Exit, Failure> {
    let config = super::known(cli)?;
    let db = Db::beside(&config.database.path, Access::Read)?;
    db.copy_to(&args.file)?;
    let size = std::fs::metadata(&args.file).map_or(0, |metadata| metadata.len());
    super::print(&format!(
        "{} holds all that was committed by now ({} KiB), and was read again.\n",
        args.file.display(),
        words::number(size.div_ceil(1024))
    ))
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let exit = match error {
            BackupError::Store(error) => return error.into(),
            BackupError::Exists(_) => Exit::Usage,
            BackupError::Unwritable { .. } | BackupError::Damaged(_) => Exit::Database,
        };
        Failure::new(exit, error)
    }
}
