//! This program again in another role: commands go in as lines, each is answered by one line of JSON.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A process of our own; killed when it is dropped.
pub(crate) struct Helper {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts one that says nothing until it is asked.
    pub(crate) fn start(role: &[&str]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Helper {
            to: process.stdin.take().unwrap(),
            from: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// Starts one, and waits for what it says of itself.
    pub(crate) fn start_and_hear<T: DeserializeOwned>(role: &[&str]) -> (Self, T) {
        let mut helper = Helper::start(role);
        let said = helper.hear();
        (helper, said)
    }

    /// Has a command done, and waits for the answer.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, command: &str) -> T {
        writeln!(self.to, "{command}").unwrap();
        self.to.flush().unwrap();
        self.hear()
    }

    fn hear<T: DeserializeOwned>(&mut self) -> T {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("a helper of the benchmark failed; its words are above")
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In the helper: says something to who started it.
pub(crate) fn say(what: &impl Serialize) {
    println!("{}", serde_json::to_string(what).unwrap());
}

/// In the helper: the commands, until whoever started it is gone.
pub(crate) fn commands() -> impl Iterator<Item = String> {
    std::io::stdin().lines().map_while(Result::ok)
}
