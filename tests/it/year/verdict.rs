//! What must have been told, from the truth alone: nothing of the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::play::{Handed, Play};
use super::truth::{CALM, DAY, HOUR, Life, Minute, Trouble};

const SUPPORT: &str = "support@example.com";
const OPS: &str = "ops@example.com";

/// How far our clock may have been wrong, and how long a look may be away.
const SLACK: Minute = 4 * HOUR;

#[derive(Debug)]
struct Incident {
    id: i64,
    grower: Option<usize>,
    track: String,
    kind: String,
    open: Range<Minute>,
}

#[derive(Debug, Clone)]
struct Told {
    at: Minute,
    telling: String,
}

/// What each address was told of each incident.
type Hearings = BTreeMap<(String, i64), Vec<Told>>;

/// What there is to compare.
struct Facts<'a> {
    play: &'a Play,
    incidents: Vec<Incident>,
    told: Hearings,
    faults: Vec<String>,
}

/// Everything that is not as it must be.
pub fn faults(play: &mut Play) -> Vec<String> {
    let incidents = incidents(play);
    let (told, doubled) = told(play);
    let left = left_undone(play);
    let mut facts = Facts {
        play,
        incidents,
        told,
        faults: doubled,
    };
    facts.faults.extend(left);
    facts.in_order();
    facts.nothing_without_cause();
    for grower in 0..facts.play.truth.growers.len() {
        for life in &facts.play.truth.growers[grower] {
            let wrong = facts.one_life(grower, life);
            facts.faults.extend(wrong);
        }
    }
    facts.outages();
    facts.faults
}

fn column<T>(
    play: &mut Play,
    sql: &str,
    of: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let reader = play.player.db().reader();
    let mut statement = reader.prepare(sql).unwrap();
    let rows = statement.query_map([], of).unwrap();
    rows.map(Result::unwrap).collect()
}

fn incidents(play: &mut Play) -> Vec<Incident> {
    let growers: BTreeMap<i64, usize> = (play.ids.iter().enumerate())
        .map(|(grower, id)| (id.0, grower))
        .collect();
    let began = play.began();
    let minute = |ms: i64| {
        let at = Timestamp::from_millisecond(ms).unwrap();
        at.duration_since(began).as_mins()
    };
    let sql = "SELECT id, credential, track, kind, began_at, coalesce(ended_at, 0) FROM incident ORDER BY id";
    column(play, sql, |row| {
        let (from, to): (i64, i64) = (row.get(4)?, row.get(5)?);
        Ok(Incident {
            id: row.get(0)?,
            grower: growers.get(&row.get(1)?).copied(),
            track: row.get(2)?,
            kind: row.get(3)?,
            open: minute(from)..if to > 0 { minute(to) } else { Minute::MAX },
        })
    })
}

/// What each address was told of each incident, in the order in which the server took it; a mail that it took twice counts
/// once, and only a kill excuses it.
fn told(play: &mut Play) -> (Hearings, Vec<String>) {
    let sql = "SELECT m.message_id, e.incident, e.telling FROM entry e JOIN message m ON m.id = e.message";
    let mut entries: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for (message, incident, telling) in column(play, sql, |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
    }) {
        entries
            .entry(message)
            .or_default()
            .push((incident, telling));
    }
    let mut told: BTreeMap<_, Vec<Told>> = BTreeMap::new();
    let mut taken: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let mut faults = Vec::new();
    for handed in &play.handed {
        let Handed {
            at,
            message_id,
            address,
            unmarked,
        } = handed;
        match taken.insert((message_id, address), *unmarked) {
            Some(true) => continue,
            Some(false) => faults.push(format!("{message_id} went to {address} twice")),
            None => {}
        }
        for (incident, telling) in entries.get(message_id).into_iter().flatten() {
            let telling = telling.clone();
            let of = told.entry((address.clone(), *incident)).or_default();
            of.push(Told { at: *at, telling });
        }
    }
    (told, faults)
}

fn left_undone(play: &mut Play) -> Vec<String> {
    let owed = [
        ("notices", "SELECT id FROM notice WHERE done_at IS NULL"),
        ("deliveries", "SELECT id FROM delivery WHERE state <> 1"),
        (
            "open incidents",
            "SELECT id FROM incident WHERE ended_at IS NULL",
        ),
        ("suspects", "SELECT began_at FROM suspect"),
    ];
    let mut faults = Vec::new();
    for (what, sql) in owed {
        let left: Vec<i64> = column(play, sql, |row| row.get(0));
        if !left.is_empty() {
            faults.push(format!("{what} left at the end: {left:?}"));
        }
    }
    faults
}

impl Facts<'_> {
    /// Opened, then changes and reminders, then its end; what came back is told as that.
    fn in_order(&mut self) {
        for ((address, incident), told) in &self.told {
            let mut open = None;
            for Told { telling, .. } in told {
                let fits = match (telling.as_str(), open) {
                    ("opened", None) | ("reopened", Some(_)) => true,
                    // It came, or came back, and went before a mail could tell of it.
                    ("brief", None | Some(false)) => true,
                    ("changed" | "reminder" | "resolved" | "closed", open) => open == Some(true),
                    _ => false,
                };
                if !fits {
                    let all: Vec<_> = told.iter().map(|told| told.telling.as_str()).collect();
                    self.faults
                        .push(format!("{address} heard of incident {incident}: {all:?}"));
                    break;
                }
                open = Some(!matches!(telling.as_str(), "resolved" | "closed" | "brief"));
            }
            if open == Some(true) {
                self.faults.push(format!(
                    "{address} never heard the end of incident {incident}"
                ));
            }
            let reminders = told.windows(2).filter(|pair| pair[1].telling == "reminder");
            for pair in reminders {
                if pair[1].at - pair[0].at < 24 * HOUR - 2 * SLACK {
                    self.faults.push(format!(
                        "{address} was reminded of incident {incident} too soon: {told:?}"
                    ));
                }
            }
        }
    }

    /// Nothing opened that was not so.
    fn nothing_without_cause(&mut self) {
        for incident in &self.incidents {
            let caused = match incident.grower {
                Some(grower) => self.play.truth.growers[grower].iter().any(|life| {
                    kinds(life.trouble).contains(&incident.kind.as_str()) && touches(life, incident)
                }),
                None if incident.track == "account" => self
                    .play
                    .truth
                    .outages
                    .iter()
                    .any(|(outage, _)| meet(outage, &incident.open)),
                None => false,
            };
            if !caused {
                self.faults.push(format!("without a cause: {incident:?}"));
            }
        }
    }

    fn one_life(&self, grower: usize, life: &Life) -> Vec<String> {
        let mut faults = Vec::new();
        let reader = match life.trouble {
            Trouble::Away => OPS,
            _ => SUPPORT,
        };
        let mine: Vec<&Incident> = (self.incidents.iter())
            .filter(|it| {
                it.grower == Some(grower) && kinds(life.trouble).contains(&it.kind.as_str())
            })
            .filter(|it| touches(life, it))
            .collect();
        let told: Vec<i64> = (mine.iter().map(|it| it.id))
            .filter(|id| self.told.contains_key(&(reader.to_owned(), *id)))
            .collect();
        let silenced = self.silenced(grower, life);
        let mut wrong = |what: &str| {
            let of = format!("{what}: grower {grower}, {life:?}, {mine:?}, told {told:?}");
            faults.push(of);
        };
        if must_be_told(self.play, life) && told.is_empty() && !silenced {
            wrong("not told");
        }
        if cannot_be_seen(self.play, life) && !mine.is_empty() {
            wrong("nobody saw it, and it opened");
        }
        // Where nobody looked, or no look met it, for longer than what comes back may stay away, it may be told anew.
        if told.len() > 1 && !self.interrupted(life) && !seen_far_apart(self.play, life) {
            wrong("told as more than one");
        }
        let [one] = told[..] else {
            return faults;
        };
        let heard = &self.told[&(reader.to_owned(), one)];
        if let Some(first) = heard.first()
            && life.bad.len() == 1
            && !silenced
        {
            let due = first.at + 24 * HOUR..first.at + 48 * HOUR + SLACK;
            let lasts = life.whole().end > due.end + SLACK
                && first.at + 3 * DAY < self.play.truth.minutes - CALM;
            let reminded = heard
                .iter()
                .any(|told| told.at > first.at && told.at < due.end);
            if lasts && !self.disturbed(&(first.at..due.end)) && !reminded {
                wrong("no reminder");
            }
        }
        faults
    }

    fn silenced(&self, grower: usize, life: &Life) -> bool {
        let mut silences = self.play.truth.silences.iter();
        silences.any(|(whose, span)| *whose == grower && meet(span, &life.whole()))
    }

    fn interrupted(&self, life: &Life) -> bool {
        let truth = &self.play.truth;
        let outages = truth.outages.iter().map(|(span, _)| span);
        truth
            .off
            .iter()
            .chain(outages)
            .any(|span| meet(span, &life.whole()))
    }

    fn disturbed(&self, span: &Range<Minute>) -> bool {
        let truth = &self.play.truth;
        let outages = truth.outages.iter().map(|(span, _)| span);
        (truth.off.iter().chain(outages).chain(&truth.mail_down)).any(|other| meet(other, span))
    }

    /// An outage that three tries an hour apart met is told, and told to be over.
    fn outages(&mut self) {
        for (outage, _) in &self.play.truth.outages {
            let tries: Vec<Minute> = (self.play.failed_looks.iter().copied())
                .filter(|at| outage.contains(at))
                .collect();
            let running = tries
                .windows(3)
                .any(|three| three[2] - three[0] == 2 * HOUR);
            let told = self.incidents.iter().any(|it| {
                it.track == "account"
                    && meet(outage, &it.open)
                    && self.told.contains_key(&(OPS.to_owned(), it.id))
            });
            let killed = self.play.kills_within(outage);
            if running && !killed && !told {
                self.faults
                    .push(format!("an outage that nobody was told of: {outage:?}"));
            }
        }
    }
}

/// Whether nothing excuses silence: looks that prove it, with time to spare.
fn must_be_told(play: &Play, life: &Life) -> bool {
    let looks = |bad: &Range<Minute>| -> Vec<Minute> {
        let looks = play.whole_looks.iter().copied();
        looks.filter(|at| bad.contains(at)).collect()
    };
    // An hour after an hour, and nobody was away or killed in between.
    let running = |looks: &[Minute], hours: usize| {
        looks.windows(hours + 1).any(|some| {
            let span = some[0]..some[hours] + 1;
            some[hours] - some[0] == hours as Minute * HOUR && !play.kills_within(&span)
        })
    };
    life.bad.iter().any(|bad| match life.trouble {
        Trouble::Revoked | Trouble::Limited | Trouble::Stage => !looks(bad).is_empty(),
        Trouble::Gone => running(&looks(bad), 2),
        Trouble::Away => running(&looks(bad), 7),
    })
}

fn cannot_be_seen(play: &Play, life: &Life) -> bool {
    let all = || play.whole_looks.iter().chain(&play.other_looks);
    let seen = all().any(|at| life.is_bad(*at));
    let longest = life.bad.iter().map(|bad| bad.end - bad.start).max();
    let too_short = match life.trouble {
        Trouble::Away => life.bad.len() == 1 && longest < Some(6 * HOUR),
        Trouble::Gone => life.bad.len() == 1 && longest < Some(30),
        _ => false,
    };
    life.events_at.is_none() && (!seen || too_short)
}

fn seen_far_apart(play: &Play, life: &Life) -> bool {
    let all = play.whole_looks.iter().chain(&play.other_looks).copied();
    let mut seen: Vec<Minute> = all.filter(|at| life.is_bad(*at)).collect();
    seen.sort_unstable();
    seen.windows(2).any(|two| two[1] - two[0] >= 6 * HOUR)
}

fn kinds(trouble: Trouble) -> &'static [&'static str] {
    match trouble {
        Trouble::Revoked => &["invalid", "failing_events"],
        Trouble::Limited => &["limited_permission"],
        Trouble::Away => &["provider_unavailable"],
        Trouble::Gone => &["missing"],
        Trouble::Stage => &["environment_mismatch"],
    }
}

fn touches(life: &Life, incident: &Incident) -> bool {
    meet(&life.whole(), &incident.open)
}

fn meet(one: &Range<Minute>, other: &Range<Minute>) -> bool {
    one.start < other.end.saturating_add(SLACK) && other.start < one.end + SLACK
}

/// Every reader heard something of somebody, or the year was too calm to prove anything.
pub fn eventful(play: &mut Play) -> String {
    let count = |play: &mut Play, sql: &str| -> i64 { column(play, sql, |row| row.get(0))[0] };
    let incidents = count(play, "SELECT count(*) FROM incident");
    let reopened = count(play, "SELECT count(*) FROM incident WHERE reopened > 0");
    let reminders = count(
        play,
        "SELECT count(*) FROM entry WHERE telling = 'reminder'",
    );
    let kinds: BTreeSet<String> =
        column(play, "SELECT DISTINCT kind FROM incident", |row| row.get(0))
            .into_iter()
            .collect();
    assert!(
        incidents > 20 && reopened > 0 && reminders > 0 && kinds.len() >= 6,
        "{kinds:?}"
    );
    let days = SignedDuration::from_mins(play.truth.minutes).as_hours() / 24;
    format!(
        "{days} days, {} growers, {} looks, {incidents} incidents ({reopened} came back), {} mails taken, {reminders} \
         reminders, {} kills",
        play.ids.len(),
        play.looks,
        play.handed.len(),
        play.killed.len()
    )
}
