//! The only door to a decision: takes facts, asks the rules, and writes what they decide, in the caller's transaction.
//!
//! Callable without the loops; sweep, gather, deliver, `check` and simulations all come through here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::{
    Answer, Credential, CredentialId, Event, EventVerdict, Expectation, Kind, Policy, StatusWords,
    SweepEnd, SweepId, Track, Transition, WatchList,
};
use crate::rules::failing::Sign;
use crate::rules::fleet::{self, Census};
use crate::rules::incidents::{self, Condition, Fact, Known, Moment, Plan};
use crate::rules::judge::{self, Access};
use crate::store::{Counts, Finished, Gap, Result, Stamp, Tx};

/// What holds while facts are judged.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// What the rules decide by.
    pub policy: &'a Policy,
    /// What is watched.
    pub watch: &'a WatchList,
    /// The program was off for longer than a sweep interval, and no sweep was whole since.
    pub after_off: bool,
}

/// One answer of Leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// About whom, in the database.
    pub id: CredentialId,
    /// About whom.
    pub credential: Credential,
    /// What it said.
    pub answer: Answer,
    /// When, by our clock.
    pub at: Timestamp,
    /// When, by Leaf's clock.
    pub leaf_at: Timestamp,
}

/// How a sweep ended, and what it found.
#[derive(Debug, Clone)]
pub struct Swept {
    /// Its number.
    pub sweep: SweepId,
    /// How it ended.
    pub end: SweepEnd,
    /// Why it was given up, in a few plain words.
    pub reason: String,
    /// What it counted.
    pub counts: Counts,
    /// Who gave no answer.
    pub gaps: Vec<Gap>,
    /// Watched time since the full sweep before it, in this run.
    pub elapsed: Duration,
    /// Time since Leaf was last tried, by a sweep or a probe, in this run.
    pub since_last_try: Duration,
    /// When it ended, by our clock.
    pub at: Timestamp,
    /// The same by Leaf's clock.
    pub leaf_at: Timestamp,
}

impl<'a> Bench<'a> {
    /// Under `config`, where the program was not off.
    pub fn of(config: &'a Config) -> Self {
        Bench {
            policy: &config.policy,
            watch: &config.watch,
            after_off: false,
        }
    }

    fn stamp(&self, sweep: SweepId, now: Timestamp) -> Stamp {
        Stamp {
            sweep,
            now,
            due: now + self.policy.alerts.group_wait,
        }
    }

    fn moment(&self, now: Timestamp, leaf_now: Timestamp, expectation: Expectation) -> Moment<'a> {
        let Bench {
            policy, after_off, ..
        } = *self;
        Moment {
            now,
            leaf_now,
            policy,
            expectation,
            after_off,
            blind: false,
        }
    }

    /// Judges answers of one sweep. Returns the credentials of which an incident opened or changed.
    pub fn answers(
        &self,
        tx: &Tx<'_>,
        sweep: SweepId,
        counts: Counts,
        looks: &[Look],
    ) -> Result<Vec<CredentialId>> {
        let mut told = Vec::new();
        // An answer may come late about a credential that a reload dropped meanwhile.
        for look in looks
            .iter()
            .filter(|look| self.watch.contains(look.credential))
        {
            let known = tx.known(look.id, self.policy, look.at, look.leaf_at)?;
            let moment = self.moment(
                look.at,
                look.leaf_at,
                self.watch.expectation(look.credential),
            );
            let plan = incidents::decide(&known, Fact::Answer(&look.answer), &moment);
            tx.apply(
                look.id,
                Some(&look.answer),
                &plan,
                self.stamp(sweep, look.at),
            )?;
            let new = |(transition, _): &(Transition, String)| {
                matches!(
                    transition,
                    Transition::Opened { .. }
                        | Transition::Changed { .. }
                        | Transition::Reopened { .. }
                )
            };
            if plan.transitions.iter().any(new) {
                told.push(look.id);
            }
        }
        if let Some(newest) = looks.last() {
            tx.note_leaf_clock(newest.at, newest.leaf_at)?;
        }
        if let Some(last) = looks.last() {
            tx.note_leaf_clock(last.at, last.leaf_at)?;
        }
        tx.note_progress(sweep, counts)?;
        Ok(told)
    }

    /// Judges the events of one credential, as they were read now. `leaf_now` is Leaf's clock.
    pub fn events(
        &self,
        tx: &Tx<'_>,
        (id, credential): (CredentialId, Credential),
        events: &[Event],
        now: Timestamp,
        leaf_now: Timestamp,
    ) -> Result<()> {
        if !self.watch.contains(credential) {
            return Ok(());
        }
        let mut new_failures = Vec::new();
        for event in events {
            if tx.keep_event(id, event, now)? && event.verdict() == EventVerdict::Failure {
                new_failures.push(event);
            }
        }
        tx.events_were_read(id, now)?;
        tx.note_leaf_clock(now, leaf_now)?;
        let known = tx.known(id, self.policy, now, leaf_now)?;
        let moment = self.moment(now, leaf_now, self.watch.expectation(credential));
        let plan = incidents::decide(&known, Fact::Events, &moment);
        tx.apply(id, None, &plan, self.stamp(tx.newest_sweep()?, now))?;
        self.note_brief_breakage(tx, id, &known, &plan, &new_failures, &moment)
    }

    /// Failures between two healthy looks that make no warning: recorded, never mailed.
    fn note_brief_breakage(
        &self,
        tx: &Tx<'_>,
        id: CredentialId,
        known: &Known,
        plan: &Plan,
        new_failures: &[&Event],
        moment: &Moment<'_>,
    ) -> Result<()> {
        let healthy = known.standing.as_ref().is_some_and(|standing| {
            judge::access(&standing.answer, &self.policy.status_words) == Access::Healthy
        });
        let quiet = plan.transitions.is_empty()
            && !known
                .incidents
                .iter()
                .any(|i| i.is_open() && i.track == Track::Access);
        if !(healthy && quiet && new_failures.len() >= 2) {
            return Ok(());
        }
        // What failed before the looks became healthy was seen as what it was, or by nobody.
        let healthy_since = tx
            .healthy_since(id, &self.policy.status_words)?
            .map(|at| at + moment.leaf_now.duration_since(moment.now));
        let since = known.epoch.since.max(healthy_since);
        let counts = |event: &&&Event| {
            Sign::of(event).is_some_and(|sign| {
                sign.at <= moment.leaf_now && since.is_none_or(|since| sign.at >= since)
            })
        };
        let failures: Vec<_> = new_failures.iter().filter(counts).collect();
        if failures.len() >= 2 {
            for event in failures {
                tx.mark_brief(id, &event.identity)?;
            }
        }
        Ok(())
    }

    /// Judges the end of a sweep: the account first, then, where it was whole, all that a single answer cannot prove.
    /// Returns whether we are blind now.
    pub fn swept(&self, tx: &Tx<'_>, swept: &Swept) -> Result<bool> {
        tx.note_leaf_clock(swept.at, swept.leaf_at)?;
        let (seen, missing) = tx.census()?;
        let nobody_seen = seen == 0;
        let (known, missing) = if nobody_seen {
            tx.standing_answers()?
        } else {
            (seen, missing)
        };
        let census = Census {
            known,
            missing,
            nobody_seen,
        };
        let account = fleet::account(swept.end, &swept.reason, census);
        let blind = match &account {
            Some(condition) => condition.is_some(),
            None => tx.is_blind()?,
        };
        let Swept {
            sweep,
            end,
            counts,
            elapsed,
            at,
            ..
        } = *swept;
        tx.end_sweep(
            sweep,
            Finished {
                end,
                blind,
                counts,
                elapsed,
                interval: self.policy.schedules.sweep.typical_interval(),
            },
            at,
        )?;
        if let Some(condition) = account {
            self.account(tx, condition.as_ref(), sweep, swept.since_last_try, at)?;
        }
        if end == SweepEnd::Whole {
            tx.end_pause()?;
            self.settle_credentials(tx, swept, blind)?;
            self.doubt_fleet(tx, swept)?;
            if !blind {
                self.settle_words(tx, at)?;
                self.settle_contradictions(tx, at)?;
            }
        }
        Ok(blind)
    }

    /// Judges a try to reach Leaf between sweeps, while blind; only a failed one says something.
    pub fn probed(
        &self,
        tx: &Tx<'_>,
        end: SweepEnd,
        reason: &str,
        since_last_try: Duration,
        now: Timestamp,
    ) -> Result<()> {
        let census = Census {
            known: 0,
            missing: 0,
            nobody_seen: false,
        };
        match fleet::account(end, reason, census) {
            Some(Some(condition)) => self.account(
                tx,
                Some(&condition),
                tx.newest_sweep()?,
                since_last_try,
                now,
            ),
            _ => Ok(()),
        }
    }

    fn account(
        &self,
        tx: &Tx<'_>,
        condition: Option<&Condition>,
        sweep: SweepId,
        elapsed: Duration,
        now: Timestamp,
    ) -> Result<()> {
        self.steady(
            tx,
            (Track::Account, None),
            "",
            condition,
            sweep,
            elapsed,
            now,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one track and subject, one condition, one moment"
    )]
    fn steady(
        &self,
        tx: &Tx<'_>,
        track: (Track, Option<Kind>),
        subject: &str,
        condition: Option<&Condition>,
        sweep: SweepId,
        elapsed: Duration,
        now: Timestamp,
    ) -> Result<()> {
        let known = tx.known_own(track, subject, self.policy, now)?;
        let nobody = Expectation {
            environment: None,
            named: false,
        };
        let moment = self.moment(now, now, nobody);
        let plan = incidents::settle(&known, track.0, condition, elapsed, &moment);
        tx.apply_own(subject, &plan, self.stamp(sweep, now))
    }

    /// Settles one own trouble: whether `condition` is true of `subject` now.
    pub fn own_one(
        &self,
        tx: &Tx<'_>,
        kind: Kind,
        subject: &str,
        condition: Option<&Condition>,
        now: Timestamp,
    ) -> Result<()> {
        if condition.is_none() && !tx.own_subjects(kind)?.iter().any(|known| known == subject) {
            return Ok(());
        }
        let sweep = tx.newest_sweep()?;
        self.steady(
            tx,
            (Track::Own, Some(kind)),
            subject,
            condition,
            sweep,
            Duration::ZERO,
            now,
        )
    }

    /// Ends the watch of credentials that were taken out of the config: their open incidents are closed.
    pub fn unwatch(&self, tx: &Tx<'_>, dropped: &[CredentialId], now: Timestamp) -> Result<()> {
        let sweep = tx.newest_sweep()?;
        for id in dropped {
            let known = tx.known(*id, self.policy, now, now)?;
            let nobody = Expectation {
                environment: None,
                named: false,
            };
            let plan = incidents::decide(&known, Fact::Unwatched, &self.moment(now, now, nobody));
            tx.apply(*id, None, &plan, self.stamp(sweep, now))?;
            tx.unwatch(*id, now)?;
        }
        Ok(())
    }

    /// Settles own trouble of one kind: `conditions` are all that is true of it now, each with its subject.
    pub fn own(
        &self,
        tx: &Tx<'_>,
        kind: Kind,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Result<()> {
        let sweep = tx.newest_sweep()?;
        let mut subjects: BTreeSet<String> = tx.own_subjects(kind)?.into_iter().collect();
        subjects.extend(conditions.iter().map(|condition| condition.subject.clone()));
        for subject in subjects {
            let condition = conditions
                .iter()
                .find(|condition| condition.subject == subject);
            self.steady(
                tx,
                (Track::Own, Some(kind)),
                &subject,
                condition,
                sweep,
                Duration::ZERO,
                now,
            )?;
        }
        Ok(())
    }

    fn settle_credentials(&self, tx: &Tx<'_>, swept: &Swept, blind: bool) -> Result<()> {
        let mut silent = BTreeSet::new();
        for gap in &swept.gaps {
            tx.note_gap(gap, swept.sweep, swept.at)?;
            silent.insert(gap.credential);
        }
        for id in tx.unsettled()? {
            if !silent.contains(&id) {
                self.settle(tx, id, Fact::Swept, swept, blind)?;
            }
        }
        for id in silent {
            self.settle(tx, id, Fact::Silent, swept, blind)?;
        }
        Ok(())
    }

    fn settle(
        &self,
        tx: &Tx<'_>,
        id: CredentialId,
        fact: Fact<'_>,
        swept: &Swept,
        blind: bool,
    ) -> Result<()> {
        let known = tx.known(id, self.policy, swept.at, swept.leaf_at)?;
        let expectation = self.watch.expectation(tx.credential(id)?);
        let moment = Moment {
            blind,
            ..self.moment(swept.at, swept.leaf_at, expectation)
        };
        let plan = incidents::decide(&known, fact, &moment);
        tx.apply(id, None, &plan, self.stamp(swept.sweep, swept.at))
    }

    /// A second look at suspects ended: what is still suspected was looked at once more.
    pub fn second_looked(&self, tx: &Tx<'_>, swept: &Swept, asked: &[CredentialId]) -> Result<()> {
        let Swept {
            sweep,
            end,
            counts,
            elapsed,
            at,
            ..
        } = *swept;
        let blind = tx.is_blind()?;
        tx.end_sweep(
            sweep,
            Finished {
                end,
                blind,
                counts,
                elapsed,
                interval: self.policy.schedules.sweep.typical_interval(),
            },
            at,
        )?;
        if end == SweepEnd::Whole && swept.gaps.is_empty() {
            tx.count_second_look(asked)?;
            for id in asked {
                self.settle(tx, *id, Fact::Swept, swept, blind)?;
            }
        }
        Ok(())
    }

    fn doubt_fleet(&self, tx: &Tx<'_>, swept: &Swept) -> Result<()> {
        for (incident, id, kind) in tx.doubted_before(swept.sweep)? {
            let (standing, _) = tx.standing(id)?;
            let expected = self.watch.expectation(tx.credential(id)?).environment;
            let words = &self.policy.status_words;
            let same = standing
                .is_some_and(|standing| judge::says(&standing.answer, kind, expected, words));
            if same && !tx.in_gap(id)? {
                tx.end_doubt(incident)?;
            }
        }
        self.doubt_turned(tx, swept.sweep, swept.counts)
    }

    /// Marks whether what opened in `sweep` is doubtful: most of those that were healthy, as far as it was read, turned
    /// alike. Asked again before each mail, while the sweep runs, and when it has ended.
    pub fn doubt_turned(&self, tx: &Tx<'_>, sweep: SweepId, counts: Counts) -> Result<()> {
        for (kind, turned) in tx.opened_in(sweep)? {
            if kind.told_by_one_look() {
                tx.doubt(sweep, kind, fleet::doubtful(turned, counts.were_healthy))?;
            }
        }
        Ok(())
    }

    fn settle_words(&self, tx: &Tx<'_>, now: Timestamp) -> Result<()> {
        let mut unmapped: BTreeMap<String, u32> = BTreeMap::new();
        for (word, count) in tx.standing_words()? {
            let class = |word: &String| self.policy.status_words.class(word);
            if word.as_ref().and_then(class).is_none() {
                let subject = word.as_deref().map(StatusWords::key);
                *unmapped.entry(subject.unwrap_or_default()).or_default() += count;
            }
        }
        let conditions: Vec<_> = unmapped
            .into_iter()
            .map(|(subject, count)| Condition {
                kind: Kind::UnknownStatus,
                subject,
                why: format!("credentials with a status that nobody mapped: {count}"),
            })
            .collect();
        self.own(tx, Kind::UnknownStatus, &conditions, now)
    }

    fn settle_contradictions(&self, tx: &Tx<'_>, now: Timestamp) -> Result<()> {
        let mut sides: Vec<fleet::Side> = Vec::new();
        for torn in tx.contradicted_keys()? {
            let credential = tx.credential(torn.credential)?;
            if credential.provider.has_environment()
                && self.watch.expectation(credential).environment.is_none()
            {
                sides.push(fleet::Side {
                    subject: torn.subject(credential.provider),
                    environment: torn.environment,
                });
            }
        }
        self.own(
            tx,
            Kind::EnvironmentContradiction,
            &fleet::contradictions(&sides),
            now,
        )
    }
}
