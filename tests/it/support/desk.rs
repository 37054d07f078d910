//! The decision without the loops: sweeps over a made-up fleet, judged and stored as the daemon would.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use leafwatch::daemon::judge::{Bench, Look, Swept};
use leafwatch::model::*;
use leafwatch::rules::fleet::{Outlook, Sight};
use leafwatch::store::{Counts, Db, Gap, RunId};

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
    }
}

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

pub struct Desk {
    pub db: Db,
    pub policy: Policy,
    pub watch: WatchList,
    pub now: Timestamp,
    /// What Leaf says of each credential.
    pub truth: BTreeMap<Credential, Outcome>,
    ids: BTreeMap<Credential, CredentialId>,
    run: RunId,
    last_sweep: Option<Timestamp>,
    last_try: Option<Timestamp>,
    after_off: bool,
}

impl Desk {
    /// `count` credentials, all healthy and in PRODUCTION as expected.
    pub fn new(count: u128) -> Desk {
        let users = (0..count)
            .map(|n| WatchedUser {
                id: user(n),
                name: None,
                own: None,
            })
            .collect();
        let watch = WatchList::new(users, vec![Provider::JOHN_DEERE])
            .expect_of_all(Some(Environment::Production));
        let now = "2026-03-02T08:00:00Z".parse().unwrap();
        let mut db = Db::in_memory().unwrap();
        let (ids, run) = db
            .write(|tx| {
                let ids = watch
                    .credentials()
                    .map(|c| Ok((c, tx.watch(c, now)?)))
                    .collect::<leafwatch::store::Result<_>>()?;
                Ok::<_, leafwatch::store::Error>((ids, tx.begin_run("test", now)?))
            })
            .unwrap();
        let truth = watch.credentials().map(|c| (c, ok())).collect();
        Desk {
            db,
            policy: policy(),
            watch,
            now,
            truth,
            ids,
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

    /// Off for so long, then a new run.
    pub fn off(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.run = self.db.write(|tx| tx.begin_run("test", now)).unwrap();
        (self.last_sweep, self.last_try, self.after_off) = (None, None, true);
    }

    /// The daemon stops in order.
    pub fn stop(&mut self, now: Timestamp) {
        let run = self.run;
        self.db.write(|tx| tx.end_run(run, now)).unwrap();
    }

    /// Time passes, then a sweep over everything.
    pub fn sweep_after(&mut self, time: Duration) -> Sight {
        self.now += time;
        self.sweep()
    }

    pub fn sweep(&mut self) -> Sight {
        let (policy, watch) = self.bench();
        let bench = Bench {
            policy: &policy,
            watch: &watch,
            after_off: self.after_off,
        };
        let (now, run, ids, truth) = (self.now, self.run, &self.ids, &self.truth);
        let mut outlook = Outlook::new(truth.len() as u32);
        let since = |then: Option<Timestamp>| {
            then.map_or(Duration::ZERO, |then| {
                now.duration_since(then).unsigned_abs()
            })
        };
        let (elapsed, since_last_try) = (since(self.last_sweep), since(self.last_try));
        let sight = self
            .db
            .write(|tx| {
                let sweep = tx.begin_sweep(run, false, now)?;
                let (mut looks, mut gaps, mut counts) = (Vec::new(), Vec::new(), Counts::default());
                let mut given_up = None;
                for (credential, outcome) in truth {
                    let id = ids[credential];
                    counts.asked += 1;
                    match outcome {
                        Outcome::Answer(answer) => {
                            counts.answered += 1;
                            counts.were_healthy += 1;
                            outlook.record(None);
                            looks.push(Look {
                                id,
                                credential: *credential,
                                answer: answer.clone(),
                                at: now,
                                leaf_at: now,
                            });
                        }
                        Outcome::None(reason, detail) => {
                            outlook.record(Some(*reason));
                            gaps.push(Gap {
                                credential: id,
                                reason: *reason,
                                detail: detail.clone(),
                            });
                        }
                    }
                    given_up = outlook.gives_up();
                    if given_up.is_some() {
                        break;
                    }
                }
                bench.answers(tx, sweep, counts, &looks)?;
                let sight = given_up.unwrap_or(Sight::Whole);
                let reason = "no answer".to_owned();
                let swept = Swept {
                    sweep,
                    sight,
                    reason,
                    counts,
                    gaps,
                    elapsed,
                    since_last_try,
                    at: now,
                    leaf_at: now,
                };
                bench.swept(tx, &swept)?;
                Ok::<_, leafwatch::store::Error>(sight)
            })
            .unwrap();
        self.last_sweep = Some(now);
        self.last_try = Some(now);
        if sight == Sight::Whole {
            self.after_off = false;
        }
        sight
    }

    /// The credential's events as Leaf lists them: minutes ago, status code, body.
    pub fn events(&mut self, number: u128, events: &[(u64, u16, &str)]) {
        let (policy, watch) = self.bench();
        let bench = Bench {
            policy: &policy,
            watch: &watch,
            after_off: self.after_off,
        };
        let now = self.now;
        let events: Vec<Event> = events
            .iter()
            .map(|(ago, code, body)| {
                let at = now - *ago as u32 * MINUTE;
                let identity = format!("{at}{code}").into_bytes();
                Event {
                    identity,
                    at: Some(at),
                    status_code: Some(*code),
                    body: (*body).to_owned(),
                    headers: String::new(),
                }
            })
            .collect();
        let id = self.id(number);
        self.db
            .write(|tx| bench.events(tx, (id, deere(number)), &events, now, now))
            .unwrap();
    }

    /// The steps taken so far: what, kind.
    pub fn steps(&mut self) -> Vec<String> {
        let mut statement = self
            .db
            .reader()
            .prepare("SELECT what || ' ' || kind FROM step ORDER BY id")
            .unwrap();
        statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    /// The steps since the last call of this kind.
    pub fn open(&mut self) -> Vec<String> {
        let sql = "SELECT kind FROM incident WHERE ended_at IS NULL ORDER BY id";
        let mut statement = self.db.reader().prepare(sql).unwrap();
        statement
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}
