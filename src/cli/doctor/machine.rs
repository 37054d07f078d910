//! Files, their modes, the database, room on its disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;

use crate::config::Config;
use crate::store::{Access, Db, Error, Scene};
use crate::view::doctor::Finding;
use crate::view::words;

/// Less room than this is too little: a fleet's changes in an outage, and the write-ahead log.
const ROOM: u64 = 256 * 1024 * 1024;

/// The config and the secrets: who can write or read them.
pub(super) fn files(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = &config.file;
    findings.push(match mode(file) {
        Some(mode) if mode & 0o022 != 0 => Finding::wrong(
            "config",
            format!(
                "{} can be written by others (mode {mode:04o})",
                file.display()
            ),
            format!("run: chmod go-w {}", file.display()),
        ),
        _ => Finding::ok("config", format!("{} holds", file.display())),
    });
    let secrets = config.check_secrets();
    if secrets.is_empty() {
        findings.push(Finding::ok(
            "secrets",
            "there, and nobody else can read them",
        ));
    }
    findings.extend(secrets.into_iter().map(|fault| {
        let key = fault.key.map(|key| format!("{key}: "));
        Finding::wrong(
            "secrets",
            format!("{}{}", key.unwrap_or_default(), fault.wrong),
            fault.write.unwrap_or_default(),
        )
    }));
    findings
}

/// Whether the database can be read, and whether a daemon keeps it up to date.
pub(super) fn database(config: &Config, now: Timestamp) -> Vec<Finding> {
    let path = &config.database.path;
    if !path.exists() {
        return vec![absent(path)];
    }
    let mut db = match Db::beside(path, Access::Read) {
        Ok(db) => db,
        Err(error) => return vec![unusable(path, &error)],
    };
    let mut findings = vec![match db.damage() {
        Ok(None) => exposed(path)
            .unwrap_or_else(|| Finding::ok("database", format!("{} is whole", path.display()))),
        Ok(Some(fault)) => Finding::wrong(
            "database",
            format!("{} is damaged ({fault})", path.display()),
            "stop the daemon, move it away and restore a backup in its place",
        ),
        Err(error) => unusable(path, &error),
    }];
    let scene = Scene {
        watch: &config.watch,
        policy: &config.policy,
        now,
    };
    findings.push(match db.read(|tx| tx.watch_state(&scene)) {
        Err(error) => unusable(path, &error),
        Ok(watch) => match watch
            .last_sweep
            .map(|sweep| sweep.finished_at.unwrap_or(sweep.started_at))
        {
            None => Finding::skipped("last sweep", "there was none yet"),
            Some(at) if watch.overdue || watch.stopped_at.is_some() => Finding::wrong(
                "last sweep",
                format!("{}, and another one was due since", words::ago(at, now)),
                "start the daemon: systemctl start leafwatch, and see journalctl -u leafwatch",
            ),
            Some(at) => Finding::ok("last sweep", words::ago(at, now)),
        },
    });
    findings
}

/// No database yet: is there a place for one?
fn absent(path: &Path) -> Finding {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let writable = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
    match (folder.is_dir(), writable) {
        (false, _) => Finding::wrong(
            "database",
            format!("there is no folder {}", folder.display()),
            format!(
                "StateDirectory= of the systemd unit makes it; else run: install -d -m 0700 {}",
                folder.display()
            ),
        ),
        (true, false) => Finding::wrong(
            "database",
            format!("{} cannot be written by this user", folder.display()),
            "give it to the user that runs leafwatch",
        ),
        (true, true) => Finding::skipped(
            "database",
            format!("{} is not there yet; the daemon makes it", path.display()),
        ),
    }
}

fn unusable(path: &Path, error: &Error) -> Finding {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    let found = format!("{error}{}", cause.unwrap_or_default());
    let advice = match error {
        Error::Refused { .. } => "nothing was changed; do as it says",
        _ => "let this user read it, or run doctor as root",
    };
    let named = match found.contains(&path.display().to_string()) {
        true => found,
        false => format!("{}: {found}", path.display()),
    };
    Finding::wrong("database", named, advice)
}

fn exposed(path: &Path) -> Option<Finding> {
    let mode = mode(path).filter(|mode| mode & 0o077 != 0)?;
    Some(Finding::wrong(
        "database",
        format!("{} is open to others (mode {mode:04o})", path.display()),
        format!("run: chmod 600 {}", path.display()),
    ))
}

fn mode(path: &Path) -> Option<u32> {
    let metadata = fs::metadata(path).ok()?;
    Some(metadata.permissions().mode() & 0o7777)
}

/// Room on the disk of the database.
pub(super) fn disk(config: &Config) -> Finding {
    let folder = config.database.path.ancestors().find(|path| path.is_dir());
    let folder = folder.unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(folder) {
        Ok(disk) => judge_room(folder, disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => Finding::wrong(
            "disk",
            format!("cannot look at {}: {error}", folder.display()),
            "run doctor as root",
        ),
    }
}

fn judge_room(folder: &Path, free: u64) -> Finding {
    let mib = words::number(free / (1024 * 1024));
    let found = format!("{mib} MiB free at {}", folder.display());
    match free < ROOM {
        true => Finding::wrong(
            "disk",
            found,
            format!("make room: {} MiB at least", ROOM / (1024 * 1024)),
        ),
        false => Finding::ok("disk", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::doctor::Verdict;

    #[test]
    fn a_disk_that_is_nearly_full_is_wrong() {
        let verdict = |free| judge_room(Path::new("/var"), free).verdict;
        assert_eq!(verdict(ROOM - 1), Verdict::Wrong);
        assert_eq!(verdict(ROOM), Verdict::Ok);
    }
}
