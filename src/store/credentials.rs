//! Who is or was watched.

use jiff::Timestamp;
use rusqlite::params;

use super::row::{At, Word};
use super::{Result, Tx};
use crate::model::{Credential, CredentialId};

/// What the database has of one credential, for the list that a sweep works through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// Its number.
    pub id: CredentialId,
    /// Which it is.
    pub credential: Credential,
    /// Whether it is watched.
    pub watched: bool,
    /// Whether it gave no answer when last asked in a whole sweep.
    pub in_gap: bool,
    /// When its events were last read.
    pub events_looked_at: Option<Timestamp>,
}

/// What is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept<'a> {
    /// The status word that stands.
    pub status: Option<&'a str>,
    /// Leaf's id of it, as it stands.
    pub leaf_id: Option<&'a str>,
    /// The user's last known name.
    pub name: Option<&'a str>,
}

impl Tx<'_> {
    /// Calls `each` for every credential that ever was watched.
    pub fn each_credential(&self, mut each: impl FnMut(Registered, Kept<'_>)) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT c.id, leaf_user, provider, watched, g.credential IS NOT NULL, events_looked_at,
               (SELECT r.status FROM span s JOIN reading r ON r.id = s.reading
                WHERE s.credential = c.id AND s.to_sweep IS NULL ORDER BY s.from_sweep DESC LIMIT 1),
               leaf_name,
               (SELECT s.leaf_id FROM span s WHERE s.credential = c.id AND s.to_sweep IS NULL ORDER BY s.from_sweep DESC LIMIT 1)
             FROM credential c LEFT JOIN gap g ON g.credential = c.id AND g.to_sweep IS NULL",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Word(provider) = row.get(2)?;
            let registered = Registered {
                id: CredentialId(row.get(0)?),
                credential: Credential {
                    user: row.get(1)?,
                    provider,
                },
                watched: row.get(3)?,
                in_gap: row.get(4)?,
                events_looked_at: row.get::<_, Option<At>>(5)?.map(|At(at)| at),
            };
            let text = |at| {
                let text = row.get_ref(at)?.as_str_or_null();
                text.map_err(rusqlite::Error::from)
            };
            let kept = Kept {
                status: text(6)?,
                name: text(7)?,
                leaf_id: text(8)?,
            };
            each(registered, kept);
        }
        Ok(())
    }

    /// Adds a credential that was never watched before, or takes it up again.
    pub fn watch(&self, credential: Credential, now: Timestamp) -> Result<CredentialId> {
        self.watch_named(credential, None, now)
    }

    /// The same for a user who has a name in the config.
    pub fn watch_named(
        &self,
        credential: Credential,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<CredentialId> {
        let key = params![credential.user, Word(credential.provider), At(now), name];
        let added = self.execute(
            "INSERT INTO credential (leaf_user, provider, watched, added_at, leaf_name) VALUES (?1, ?2, 1, ?3, ?4)
             ON CONFLICT DO NOTHING",
            key,
        )?;
        if added > 0 {
            return Ok(CredentialId(self.conn.last_insert_rowid()));
        }
        let sql =
            "UPDATE credential SET watched = 1, added_at = ?3, leaf_name = coalesce(?4, leaf_name)
                   WHERE leaf_user = ?1 AND provider = ?2 RETURNING id";
        let id = self
            .conn
            .prepare_cached(sql)?
            .query_row(key, |row| row.get(0))?;
        Ok(CredentialId(id))
    }

    /// Ends the watch: its answer and gap end here, its history stays.
    pub fn unwatch(&self, credential: CredentialId, now: Timestamp) -> Result<()> {
        let next = self.newest_sweep()?.0 + 1;
        let id = credential.0;
        self.execute("UPDATE credential SET watched = 0 WHERE id = ?1", [id])?;
        for table in ["span", "gap"] {
            let sql = format!(
                "UPDATE {table} SET to_sweep = ?2, to_at = ?3 WHERE credential = ?1 AND to_sweep IS NULL"
            );
            self.execute(&sql, params![id, next, At(now)])?;
        }
        Ok(())
    }

    /// Keeps the name of a user, where it is another one than the one kept: what is said of the user when the config no
    /// longer has one.
    pub fn keep_name(&self, user: crate::model::UserId, name: &str) -> Result<()> {
        self.execute(
            "UPDATE credential SET leaf_name = ?2 WHERE leaf_user = ?1 AND leaf_name IS NOT ?2",
            params![user, name],
        )?;
        Ok(())
    }

    /// Which credential a number stands for.
    pub fn credential(&self, id: CredentialId) -> Result<Credential> {
        let sql = "SELECT leaf_user, provider FROM credential WHERE id = ?1";
        Ok(self.conn.prepare_cached(sql)?.query_row([id.0], |row| {
            let Word(provider) = row.get(1)?;
            Ok(Credential {
                user: row.get(0)?,
                provider,
            })
        })?)
    }
}
