//! `demo`: everything on this machine. A simulated Leaf, the real daemon at a faster pace, mails into a folder.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::app::{Patience, Station};
use crate::clock::Clock;
use crate::config::{self, Variables};
use crate::sim::{self, SimulatedLeaf, Story};
use crate::store::Db;

/// How the demo is played.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How long it plays at most; left out, to the end of the story.
    pub for_so_long: Option<Duration>,
    /// Stay up after the story, until Ctrl-C.
    pub keep: bool,
    /// Where to put its files; left out, a new folder among the temporary ones.
    pub folder: Option<PathBuf>,
}

/// A sweep and what follows from it; the story's acts are some of these apart.
const PACE: Duration = Duration::from_secs(2);

/// What the demo left behind.
#[derive(Debug)]
pub struct Played {
    /// Its config, for the query commands.
    pub config: config::Config,
    /// Where the mails are.
    pub mails: PathBuf,
}

/// Plays the story, and prints what happens as it happens.
///
/// # Errors
/// Where a folder, a port or the database cannot be had.
pub async fn play(options: &Options) -> anyhow::Result<Played> {
    let clock = Clock::system();
    let folder = folder(options)?;
    let leaf = SimulatedLeaf::start()
        .await
        .context("cannot start the simulated Leaf on loopback")?;
    let story = Story::new(PACE);
    story.cast(&leaf);
    let file = write_config(&folder, &leaf, &story)?;
    let config =
        config::load(&file, &Variables::default()).map_err(|faults| anyhow::anyhow!("{faults}"))?;
    let mails = folder.join("mails");
    fs::create_dir_all(&mails).with_context(|| format!("cannot create {}", mails.display()))?;
    introduce(&leaf, &story, &file, &mails);
    let db = Db::open(&config.database.path)?;
    let patience = Patience {
        first_pause: Duration::from_millis(50),
        ..Patience::default()
    };
    let station = Station::open(db, config.clone().into(), clock, patience);
    let mut daemon = station.await?.start();
    if let Some(address) = daemon.page_address() {
        println!("page:    http://{address}/");
    }
    let told = tokio::spawn(tell_mails(mails.clone()));
    let ended = tokio::select! {
        () = story.play(&leaf, |act| {
            println!("\n\u{25b6} {}\n  look for: {}", act.say, act.look_for);
        }) => Ended::Story,
        () = time_is_up(options.for_so_long) => Ended::Time,
        () = interrupted() => Ended::Interrupted,
        _ = daemon.failed() => Ended::Failed,
    };
    if ended == Ended::Story && options.keep {
        println!("\nThe story is told; the demo stays up until Ctrl-C.");
        interrupted().await;
    }
    told.abort();
    daemon.stop().await;
    anyhow::ensure!(ended != Ended::Failed, "the demo's daemon ended by itself");
    Ok(Played { config, mails })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Story,
    Time,
    Interrupted,
    Failed,
}

async fn time_is_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without the signal there is only the story's end.
        std::future::pending::<()>().await;
    }
}

fn folder(options: &Options) -> anyhow::Result<PathBuf> {
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("leafwatch-demo-{}", std::process::id())),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    Ok(folder)
}

fn introduce(leaf: &SimulatedLeaf, story: &Story, file: &Path, mails: &Path) {
    println!(
        "Leafwatch demo: {} growers on a simulated Leaf at {}",
        story.growers().len(),
        leaf.base_url()
    );
    println!("config:  {}", file.display());
    println!("mails:   {}", mails.display());
    println!(
        "Times are scaled: a sweep every {} s instead of every 15 min.",
        PACE.as_secs()
    );
}

/// A config as an operator would write it, with rules and waits scaled to the story.
fn write_config(folder: &Path, leaf: &SimulatedLeaf, story: &Story) -> anyhow::Result<PathBuf> {
    let mut text = format!(
        r#"# The demo's config: as an operator would write it, but for the scaled waits.
instance = "demo"

[leaf]
base_url = "{base_url}"
username = "{username}"
password_file = "leaf-password"
max_requests_per_second = 0
max_in_flight = 4
timeout = "2s"

[schedule]
timezone = "UTC"
sweep = "2s"
events = "2s"

[watch]
providers = ["john-deere"]
expected_environment = "PRODUCTION"

[rules]
confirm_wait = "1s"
flap_window = "1s"
leaf_login_hold = "2s"
leaf_unreachable_hold = "2s"
missing_hold = "4s"
unreadable_hold = "6s"

[alerts]
to = ["support@example.com"]
operators = ["ops@example.com"]
group_wait = "3s"
group_interval = "3s"

[email]
transport = "file"
directory = "mails"
from = "Leafwatch <leafwatch@example.com>"

[database]
path = "leafwatch.db"

[web]
listen = "{page}"
public_url = "http://{page}"
"#,
        base_url = leaf.base_url(),
        username = sim::USERNAME,
        page = free_address()?,
    );
    for grower in story.growers() {
        text += &format!(
            "\n[[watch.users]]\nid = \"{}\"\nname = {:?}\n",
            grower.credential.user, grower.name
        );
    }
    write_private(&folder.join("leaf-password"), sim::PASSWORD)?;
    let file = folder.join("leafwatch.toml");
    write_private(&file, &text)?;
    Ok(file)
}

/// An address that nobody listens on now: mails link to the page, so that its port must be known before it is served.
fn free_address() -> anyhow::Result<SocketAddr> {
    let found = TcpListener::bind(("127.0.0.1", 0)).and_then(|taken| taken.local_addr());
    found.context("no free port for the page")
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let opened = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Tells of each mail as it comes in.
async fn tell_mails(mails: PathBuf) {
    let mut known = BTreeSet::new();
    loop {
        for (name, subject) in subjects(&mails) {
            if known.insert(name.clone()) {
                println!("  \u{2709} {subject}");
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The mails in a folder by file name, each with to whom it goes and its subject.
pub fn subjects(mails: &Path) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(mails) else {
        return Vec::new();
    };
    let mut found: Vec<(String, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry
                .file_name()
                .into_string()
                .ok()
                .filter(|name| name.ends_with(".eml"))?;
            let text = fs::read_to_string(entry.path()).ok()?;
            Some((name, subject_of(&text)))
        })
        .collect();
    found.sort();
    found
}

/// The subject, unfolded; the demo's own are plain ASCII.
fn subject_of(mail: &str) -> String {
    let mut lines = mail
        .lines()
        .skip_while(|line| !line.starts_with("Subject: "));
    let mut subject = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("Subject: ")
        .to_owned();
    for folded in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        subject.push(' ');
        subject.push_str(folded.trim_start());
    }
    subject
}
