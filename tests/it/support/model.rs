//! What must be open, told again from the product's text and a plain list of looks: nothing of the rules or the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leafwatch::model::*;

use super::desk::MINUTE;

/// What one answer says of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Healthy,
    Bad(Kind),
    Away,
    Odd,
    Missing,
}

#[derive(Debug, Clone)]
struct Look {
    sweep: usize,
    said: Said,
    /// Holds do not reach back over this look: connected anew, or put back.
    afresh: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sweep {
    run: u32,
    second: bool,
    whole: bool,
    clear: bool,
    elapsed: Duration,
}

#[derive(Debug, Clone)]
struct Trouble {
    id: u32,
    kind: Kind,
    came_back: bool,
    /// The sweep of the first good look since the last that was not.
    well: Option<usize>,
}

/// One track: what is open, and what ended by proof.
#[derive(Debug, Clone, Default)]
struct Slot {
    open: Option<Trouble>,
    ended: BTreeMap<u32, (Kind, Timestamp)>,
}

#[derive(Debug, Clone, Default)]
struct One {
    looks: Vec<Look>,
    silent: BTreeSet<usize>,
    silent_since: Option<usize>,
    watched: bool,
    named: bool,
    seen: bool,
    leaf_id: Option<String>,
    created: Option<String>,
    /// The client key that was last named; and since when, by our clock, where another one was named before.
    key: Option<[u8; 16]>,
    key_since: Option<Timestamp>,
    life_since: Option<Timestamp>,
    /// When the last bad word gave way to another answer, by our clock.
    bad_until: Option<Timestamp>,
    events: Vec<(Timestamp, u16, bool)>,
    standing: Option<Answer>,
    access: Slot,
    environment: Slot,
    sight: Slot,
}

/// Numbers and words that hold now.
#[derive(Debug, Clone)]
pub struct Settings {
    pub resolve_after: u32,
    pub flap_window: Duration,
    /// How long `provider_unavailable` and `unreadable` must hold.
    pub long_hold: Duration,
    pub expected: Option<&'static str>,
    /// Whether `ODD` is mapped to healthy.
    pub odd_is_healthy: bool,
}

/// The whole account, from the outside.
#[derive(Debug, Clone)]
pub struct Model {
    pub settings: Settings,
    ones: BTreeMap<Credential, One>,
    sweeps: Vec<Sweep>,
    run: u32,
    blind: bool,
    /// Providers of which a success was ever logged.
    successes: BTreeSet<Provider>,
    account: Slot,
    /// What of the account is not told yet: looks that found it, and time since the first of them.
    doubts: Vec<(Kind, u32, Duration)>,
    ids: u32,
    now: Timestamp,
    leaf_now: Timestamp,
}

const WINDOW: Duration = Duration::from_secs(72 * 3600);

impl Slot {
    fn recent(&self, now: Timestamp, window: Duration) -> Option<(u32, Kind)> {
        let mut recent = self.ended.iter().rev();
        recent
            .find(|(_, (_, at))| *at >= now - window)
            .map(|(id, (kind, _))| (*id, *kind))
    }

    fn is(&mut self, kind: Kind, now: Timestamp, window: Duration, ids: &mut u32) {
        let recent = self.recent(now, window);
        match (&mut self.open, recent) {
            (Some(trouble), _) => (trouble.kind, trouble.well) = (kind, None),
            (None, Some((id, _))) => {
                self.ended.remove(&id);
                self.begin(id, kind, true);
            }
            (None, None) => {
                *ids += 1;
                self.begin(*ids, kind, false);
            }
        }
    }

    fn begin(&mut self, id: u32, kind: Kind, came_back: bool) {
        self.open = Some(Trouble {
            id,
            kind,
            came_back,
            well: None,
        });
    }

    fn not_well(&mut self) {
        if let Some(trouble) = &mut self.open {
            trouble.well = None;
        }
    }

    fn good(&mut self, sweep: usize, afresh: bool, now: Timestamp, resolve_after: u32) {
        let Some(trouble) = &mut self.open else {
            return;
        };
        if !trouble.came_back && resolve_after <= 1 {
            self.end(now);
        } else if trouble.well.is_none() || afresh {
            trouble.well = Some(sweep);
        }
    }

    fn end(&mut self, now: Timestamp) {
        if let Some(Trouble { id, kind, .. }) = self.open.take() {
            self.ended.insert(id, (kind, now));
        }
    }
}

impl One {
    fn newest(&self) -> Option<Said> {
        self.looks.last().map(|look| look.said)
    }

    /// The sweep in which the newest run of looks that say `said` began.
    fn run_of(&self, said: Said) -> Option<usize> {
        let mut start = None;
        for look in self.looks.iter().rev() {
            if look.said != said {
                break;
            }
            start = Some(look.sweep);
            if look.afresh {
                break;
            }
        }
        start
    }
}

/// Looks and held time from sweep `from` on, but for the sweeps in which it was silent.
fn counted(sweeps: &[Sweep], from: usize, silent: &BTreeSet<usize>) -> (u32, Duration) {
    let full: Vec<usize> = (from..sweeps.len())
        .filter(|at| !sweeps[*at].second)
        .collect();
    let there = |at: &usize| !silent.contains(at);
    let looks = full
        .iter()
        .filter(|at| sweeps[**at].whole && there(at))
        .count();
    let held = full.windows(2).filter(|pair| {
        let (a, b) = (sweeps[pair[0]], sweeps[pair[1]]);
        a.clear && b.clear && a.run == b.run && there(&pair[0]) && there(&pair[1])
    });
    (
        looks as u32 + u32::from(sweeps[from].second),
        held.map(|pair| sweeps[pair[1]].elapsed).sum(),
    )
}

impl Model {
    pub fn new(credentials: &[(Credential, bool)], settings: Settings, now: Timestamp) -> Model {
        let one = |named| One {
            watched: true,
            named,
            ..One::default()
        };
        Model {
            settings,
            ones: credentials
                .iter()
                .map(|(c, named)| (*c, one(*named)))
                .collect(),
            sweeps: Vec::new(),
            run: 0,
            blind: false,
            successes: BTreeSet::new(),
            account: Slot::default(),
            doubts: Vec::new(),
            ids: 0,
            now,
            leaf_now: now,
        }
    }

    /// What is open: whose (none is the account's), and what.
    pub fn open(&self) -> BTreeSet<(Option<Credential>, Kind)> {
        let account = self.account.open.iter().map(|trouble| (None, trouble.kind));
        let of = |(credential, one): (&Credential, &One)| {
            let slots = [&one.access, &one.environment, &one.sight];
            let open = slots.map(|slot| slot.open.as_ref().map(|trouble| trouble.kind));
            let credential = *credential;
            open.into_iter()
                .flatten()
                .map(move |kind| (Some(credential), kind))
        };
        account.chain(self.ones.iter().flat_map(of)).collect()
    }

    /// The clocks, ours and Leaf's.
    pub fn time(&mut self, now: Timestamp, leaf_now: Timestamp) {
        (self.now, self.leaf_now) = (now, leaf_now);
    }

    pub fn new_run(&mut self) {
        self.run += 1;
    }

    pub fn begin_sweep(&mut self, second: bool) {
        self.sweeps.push(Sweep {
            run: self.run,
            second,
            whole: false,
            clear: false,
            elapsed: Duration::ZERO,
        });
    }

    fn said(&self, answer: &Answer) -> Said {
        let Answer::Reading(reading) = answer else {
            return Said::Missing;
        };
        match reading.status.as_deref() {
            Some("OK") => Said::Healthy,
            Some("ODD") if self.settings.odd_is_healthy => Said::Healthy,
            Some("INVALID" | "REVOKED") => Said::Bad(Kind::Invalid),
            Some("LIMITED_PERMISSION") => Said::Bad(Kind::LimitedPermission),
            Some("TEMPORARILY_UNAVAILABLE") => Said::Away,
            _ => Said::Odd,
        }
    }

    pub fn answer(&mut self, credential: Credential, answer: &Answer) {
        let said = self.said(answer);
        let sweep = self.sweeps.len() - 1;
        let (now, leaf_now, settings) = (self.now, self.leaf_now, self.settings.clone());
        let successes = self.successes.contains(&credential.provider);
        let one = self.ones.get_mut(&credential).unwrap();
        let mut new_key = false;
        let mut afresh = one.standing.is_none();
        if let Answer::Reading(reading) = answer {
            let other = |before: &Option<String>, now: &Option<String>| {
                before.is_some() && now.is_some() && before != now
            };
            let anew =
                other(&one.leaf_id, &reading.leaf_id) || other(&one.created, &reading.leaf_created);
            let told = reading
                .leaf_created
                .clone()
                .filter(|new| Some(new) != one.created.as_ref());
            let told = told.map(|text| text.parse::<Timestamp>().unwrap());
            if anew || !one.seen {
                one.life_since = told.or(anew.then_some(leaf_now));
            }
            afresh |= anew;
            if let Some(key) = &reading.key {
                new_key = one.key.is_some_and(|before| before != key.print);
                if new_key {
                    one.key_since = Some(now);
                }
                one.key = Some(key.print);
            }
            one.seen = true;
            one.leaf_id = reading.leaf_id.clone().or(one.leaf_id.take());
            one.created = reading.leaf_created.clone().or(one.created.take());
        }
        let was_bad = matches!(one.newest(), Some(Said::Bad(_))) && one.standing.is_some();
        // What an answer of now says is newer than every event: those count from the next look on.
        let bad_until = if was_bad { None } else { Some(one.bad_until) };
        let warned =
            !new_key && bad_until.is_some_and(|until| warned(one, until, successes, now, leaf_now));
        if was_bad && !matches!(said, Said::Bad(_)) {
            one.bad_until = Some(now);
        }
        one.looks.push(Look {
            sweep,
            said,
            afresh,
        });
        one.standing = Some(answer.clone());
        one.silent_since = None;
        one.sight.good(sweep, afresh, now, settings.resolve_after);
        let kind = one.access.open.as_ref().map(|trouble| trouble.kind);
        let access = &mut one.access;
        match said {
            Said::Bad(kind) => access.is(kind, now, settings.flap_window, &mut self.ids),
            Said::Healthy if kind == Some(Kind::FailingEvents) => {}
            Said::Healthy if warned => access.is(
                Kind::FailingEvents,
                now,
                settings.flap_window,
                &mut self.ids,
            ),
            Said::Healthy => access.good(sweep, afresh, now, settings.resolve_after),
            Said::Away | Said::Odd | Said::Missing => access.not_well(),
        }
        let environment = match answer {
            Answer::Reading(reading) => reading.environment.as_deref(),
            Answer::Missing => None,
        };
        let slot = &mut one.environment;
        match (settings.expected, environment) {
            (None, _) if matches!(answer, Answer::Reading(_)) => slot.open = None,
            (Some(expected), Some(told)) if expected == told => {
                slot.good(sweep, afresh, now, settings.resolve_after)
            }
            (Some(_), Some(_)) => slot.is(
                Kind::EnvironmentMismatch,
                now,
                settings.flap_window,
                &mut self.ids,
            ),
            _ => slot.not_well(),
        }
    }

    pub fn events(&mut self, credential: Credential, events: &[Event]) {
        let (now, leaf_now) = (self.now, self.leaf_now);
        let healthy = {
            let one = &self.ones[&credential];
            (one.standing.as_ref()).is_some_and(|answer| self.said(answer) == Said::Healthy)
        };
        let succeeded = |event: &Event| matches!(event.status_code, Some(200..=299));
        if events.iter().any(succeeded) {
            self.successes.insert(credential.provider);
        }
        let successes = self.successes.contains(&credential.provider);
        let one = self.ones.get_mut(&credential).unwrap();
        for event in events {
            let Some(at) = event.at else { continue };
            let entry = (
                at,
                event.status_code.unwrap(),
                event.body.contains("invalid_grant"),
            );
            if !one.events.iter().any(|(known, ..)| *known == at) {
                one.events.push(entry);
            }
        }
        let sweep = self.sweeps.len() - 1;
        let warned = healthy && warned(one, one.bad_until, successes, now, leaf_now);
        let (resolve_after, window) = (self.settings.resolve_after, self.settings.flap_window);
        if warned {
            one.access
                .is(Kind::FailingEvents, now, window, &mut self.ids);
        } else if (one.access.open.as_ref()).is_some_and(|it| it.kind == Kind::FailingEvents) {
            let signs = signs(one, None, leaf_now);
            let of_this_life = |sign: &&Sign| one.life_since.is_none_or(|since| sign.at >= since);
            let newest = signs.iter().find(of_this_life);
            if newest.is_some_and(|newest| !newest.failed) || !signs.iter().any(|sign| sign.failed)
            {
                one.access.good(sweep, false, now, resolve_after);
            } else {
                one.access.not_well();
            }
        }
    }

    pub fn end_sweep(
        &mut self,
        end: SweepEnd,
        silent: &BTreeSet<Credential>,
        asked: &[Credential],
        elapsed: Duration,
        since_last_try: Duration,
    ) {
        let sweep = self.sweeps.len() - 1;
        let whole = end == SweepEnd::Whole;
        let condition = match end {
            SweepEnd::Stopped => None,
            SweepEnd::Denied => Some(Some(Kind::LeafLogin)),
            SweepEnd::Unreachable => Some(Some(Kind::LeafUnreachable)),
            SweepEnd::Whole => Some(self.looks_foreign().then_some(Kind::WrongAccount)),
        };
        if let Some(condition) = condition {
            self.blind = condition.is_some();
        }
        self.sweeps[sweep] = Sweep {
            whole,
            clear: whole && !self.blind,
            elapsed,
            ..self.sweeps[sweep]
        };
        if let Some(condition) = condition {
            self.account(condition, since_last_try);
        }
        if !whole {
            return;
        }
        for credential in asked {
            if silent.contains(credential) {
                self.stays_silent(*credential);
            } else {
                self.settle(*credential);
            }
        }
    }

    pub fn end_second(&mut self, asked: &[Credential], all_answered: bool) {
        let sweep = self.sweeps.last_mut().unwrap();
        (sweep.whole, sweep.clear) = (true, all_answered);
        if all_answered {
            for credential in asked {
                self.settle(*credential);
            }
        }
    }

    pub fn unwatch(&mut self, credential: Credential) {
        let one = self.ones.get_mut(&credential).unwrap();
        if matches!(one.newest(), Some(Said::Bad(_))) && one.standing.is_some() {
            one.bad_until = Some(self.now);
        }
        (one.watched, one.standing, one.silent_since) = (false, None, None);
        for slot in [&mut one.access, &mut one.environment, &mut one.sight] {
            slot.open = None;
        }
    }

    pub fn put_back(&mut self, credential: Credential) {
        self.ones.get_mut(&credential).unwrap().watched = true;
    }

    fn looks_foreign(&self) -> bool {
        let standing = self.ones.values().filter(|one| one.standing.is_some());
        let seen: Vec<_> = standing.clone().filter(|one| one.seen).collect();
        let missing = |ones: &[&One]| {
            let missing = ones
                .iter()
                .filter(|one| one.standing == Some(Answer::Missing));
            missing.count()
        };
        match seen.len() {
            0 => standing.clone().count() > 0,
            1..6 => missing(&seen) == seen.len(),
            count => missing(&seen) * 2 > count,
        }
    }

    fn account(&mut self, condition: Option<Kind>, since_last_try: Duration) {
        let sweep = self.sweeps.len() - 1;
        let (now, window) = (self.now, self.settings.flap_window);
        let Some(kind) = condition else {
            self.doubts.clear();
            self.proved(None);
            self.account
                .good(sweep, false, now, self.settings.resolve_after);
            return;
        };
        if (self.account.open.as_ref()).is_some_and(|trouble| trouble.kind == kind) {
            self.doubts.clear();
            self.account.not_well();
            return;
        }
        if self.account.open.is_some() {
            self.doubts.retain(|doubt| doubt.0 == kind);
        }
        self.doubts
            .iter_mut()
            .for_each(|doubt| doubt.2 += since_last_try);
        match self.doubts.iter_mut().find(|doubt| doubt.0 == kind) {
            Some(doubt) => doubt.1 += 1,
            None => self.doubts.push((kind, 1, Duration::ZERO)),
        }
        let (needed, hold) = match kind {
            Kind::LeafLogin => (2, 10 * MINUTE),
            Kind::LeafUnreachable => (1, 30 * MINUTE),
            _ => (2, Duration::ZERO),
        };
        let untold = self.account.open.is_none();
        let again =
            untold && (self.account.recent(now, window)).is_some_and(|(_, before)| before == kind);
        let found = self.doubts.iter().find(|doubt| doubt.0 == kind).unwrap();
        let told = if again || (found.1 >= needed && found.2 >= hold) {
            Some(kind)
        } else if untold && self.doubts.iter().any(|doubt| doubt.2 >= 30 * MINUTE) {
            let most = self.doubts.iter().map(|doubt| doubt.1).max().unwrap();
            let of_most = |doubt: &&(Kind, u32, Duration)| doubt.1 == most;
            let alike: Vec<Kind> = self
                .doubts
                .iter()
                .filter(of_most)
                .map(|doubt| doubt.0)
                .collect();
            alike
                .iter()
                .find(|one| **one == kind)
                .or(alike.iter().max())
                .copied()
        } else {
            None
        };
        if let Some(told) = told {
            self.doubts.clear();
            self.account.is(told, now, window, &mut self.ids);
        }
    }

    /// Ends what has been well for long enough by the end of this sweep.
    fn proved(&mut self, credential: Option<Credential>) {
        let (settings, now, sweeps) = (&self.settings, self.now, &self.sweeps);
        let nobody = BTreeSet::new();
        let (slots, silent) = match credential {
            None => (vec![&mut self.account], &nobody),
            Some(credential) => {
                let one = self.ones.get_mut(&credential).unwrap();
                let slots = vec![&mut one.access, &mut one.environment, &mut one.sight];
                (slots, &one.silent)
            }
        };
        for slot in slots {
            let Some(trouble) = &slot.open else { continue };
            let Some(well) = trouble.well else { continue };
            let (looks, held) = counted(sweeps, well, silent);
            let quiet = !trouble.came_back || held >= settings.flap_window;
            if quiet && looks >= settings.resolve_after {
                slot.end(now);
            }
        }
    }

    fn settle(&mut self, credential: Credential) {
        let (now, window) = (self.now, self.settings.flap_window);
        let one = self.ones.get_mut(&credential).unwrap();
        let kind = one.access.open.as_ref().map(|trouble| trouble.kind);
        let again = |slot: &Slot, kind| {
            slot.open.is_none()
                && slot
                    .recent(now, window)
                    .is_some_and(|(_, before)| before == kind)
        };
        if let Some(from) = one.run_of(Said::Missing)
            && (one.seen || one.named)
            && !self.blind
            && kind != Some(Kind::Missing)
        {
            let (mut looks, held) = counted(&self.sweeps, from, &one.silent);
            let again_looked = one.looks.iter().filter(|look| {
                look.sweep > from && self.sweeps[look.sweep].second && self.sweeps[look.sweep].clear
            });
            looks += again_looked.count() as u32;
            if again(&one.access, Kind::Missing) || (looks >= 2 && held >= 30 * MINUTE) {
                one.access.is(Kind::Missing, now, window, &mut self.ids);
            }
        }
        if let Some(from) = one.run_of(Said::Away)
            && kind.is_none()
        {
            let (_, held) = counted(&self.sweeps, from, &one.silent);
            if again(&one.access, Kind::ProviderUnavailable) || held >= self.settings.long_hold {
                one.access
                    .is(Kind::ProviderUnavailable, now, window, &mut self.ids);
            }
        }
        self.proved(Some(credential));
    }

    fn stays_silent(&mut self, credential: Credential) {
        let sweep = self.sweeps.len() - 1;
        let (now, window) = (self.now, self.settings.flap_window);
        let hold = self.settings.long_hold;
        let one = self.ones.get_mut(&credential).unwrap();
        one.silent.insert(sweep);
        if one.sight.open.is_some() {
            one.sight.not_well();
            return;
        }
        let since = *one.silent_since.get_or_insert(sweep);
        let (_, held) = counted(&self.sweeps, since, &BTreeSet::new());
        let again = since == sweep && one.sight.recent(now, window).is_some();
        if again || (since < sweep && held >= hold) {
            one.silent_since = None;
            one.sight.is(Kind::Unreadable, now, window, &mut self.ids);
        }
    }
}

/// One event that speaks of the credential.
#[derive(Debug, Clone, Copy)]
struct Sign {
    at: Timestamp,
    failed: bool,
    /// It failed with a word that names the credential.
    named: bool,
    code: u16,
}

/// The events that speak of the credential and count, newest first; of one moment what succeeded first.
fn signs(one: &One, since: Option<Timestamp>, leaf_now: Timestamp) -> Vec<Sign> {
    let counts = |at: Timestamp| {
        at <= leaf_now && at >= leaf_now - WINDOW && since.is_none_or(|since| at >= since)
    };
    let mut signs = Vec::new();
    for &(at, code, grant) in &one.events {
        let failed = matches!(code, 400 | 401 | 403);
        if counts(at) && (failed || matches!(code, 200..=299)) {
            let named = failed && grant;
            signs.push(Sign {
                at,
                failed,
                named,
                code,
            });
        }
    }
    signs.sort_by(|a, b| b.at.cmp(&a.at).then(a.failed.cmp(&b.failed)));
    signs
}

fn warned(
    one: &One,
    bad_until: Option<Timestamp>,
    successes: bool,
    now: Timestamp,
    leaf_now: Timestamp,
) -> bool {
    let by_leaf = |at: Timestamp| at + leaf_now.duration_since(now);
    let bad_until = bad_until.filter(|until| *until >= now - WINDOW);
    let since = one
        .life_since
        .max(bad_until.max(one.key_since).map(by_leaf));
    let signs = signs(one, since, leaf_now);
    if signs.len() >= 2 && signs[0].named && signs[1].named {
        return true;
    }
    let mut failed = Vec::new();
    for sign in signs {
        if !sign.failed {
            break;
        }
        failed.push(sign);
    }
    failed.len() >= 3
        && failed[0].at.duration_since(failed[failed.len() - 1].at) >= SignedDuration::from_hours(1)
        && (successes || failed.iter().any(|sign| sign.code != 403 || sign.named))
}
