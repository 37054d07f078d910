//! Opens the database: lock, pragmas, check, migrations, file mode.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::lock::{self, Lock};
use super::migrate;
use super::{Error, Result, Tx};

/// The database and its writer's connection. There is one in a process, and one writing daemon a database.
#[derive(Debug)]
pub struct Db {
    conn: Connection,
    /// Let go of after the connection: see [`Lock`].
    lock: Option<Arc<Lock>>,
}

/// What a reader may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing but read.
    Read,
    /// Also write acks and silences, beside a running daemon.
    Annotate,
}

/// How long a write waits for another program's lock.
const BUSY: Duration = Duration::from_secs(5);

impl Db {
    /// Opens or creates the database as the one daemon that writes it.
    ///
    /// # Errors
    /// [`Error::InUse`] beside another daemon, [`Error::Refused`] for a newer, damaged or foreign file, which is never
    /// mended or overwritten.
    pub fn open(path: &Path) -> Result<Db> {
        if is_empty(path) {
            lock::refuse_beside_rescue(path)?;
        }
        let lock = Lock::take(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = connect(path, flags)?;
        // Until it is known to be ours nothing of it is changed: neither its log folded in, nor its mode, nor its header.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        refuse_damaged(&conn, path)?;
        if migrate::refuse_unknown(&conn, path)? == 0 {
            lock::refuse_beside_rescue(path)?;
        }
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        lock.make_private().map_err(|source| Error::Unopened {
            database: path.to_owned(),
            source,
        })?;
        prepare(&conn, path)?;
        migrate::to_newest(&mut conn, path)?;
        lock.all_is_open();
        Ok(Db {
            conn,
            lock: Some(Arc::new(lock)),
        })
    }

    /// A database that lives in memory only, for simulations and tests of the rules.
    pub fn in_memory() -> Result<Db> {
        let mut conn = Connection::open_in_memory()?;
        keep_statements(&conn)?;
        migrate::to_newest(&mut conn, Path::new(":memory:"))?;
        Ok(Db { conn, lock: None })
    }

    /// Opens an existing database beside a running daemon.
    ///
    /// # Errors
    /// [`Error::Unopened`] where there is none, [`Error::Refused`] where it is of another version.
    pub fn beside(path: &Path, access: Access) -> Result<Db> {
        let unopened = |source| Error::Unopened {
            database: path.to_owned(),
            source,
        };
        if !std::fs::metadata(path).map_err(unopened)?.is_file() {
            return Err(unopened(io::ErrorKind::IsADirectory.into()));
        }
        let flags = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Annotate => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let conn = connect(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(BUSY)?;
        migrate::require_current(&conn, path).map_err(|error| match error {
            Error::Failed(inner) => refuse_foreign(inner.into(), path),
            other => other,
        })?;
        Ok(Db { conn, lock: None })
    }

    /// Does `work` in one write transaction: all of it is kept, or, where it or the commit fails, nothing.
    pub fn write<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Tx<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let result = work(&Tx { conn: &transaction })?;
        transaction.commit().map_err(Error::from)?;
        Ok(result)
    }

    /// Does `work` on one consistent state, without writing.
    pub fn read<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Tx<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let transaction = self.conn.transaction().map_err(Error::from)?;
        work(&Tx { conn: &transaction })
    }

    /// The same, broken off where `late` says so.
    ///
    /// # Errors
    /// Whatever `work` says; [`Error::Failed`] where it was broken off.
    pub fn read_until<T, E: From<Error>>(
        &mut self,
        late: impl FnMut() -> bool + Send + 'static,
        work: impl FnOnce(&Tx<'_>) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        /// Steps of SQLite's machine between two questions whether it is late: some tenths of a millisecond.
        const STEPS: std::ffi::c_int = 20_000;
        self.conn
            .progress_handler(STEPS, Some(late))
            .map_err(Error::from)?;
        let result = self.read(work);
        self.conn
            .progress_handler(0, None::<fn() -> bool>)
            .map_err(Error::from)?;
        result
    }

    /// Folds the write-ahead log into the database; what can be done between sweeps.
    pub fn checkpoint(&self) -> Result<()> {
        self.conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Lets go of a database that is no longer at its path: what stands there by now is another one, whose log must not be
    /// removed when this one is closed; and the log of this one, all of which was saved, must not be taken for that of
    /// another.
    pub fn let_go(&self, lock: &Lock) -> Result<()> {
        self.conn
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        lock.remove_log();
        Ok(())
    }

    /// What is damaged in it, in SQLite's words; none where it is whole. Reads all of it.
    pub fn damage(&self) -> Result<Option<String>> {
        let verdict: String = self
            .conn
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((verdict != "ok").then_some(verdict))
    }

    /// The locks under which this daemon has it; none in memory, and beside a daemon.
    pub fn lock(&self) -> Option<Arc<Lock>> {
        self.lock.clone()
    }

    /// The connection, for queries that only read.
    pub fn reader(&self) -> &Connection {
        &self.conn
    }
}

/// Whether there is no database yet; a file that cannot be looked at is no empty one.
fn is_empty(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(file) => file.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

const STATEMENTS: usize = 128;

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    keep_statements(&conn)?;
    Ok(conn)
}

/// Every statement is planned once. Without the stability guarantee SQLite looks at bound values when it plans, and so
/// plans most of ours anew at each use.
fn keep_statements(conn: &Connection) -> Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn refuse_damaged(conn: &Connection, path: &Path) -> Result<()> {
    let verdict: rusqlite::Result<String> =
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    let why = match verdict {
        Ok(word) if word == "ok" => return Ok(()),
        Ok(fault) => fault,
        Err(error) => return Err(refuse_foreign(error.into(), path)),
    };
    Err(Error::Refused {
        database: path.to_owned(),
        why: format!("it is damaged ({why})"),
        advice: RESTORE,
    })
}

const RESTORE: &str =
    "move it away and restore a backup in its place, or start anew without its history";

/// What SQLite says of a file that is none of ours, in words for people; other faults stay what they are.
fn refuse_foreign(error: Error, path: &Path) -> Error {
    let code = match &error {
        Error::Failed(inner) | Error::Unwritable(inner) => inner.sqlite_error_code(),
        _ => None,
    };
    let why = match code {
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => "it is damaged",
        Some(rusqlite::ErrorCode::NotADatabase) => "it is not an SQLite database",
        _ => return error,
    };
    Error::Refused {
        database: path.to_owned(),
        why: why.to_owned(),
        advice: RESTORE,
    }
}

/// Sets what must be set at every open, and makes sure that it holds.
fn prepare(conn: &Connection, path: &Path) -> Result<()> {
    conn.busy_timeout(BUSY)?;
    // Only before the first table; on an older file it says what that file has, and changes nothing.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let journal: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if journal != "wal" {
        return Err(Error::Refused {
            database: path.to_owned(),
            why: format!("its file system takes no write-ahead log (journal mode {journal})"),
            advice: "set database.path to a file on a local disk",
        });
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", "ON")?;
    conn.pragma_update(None, "cache_size", -4000)?;
    conn.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    conn.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(())
}

impl Tx<'_> {
    /// The secret of this database under which client keys are kept as prints; `fresh` becomes it on the first start.
    pub fn fingerprint_key(&self, fresh: [u8; 32], now: jiff::Timestamp) -> Result<[u8; 32]> {
        self.execute(
            "INSERT INTO meta (id, fingerprint_key, created_at) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING",
            rusqlite::params![&fresh[..], now.as_millisecond()],
        )?;
        Ok(self
            .conn
            .query_row("SELECT fingerprint_key FROM meta", [], |row| row.get(0))?)
    }

    /// What tells this database from all others, and nothing of what is in it; none before its first daemon.
    pub fn mark(&self) -> Result<Option<String>> {
        let sql = "SELECT fingerprint_key FROM meta";
        let key: Option<[u8; 32]> = self.conn.query_row(sql, [], |row| row.get(0)).optional()?;
        Ok(key.map(|key| {
            let sum = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), b"mark");
            let short = sum.as_ref().first_chunk().copied().unwrap_or_default();
            format!("{:016x}", u64::from_be_bytes(short))
        }))
    }
}
