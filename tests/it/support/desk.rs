//! The decision without the loops: sweeps over a made-up fleet, judged and stored as the daemon would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leafwatch::config::{self, Config, Variables};
use leafwatch::daemon::judge::{Bench, Look, Swept};
use leafwatch::model::*;
use leafwatch::rules::fleet::Outlook;
use leafwatch::store::{Counts, Db, Error, Gap, RunId, Tx};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// A policy as the defaults have it.
pub fn policy() -> Policy {
    Policy {
        thresholds: Thresholds::default(),
        status_words: StatusWords::default(),
        alerts: Alerts {
            to: vec!["support@example.com".parse().unwrap()],
            operators: vec!["ops@example.com".parse().unwrap()],
            ..Alerts::default()
        },
        schedules: Schedules {
            zone: jiff::tz::TimeZone::UTC,
            sweep: Schedule::Every(15 * MINUTE),
            events: Schedule::Every(24 * HOUR),
            reminders: Schedule::Every(24 * HOUR),
            digest: Schedule::Every(7 * 24 * HOUR),
        },
        daemon: Daemon::default(),
    }
}

/// A config as an operator would write it; what it names is not there.
pub fn config() -> Config {
    static LOADED: LazyLock<Config> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leafwatch.toml");
        std::fs::write(&file, CONFIG).unwrap();
        config::load(&file, &Variables::default()).unwrap()
    });
    LOADED.clone()
}

const CONFIG: &str = r#"
[leaf]
base_url = "http://127.0.0.1:9"
token_file = "leaf-token"
max_requests_per_second = 0
max_in_flight = 1

[watch]
providers = ["john-deere"]

[[watch.users]]
id = "10000000-0000-4000-8000-000000000000"

[alerts]
to = ["support@example.com"]

[email]
transport = "file"
directory = "mails"
from = "leafwatch@example.com"

[database]
keep_history = "400d"
"#;

/// The user with that number.
pub fn user(number: u128) -> UserId {
    UserId(uuid::Uuid::from_u128(
        0x1000_0000_0000_4000_8000_0000_0000_0000 + number,
    ))
}

pub fn deere(number: u128) -> Credential {
    Credential {
        user: user(number),
        provider: Provider::JOHN_DEERE,
    }
}

/// A reading with `status`, in PRODUCTION, of the first epoch.
pub fn reading(status: &str) -> Reading {
    Reading {
        status: Some(status.to_owned()),
        environment: Some("PRODUCTION".to_owned()),
        leaf_id: Some("one".to_owned()),
        ..Reading::default()
    }
}

pub fn ok() -> Outcome {
    status("OK")
}

pub fn status(word: &str) -> Outcome {
    Outcome::Answer(Answer::Reading(reading(word)))
}

pub fn missing() -> Outcome {
    Outcome::Answer(Answer::Missing)
}

pub fn later() -> Outcome {
    Outcome::None(NoAnswer::Later, "timed out".to_owned())
}

/// How a sweep comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// By itself: whole, or given up.
    Through,
    /// Stopped from our side after so many credentials.
    Stopped(usize),
    /// The daemon is killed while it writes down the answer after so many; a new run begins at once.
    Killed(usize),
}

pub struct Desk {
    pub db: Db,
    pub policy: Policy,
    pub watch: WatchList,
    pub now: Timestamp,
    /// How far Leaf's clock is ahead of ours.
    pub leaf_ahead: SignedDuration,
    /// What Leaf says of each watched credential.
    pub truth: BTreeMap<Credential, Outcome>,
    /// How far our clock was set, in all: no time passed meanwhile.
    jumped: SignedDuration,
    /// Who was asked in the last sweep, as far as that was written down.
    pub asked: Vec<Credential>,
    /// Whether the last sweep ended with the daemon being killed.
    pub was_killed: bool,
    /// Whether each answer is handed in twice, as after a commit whose success nobody heard of.
    pub repeats: bool,
    ids: BTreeMap<Credential, CredentialId>,
    healthy: BTreeSet<Credential>,
    silent: BTreeSet<Credential>,
    run: RunId,
    last_sweep: Option<Timestamp>,
    last_try: Option<Timestamp>,
    after_off: bool,
}

impl Desk {
    /// `count` credentials, all healthy and in PRODUCTION as expected.
    pub fn new(count: u128) -> Desk {
        let users = (0..count).map(|n| plain_user(n, None)).collect();
        let watch = WatchList::new(users, vec![Provider::JOHN_DEERE]);
        Desk::over(watch.expect_of_all(Some(Environment::Production)))
    }

    /// All that `watch` names, healthy and in PRODUCTION.
    pub fn over(watch: WatchList) -> Desk {
        Desk::kept_in(Db::in_memory().unwrap(), watch)
    }

    /// The same, kept in `db`.
    pub fn kept_in(mut db: Db, watch: WatchList) -> Desk {
        let now = "2026-03-02T08:00:00Z".parse().unwrap();
        let (ids, run) = db
            .write(|tx| {
                let ids = watch
                    .credentials()
                    .map(|c| {
                        let name = watch.user(c.user).and_then(|user| user.name.as_deref());
                        Ok((c, tx.watch_named(c, name, now)?))
                    })
                    .collect::<leafwatch::store::Result<_>>()?;
                Ok::<_, Error>((ids, tx.begin_run("test", now)?))
            })
            .unwrap();
        let truth = watch.credentials().map(|c| (c, ok())).collect();
        Desk {
            db,
            policy: policy(),
            watch,
            now,
            leaf_ahead: SignedDuration::ZERO,
            truth,
            jumped: SignedDuration::ZERO,
            asked: Vec::new(),
            was_killed: false,
            repeats: false,
            ids,
            healthy: BTreeSet::new(),
            silent: BTreeSet::new(),
            run,
            last_sweep: None,
            last_try: None,
            after_off: false,
        }
    }

    pub fn id(&self, number: u128) -> CredentialId {
        self.ids[&deere(number)]
    }

    /// Leaf says `outcome` of credential `number` from now on.
    pub fn says(&mut self, number: u128, outcome: Outcome) {
        self.truth.insert(deere(number), outcome);
    }

    pub fn bench(&self) -> (Policy, WatchList) {
        (self.policy.clone(), self.watch.clone())
    }

    pub fn leaf_now(&self) -> Timestamp {
        self.now + self.leaf_ahead
    }

    /// Somebody sets our clock, and no time passes.
    pub fn jump(&mut self, by: SignedDuration) {
        self.now += by;
        self.jumped += by;
        self.leaf_ahead -= by;
    }

    /// Time that neither jumps nor stands still.
    pub fn steady_now(&self) -> Timestamp {
        self.now - self.jumped
    }

    /// Off for so long, then a new run.
    pub fn off(&mut self, time: Duration) {
        self.now += time;
        self.begin_run();
        self.after_off = true;
    }

    fn begin_run(&mut self) {
        let now = self.now;
        self.run = self.db.write(|tx| tx.begin_run("test", now)).unwrap();
        (self.last_sweep, self.last_try) = (None, None);
    }

    /// Taken out of the config by a reload.
    pub fn unwatch(&mut self, number: u128) {
        let (policy, watch) = self.bench();
        let bench = Bench {
            policy: &policy,
            watch: &watch,
            after_off: false,
        };
        let (now, id) = (self.now, self.id(number));
        self.truth.remove(&deere(number));
        self.db.write(|tx| bench.unwatch(tx, &[id], now)).unwrap();
    }

    /// Put back into the config; Leaf says `outcome` of it.
    pub fn put_back(&mut self, number: u128, outcome: Outcome) {
        let (credential, now) = (deere(number), self.now);
        self.db.write(|tx| tx.watch(credential, now)).unwrap();
        self.says(number, outcome);
    }

    /// The daemon stops in order.
    pub fn stop(&mut self, now: Timestamp) {
        let run = self.run;
        self.db.write(|tx| tx.end_run(run, now)).unwrap();
    }

    /// Time passes, then a sweep over everything.
    pub fn sweep_after(&mut self, time: Duration) -> SweepEnd {
        self.now += time;
        self.sweep()
    }

    /// So many sweeps, a quarter of an hour apart.
    pub fn sweeps(&mut self, count: u32) {
        for _ in 0..count {
            self.sweep_after(15 * MINUTE);
        }
    }

    pub fn sweep(&mut self) -> SweepEnd {
        self.sweep_along(Course::Through)
    }

    pub fn sweep_along(&mut self, course: Course) -> SweepEnd {
        let (policy, watch) = self.bench();
        let bench = Bench {
            policy: &policy,
            watch: &watch,
            after_off: self.after_off,
        };
        let (now, leaf_now, run) = (self.now, self.leaf_now(), self.run);
        let steady = self.steady_now();
        let since = |then: Option<Timestamp>| {
            then.map_or(Duration::ZERO, |then| {
                steady.duration_since(then).unsigned_abs()
            })
        };
        self.asked.clear();
        self.was_killed = false;
        let (elapsed, since_last_try) = (since(self.last_sweep), since(self.last_try));
        let sweep = self.db.write(|tx| tx.begin_sweep(run, false, now)).unwrap();
        let answered_before = |c: &&Credential| !self.silent.contains(*c);
        let mut outlook = Outlook::new(self.truth.keys().filter(answered_before).count() as u32);
        let (mut gaps, mut counts, mut end) = (Vec::new(), Counts::default(), SweepEnd::Whole);
        let mut healthy = self.healthy.clone();
        for (at, (credential, outcome)) in self.truth.iter().enumerate() {
            if course == Course::Stopped(at) {
                end = SweepEnd::Stopped;
                break;
            }
            let id = self.ids[credential];
            counts.asked += 1;
            let no_answer = match outcome {
                Outcome::Answer(answer) => {
                    counts.answered += 1;
                    counts.were_healthy += u32::from(self.healthy.contains(credential));
                    let look = [Look {
                        id,
                        credential: *credential,
                        answer: answer.clone(),
                        at: now,
                        leaf_at: leaf_now,
                    }];
                    let killed = self.db.write(|tx| {
                        bench.answers(tx, sweep, counts, &look)?;
                        match course == Course::Killed(at) {
                            true => Err(Error::Stopped),
                            false => Ok(()),
                        }
                    });
                    if killed.is_err() {
                        self.begin_run();
                        self.was_killed = true;
                        return SweepEnd::Stopped;
                    }
                    if self.repeats {
                        let again = |tx: &Tx<'_>| bench.answers(tx, sweep, counts, &look);
                        self.db.write(again).unwrap();
                    }
                    let word = match answer {
                        Answer::Reading(reading) => reading.status.as_deref(),
                        Answer::Missing => None,
                    };
                    match word.and_then(|word| policy.status_words.class(word)) {
                        Some(StatusClass::Healthy) => healthy.insert(*credential),
                        _ => healthy.remove(credential),
                    };
                    None
                }
                Outcome::None(reason, detail) => {
                    gaps.push(Gap {
                        credential: id,
                        reason: *reason,
                        detail: detail.clone(),
                    });
                    Some(*reason)
                }
            };
            self.asked.push(*credential);
            if !self.silent.contains(credential) {
                outlook.record(no_answer);
            }
            if let Some(given_up) = outlook.gives_up() {
                end = given_up;
                break;
            }
        }
        let silent: BTreeSet<CredentialId> = gaps.iter().map(|gap| gap.credential).collect();
        let swept = Swept {
            sweep,
            end,
            reason: "no answer".to_owned(),
            counts,
            gaps,
            elapsed,
            since_last_try,
            at: now,
            leaf_at: leaf_now,
        };
        self.db.write(|tx| bench.swept(tx, &swept)).unwrap();
        self.healthy = healthy;
        if end != SweepEnd::Stopped {
            self.last_sweep = Some(steady);
            self.last_try = Some(steady);
        }
        if end == SweepEnd::Whole {
            self.after_off = false;
            let ids = &self.ids;
            self.silent = ids
                .iter()
                .filter(|(_, id)| silent.contains(id))
                .map(|(credential, _)| *credential)
                .collect();
        }
        end
    }

    /// A config with this desk's policy and watch list.
    pub fn config(&self) -> Config {
        let mut config = config();
        config.policy = self.policy.clone();
        config.watch = Arc::new(self.watch.clone());
        config
    }

    /// Who is suspected of being missing and was not looked at again yet.
    pub fn wanting_second_look(&mut self) -> Vec<u128> {
        let wanting: Vec<_> = self.db.read(|tx| tx.wanting_second_look()).unwrap();
        (0..self.ids.len() as u128)
            .filter(|n| wanting.contains(&self.id(*n)))
            .collect()
    }

    /// A second look at these, before the next sweep.
    pub fn second_look(&mut self, numbers: &[u128]) {
        let (policy, watch) = self.bench();
        let bench = Bench {
            policy: &policy,
            watch: &watch,
            after_off: self.after_off,
        };
        let (at, leaf_at, run) = (self.now, self.leaf_now(), self.run);
        let asked: Vec<_> = numbers.iter().map(|n| self.id(*n)).collect();
        let (mut looks, mut gaps) = (Vec::new(), Vec::new());
        for number in numbers {
            let (id, credential) = (self.id(*number), deere(*number));
            match self.truth[&credential].clone() {
                Outcome::Answer(answer) => looks.push(Look {
                    id,
                    credential,
                    answer,
                    at,
                    leaf_at,
                }),
                Outcome::None(reason, detail) => gaps.push(Gap {
                    credential: id,
                    reason,
                    detail,
                }),
            }
        }
        self.db
            .write(|tx| {
                let sweep = tx.begin_sweep(run, true, at)?;
                let swept = Swept {
                    sweep,
                    end: SweepEnd::Whole,
                    reason: String::new(),
                    counts: Counts::default(),
                    gaps,
                    elapsed: Duration::ZERO,
                    since_last_try: Duration::ZERO,
                    at,
                    leaf_at,
                };
                bench.answers(tx, sweep, Counts::default(), &looks)?;
                bench.second_looked(tx, &swept, &asked)
            })
            .unwrap();
    }

    /// The credential's events as Leaf lists them: minutes ago, status code, body.
    pub fn events(&mut self, number: u128, events: &[(u64, u16, &str)]) {
        let leaf_now = self.leaf_now();
        let events = events
            .iter()
            .map(|(ago, code, body)| event(Some(leaf_now - *ago as u32 * MINUTE), *code, body));
        self.log(number, &events.collect::<Vec<_>>());
    }

    /// The credential's events, whatever they are.
    pub fn log(&mut self, number: u128, events: &[Event]) {
        let (policy, watch) = self.bench();
        let bench = Bench {
            policy: &policy,
            watch: &watch,
            after_off: self.after_off,
        };
        let (now, leaf_now, id) = (self.now, self.leaf_now(), self.id(number));
        self.db
            .write(|tx| bench.events(tx, (id, deere(number)), events, now, leaf_now))
            .unwrap();
    }

    /// The first column of what `sql` finds, as text.
    pub fn column(&self, sql: &str) -> Vec<String> {
        let mut statement = self.db.reader().prepare(sql).unwrap();
        let text = |row: &rusqlite::Row<'_>| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str_or_null()?.unwrap_or("null").to_owned(),
            })
        };
        let rows = statement.query_map([], text).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The steps taken so far: what, kind.
    pub fn steps(&self) -> Vec<String> {
        self.column("SELECT what || ' ' || s.kind FROM step s ORDER BY s.id")
    }

    /// What is open.
    pub fn open(&self) -> Vec<String> {
        self.column("SELECT kind FROM incident WHERE ended_at IS NULL ORDER BY id")
    }
}

/// An event as Leaf's log has it.
pub fn event(at: Option<Timestamp>, code: u16, body: &str) -> Event {
    Event {
        identity: format!("{at:?}{code}{body}").into_bytes(),
        at,
        status_code: Some(code),
        body: body.to_owned(),
        headers: String::new(),
    }
}

/// A user who has nothing of its own, or only providers.
pub fn plain_user(number: u128, providers: Option<Vec<Provider>>) -> WatchedUser {
    let own = |providers| OwnSettings {
        providers: Some(providers),
        ..OwnSettings::default()
    };
    WatchedUser {
        id: user(number),
        name: None,
        own: providers.map(own).map(Box::new),
    }
}
