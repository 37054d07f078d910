//! Hands the commit to the program as `LEAFWATCH_COMMIT`: from `GIT_COMMIT`, else from `.git`, else "unknown".
//!
//! Reads git's files itself, so that a build needs no git and reruns only when the commit changes.

use std::fs;
use std::path::{Path, PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "what cargo tells a build script, it tells by its environment"
)]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=GIT_COMMIT");
    let given = std::env::var("GIT_COMMIT").ok();
    let commit = given
        .and_then(|given| full_hash(&given))
        .or_else(|| commit_of(Path::new(&std::env::var("CARGO_MANIFEST_DIR").ok()?)))
        .unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LEAFWATCH_COMMIT={commit}");
}

/// The commit that is checked out in `root`, and watches the files that tell of another.
fn commit_of(root: &Path) -> Option<String> {
    let git = git_folder(root)?;
    let head = read_watched(&git.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else {
        return full_hash(&head);
    };
    // A linked worktree has a HEAD of its own; its branches are in the folder that it shares with the others.
    let shared = match fs::read_to_string(git.join("commondir")) {
        Ok(common) => git.join(common.trim()),
        Err(_) => git.clone(),
    };
    read_watched(&shared.join(reference))
        .and_then(|hash| full_hash(&hash))
        .or_else(|| {
            // The next commit writes the branch's own file, which is not there to be watched yet; the log is.
            read_watched(&git.join("logs/HEAD"));
            let packed = read_watched(&shared.join("packed-refs"))?;
            packed.lines().find_map(|line| {
                let (hash, name) = line.split_once(' ')?;
                (name == reference).then(|| full_hash(hash))?
            })
        })
}

/// `.git`, or the folder that a `.git` file of a linked worktree or a submodule names.
fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let link = read_watched(&git)?;
    Some(root.join(link.strip_prefix("gitdir: ")?))
}

/// The file's text; only files that exist are watched, as a missing one would rerun this with every build.
fn read_watched(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text.trim_end().to_owned())
}

/// The text, if it is a whole commit hash (SHA-1 or SHA-256).
fn full_hash(text: &str) -> Option<String> {
    let text = text.trim();
    let whole = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| text.to_ascii_lowercase())
}
