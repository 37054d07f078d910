//! What was seen when, told in one way everywhere: for any history the bars, the lanes, the report, the digest and the
//! history say hour by hour what a plain reading of the rows says.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use leafwatch::model::*;
use leafwatch::rules::availability::Period;
use leafwatch::store::{Db, Filter, Scene};
use leafwatch::view::availability::Availability;
use leafwatch::view::history::Happening;
use proptest::prelude::*;

use crate::support::desk::*;
use crate::support::site::{Served, open};

/// Credentials watched.
const FLEET: u128 = 3;
/// A page of seven days shows all of a history.
const HOURS: i64 = 160;

#[derive(Debug, Clone)]
enum Op {
    /// So many hours later.
    Sweep(i64),
    /// The daemon is stopped or killed after so many hours, for so many.
    Off(i64, bool, i64),
    /// The config says another distance between sweeps.
    Interval(u64),
    /// Leaf says so of that credential.
    Says(u128, &'static str),
    /// Leaf says nothing of anybody; or, of all again, that they are well.
    Away(bool),
}

fn op() -> impl Strategy<Value = Op> {
    let says = prop::sample::select(vec!["OK", "OK", "INVALID", "odd", "missing", "nothing"]);
    prop_oneof![
        12 => (1i64..5).prop_map(Op::Sweep),
        2 => (0i64..4, any::<bool>(), 1i64..30).prop_map(|(after, killed, hours)| Op::Off(after, killed, hours)),
        2 => (1u64..9).prop_map(Op::Interval),
        5 => (0..FLEET, says).prop_map(|(number, word)| Op::Says(number, word)),
        2 => any::<bool>().prop_map(Op::Away),
    ]
}

fn live(db: Db, ops: &[Op], then: i64) -> Desk {
    let users = (0..FLEET).map(|n| plain_user(n, None)).collect();
    let mut desk = Desk::kept_in(db, WatchList::new(users, vec![Provider::JOHN_DEERE]));
    let began = desk.now;
    let hours = |count: i64| HOUR * u32::try_from(count).unwrap();
    desk.policy.schedules.sweep = Schedule::Every(2 * HOUR);
    for op in ops {
        let spent = match op {
            Op::Sweep(after) => *after,
            Op::Off(after, _, time) => after + time,
            _ => 0,
        };
        if desk.now.duration_since(began).as_hours() + spent + then > HOURS {
            break;
        }
        match op {
            Op::Sweep(after) => drop(desk.sweep_after(hours(*after))),
            Op::Off(after, killed, time) => {
                desk.now += hours(*after);
                if !killed {
                    desk.stop(desk.now);
                }
                desk.off(hours(*time));
            }
            Op::Interval(hours) => {
                desk.policy.schedules.sweep =
                    Schedule::Every(HOUR * u32::try_from(*hours).unwrap());
            }
            Op::Says(number, "missing") => desk.says(*number, missing()),
            Op::Says(number, "nothing") => desk.says(*number, later()),
            Op::Says(number, word) => desk.says(*number, status(word)),
            Op::Away(true) => (0..FLEET).for_each(|number| desk.says(number, later())),
            Op::Away(false) => (0..FLEET).for_each(|number| desk.says(number, ok())),
        }
    }
    desk.now += hours(then);
    desk
}

/// How it was in one hour, as a plain reading of the rows has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hour {
    Unwatched,
    Healthy,
    Bad,
    Odd,
    Missing,
    Unseen(WhyUnseen),
}

/// The rows, as they are.
struct Rows {
    /// Start, end, whole, blind, interval.
    sweeps: Vec<(i64, i64, bool, bool, i64)>,
    /// From the last sign of life to the next start, and the interval before it.
    off: Vec<(i64, i64, i64)>,
    /// From, until, status, never there.
    spans: Vec<(i64, i64, Option<String>, bool)>,
    gaps: Vec<(i64, i64)>,
}

const ALWAYS: i64 = i64::MAX;

fn rows(desk: &mut Desk, id: CredentialId) -> Rows {
    let conn = desk.db.reader();
    let mut sweeps = Vec::new();
    let mut statement = conn
        .prepare("SELECT started_at, finished_at, sight = 0, blind, interval_ms, run FROM sweep WHERE second = 0 ORDER BY id")
        .unwrap();
    let mut of_run = Vec::new();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let get = |at: usize| row.get::<_, i64>(at).unwrap();
        sweeps.push((get(0), get(1), get(2) == 1, get(3) == 1, get(4)));
        of_run.push((get(5), get(1), get(4)));
    }
    let mut statement = conn
        .prepare("SELECT id, started_at, stopped_at FROM run ORDER BY id")
        .unwrap();
    let runs: Vec<(i64, i64, Option<i64>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let off = runs.windows(2).map(|pair| {
        let (id, started, stopped) = pair[0];
        let last = of_run.iter().rev().find(|(run, ..)| *run == id);
        let sign = stopped.or(last.map(|(_, end, _)| *end)).unwrap_or(started);
        let before = of_run.iter().rev().find(|(run, ..)| *run <= id);
        (
            sign,
            pair[1].1,
            before.map_or(0, |(.., interval)| *interval),
        )
    });
    let off = off.collect();
    let mut statement = conn
        .prepare(
            "SELECT s.from_at, s.to_at, r.status, s.epoch = 0 FROM span s LEFT JOIN reading r ON r.id = s.reading
             WHERE s.credential = ?1 ORDER BY s.from_sweep",
        )
        .unwrap();
    let spans = statement
        .query_map([id.0], |row| {
            let until: Option<i64> = row.get(1)?;
            Ok((
                row.get(0)?,
                until.unwrap_or(ALWAYS),
                row.get(2)?,
                row.get(3)?,
            ))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut statement = conn
        .prepare("SELECT from_at, to_at FROM gap WHERE credential = ?1 ORDER BY from_sweep")
        .unwrap();
    let gaps = statement
        .query_map([id.0], |row| {
            let until: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, until.unwrap_or(ALWAYS)))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    Rows {
        sweeps,
        off,
        spans,
        gaps,
    }
}

impl Rows {
    fn span(&self, at: i64) -> Option<(&Option<String>, bool)> {
        let here = |span: &&(i64, i64, Option<String>, bool)| span.0 <= at && at < span.1;
        let span = self.spans.iter().find(here)?;
        Some((&span.2, span.3))
    }

    /// Whether it was not connected: such time is nobody's.
    fn was_never_there(&self, at: i64) -> bool {
        self.span(at).is_some_and(|(_, never)| never)
    }

    /// In the middle of an hour; everything happens on the hour.
    fn hour(&self, at: i64) -> Hour {
        let gap = |(from, until): &(i64, i64)| *from <= at && at < *until;
        let (span, in_gap) = (self.span(at), self.gaps.iter().any(gap));
        if span.is_none() && !in_gap {
            return Hour::Unwatched;
        }
        if let Some(why) = self.fleet(at) {
            return Hour::Unseen(why);
        }
        match span {
            _ if in_gap => Hour::Unseen(WhyUnseen::NoAnswer),
            Some((Some(word), _)) => match word.as_str() {
                "OK" => Hour::Healthy,
                "INVALID" => Hour::Bad,
                _ => Hour::Odd,
            },
            _ => Hour::Missing,
        }
    }

    fn fleet(&self, at: i64) -> Option<WhyUnseen> {
        let off = |(from, until, interval): &(i64, i64, i64)| {
            *from <= at && at < *until && until - from > *interval
        };
        if self.off.iter().any(off) {
            return Some(WhyUnseen::Off);
        }
        let ended = self.sweeps.iter().rev().find(|sweep| sweep.1 <= at);
        if ended.is_some_and(|sweep| sweep.3) {
            return Some(WhyUnseen::Blind);
        }
        let whole = self
            .sweeps
            .iter()
            .rev()
            .find(|sweep| sweep.2 && sweep.0 <= at);
        match whole {
            Some((began, end, .., interval)) if at < end + 2 * (*interval).max(end - began) => None,
            _ => Some(WhyUnseen::NotLooked),
        }
    }
}

/// The hours of a lane, from the bars that the page draws.
fn painted(page: &str, lane: &str, from: i64, count: i64) -> BTreeSet<i64> {
    let name = format!("<span class=\"name\">{lane}</span>");
    let Some((_, rest)) = page.split_once(&name) else {
        return BTreeSet::new();
    };
    let svg = rest.split("</svg>").next().unwrap();
    let number = |text: &str, name: &str| -> f64 {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let hour = |x: f64| (x * count as f64 / 1000.0).round() as i64;
    svg.split("<rect ")
        .skip(1)
        .flat_map(|rect| {
            let (x, wide) = (number(rect, " x"), number(rect, " width"));
            (hour(x)..hour(x + wide)).map(|hour| from + hour)
        })
        .collect()
}

/// The class of each of the last 90 days, from the bar of the credential.
fn bar(overview: &str, number: u128) -> Vec<&'static str> {
    let href = format!("href=\"/credentials/{}/john-deere\"", user(number));
    let table = overview.split_once("<table").unwrap().1;
    let row = table.split_once(&href).unwrap().1;
    let svg = row.split("</svg>").next().unwrap();
    let mut days = vec![""; 90];
    for class in ["critical", "warning", "well", "unsure", "unseen"] {
        let Some((_, path)) = svg.split_once(&format!("<path class=\"{class}\" d=\"")) else {
            continue;
        };
        for run in path.split('"').next().unwrap().split('M').skip(1) {
            let (from, rest) = run.split_once(' ').unwrap();
            let (_, to) = rest.split_once('H').unwrap();
            let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
            days[from / 4..to / 4].fill(class);
        }
    }
    days
}

fn hours(count: usize) -> Duration {
    HOUR * u32::try_from(count).unwrap()
}

fn check_shares(shares: &Availability, truth: &[Hour], at: &str) {
    let count = |wanted: &[Hour]| hours(truth.iter().filter(|hour| wanted.contains(hour)).count());
    assert_eq!(shares.healthy, count(&[Hour::Healthy]), "healthy {at}");
    let bad = count(&[Hour::Bad, Hour::Odd, Hour::Missing]);
    assert_eq!(shares.trouble, bad, "trouble {at}");
    for (share, why) in [
        (shares.not_seen.no_answer, WhyUnseen::NoAnswer),
        (shares.not_seen.not_looked, WhyUnseen::NotLooked),
        (shares.not_seen.blind, WhyUnseen::Blind),
        (shares.not_seen.off, WhyUnseen::Off),
    ] {
        assert_eq!(share, count(&[Hour::Unseen(why)]), "{why:?} {at}");
    }
    assert_eq!(
        shares.unwatched,
        count(&[Hour::Unwatched]),
        "unwatched {at}"
    );
}

fn check_report(desk: &mut Desk, truths: &[Vec<Hour>], began: Timestamp) {
    let scene = Scene {
        watch: &desk.watch,
        policy: &desk.policy,
        now: desk.now,
    };
    let at = |hour: usize| began + hours(hour);
    let all = truths[0].len();
    let mut periods: Vec<(usize, usize)> = vec![(0, all), (all / 3, all)];
    periods.extend((0..all).step_by(5).map(|hour| (hour, hour + 1)));
    desk.db
        .read(|tx| {
            for (from, until) in periods {
                let period = Period {
                    from: at(from),
                    until: at(until),
                };
                let mut lines = Vec::new();
                tx.each_availability(&scene, period, Filter::default(), |line| lines.push(line))?;
                for (number, truth) in truths.iter().enumerate() {
                    let line = lines
                        .iter()
                        .find(|line| line.who.user.user == user(number as u128));
                    let shares = line.map_or(
                        Availability {
                            unwatched: period.length(),
                            ..Availability::default()
                        },
                        |line| line.availability,
                    );
                    let said = format!("of {number} from hour {from} to {until}");
                    check_shares(&shares, &truth[from..until], &said);
                }
            }
            let digest = tx.digest(&scene, began)?;
            let report = tx.report(
                &scene,
                Period {
                    from: began,
                    until: scene.now,
                },
                None,
            )?;
            assert_eq!(digest.overall, report.overall);
            assert_eq!(digest.unseen.total, report.unseen.len() as u64);
            Ok::<_, leafwatch::store::Error>(())
        })
        .unwrap();
}

fn check_history(desk: &mut Desk, number: u128, truth: &[Hour], began: Timestamp) {
    let scene = Scene {
        watch: &desk.watch,
        policy: &desk.policy,
        now: desk.now,
    };
    let whose = leafwatch::view::User {
        user: user(number),
        name: None,
    };
    let history = desk
        .db
        .read(|tx| tx.history_of(&scene, whose, Filter::default()))
        .unwrap();
    for (hour, wanted) in truth.iter().enumerate() {
        let at = began + hours(hour) + HOUR / 2;
        let here = |entry: &&leafwatch::view::history::HistoryEntry| {
            entry.at <= at && entry.until.is_none_or(|until| at < until)
        };
        let (mut answer, mut silent, mut unseen) = (Hour::Unwatched, false, None);
        for entry in history.entries.iter().filter(here) {
            match &entry.what {
                Happening::Answer { status, .. } => {
                    answer = match status.as_deref() {
                        Some("OK") => Hour::Healthy,
                        Some("INVALID") => Hour::Bad,
                        _ => Hour::Odd,
                    }
                }
                Happening::Missing => answer = Hour::Missing,
                Happening::NoAnswer { .. } => silent = true,
                Happening::Blind { .. } => unseen = Some(WhyUnseen::Blind),
                Happening::Off { .. } => unseen = Some(WhyUnseen::Off),
                Happening::NotLooked => unseen = Some(WhyUnseen::NotLooked),
                _ => {}
            }
        }
        let told = match (unseen, silent, answer) {
            (_, false, Hour::Unwatched) => Hour::Unwatched,
            (Some(why), ..) => Hour::Unseen(why),
            (None, true, _) => Hour::Unseen(WhyUnseen::NoAnswer),
            (None, false, answer) => answer,
        };
        assert_eq!(told, *wanted, "history of {number}, hour {hour}");
    }
}

/// The hours in which the page shows the credential in trouble, by how bad.
fn check_lanes(page: &str, truth: &[Hour], number: usize) -> [BTreeSet<i64>; 2] {
    let first = truth.iter().position(|hour| *hour != Hour::Unwatched);
    let Some(first) = first else {
        return Default::default();
    };
    let (from, count) = (first as i64, (truth.len() - first) as i64);
    let lane = |name: &str| painted(page, name, from, count);
    for (name, wanted) in [
        ("Leaf says healthy", Hour::Healthy),
        ("unknown status word", Hour::Odd),
        ("not at Leaf", Hour::Missing),
        ("no answer about it", Hour::Unseen(WhyUnseen::NoAnswer)),
        ("Leafwatch was blind", Hour::Unseen(WhyUnseen::Blind)),
        ("Leafwatch was off", Hour::Unseen(WhyUnseen::Off)),
        (
            "no sweep came to its end",
            Hour::Unseen(WhyUnseen::NotLooked),
        ),
    ] {
        let hours = truth
            .iter()
            .enumerate()
            .filter(|(_, hour)| **hour == wanted);
        let hours: BTreeSet<i64> = hours.map(|(at, _)| at as i64).collect();
        assert_eq!(lane(name), hours, "lane {name:?} of {number}: {truth:?}");
    }
    let critical = [Kind::Invalid, Kind::Missing].map(words);
    let critical: BTreeSet<i64> = critical.iter().flat_map(|name| lane(name)).collect();
    let warning = lane(&words(Kind::Unreadable));
    for hour in &critical {
        let at = truth[*hour as usize];
        assert!(
            matches!(at, Hour::Healthy | Hour::Bad | Hour::Odd | Hour::Missing),
            "trouble of {number} that nobody saw, hour {hour}: {at:?}"
        );
    }
    for hour in truth
        .iter()
        .enumerate()
        .filter(|(_, hour)| **hour == Hour::Bad)
    {
        assert!(
            critical.contains(&(hour.0 as i64)),
            "hour {} of {number}",
            hour.0
        );
    }
    [critical, warning]
}

fn words(kind: Kind) -> String {
    leafwatch::view::words::label(kind).to_owned()
}

fn check_bar(
    days: &[&str],
    truth: &[Hour],
    [critical, warning]: &[BTreeSet<i64>; 2],
    began: Timestamp,
    now: Timestamp,
) {
    let date = |at: Timestamp| at.as_second().div_euclid(86_400);
    for (at, shown) in days.iter().enumerate() {
        let day = date(now) - 89 + at as i64;
        let of_day = |hour: &usize| date(began + hours(*hour)) == day;
        let of_day: Vec<usize> = (0..truth.len()).filter(of_day).collect();
        let any = |set: &BTreeSet<i64>| of_day.iter().any(|hour| set.contains(&(*hour as i64)));
        let is = |what: &dyn Fn(Hour) -> bool| of_day.iter().filter(|at| what(truth[**at])).count();
        let unseen = is(&|hour| matches!(hour, Hour::Unseen(_)));
        let watched = is(&|hour| hour != Hour::Unwatched);
        let wanted = match () {
            () if any(critical) => "critical",
            () if any(warning) => "warning",
            () if watched == 0 || 2 * unseen > watched => "unseen",
            () if is(&|hour| hour == Hour::Healthy) > 0 => "well",
            () => "unsure",
        };
        assert_eq!(*shown, wanted, "day {at} of 90");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_view_of_the_past_tells_the_same_hours(
        ops in prop::collection::vec(op(), 1..60),
        then in 0i64..12,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut site = runtime.block_on(Served::with(|db| live(db, &ops, then), open()));
        let began: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let count = site.desk.now.duration_since(began).as_hours();
        if count == 0 {
            return Ok(());
        }
        let (mut truths, mut shares) = (Vec::new(), Vec::new());
        for number in 0..FLEET {
            let id = site.desk.id(number);
            let rows = rows(&mut site.desk, id);
            let middle = |hour: i64| (began + hours(hour as usize) + HOUR / 2).as_millisecond();
            let truth: Vec<Hour> = (0..count).map(|hour| rows.hour(middle(hour))).collect();
            let mut share = truth.clone();
            for (hour, share) in share.iter_mut().enumerate() {
                if rows.was_never_there(middle(hour as i64)) {
                    *share = Hour::Unwatched;
                }
            }
            truths.push(truth);
            shares.push(share);
        }
        check_report(&mut site.desk, &shares, began);
        let overview = runtime.block_on(site.get("/")).body;
        for (number, truth) in truths.iter().enumerate() {
            check_history(&mut site.desk, number as u128, truth, began);
            let path = format!("/credentials/{}/john-deere?days=7", user(number as u128));
            let page = runtime.block_on(site.get(&path)).body;
            let trouble = check_lanes(&page, truth, number);
            check_bar(&bar(&overview, number as u128), truth, &trouble, began, site.desk.now);
        }
    }
}
