//! The role of the daemon as `leafwatch run` has it, with an ear for questions.

use std::path::Path;

use leafwatch::clock::Clock;
use leafwatch::config::{self, Variables};

use crate::helper::{commands, say};
use crate::meter;

/// Runs until it is killed. Commands: `cpu`, used so far in seconds; `peak` memory in KiB.
pub(crate) fn play(file: &Path) {
    leafwatch::leaf::install_tls();
    // Asleep in a read between questions, it costs the daemon nothing.
    std::thread::spawn(|| {
        for command in commands() {
            match command.as_str() {
                "cpu" => say(&meter::cpu().as_secs_f64()),
                "peak" => say(&meter::peak_kib()),
                other => panic!("what is {other}?"),
            }
        }
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = config::load(file, &Variables::default()).unwrap();
    runtime
        .block_on(leafwatch::app::run(config.into(), Clock::system()))
        .unwrap();
}
