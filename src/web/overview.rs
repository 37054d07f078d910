//! The first page: is anyone broken, since when, who acts; whether we see at all; and the credentials.

use std::collections::BTreeSet;

use askama::Template;
use jiff::Timestamp;

use super::frame::{Frame, Here, Moment, Tone};
use super::incidents::PARTS;
use super::site::Asked;
use super::strip::{self, Calendar, Strip};
use crate::model::{CredentialId, Kind, Provider, SweepEnd};
use crate::store::{self, Pick, Roll, Wanted};
use crate::view::status::{CredentialCounts, Watch};
use crate::view::{Credential, Incident, words};

/// Open incidents shown in full.
const INCIDENTS: usize = 12;
/// Credentials on a page.
const ROWS: usize = 50;
/// Tags offered.
const TAGS: usize = 100;

/// The page.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub(super) struct OverviewPage {
    frame: Frame,
    verdict: Headline,
    facts: Vec<WatchFact>,
    incidents: Vec<Incident>,
    incidents_more: u64,
    counts: String,
    filter: FilterForm,
    rows: Vec<(Credential, Strip)>,
    next: Option<String>,
    cannot_see: &'static str,
}

/// The page of those who may see counts, and no names.
#[derive(Debug, Template)]
#[template(path = "summary.html")]
pub(super) struct SummaryPage {
    frame: Frame,
    verdict: Headline,
    counts: Vec<(&'static str, String)>,
    has_password: bool,
}

/// The overall line.
#[derive(Debug)]
struct Headline {
    tone: Tone,
    say: String,
    also: Option<String>,
}

/// Something about ourselves.
#[derive(Debug)]
struct WatchFact {
    name: &'static str,
    tone: Tone,
    say: String,
    at: Option<Moment>,
}

/// What the reader asked for, to be shown in the form again.
#[derive(Debug)]
struct FilterForm {
    name: String,
    tag: String,
    tags: Vec<String>,
    /// Value, label, chosen.
    providers: Vec<(&'static str, &'static str, bool)>,
    kinds: Vec<(&'static str, String, bool)>,
    any: bool,
}

/// What is asked for in the address of the page.
#[derive(Debug, Clone, Default)]
pub(super) struct CredentialsQuery {
    pub(super) wanted: Wanted,
    pub(super) after: Option<CredentialId>,
}

/// The page.
pub(super) fn page(asked: &Asked<'_>, query: &CredentialsQuery) -> store::Result<OverviewPage> {
    let scene = &asked.scene;
    let zone = &scene.policy.schedules.zone;
    let counts = asked.fleet()?.counts;
    let watch = asked.tx.watch_state(scene)?;
    let (incidents, total) = asked.tx.worst_open(scene, INCIDENTS, PARTS)?;
    let Roll { credentials, next } = asked.tx.roll(scene, &query.wanted, query.after, ROWS)?;
    let calendar = Calendar::new(scene.now, zone);
    let seen = asked.tx.seen_since(scene, calendar.begins())?;
    let mut rows = Vec::with_capacity(credentials.len());
    for (id, credential) in credentials {
        let lifeline = asked.tx.lifeline(id, &seen)?;
        let strip = strip::strip(&lifeline, &scene.policy.status_words, &calendar);
        rows.push((credential, strip));
    }
    Ok(OverviewPage {
        frame: Frame::new(asked, Here::Overview, "Overview"),
        verdict: verdict(&counts, &watch, scene.now),
        facts: facts(&watch, asked),
        incidents_more: total.saturating_sub(incidents.len() as u64),
        incidents,
        counts: counts_line(&counts),
        next: next.map(|after| address(&query.wanted, after)),
        filter: form(asked, &query.wanted),
        rows,
        cannot_see: words::CANNOT_SEE,
    })
}

/// The page of counts.
pub(super) fn summary(asked: &Asked<'_>) -> store::Result<SummaryPage> {
    let counts = asked.fleet()?.counts;
    let watch = asked.tx.watch_state(&asked.scene)?;
    Ok(SummaryPage {
        frame: Frame::new(asked, Here::Elsewhere, "Summary"),
        verdict: verdict(&counts, &watch, asked.scene.now),
        counts: words::by_state(&counts)
            .into_iter()
            .map(|(count, what)| (what, words::number(u64::from(count))))
            .collect(),
        has_password: asked.config.web.password.is_some(),
    })
}

fn counts_line(counts: &CredentialCounts) -> String {
    let parts = words::counts(&words::by_state(counts));
    let watched = words::counted(u64::from(counts.watched), "credential");
    match parts.is_empty() {
        true => watched,
        false => format!("{watched}: {}", words::listed(&parts)),
    }
}

fn verdict(counts: &CredentialCounts, watch: &Watch, now: Timestamp) -> Headline {
    let all = words::counted(u64::from(counts.watched), "credential");
    let stale = (counts.stale > 0).then(|| {
        format!(
            "{} shown as last seen",
            words::counted(u64::from(counts.stale), "credential")
        )
    });
    let (tone, say, also) = if watch.blind {
        let since = watch
            .blind_since
            .map(|at| format!(" for {}", words::duration(words::between(at, now))));
        (
            Tone::Critical,
            format!("Leafwatch has been blind{}", since.unwrap_or_default()),
            stale,
        )
    } else if counts.trouble > 0 {
        let number = words::number(u64::from(counts.trouble));
        let are = if counts.trouble == 1 { "is" } else { "are" };
        (
            Tone::Critical,
            format!("{number} of {all} {are} in trouble"),
            stale,
        )
    } else if watch.last_whole_sweep.is_none() {
        (Tone::Doubt, "Nothing is known yet".to_owned(), None)
    } else if watch.overdue || watch.stopped_at.is_some() {
        (
            Tone::Critical,
            "Nobody looks: the next sweep is overdue".to_owned(),
            None,
        )
    } else if counts.suspected > 0 || counts.unknown_status > 0 {
        let number = words::number(u64::from(counts.suspected + counts.unknown_status));
        (
            Tone::Doubt,
            format!("No trouble known; {number} of {all} not sure yet"),
            None,
        )
    } else {
        let say = match counts.watched {
            0 => "No credential is watched".to_owned(),
            1 => "The one credential is well".to_owned(),
            _ if counts.healthy == counts.watched => format!("All {all} are well"),
            _ => format!(
                "All is well with {}",
                words::counted(u64::from(counts.healthy), "credential")
            ),
        };
        (Tone::Well, say, None)
    };
    let own = watch.troubles.len() as u64;
    let own = (own > 0 && !watch.blind).then(|| {
        format!(
            "and {} of Leafwatch itself or the Leaf account",
            words::counted(own, "problem")
        )
    });
    Headline {
        tone,
        say,
        also: also.or(own),
    }
}

fn facts(watch: &Watch, asked: &Asked<'_>) -> Vec<WatchFact> {
    let zone = &asked.scene.policy.schedules.zone;
    let fact = |name, tone, say: String, at: Option<Timestamp>| WatchFact {
        name,
        tone,
        say,
        at: at.map(|at| Moment::exact(at, zone)),
    };
    let trouble = |kind: Kind| watch.troubles.iter().find(|trouble| trouble.kind == kind);
    let account = |name, kind: Kind, well: &str| match trouble(kind) {
        Some(found) => fact(
            name,
            Tone::Critical,
            format!("{} since", words::label(kind)),
            Some(found.began_at),
        ),
        None if watch.last_sweep.is_none() => {
            fact(name, Tone::Doubt, "not tried yet".to_owned(), None)
        }
        None => fact(name, Tone::Well, well.to_owned(), None),
    };
    let mut facts = vec![
        account("Leaf", Kind::LeafUnreachable, "answers"),
        account("Login", Kind::LeafLogin, "accepted"),
    ];
    if let Some(until) = watch.paused_until {
        facts[0] = fact(
            "Leaf",
            Tone::Critical,
            "asked us to wait until".to_owned(),
            Some(until),
        );
    }
    facts.push(match &watch.last_sweep {
        None => fact("Last sweep", Tone::Doubt, "none yet".to_owned(), None),
        Some(sweep) => {
            let answered = words::answered(sweep);
            let whole = sweep.ended == Some(SweepEnd::Whole);
            match sweep.finished_at {
                None => fact(
                    "Sweep",
                    Tone::Well,
                    format!("under way, {answered} so far; begun"),
                    Some(sweep.started_at),
                ),
                Some(at) => fact(
                    "Last sweep",
                    if whole { Tone::Well } else { Tone::Warning },
                    format!("{}, {answered};", words::sweep_end(sweep.ended)),
                    Some(at),
                ),
            }
        }
    });
    facts.push(match (watch.stopped_at, watch.overdue, watch.next_sweep) {
        (Some(at), ..) => fact(
            "Next sweep",
            Tone::Critical,
            "none: the daemon was stopped".to_owned(),
            Some(at),
        ),
        (None, true, _) => fact("Next sweep", Tone::Critical, "overdue".to_owned(), None),
        (None, false, Some(at)) => fact("Next sweep", Tone::Well, "due".to_owned(), Some(at)),
        (None, false, None) => fact("Next sweep", Tone::Quiet, "not known".to_owned(), None),
    });
    facts.push(mails(watch));
    for own in &watch.troubles {
        if !matches!(own.kind, Kind::LeafLogin | Kind::LeafUnreachable) {
            facts.push(fact(
                "Leafwatch",
                own.severity.into(),
                format!("{}; since", words::own(own)),
                Some(own.began_at),
            ));
        }
    }
    facts
}

fn mails(watch: &Watch) -> WatchFact {
    let mails = &watch.mails;
    let parts = words::mails(mails);
    WatchFact {
        name: "Mails",
        tone: match (mails.failed, mails.retrying) {
            (0, 0) => Tone::Well,
            _ => Tone::Warning,
        },
        say: match parts.is_empty() {
            true => "none waiting".to_owned(),
            false => parts.join(", "),
        },
        at: None,
    }
}

fn form(asked: &Asked<'_>, wanted: &Wanted) -> FilterForm {
    let watch = asked.scene.watch;
    let mut tags = BTreeSet::new();
    for own in watch.users().iter().filter_map(|user| user.own.as_ref()) {
        tags.extend(own.tags.iter().map(String::as_str));
        if tags.len() > TAGS {
            break;
        }
    }
    let watched: BTreeSet<Provider> = watch.credentials().map(|one| one.provider).collect();
    let kinds = Kind::ALL
        .iter()
        .filter(|kind| kind.is_of_a_credential())
        .map(|&kind| {
            let chosen = wanted.pick == Some(Pick::Kind(kind));
            (kind.name(), words::label(kind).to_owned(), chosen)
        });
    let picks = [
        (Pick::Trouble, "any trouble"),
        (Pick::Suspected, "not sure yet"),
    ];
    let picks =
        picks.map(|(pick, label)| (pick_name(pick), label.to_owned(), wanted.pick == Some(pick)));
    FilterForm {
        name: wanted.name.clone(),
        tag: wanted.tag.clone().unwrap_or_default(),
        tags: tags.into_iter().take(TAGS).map(str::to_owned).collect(),
        providers: watched
            .into_iter()
            .map(|provider| {
                let chosen = wanted.provider == Some(provider);
                (provider.name(), provider.display_name(), chosen)
            })
            .collect(),
        kinds: picks.into_iter().chain(kinds).collect(),
        any: *wanted != Wanted::default(),
    }
}

/// How a state to pick by is called in an address.
pub(super) fn pick_name(pick: Pick) -> &'static str {
    match pick {
        Pick::Trouble => "trouble",
        Pick::Suspected => "suspected",
        Pick::Kind(kind) => kind.name(),
    }
}

/// The address of the next page of the same.
fn address(wanted: &Wanted, after: CredentialId) -> String {
    let mut pairs = vec![("after", after.0.to_string())];
    for (name, value) in [
        ("name", wanted.name.clone()),
        (
            "provider",
            wanted
                .provider
                .map_or_else(String::new, |provider| provider.name().to_owned()),
        ),
        (
            "kind",
            wanted
                .pick
                .map_or_else(String::new, |pick| pick_name(pick).to_owned()),
        ),
        ("tag", wanted.tag.clone().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    let query = reqwest::Url::parse_with_params("http://localhost/", pairs);
    let query = query.ok().and_then(|url| url.query().map(str::to_owned));
    format!("/?{}#credentials", query.unwrap_or_default())
}
