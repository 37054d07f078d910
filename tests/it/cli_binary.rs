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
fn a_config_that_is_faulty_elsewhere_is_no_reason_not_to_answer() {
    let folder = configured();
    let _daemon = daemon(folder.path());
    let file = folder.path().join("leafwatch.toml");
    for broken in [
        CONFIG.replace("to = [", "too = ["),
        CONFIG.replace(
            "from = \"leafwatch@example.com\"",
            "from = leafwatch@example.com",
        ),
        CONFIG.replace("[email]", "[email]\ntransport = 3 4"),
    ] {
        std::fs::write(&file, &broken).unwrap();
        for line in [
            "status",
            "explain hillside",
            "silence --list",
            "incidents --json",
        ] {
            let output = leafwatch(folder.path(), line).output().unwrap();
            let warned = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{line}: {warned}");
            assert!(
                warned.starts_with("warning: the config has ")
                    && warned.contains("leafwatch config check"),
                "{warned}"
            );
        }
        leafwatch(folder.path(), "config check --quiet")
            .assert()
            .code(1);
        leafwatch(folder.path(), "run").assert().code(78);
    }
    // Which database is meant cannot be said any more.
    std::fs::write(
        &file,
        CONFIG.replace("path = \"leafwatch.db\"", "path = leafwatch.db"),
    )
    .unwrap();
    leafwatch(folder.path(), "status").assert().code(78);
}

#[test]
fn a_quiet_check_says_nothing_of_a_config_that_can_be_used() {
    let folder = configured();
    secret(folder.path());
    let output = leafwatch(folder.path(), "config check --quiet")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(0), 0),
        "{output:?}"
    );
    let broken = CONFIG.replace("transport = \"file\"", "transport = \"fiel\"");
    std::fs::write(folder.path().join("leafwatch.toml"), broken).unwrap();
    let output = leafwatch(folder.path(), "config check -q")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.starts_with("1 fault\n") && said.contains("line 17: email.transport"),
        "{said}"
    );
}

#[test]
fn an_instance_has_its_own_secrets_and_database() {
    let folder = configured();
    secret(folder.path());
    let file = folder.path().join("leafwatch.toml");
    std::fs::write(
        &file,
        CONFIG.replace("[database]\npath = \"leafwatch.db\"\n", ""),
    )
    .unwrap();
    let line = format!(
        "--config {} --instance production config check",
        file.display()
    );
    let output = leafwatch(folder.path(), &line).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // Never the secret of another owner.
    let own = folder.path().join("production/leaf-password");
    assert!(
        said.contains(&format!("there is no file {}", own.display())),
        "{said}"
    );
    assert!(
        said.contains("/var/lib/leafwatch-production/leafwatch.db"),
        "{said}"
    );
    let output = leafwatch(folder.path(), "status --instance nobody-has-this")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("/etc/leafwatch/nobody-has-this.toml"),
        "{said}"
    );
}

#[test]
fn every_command_that_an_answer_names_means_the_same_daemon() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let _daemon = daemon(folder.path());
    let said = |options: &str, what: &str| {
        let output = leafwatch(folder.path(), &format!("{what} {options}"))
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let elsewhere = format!("--config {}", file.display());
    let instance = format!("{elsewhere} --instance production");
    for options in [&elsewhere, &instance] {
        for (what, named) in [
            ("status", "leafwatch run"),
            ("ack 9 --reason x", "leafwatch incidents --open"),
        ] {
            let told = said(options, what);
            let meant = format!("{named} {options}");
            assert!(told.contains(&meant), "{told}");
        }
    }
}

fn secret(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("leaf-password");
    std::fs::write(&file, "hunter2\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
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
