//! The daemon's log as programs and journald read it; completions and man pages.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use leafwatch::clock::Clock;
use serde_json::Value;

use crate::support::world::{Setup, World};

const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines that a daemon logs until one says that a sweep came to its end; `journal` is its standard error.
fn logged(world: &World, format: &str, journal: bool) -> Vec<String> {
    let config = world.config_file();
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str(&format!("\n[log]\nformat = \"{format}\"\n"));
    std::fs::write(&config, text).unwrap();
    let path = config.with_file_name("own.log");
    let log = File::create(&path).unwrap();
    let file = log.metadata().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_leafwatch"));
    command.env_clear().arg("run").arg("--config").arg(&config);
    if journal {
        command.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    }
    let (stdin, stdout) = (Stdio::null(), Stdio::null());
    let started = command.stdin(stdin).stdout(stdout).stderr(log).spawn();
    let _daemon = Killed(started.unwrap());
    let watch = Clock::system();
    loop {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("sweep") && text.ends_with('\n') {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(watch.monotonic() < PATIENCE, "no sweep was logged: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn world() -> World {
    World::in_real_time(Setup::quick(&["Hillside Farms"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_for_programs_is_one_json_object() {
    let world = world().await;
    for line in logged(&world, "json", false) {
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for key in ["timestamp", "level", "message", "target"] {
            assert!(value[key].is_string(), "{key}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn journald_gets_one_line_an_event_with_its_priority_before_it() {
    let world = world().await;
    for format in ["text", "json"] {
        for line in logged(&world, format, true) {
            let (priority, rest) = line.split_once('>').unwrap_or_else(|| panic!("{line}"));
            assert!(["<3", "<4", "<6", "<7"].contains(&priority), "{line}");
            match format {
                "json" => {
                    let value: Value = serde_json::from_str(rest).unwrap();
                    assert!(value["message"].is_string(), "{line}");
                }
                _ => assert!(rest.starts_with("leafwatch"), "{line}"),
            }
        }
    }
}

#[test]
fn shells_and_man_know_every_command() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leafwatch"));
        let output = command.env_clear().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        for word in ["deliveries", "report", "silence", "since"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    run(&["man", pages.to_str().unwrap()]);
    for name in ["leafwatch", "leafwatch-report", "leafwatch-config-check"] {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(
            page.contains(".TH ") && page.contains("SYNOPSIS"),
            "{name}: {page}"
        );
    }
}
