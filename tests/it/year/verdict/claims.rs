//! What a mail claims: each word of it against what was so, and what had been seen by then.

use super::super::mails::numbers;
use super::super::play::{INTERVAL, PACE, Sweep, is_healthy};
use super::super::truth::{Grower, Logged, Says};
use super::*;

/// How a cause is told, and of which event it speaks.
const CAUSES: [(&str, Says); 5] = [
    ("no longer accepts the stored access", Says::Grant),
    ("invalid_client", Says::Client),
    ("new terms", Says::Terms),
    ("denies access to the grower's data", Says::Forbidden),
    ("trouble of its own", Says::Busy),
];

/// A cause is looked for in events of these last hours.
const WINDOW: Second = 72 * HOUR;
/// A warning stands as long as its failures are young, and what comes back soon after is the same trouble.
const WARNED_BEFORE: Second = WINDOW + FLAP_WINDOW + HOUR;

impl Facts<'_> {
    pub(super) fn claims(&mut self) {
        for sent in 0..self.sent.len() {
            let mut wrong = self.sent[sent].mail.riddles.clone();
            wrong.extend(self.subject(sent));
            wrong.extend(self.doubt(sent));
            wrong.extend(self.shared(sent));
            let at = self.sent[sent].at;
            for told in &self.sent[sent].mail.told {
                // What was seen in the second in which it was packed may be in it, or not.
                let without = self.claim(at - 1, told);
                if !without.is_empty() {
                    wrong.extend(match self.claim(at, told) {
                        with if with.is_empty() => with,
                        _ => without,
                    });
                }
            }
            for what in wrong {
                self.fault(sent, what);
            }
        }
    }

    fn claim(&self, at: Second, told: &Told) -> Vec<String> {
        let mut wrong = match (told.grower, told.label.as_str()) {
            (None, _) => self.of_the_account(at, told),
            (Some(_), "early warning") => Vec::new(),
            (Some(grower), _) => self.of_a_grower(at, grower, told),
        };
        if let Some(grower) = told.grower {
            wrong.extend(self.reading(at, grower, told));
            if told.telling.is_trouble() && !told.in_short {
                wrong.extend(self.cause(at, grower, told));
            }
        }
        wrong
            .into_iter()
            .map(|what| format!("{what} ({told:?})"))
            .collect()
    }

    fn of_a_grower(&self, at: Second, grower: usize, told: &Told) -> Vec<String> {
        let mut wrong = Vec::new();
        let spans = self.spans(grower, &told.label, at);
        let mut runs = self.runs(grower, &told.label, &spans, at);
        if let (true, Some(first)) = (runs.is_empty(), spans.first()) {
            // It was gone all through the last, and what was seen is the one before.
            let spans = self.spans(grower, &told.label, first.start - 1);
            runs = self.runs(grower, &told.label, &spans, at);
        }
        let Some(last) = runs.last() else {
            // Told as early warning before, it may have ended under that name.
            if !(told.telling == Telling::Closed && told.label.is_empty()) {
                wrong.push("no look ever said so".to_owned());
            }
            return wrong;
        };
        let warned = self.warned(grower, &spans);
        let starts: Vec<Shown> = runs.iter().map(|run| self.shown(run.first.at)).collect();
        let again = told.telling == Telling::Reopened;
        let begins = |run: &&Run, since: Shown| self.begins(&told.label, again, run, since, at);
        let calm = !self.clock_is_doubtful(&(runs[0].first.at..at + 1));
        if let Some(since) = told.since
            && !runs.iter().any(|run| begins(&run, since))
            && !warned
            && calm
        {
            wrong.push(format!(
                "since {since}, and it was seen to begin at {starts:?} ({:?})",
                runs.iter().map(|run| run.first.at).collect::<Vec<_>>()
            ));
        }
        if told.telling.is_trouble() {
            let well = last.well.filter(|well| well.at <= at);
            match told.telling {
                Telling::Opened | Telling::Changed if well.is_some() && runs.len() == 1 => {
                    wrong.push("told as so, and the last look said that it is well".to_owned());
                }
                _ if well.is_some_and(|well| at - well.at > FLAP_WINDOW + 30 * HOUR)
                    && self.undisturbed(&(well.unwrap().at..at)) =>
                {
                    wrong.push("told as still so, and it is well for long".to_owned());
                }
                _ => {}
            }
            let run = runs
                .iter()
                .rev()
                .find(|run| told.since.is_some_and(|since| begins(run, since)));
            if let (Some(run), true) = (run, calm) {
                wrong.extend(self.how_sure(at, grower, told, run, &runs));
                wrong.extend(self.well_before(at, grower, told, run, &runs));
                if runs.len() == 1 {
                    wrong.extend(self.while_off(grower, told, run));
                }
            }
        } else {
            wrong.extend(self.over(at, told, &runs, warned));
        }
        wrong
    }

    /// Whether a run of looks began when it is said to have begun; what a look alone does not prove is settled, and comes
    /// back, when its sweep ends.
    pub(super) fn begins(
        &self,
        label: &str,
        again: bool,
        run: &Run,
        since: Shown,
        at: Second,
    ) -> bool {
        match label {
            "missing" | "provider unavailable" | "unreadable" => {
                let whole =
                    |sweep: &&Sweep| sweep.ended == Ended::Whole && sweep.over >= run.first.at;
                let over = self.play.sweeps[run.first.sweep].over.min(at);
                let settled = self.play.sweeps[run.first.sweep..].iter().find(whole);
                // What has to hold for a while, and comes back under another name, comes back then.
                let later = (self.shown(run.first.at)..=self.shown(at)).contains(&since);
                again && later
                    || (self.shown(run.first.at)..=self.shown(over)).contains(&since)
                    || settled.is_some_and(|sweep| self.shown(sweep.over) == since)
            }
            _ => self.shown(run.first.at) == since,
        }
    }

    /// Whether events told of it before Leaf's status did.
    fn warned(&self, grower: usize, spans: &[Range<Second>]) -> bool {
        let Some(first) = spans.first() else {
            return false;
        };
        let last = &spans[spans.len() - 1];
        let earliest = first.start - WARNED_BEFORE;
        let log = self.play.truth.growers[grower].log.iter();
        let near = |logged: &Logged| {
            (earliest..last.end + WINDOW).contains(&logged.dated) && logged.says.is_failure()
        };
        log.copied().any(|logged| near(&logged))
    }

    fn how_sure(
        &self,
        at: Second,
        grower: usize,
        told: &Told,
        run: &Run,
        runs: &[Run],
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(looks) = told.looks else {
            return wrong;
        };
        let seen = self.play.looks_at(grower, runs[0].first.at..at + 1);
        let count = |seen: &[Seen], from: Second, all: bool, bad: bool| {
            let counts = |seen: &&Seen| {
                let sweep = &self.play.sweeps[seen.sweep];
                let sure =
                    sweep.ended == Ended::Whole && sweep.second.is_none() && sweep.over <= at;
                let says = self.said(&told.label, grower, seen);
                let told = match (bad, told.label.as_str()) {
                    (true, _) => says == Some(true),
                    (false, "unreadable") => says.is_some(),
                    (false, _) => seen.state.is_some(),
                };
                seen.at >= from && told && (all || sure)
            };
            // The one that is told of counts, however its sweep ends.
            seen.iter().filter(counts).count().max(1) as u64
        };
        // What comes back counts from when it first began, or from when it came back.
        let warned = self.warned(grower, &self.spans(grower, &told.label, at));
        let first = match told.telling {
            Telling::Opened if !warned => run.first.at,
            // The warning may have come long before.
            _ if warned => runs[0].first.at - WARNED_BEFORE,
            _ => runs[0].first.at,
        };
        let seen = match warned {
            true => self.play.looks_at(grower, first..at + 1),
            false => seen,
        };
        let count = |from: Second, all: bool, bad: bool| count(&seen, from, all, bad);
        // What came back is counted from when that was settled.
        let again = told.telling == Telling::Reopened;
        let least = |bad| match again {
            true => 1,
            false => count(run.first.at, false, bad),
        };
        let most = |bad| count(first, true, bad);
        for (what, said, bad) in [("bad", looks.bad, true), ("in all", looks.of, false)] {
            let (least, most) = (least(bad), most(bad));
            if !(least..=most).contains(&said) {
                wrong.push(format!(
                    "{said} looks {what}, and there were {least} to {most}"
                ));
            }
        }
        wrong
    }

    /// When it was last healthy, and for how long.
    fn well_before(
        &self,
        at: Second,
        grower: usize,
        told: &Told,
        run: &Run,
        runs: &[Run],
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let healthy = |seen: &Seen| self.said(&told.label, grower, seen) == Some(false);
        if let Some(shown) = told.last_healthy {
            let last = self.last_look(grower, run.first.at, healthy);
            let in_whole =
                |seen: &Seen| healthy(seen) && self.play.sweeps[seen.sweep].ended == Ended::Whole;
            let fits = match (shown, last) {
                (None, None) => true,
                (Some(shown), Some(last)) => {
                    let whole = self.last_look(grower, run.first.at, in_whole);
                    [Some(last), whole]
                        .into_iter()
                        .flatten()
                        .any(|seen| self.is_of(&seen, shown))
                }
                _ => false,
            };
            if !fits && !self.clock_set_in(&(last.map_or(0, |seen| seen.at)..at)) {
                wrong.push(format!(
                    "last healthy {shown:?}, and the last such look was at {:?}",
                    last.map(|seen| self.shown(seen.at))
                ));
            }
        }
        if let Some(well_for) = told.well_for {
            let place = runs.iter().position(|one| one.first.at == run.first.at);
            let before = place.and_then(|at| at.checked_sub(1)).map(|at| &runs[at]);
            if let Some(well) = before.and_then(|before| before.well) {
                let true_for = run.first.at - well.at;
                let calm = !self.clock_set_in(&(well.at..run.first.at));
                // What is settled at the end of a sweep came back by then.
                let over = |seen: &Seen| self.play.sweeps[seen.sweep].over - seen.at;
                // What is settled by a later sweep, where this one was cut off, comes back with that.
                let settled = matches!(told.label.as_str(), "missing" | "unreadable")
                    .then_some(INTERVAL)
                    .unwrap_or_default();
                let slack = MINUTE + over(&run.first).max(over(&well)) + settled;
                if calm && (true_for - well_for).abs() > slack {
                    wrong.push(format!("well for {well_for} s, and it was {true_for} s"));
                }
            }
        }
        wrong
    }

    /// Whether it is said to have happened while nobody ran.
    fn while_off(&self, grower: usize, told: &Told, run: &Run) -> Vec<String> {
        if told.telling != Telling::Opened || told.in_short || told.label == "unreadable" {
            return Vec::new();
        }
        let Some(before) = self.last_look(grower, run.first.at, |seen| seen.state.is_some()) else {
            return match told.while_off {
                true => vec!["nobody looked before, and it happened while off".to_owned()],
                false => Vec::new(),
            };
        };
        self.off_between(before.at..run.first.at, told.while_off)
    }

    fn off_between(&self, between: Range<Second>, said: bool) -> Vec<String> {
        let long = |off: &&Range<Second>| off.end - off.start > 2 * INTERVAL;
        let off = || self.off.iter().filter(|off| meet(off, &between));
        let away = self.asleep.iter().any(|it| meet(it, &between));
        let may = off().next().is_some() || away;
        let must = off().any(|off| long(&off))
            && !away
            && !self.outage_meets(&between)
            && !self.clock_set_in(&between);
        match said {
            true if !may => vec![format!("it was not off in {between:?}")],
            false if must => vec![format!("it was off in {between:?}, and that is not said")],
            _ => Vec::new(),
        }
    }

    /// What is told to be over.
    fn over(&self, at: Second, told: &Told, runs: &[Run], warned: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let last = &runs[runs.len() - 1];
        if told.telling == Telling::Closed {
            return wrong;
        }
        let Some(well) = last.well.filter(|well| well.at <= at) else {
            wrong.push(format!(
                "told as over, and the last look, of second {}, said that it is not",
                last.last.at
            ));
            return wrong;
        };
        if told.in_short && told.telling == Telling::Resolved {
            return wrong;
        }
        if let Some(until) = told.until {
            // A run that was quiet for long enough ends with a sweep.
            let wells = runs.iter().filter_map(|run| run.well);
            let later = self
                .play
                .looks_at(told.grower.unwrap_or_default(), well.at..at + 1);
            let fits = wells.chain(later).any(|seen| {
                self.shown(seen.at) == until
                    || self.shown(self.play.sweeps[seen.sweep].over) == until
            });
            let calm = !self.clock_is_doubtful(&(well.at..at + 1));
            if !fits && !warned && calm {
                wrong.push(format!("over at {until}, and no look was then"));
            }
        }
        if let (Some(since), Some(until), Some(lasted)) = (told.since, told.until, told.lasted) {
            let shown = ((until - since) * 60).max(0);
            let grain = if lasted >= 86_400 { HOUR } else { MINUTE };
            if (lasted - shown).abs() > grain + MINUTE {
                wrong.push(format!("lasted {lasted} s, and its times say {shown} s"));
            }
        }
        let sure = told.telling == Telling::Resolved && runs.len() == 1 && !told.in_short;
        if sure && told.label != "unreadable" {
            // An answer that proves nothing of it was a look, too.
            let grower = told.grower.unwrap_or_default();
            let before = self.last_look(grower, well.at, |seen| seen.state.is_some());
            let before = before.unwrap_or(last.last).at;
            wrong.extend(self.off_between(before..well.at, told.while_off));
        }
        wrong
    }

    /// What Leaf says, and when it was read.
    fn reading(&self, at: Second, grower: usize, told: &Told) -> Vec<String> {
        let mut wrong = Vec::new();
        let answered = |seen: &Seen| seen.state.is_some();
        let Some((word, read)) = &told.status else {
            return wrong;
        };
        let Some(last) = self.last_look(grower, at + 1, answered) else {
            return vec![format!(
                "Leaf says {word}, read {read}, and nobody ever read it"
            )];
        };
        let Some(state) = last.state else {
            return wrong;
        };
        let gone = state.trouble == Some(Trouble::Gone);
        let said = if gone { "none" } else { state.word };
        if word != said {
            wrong.push(format!("Leaf says {word}, and it said {said}"));
        }
        // Until a sweep has ended whole, what it read again may count as read in the last that did.
        let sweep_of = |seen: &Seen| &self.play.sweeps[seen.sweep];
        let in_whole = |seen: &Seen| {
            let sweep = sweep_of(seen);
            answered(seen)
                && sweep.ended == Ended::Whole
                && sweep.second.is_none()
                && sweep.over <= at
        };
        let settled = self.last_look(grower, at + 1, in_whole);
        let settled = settled.or_else(|| self.first_answer(grower, 0, at + 1));
        let under_way = !in_whole(&last);
        let since = settled.map_or(last.at, |seen| sweep_of(&seen).began);
        let fits = self.is_of(&last, *read)
            || under_way && (self.shown(since)..=self.shown(at)).contains(read);
        let oldest = if under_way { since } else { last.at };
        if !fits && !self.clock_is_doubtful(&(oldest.min(last.at)..at + 1)) {
            wrong.push(format!(
                "read {read}, and the last answer was at {} (second {})",
                self.shown(last.at),
                last.at
            ));
        }
        if let Some(environment) = &told.environment
            && !gone
            && environment.starts_with("STAGE") != state.stage
        {
            wrong.push(format!("in {environment}, and STAGE is {}", state.stage));
        }
        wrong
    }

    /// The cause named is that of the newest failing event of this life, key and time that was read by then.
    fn cause(&self, at: Second, grower: usize, told: &Told) -> Vec<String> {
        if !matches!(
            told.label.as_str(),
            "invalid" | "limited permission" | "early warning"
        ) {
            return Vec::new();
        }
        let named: Vec<Says> = (CAUSES.iter())
            .filter(|(words, _)| told.cause.contains(words))
            .map(|(_, says)| *says)
            .collect();
        let truth = &self.play.truth.growers[grower];
        let read = &self.play.read[grower];
        // When what Leaf says now was first read: by that look this life and this key are known.
        let Some(last) = self.last_look(grower, at + 1, |seen| {
            seen.state
                .is_some_and(|state| state.trouble != Some(Trouble::Gone))
        }) else {
            return Vec::new();
        };
        let state = last.state.unwrap();
        let made = truth.made[state.epoch].at;
        let key_from = {
            let keys = truth.keys.iter().rev();
            let mut since = keys.map(|(from, _)| *from);
            since.find(|from| *from <= last.at).unwrap_or(Second::MIN)
        };
        let spans = self.spans(grower, &told.label, at);
        let began = spans.first().map_or(at, |span| span.start);
        let healthy = self.last_look(grower, began, |seen| {
            seen.state.is_some_and(|state| state.trouble.is_none())
        });
        let first_look_of = |from: Second| {
            let first = self.first_answer(grower, from, last.at + 1);
            first.map_or(at, |seen| seen.at)
        };
        // Events are dated by Leaf's clock, and by ours since when a life or a key is known: where ours is wrong, or was
        // then, nobody can hold the one against the other.
        let wrong_at = |from: Second| from > 0 && self.clock_was_wrong(first_look_of(from));
        if self.clock_is_doubtful(&(at..at + 1)) || wrong_at(key_from) || wrong_at(made) {
            return Vec::new();
        }
        let known = |nth: &usize| read.get(*nth).is_some_and(|when| *when <= at);
        let log = || (0..truth.log.len()).filter(known).map(|nth| truth.log[nth]);
        // What may speak at most, and what must be heard at least.
        let earliest = (at - WINDOW - HOUR).min(healthy.map_or(at, |seen| seen.at) - HOUR);
        let may_since = made.max(key_from).max(earliest);
        let must_since = match truth.made[state.epoch].dated {
            true => made,
            false => first_look_of(made),
        };
        let must_since = must_since
            .max(if key_from > 0 {
                first_look_of(key_from)
            } else {
                key_from
            })
            .max(at - WINDOW + HOUR);
        let last_success = |by: Second| {
            log()
                .filter(|logged| logged.says == Says::Success && logged.dated <= by)
                .filter(|logged| logged.dated >= made)
                .map(|logged| logged.dated)
                .max()
                .unwrap_or(Second::MIN)
        };
        let success = last_success(at);
        let speaks = |logged: &Logged, since: Second| {
            logged.dated <= at && logged.dated >= since && logged.dated > success
        };
        let newest = |since: Second| {
            let failing = log().filter(|it| it.says.is_failure() && speaks(it, since));
            failing.max_by_key(|it| it.dated)
        };
        let allowed: Vec<Says> = log()
            .filter(|it| it.says != Says::Success && speaks(it, may_since))
            .map(|it| it.says)
            .collect();
        let from_word = told.label == "limited permission";
        let mut wrong = Vec::new();
        for says in &named {
            let by_status = from_word && *says == Says::Forbidden;
            let shared = self.sharing(grower, at, *says);
            if !allowed.contains(says) && !by_status && !shared {
                wrong.push(format!(
                    "the cause is told as {says:?}, and {allowed:?} is known"
                ));
            }
        }
        if let (Some(must), Some(newest_of_all)) = (newest(must_since), newest(may_since)) {
            let sure = must.dated == newest_of_all.dated;
            // In STAGE a refusal speaks of the environment.
            let stage = state.stage
                && must.says == Says::Forbidden
                && told
                    .cause
                    .contains("environment in which this connection was made");
            if sure && !stage && !named.contains(&must.says) {
                wrong.push(format!(
                    "the cause is {:?} (dated {}), and it is told as {named:?}: {}",
                    must.says, must.dated, told.cause
                ));
            }
        }
        wrong
    }

    /// What several share is counted, and is the cause of at least one of them.
    fn shared(&self, sent: usize) -> Vec<String> {
        let Sent { at, mail, .. } = &self.sent[sent];
        let mut wrong = Vec::new();
        for shared in &mail.shared {
            if shared.count != shared.listed {
                wrong.push(format!(
                    "{} share a cause, and {} are listed",
                    shared.count, shared.listed
                ));
            }
            let explains = |told: &Told| {
                let told = Told {
                    cause: shared.cause.clone(),
                    ..told.clone()
                };
                let grower = told.grower.unwrap_or_default();
                // What was read in the second in which it was packed may be known, or not.
                let mut known = [*at - 1, *at].into_iter();
                known.any(|at| self.cause(at, grower, &told).is_empty())
            };
            let members = &mail.told[shared.members.clone()];
            if !shared.more && !members.is_empty() && !members.iter().any(explains) {
                wrong.push(format!("nobody's cause: {}", shared.cause));
            }
        }
        wrong
    }

    /// Whether others of its key are told by their events that the key is refused.
    fn sharing(&self, grower: usize, at: Second, says: Says) -> bool {
        let of_key = |grower: usize| self.play.truth.growers[grower].state(at).key;
        says == Says::Client
            && (0..self.play.read.len()).any(|other| {
                let truth = &self.play.truth.growers[other];
                let read = &self.play.read[other];
                other != grower
                    && of_key(other) == of_key(grower)
                    && truth.log.iter().zip(read).any(|(logged, when)| {
                        logged.says == says
                            && *when <= at
                            && (at - WINDOW..=at).contains(&logged.dated)
                    })
            })
    }

    /// The account's trouble is that of an outage.
    fn of_the_account(&self, at: Second, told: &Told) -> Vec<String> {
        if track(&told.label) != "account" {
            return Vec::new();
        }
        let outages = self.play.truth.outages.iter();
        let Some((span, _)) = outages.rev().find(|(span, _)| span.start <= at) else {
            return vec!["Leaf never failed".to_owned()];
        };
        let over = self.play.sweeps.iter().any(|sweep| {
            sweep.ended == Ended::Whole
                && sweep.second.is_none()
                && sweep.began >= span.start
                && sweep.over <= at
        });
        let mut wrong = Vec::new();
        if told.telling.is_trouble() && over && told.telling != Telling::Reopened {
            wrong.push("told as so, and a whole sweep has shown that it is over".to_owned());
        }
        if told.telling == Telling::Resolved && !over {
            wrong.push("told as over, and no sweep was whole since".to_owned());
        }
        if let Some(since) = told.since {
            let tries = self
                .play
                .sweeps
                .iter()
                .flat_map(|sweep| [sweep.began, sweep.over]);
            let mut tries = tries
                .chain(self.play.probes.iter().copied())
                .filter(|at| (span.start..=span.end).contains(at));
            if !tries.any(|at| self.shown(at) == since)
                && self.undisturbed_but_for_leaf(&(span.start..at))
            {
                wrong.push(format!("since {since}, and nobody tried then"));
            }
        }
        wrong
    }

    pub(super) fn undisturbed_but_for_leaf(&self, span: &Range<Second>) -> bool {
        !(self.clock_set_in(span) || self.killed_in(span))
    }

    /// What the subject counts is what the mail names.
    fn subject(&self, sent: usize) -> Vec<String> {
        let Sent { mail, at, to } = &self.sent[sent];
        let mut wrong = Vec::new();
        let subject = &mail.subject;
        let mut troubled: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for told in &mail.told {
            if let Some(grower) = told.grower
                && told.telling.is_trouble()
            {
                troubled.entry(grower).or_default().push(&told.label);
            }
        }
        if let Some((counted, kinds)) = subject
            .split_once(" attention: ")
            .map(|(counted, rest)| (counted, rest.split(';').next().unwrap_or_default()))
        {
            let counted = counted.rsplit_once("] ").map_or(counted, |(_, rest)| rest);
            let counted = counted.rsplit_once("; ").map_or(counted, |(_, last)| last);
            let in_all = numbers(counted).first().copied().unwrap_or_default();
            let each: u64 = numbers(kinds).iter().sum();
            if in_all != each {
                wrong.push(format!("{in_all} in all, and {each} by kind"));
            }
            let named = troubled.len() as u64;
            // In a list nobody can tell which of those that are over is in other trouble still.
            let still =
                |told: &&Told| told.still_open || told.in_short && !told.telling.is_trouble();
            let more = mail.told.iter().filter(still).count() as u64;
            if mail.unnamed == 0 && !(named..=named + more).contains(&in_all) {
                wrong.push(format!("{in_all} counted, and {named} named"));
            }
            if mail.unnamed > 0 && in_all < named {
                wrong.push(format!("{in_all} counted, and more named: {named}"));
            }
        }
        if subject.contains("First look: ") {
            let all = to.iter().any(|(_, to)| to == SUPPORT);
            wrong.extend(self.first_look(*at, all, subject, &troubled));
        } else if !mail.told.is_empty()
            && mail
                .told
                .iter()
                .all(|told| told.first_look && told.telling == Telling::Opened)
            && mail.told.iter().all(|told| told.grower.is_some())
            && *at <= self.first_whole() + GROUP_WAIT
        {
            wrong.push(
                "all of it was so at the first look, and the subject does not say it".to_owned(),
            );
        }
        wrong
    }

    /// When the first sweep was whole.
    fn first_whole(&self) -> Second {
        let mut sweeps = self.play.sweeps.iter();
        sweeps
            .find(|sweep| sweep.second.is_none() && sweep.ended == Ended::Whole)
            .map_or(Second::MAX, |sweep| sweep.over)
    }

    /// `all` where it is for those who hear of everybody.
    fn first_look(
        &self,
        at: Second,
        all: bool,
        subject: &str,
        troubled: &BTreeMap<usize, Vec<&str>>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        let over = self.first_whole();
        let fleet = self.play.ids.len() as u64;
        let counted = numbers(subject.split_once("First look: ").unwrap().1);
        let of = counted.get(1).copied().unwrap_or_default();
        if over <= at {
            if of != fleet {
                wrong.push(format!("of {of}, and there are {fleet}"));
            }
            // What no silence, event or second look held back is all in it.
            let sick = (0..self.play.ids.len())
                .filter(|grower| {
                    let looks = self.play.looks_at(*grower, 0..over + 1);
                    let bad = |seen: &Seen| {
                        says("invalid", seen.state) == Some(true)
                            || says("limited permission", seen.state) == Some(true)
                            || says("environment mismatch", seen.state) == Some(true)
                    };
                    looks.last().is_some_and(bad) && !self.silenced(*grower, &(0..at))
                })
                .filter(|grower| all && !troubled.contains_key(grower))
                .count();
            let earlier = self
                .sent
                .iter()
                .any(|sent| sent.at < at && sent.mail.subject.contains("First look: "));
            if sick > 0 && !earlier {
                wrong.push(format!("{sick} more were sick at the first look"));
            }
        } else {
            let read = |grower: &usize| {
                let looks = self.play.looks_at(*grower, 0..at + 1);
                looks.iter().any(|seen| seen.state.is_some())
            };
            let read = (0..self.play.ids.len()).filter(read).count() as u64;
            // A look of this very second may be in it, or not.
            if of.abs_diff(read) > PACE as u64 || of < fleet && !subject.contains("so far") {
                wrong.push(format!("the first sweep is not over, {read} are read"));
            }
        }
        wrong
    }

    /// Where most turned at once, the mail doubts Leaf, with true numbers.
    fn doubt(&self, sent: usize) -> Vec<String> {
        let Sent { at, mail, to } = &self.sent[sent];
        let mut wrong = Vec::new();
        let full = |sweep: &&Sweep| sweep.second.is_none() && sweep.began <= *at;
        let Some(sweep) = self.play.sweeps.iter().rfind(full) else {
            return wrong;
        };
        let around = sweep.began - HOUR..*at;
        let hit = |grower: &Grower| {
            let mut lives = grower.lives.iter();
            lives.any(|life| life.mass && around.contains(&life.bad[0].start))
        };
        let many = self
            .play
            .truth
            .growers
            .iter()
            .filter(|grower| hit(grower))
            .count()
            >= 10;
        if mail.doubt.is_none() && !many {
            return wrong;
        }
        let first = !self.play.sweeps.iter().any(|one| {
            one.second.is_none() && one.ended == Ended::Whole && one.over <= sweep.began
        });
        let (mut were_healthy, mut turned) = (0, 0);
        let mut who = BTreeSet::new();
        for grower in 0..self.play.ids.len() {
            let Some(now) = (self.play.looks_at(grower, sweep.began..at + 1).into_iter())
                .find(|seen| seen.state.is_some())
            else {
                continue;
            };
            let before = self.last_look(grower, sweep.began, |seen| seen.state.is_some());
            let well =
                |seen: Option<Seen>| seen.and_then(|seen| seen.state).is_some_and(is_healthy);
            if well(before) {
                were_healthy += 1;
                if says("invalid", now.state) == Some(true) {
                    turned += 1;
                    who.insert(grower);
                }
            }
        }
        let here = (mail.told.iter())
            .filter(|told| told.telling == Telling::Opened && told.label == "invalid")
            .filter(|told| told.grower.is_some_and(|grower| who.contains(&grower)))
            .count();
        let most = were_healthy >= 20 && turned * 2 > were_healthy && !first;
        match mail.doubt {
            Some((said, of)) => {
                if said * 2 <= of || of < 20 {
                    wrong.push(format!("doubts for {said} of {of}"));
                }
                // Some turned from an early warning, or were in other trouble; and the last few may not be counted yet.
                let near = |said: u64, count: usize| said.abs_diff(count as u64) <= 2 + said / 30;
                if here > 0 && !(near(said, turned) && near(of, were_healthy)) {
                    wrong.push(format!(
                        "doubts for {said} of {of}, and {turned} of {were_healthy} turned"
                    ));
                }
            }
            None if most && here > 0 && to.iter().any(|(_, to)| to == SUPPORT) => {
                wrong.push(format!(
                    "{turned} of {were_healthy} turned, and it does not doubt"
                ));
            }
            None => {}
        }
        let own = to.iter().any(|(_, to)| to != SUPPORT && to != OPS);
        if own && most && here > 0 {
            wrong.push(format!(
                "{turned} of {were_healthy} turned at once, and their own people are told"
            ));
        }
        wrong
    }
}
