//! What is due, asked once a second. The scheduler runs this one job; local time, overlap and clock jumps are ours.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::task::TaskTracker;

use super::context::Context;
use super::roster::Member;
use super::sweep::{self, Ended, Scope, Urgent, sight_of};
use super::{gather, upkeep};
use crate::leaf::Class;
use crate::model::{Credential, Outcome, Schedule};
use crate::rules::due;
use crate::rules::fleet::Sight;
use crate::vitals::Loop;

/// While blind, one credential is tried this often where sweeps are further apart.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// Probes go round this many credentials.
const PROBED: usize = 50;

/// A kind of work of which one runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    Sweep,
    Events,
    Upkeep,
    Names,
}

/// The clock's hands: asks the rules what is due, and starts it.
#[derive(Debug)]
pub struct Timetable {
    context: Context,
    urgent: Urgent,
    tracker: TaskTracker,
    state: Mutex<State>,
    broken: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    sweep: Line,
    events: Line,
    upkeep: Line,
    names: Line,
    second_look_at: Option<Duration>,
    sweep_wanted: bool,
    running: HashSet<Work>,
    last_tick: Timestamp,
    probes: usize,
}

/// One schedule and when it is next due.
#[derive(Debug)]
struct Line {
    schedule: Schedule,
    began: Timestamp,
    next: Option<Timestamp>,
}

impl Line {
    fn new(schedule: Schedule, zone: &jiff::tz::TimeZone, now: Timestamp) -> Self {
        let next = due::next_after(&schedule, zone, now, now);
        Line {
            schedule,
            began: now,
            next,
        }
    }

    /// Whether it is due now; then its next time is set.
    fn is_due(&mut self, zone: &jiff::tz::TimeZone, now: Timestamp) -> bool {
        let is_due = self.next.is_some_and(|next| next <= now);
        if is_due {
            self.began = now;
            self.next = due::next_after(&self.schedule, zone, now, now);
        }
        is_due
    }

    /// The wall clock was set back, or the schedule is another: what is next is asked anew.
    fn ask_anew(&mut self, schedule: &Schedule, zone: &jiff::tz::TimeZone, now: Timestamp) {
        self.schedule = schedule.clone();
        self.began = self.began.min(now);
        self.next = due::next_after(schedule, zone, self.began, now);
    }
}

impl Timetable {
    /// A timetable whose first sweep is due at once. `broken` is told when a piece of work ends by a fault that no
    /// waiting mends.
    pub fn new(
        context: Context,
        urgent: Urgent,
        tracker: TaskTracker,
        broken: Arc<Notify>,
    ) -> Self {
        let settings = context.settings.now();
        let (now, zone) = (context.clock.now(), &settings.policy.schedules.zone);
        let every = |seconds| Schedule::Every(Duration::from_secs(seconds));
        let state = State {
            sweep: Line::new(settings.policy.schedules.sweep.clone(), zone, now),
            events: Line::new(settings.policy.schedules.events.clone(), zone, now),
            upkeep: Line::new(every(60), zone, now),
            names: Line::new(Schedule::Every(gather::NAMES_EVERY), zone, now),
            second_look_at: None,
            sweep_wanted: true,
            running: HashSet::new(),
            last_tick: now,
            probes: 0,
        };
        Timetable {
            context,
            urgent,
            tracker,
            state: Mutex::new(state),
            broken,
        }
    }

    /// New settings are in force: schedules are asked anew, and a sweep applies the settings to every credential.
    pub fn settings_changed(&self) {
        let settings = self.context.settings.now();
        let (now, zone) = (self.context.clock.now(), &settings.policy.schedules.zone);
        let mut state = self.state();
        state
            .sweep
            .ask_anew(&settings.policy.schedules.sweep, zone, now);
        state
            .events
            .ask_anew(&settings.policy.schedules.events, zone, now);
        state.sweep_wanted = true;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what is due now. Called once a second.
    pub fn tick(self: &Arc<Self>) {
        let context = &self.context;
        context
            .vitals
            .moved(Loop::Schedule, context.clock.monotonic());
        if context.stop.is_cancelled() {
            return;
        }
        let settings = context.settings.now();
        let (now, mono) = (context.clock.now(), context.clock.monotonic());
        let zone = &settings.policy.schedules.zone;
        let mut state = self.state();
        if now < state.last_tick {
            for line in [0, 1, 2, 3] {
                let line = state.line(line);
                let schedule = line.schedule.clone();
                line.ask_anew(&schedule, zone, now);
            }
        }
        state.last_tick = now;
        self.sweep_if_due(&mut state, zone, now, mono);
        if state.events.is_due(zone, now) {
            self.start(&mut state, Work::Events);
        }
        if state.upkeep.is_due(zone, now) {
            self.start(&mut state, Work::Upkeep);
        }
        if state.names.is_due(zone, now) {
            self.start(&mut state, Work::Names);
        }
        context.vitals.next_sweep(state.sweep.next);
    }

    fn sweep_if_due(
        self: &Arc<Self>,
        state: &mut State,
        zone: &jiff::tz::TimeZone,
        now: Timestamp,
        mono: Duration,
    ) {
        let paused = self.context.sight().is_paused(now);
        let due = state.sweep.is_due(zone, now);
        if due && state.running.contains(&Work::Sweep) {
            self.context.vitals.sweep_skipped();
            tracing::warn!("a sweep was due while one still runs; it is left out");
            return;
        }
        if state.running.contains(&Work::Sweep) {
            return;
        }
        // A sweep that a pause held back begins when the pause is over.
        state.sweep_wanted |= due;
        if state.sweep_wanted && !paused {
            state.sweep_wanted = false;
            state.second_look_at = None;
            self.start(state, Work::Sweep);
        } else if state.second_look_at.is_some_and(|at| at <= mono) && !paused {
            state.second_look_at = None;
            self.start_sweep(state, true);
        } else if !paused && self.probe_is_due(state, mono) {
            self.start_probe(state);
        }
    }

    fn probe_is_due(&self, state: &State, mono: Duration) -> bool {
        let sight = self.context.sight();
        let rare = state.sweep.schedule.typical_interval() > PROBE_EVERY;
        let waited = sight
            .last_try
            .is_none_or(|last| mono.saturating_sub(last) >= PROBE_EVERY);
        // Where Leaf answers, and shows another owner's growers, a probe would tell nothing new.
        sight.blind && !sight.answers && rare && waited
    }

    fn start(self: &Arc<Self>, state: &mut State, work: Work) {
        if work == Work::Sweep {
            return self.start_sweep(state, false);
        }
        if !state.running.insert(work) {
            return;
        }
        let running = Running {
            timetable: self.clone(),
            work,
        };
        self.tracker.spawn(async move {
            let context = running.timetable.context.clone();
            let result = match work {
                Work::Sweep => Ok(()),
                Work::Events => gather::round(&context).await,
                Work::Upkeep => upkeep::run(&context).await,
                Work::Names => {
                    tokio::select! {
                        () = context.stop.cancelled() => {}
                        () = gather::names(&context) => {}
                    }
                    Ok(())
                }
            };
            if let Err(error) = result {
                tracing::warn!("{work:?} was left out: {}", sweep::chain(&error));
            }
            drop(running);
        });
    }

    fn start_sweep(self: &Arc<Self>, state: &mut State, second_look: bool) {
        state.running.insert(Work::Sweep);
        let running = Running {
            timetable: self.clone(),
            work: Work::Sweep,
        };
        self.tracker.spawn(async move {
            let this = running.timetable.clone();
            let ended = this.sweep(second_look).await;
            if ended.is_some_and(|ended| ended.second_look) {
                let wait = this.context.settings.now().policy.thresholds.confirm_wait;
                this.state().second_look_at = Some(this.context.clock.monotonic() + wait);
            }
            drop(running);
        });
    }

    async fn sweep(&self, second_look: bool) -> Option<Ended> {
        let scope = match second_look {
            false => Scope::All,
            true => match self.context.read(|tx| tx.wanting_second_look()).await {
                Ok(suspects) if !suspects.is_empty() => Scope::SecondLook(suspects),
                _ => return None,
            },
        };
        match sweep::run(&self.context, scope, &self.urgent).await {
            Ok(ended) => Some(ended),
            Err(error) => {
                tracing::error!("the sweep failed: {}", sweep::chain(&error));
                self.broken.notify_one();
                None
            }
        }
    }

    /// Whom the next probe asks: one that answered when last asked, another one each time.
    fn probed_next(&self) -> Option<Credential> {
        let nth = {
            let mut state = self.state();
            state.probes += 1;
            state.probes
        };
        let roster = self.context.roster();
        let members = roster.members();
        let answering: Vec<&Member> = members
            .iter()
            .filter(|member| !member.silent)
            .take(PROBED)
            .collect();
        let among = if answering.is_empty() {
            members.iter().take(PROBED).collect()
        } else {
            answering
        };
        among
            .get(nth % among.len().max(1))
            .map(|member| member.credential)
    }

    /// Tries one credential while blind; the first answer starts a sweep.
    fn start_probe(self: &Arc<Self>, state: &mut State) {
        state.running.insert(Work::Sweep);
        let running = Running {
            timetable: self.clone(),
            work: Work::Sweep,
        };
        self.tracker.spawn(async move {
            let this = running.timetable.clone();
            let answered = tokio::select! {
                () = this.context.stop.cancelled() => false,
                answered = this.probe() => answered,
            };
            this.state().sweep_wanted |= answered;
            drop(running);
        });
    }

    async fn probe(&self) -> bool {
        let context = &self.context;
        let Some(credential) = self.probed_next() else {
            return false;
        };
        let (sight, reason) = match context.client.read(credential, Class::Status).await {
            Ok(look) => match look.outcome {
                Outcome::Answer(_) => return true,
                Outcome::None(crate::model::NoAnswer::Denied, why) => (Sight::Denied, why),
                Outcome::None(_, why) => (Sight::Unreachable, why),
            },
            Err(halt) => {
                context.heed(&halt);
                (sight_of(&halt), halt.to_string())
            }
        };
        let (now, mono) = (context.clock.now(), context.clock.monotonic());
        let since = {
            let mut known = context.sight();
            let since = known
                .last_try
                .map_or(Duration::ZERO, |last| mono.saturating_sub(last));
            known.last_try = Some(mono);
            since
        };
        let settings = context.settings.now();
        let judged = context
            .write(move |tx| {
                let bench = settings.bench(false);
                bench.probed(tx, sight, &reason, since, now)
            })
            .await;
        if judged.is_ok() {
            context.committed.notify_one();
        }
        false
    }
}

/// A piece of work under way. When it is over another one may begin; a panic in it stops the daemon, which starts anew,
/// rather than leave the work undone for ever.
struct Running {
    timetable: Arc<Timetable>,
    work: Work,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.timetable.state().running.remove(&self.work);
        if std::thread::panicking() {
            self.timetable.broken.notify_one();
        }
    }
}

impl State {
    fn line(&mut self, at: usize) -> &mut Line {
        match at {
            0 => &mut self.sweep,
            1 => &mut self.events,
            2 => &mut self.upkeep,
            _ => &mut self.names,
        }
    }
}

/// Runs the one job until the context says stop.
///
/// # Errors
/// Where the scheduler cannot be had.
pub async fn run(timetable: Arc<Timetable>) -> anyhow::Result<()> {
    let mut scheduler = JobScheduler::new().await?;
    let stop = timetable.context.stop.clone();
    // The scheduler never lets go of a job, and all that the job holds would outlive the daemon: the writer, the lock.
    let weak = Arc::downgrade(&timetable);
    let job = Job::new_async("* * * * * *", move |_, _| {
        let timetable = weak.upgrade();
        Box::pin(async move {
            if let Some(timetable) = timetable {
                timetable.tick();
            }
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    stop.cancelled().await;
    scheduler.shutdown().await?;
    Ok(())
}
