use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60;
const INTERVAL: Duration = Duration::from_secs(15 * MINUTE);

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minute * 60).unwrap()
}

fn period(from: i64, until: i64) -> Period {
    Period {
        from: at(from),
        until: at(until),
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * MINUTE)
}

fn sweep(minute: i64) -> Sweep {
    Sweep {
        lasted: period(minute, minute + 1),
        whole: true,
        blind: false,
        interval: INTERVAL,
    }
}

fn off(from: i64, until: i64) -> Off {
    Off {
        during: period(from, until),
        interval: INTERVAL,
    }
}

/// A sweep every quarter of an hour, from minute 0 to minute `until`.
fn sweeps(until: i64) -> Vec<Sweep> {
    (0..until).step_by(15).map(sweep).collect()
}

fn healthy(from: i64, until: i64) -> Stood<Health> {
    Stood {
        during: period(from, until),
        what: Health::Healthy,
    }
}

fn trouble(from: i64, until: i64) -> Stood<Health> {
    Stood {
        what: Health::Trouble,
        ..healthy(from, until)
    }
}

#[test]
fn availability_is_the_healthy_part_of_the_time_seen() {
    let timeline = Timeline::new(period(0, 100), &sweeps(100), []);
    let shares = Shares::of(&timeline, [healthy(0, 75), trouble(75, 200)], &[]);
    assert_eq!(
        shares,
        Shares {
            healthy: minutes(75),
            trouble: minutes(25),
            ..Shares::default()
        }
    );
    assert_eq!(shares.availability(), Some(0.75));
}

#[test]
fn a_look_holds_for_two_intervals_at_most() {
    let timeline = Timeline::new(period(0, 100), &[sweep(0)], []);
    let shares = Shares::of(&timeline, [healthy(0, 100)], &[]);
    assert_eq!(shares.healthy, minutes(31));
    assert_eq!(shares.not_looked, minutes(69));
    assert_eq!(shares.availability(), Some(1.0));
}

#[test]
fn a_sweep_that_takes_longer_than_its_interval_holds_for_longer() {
    let slow = Sweep {
        lasted: period(0, 60),
        ..sweep(0)
    };
    let timeline = Timeline::new(period(0, 200), &[slow], []);
    let shares = Shares::of(&timeline, [healthy(0, 200)], &[]);
    assert_eq!(shares.healthy, minutes(60 + 120));
}

#[test]
fn a_sweep_that_was_given_up_shows_nothing() {
    let mut all = sweeps(60);
    for sweep in &mut all[1..] {
        sweep.whole = false;
    }
    let timeline = Timeline::new(period(0, 60), &all, []);
    let shares = Shares::of(&timeline, [healthy(0, 60)], &[]);
    assert_eq!(shares.healthy, minutes(31));
}

#[test]
fn blind_and_off_time_is_nobodys_downtime() {
    let mut all = sweeps(120);
    for sweep in &mut all[2..4] {
        sweep.blind = true;
    }
    let timeline = Timeline::new(period(0, 120), &all, [off(85, 101)]);
    // It broke while nobody could see, and is seen to be broken afterwards.
    let shares = Shares::of(&timeline, [healthy(0, 61), trouble(61, 120)], &[]);
    assert_eq!(
        shares.blind,
        minutes(30),
        "from the end of 30 to that of 60"
    );
    assert_eq!(shares.off, minutes(16));
    assert_eq!(shares.healthy, minutes(31));
    assert_eq!(shares.trouble, minutes(59 - 16));
    let why: Vec<_> = timeline
        .stretches()
        .iter()
        .map(|part| part.unseen)
        .collect();
    assert_eq!(
        why,
        [
            None,
            Some(WhyUnseen::Blind),
            None,
            Some(WhyUnseen::Off),
            None
        ]
    );
}

#[test]
fn a_look_holds_through_a_restart() {
    let timeline = Timeline::new(period(0, 120), &sweeps(120), [off(32, 47)]);
    assert_eq!(timeline.stretches().len(), 1);
    // And no longer than it would have.
    let timeline = Timeline::new(
        period(0, 120),
        &[sweep(0)],
        (2..12).map(|n| off(n * 10, n * 10 + 10)),
    );
    let shares = Shares::of(&timeline, [healthy(0, 120)], &[]);
    assert_eq!(
        (shares.healthy, shares.not_looked),
        (minutes(31), minutes(89))
    );
}

#[test]
fn each_look_holds_for_the_interval_of_its_time() {
    let daily = |minute| Sweep {
        interval: minutes(24 * 60),
        ..sweep(minute)
    };
    // Once a day at first, then every quarter of an hour, and nobody looks any more.
    let day = 24 * 60;
    let mut all = vec![daily(0), daily(day)];
    all.extend((0..10).map(|n| sweep(2 * day + n * 15)));
    let timeline = Timeline::new(period(0, 4 * day), &all, []);
    let end = 2 * day + 9 * 15 + 1 + 30;
    let stretches: Vec<_> = timeline
        .stretches()
        .iter()
        .map(|part| (part.during, part.unseen))
        .collect();
    assert_eq!(
        stretches,
        [
            (period(0, end), None),
            (period(end, 4 * day), Some(WhyUnseen::NotLooked))
        ]
    );
}

#[test]
fn a_clock_that_was_set_back_lets_no_look_hold_into_time_that_nobody_saw() {
    // Minute 1000, and then 500 again; the daemon looks twice more, and dies.
    let all = [sweep(985), sweep(1000), sweep(500), sweep(515)];
    let timeline = Timeline::new(period(490, 1010), &all, []);
    let seen: Vec<_> = timeline
        .stretches()
        .iter()
        .filter(|part| part.unseen.is_none())
        .map(|part| part.during)
        .collect();
    assert_eq!(seen, [period(500, 546), period(985, 1001)]);
    // Blind before and after the step: what lies between is not blind for it.
    let mut blind = all;
    for sweep in &mut blind[1..3] {
        (sweep.blind, sweep.whole) = (true, false);
    }
    let timeline = Timeline::new(period(490, 1010), &blind, []);
    let blind: Vec<_> = timeline
        .stretches()
        .iter()
        .filter(|part| part.unseen == Some(WhyUnseen::Blind))
        .map(|part| part.during)
        .collect();
    assert_eq!(blind, [period(501, 516)]);
}

#[test]
fn being_blind_lasts_until_a_sweep_sees() {
    let mut all = sweeps(60);
    all[3].blind = true;
    let timeline = Timeline::new(period(0, 500), &all, []);
    let last = timeline.stretches().last().unwrap();
    assert_eq!(last.unseen, Some(WhyUnseen::Blind));
    assert_eq!(last.during, period(46, 500));
}

#[test]
fn a_gap_is_not_seen() {
    let timeline = Timeline::new(period(0, 100), &sweeps(100), []);
    let shares = Shares::of(&timeline, [healthy(0, 100)], &[period(30, 60)]);
    assert_eq!(shares.no_answer, minutes(30));
    assert_eq!(shares.availability(), Some(1.0));
    assert_eq!(shares.healthy, minutes(70));
}

#[test]
fn what_was_not_watched_or_not_connected_is_nobodys_time() {
    let timeline = Timeline::new(period(0, 100), &sweeps(100), []);
    let never = Stood {
        during: period(20, 60),
        what: Health::NotConnected,
    };
    let shares = Shares::of(&timeline, [never, healthy(60, 100)], &[period(30, 40)]);
    assert_eq!(shares.unwatched, minutes(60));
    assert_eq!(shares.healthy, minutes(40));
    // Asked about, and never answered: that was watched.
    let shares = Shares::of(&timeline, [healthy(60, 100)], &[period(30, 60)]);
    assert_eq!(
        (shares.unwatched, shares.no_answer),
        (minutes(30), minutes(30))
    );
    assert_eq!(Shares::default().availability(), None);
}

#[test]
fn the_parts_of_a_split_period_add_up_to_the_whole() {
    let mut all = sweeps(600);
    all.drain(10..20);
    let (answers, gaps) = ([healthy(0, 250), trouble(250, 600)], [period(45, 75)]);
    let whole = Timeline::new(period(0, 600), &all, []);
    let mut sum = Shares::default();
    for part in [period(0, 60), period(60, 301), period(301, 600)] {
        sum += Shares::of(&Timeline::new(part, &all, []), answers, &gaps);
    }
    assert_eq!(sum, Shares::of(&whole, answers, &gaps));
}

fn some_period() -> impl Strategy<Value = Period> {
    (0i64..2000, 0i64..2000).prop_map(|(from, until)| period(from, until))
}

fn some_sweep() -> impl Strategy<Value = Sweep> {
    let parts = (some_period(), any::<bool>(), any::<bool>(), 1u64..200);
    parts.prop_map(|(lasted, whole, blind, interval)| Sweep {
        lasted,
        whole,
        blind,
        interval: minutes(interval),
    })
}

fn some_off() -> impl Strategy<Value = Off> {
    some_period().prop_map(|during| Off {
        during,
        interval: INTERVAL,
    })
}

fn some_answer() -> impl Strategy<Value = Stood<Health>> {
    let health = prop_oneof![
        Just(Health::Healthy),
        Just(Health::Trouble),
        Just(Health::NotConnected)
    ];
    (some_period(), health).prop_map(|(during, what)| Stood { during, what })
}

proptest! {
    /// Whatever the clock did: out of order, overlapping, turned round.
    #[test]
    fn shares_add_up_to_the_period_and_never_to_more(
        whole in some_period(),
        sweeps in prop::collection::vec(some_sweep(), 0..20),
        off in prop::collection::vec(some_off(), 0..5),
        answers in prop::collection::vec(some_answer(), 0..10),
        gaps in prop::collection::vec(some_period(), 0..5),
    ) {
        let timeline = Timeline::new(whole, &sweeps, off);
        let shares = Shares::of(&timeline, answers, &gaps);
        prop_assert_eq!(shares.seen() + shares.not_seen() + shares.unwatched, whole.length());
        if let Some(availability) = shares.availability() {
            prop_assert!((0.0..=1.0).contains(&availability));
        }
        let stretches: Duration = timeline.stretches().iter().map(|part| part.during.length()).sum();
        prop_assert_eq!(stretches, whole.length());
    }

    /// Trouble in place of health moves time from one to the other, and nothing else.
    #[test]
    fn what_is_seen_does_not_depend_on_what_is_seen(
        sweeps in prop::collection::vec(some_sweep(), 0..20),
        answers in prop::collection::vec(some_period(), 0..10),
        gaps in prop::collection::vec(some_period(), 0..5),
    ) {
        let timeline = Timeline::new(period(0, 2000), &sweeps, []);
        let of = |health| {
            let answers = answers.iter().map(|&during| Stood { during, what: health });
            Shares::of(&timeline, answers, &gaps)
        };
        let (well, ill) = (of(Health::Healthy), of(Health::Trouble));
        prop_assert_eq!((well.healthy, well.trouble), (ill.trouble, ill.healthy));
        prop_assert_eq!((well.not_seen(), well.unwatched), (ill.not_seen(), ill.unwatched));
    }
}
