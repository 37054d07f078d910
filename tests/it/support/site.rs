//! The page over a database that a test has filled, asked over a real socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use leafwatch::clock::Clock;
use leafwatch::config::{Config, Web};
use leafwatch::leaf::{self, Client};
use leafwatch::model::SweepEnd;
use leafwatch::store::Db;
use leafwatch::vitals::{LastSweep, Vitals};
use leafwatch::web::{Password, Site};
use reqwest::header::{HOST, HeaderMap};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;

/// A site being served.
pub struct Served {
    pub site: Site,
    pub clock: Clock,
    pub vitals: Vitals,
    pub desk: Desk,
    config: watch::Sender<Arc<Config>>,
    folder: tempfile::TempDir,
    stop: CancellationToken,
    client: reqwest::Client,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Served {
    /// The page of what `fill` puts into the database, under `web`.
    pub async fn with(fill: impl FnOnce(Db) -> Desk, web: Web) -> Served {
        leaf::install_tls();
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("leafwatch.db");
        let desk = fill(Db::open(&database).unwrap());
        let clock = Clock::movable(desk.now);
        let vitals = Vitals::new();
        vitals.sweep_ended(LastSweep {
            began: desk.now,
            ended: desk.now,
            ended_mono: clock.monotonic(),
            took: Duration::from_millis(1500),
            end: SweepEnd::Whole,
        });
        let mut config = config(&desk, web);
        config.database.path = database;
        let client = nobodys_client(&config, &clock);
        let (config, in_force) = watch::channel(Arc::new(config));
        let site = Site::open(
            in_force,
            clock.clone(),
            vitals.clone(),
            client,
            String::new(),
        );
        let site = site.await.unwrap().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(site.clone().run(stop.clone()));
        Served {
            site,
            clock,
            vitals,
            desk,
            config,
            folder,
            stop,
            client: reqwest::Client::new(),
        }
    }

    /// Puts another config of the page in force.
    pub fn reload(&self, web: Web) {
        let password = Password::read(&web).unwrap();
        self.config.send_replace(Arc::new(config(&self.desk, web)));
        self.site.change_password(password);
    }

    /// Its address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.site.address())
    }

    /// A file beside the database.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.url(path))).await
    }

    /// With a password.
    pub async fn get_as(&self, path: &str, password: &str) -> Answer {
        let request = self.client.get(self.url(path));
        self.send(request.basic_auth("anybody", Some(password)))
            .await
    }

    /// Under another name.
    pub async fn get_at(&self, path: &str, host: &str) -> Answer {
        self.send(self.client.get(self.url(path)).header(HOST, host))
            .await
    }

    /// With headers or a method of the test's own.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// The page as it is by default: for this machine alone.
pub fn open() -> Web {
    Web::default()
}

fn config(desk: &Desk, web: Web) -> Config {
    let mut config = desk.config();
    config.web = Web {
        listen: Some(([127, 0, 0, 1], 0).into()),
        ..web
    };
    config
}

/// A client that nothing is asked with: only its counters are shown.
fn nobodys_client(config: &Config, clock: &Clock) -> Client {
    Client::new(&config.leaf, [0; 32], clock.clone(), Client::FIRST_PAUSE).unwrap()
}

/// Says that a test was skipped, past the harness, which shows nothing of a test that ends well.
pub fn say_skipped(why: &str) {
    use std::io::Write as _;
    // Who cannot be told misses nothing but this line.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
