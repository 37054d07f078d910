//! What the weekly digest says.

use rusqlite::params;

use super::{Filter, IncidentPart, Scene};
use crate::model::{Credential, EndedBy};
use crate::rules::availability::Period;
use crate::store::row::{At, Word};
use crate::store::{Result, Tx};
use crate::view::digest::{Brief, Digest, Few};
use crate::view::status::CredentialState;

/// Lines of each list; the rest is counted, and listed by the commands.
const LINES: usize = 25;

impl Tx<'_> {
    /// The digest of the time from `since` to the scene's now.
    pub fn digest(&self, scene: &Scene<'_>, since: jiff::Timestamp) -> Result<Digest> {
        let period = Period {
            from: since,
            until: scene.now,
        };
        let (mut open, mut mended, mut closed) = (Vec::new(), Vec::new(), 0);
        for incident in self.incidents_in(scene, period, None, &[])? {
            match incident.ended_by {
                None => open.push(incident),
                Some(EndedBy::Proof) => mended.push(incident),
                Some(EndedBy::Unwatched | EndedBy::NotExpected) => closed += 1,
            }
        }
        open.sort_by_key(|open| (open.kind.rank(), open.began_at));
        mended.sort_by_key(|mended| std::cmp::Reverse(mended.ended_at));
        let mut open = Few::of(open, LINES);
        let filler = self.filler(scene, &[IncidentPart::Said])?;
        for shown in &mut open.first {
            filler.fill(shown)?;
        }
        let (mut watched, mut not_connected) = (0, Vec::new());
        self.each_status(scene, Filter::default(), |line| {
            watched += 1;
            if line.state == CredentialState::NotConnected {
                not_connected.push(line.who);
            }
        })?;
        let added = self.each_availability(scene, period, Filter::default(), |_| {})?;
        Ok(Digest {
            since,
            until: scene.now,
            watched,
            open,
            mended: Few::of(mended, LINES),
            closed,
            brief: Few::of(self.breakages(scene, period)?, LINES),
            not_connected: Few::of(not_connected, LINES),
            overall: added.overall,
            providers: added.providers,
            unseen: Few::of(added.unseen, LINES),
            failed: self.failed_in(scene.now, period, LINES)?,
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
}
