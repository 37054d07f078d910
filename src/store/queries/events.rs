//! One user's events as kept, the newest first.

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::{Filter, Scene};
use crate::model::{self, CredentialId, EventVerdict, Provider, UserId};
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::events::{Unusable, UsersEvents};
use crate::view::{Event, User};

impl Tx<'_> {
    /// The events of `user`; those without a readable date stand where they were first seen.
    pub fn events_of(&self, user: User, filter: Filter) -> Result<UsersEvents> {
        let mut events = Vec::new();
        for (id, provider) in self.credentials_of(user.user)? {
            if filter.takes(provider) {
                events.extend(self.events_shown(id, provider, filter.since, None)?);
            }
        }
        events.sort_by_key(|event: &Event| std::cmp::Reverse(event.at.unwrap_or(event.seen_at)));
        Ok(UsersEvents {
            user,
            since: filter.since,
            events,
        })
    }

    /// A user's credentials, those no longer watched too.
    pub(super) fn credentials_of(&self, user: UserId) -> Result<Vec<(CredentialId, Provider)>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, provider FROM credential WHERE leaf_user = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([user], |row| {
            let Word(provider) = row.get(1)?;
            Ok((CredentialId(row.get(0)?), provider))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The events of one credential since then, the newest first; at most `limit`.
    pub fn events_shown(
        &self,
        id: CredentialId,
        provider: Provider,
        since: Option<Timestamp>,
        limit: Option<u32>,
    ) -> Result<Vec<Event>> {
        let epoch_since = self.standing(id)?.1.since;
        let mut statement = self.conn.prepare_cached(
            "SELECT at, seen_at, status_code, body, headers, brief FROM event
             WHERE credential = ?1 AND coalesce(at, seen_at) >= ?2 ORDER BY coalesce(at, seen_at) DESC, id DESC
             LIMIT ?3",
        )?;
        let since = since.unwrap_or(Timestamp::UNIX_EPOCH);
        let limit = limit.map_or(-1, i64::from);
        let rows = statement.query_map(params![id.0, At(since), limit], |row| {
            entry(row, provider, epoch_since)
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How many events of a credential are kept.
    pub fn events_kept(&self, id: CredentialId) -> Result<u64> {
        let sql = "SELECT count(*) FROM event WHERE credential = ?1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let kept: u32 = statement.query_row([id.0], |row| row.get(0))?;
        Ok(u64::from(kept))
    }
}

fn entry(
    row: &Row<'_>,
    provider: Provider,
    epoch_since: Option<Timestamp>,
) -> rusqlite::Result<Event> {
    let at = row.get::<_, Option<At>>(0)?.map(|At(at)| at);
    let At(seen_at) = row.get(1)?;
    let event = model::Event {
        identity: Vec::new(),
        at,
        status_code: row.get(2)?,
        body: row.get(3)?,
        headers: row.get(4)?,
    };
    let says = event.verdict();
    let unusable = match at {
        None => Some(Unusable::Undated),
        Some(at) if at > seen_at => Some(Unusable::InTheFuture),
        Some(at) if epoch_since.is_some_and(|since| at < since) => {
            Some(Unusable::BeforeThisConnection)
        }
        Some(_) => None,
    };
    Ok(Event {
        at,
        seen_at,
        provider,
        status_code: event.status_code,
        says,
        brief: row.get(5)?,
        judges_nothing: unusable.filter(|_| says != EventVerdict::Neither),
        body: event.body,
        headers: event.headers,
    })
}

impl Scene<'_> {
    /// The time so long ago.
    pub fn ago(&self, length: std::time::Duration) -> Timestamp {
        self.now
            .checked_sub(length)
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
