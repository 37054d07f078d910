//! What is to be told, was packed, and was delivered.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::row::{At, Word};
use super::{Result, Tx};
use crate::model::{Cause, IncidentId, NoticeKind};
use crate::rules::notify::{OWN_PEOPLE, TOLD_BEFORE, Told};

/// One message to one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(pub(super) i64);

/// What a new message says of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEntry {
    /// Which incident.
    pub incident: IncidentId,
    /// What is said of it.
    pub news: NoticeKind,
    /// What its readers know afterwards.
    pub told: Told,
}

/// A rendered message.
#[derive(Debug, Clone, Copy)]
pub struct NewMessage<'a> {
    /// Its Message-ID.
    pub message_id: &'a str,
    /// Its subject, for the journal.
    pub subject: &'a str,
    /// The bytes that every try sends.
    pub bytes: &'a [u8],
    /// What it says of incidents; a digest says nothing that its readers were to be told.
    pub entries: &'a [NewEntry],
    /// The shared causes that it names, by their keys.
    pub causes: &'a [(String, Cause)],
    /// Whom it goes to.
    pub addresses: &'a [String],
    /// When trying ends.
    pub give_up_at: Timestamp,
}

/// An incident of which something waits to be told to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub incident: IncidentId,
    /// Whether a reminder is among what waits.
    pub reminder: bool,
    /// Whether nothing but reminders waits.
    pub only_reminders: bool,
    /// When the first of what nobody refused has waited long enough for company.
    pub due: Option<Timestamp>,
    /// When what was refused is tried again.
    pub again: Option<Timestamp>,
    /// Whether nothing but the user's own `notify`, or that it was chosen before, names the address.
    pub own_people: bool,
}

/// A delivery whose next try is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its number.
    pub id: DeliveryId,
    /// To whom.
    pub address: String,
    /// The message's own id, without brackets.
    pub message_id: String,
    /// How often it was tried.
    pub tries: u32,
    /// When trying ends.
    pub give_up_at: Timestamp,
}

/// One try to deliver, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The server's name or address.
    pub server: String,
    /// How far it came.
    pub phase: String,
    /// The reply's code, where there was one.
    pub code: Option<u16>,
    /// The reply, or what went wrong.
    pub reply: String,
}

const WAITING: i64 = 0;
const ACCEPTED: i64 = 1;
const FAILED: i64 = 2;

impl Tx<'_> {
    /// Notes that `address` is to hear of a notice, and by which rule.
    pub fn add_addressee(&self, notice: i64, address: &str, rule: &str) -> Result<()> {
        self.execute(
            "INSERT INTO addressee (notice, address, rule) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![notice, address, rule],
        )?;
        Ok(())
    }

    /// Notes that the addressees of a notice are chosen; one without any is done.
    pub fn routed(&self, notice: i64, addressees: usize, now: Timestamp) -> Result<()> {
        let sql = match addressees {
            0 => "UPDATE notice SET routed = 1, done_at = ?2, done_as = 'folded' WHERE id = ?1",
            _ => "UPDATE notice SET routed = 1, done_as = NULL WHERE id = ?1 AND ?2 IS NOT NULL",
        };
        self.execute(sql, params![notice, At(now)])?;
        Ok(())
    }

    /// Addresses that heard of an incident, or are about to.
    pub fn audience(&self, incident: IncidentId) -> Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT DISTINCT a.address FROM notice n JOIN addressee a ON a.notice = n.id
             LEFT JOIN delivery d ON d.message = a.message AND d.address = a.address
             WHERE n.incident = ?1 AND (a.message IS NULL AND a.folded = 0 OR d.state IN (0, 1))",
        )?;
        let rows = statement.query_map([incident.0], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Another config is in force: who is to hear of what nobody accepted yet is chosen anew, and what was refused is
    /// tried at once.
    pub fn choose_anew(&self, now: Timestamp) -> Result<()> {
        self.execute(
            "DELETE FROM addressee WHERE message IS NULL AND folded = 0
               AND notice IN (SELECT id FROM notice WHERE done_at IS NULL)",
            [],
        )?;
        self.execute(
            "UPDATE notice SET routed = 0, due_at = CASE done_as WHEN 'untold' THEN min(due_at, ?1) ELSE due_at END
             WHERE done_at IS NULL",
            [At(now)],
        )?;
        Ok(())
    }

    /// Whether anything waits to be told to anybody.
    pub fn has_waiting(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM addressee WHERE message IS NULL AND folded = 0";
        Ok(self.conn.prepare_cached(sql)?.exists([])?)
    }

    /// Addresses that something waits for.
    pub(super) fn waiting_addresses(&self) -> Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT DISTINCT address FROM addressee WHERE message IS NULL AND folded = 0 ORDER BY address",
        )?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Addresses that something waits for and that have no message under way.
    pub fn idle_addresses(&self) -> Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT DISTINCT address FROM addressee WHERE message IS NULL AND folded = 0
             EXCEPT SELECT address FROM delivery WHERE state = 0",
        )?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When the message that is under way to `address` is next tried.
    pub(super) fn next_try(&self, address: &str) -> Result<Option<Timestamp>> {
        let sql = "SELECT min(next_try_at) FROM delivery WHERE address = ?1 AND done_at IS NULL AND state = 0";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([address], |row| row.get(0))?;
        Ok(at.map(|At(at)| at))
    }

    /// The incidents of which something waits for `address`, each once.
    pub fn pending(&self, address: &str) -> Result<Vec<Pending>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT n.incident, max(n.kind = 'reminder'), min(n.kind = 'reminder'),
               min(CASE coalesce(n.done_as, '') WHEN 'untold' THEN NULL ELSE n.due_at END),
               max(CASE n.done_as WHEN 'untold' THEN n.due_at END), min(a.rule IN (?2, ?3))
             FROM addressee a JOIN notice n ON n.id = a.notice
             WHERE a.address = ?1 AND a.message IS NULL AND a.folded = 0 GROUP BY n.incident",
        )?;
        let rows = statement.query_map([address, OWN_PEOPLE, TOLD_BEFORE], |row| {
            let time = |column| row.get::<_, Option<At>>(column);
            Ok(Pending {
                incident: IncidentId(row.get(0)?),
                reminder: row.get(1)?,
                only_reminders: row.get(2)?,
                due: time(3)?.map(|At(at)| at),
                again: time(4)?.map(|At(at)| at),
                own_people: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What `address` knows of an incident.
    pub fn told(&self, incident: IncidentId, address: &str) -> Result<Option<Told>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT e.kind, e.open, e.turn FROM entry e JOIN delivery d ON d.message = e.message
             WHERE e.incident = ?1 AND d.address = ?2 AND d.state = 1 ORDER BY e.message DESC LIMIT 1",
        )?;
        let told = statement.query_row(params![incident.0, address], |row| {
            let Word(kind) = row.get(0)?;
            Ok(Told {
                kind,
                open: row.get(1)?,
                turn: row.get(2)?,
            })
        });
        Ok(told.optional()?)
    }

    /// Ids of the earlier messages about an incident that `address` has, newest first.
    pub fn thread(&self, incident: IncidentId, address: &str, limit: u32) -> Result<Vec<String>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT m.message_id FROM entry e JOIN delivery d ON d.message = e.message JOIN message m ON m.id = e.message
             WHERE e.incident = ?1 AND d.address = ?2 AND d.state = 1 ORDER BY e.message DESC LIMIT ?3",
        )?;
        let rows = statement.query_map(params![incident.0, address, limit], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When a message about incidents was last packed for `address`; a digest holds nothing up.
    pub fn last_packed(&self, address: &str) -> Result<Option<Timestamp>> {
        let sql = "SELECT m.at FROM delivery d JOIN message m ON m.id = d.message
                   WHERE d.address = ?1 AND EXISTS (SELECT 1 FROM entry WHERE message = m.id)
                   ORDER BY d.id DESC LIMIT 1";
        let mut statement = self.conn.prepare_cached(sql)?;
        let at = statement.query_row([address], |row| row.get(0));
        Ok(at.optional()?.map(|At(at)| at))
    }

    /// Keeps a rendered message and what it says, and begins its delivery to each address. What waits for these addresses
    /// of other incidents waits on.
    pub fn keep_message(&self, new: &NewMessage<'_>, now: Timestamp) -> Result<()> {
        let NewMessage {
            message_id,
            subject,
            bytes,
            entries,
            causes,
            addresses,
            give_up_at,
        } = *new;
        let message = self.insert(
            "INSERT INTO message (message_id, subject, at, bytes) VALUES (?1, ?2, ?3, ?4)",
            params![message_id, subject, At(now), bytes],
        )?;
        for entry in entries {
            let Told { kind, open, turn } = entry.told;
            self.execute(
                "INSERT INTO entry (message, incident, telling, kind, open, turn) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![message, entry.incident.0, Word(entry.news), Word(kind), open, turn],
            )?;
        }
        for (key, cause) in causes {
            self.keep_cause(message, key, cause)?;
        }
        for address in addresses {
            self.execute(
                "INSERT INTO delivery (message, address, state, next_try_at, give_up_at) VALUES (?1, ?2, 0, ?3, ?4)",
                params![message, address, At(now), At(give_up_at)],
            )?;
            self.execute(
                "UPDATE addressee SET message = ?2 WHERE address = ?1 AND message IS NULL AND folded = 0 AND notice IN
                   (SELECT n.id FROM entry e JOIN notice n ON n.incident = e.incident WHERE e.message = ?2)",
                params![address, message],
            )?;
        }
        Ok(())
    }

    /// There is nothing left to tell `address` of an incident: what waits is folded away.
    pub fn fold(&self, incident: IncidentId, address: &str, now: Timestamp) -> Result<()> {
        self.execute(
            "UPDATE addressee SET folded = 1 WHERE address = ?2 AND message IS NULL AND folded = 0
               AND notice IN (SELECT id FROM notice WHERE incident = ?1)",
            params![incident.0, address],
        )?;
        self.execute(
            "UPDATE notice SET done_at = ?2, done_as = 'folded' WHERE incident = ?1 AND routed = 1 AND done_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM addressee WHERE notice = notice.id AND folded = 0)",
            params![incident.0, At(now)],
        )?;
        Ok(())
    }

    /// Deliveries whose next try is due.
    pub fn due_deliveries(&self, now: Timestamp) -> Result<Vec<Waiting>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT d.id, d.address, m.message_id, d.tries, d.give_up_at
             FROM delivery d INDEXED BY delivery_waiting JOIN message m ON m.id = d.message
             WHERE d.state = 0 AND d.next_try_at <= ?1 ORDER BY d.id",
        )?;
        let rows = statement.query_map([At(now)], |row| {
            let At(give_up_at) = row.get(4)?;
            Ok(Waiting {
                id: DeliveryId(row.get(0)?),
                address: row.get(1)?,
                message_id: row.get(2)?,
                tries: row.get(3)?,
                give_up_at,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The bytes of a delivery's message: the same at every try.
    pub fn bytes(&self, delivery: DeliveryId) -> Result<Vec<u8>> {
        let sql =
            "SELECT m.bytes FROM delivery d JOIN message m ON m.id = d.message WHERE d.id = ?1";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([delivery.0], |row| row.get(0))?)
    }

    /// When the next notice is due that no addressees are chosen for yet.
    pub fn next_notice(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT min(due_at) FROM notice WHERE done_at IS NULL AND routed = 0";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(at.map(|At(at)| at))
    }

    /// When anything about mails is next due: a notice, a try, the end of a silence.
    pub fn next_due(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT min(at) FROM (
              SELECT min(due_at) AS at FROM notice
              WHERE done_at IS NULL AND routed = 0
            UNION ALL SELECT min(next_try_at) FROM delivery WHERE state = 0
            UNION ALL SELECT min(coalesce(ended_at, until_at)) FROM silence WHERE settled = 0)";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(at.map(|At(at)| at))
    }

    /// How many notices were due before `since` and are told to nobody yet.
    pub fn overdue_notices(&self, since: Timestamp) -> Result<u32> {
        // What waits for a quiet window, a cap or a silence waits on purpose.
        let sql = "SELECT count(*) FROM notice WHERE done_at IS NULL AND due_at < ?1 AND (
                     routed = 0 OR EXISTS
                     (SELECT 1 FROM addressee a JOIN delivery d ON d.message = a.message AND d.address = a.address
                      WHERE a.notice = notice.id AND d.state = 0))";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([At(since)], |row| row.get(0))?)
    }

    /// When the oldest mail was packed that waits for the mail server.
    pub fn oldest_waiting(&self) -> Result<Option<Timestamp>> {
        let sql =
            "SELECT min(m.at) FROM delivery d JOIN message m ON m.id = d.message WHERE d.state = 0";
        let at: Option<At> = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(at.map(|At(at)| at))
    }

    /// Keeps a delivery from being tried again before `until`, whatever becomes of this try: a database that cannot even
    /// take this could not take the server's yes.
    pub fn lease(&self, delivery: DeliveryId, until: Timestamp) -> Result<()> {
        let sql = "UPDATE delivery SET next_try_at = ?2 WHERE id = ?1 AND state = 0";
        self.execute(sql, params![delivery.0, At(until)])?;
        Ok(())
    }

    /// How many deliveries wait.
    pub fn waiting_deliveries(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM delivery WHERE state = 0";
        Ok(self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?)
    }

    /// The way to the mail server is open again: what waits is tried at once.
    pub fn path_is_open(&self, now: Timestamp) -> Result<()> {
        self.execute(
            "UPDATE delivery SET next_try_at = ?1 WHERE state = 0 AND next_try_at > ?1",
            [At(now)],
        )?;
        Ok(())
    }

    /// The server took it. Its notices are told, and what nobody accepted before is due again: mail gets through.
    pub fn accepted(&self, delivery: DeliveryId, attempt: &Attempt, now: Timestamp) -> Result<()> {
        self.end_delivery(delivery, ACCEPTED, attempt, now)?;
        self.execute(
            "UPDATE notice SET done_at = ?2, done_as = 'told' WHERE done_at IS NULL AND id IN
               (SELECT a.notice FROM delivery d JOIN addressee a ON a.message = d.message AND a.address = d.address
                WHERE d.id = ?1)",
            params![delivery.0, At(now)],
        )?;
        self.execute(
            "UPDATE notice SET due_at = ?1 WHERE done_at IS NULL AND done_as = 'untold' AND due_at > ?1",
            [At(now)],
        )?;
        Ok(())
    }

    /// The server refused it for good, or trying ended. A notice that no address accepted and none can accept any more
    /// is untold: it is packed anew at `again`, or when mail next gets through, while its incident is open. So is the news
    /// that it is back, where the address is left with its end.
    pub fn failed(
        &self,
        delivery: DeliveryId,
        attempt: &Attempt,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<()> {
        self.end_delivery(delivery, FAILED, attempt, now)?;
        let mut statement = self.conn.prepare_cached(
            "UPDATE notice SET done_as = 'untold', due_at = ?2 WHERE done_at IS NULL AND id IN
               (SELECT a.notice FROM delivery d JOIN addressee a ON a.message = d.message AND a.address = d.address
                WHERE d.id = ?1)
             AND incident IN (SELECT id FROM incident WHERE ended_at IS NULL)
             AND NOT EXISTS (SELECT 1 FROM addressee a LEFT JOIN delivery d ON d.message = a.message AND d.address = a.address
                WHERE a.notice = notice.id AND (a.message IS NULL AND a.folded = 0 OR d.state IN (0, 1)))
             RETURNING id",
        )?;
        let rows = statement.query_map(params![delivery.0, At(again)], |row| row.get(0))?;
        for notice in rows.collect::<rusqlite::Result<Vec<i64>>>()? {
            let sql = "UPDATE addressee SET message = NULL WHERE notice = ?1 AND folded = 0";
            self.execute(sql, [notice])?;
        }
        self.undo_false_ends(delivery, now, again)?;
        // Of what is over nobody needs to hear any more.
        self.execute(
            "UPDATE notice SET done_at = ?2, done_as = 'failed' WHERE done_at IS NULL AND routed = 1 AND id IN
               (SELECT a.notice FROM delivery d JOIN addressee a ON a.message = d.message AND a.address = d.address
                WHERE d.id = ?1)
             AND EXISTS (SELECT 1 FROM incident i WHERE i.id = notice.incident AND i.ended_at IS NOT NULL)
             AND NOT EXISTS (SELECT 1 FROM addressee a LEFT JOIN delivery d ON d.message = a.message AND d.address = a.address
                WHERE a.notice = notice.id AND (a.message IS NULL AND a.folded = 0 OR d.state IN (0, 1)))",
            params![delivery.0, At(now)],
        )?;
        Ok(())
    }

    /// Whoever was told that something is over, and refused to hear that it is back, hears it once more.
    fn undo_false_ends(
        &self,
        delivery: DeliveryId,
        now: Timestamp,
        again: Timestamp,
    ) -> Result<()> {
        let mut statement = self.conn.prepare_cached(
            "SELECT e.incident, d.address FROM delivery d JOIN entry e ON e.message = d.message AND e.open = 1
             JOIN incident i ON i.id = e.incident AND i.ended_at IS NULL WHERE d.id = ?1
             AND NOT EXISTS (SELECT 1 FROM notice n JOIN addressee a ON a.notice = n.id
               WHERE n.incident = e.incident AND a.address = d.address AND a.message IS NULL AND a.folded = 0)",
        )?;
        let rows = statement.query_map([delivery.0], |row| {
            Ok((IncidentId(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        for (incident, address) in rows.collect::<rusqlite::Result<Vec<_>>>()? {
            if self
                .told(incident, &address)?
                .is_some_and(|told| !told.open)
            {
                let notice = self.insert(
                    "INSERT INTO notice (incident, kind, at, due_at, routed, done_as) VALUES (?1, 'reopened', ?2, ?3, 1, 'untold')",
                    params![incident.0, At(now), At(again)],
                )?;
                self.add_addressee(notice, &address, TOLD_BEFORE)?;
            }
        }
        Ok(())
    }

    /// It is tried again at `next_try`.
    pub fn deferred(
        &self,
        delivery: DeliveryId,
        attempt: &Attempt,
        now: Timestamp,
        next_try: Timestamp,
    ) -> Result<()> {
        self.add_attempt(delivery, attempt, now)?;
        self.execute(
            "UPDATE delivery SET tries = tries + 1, next_try_at = ?2 WHERE id = ?1 AND state = 0",
            params![delivery.0, At(next_try)],
        )?;
        Ok(())
    }

    fn end_delivery(
        &self,
        delivery: DeliveryId,
        state: i64,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<()> {
        self.add_attempt(delivery, attempt, now)?;
        self.execute(
            "UPDATE delivery SET state = ?2, tries = tries + 1, done_at = ?3 WHERE id = ?1 AND state = ?4",
            params![delivery.0, state, At(now), WAITING],
        )?;
        Ok(())
    }

    fn add_attempt(&self, delivery: DeliveryId, attempt: &Attempt, now: Timestamp) -> Result<()> {
        let Attempt {
            server,
            phase,
            code,
            reply,
        } = attempt;
        self.execute(
            "INSERT INTO attempt (delivery, at, server, phase, code, reply) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![delivery.0, At(now), server, phase, code, reply],
        )?;
        Ok(())
    }
}
