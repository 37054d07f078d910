//! Lets requests to Leaf start: never more a second, nor more at once, than allowed; in the right order; not while
//! Leaf asked for a pause.
//!
//! The rate is about what really goes over the wire, so it runs on tokio's clock and not on [`Clock`], which tests move.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;

/// The window in which at most `per_second` requests start. A little over a second, so that one request that is a bit
/// slower on its way than the next does not make them one too many in a second at Leaf's end.
const WINDOW: Duration = Duration::from_millis(1020);

/// Other events get one permit in this many whenever they wait.
const EVENTS_SHARE: u8 = 5;

/// Who goes first: the lower lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// A login, for which others wait.
    Login,
    /// Events of a credential whose opened notice waits to be packed.
    Urgent,
    /// Status reads.
    Status,
    /// All other events.
    Events,
}

const LANES: usize = 4;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Starts within any second; 0 is no limit.
    pub(super) per_second: u32,
    /// Requests at once; 0 is taken as 1.
    pub(super) in_flight: usize,
}

/// Leaf asked for a pause that is too long to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    /// When it is over, for people.
    pub(super) until: Timestamp,
    /// How long that is.
    pub(super) left: Duration,
}

/// The gate; see the module.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    clock: Clock,
    waits: AtomicU64,
}

/// The right to have one request in flight; given back on drop.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    gate: &'a Gate,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    in_flight: usize,
    /// The newest starts, at most `per_second` of them; empty where there is no limit.
    starts: VecDeque<Instant>,
    paused_until: Option<Instant>,
    /// Since when on the monotonic clock it is open again, and the same for people.
    closed: Option<(Duration, Timestamp)>,
    waiting: [VecDeque<Arc<Notify>>; LANES],
    /// Permits that went to others since events had one, as far as it matters.
    since_events: u8,
}

/// Why the next in line cannot start yet.
enum Hold {
    InFlight,
    Until(Instant),
}

impl Gate {
    pub(super) fn new(limits: Limits, clock: Clock) -> Self {
        Gate {
            state: Mutex::new(State {
                limits,
                in_flight: 0,
                starts: VecDeque::new(),
                paused_until: None,
                closed: None,
                waiting: Default::default(),
                since_events: 0,
            }),
            clock,
            waits: AtomicU64::new(0),
        }
    }

    /// Waits until a request of `lane` may start, and counts it as started. Dropping the future leaves the line and
    /// loses nothing.
    ///
    /// # Errors
    ///
    /// [`Closed`], at once, while a long pause stands; those who wait when it begins get it too.
    pub(super) async fn enter(&self, lane: Lane) -> Result<Permit<'_>, Closed> {
        {
            let mut state = self.lock();
            self.check_open(&mut state)?;
            if state.nobody_waits() && state.hold().is_none() {
                return Ok(self.start(&mut state, lane));
            }
        }
        self.wait_in_line(lane).await
    }

    /// Nothing starts before `pause` has passed; a pause that stands and lasts longer stays.
    pub(super) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// Turns everybody away for `pause`. Returns when it is over, which is later where a longer one stands.
    pub(super) fn close(&self, pause: Duration) -> Closed {
        let reopens = self.clock.monotonic() + pause;
        let mut state = self.lock();
        let (reopens, until) = match state.closed {
            Some(standing) if standing.0 >= reopens => standing,
            _ => *state.closed.insert((
                reopens,
                self.clock
                    .now()
                    .saturating_add(pause)
                    .unwrap_or(Timestamp::MAX),
            )),
        };
        state.wake_all();
        Closed {
            until,
            left: reopens.saturating_sub(self.clock.monotonic()),
        }
    }

    /// Forgets every pause: it was another server that asked for it.
    pub(super) fn reopen(&self) {
        let mut state = self.lock();
        state.closed = None;
        state.paused_until = None;
        state.wake_next();
    }

    /// Allows `limits` from the next start on.
    pub(super) fn allow(&self, limits: Limits) {
        let mut state = self.lock();
        if state.limits.per_second == 0 && limits.per_second > 0 {
            // Starts were not recorded: as many as the limit may have been just now.
            state.paused_until = state.paused_until.max(Some(Instant::now() + WINDOW));
        }
        state.limits = limits;
        state.wake_next();
    }

    /// How often the rate limit or a pause held up whoever was next.
    pub(super) fn waits(&self) -> u64 {
        self.waits.load(Relaxed)
    }

    async fn wait_in_line(&self, lane: Lane) -> Result<Permit<'_>, Closed> {
        let place = Place::take(self, lane);
        let mut counted = false;
        loop {
            let hold = {
                let mut state = self.lock();
                self.check_open(&mut state)?;
                if state.is_next(&place) {
                    match state.hold() {
                        None => {
                            state.leave(&place);
                            let permit = self.start(&mut state, lane);
                            // Whoever is next may be able to go as well, or has to watch the time now.
                            state.wake_next();
                            return Ok(permit);
                        }
                        hold => hold,
                    }
                } else {
                    None
                }
            };
            match hold {
                Some(Hold::Until(at)) => {
                    if !std::mem::replace(&mut counted, true) {
                        self.waits.fetch_add(1, Relaxed);
                    }
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = place.turn.notified() => {}
                    }
                }
                Some(Hold::InFlight) | None => place.turn.notified().await,
            }
        }
    }

    fn start(&self, state: &mut State, lane: Lane) -> Permit<'_> {
        state.in_flight += 1;
        let limit = state.limits.per_second as usize;
        if limit > 0 {
            state.starts.push_back(Instant::now());
        }
        let surplus = state.starts.len().saturating_sub(limit);
        state.starts.drain(..surplus);
        state.since_events = match lane {
            Lane::Events => 0,
            _ => (state.since_events + 1).min(EVENTS_SHARE - 1),
        };
        Permit { gate: self }
    }

    fn check_open(&self, state: &mut State) -> Result<(), Closed> {
        let Some((reopens, until)) = state.closed else {
            return Ok(());
        };
        let left = reopens.saturating_sub(self.clock.monotonic());
        if left.is_zero() {
            state.closed = None;
            return Ok(());
        }
        Err(Closed { until, left })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.in_flight -= 1;
        state.wake_next();
    }
}

impl State {
    fn nobody_waits(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// The lane whose first is next.
    fn next_lane(&self) -> Option<usize> {
        let waits = |lane: Lane| !self.waiting[lane as usize].is_empty();
        if self.since_events >= EVENTS_SHARE - 1 && waits(Lane::Events) && !waits(Lane::Login) {
            return Some(Lane::Events as usize);
        }
        self.waiting.iter().position(|lane| !lane.is_empty())
    }

    fn is_next(&self, place: &Place<'_>) -> bool {
        self.next_lane() == Some(place.lane as usize)
            && self.waiting[place.lane as usize]
                .front()
                .is_some_and(|first| Arc::ptr_eq(first, &place.turn))
    }

    fn leave(&mut self, place: &Place<'_>) {
        self.waiting[place.lane as usize].retain(|other| !Arc::ptr_eq(other, &place.turn));
    }

    fn hold(&mut self) -> Option<Hold> {
        if self.in_flight >= self.limits.in_flight.max(1) {
            return Some(Hold::InFlight);
        }
        if self.paused_until.is_none() && self.limits.per_second == 0 {
            return None;
        }
        let now = Instant::now();
        match self.paused_until {
            Some(until) if until > now => return Some(Hold::Until(until)),
            _ => self.paused_until = None,
        }
        let limit = self.limits.per_second as usize;
        // The start that must have left the window before another may come.
        let oldest = self.starts.len().checked_sub(limit)?;
        let free_at = *self.starts.get(oldest)? + WINDOW;
        (free_at > now).then_some(Hold::Until(free_at))
    }

    /// Wakes who is next, if a request may be in flight at all; the woken one looks for itself at what else holds it.
    fn wake_next(&self) {
        if self.in_flight < self.limits.in_flight.max(1)
            && let Some(first) = self.next_lane().and_then(|lane| self.waiting[lane].front())
        {
            first.notify_one();
        }
    }

    fn wake_all(&self) {
        for turn in self.waiting.iter().flatten() {
            turn.notify_one();
        }
    }
}

/// A place in the line; leaving it, for whatever reason, wakes who is next then.
struct Place<'a> {
    gate: &'a Gate,
    lane: Lane,
    turn: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(gate: &'a Gate, lane: Lane) -> Self {
        let turn = Arc::new(Notify::new());
        gate.lock().waiting[lane as usize].push_back(turn.clone());
        Place { gate, lane, turn }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.leave(self);
        state.wake_next();
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
