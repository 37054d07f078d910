//! The binary itself: exit codes, what goes to which output, and asking beside a running daemon.

use std::path::Path;

use assert_cmd::Command;
use leafwatch::model::{Credential, Provider};
use leafwatch::store::{Db, Error};
use tempfile::TempDir;

use crate::support::desk::user;

const CONFIG: &str = r#"
[leaf]
username = "ops@example.com"
password_file = "leaf-password"

[[watch.users]]
id = "10000000-0000-4000-8000-000000000000"
name = "Hillside Farms"

[watch]
providers = ["john-deere"]

[alerts]
to = ["support@example.com"]

[email]
transport = "file"
directory = "mails"
from = "leafwatch@example.com"

[database]
path = "leafwatch.db"
"#;

fn leafwatch(folder: &Path, line: &str) -> Command {
    let mut command = Command::cargo_bin("leafwatch").unwrap();
    command
        .current_dir(folder)
        .env_clear()
        .env("LEAFWATCH_CONFIG", folder.join("leafwatch.toml"))
        .args(line.split(' '));
    command
}

fn configured() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("leafwatch.toml"), CONFIG).unwrap();
    folder
}

/// A database with one credential, held open as a daemon holds it.
fn daemon(folder: &Path) -> Db {
    let mut db = Db::open(&folder.join("leafwatch.db")).unwrap();
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let credential = Credential {
        user: user(0),
        provider: Provider::JOHN_DEERE,
    };
    db.write(|tx| {
        tx.begin_run("test", now)?;
        tx.watch(credential, now).map(drop)
    })
    .map_err(|error: Error| error)
    .unwrap();
    db
}

#[test]
fn questions_are_answered_beside_a_running_daemon() {
    let folder = configured();
    let _daemon = daemon(folder.path());
    for line in [
        "status",
        "status --json",
        "explain hillside",
        "history hillside",
        "events hillside",
        "incidents",
        "deliveries --json",
    ] {
        let answered = leafwatch(folder.path(), line).assert().code(0);
        let output = answered.get_output();
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{line}"
        );
        // No terminal, no colours.
        assert!(!output.stdout.contains(&0x1b), "{line}");
    }
}

#[test]
fn every_failure_has_its_code_and_says_what_is_wrong() {
    let folder = configured();
    let refused = |line: &str, code: i32| {
        let failed = leafwatch(folder.path(), line).assert().code(code);
        let output = failed.get_output();
        assert!(output.stdout.is_empty(), "{line}");
        String::from_utf8(output.stderr.clone()).unwrap()
    };
    assert!(refused("status", 74).contains("cannot open the database"));
    assert!(refused("statsu", 64).contains("status"));
    assert!(refused("incidents --since yesterday", 64).contains("how long ago"));
    assert!(refused("status --provider john", 64).contains("john-deere"));
    assert!(refused("status --config nowhere.toml", 78).contains("nowhere.toml"));
    let db = daemon(folder.path());
    assert!(refused("explain nobody", 65).contains("nobody"));
    drop(db);
    std::fs::write(folder.path().join("leafwatch.db"), "no database at all").unwrap();
    assert!(refused("status", 78).contains("is refused"));
}

#[test]
fn help_and_version_are_answers() {
    let folder = TempDir::new().unwrap();
    for line in ["--help", "--version", "status --help"] {
        let answered = leafwatch(folder.path(), line).assert().code(0);
        assert!(!answered.get_output().stdout.is_empty(), "{line}");
    }
    leafwatch(folder.path(), "").assert().code(64);
}

#[test]
fn an_empty_no_color_is_no_word_and_the_config_can_stand_anywhere() {
    let folder = configured();
    let _daemon = daemon(folder.path());
    for value in ["", "0", "1"] {
        let mut command = leafwatch(folder.path(), "status");
        command.env("NO_COLOR", value).assert().code(0);
    }
    let path = folder.path().join("leafwatch.toml");
    let path = path.to_str().unwrap();
    for line in [
        format!("status --config {path}"),
        format!("--config {path} status"),
    ] {
        let mut command = leafwatch(folder.path(), &line);
        command.env_remove("LEAFWATCH_CONFIG").assert().code(0);
    }
}
