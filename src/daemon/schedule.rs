//! What is due, asked once a second. The scheduler runs this one job; local time, overlap and clock steps are ours: the
//! scheduler waits for the wall clock, so a watcher beside it compares that with the monotonic one, and sets the scheduler
//! up anew.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::task::TaskTracker;

use super::context::{Context, SightState};
use super::judge::Bench;
use super::roster::Member;
use super::sweep::{self, Ended, Scope, Urgent, end_of, reason_of};
use super::{gather, upkeep};
use crate::clock::Compared;
use crate::config::Config;
use crate::leaf::Class;
use crate::model::{Credential, NoAnswer, Outcome, Schedule, SweepEnd};
use crate::rules::due;
use crate::view::words;
use crate::vitals::Loop;

const SECOND: Duration = Duration::from_secs(1);

/// A scheduler that does not tick for so long is set up anew.
const SILENT: Duration = Duration::from_secs(5);

/// While blind, one credential is tried this often where sweeps are further apart.
const PROBE_EVERY: Duration = Duration::from_secs(60);

/// What is looked after once in a while is looked after this often.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);

/// A clock that was set by less is taken for one that was right all the time.
const LARGE: SignedDuration = SignedDuration::from_hours(1);

/// Probes go round this many credentials.
const PROBED: usize = 50;

/// A kind of work of which one runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Work {
    Sweep,
    Events,
    Upkeep,
    Names,
    PutRight,
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
    /// What the schedules were set up by.
    config: Arc<Config>,
    sweep: Line,
    events: Line,
    upkeep: Line,
    names: Line,
    second_look_at: Option<Duration>,
    sweep_wanted: bool,
    /// Leaf asked for a pause that was not over when that was last asked.
    paused: bool,
    running: HashSet<Work>,
    clocks: Compared,
    /// How often the wall clock was set.
    steps: u64,
    /// When a step last forced a sweep, by both clocks.
    forced: Option<(Timestamp, Duration)>,
    owed: Owed,
    last_tick: Duration,
    probes: usize,
}

/// What is to be put right of what a wrong clock wrote down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owed {
    /// What is stored of Leaf's clock is to go along with ours.
    skew: bool,
    /// Nothing may wait for a time that was.
    waits: bool,
    /// Nothing may have happened in the future; only once Leaf says that the clock is right.
    history: bool,
    /// Not tried before, on the monotonic clock: the database may be locked or full.
    not_before: Duration,
}

impl Owed {
    fn is_due(self, sight: &SightState, mono: Duration) -> bool {
        mono >= self.not_before
            && (self.skew || self.waits || self.history && sight.clock_is_right())
    }
}

/// One schedule and when it is next due: a length on the monotonic clock, a cron line on the wall's.
#[derive(Debug)]
struct Line {
    schedule: Schedule,
    began: Duration,
    next: Option<Timestamp>,
}

/// Now, by both clocks, and where the wall clock hangs.
#[derive(Clone, Copy)]
struct Hour<'a> {
    now: Timestamp,
    mono: Duration,
    zone: &'a jiff::tz::TimeZone,
}

impl Line {
    fn new(schedule: Schedule, hour: Hour<'_>) -> Self {
        let mut line = Line {
            schedule,
            began: hour.mono,
            next: None,
        };
        line.ask_anew(hour);
        line
    }

    /// Whether it is due now; then its next time is set.
    fn is_due(&mut self, hour: Hour<'_>) -> bool {
        let is_due = match self.schedule {
            Schedule::Every(interval) => hour.mono.saturating_sub(self.began) >= interval,
            Schedule::Cron(_) => self.next.is_some_and(|next| next <= hour.now),
        };
        if is_due {
            self.began = hour.mono;
            self.ask_anew(hour);
        }
        is_due
    }

    /// The wall clock was set, or the schedule is another: what is next is asked anew. A length goes on from where it was.
    fn ask_anew(&mut self, Hour { now, mono, zone }: Hour<'_>) {
        self.next = match self.schedule {
            Schedule::Every(interval) => {
                let left = interval.saturating_sub(mono.saturating_sub(self.began));
                now.checked_add(left).ok()
            }
            Schedule::Cron(_) => due::next_after(&self.schedule, zone, now, now),
        };
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
        let config = context.config();
        let schedules = &config.policy.schedules;
        let hour = Hour {
            now: context.clock.now(),
            mono: context.clock.monotonic(),
            zone: &schedules.zone,
        };
        let state = State {
            sweep: Line::new(schedules.sweep.clone(), hour),
            events: Line::new(schedules.events.clone(), hour),
            upkeep: Line::new(Schedule::Every(UPKEEP_EVERY), hour),
            names: Line::new(Schedule::Every(gather::NAMES_EVERY), hour),
            second_look_at: None,
            sweep_wanted: true,
            paused: false,
            running: HashSet::new(),
            clocks: Compared::new(&context.clock),
            steps: 0,
            forced: None,
            // It may have been set while nobody ran. The start has shortened what waits.
            owed: Owed {
                skew: false,
                waits: false,
                history: true,
                not_before: hour.mono,
            },
            last_tick: hour.mono,
            probes: 0,
            config: config.clone(),
        };
        Timetable {
            context,
            urgent,
            tracker,
            state: Mutex::new(state),
            broken,
        }
    }

    /// Where a new config is in force, schedules are asked anew, and a sweep applies it to every credential.
    fn heed_config(&self) {
        let config = self.context.config();
        let mut state = self.state();
        if Arc::ptr_eq(&state.config, &config) {
            return;
        }
        let schedules = &config.policy.schedules;
        let hour = self.hour(&schedules.zone);
        state.sweep.schedule = schedules.sweep.clone();
        // One begins now.
        state.sweep.began = hour.mono;
        state.events.schedule = schedules.events.clone();
        state.sweep.ask_anew(hour);
        state.events.ask_anew(hour);
        state.sweep_wanted = true;
        // It may be another server now; the one that asked for the pause is not asked before it is over.
        self.context.sight().paused_until = Duration::ZERO;
        state.config = config;
    }

    fn hour<'a>(&self, zone: &'a jiff::tz::TimeZone) -> Hour<'a> {
        let clock = &self.context.clock;
        Hour {
            now: clock.now(),
            mono: clock.monotonic(),
            zone,
        }
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
        if context.work.is_cancelled() {
            return;
        }
        self.heed_config();
        self.heed_clock();
        let config = context.config();
        let hour = self.hour(&config.policy.schedules.zone);
        let mut state = self.state();
        state.last_tick = hour.mono;
        self.sweep_if_due(&mut state, hour);
        if state.events.is_due(hour) {
            self.start(&mut state, Work::Events);
        }
        if state.upkeep.is_due(hour) {
            self.start(&mut state, Work::Upkeep);
        }
        if state.names.is_due(hour) {
            self.start(&mut state, Work::Names);
        }
        if state.owed.is_due(&context.sight(), hour.mono) {
            self.start(&mut state, Work::PutRight);
        }
        context.vitals.next_sweep(state.sweep.next);
    }

    /// Looks whether somebody set the wall clock, and takes it to heart: what waits for a time of the wall is asked anew, what
    /// happened unseen is looked for, and after a step back nothing that is stored waits for the time that was. Says how
    /// often it was set since the start.
    fn heed_clock(self: &Arc<Self>) -> u64 {
        let context = &self.context;
        let config = context.config();
        let mut state = self.state();
        let Some(by) = state.clocks.set_by(&context.clock) else {
            return state.steps;
        };
        let hour = self.hour(&config.policy.schedules.zone);
        let length = words::duration(by.unsigned_abs());
        if by.is_negative() {
            tracing::warn!("the clock was set back by {length}; looks and mails go on as before");
        } else {
            tracing::warn!(
                "the clock was set forward by {length}, or the machine slept; that time was not watched"
            );
        }
        state.steps += 1;
        state.force_sweep(hour);
        for line in [0, 1, 2, 3] {
            state.line(line).ask_anew(hour);
        }
        state.owed.skew = true;
        state.owed.not_before = hour.mono;
        if by.is_negative() {
            state.owed.waits = true;
            state.owed.history = true;
            context.roster().clock_was_set_back(hour.now);
        }
        let steps = state.steps;
        drop(state);
        {
            let mut sight = context.sight();
            if by.abs() >= LARGE {
                sight.steady_since = hour.mono;
            }
            // Leaf's clock stays where it is, as far as we know.
            sight.skew = sight.skew.map(|skew| skew.saturating_sub(by));
        }
        context.pack_soon();
        context.send_soon();
        steps
    }

    /// Puts right what is owed; where that fails, it stays owed.
    async fn put_right(&self) -> Result<(), crate::store::Error> {
        let context = &self.context;
        let (owed, steps) = {
            let mut state = self.state();
            state.owed.not_before = context.clock.monotonic() + UPKEEP_EVERY;
            (state.owed, state.steps)
        };
        let history = owed.history && context.sight().clock_is_right();
        let wait = context.config().policy.alerts.group_wait;
        let (now, leaf_now) = (context.clock.now(), context.leaf_now());
        context
            .write(move |tx| {
                if owed.skew {
                    tx.note_leaf_clock(now, leaf_now)?;
                }
                if owed.waits {
                    tx.shorten_waits(wait, now)?;
                }
                if history {
                    tx.nothing_happened_after(now)?;
                }
                Ok(())
            })
            .await?;
        let mut state = self.state();
        // It may have been set once more meanwhile.
        if state.steps == steps {
            state.owed = Owed {
                skew: false,
                waits: false,
                history: owed.history && !history,
                not_before: context.clock.monotonic(),
            };
        }
        drop(state);
        context.pack_soon();
        context.send_soon();
        Ok(())
    }

    /// Whether the scheduler waits for a wall clock that is another now; it had been set `steps` times when the scheduler
    /// was set up, at `set_up` on the monotonic clock.
    fn is_out_of_step(self: &Arc<Self>, steps: u64, set_up: Duration) -> bool {
        if self.heed_clock() != steps {
            return true;
        }
        let silent = {
            let last = self.state().last_tick.max(set_up);
            self.context.clock.monotonic().saturating_sub(last)
        };
        if silent > SILENT {
            let length = words::duration(silent);
            tracing::warn!("the scheduler was silent for {length}; it is set up anew");
        }
        silent > SILENT
    }

    fn sweep_if_due(self: &Arc<Self>, state: &mut State, hour: Hour<'_>) {
        let due = state.sweep.is_due(hour);
        if due && state.running.contains(&Work::Sweep) {
            self.context.vitals.sweep_skipped();
            tracing::warn!("a sweep was due while one still runs; it is left out");
            return;
        }
        if state.running.contains(&Work::Sweep) {
            return;
        }
        state.sweep_wanted |= due;
        let left = self.context.sight().pause_left(hour.mono);
        if let Some(left) = left {
            let noted = std::mem::replace(&mut state.paused, true);
            if !noted || waited(&self.context.sight(), hour.mono) {
                self.start_probe(state, Some(left));
            }
            return;
        }
        // What a pause held back begins when it is over.
        state.sweep_wanted |= std::mem::take(&mut state.paused);
        if state.sweep_wanted {
            state.sweep_wanted = false;
            state.second_look_at = None;
            self.start(state, Work::Sweep);
        } else if state.second_look_at.is_some_and(|at| at <= hour.mono) {
            state.second_look_at = None;
            self.start_sweep(state, true);
        } else if self.probe_is_due(state, hour.mono) {
            self.start_probe(state, None);
        }
    }

    fn probe_is_due(&self, state: &State, mono: Duration) -> bool {
        let sight = self.context.sight();
        let rare = state.sweep.schedule.typical_interval() > PROBE_EVERY;
        // Where Leaf answers, and shows another owner's growers, a probe would tell nothing new.
        sight.blind && !sight.answers && rare && waited(&sight, mono)
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
                Work::PutRight => running.timetable.put_right().await,
                Work::Names => {
                    tokio::select! {
                        () = context.stop.cancelled() => {}
                        () = gather::names(&context) => {}
                    }
                    Ok(())
                }
            };
            if let Err(error) = result {
                tracing::warn!("{work:?} was left out: {}", words::with_causes(&error));
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
                let wait = this.context.config().policy.thresholds.confirm_wait;
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
                tracing::error!("the sweep failed: {}", words::with_causes(&error));
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

    /// Tries one credential while blind; the first answer starts a sweep. While Leaf asked us to wait nobody is asked, and
    /// what is `left` of that is judged.
    fn start_probe(self: &Arc<Self>, state: &mut State, left: Option<Duration>) {
        state.running.insert(Work::Sweep);
        let running = Running {
            timetable: self.clone(),
            work: Work::Sweep,
        };
        self.tracker.spawn(async move {
            let this = running.timetable.clone();
            let answered = tokio::select! {
                () = this.context.stop.cancelled() => false,
                answered = this.probe(left) => answered,
            };
            this.state().sweep_wanted |= answered;
            drop(running);
        });
    }

    async fn probe(&self, left: Option<Duration>) -> bool {
        let context = &self.context;
        let config = context.config();
        let until = left.map(|left| context.clock.now() + left);
        let (end, reason) = match until {
            Some(until) => (
                SweepEnd::Unreachable,
                words::paused(until, &config.policy.schedules.zone),
            ),
            None => match self.ask_one(&config).await {
                Some(failed) => failed,
                None => return true,
            },
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
        let judged = context
            .write(move |tx| {
                let bench = Bench::of(&config);
                bench.probed(tx, end, &reason, since, now)?;
                match until {
                    Some(until) => tx.keep_pause(until),
                    None => Ok(()),
                }
            })
            .await;
        if judged.is_ok() {
            context.sight().blind = true;
            context.pack_soon();
        }
        false
    }

    /// Asks about one credential; none where Leaf answers, else why it does not.
    async fn ask_one(&self, config: &Config) -> Option<(SweepEnd, String)> {
        let context = &self.context;
        let credential = self.probed_next()?;
        Some(match context.client.read(credential, Class::Status).await {
            Ok(look) => match look.outcome {
                Outcome::Answer(_) => return None,
                Outcome::None(NoAnswer::Denied, why) => (SweepEnd::Denied, why),
                Outcome::None(_, why) => (SweepEnd::Unreachable, why),
            },
            Err(halt) => {
                context.heed(&halt);
                (end_of(&halt), reason_of(&halt, config))
            }
        })
    }
}

/// Whether a minute has passed since Leaf was last tried.
fn waited(sight: &SightState, mono: Duration) -> bool {
    sight
        .last_try
        .is_none_or(|last| mono.saturating_sub(last) >= PROBE_EVERY)
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
    /// The clock was set: a sweep begins at once, for nobody knows what was not watched. A clock that is set again and
    /// again forces no more of them than the schedule makes, counted by the clock that shows more time: while a machine
    /// sleeps only the wall's goes on.
    fn force_sweep(&mut self, hour: Hour<'_>) {
        let interval = self.sweep.schedule.typical_interval();
        let lately = self.forced.is_some_and(|(wall, mono)| {
            words::between(wall, hour.now) < interval && hour.mono.saturating_sub(mono) < interval
        });
        if !lately {
            self.forced = Some((hour.now, hour.mono));
            self.sweep_wanted = true;
        }
    }

    fn line(&mut self, at: usize) -> &mut Line {
        match at {
            0 => &mut self.sweep,
            1 => &mut self.events,
            2 => &mut self.upkeep,
            _ => &mut self.names,
        }
    }
}

/// Ticks until the context says stop, at the beats of a scheduler that is set up anew whenever the wall clock was set.
///
/// # Errors
/// Where the scheduler cannot be had.
pub async fn run(timetable: Arc<Timetable>) -> anyhow::Result<()> {
    let stop = timetable.context.stop.clone();
    let mut seconds = tokio::time::interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        let steps = timetable.heed_clock();
        let set_up = timetable.context.clock.monotonic();
        let beat = Beat::new().await?;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = beat.next() => timetable.tick(),
                _ = seconds.tick() => if timetable.is_out_of_step(steps, set_up) { break },
            }
        }
    }
    Ok(())
}

/// A scheduler with its one job, a beat each second. Told to stop, the scheduler leaves half a dozen tasks behind that keep
/// each other alive; so it has a runtime of its own, and all of it goes with that.
struct Beat {
    runtime: Option<Runtime>,
    beats: Arc<Notify>,
}

impl Beat {
    async fn new() -> anyhow::Result<Beat> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("scheduler")
            .enable_time()
            .build()?;
        let beats = Arc::new(Notify::new());
        let wound_up = runtime.spawn(wind_up(beats.clone()));
        let beat = Beat {
            runtime: Some(runtime),
            beats,
        };
        wound_up.await??;
        Ok(beat)
    }

    /// The next second; one that was missed is not made up for twice.
    async fn next(&self) {
        self.beats.notified().await;
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn wind_up(beats: Arc<Notify>) -> anyhow::Result<()> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new_async("* * * * * *", move |_, _| {
        beats.notify_one();
        Box::pin(std::future::ready(()))
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scheduler_that_is_set_up_anew_leaves_nothing_of_the_one_before() {
        let beat = Beat::new().await.unwrap();
        beat.next().await;
        let held = beat.beats.clone();
        drop(beat);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
