//! The config of a world, as an operator would write it, and the growers in it.

use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use leafwatch::config::{self, Config, Variables};
use leafwatch::model::{Credential, Provider};
use leafwatch::sim::{Consent, PASSWORD, SimulatedLeaf, USERNAME, nth_user};

use super::World;
use crate::support::smtp;

/// What differs from one world to another.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) growers: Vec<Grower>,
    pub(crate) to: Vec<String>,
    pub(crate) operators: Vec<String>,
    /// Further lines of `[schedule]`, `[rules]` and `[alerts]`.
    pub(crate) schedule: String,
    pub(crate) rules: String,
    pub(crate) alerts: String,
    /// `leaf.timeout`.
    pub(crate) timeout: &'static str,
    /// `leaf.max_in_flight`.
    pub(crate) max_in_flight: usize,
    /// `leaf.max_requests_per_second`; none is no limit.
    pub(crate) requests_per_second: u32,
    pub(crate) expected_environment: Option<&'static str>,
    /// The phases of a mail have short deadlines.
    pub(crate) hurried: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Grower {
    pub(crate) name: String,
    pub(crate) credential: Credential,
    pub(crate) watched: bool,
    pub(crate) notify: Vec<String>,
    pub(crate) tags: Vec<String>,
}

impl Setup {
    /// These growers, all of John Deere; one support address, one of the operators.
    pub(crate) fn of(names: &[&str]) -> Setup {
        let grower = |(nth, name): (u64, &&str)| Grower {
            name: (*name).to_owned(),
            credential: Credential {
                user: nth_user(nth),
                provider: Provider::JOHN_DEERE,
            },
            watched: true,
            notify: Vec::new(),
            tags: Vec::new(),
        };
        Setup {
            growers: (0..).zip(names).map(grower).collect(),
            to: vec!["support@example.com".to_owned()],
            operators: vec!["ops@example.com".to_owned()],
            schedule: "sweep = \"15m\"\nevents = \"1h\"".to_owned(),
            rules: String::new(),
            alerts: String::new(),
            timeout: "5s",
            max_in_flight: 4,
            requests_per_second: 0,
            expected_environment: Some("PRODUCTION"),
            hurried: false,
        }
    }

    /// The same at a pace that the machine's clock can follow: a sweep a second, mails at once.
    pub(crate) fn quick(names: &[&str]) -> Setup {
        Setup {
            schedule: "sweep = \"1s\"\nevents = \"1h\"".to_owned(),
            rules: "flap_window = \"0s\"".to_owned(),
            alerts: "group_wait = \"0s\"\ngroup_interval = \"0s\"\nmax_emails_per_hour = 10000"
                .to_owned(),
            ..Setup::of(names)
        }
    }

    pub(crate) fn grower(&self, name: &str) -> Credential {
        let mut growers = self.growers.iter();
        let found = growers.find(|grower| grower.name == name);
        found
            .unwrap_or_else(|| panic!("no grower {name}"))
            .credential
    }

    /// A grower, to be set up otherwise.
    pub(crate) fn grower_mut(&mut self, name: &str) -> &mut Grower {
        let mut growers = self.growers.iter_mut();
        growers.find(|grower| grower.name == name).unwrap()
    }

    pub(super) fn connect_growers(&self, leaf: &SimulatedLeaf) {
        let consent = Consent::default().since(leaf.now() - SignedDuration::from_hours(24 * 90));
        for grower in &self.growers {
            leaf.add_user(grower.credential.user, &grower.name);
            leaf.connect(grower.credential, consent.clone());
        }
    }

    fn text(&self, leaf: &SimulatedLeaf, smtp_port: u16) -> String {
        let Setup {
            to,
            operators,
            schedule,
            rules,
            alerts,
            timeout,
            max_in_flight,
            requests_per_second,
            ..
        } = self;
        let base_url = leaf.base_url();
        let expected = match self.expected_environment {
            Some(word) => format!("expected_environment = \"{word}\""),
            None => String::new(),
        };
        // A weekly digest would be one mail more in every test of a week.
        let digest = match schedule.contains("digest = ") {
            true => "",
            false => "digest = \"0 0 8 1 1 *\"",
        };
        let mut text = format!(
            r#"
[leaf]
base_url = "{base_url}"
username = "{username}"
password_file = "secrets/leaf-password"
max_requests_per_second = {requests_per_second}
max_in_flight = {max_in_flight}
timeout = "{timeout}"

[schedule]
timezone = "UTC"
{schedule}
{digest}

[rules]
{rules}

[alerts]
to = {to:?}
operators = {operators:?}
{alerts}

[email]
from = "Leafwatch <leafwatch@example.com>"

[email.smtp]
host = "localhost"
port = {smtp_port}
tls = "none"
username = "{user}"
password_file = "secrets/smtp-password"

[database]
path = "data/leafwatch.db"

[watch]
providers = ["john-deere"]
{expected}
"#,
            username = USERNAME,
            user = smtp::USER,
        );
        for grower in self.growers.iter().filter(|grower| grower.watched) {
            let Credential { user, provider } = grower.credential;
            let (name, notify, tags) = (&grower.name, &grower.notify, &grower.tags);
            write!(
                text,
                "\n[[watch.users]]\nid = \"{user}\"\nname = {name:?}\nnotify = {notify:?}\ntags = {tags:?}\n"
            )
            .unwrap();
            if provider != Provider::JOHN_DEERE {
                writeln!(text, "providers = [\"{provider}\"]").unwrap();
            }
        }
        text
    }
}

impl World {
    /// Writes the config as it is now, and loads it as the daemon would.
    pub(crate) fn config(&self) -> Config {
        let loaded = config::load(&self.config_file(), &Variables::default());
        loaded.unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// Writes the config as it is now, with its secrets in files beside it.
    pub(crate) fn config_file(&self) -> PathBuf {
        let home = self.folder.path();
        for folder in ["data", "secrets", "logs"] {
            std::fs::create_dir_all(home.join(folder)).unwrap();
        }
        write_private(&home.join("secrets/leaf-password"), PASSWORD);
        write_private(&home.join("secrets/smtp-password"), smtp::PASSWORD);
        let file = home.join("leafwatch.toml");
        write_private(&file, &self.setup.text(&self.leaf, self.smtp.port()));
        file
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data/leafwatch.db")
    }
}

fn write_private(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
