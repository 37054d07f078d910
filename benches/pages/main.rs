//! `cargo bench --bench pages`: how long the page, a credential's page and `/metrics` take, over a database with a year in
//! it, asked over a real socket. Prints a table in Markdown. `-- --quick` leaves out 100,000 credentials.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails may only stop; its table goes to stdout"
)]

mod year;

use std::sync::Arc;

use leafwatch::clock::Clock;
use leafwatch::config::{self, Variables};
use leafwatch::leaf::Client;
use leafwatch::vitals::Vitals;
use leafwatch::web::Site;
use tokio::sync::watch;
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
    let file = folder.path().join("leafwatch.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let mut config = config::load(&file, &Variables::default()).unwrap();
    config.watch = Arc::new(watch);
    let first_pause = Client::FIRST_PAUSE;
    let asks_nobody = Client::new(&config.leaf, [0; 32], clock.clone(), first_pause).unwrap();
    let (_config, in_force) = watch::channel(Arc::new(config));
    let mark = String::new();
    let site = Site::open(in_force, clock.clone(), Vitals::new(), asks_nobody, mark);
    let site = site.await.unwrap().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(site.clone().run(stop.clone()));
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

/// The watch list is another one.
const CONFIG: &str = r#"
[leaf]
token_file = "leaf-token"

[schedule]
timezone = "UTC"
sweep = "15m"
events = "1h"

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
path = "leafwatch.db"

[web]
listen = "127.0.0.1:0"
"#;
