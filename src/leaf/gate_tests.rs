//! On tokio's paused time: no socket here, so every wait is exact and costs nothing.

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn gate(per_second: u32, in_flight: usize) -> Arc<Gate> {
    let clock = Clock::movable("2026-03-01T12:00:00Z".parse().unwrap());
    let limits = Limits {
        per_second,
        in_flight,
    };
    Arc::new(Gate::new(limits, clock))
}

/// Lets every task go as far as it can without time passing.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

fn most_in_a_second(starts: &[Instant]) -> usize {
    let within = |from: &Instant| {
        let window = starts
            .iter()
            .filter(|at| *at >= from && **at < *from + SECOND);
        window.count()
    };
    starts.iter().map(within).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn no_second_holds_more_starts_than_allowed() {
    let gate = gate(5, 64);
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..64 {
        let gate = gate.clone();
        callers.spawn(async move {
            let _permit = gate.enter(Lane::Status).await.unwrap();
            Instant::now()
        });
    }
    let starts = callers.join_all().await;
    assert_eq!(most_in_a_second(&starts), 5);
    let last = starts.iter().max().unwrap();
    assert!(*last - began < 13 * WINDOW, "and no slower than need be");
    assert_eq!(gate.waits(), 12);
}

#[tokio::test(start_paused = true)]
async fn never_more_in_flight_than_allowed_and_never_fewer_while_others_wait() {
    let gate = gate(0, 4);
    let (now, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut callers = JoinSet::new();
    let began = Instant::now();
    for n in 0..64 {
        let (gate, now, most) = (gate.clone(), now.clone(), most.clone());
        callers.spawn(async move {
            let lane = [Lane::Urgent, Lane::Status, Lane::Events][n % 3];
            let _permit = gate.enter(lane).await.unwrap();
            let others = now.fetch_add(1, Relaxed);
            most.fetch_max(others + 1, Relaxed);
            sleep(SECOND).await;
            now.fetch_sub(1, Relaxed);
        });
    }
    callers.join_all().await;
    assert_eq!(most.load(Relaxed), 4);
    assert_eq!(Instant::now() - began, 16 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn urgent_goes_first_and_events_get_one_in_five() {
    let gate = gate(0, 1);
    let held = gate.enter(Lane::Events).await.unwrap();
    let order = Arc::new(Mutex::new(String::new()));
    let mut callers = JoinSet::new();
    for (lane, name, many) in [
        (Lane::Events, 'e', 6),
        (Lane::Status, 's', 12),
        (Lane::Urgent, 'u', 2),
        (Lane::Login, 'L', 1),
    ] {
        for _ in 0..many {
            let (gate, order) = (gate.clone(), order.clone());
            callers.spawn(async move {
                let _permit = gate.enter(lane).await.unwrap();
                order.lock().unwrap().push(name);
            });
        }
    }
    settle().await;
    drop(held);
    callers.join_all().await;
    assert_eq!(*order.lock().unwrap(), "Luusessssessssessseee");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_takes_nothing_with_it() {
    let gate = gate(1, 1);
    let held = gate.enter(Lane::Status).await.unwrap();
    let mut callers = Vec::new();
    for _ in 0..3 {
        let gate = gate.clone();
        callers.push(tokio::spawn(async move {
            let _permit = gate.enter(Lane::Status).await.unwrap();
            Instant::now()
        }));
        settle().await;
    }
    let last = callers.pop().unwrap();
    // The first of the line is gone at the very moment that it was woken, the second while it waits.
    drop(held);
    callers[0].abort();
    callers[1].abort();
    let began = Instant::now();
    assert!(last.await.unwrap() - began <= WINDOW);
    let state = gate.lock();
    assert!(state.nobody_waits());
    assert_eq!(state.in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everybody_and_the_longer_one_counts() {
    let gate = gate(0, 4);
    let began = Instant::now();
    gate.pause(30 * SECOND);
    gate.pause(10 * SECOND);
    let permit = gate.enter(Lane::Login).await.unwrap();
    assert_eq!(Instant::now() - began, 30 * SECOND);
    drop(permit);
    gate.enter(Lane::Status).await.unwrap();
    assert_eq!(Instant::now() - began, 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_turns_away_those_who_wait_and_those_who_come() {
    let gate = gate(0, 1);
    let held = gate.enter(Lane::Status).await.unwrap();
    let waiting = tokio::spawn({
        let gate = gate.clone();
        async move { gate.enter(Lane::Status).await.map(drop) }
    });
    settle().await;
    let closed = gate.close(3600 * SECOND);
    assert_eq!(closed.until.to_string(), "2026-03-01T13:00:00Z");
    assert_eq!(gate.close(60 * SECOND), closed, "the longer one counts");
    assert_eq!(waiting.await.unwrap(), Err(closed));
    drop(held);
    assert_eq!(gate.enter(Lane::Login).await.map(drop), Err(closed));

    gate.clock.advance(3599 * SECOND);
    let nearly = Closed {
        left: SECOND,
        ..closed
    };
    assert_eq!(gate.enter(Lane::Status).await.map(drop), Err(nearly));
    gate.clock.advance(SECOND);
    assert_eq!(gate.enter(Lane::Status).await.map(drop), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn new_limits_hold_for_those_who_wait_already() {
    let gate = gate(1, 1);
    let held = gate.enter(Lane::Status).await.unwrap();
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..10 {
        let gate = gate.clone();
        callers.spawn(async move {
            let _permit = gate.enter(Lane::Status).await.unwrap();
            sleep(SECOND).await;
            Instant::now()
        });
    }
    settle().await;
    gate.allow(Limits {
        per_second: 0,
        in_flight: 11,
    });
    let ends = callers.join_all().await;
    assert!(ends.iter().all(|end| *end - began == SECOND));
    drop(held);

    gate.allow(Limits {
        per_second: 2,
        in_flight: 11,
    });
    let before = Instant::now();
    gate.enter(Lane::Status).await.unwrap();
    assert_eq!(
        Instant::now() - before,
        WINDOW,
        "starts were not counted until now, so a second may be full"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Callers come, work, give up; limits change: the limits hold, and in the end everybody had a turn.
    #[test]
    fn limits_hold_whatever_happens(
        per_second in 1u32..8,
        in_flight in 1usize..6,
        callers in prop::collection::vec((0u64..4000, 0u64..900, 0usize..3, prop::option::of(0u64..3000)), 1..60),
        later in prop::option::of((0u64..3000, 1u32..8, 1usize..6)),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (starts, most) = runtime.block_on(async {
            let gate = gate(per_second, in_flight);
            let starts = Arc::new(Mutex::new(Vec::new()));
            let most = Arc::new(AtomicU64::new(0));
            let mut tasks = JoinSet::new();
            for (arrives, works, lane, gives_up) in callers {
                let (gate, starts, most) = (gate.clone(), starts.clone(), most.clone());
                tasks.spawn(async move {
                    sleep(Duration::from_millis(arrives)).await;
                    let work = async {
                        let lane = [Lane::Urgent, Lane::Status, Lane::Events][lane];
                        let _permit = gate.enter(lane).await.unwrap();
                        starts.lock().unwrap().push(Instant::now());
                        most.fetch_max(gate.lock().in_flight as u64, Relaxed);
                        sleep(Duration::from_millis(works)).await;
                    };
                    match gives_up {
                        Some(patience) => {
                            let _ = tokio::time::timeout(Duration::from_millis(patience), work).await;
                        }
                        None => work.await,
                    }
                });
            }
            if let Some((at, per_second, in_flight)) = later {
                let gate = gate.clone();
                tasks.spawn(async move {
                    sleep(Duration::from_millis(at)).await;
                    gate.allow(Limits { per_second, in_flight });
                });
            }
            // Time stands still only while nothing can go on: a caller that never gets its turn would hang here.
            tokio::time::timeout(Duration::from_secs(3600), tasks.join_all()).await.unwrap();
            let starts = starts.lock().unwrap().clone();
            (starts, most.load(Relaxed) as usize)
        });
        let (per_second, in_flight) = match later {
            Some((_, changed, flight)) => (per_second.max(changed), in_flight.max(flight)),
            None => (per_second, in_flight),
        };
        prop_assert!(most_in_a_second(&starts) <= per_second as usize);
        prop_assert!(most <= in_flight);
    }
}
