//! When what is to be told leaves: why news waits for an address, or is not told at all. The packer acts on it, and the
//! query commands show it.

use jiff::{SignedDuration, Timestamp};

use super::{due, notify, quiet};
use crate::model::{Alerts, Incident, News, Policy, SweepId, Track, Wait, WaitsFor};

/// What one address is to hear of one incident, and what may hold that back.
#[derive(Debug, Clone, Copy)]
pub struct Untold<'a> {
    /// Of which incident.
    pub incident: &'a Incident,
    /// What is left to say; none where the address knows it already.
    pub news: Option<News>,
    /// When the address refused it: the next try.
    pub again: Option<Timestamp>,
    /// Only the user's own `notify` names the address, and it was told nothing of the incident.
    pub own_people: bool,
    /// A silence holds it back, until then.
    pub silenced_until: Option<Timestamp>,
    /// It ended in a silence.
    pub ended_silenced: bool,
    /// It belongs to a shared cause that the address was told of, and appeared in a later sweep than was told.
    pub straggles: Option<CauseTold>,
}

/// A shared cause that an address was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CauseTold {
    /// When last.
    pub last: Timestamp,
    /// Of how many sweeps.
    pub times: u32,
    /// The newest sweep that was told.
    pub sweep: SweepId,
}

impl CauseTold {
    /// Whether what opened at `opened` may be one more of it. The steps of the stragglers lead up to the next reminders, a
    /// day apart: where nothing came for as long, what comes later is news of its own, at once and with its own cause,
    /// however long a single one of the first remains open.
    pub fn reaches(&self, opened: Timestamp) -> bool {
        const WAVE: SignedDuration = SignedDuration::from_hours(24);
        opened.duration_since(self.last) <= WAVE
    }
}

/// What becomes of news by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It may leave with the next mail.
    Tell(News),
    /// It waits, whatever else leaves.
    Hold(Wait),
    /// There is nothing to tell, now or later.
    Drop,
}

/// What becomes of one piece of news, whatever else waits for the address.
pub fn fate(untold: &Untold<'_>, policy: &Policy, now: Timestamp) -> Fate {
    let (incident, hold) = (untold.incident, |waits_for, until| {
        Fate::Hold(Wait::new(waits_for, until, now))
    });
    let Some(news) = untold.news else {
        return Fate::Drop;
    };
    // What was not told and ended while silenced is kept, not told; and while Leaf was doubted, its own people are spared.
    if news == News::Brief && (untold.ended_silenced || untold.own_people && incident.doubted) {
        return Fate::Drop;
    }
    if incident.is_open() {
        if untold.silenced_until.is_some() {
            return hold(WaitsFor::Silence, untold.silenced_until);
        }
        if incident.doubted && untold.own_people {
            return hold(WaitsFor::SecondSweep, None);
        }
    }
    if let Some(again) = untold.again.filter(|again| *again > now) {
        return hold(WaitsFor::Acceptance, Some(again));
    }
    let until = quiet::until(&policy.alerts.quiet, incident.kind.severity(), now);
    if until.is_some() {
        return hold(WaitsFor::QuietWindow, until);
    }
    match straggler_until(untold, news, policy).filter(|until| *until > now) {
        Some(until) => hold(WaitsFor::Stragglers, Some(until)),
        None => Fate::Tell(news),
    }
}

/// Until when it waits to be told as one of "n more".
fn straggler_until(untold: &Untold<'_>, news: News, policy: &Policy) -> Option<Timestamp> {
    let told = untold.straggles.filter(|_| news == News::Opened)?;
    match notify::straggler_wait(told.times) {
        Some(wait) => told.last.checked_add(wait).ok(),
        None => {
            let schedules = &policy.schedules;
            due::next_after(&schedules.reminders, &schedules.zone, told.last, told.last)
        }
    }
}

/// What holds a whole mail to one address back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mailbox {
    /// A mail is under way to it: the next try.
    pub under_way: Option<Timestamp>,
    /// When a mail was last packed for it.
    pub packed: Option<Timestamp>,
    /// It had as many mails within the hour as it may have; one more from then on.
    pub limited_until: Option<Timestamp>,
    /// When the sweep that runs now began.
    pub sweeping_since: Option<Timestamp>,
    /// No sweep was whole yet, and the one that may become the first is not over.
    pub first_sweep: bool,
}

/// What may leave with one mail: credentials' news, or that of the account and our own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parcel {
    /// When the first of it has waited long enough for company; none where there is nothing.
    pub due: Option<Timestamp>,
    /// There is trouble of the account among it.
    pub account: bool,
}

impl Parcel {
    /// One more, which would be due at `due` if it were alone.
    pub fn add(&mut self, incident: &Incident, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |first| first.min(due)));
        self.account |= incident.track == Track::Account;
    }

    /// Both in one mail.
    pub fn and(self, other: Parcel) -> Parcel {
        let due = [self.due, other.due].into_iter().flatten().min();
        Parcel {
            due,
            account: self.account || other.account,
        }
    }
}

impl Mailbox {
    /// Whether news of credentials is a first look at them, which waits by itself for the end of the first sweep.
    pub fn first_look_waits(
        &self,
        credentials: Parcel,
        alerts: &Alerts,
        now: Timestamp,
    ) -> Option<Wait> {
        let due = credentials.due.filter(|_| self.first_sweep)?;
        let longest = alerts.group_interval.saturating_sub(alerts.group_wait);
        let until = due.checked_add(longest).ok()?;
        (now < until).then(|| Wait::new(WaitsFor::FirstSweep, Some(until), now))
    }

    /// Why what is `ready` waits; none where it leaves now, and takes with it all that is known by now.
    pub fn mail_waits(&self, ready: Parcel, alerts: &Alerts, now: Timestamp) -> Option<Wait> {
        let wait = |waits_for, until| Some(Wait::new(waits_for, Some(until), now));
        if let Some(next_try) = self.under_way {
            return wait(WaitsFor::EarlierMail, next_try);
        }
        if let Some(due) = ready.due.filter(|due| *due > now) {
            return wait(WaitsFor::Company, due);
        }
        // A mail of the future was packed by a clock that was wrong, and says nothing.
        let told = self.packed.filter(|packed| *packed <= now);
        if let (Some(since), Some(packed)) = (self.sweeping_since, told) {
            let until = packed + alerts.group_interval;
            if packed >= since && now < until {
                return wait(WaitsFor::SweepEnd, until);
            }
        }
        let limited = self.limited_until.filter(|_| !ready.account);
        limited.and_then(|until| wait(WaitsFor::HourlyLimit, until))
    }
}
