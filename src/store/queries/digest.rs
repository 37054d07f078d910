//! What the weekly digest says.

use rusqlite::params;

use super::{Filter, Scene};
use crate::model::{Credential, EndedBy, clean};
use crate::rules::availability::Period;
use crate::store::row::{At, Word};
use crate::store::{Result, Silence, Tx};
use crate::view::digest::{Brief, Digest, Failed, Few, Open};
use crate::view::status::State;
use crate::view::{About, report};

/// Lines of each list; the rest is counted, and listed by the commands.
const LINES: usize = 25;

/// The longest reply of a mail server that is shown.
const REPLY: usize = 200;

impl Tx<'_> {
    /// The digest of the time from `since` to the scene's now.
    pub fn digest(&self, scene: &Scene<'_>, since: jiff::Timestamp) -> Result<Digest> {
        let period = Period {
            from: since,
            until: scene.now,
        };
        let silences = self.silences(scene.now, false)?;
        let (mut open, mut mended, mut closed) = (Vec::new(), Vec::new(), 0);
        for line in self.incidents_in(scene, period, None)? {
            match line.ended_by {
                None => open.push(self.open_line(scene, line, &silences)?),
                Some(EndedBy::Proof) => mended.push(line),
                Some(EndedBy::Unwatched | EndedBy::NotExpected) => closed += 1,
            }
        }
        open.sort_by_key(|open| (open.line.kind.rank(), open.line.began_at));
        mended.sort_by_key(|line| std::cmp::Reverse(line.ended_at));
        let (mut watched, mut not_connected) = (0, Vec::new());
        self.each_status(scene, Filter::default(), |line| {
            watched += 1;
            if line.state == State::NotConnected {
                not_connected.push(line.who);
            }
        })?;
        let added = self.each_availability(scene, period, Filter::default(), |_| {})?;
        Ok(Digest {
            since,
            until: scene.now,
            watched,
            open: Few::of(open, LINES),
            mended: Few::of(mended, LINES),
            closed,
            brief: Few::of(self.breakages(scene, period)?, LINES),
            not_connected: Few::of(not_connected, LINES),
            overall: added.overall,
            providers: added.providers,
            unseen: Few::of(added.unseen, LINES),
            failed: Few::of(self.failed_in(period)?, LINES),
        })
    }

    fn open_line(
        &self,
        scene: &Scene<'_>,
        line: report::Line,
        silences: &[Silence],
    ) -> Result<Open> {
        let credential = match &line.about {
            About::Credential(who) => Some(Credential {
                user: who.user.user,
                provider: who.provider,
            }),
            About::Leafwatch { .. } => None,
        };
        Ok(Open {
            acknowledged: self.is_acknowledged(line.incident, scene.now)?,
            silenced: silences
                .iter()
                .any(|silence| silence.what.matches(line.kind, credential)),
            line,
        })
    }

    /// Events marked as brief that were read at one time are one breakage.
    fn breakages(&self, scene: &Scene<'_>, period: Period) -> Result<Vec<Brief>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT min(e.at), max(e.at), count(*), c.leaf_user, c.provider, c.leaf_name
             FROM event e JOIN credential c ON c.id = e.credential
             WHERE e.seen_at >= ?1 AND e.seen_at < ?2 AND e.brief = 1 AND e.at IS NOT NULL
             GROUP BY e.credential, e.seen_at ORDER BY max(e.at) DESC",
        )?;
        let times = params![At(period.from), At(period.until)];
        let rows = statement.query_map(times, |row| {
            let (At(from), At(until), Word(provider)) = (row.get(0)?, row.get(1)?, row.get(4)?);
            let leaf_name: Option<String> = row.get(5)?;
            let credential = Credential {
                user: row.get(3)?,
                provider,
            };
            Ok(Brief {
                who: scene.who(credential, leaf_name.as_deref()),
                from,
                until,
                failures: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn failed_in(&self, period: Period) -> Result<Vec<Failed>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT d.done_at, d.address, m.subject,
               (SELECT reply FROM attempt WHERE delivery = d.id ORDER BY at DESC, rowid DESC LIMIT 1)
             FROM delivery d JOIN message m ON m.id = d.message
             WHERE d.state = 2 AND d.done_at >= ?1 AND d.done_at < ?2 ORDER BY d.done_at DESC, d.id DESC",
        )?;
        let times = params![At(period.from), At(period.until)];
        let rows = statement.query_map(times, |row| {
            let At(at) = row.get(0)?;
            let reply: Option<String> = row.get(3)?;
            Ok(Failed {
                at,
                address: row.get(1)?,
                subject: row.get(2)?,
                reply: clean(&reply.unwrap_or_default(), REPLY),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
