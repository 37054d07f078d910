//! The page in headless Chromium, driven by `web_browser.mjs`. Skipped, and said so, where there is no browser: `.ci/browser`
//! installs what it needs and runs them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::desk::user;
use crate::support::site::{Served, open, say_skipped};
use crate::support::story::{long_story_in, story_in};

/// The folder with playwright-core and axe-core, and the browser; none where either is missing.
fn browser() -> Option<(PathBuf, PathBuf)> {
    let modules = variable("LEAFWATCH_BROWSER_MODULES").map(PathBuf::from);
    let path = variable("PATH").unwrap_or_default();
    let program = |name: &str| {
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    };
    let chromium = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(program);
    match (modules, chromium, program("node")) {
        (Some(modules), Some(chromium), Some(_)) => Some((modules, chromium)),
        _ => {
            say_skipped("no browser to look at the page with; .ci/browser gets one");
            None
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tests may look where they run")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Where pictures go: into `docs`, where README.md shows some of them, only when that is asked for.
fn pictures() -> PathBuf {
    match variable("LEAFWATCH_PICTURES") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures"),
    }
}

/// Runs one part of the script; it fails the test by its exit code, and says why.
async fn look(part: &str, base: &str, further: &[&str]) {
    let Some((modules, chromium)) = browser() else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command
        .arg(root.join("tests/it/web_browser.mjs"))
        .arg(part)
        .arg(base)
        .args(further)
        .env("MODULES", modules)
        .env("CHROMIUM", chromium)
        .env("PICTURES", pictures());
    let done = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(
        done.status.success(),
        "{part}:\n{}",
        String::from_utf8_lossy(&said)
    );
}

/// Every page: no console error, nothing that the policy forbids, nothing that keeps anybody out; and the pictures.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_at_two_widths_light_and_dark() {
    if browser().is_none() {
        return;
    }
    let site = Served::with(long_story_in, open()).await;
    let credential = format!("/credentials/{}/john-deere", user(0));
    let base = site.url("");
    let pages = ["/", &credential, "/incidents", "/incidents/1", "/nowhere"];
    look("pages", &base, &pages).await;
}

/// The daemon is gone, answers with an error, or not at all: whoever looks at the page is told, and told when that is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_loses_the_daemon_says_so_within_two_refreshes() {
    if browser().is_none() {
        return;
    }
    let site = Served::with(story_in, open()).await;
    look("lost", &site.url(""), &[]).await;
}

/// The demo as a newcomer meets it: from the first page to the event that says why a credential fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_credential_is_followed_to_its_event() {
    if browser().is_none() {
        return;
    }
    let mut demo = Demo(
        Command::new(env!("CARGO_BIN_EXE_leafwatch"))
            .args(["demo", "--keep"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines();
    let base = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| Some(line.strip_prefix("page:")?.trim().to_owned()))
        .unwrap();
    // What it goes on to say is read, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    look("follow", base.trim_end_matches('/'), &[]).await;
}

struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
