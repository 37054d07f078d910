//! Who holds the database: one daemon, shown by the lock file and by a lock on the database itself; and whether the files
//! at its paths are still those that are open.
//!
//! POSIX drops all locks that a process has on a file when it closes any descriptor of it, SQLite's among them. So the
//! database has one descriptor here, opened before SQLite opens it and closed after SQLite has closed it; the write-ahead
//! log and its index have none.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::Timestamp;

use super::{Error, Result};

/// The locks of the one daemon that has a database; held while this lives, released by the kernel however the process
/// ends. It must outlive every connection of this process to the database.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    database: File,
    file: File,
    /// The write-ahead log and its index as SQLite has them open, in the order of [`BESIDE`].
    beside: OnceLock<[Option<Identity>; 2]>,
    rescue: OnceLock<PathBuf>,
}

/// What SQLite keeps beside a database, by the ends of the names and in words.
const BESIDE: [(&str, &str); 2] = [("-wal", "write-ahead log"), ("-shm", "index of its log")];

/// The file itself, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// A file that is not at its path any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Displaced {
    what: &'static str,
    path: PathBuf,
    replaced: bool,
}

impl fmt::Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Displaced { what, path, .. } = self;
        let path = path.display();
        match self.replaced {
            true => write!(
                f,
                "the {what} {path} was replaced by another file while it was open"
            ),
            false => write!(f, "the {what} {path} was deleted while it was open"),
        }
    }
}

impl Displaced {
    /// Whether what was committed can no longer be reached at the database's path.
    pub fn loses_something(&self) -> bool {
        self.what != LOCK_FILE
    }

    /// Whether the database itself is not there.
    pub fn is_database(&self) -> bool {
        self.what == DATABASE
    }
}

const DATABASE: &str = "database";
const LOCK_FILE: &str = "lock file";

impl Lock {
    /// Takes the locks of the database at `path`; makes an empty file, readable by this user alone, where there is none.
    ///
    /// # Errors
    /// [`Error::InUse`] where another process holds one of them.
    pub(super) fn take(path: &Path) -> Result<Lock> {
        let lock = with_end(path, ".lock");
        let unopened = |source| Error::Unopened {
            database: path.to_owned(),
            source,
        };
        let taken = |file: File| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::InUse {
                database: path.to_owned(),
                lock: lock.clone(),
            }),
            Err(TryLockError::Error(error)) => Err(unopened(error)),
        };
        let file = taken(open_private(&lock).map_err(unopened)?)?;
        // `flock`, with which SQLite's locks have nothing to do: it holds where somebody has deleted the lock file.
        let database = taken(open_private(path).map_err(unopened)?)?;
        Ok(Lock {
            path: path.to_owned(),
            database,
            file,
            beside: OnceLock::new(),
            rescue: OnceLock::new(),
        })
    }

    /// Where the database is, or was.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes from others what an older umask gave them.
    pub(super) fn make_private(&self) -> io::Result<()> {
        let mode = self.database.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            self.database
                .set_permissions(Permissions::from_mode(0o600))?;
        }
        Ok(())
    }

    /// SQLite has opened all its files: those that stand at their paths now are the ones.
    pub(super) fn all_is_open(&self) {
        self.beside
            .get_or_init(|| BESIDE.map(|(end, _)| Identity::at(&with_end(&self.path, end)).ok()));
    }

    /// Which of the files is no longer the one that is open; the database first.
    pub fn displaced(&self) -> Option<Displaced> {
        let lock = with_end(&self.path, ".lock");
        let held = |file: &File| file.metadata().ok().map(|found| Identity::of(&found));
        let mut open = vec![(DATABASE, self.path.clone(), held(&self.database))];
        if let Some(beside) = self.beside.get() {
            let named = BESIDE.iter().zip(beside);
            open.extend(named.map(|((end, what), id)| (*what, with_end(&self.path, end), *id)));
        }
        open.push((LOCK_FILE, lock, held(&self.file)));
        open.into_iter().find_map(|(what, path, open)| {
            let found = Identity::at(&path);
            let replaced = match (&found, open) {
                (Ok(found), Some(open)) if *found != open => true,
                (Err(error), Some(_)) if is_gone(error) => false,
                // What cannot be looked at now, a folder closed to us above all, may still be in its place.
                _ => return None,
            };
            Some(Displaced {
                what,
                path,
                replaced,
            })
        })
    }

    /// Where what is open is saved to: always the same name, made of the time when it was first asked for.
    pub(super) fn rescue(&self, now: Timestamp) -> &Path {
        self.rescue.get_or_init(|| {
            let time = now.strftime("%Y%m%dT%H%M%SZ");
            with_end(&self.path, &format!("{RESCUED}{time}"))
        })
    }

    /// Removes the log of a database that is no longer at its path: it would be taken for that of whatever is put there.
    pub(super) fn remove_log(&self) {
        let Some(beside) = self.beside.get() else {
            return;
        };
        for ((end, _), id) in BESIDE.iter().zip(beside) {
            let path = with_end(&self.path, end);
            if id.is_some() && Identity::at(&path).ok() == *id {
                // What cannot be removed, the advice to whoever starts anew names.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// What stands before the time in the name of a rescue.
const RESCUED: &str = ".rescued-";

/// Refuses to begin an empty database beside what an earlier daemon saved of one that was taken away.
pub(super) fn refuse_beside_rescue(path: &Path) -> Result<()> {
    let Some(rescue) = newest_rescue(path) else {
        return Ok(());
    };
    Err(Error::Refused {
        database: path.to_owned(),
        why: format!(
            "it is empty, and beside it lies what was saved when the one before was deleted or replaced: {}",
            rescue.display()
        ),
        advice: "to go on with what was saved, move it to the database's path (nothing else may be left there: remove \
                 the files that end in -wal and -shm first); to begin anew without its history, move it elsewhere",
    })
}

fn newest_rescue(path: &Path) -> Option<PathBuf> {
    let begin = format!("{}{RESCUED}", path.file_name()?.to_str()?);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let rescues = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let whole = name.starts_with(&begin) && !name.ends_with(PART);
        whole.then(|| entry.path())
    });
    rescues.max()
}

/// How the name of a file ends that is not whole yet.
pub(super) const PART: &str = ".part";

/// The folder of a database, made anew where it was taken away with it.
pub(super) fn make_folder(of: &Path) -> io::Result<()> {
    match of.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o700).create(folder),
        None => Ok(()),
    }
}

impl Identity {
    fn at(path: &Path) -> io::Result<Identity> {
        fs::metadata(path).map(|found| Identity::of(&found))
    }

    fn of(found: &fs::Metadata) -> Identity {
        Identity {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
