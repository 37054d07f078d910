//! `cargo bench --bench pages`: how long the page, a credential's page and `/metrics` take, over a database with a year in
//! it, asked over a real socket. Prints a table in Markdown. `-- --quick` leaves out 100,000 credentials.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails may only stop; its table goes to stdout"
)]

mod year;

use std::sync::Arc;
use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::config::Web;
use leafwatch::leaf::{self, Client, SecretSource};
use leafwatch::model::{Alerts, Daemon, Policy, Schedule, Schedules, StatusWords, Thresholds};
use leafwatch::vitals::Vitals;
use leafwatch::web::{Parts, Settings, Site};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The fleets.
const FLEETS: [u32; 3] = [1_000, 10_000, 100_000];
/// How often each page is asked for; the first time is shown apart.
const TIMES: usize = 101;
/// What is asked for, and how it is called in the table. `{user}` is one of those in trouble.
const PAGES: [(&str, &str); 6] = [
    ("overview", "/"),
    ("overview, filtered by name", "/?name=grower+99"),
    ("overview, those in trouble", "/?kind=trouble"),
    ("credential", "/credentials/{user}/john-deere"),
    ("incidents", "/incidents"),
    ("/metrics", "/metrics"),
];
/// The longest median, in milliseconds.
const TARGET: f64 = 100.0;

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|word| word == "--quick");
    let fleets = &FLEETS[..if quick { 2 } else { 3 }];
    let mut table: Vec<Vec<(f64, f64)>> = Vec::new();
    for &fleet in fleets {
        table.push(measure(fleet).await);
    }
    let head: Vec<String> = fleets.iter().map(u32::to_string).collect();
    println!("Milliseconds: median of {} (the first).\n", TIMES - 1);
    println!("| | {} | target | |", head.join(" | "));
    println!("| --- |{} --- | --- |", " ---: |".repeat(fleets.len()));
    for (at, (name, _)) in PAGES.iter().enumerate() {
        let figures: Vec<(f64, f64)> = table.iter().map(|column| column[at]).collect();
        let shown: Vec<String> = figures
            .iter()
            .map(|(median, first)| format!("{median:.1} ({first:.0})"))
            .collect();
        let reached = match figures.iter().all(|(median, _)| *median <= TARGET) {
            true => "reached",
            false => "**missed**",
        };
        println!(
            "| {name} | {} | ≤ {TARGET:.0} | {reached} |",
            shown.join(" | ")
        );
    }
}

/// The median and the first time of each page.
async fn measure(fleet: u32) -> Vec<(f64, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("leafwatch.db");
    let clock = Clock::system();
    let watch = year::fill(&database, fleet, clock.now());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let parts = Parts {
        clock: clock.clone(),
        vitals: Vitals::new(),
        client: nobodys_client(&clock),
        database,
        listen: listener.local_addr().unwrap(),
        mark: String::new(),
    };
    let settings = Settings {
        instance: None,
        policy: policy(),
        watch: Arc::new(watch),
        web: Web::default(),
        request_timeout: Duration::from_secs(30),
    };
    let site = Site::new(parts, settings).unwrap();
    let (serving, stop) = (site.clone(), CancellationToken::new());
    let until = stop.clone();
    let served = tokio::spawn(async move { serving.serve(listener, until).await });
    let client = reqwest::Client::new();
    let mut figures = Vec::new();
    for (_, path) in PAGES {
        let path = path.replace("{user}", &year::user(year::IN_TROUBLE).to_string());
        let url = format!("http://{}{path}", site.address());
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let began = clock.monotonic();
            let answer = client.get(&url).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{url}");
            assert!(answer.text().await.unwrap().len() > 1000);
            times.push((clock.monotonic() - began).as_secs_f64() * 1000.0);
        }
        let first = times.remove(0);
        times.sort_by(f64::total_cmp);
        figures.push((times[times.len() / 2], first));
    }
    stop.cancel();
    served.await.unwrap();
    figures
}

fn policy() -> Policy {
    let every = |minutes: u64| Schedule::Every(Duration::from_secs(60 * minutes));
    Policy {
        thresholds: Thresholds::default(),
        status_words: StatusWords::default(),
        alerts: Alerts::default(),
        schedules: Schedules {
            zone: jiff::tz::TimeZone::UTC,
            sweep: every(15),
            events: every(60),
            reminders: every(24 * 60),
            digest: every(7 * 24 * 60),
        },
        daemon: Daemon::default(),
    }
}

/// Only its counters are shown.
fn nobodys_client(clock: &Clock) -> Client {
    leaf::install_tls();
    let settings = leaf::Settings {
        base_url: "http://127.0.0.1:9".to_owned(),
        auth: leaf::Auth::Token(SecretSource::new(|| Err("never asked".to_owned()))),
        max_requests_per_second: 5,
        max_in_flight: 4,
        timeout: Duration::from_secs(30),
        first_pause: leaf::Settings::FIRST_PAUSE,
    };
    Client::new(settings, [0; 32], clock.clone()).unwrap()
}
