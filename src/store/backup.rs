//! A consistent copy beside a running daemon: one snapshot, which holds nobody up. And the rescue of a database that is
//! open and no longer at its path.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::lock::{self, Lock, PART, with_end};
use super::{Access, Db, Error};

/// Why there is no copy. Nothing is left behind where it says so.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file is there already, and is never overwritten.
    #[error("{} is there already, and no file is overwritten; name another", .0.display())]
    Exists(PathBuf),
    /// The copy cannot be written.
    #[error("cannot write the backup {}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database, or the copy when it was read again.
    #[error("the backup failed")]
    Store(#[from] Error),
    /// The copy is not what it should be.
    #[error("the copy is damaged ({0}), and was removed; check the disk")]
    Damaged(String),
}

impl Db {
    /// Copies all that is committed now into the new file `to`, readable by this user alone, and looks whether the copy
    /// is whole. It is on the disk when this returns.
    ///
    /// # Errors
    /// Where there is a file already, or no whole copy could be made; none is left behind then.
    pub fn copy_to(&self, to: &Path) -> Result<(), BackupError> {
        // Taking the name first keeps two backups apart; what is cut off leaves an empty file, and never half a database.
        create_private(to).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => unwritable(to, source),
        })?;
        let part = with_end(to, PART);
        let copied = self.copy_over(&part, to);
        if copied.is_err() {
            for left in [part.as_path(), to] {
                // What cannot be removed either is named by the error that stands.
                let _ = fs::remove_file(left);
            }
        }
        copied
    }

    fn copy_over(&self, part: &Path, to: &Path) -> Result<(), BackupError> {
        begin(part)?;
        let name = part
            .to_str()
            .ok_or_else(|| unwritable(part, io::Error::other("its name is not UTF-8")))?;
        self.reader()
            .execute("VACUUM INTO ?1", [name])
            .map_err(Error::from)?;
        let copy = Db::beside(part, Access::Read)?;
        if let Some(fault) = copy.damage()? {
            return Err(BackupError::Damaged(fault));
        }
        drop(copy);
        finish(part, to)
    }

    /// Saves all that is open, whatever stands at its path by now, to the file beside that path that `lock` names. Again
    /// and again it is the same file, with all that was committed since. Whether it is whole is not asked: it is all
    /// there is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn rescue(&self, lock: &Lock, now: Timestamp) -> Result<PathBuf, BackupError> {
        let to = lock.rescue(now);
        let part = with_end(to, PART);
        lock::make_folder(to).map_err(|source| unwritable(to, source))?;
        begin(&part)?;
        let copied = self.copy_pages(&part).map_err(BackupError::from);
        if let Err(error) = copied.and_then(|()| finish(&part, to)) {
            // What cannot be removed either is named by the error that stands.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        Ok(to.to_owned())
    }

    fn copy_pages(&self, to: &Path) -> super::Result<()> {
        /// In one step: what is written meanwhile begins no copy anew.
        const ALL: std::ffi::c_int = std::ffi::c_int::MAX;
        const WHERE_LOCKED: Duration = Duration::from_millis(50);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut copy = Connection::open_with_flags(to, flags)?;
        Backup::new(self.reader(), &mut copy)?.run_to_completion(ALL, WHERE_LOCKED, None)?;
        // Without a log of its own: it is moved as one file.
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
        Ok(())
    }
}

/// An empty file for a copy, closed before SQLite opens it.
fn begin(part: &Path) -> Result<(), BackupError> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(part, error)),
        _ => create_private(part).map_err(|error| unwritable(part, error)),
    }
}

/// Brings a copy that SQLite has closed onto the disk, and under its name.
fn finish(part: &Path, to: &Path) -> Result<(), BackupError> {
    let on_disk = || {
        File::open(part)?.sync_all()?;
        fs::rename(part, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    on_disk().map_err(|error| unwritable(to, error))
}

fn unwritable(path: &Path, source: io::Error) -> BackupError {
    BackupError::Unwritable {
        path: path.to_owned(),
        source,
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}
