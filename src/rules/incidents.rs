//! The life of incidents: from what is known and one fact to a plan that says what to write, and why.
//!
//! Nothing here opens, changes or ends an incident of a credential without an answer from Leaf about that credential.

mod access;
mod plan;
mod steady;

use jiff::Timestamp;

use crate::model::{
    Answer, EndedBy, Expectation, Incident, Kind, Needed, Policy, Suspect, Thresholds, Track,
};
use crate::rules::failing::{self, Sign};
use crate::rules::judge::{self, Access, InEnvironment};
use crate::rules::needs;

use plan::Began;
pub use plan::{Epoch, NewSpan, Plan, SuspectChange};
pub use steady::{Condition, settle};

/// The answer that stands, and since when.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What Leaf last said.
    pub answer: Answer,
    /// Since when it says so.
    pub since: Timestamp,
}

/// The client key that a credential last named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedKey {
    /// Its print.
    pub print: [u8; 16],
    /// Since when, by our clock, where another one was named before. Events carry no key: older ones may be the other's.
    pub since: Option<Timestamp>,
}

/// All that is known of one credential when a fact about it arrives; of the account and our own, the incidents and
/// suspects of one track and subject.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// The answer that stands; none before the first.
    pub standing: Option<Standing>,
    /// The life it is in, as last known.
    pub epoch: Epoch,
    /// Whether it gave no answer when last asked in a whole sweep.
    pub in_gap: bool,
    /// Its open incidents, and of each track the last one that ended within the flap window.
    pub incidents: Vec<Incident>,
    /// What is not told yet.
    pub suspects: Vec<Suspect>,
    /// What its events of the window say, those of this fact included.
    pub signs: Vec<Sign>,
    /// When a look last found a status word that is trouble by itself, before the answer that stands; by our clock.
    pub last_bad_word: Option<Timestamp>,
    /// The client key that it last named.
    pub key: Option<NamedKey>,
    /// Whether Leaf ever logged a success of its provider.
    pub logs_success: bool,
}

impl Known {
    fn open(&self, track: Track) -> Option<&Incident> {
        self.incidents
            .iter()
            .find(|incident| incident.track == track && incident.is_open())
    }

    /// What ended and may come back; where another of its track is open (a clock was set back), it cannot.
    fn ended(&self, track: Track) -> Option<&Incident> {
        if self.open(track).is_some() {
            return None;
        }
        self.incidents
            .iter()
            .find(|incident| incident.track == track && !incident.is_open())
    }

    fn suspect(&self, kind: Kind) -> Option<&Suspect> {
        self.suspects.iter().find(|suspect| suspect.kind == kind)
    }

    /// What trouble of `kind` takes until it is told; one look, where it comes back within the flap window.
    pub fn needed(&self, kind: Kind, thresholds: &Thresholds) -> Needed {
        match self.ended(kind.track()) {
            Some(ended) if ended.kind == kind => Needed::ONE_LOOK,
            _ => needs::to_open(kind, thresholds),
        }
    }

    /// The signs that count for the early warning beside `answer`, newest first: of the life that began at `epoch` and
    /// of the client key that it names, newer than the last look whose status word was bad (Leaf judged the credential
    /// anew after them).
    pub fn counting_signs(
        &self,
        answer: &Answer,
        epoch: Option<Timestamp>,
        (now, leaf_now): (Timestamp, Timestamp),
        policy: &Policy,
    ) -> Vec<Sign> {
        let by_leaf = |at: Timestamp| at + leaf_now.duration_since(now);
        let standing = self.standing.as_ref().map(|standing| &standing.answer);
        let bad_now = standing.is_some_and(|told| {
            matches!(judge::access(told, &policy.status_words), Access::Bad(_))
        });
        let named = match answer {
            Answer::Reading(reading) => reading.key.as_ref(),
            Answer::Missing => None,
        };
        let new_key = (self.key.zip(named)).is_some_and(|(before, now)| before.print != now.print);
        if bad_now || new_key {
            return Vec::new();
        }
        let key_since = self.key.and_then(|key| key.since);
        let since = epoch.max(self.last_bad_word.max(key_since).map(by_leaf));
        failing::counting(&self.signs, since, leaf_now, &policy.thresholds)
    }

    /// Whether Leaf ever described this credential.
    fn was_seen(&self) -> bool {
        self.epoch.number > 0
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fact<'a> {
    /// Leaf answered about the credential.
    Answer(&'a Answer),
    /// Its events were read; [`Known::signs`] holds them.
    Events,
    /// A sweep ended whole in which it gave an answer; suspects and runs of good looks are counted up to now.
    Swept,
    /// A sweep ended whole in which it was asked, and gave no answer.
    Silent,
    /// It was taken out of the config.
    Unwatched,
}

/// What holds while a fact is judged.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The time of the fact by our clock.
    pub now: Timestamp,
    /// The time by Leaf's clock, against which events are aged.
    pub leaf_now: Timestamp,
    /// The settings.
    pub policy: &'a Policy,
    /// What the config expects of this credential.
    pub expectation: Expectation,
    /// Nobody looked between the look before this one and this one: the program was off.
    pub after_off: bool,
    /// An account condition is true: what may be its echo waits.
    pub blind: bool,
}

/// What to write after `fact`, and why.
pub fn decide(known: &Known, fact: Fact<'_>, moment: &Moment<'_>) -> Plan {
    let mut plan = Plan::default();
    match fact {
        Fact::Answer(answer) => on_answer(known, answer, moment, &mut plan),
        Fact::Events => access::on_events(known, moment, &mut plan),
        Fact::Swept => on_swept(known, moment, &mut plan),
        Fact::Silent => on_silent(known, moment, &mut plan),
        Fact::Unwatched => on_unwatched(known, &mut plan),
    }
    plan
}

fn on_answer(known: &Known, answer: &Answer, moment: &Moment<'_>, plan: &mut Plan) {
    plan.span = NewSpan::after(known, answer, moment.leaf_now);
    plan.ends_gap = known.in_gap;
    access::on_answer(known, answer, moment, plan);
    let verdict = match answer {
        Answer::Reading(reading) => judge::environment(reading, moment.expectation.environment),
        Answer::Missing => InEnvironment::NotTold,
    };
    on_environment(known, verdict, answer, moment, plan);
    if known.suspect(Kind::Unreadable).is_some() {
        plan.drop_suspect(Kind::Unreadable);
    }
    if let Some(incident) = known.open(Track::Sight) {
        plan.good_look(incident, moment, "Leaf answers about this credential again");
    }
}

fn on_environment(
    known: &Known,
    verdict: InEnvironment,
    answer: &Answer,
    moment: &Moment<'_>,
    plan: &mut Plan,
) {
    let open = known.open(Track::Environment);
    match verdict {
        InEnvironment::Wrong => match open {
            Some(incident) => plan.bad_look(incident),
            None => {
                let why = "the environment is another one than the one expected";
                let kind = Kind::EnvironmentMismatch;
                plan.begin(
                    known,
                    kind,
                    Began::now(moment),
                    Some(answer),
                    why.to_owned(),
                );
            }
        },
        InEnvironment::Right => {
            if let Some(incident) = open {
                plan.good_look_after(
                    known,
                    incident,
                    answer,
                    moment,
                    "the environment is the expected one",
                );
            }
        }
        InEnvironment::NotExpected => {
            if let Some(incident) = open {
                plan.close(
                    incident,
                    EndedBy::NotExpected,
                    "our config no longer expects an environment of it",
                );
            }
        }
        InEnvironment::NotTold => {
            if let Some(incident) = open {
                plan.neutral_look(incident);
            }
        }
    }
}

/// What needed a second look, a hold or a run of good looks is settled when a sweep has ended whole.
fn on_swept(known: &Known, moment: &Moment<'_>, plan: &mut Plan) {
    access::on_swept(known, moment, plan);
    for incident in known.incidents.iter().filter(|incident| incident.is_open()) {
        plan.end_if_proved(incident, moment);
    }
}

fn on_silent(known: &Known, moment: &Moment<'_>, plan: &mut Plan) {
    let needed = known.needed(Kind::Unreadable, &moment.policy.thresholds);
    match (known.open(Track::Sight), known.suspect(Kind::Unreadable)) {
        (Some(incident), _) => plan.bad_look(incident),
        (None, None) if known.ended(Track::Sight).is_some() => {
            let why = "it gives no answer again".to_owned();
            plan.begin(known, Kind::Unreadable, Began::now(moment), None, why);
        }
        (None, None) => plan.suspect(known, Kind::Unreadable, moment),
        (None, Some(suspect)) if needed.is_met(suspect.looks, suspect.held) => {
            let why = format!(
                "no answer about it in {} whole sweeps running",
                suspect.looks
            );
            plan.begin(known, Kind::Unreadable, Began::of(suspect), None, why);
        }
        (None, Some(_)) => {}
    }
}

fn on_unwatched(known: &Known, plan: &mut Plan) {
    plan.suspects.extend(
        known
            .suspects
            .iter()
            .map(|suspect| SuspectChange::Drop(suspect.kind)),
    );
    for incident in known.incidents.iter().filter(|incident| incident.is_open()) {
        plan.close(
            incident,
            EndedBy::Unwatched,
            "taken out of the config while open; not known to be mended",
        );
    }
}
