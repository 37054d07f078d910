//! What an operator would have set up: config, list of growers, secrets; in a folder that goes with it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use leafwatch::sim::nth_user;
use tempfile::TempDir;

use crate::IN_FLIGHT;
use crate::leaf::OtherSide;

/// The folder of one daemon.
pub(crate) struct Site {
    folder: TempDir,
}

/// What sites differ in.
pub(crate) struct Pace {
    pub(crate) sweep: &'static str,
    pub(crate) group_wait: &'static str,
    pub(crate) max_requests_per_second: u32,
}

impl Pace {
    /// Nothing happens but what is asked for.
    pub(crate) const OPEN: Pace = Pace {
        sweep: "12h",
        group_wait: "0s",
        max_requests_per_second: 0,
    };
}

impl Site {
    pub(crate) fn new(fleet: u64, other: &OtherSide, pace: &Pace) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("leafwatch-bench-")
            .tempdir()
            .unwrap();
        let OtherSide {
            base_url,
            smtp_port,
            password,
        } = other;
        let Pace {
            sweep,
            group_wait,
            max_requests_per_second,
        } = pace;
        let config = format!(
            r#"
[leaf]
base_url = "{base_url}"
username = "ops@example.com"
password_file = "leaf-password"
max_requests_per_second = {max_requests_per_second}
max_in_flight = {IN_FLIGHT}

[schedule]
timezone = "UTC"
sweep = "{sweep}"
events = "12h"

[watch]
providers = ["john-deere"]
expected_environment = "PRODUCTION"
users_file = "growers.csv"

[alerts]
to = ["support@example.com"]
operators = ["ops@example.com"]
group_wait = "{group_wait}"

[email]
transport = "smtp"
from = "Leafwatch <leafwatch@example.com>"

[email.smtp]
host = "127.0.0.1"
port = {smtp_port}
tls = "none"

[database]
path = "leafwatch.db"
"#
        );
        let mut growers = "id,name\n".to_owned();
        for nth in 0..fleet {
            writeln!(growers, "{},Grower {nth}", nth_user(nth)).unwrap();
        }
        let site = Site { folder };
        fs::write(site.file("growers.csv"), growers).unwrap();
        fs::write(site.file("leafwatch.toml"), config).unwrap();
        fs::write(site.file("leaf-password"), password).unwrap();
        fs::set_permissions(
            site.file("leaf-password"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        site
    }

    /// Serves the page too.
    pub(crate) fn with_page(&self, port: u16) {
        let mut config = fs::read_to_string(self.file("leafwatch.toml")).unwrap();
        write!(config, "\n[web]\nlisten = \"127.0.0.1:{port}\"\n").unwrap();
        fs::write(self.file("leafwatch.toml"), config).unwrap();
    }

    /// Its config file, as an argument.
    pub(crate) fn config(&self) -> String {
        self.file("leafwatch.toml")
            .into_os_string()
            .into_string()
            .unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
