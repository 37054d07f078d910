//! REMEMBERS. The SQLite database: the only state there is. Never decides, never reads a clock.
//!
//! Every write is one `BEGIN IMMEDIATE` transaction of the one writer; readers are short-lived connections.

mod backup;
mod clock;
mod credentials;
mod error;
mod events;
mod facts;
mod incidents;
mod lock;
mod looks;
mod migrate;
mod open;
mod outbox;
mod queries;
mod reminders;
mod row;
mod scrub;
mod silences;
mod sweeps;
mod upkeep;
mod waits;
mod writer;

pub use backup::BackupError;
pub use credentials::{Kept, Registered};
pub use error::Error;
pub use events::Diagnosis;
pub use facts::{Alike, Finding, LookCount, OpenTold};
pub use incidents::{DueNotice, Stamp};
pub use lock::{Displaced, Lock};
pub use looks::{Gap, Torn};
pub use open::{Access, Db};
pub use outbox::{Attempt, DeliveryId, NewEntry, NewMessage, Pending, Waiting};
pub use queries::{
    AckedAbout, Added, AnswerOfLife, Filter, Fleet, IncidentPart, Lifeline, NotOneUser, Past,
    PastAnswer, PastEvents, PastGap, PastSweep, Pick, Roll, Scene, Wanted,
};
pub use sweeps::{Counts, Finished, RunId};
pub use waits::{Item, Queue, cause_key};
pub use writer::Writer;

use rusqlite::Connection;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// An open write transaction; all that changes the state is a method of it.
#[derive(Debug)]
pub struct Tx<'a> {
    conn: &'a Connection,
}

impl Tx<'_> {
    /// How many rows were written over this connection so far.
    pub(crate) fn written(&self) -> u64 {
        self.conn.total_changes()
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        Ok(self.conn.prepare_cached(sql)?.execute(params)?)
    }

    fn insert(&self, sql: &str, params: impl rusqlite::Params) -> Result<i64> {
        self.execute(sql, params)?;
        Ok(self.conn.last_insert_rowid())
    }
}
