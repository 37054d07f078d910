//! Any history at all: what is open must be what an independent reading of the product's text says, after every fact.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use leafwatch::model::*;
use proptest::prelude::*;

use crate::support::desk::*;
use crate::support::model::{Model, Settings};

/// Fewer than ten, so that whole fleets turn often; more than six, so that half of them missing is something.
const FLEET: u128 = 7;
/// The one whose user names the provider itself.
const NAMED: u128 = 6;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    Status(&'static str),
    Environment(Option<&'static str>),
    ConnectedAnew,
    WithoutId,
    Key(Option<u8>),
    Missing,
    Silent(NoAnswer),
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Say(u128, Word),
    SayAll(Word),
    Sweep(u32),
    Stop(usize),
    Kill(usize),
    SecondLook,
    Off(u32),
    Jump(i64),
    Events(u128, Vec<(u32, u16, bool)>),
    Unwatch(u128),
    PutBack(u128),
    Expect(Option<Environment>),
    MapOdd(bool),
    ResolveAfter(u32),
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        6 => Just(Word::Status("OK")),
        3 => prop::sample::select(vec!["INVALID", "REVOKED", "LIMITED_PERMISSION"]).prop_map(Word::Status),
        5 => prop::sample::select(vec!["TEMPORARILY_UNAVAILABLE", "TEMPORARILY_UNAVAILABLE", "ODD", "?"]).prop_map(Word::Status),
        2 => prop::sample::select(vec![Some("PRODUCTION"), Some("STAGE"), None]).prop_map(Word::Environment),
        1 => Just(Word::ConnectedAnew),
        1 => Just(Word::WithoutId),
        1 => prop::option::of(1u8..3).prop_map(Word::Key),
        4 => Just(Word::Missing),
        5 => prop::sample::select(vec![NoAnswer::Later, NoAnswer::Denied, NoAnswer::Broken]).prop_map(Word::Silent),
    ]
}

/// What takes time to be told, and what comes between.
fn lasting() -> impl Strategy<Value = Word> {
    prop_oneof![
        6 => Just(Word::Status("TEMPORARILY_UNAVAILABLE")),
        4 => Just(Word::Silent(NoAnswer::Later)),
        2 => Just(Word::Missing),
        2 => Just(Word::ConnectedAnew),
        1 => Just(Word::Status("OK")),
        1 => Just(Word::Status("INVALID")),
        1 => Just(Word::Status("ODD")),
    ]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    // Much happens to one, so that whole lives come about.
    let who = || prop_oneof![3 => Just(1), 1 => 0..FLEET];
    let codes = vec![200u16, 200, 400, 401, 403, 403, 404, 429, 503];
    let minutes = prop_oneof![3 => 0u32..240, 1 => 0u32..5000];
    let event = (minutes, prop::sample::select(codes), any::<bool>());
    prop_oneof![
        12 => (who(), word()).prop_map(|(n, word)| Op::Say(n, word)),
        2 => word().prop_map(Op::SayAll),
        20 => prop::sample::select(vec![5u32, 15, 15, 20, 20, 70]).prop_map(Op::Sweep),
        1 => (0usize..7).prop_map(Op::Stop),
        1 => (0usize..7).prop_map(Op::Kill),
        2 => Just(Op::SecondLook),
        1 => (0u32..8).prop_map(Op::Off),
        1 => (-500i64..500).prop_map(Op::Jump),
        6 => (who(), prop::collection::vec(event, 0..5)).prop_map(|(n, events)| Op::Events(n, events)),
        1 => who().prop_map(Op::Unwatch),
        2 => who().prop_map(Op::PutBack),
        1 => prop::sample::select(vec![None, Some(Environment::Production), Some(Environment::Stage)]).prop_map(Op::Expect),
        1 => any::<bool>().prop_map(Op::MapOdd),
        1 => (1u32..4).prop_map(Op::ResolveAfter),
    ]
}

/// The desk and the model, told the same.
pub(crate) struct Both {
    pub(crate) desk: Desk,
    model: Model,
    said: Vec<Outcome>,
    ids: u32,
    minute: u64,
    last_sweep: Option<jiff::Timestamp>,
}

impl Both {
    pub(crate) fn new() -> Both {
        let own = |n| (n == NAMED).then(|| vec![Provider::JOHN_DEERE]);
        let users = (0..FLEET).map(|n| plain_user(n, own(n))).collect();
        let watch = WatchList::new(users, vec![Provider::JOHN_DEERE])
            .expect_of_all(Some(Environment::Production));
        let mut desk = Desk::over(watch);
        // Short enough that a history of some dozen sweeps sees their end.
        desk.policy.thresholds.flap_window = HOUR;
        desk.policy.thresholds.provider_unavailable_hold = HOUR;
        desk.policy.thresholds.unreadable_hold = HOUR;
        desk.repeats = true;
        desk.says(NAMED, missing());
        desk.says(0, missing());
        let settings = Settings {
            resolve_after: 1,
            flap_window: HOUR,
            long_hold: HOUR,
            expected: Some("PRODUCTION"),
            odd_is_healthy: false,
        };
        let credentials: Vec<_> = (0..FLEET).map(|n| (deere(n), n == NAMED)).collect();
        let model = Model::new(&credentials, settings, desk.now);
        let said = (0..FLEET).map(|n| desk.truth[&deere(n)].clone()).collect();
        let mut both = Both {
            desk,
            model,
            said,
            ids: 0,
            minute: 0,
            last_sweep: None,
        };
        both.sweep(Course::Through);
        both
    }

    fn watched(&self, number: u128) -> bool {
        self.desk.truth.contains_key(&deere(number))
    }

    pub(crate) fn do_it(&mut self, op: &Op) {
        match op {
            Op::Say(n, word) => self.say(*n, *word),
            Op::SayAll(word) => (0..FLEET).for_each(|n| self.say(n, *word)),
            Op::Sweep(minutes) => {
                self.desk.now += *minutes * MINUTE;
                self.sweep(Course::Through);
            }
            Op::Stop(after) => {
                self.desk.now += 15 * MINUTE;
                self.sweep(Course::Stopped(*after));
            }
            Op::Kill(after) => {
                self.desk.now += 15 * MINUTE;
                self.sweep(Course::Killed(*after));
            }
            Op::SecondLook => self.second_look(),
            Op::Off(hours) => {
                self.desk.off(*hours * HOUR);
                self.model.new_run();
                self.last_sweep = None;
            }
            Op::Jump(minutes) => self.desk.jump(SignedDuration::from_mins(*minutes)),
            Op::Events(n, events) => self.events(*n, events),
            Op::Unwatch(n) if self.watched(*n) && self.desk.truth.len() > 3 => {
                self.desk.unwatch(*n);
                self.time();
                self.model.unwatch(deere(*n));
            }
            Op::PutBack(n) if !self.watched(*n) => {
                self.desk.put_back(*n, self.said[*n as usize].clone());
                self.model.put_back(deere(*n));
            }
            Op::Unwatch(_) | Op::PutBack(_) => {}
            Op::Expect(environment) => {
                let watch = std::mem::take(&mut self.desk.watch);
                self.desk.watch = watch.expect_of_all(*environment);
                self.model.settings.expected = environment.map(|environment| match environment {
                    Environment::Production => "PRODUCTION",
                    Environment::Stage => "STAGE",
                });
            }
            Op::MapOdd(healthy) => {
                self.desk.policy.status_words = StatusWords::default();
                if *healthy {
                    let words = &mut self.desk.policy.status_words;
                    words.add("odd", StatusClass::Healthy);
                }
                self.model.settings.odd_is_healthy = *healthy;
            }
            Op::ResolveAfter(looks) => {
                self.desk.policy.thresholds.resolve_after = *looks;
                self.model.settings.resolve_after = *looks;
            }
        }
    }

    /// The same credential goes on with another word.
    fn say(&mut self, number: u128, word: Word) {
        let before = match &self.said[number as usize] {
            Outcome::Answer(Answer::Reading(reading)) => reading.clone(),
            _ => reading("OK"),
        };
        let anew = |ids: u32| Reading {
            leaf_id: Some(format!("id {ids}")),
            leaf_created: Some(self.desk.leaf_now().to_string()),
            ..before.clone()
        };
        let reading = match word {
            Word::Status(word) => Reading {
                status: Some(word.to_owned()),
                ..before
            },
            Word::Environment(environment) => Reading {
                environment: environment.map(str::to_owned),
                ..before
            },
            Word::ConnectedAnew => anew(self.ids),
            Word::WithoutId => Reading {
                leaf_id: None,
                ..before
            },
            Word::Key(key) => Reading {
                key: key.map(|key| KeyPrint {
                    print: [key; 16],
                    tail: String::new(),
                }),
                ..before
            },
            Word::Missing | Word::Silent(_) => before,
        };
        self.ids += 1;
        let outcome = match word {
            Word::Missing => missing(),
            Word::Silent(reason) => Outcome::None(reason, "no".to_owned()),
            _ => Outcome::Answer(Answer::Reading(reading)),
        };
        self.said[number as usize] = outcome.clone();
        if self.watched(number) {
            self.desk.says(number, outcome);
        }
    }

    fn time(&mut self) {
        self.model.time(self.desk.now, self.desk.leaf_now());
    }

    fn sweep(&mut self, course: Course) {
        self.time();
        self.model.begin_sweep(false);
        let now = self.desk.steady_now();
        let since = self.last_sweep.map(|then| now.duration_since(then));
        let elapsed = since.map_or(std::time::Duration::ZERO, SignedDuration::unsigned_abs);
        let end = self.desk.sweep_along(course);
        let asked = self.desk.asked.clone();
        let mut silent = BTreeSet::new();
        for credential in &asked {
            match &self.desk.truth[credential] {
                Outcome::Answer(answer) => self.model.answer(*credential, answer),
                Outcome::None(..) => drop(silent.insert(*credential)),
            }
        }
        if self.desk.was_killed {
            self.model.new_run();
            self.last_sweep = None;
            return;
        }
        self.model.end_sweep(end, &silent, &asked, elapsed, elapsed);
        if end != leafwatch::model::SweepEnd::Stopped {
            self.last_sweep = Some(now);
        }
    }

    /// A round of events that brings nothing new, after a whole sweep.
    pub(crate) fn read_events_again(&mut self) {
        let sight = "SELECT sight FROM sweep ORDER BY id DESC LIMIT 1";
        if self.desk.column(sight)[0] == "0" {
            (0..FLEET).for_each(|n| self.events(n, &[]));
        }
    }

    fn second_look(&mut self) {
        let wanted = self.desk.wanting_second_look();
        self.time();
        self.model.begin_sweep(true);
        self.desk.second_look(&wanted);
        let asked: Vec<_> = wanted.iter().map(|n| deere(*n)).collect();
        let mut all_answered = true;
        for credential in &asked {
            match &self.desk.truth[credential] {
                Outcome::Answer(answer) => self.model.answer(*credential, answer),
                Outcome::None(..) => all_answered = false,
            }
        }
        self.model.end_second(&asked, all_answered);
    }

    fn events(&mut self, number: u128, events: &[(u32, u16, bool)]) {
        if !self.watched(number) {
            return;
        }
        self.time();
        let leaf_now = self.desk.leaf_now();
        // Some without a date, some of the future; no two at the same moment.
        let events: Vec<_> = events
            .iter()
            .map(|(minutes, code, grant)| {
                self.minute += 1;
                let ago = SignedDuration::from_mins(i64::from(*minutes) - 20)
                    + SignedDuration::from_millis(self.minute as i64);
                let at = (minutes % 17 != 0).then(|| leaf_now - ago);
                event(at, *code, if *grant { "invalid_grant" } else { "no" })
            })
            .collect();
        self.desk.log(number, &events);
        self.model.events(deere(number), &events);
    }

    fn check(&self, op: &Op) -> Result<(), TestCaseError> {
        let open = open_in(&self.desk);
        prop_assert_eq!(&open, &self.model.open(), "after {:?}", op);
        Ok(())
    }
}

/// What the store says is open of credentials and the account, each track once.
fn open_in(desk: &Desk) -> BTreeSet<(Option<Credential>, Kind)> {
    let sql = "SELECT credential, kind FROM incident WHERE ended_at IS NULL AND track <> 'own'";
    let mut statement = desk.db.reader().prepare_cached(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let (id, kind): (i64, String) = (row.get(0)?, row.get(1)?);
        let whose = (0..FLEET).find(|n| desk.id(*n).0 == id).map(deere);
        Ok((whose, kind.parse::<Kind>().unwrap()))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let set: BTreeSet<_> = rows.iter().copied().collect();
    assert_eq!(set.len(), rows.len(), "two open incidents of one track");
    set
}

/// Every incident's steps come in a legal order, and its notices are its steps that are to be told, each once.
fn orderly(desk: &Desk) -> Result<(), TestCaseError> {
    let whole_life = |table: &str, word: &str| {
        desk.column(&format!(
            "SELECT group_concat({word}, ' ') FROM (SELECT * FROM {table} ORDER BY id) GROUP BY incident ORDER BY incident"
        ))
    };
    let (steps, notices) = (whole_life("step", "what"), whole_life("notice", "kind"));
    prop_assert_eq!(steps.len(), notices.len());
    for (steps, notices) in steps.iter().zip(notices) {
        let (mut before, mut well) = ("", false);
        for step in steps.split(' ') {
            let open = !matches!(before, "" | "resolved" | "closed");
            let legal = match step {
                "opened" => before.is_empty(),
                "reopened" => before == "resolved",
                "relapsed" => well,
                "changed" | "well" | "resolved" | "closed" => open,
                _ => false,
            };
            prop_assert!(legal, "{}", steps);
            well = step == "well" || (well && before == step);
            before = step;
        }
        let told: Vec<_> = steps
            .split(' ')
            .filter(|step| !matches!(*step, "well" | "relapsed"))
            .collect();
        prop_assert_eq!(told.join(" "), notices);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_open_is_what_the_looks_prove(ops in prop::collection::vec(op(), 1..90)) {
        let mut both = Both::new();
        for op in &ops {
            both.do_it(op);
            both.check(op)?;
        }
        orderly(&both.desk)?;
    }

    /// The same, closer to where time is counted: one credential, each word for some sweeps.
    #[test]
    fn what_must_hold_is_counted_by_looks_that_say_so(
        words in prop::collection::vec((lasting(), 1u32..5), 1..16)
    ) {
        let mut both = Both::new();
        for (word, sweeps) in words {
            both.say(1, word);
            for _ in 0..sweeps {
                both.do_it(&Op::Sweep(15));
                both.do_it(&Op::SecondLook);
                both.check(&Op::Say(1, word))?;
            }
        }
    }
}
