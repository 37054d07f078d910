//! What is owed: everything is told, in time, in order, once, and to the end; and nobody is told too often.

use super::super::play::{INTERVAL, Sweep, own_people};
use super::super::truth::{CALM, Failing};
use super::*;

/// What an address was told of one track of one grower: when, in which mail, and what.
type Hearings = BTreeMap<(String, Option<usize>, &'static str), Vec<(Second, usize, Told)>>;

/// Mails an hour to one address.
const CAP: usize = 20;

impl Facts<'_> {
    pub(super) fn duties(&mut self) {
        self.in_order();
        self.not_too_many();
        for grower in 0..self.play.truth.growers.len() {
            for life in &self.play.truth.growers[grower].lives {
                let wrong = self.one_trouble(grower, label(life.trouble), &life.bad);
                self.faults.extend(wrong);
            }
            for stage in &self.play.truth.growers[grower].stage {
                let spans = std::slice::from_ref(stage);
                let wrong = self.one_trouble(grower, "environment mismatch", spans);
                self.faults.extend(wrong);
            }
        }
        self.outages();
    }

    /// What an address was told of one track of one grower, in the order in which it came.
    fn hearings(&self) -> Hearings {
        let mut hearings = Hearings::new();
        for (nth, sent) in self.sent.iter().enumerate() {
            for (at, address) in &sent.to {
                for told in &sent.mail.told {
                    let track = match told.label.as_str() {
                        "" => "access",
                        label => track(label),
                    };
                    let of = (address.clone(), told.grower, track);
                    hearings
                        .entry(of)
                        .or_default()
                        .push((*at, nth, told.clone()));
                }
            }
        }
        for told in hearings.values_mut() {
            // A mail lists what is open first; of one track, what it ends was before.
            let place = |told: &Told| match told.telling {
                Telling::Resolved | Telling::Closed => 0,
                Telling::Brief => 1,
                _ => 2,
            };
            told.sort_by_key(|(at, nth, told)| (*at, *nth, place(told)));
        }
        hearings
    }

    /// It begins, changes and is reminded of, and ends; what came back is told as that.
    fn in_order(&mut self) {
        let unnamed = self.sent.iter().any(|sent| sent.mail.unnamed > 0);
        let mut wrong = Vec::new();
        for ((address, grower, track), told) in self.hearings() {
            if track == "own" || unnamed {
                continue;
            }
            let mut open: Option<bool> = None;
            for (_, _, one) in &told {
                let fits = match one.telling {
                    // A line of a list does not say whether it is news.
                    Telling::Opened => open != Some(true) || one.in_short,
                    Telling::Reopened => open.is_some(),
                    Telling::Brief => open != Some(true),
                    _ => open == Some(true),
                };
                if !fits {
                    let all: Vec<_> = told
                        .iter()
                        .map(|(at, nth, it)| (at, nth, it.telling))
                        .collect();
                    wrong.push(format!("{address} heard of {grower:?} {track}: {all:?}"));
                    open = None;
                    break;
                }
                open = Some(one.telling.is_trouble());
            }
            if open == Some(true) {
                wrong.push(format!(
                    "{address} never heard the end of {grower:?} {track}: {:?}",
                    told.last()
                ));
            }
            for pair in told.windows(2) {
                let early = self.sent[pair[1].1].at - pair[0].0 < 23 * HOUR;
                let calm = !self.clock_set_in(&(pair[0].0 - HOUR..self.sent[pair[1].1].at + 1));
                if pair[1].2.telling == Telling::Reminder && early && calm {
                    wrong.push(format!(
                        "{address} was reminded of {grower:?} too soon: {pair:?}"
                    ));
                }
            }
        }
        self.faults.extend(wrong);
    }

    /// No more an hour than may be, and no more of one sweep than it takes.
    fn not_too_many(&mut self) {
        let mut wrong = Vec::new();
        let mut packed: BTreeMap<&str, Vec<Second>> = BTreeMap::new();
        let mut of_sweep: BTreeMap<(&str, usize), Vec<usize>> = BTreeMap::new();
        for (nth, sent) in self.sent.iter().enumerate() {
            let account = sent
                .mail
                .told
                .iter()
                .any(|told| track(&told.label) == "account");
            for (_, address) in sent.to.iter().filter(|_| !account) {
                packed.entry(address).or_default().push(sent.at);
                for sweep in self.sweeps_told(sent) {
                    of_sweep.entry((address, sweep)).or_default().push(nth);
                }
            }
        }
        for (address, times) in packed {
            for some in times.windows(CAP + 1) {
                let span = some[0]..some[CAP];
                if span.end - span.start < HOUR
                    && !self.clock_set_in(&(span.start - HOUR..span.end))
                {
                    wrong.push(format!("{address} had more than {CAP} mails in {span:?}"));
                }
            }
        }
        for ((address, sweep), mails) in of_sweep {
            let Sweep { began, over, .. } = self.play.sweeps[sweep];
            // One that tells what is known, one with what a long sweep found later, each `group_interval`.
            let due = 2 + ((over - began) / GROUP_INTERVAL) as usize;
            if mails.len() > due {
                let subjects: Vec<_> = (mails.iter())
                    .map(|nth| (self.sent[*nth].at, &self.sent[*nth].mail.subject))
                    .collect();
                wrong.push(format!(
                    "{address} had {} mails of the sweep of {began}..{over}: {subjects:?}",
                    mails.len()
                ));
            }
        }
        self.faults.extend(wrong);
    }

    /// The sweeps of which a mail tells for the first time, where nothing held it back.
    fn sweeps_told(&self, sent: &Sent) -> BTreeSet<usize> {
        let mut sweeps = BTreeSet::new();
        if sent.mail.shared.iter().any(|shared| shared.more) {
            return sweeps;
        }
        for told in sent
            .mail
            .told
            .iter()
            .filter(|told| told.telling == Telling::Opened)
        {
            let (Some(grower), Some(since)) = (told.grower, told.since) else {
                continue;
            };
            if !matches!(
                told.label.as_str(),
                "invalid" | "limited permission" | "environment mismatch"
            ) {
                continue;
            }
            let spans = self.spans(grower, &told.label, sent.at);
            let runs = self.runs(grower, &told.label, &spans, sent.at);
            let run = runs.iter().find(|run| self.shown(run.first.at) == since);
            if let Some(run) = run
                && !self.held(grower, &(run.first.at - HOUR..sent.at))
            {
                sweeps.insert(run.first.sweep);
            }
        }
        sweeps
    }

    fn held(&self, grower: usize, span: &Range<Second>) -> bool {
        self.silenced(grower, span)
            || self
                .play
                .truth
                .mail_down
                .iter()
                .any(|down| meet(&(down.start..down.end + 2 * HOUR), span))
            || self.killed_in(span)
            || self.asleep.iter().any(|asleep| meet(asleep, span))
    }

    /// Seen, told; mended, told.
    fn one_trouble(&self, grower: usize, label: &str, spans: &[Range<Second>]) -> Vec<String> {
        let mut faults = Vec::new();
        let reader = match label {
            "provider unavailable" | "unreadable" => OPS,
            _ => SUPPORT,
        };
        let runs = self.runs(grower, label, spans, self.play.truth.length);
        let whole = spans[0].start..spans[spans.len() - 1].end;
        // That it is over may be seen much later.
        let over = runs
            .iter()
            .filter_map(|run| run.well)
            .map(|well| well.at)
            .max();
        let over = over.unwrap_or(whole.end).max(whole.end);
        let truth = &self.play.truth.growers[grower];
        let later = (truth.lives.iter().map(|life| life.whole().start))
            .filter(|_| label != "environment mismatch")
            .chain(
                truth
                    .stage
                    .iter()
                    .map(|span| span.start)
                    .filter(|_| label == "environment mismatch"),
            );
        let next = later
            .filter(|at| *at > whole.end)
            .min()
            .unwrap_or(Second::MAX);
        let told: Vec<(usize, &Told)> = (self.sent.iter().enumerate())
            .filter(|(_, sent)| sent.to.iter().any(|(_, to)| to == reader))
            .flat_map(|(nth, sent)| sent.mail.told.iter().map(move |told| (nth, told)))
            .filter(|(nth, told)| {
                self.sent[*nth].at < next
                    && told.grower == Some(grower)
                    && (told.label == label
                        || told.label == "early warning"
                        || told.label.is_empty())
                    && track(label)
                        == track(if told.label.is_empty() {
                            label
                        } else {
                            &told.label
                        })
                    && (whole.start - 5 * HOUR..over + 8 * DAY).contains(&self.sent[*nth].at)
            })
            .collect();
        let hold = match label {
            "missing" => 30 * MINUTE,
            "provider unavailable" => 6 * HOUR,
            "unreadable" => 2 * HOUR,
            _ => 0,
        };
        let unnamed = self
            .sent
            .iter()
            .any(|sent| sent.mail.unnamed > 0 && (whole.start..whole.end + DAY).contains(&sent.at));
        if self.silenced(grower, &whole) || unnamed {
            return faults;
        }
        for (nth, run) in runs.iter().enumerate() {
            let never_there = label == "missing"
                && self
                    .last_look(grower, run.first.at, |seen| seen.state.is_some())
                    .is_none();
            if never_there {
                // Not connected, and nobody named it.
                break;
            }
            // One look is proof, or so long a time of looks.
            let proof = match hold {
                0 => Some(run.first.at),
                _ => {
                    let looks = self
                        .play
                        .looks_at(grower, run.first.at + hold..run.last.at + 1);
                    let mut whole = looks.iter().map(|seen| &self.play.sweeps[seen.sweep]);
                    let found =
                        whole.find(|sweep| sweep.ended == Ended::Whole && sweep.second.is_none());
                    found.map(|sweep| sweep.over + INTERVAL + 5 * MINUTE)
                }
            };
            let Some(proof) = proof else { continue };
            if hold > 0 && !self.undisturbed(&(run.first.at - HOUR..proof + HOUR)) {
                continue;
            }
            // What has come back once stays open until it was quiet for long.
            let came_back = told
                .first()
                .is_some_and(|(_, told)| told.telling == Telling::Reopened);
            if nth > 1 || nth > 0 && (hold > 0 || came_back) {
                continue;
            }
            let (due, why) = self.due(proof, reader, label);
            // Before that time it may be well again, and is then told in one line, or not at all where it came back.
            let in_time = told.iter().any(|(nth, told)| {
                self.sent[*nth].at >= run.first.at
                    && self.sent[*nth].at <= due
                    && !matches!(told.telling, Telling::Reminder)
            });
            let ever = told
                .iter()
                .any(|(nth, _)| self.sent[*nth].at >= run.first.at);
            let brief = run.well.is_some_and(|well| well.at <= due);
            if !(in_time || brief && ever) {
                let heard: Vec<_> = (told.iter())
                    .map(|(nth, told)| (self.sent[*nth].at, told.telling))
                    .collect();
                faults.push(format!(
                    "{label} of {grower}, {spans:?}, seen at {} ({}), was to be told until {due} ({why}): {heard:?}",
                    run.first.at,
                    self.play.wall(run.first.at),
                ));
            }
        }
        if let [run] = &runs[..]
            && let Some(well) = run.well
            && !told.is_empty()
            && well.at < next
            && !self.warned_near(grower, &whole)
        {
            let (mut due, why) = self.due(well.at, reader, "");
            // What came back ends only after a quiet time.
            if told
                .iter()
                .any(|(_, told)| told.telling == Telling::Reopened)
            {
                due += FLAP_WINDOW + HOUR;
            }
            let over = |(nth, told): &(usize, &Told)| {
                !told.telling.is_trouble() && (well.at..=due).contains(&self.sent[*nth].at)
            };
            if !told.iter().any(over) {
                let heard: Vec<_> = (told.iter())
                    .map(|(nth, told)| (self.sent[*nth].at, told.telling))
                    .collect();
                faults.push(format!(
                    "{label} of {grower}, {spans:?}, seen well at {}, was to be told until {due} ({why}): {heard:?}",
                    well.at
                ));
            }
        }
        let own = own_people(grower).filter(|_| reader == SUPPORT);
        if let Some(own) = own
            && !told.is_empty()
            && whole.end - whole.start > 3 * DAY
            && self.undisturbed(&(whole.start..whole.start + 2 * DAY))
        {
            let heard = self.sent.iter().any(|sent| {
                sent.to.iter().any(|(_, to)| to == own)
                    && sent
                        .mail
                        .told
                        .iter()
                        .any(|told| told.grower == Some(grower))
                    && (whole.start..whole.end + 8 * DAY).contains(&sent.at)
            });
            if !heard {
                faults.push(format!(
                    "{label} of {grower}, {spans:?}: {own} never heard of it"
                ));
            }
        }
        faults
    }

    fn warned_near(&self, grower: usize, whole: &Range<Second>) -> bool {
        self.play.truth.growers[grower].log.iter().any(|logged| {
            logged.says.is_failure()
                && (whole.start - 80 * HOUR..whole.end + 80 * HOUR).contains(&logged.dated)
        })
    }

    /// Until when what was proved at `from` is to be in a mail to `address`, and what holds it back that long.
    fn due(&self, from: Second, address: &str, label: &str) -> (Second, String) {
        let mut due = from + GROUP_WAIT + GROUP_INTERVAL + SLACK;
        let mut why = vec!["group_wait and group_interval"];
        // A mail that waits for the server holds up the next; it is tried hourly.
        for down in &self.play.truth.mail_down {
            if meet(&(down.start..down.end + HOUR), &(from - HOUR..due)) {
                due = due.max(down.end + HOUR + GROUP_WAIT + GROUP_INTERVAL + SLACK);
                why.push("the mail server is down");
            }
        }
        for _ in 0..3 {
            for away in &self.play.truth.away {
                if meet(away, &(from..due)) {
                    due = due.max(away.end + GROUP_WAIT + GROUP_INTERVAL + SLACK);
                    why.push("nobody runs");
                }
            }
        }
        // What lay ahead when the clock was set back counts as just then: mails for the cap, ends for what comes back.
        let set_back = self.clock_is_doubtful(&(from..due));
        if set_back {
            due += match label {
                "" => FLAP_WINDOW + HOUR,
                _ => HOUR,
            };
            why.push("the clock was set");
        }
        let (mut packed, mut shared) = (0, false);
        for sent in &self.sent {
            let of = sent.to.iter().any(|(_, to)| to == address);
            packed += usize::from(of && (due - HOUR..due).contains(&sent.at));
            shared |= of
                && label == "invalid"
                && (due - 14 * DAY..due).contains(&sent.at)
                && !sent.mail.shared.is_empty();
        }
        if packed >= CAP {
            due += HOUR;
            why.push("the cap");
        }
        if shared {
            // It joins those of a cause already told: later and later, then with the reminders.
            due += 26 * HOUR;
            why.push("a cause already told");
        }
        if self
            .play
            .sweeps
            .iter()
            .all(|sweep| sweep.ended != Ended::Whole || sweep.over > from)
        {
            due += GROUP_INTERVAL;
            why.push("the first look");
        }
        (due, why.join(", "))
    }

    /// An outage that lasts is told, and told to be over, under its own name.
    fn outages(&mut self) {
        let mut wrong = Vec::new();
        for (outage, how) in &self.play.truth.outages {
            let failed = |sweep: &&Sweep| {
                outage.contains(&sweep.over) && matches!(sweep.ended, Ended::GivenUp(_))
            };
            let Some(first) = self.play.sweeps.iter().find(failed) else {
                continue;
            };
            let hold = match how {
                Failing::Denied => 10 * MINUTE,
                _ => 30 * MINUTE,
            };
            let mut later = self.play.truth.outages.iter().map(|(span, _)| span.start);
            let next = later.find(|at| *at >= outage.end).unwrap_or(Second::MAX);
            let ripe = first.over + hold + 2 * MINUTE;
            let told: Vec<(Second, &Told)> = (self.sent.iter())
                .filter(|sent| sent.to.iter().any(|(_, to)| to == OPS))
                .filter(|sent| (outage.start..next.min(outage.end + 8 * DAY)).contains(&sent.at))
                .flat_map(|sent| sent.mail.told.iter().map(|told| (sent.at, told)))
                .filter(|(_, told)| track(&told.label) == "account")
                .collect();
            let heard: Vec<_> = (told.iter())
                .map(|(at, told)| (at, &told.label, told.telling))
                .collect();
            let calm = self.undisturbed_but_for_leaf(&(first.began..ripe + GROUP_WAIT));
            if ripe < outage.end && calm {
                let (due, why) = self.due(ripe, OPS, "");
                let in_time = told.iter().any(|(at, told)| {
                    *at <= due && (told.telling.is_trouble() || told.telling == Telling::Brief)
                });
                if !(in_time || due > outage.end && !told.is_empty()) {
                    wrong.push(format!(
                        "{how:?} {outage:?}, first met at {}, was to be told until {due} ({why}): {heard:?}",
                        first.over
                    ));
                }
            }
            let name = match how {
                Failing::Denied => Some("Leaf login refused"),
                Failing::Unreachable | Failing::Pause => Some("Leaf unreachable"),
                Failing::Alternating(_) => None,
            };
            if let (Some(name), Some((_, told))) = (name, told.first())
                && told.label != name
            {
                wrong.push(format!("{how:?} {outage:?} was told as {heard:?}"));
            }
            if !told.is_empty()
                && told[told.len() - 1].1.telling.is_trouble()
                && outage.end < self.play.truth.length - CALM
            {
                wrong.push(format!(
                    "the end of {how:?} {outage:?} was not told: {heard:?}"
                ));
            }
        }
        self.faults.extend(wrong);
    }
}

/// What the database still owes when all is over.
pub(super) fn left_undone(play: &mut Play) -> Vec<String> {
    // Days of our clock: one that was set ahead meanwhile makes them short.
    let given_up = 5 * DAY * 1000;
    // An early warning ends three days after the last failure, which a short play does not have.
    let early = match play.truth.length > CALM + DAY {
        true => "",
        false => "AND kind <> 'failing_events'",
    };
    let owed = [
        (
            "notices",
            "SELECT id FROM notice WHERE done_at IS NULL".to_owned(),
        ),
        (
            "deliveries",
            format!(
                "SELECT d.id FROM delivery d JOIN message m ON m.id = d.message
                 WHERE d.state = 0 OR d.state = 2 AND d.done_at - m.at < {given_up}"
            ),
        ),
        (
            "open incidents",
            format!("SELECT id FROM incident WHERE ended_at IS NULL {early}"),
        ),
        ("suspects", "SELECT began_at FROM suspect".to_owned()),
    ];
    let mut faults = Vec::new();
    for (what, sql) in owed {
        let left = play.column(&sql);
        if !left.is_empty() {
            faults.push(format!("{what} left at the end: {left:?}"));
        }
    }
    faults
}
