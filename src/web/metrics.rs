//! `/metrics`: gauges read from the store when they are scraped, counters of this run from the pulse and the client.
//!
//! Labels come from closed sets; a series for each credential there is only where the config asks for it.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::guard::Sight;
use super::health;
use super::site::Asked;
use crate::model::{Kind, Provider, Severity};
use crate::store::{self, Filter};
use crate::view::status::CredentialState;
use crate::view::words;
use crate::vitals::Fault;

type Whole = Gauge<i64>;
type Seconds = Gauge<f64, AtomicU64>;

/// A word of a closed set as a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.0.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: Word,
    commit: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Group {
    provider: Word,
    state: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: Word,
    severity: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFault {
    fault: Word,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OneCredential {
    user: String,
    name: String,
    provider: Word,
}

/// All metrics as OpenMetrics text.
pub(super) fn scrape(asked: &Asked<'_>, sight: Sight) -> store::Result<String> {
    let mut registry = Registry::with_prefix("leafwatch");
    about_us(&mut registry);
    credentials(&mut registry, asked)?;
    if asked.config.web.metrics_per_user && sight == Sight::All {
        each_credential(&mut registry, asked)?;
    }
    incidents(&mut registry, asked)?;
    sweeps(&mut registry, asked)?;
    requests(&mut registry, asked);
    mails(&mut registry, asked)?;
    storage(&mut registry, asked);
    let mut text = String::with_capacity(8192);
    // Writing into a String does not fail.
    let _ = encode(&mut text, &registry);
    Ok(text)
}

fn about_us(registry: &mut Registry) {
    let build = Family::<Build, Whole>::default();
    build
        .get_or_create(&Build {
            version: Word(env!("CARGO_PKG_VERSION")),
            commit: Word(env!("LEAFWATCH_COMMIT")),
        })
        .set(1);
    registry.register("build_info", "Version and commit of this program", build);
}

fn credentials(registry: &mut Registry, asked: &Asked<'_>) -> store::Result<()> {
    const STATES: [CredentialState; 6] = [
        CredentialState::Trouble,
        CredentialState::UnknownStatus,
        CredentialState::Suspected,
        CredentialState::NeverLooked,
        CredentialState::NotConnected,
        CredentialState::Healthy,
    ];
    let fleet = asked.fleet()?;
    let family = Family::<Group, Whole>::default();
    let mut providers: Vec<Provider> = fleet.by.keys().map(|(provider, _)| *provider).collect();
    providers.dedup();
    for provider in providers {
        for state in STATES {
            let group = Group {
                provider: Word(provider.name()),
                state: Word(state.into()),
            };
            let count = fleet.by.get(&(provider, state)).copied().unwrap_or(0);
            family.get_or_create(&group).set(whole(count));
        }
    }
    registry.register(
        "credentials",
        "Watched credentials by provider and state",
        family,
    );
    gauge(
        registry,
        "credentials_stale",
        "Watched credentials not seen since Leafwatch is blind",
        u64::from(fleet.counts.stale),
    );
    Ok(())
}

fn each_credential(registry: &mut Registry, asked: &Asked<'_>) -> store::Result<()> {
    let family = Family::<OneCredential, Whole>::default();
    asked
        .tx
        .each_status(&asked.scene, Filter::default(), |line| {
            let labels = OneCredential {
                user: line.who.user.user.to_string(),
                name: line.who.user.name.clone().unwrap_or_default(),
                provider: Word(line.who.provider.name()),
            };
            let healthy = line.state == CredentialState::Healthy;
            family.get_or_create(&labels).set(i64::from(healthy));
        })?;
    registry.register(
        "credential_healthy",
        "1 where a credential is healthy, else 0",
        family,
    );
    Ok(())
}

fn incidents(registry: &mut Registry, asked: &Asked<'_>) -> store::Result<()> {
    let open = asked.tx.open_by_kind()?;
    let family = Family::<OfKind, Whole>::default();
    for &kind in Kind::ALL {
        let labels = OfKind {
            kind: Word(kind.name()),
            severity: Word(Severity::name(kind.severity())),
        };
        let count = open.iter().find(|(of, _)| *of == kind);
        family
            .get_or_create(&labels)
            .set(count.map_or(0, |(_, count)| i64::from(*count)));
    }
    registry.register("incidents_open", "Open incidents by kind", family);
    gauge(
        registry,
        "blind",
        "1 while Leafwatch is blind: Leaf, the network or our login fails",
        u64::from(asked.tx.is_blind()?),
    );
    Ok(())
}

fn sweeps(registry: &mut Registry, asked: &Asked<'_>) -> store::Result<()> {
    let now = asked.scene.now;
    let pulse = asked.shared.vitals.pulse();
    if let Some(sweep) = pulse.last_sweep {
        seconds(
            registry,
            "last_sweep_duration",
            "How long the sweep took that ended last",
            sweep.took.as_secs_f64(),
        );
    }
    if let Some(whole) = asked.tx.last_whole_sweep()? {
        seconds(
            registry,
            "last_whole_sweep_age",
            "Time since the last whole sweep ended",
            words::between(whole.until, now).as_secs_f64(),
        );
    }
    let tally = pulse.tally;
    outcomes(
        registry,
        "sweeps",
        "Sweeps that ended, by how",
        &[
            ("whole", tally.sweeps_whole),
            ("given_up", tally.sweeps_given_up),
            ("stopped", tally.sweeps_stopped),
        ],
    );
    counter(
        registry,
        "sweeps_skipped",
        "Sweeps left out because the one before still ran",
        pulse.sweeps_skipped,
    );
    Ok(())
}

fn requests(registry: &mut Registry, asked: &Asked<'_>) {
    let counters = asked.shared.client.counters();
    outcomes(
        registry,
        "leaf_requests",
        "Requests to Leaf, by outcome; logins apart",
        &[
            ("answered", counters.answered),
            ("denied", counters.denied),
            ("limited", counters.limited),
            ("later", counters.later),
            ("broken", counters.broken),
        ],
    );
    let accepted = counters.logins.saturating_sub(counters.logins_failed);
    outcomes(
        registry,
        "leaf_logins",
        "Logins at Leaf, by outcome",
        &[("accepted", accepted), ("failed", counters.logins_failed)],
    );
    counter(
        registry,
        "leaf_retries",
        "Requests made again after one without an answer",
        counters.retries,
    );
    counter(
        registry,
        "rate_limit_waits",
        "Times that the rate limit, or a pause that Leaf asked for, held a request up",
        counters.waits,
    );
}

fn mails(registry: &mut Registry, asked: &Asked<'_>) -> store::Result<()> {
    let now = asked.scene.now;
    let tally = asked.shared.vitals.pulse().tally;
    outcomes(
        registry,
        "deliveries",
        "Tries of mails, by outcome",
        &[
            ("accepted", tally.mails_accepted),
            ("deferred", tally.mails_deferred),
            ("failed", tally.mails_failed),
        ],
    );
    gauge(
        registry,
        "deliveries_waiting",
        "Mails that wait for the mail server",
        u64::from(asked.tx.waiting_deliveries()?),
    );
    let oldest = asked.tx.oldest_waiting()?;
    seconds(
        registry,
        "deliveries_oldest_waiting_age",
        "Age of the oldest mail that waits; 0 where none does",
        oldest.map_or(0.0, |at| words::between(at, now).as_secs_f64()),
    );
    let overdue = asked.tx.overdue_notices(health::overdue_since(now))?;
    gauge(
        registry,
        "notices_overdue",
        "Notices untold 30 min after they were due",
        u64::from(overdue),
    );
    Ok(())
}

fn storage(registry: &mut Registry, asked: &Asked<'_>) {
    let database = &asked.shared.database;
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    for (name, help, path) in [
        ("database_size", "Size of the database", database.as_path()),
        (
            "database_wal_size",
            "Size of the database's write-ahead log",
            Path::new(&log),
        ),
    ] {
        let size = std::fs::metadata(path).map_or(0, |file| file.len());
        let metric = Whole::default();
        metric.set(whole(size));
        registry.register_with_unit(name, help, Unit::Bytes, metric);
    }
    let faults = asked.shared.vitals.pulse().faults;
    let family = Family::<OfFault, Whole>::default();
    for (name, meant) in [
        ("storage", &[Fault::Storage, Fault::Displaced][..]),
        ("mail", &[Fault::Mail]),
        ("config", &[Fault::Config]),
    ] {
        let labels = OfFault { fault: Word(name) };
        let stands = meant.iter().any(|fault| faults.contains_key(fault));
        family.get_or_create(&labels).set(i64::from(stands));
    }
    registry.register(
        "fault",
        "1 while something of our own fails: database, mail server's set-up, new config",
        family,
    );
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let metric = Whole::default();
    metric.set(whole(value));
    registry.register(name, help, metric);
}

fn seconds(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let metric = Seconds::default();
    metric.set(value);
    registry.register_with_unit(name, help, Unit::Seconds, metric);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let metric = Counter::<u64>::default();
    metric.inc_by(value);
    registry.register(name, help, metric);
}

fn outcomes(registry: &mut Registry, name: &str, help: &str, values: &[(&'static str, u64)]) {
    let family = Family::<Outcome, Counter>::default();
    for &(outcome, value) in values {
        let labels = Outcome {
            outcome: Word(outcome),
        };
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(name, help, family);
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
