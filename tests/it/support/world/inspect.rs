//! Looks into what a world left behind: the database, the log, and whether a secret is in any of it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use leafwatch::sim::SECRET_MARK;
use leafwatch::store::Db;
use rusqlite::{Connection, OpenFlags};
use tracing::subscriber::DefaultGuard;

use super::World;
use crate::support::smtp;

/// All that was logged on this thread, at every level.
pub(crate) struct Log {
    text: Text,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>, Arc<Mutex<Option<String>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        let line = String::from_utf8_lossy(bytes);
        let tripped = self
            .1
            .lock()
            .unwrap()
            .take_if(|words| line.contains(&**words));
        assert_eq!(tripped, None, "this is the test's own");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(super) fn capture() -> Log {
        let text = Text::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        Log {
            text,
            _guard: guard,
        }
    }

    /// Whatever logs these words next panics on it, once: the stand-in for a fault in the program.
    pub(crate) fn trips(&self, words: &str) {
        *self.text.1.lock().unwrap() = Some(words.to_owned());
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.0.lock().unwrap()).into_owned()
    }
}

impl World {
    /// The first column of a query on the database, as text.
    pub(crate) fn asks(&self, sql: &str) -> Vec<String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(self.database(), flags).unwrap();
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let value: rusqlite::types::Value = row.get(0)?;
            Ok(match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            })
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Somebody works on the database by hand.
    pub(crate) fn alters(&self, sql: &str) {
        let other = Connection::open(self.database()).unwrap();
        other.execute_batch(sql).unwrap();
    }

    /// The kinds of all open incidents, in the order in which they opened.
    pub(crate) fn open_incidents(&self) -> Vec<String> {
        self.asks("SELECT kind FROM incident WHERE ended_at IS NULL ORDER BY id")
    }

    /// All that ever happened to incidents: what and of which kind.
    pub(crate) fn steps(&self) -> Vec<String> {
        self.asks("SELECT what || ' ' || kind FROM step ORDER BY id")
    }

    /// How often anything ever happened to an incident of a credential.
    pub(crate) fn credential_steps(&self) -> Vec<String> {
        self.asks(
            "SELECT s.what || ' ' || s.kind FROM step s JOIN incident i ON i.id = s.incident
             WHERE i.credential <> 0 ORDER BY s.id",
        )
    }

    /// Takes all the room that is left: the database can grow no more, and what is in it stays.
    pub(super) fn fills_up(&self, db: &Db) {
        let other = Connection::open(self.database()).unwrap();
        other
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS ballast (x BLOB); INSERT INTO ballast VALUES (zeroblob(1000000))",
            )
            .unwrap();
        let pages: i64 = other
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        db.reader()
            .pragma_update(None, "max_page_count", pages)
            .unwrap();
    }

    /// Somebody makes room.
    pub(crate) fn room_is_made(&mut self) {
        self.disk_is_full = false;
        let other = Connection::open(self.database()).unwrap();
        other.execute("DELETE FROM ballast", []).unwrap();
    }

    /// The test ends while something is not told yet.
    pub(crate) fn may_end_untold(&mut self) {
        self.ending.untold = true;
    }

    /// The test lets the database fail.
    pub(crate) fn may_see_storage_faults(&mut self) {
        self.ending.storage_faults = true;
    }

    /// The test lets the server take a mail and keep quiet about it.
    pub(crate) fn may_tell_twice(&mut self) {
        self.ending.told_twice = true;
    }

    /// The notices that nobody was told of yet.
    pub(crate) fn untold(&self) -> Vec<String> {
        self.asks(
            "SELECT n.kind || ' of incident ' || n.incident || ' (' || i.kind || ')'
             FROM notice n JOIN incident i ON i.id = n.incident WHERE n.done_at IS NULL",
        )
    }

    /// No address has the same mail twice, and everybody who has a mail has the same bytes.
    fn nobody_was_told_twice(&self) {
        let mut bytes = HashMap::new();
        let mut had = HashMap::new();
        for mail in self.smtp.accepted() {
            let id = mail.header("Message-ID").unwrap();
            let first = bytes
                .entry(id.clone())
                .or_insert_with(|| mail.bytes.clone());
            assert_eq!(*first, mail.bytes, "{id} was not sent as it was packed");
            for address in mail.to {
                let times = had.entry((id.clone(), address.clone())).or_insert(0);
                *times += 1;
                assert!(
                    *times == 1 || self.ending.told_twice,
                    "{address} has {id} {times} times"
                );
            }
        }
    }

    /// No secret is in the database, its log and index, in a mail, or in our log at any level.
    fn no_secret_is_left(&self) {
        let mut secrets = self.leaf.client_keys();
        secrets.push(SECRET_MARK.to_owned());
        secrets.push(smtp::PASSWORD.to_owned());
        let mut places = vec![("the log".to_owned(), self.log.text().into_bytes())];
        for folder in ["data", "logs"] {
            for entry in std::fs::read_dir(self.folder.path().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
        for mail in self.smtp.accepted() {
            // Quoted-printable may break a line in the middle of anything.
            let text = mail.text().replace("=\r\n", "");
            places.push(("a mail".to_owned(), text.into_bytes()));
        }
        for (place, bytes) in places {
            for secret in &secrets {
                let found = bytes
                    .windows(secret.len())
                    .position(|window| window == secret.as_bytes());
                if let Some(at) = found {
                    let from = at.saturating_sub(200);
                    let around = String::from_utf8_lossy(&bytes[from..at]);
                    panic!("a secret ({}…) is in {place} after: {around}", &secret[..4]);
                }
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() || !self.database().exists() {
            return;
        }
        if !self.ending.untold {
            let untold = self.untold();
            assert!(untold.is_empty(), "left untold: {untold:?}");
        }
        if !self.ending.storage_faults {
            let log = self.log.text();
            let faults: Vec<&str> = log
                .lines()
                .filter(|line| line.contains("cannot be written") || line.contains("cannot pack"))
                .collect();
            assert!(faults.is_empty(), "{faults:#?}");
        }
        self.nobody_was_told_twice();
        self.no_secret_is_left();
    }
}
