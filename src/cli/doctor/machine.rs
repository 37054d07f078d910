//! Files, their modes, the database, room on its disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::rules::due;
use crate::store::{Access, Db, Error, Scene};
use crate::view::doctor::Finding;
use crate::view::status::Watch;
use crate::view::words;

/// Less room than this is too little: a fleet's changes in an outage, and the write-ahead log.
const ROOM: u64 = 256 * 1024 * 1024;

/// A sweep that is due may be so late without anything being wrong.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

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

/// The files that systemd hands secrets over from: it reads them as root, whoever else can.
pub(super) fn originals<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<Finding> {
    const CHECK: &str = "secret files";
    let mut there = 0;
    let mut findings = Vec::new();
    for path in paths {
        // Those that the config does not name need not be there.
        let Ok(metadata) = fs::symlink_metadata(path) else {
            continue;
        };
        there += 1;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_symlink() {
            findings.push(link(CHECK, path));
        } else if mode & 0o077 != 0 {
            findings.push(Finding::wrong(
                CHECK,
                format!("{} can be read by others (mode {mode:04o})", path.display()),
                format!("run: chmod 600 {}", path.display()),
            ));
        }
    }
    if findings.is_empty() {
        let found = match there {
            0 => "none of those that the unit hands over is there".to_owned(),
            _ => format!(
                "{}, which root alone can read",
                words::counted(there, "file")
            ),
        };
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

/// Whoever may write in its folder could lead a link anywhere: what lies behind it is not looked at.
fn link(check: &'static str, path: &Path) -> Finding {
    Finding::wrong(
        check,
        format!("{} is a link, and doctor follows none", path.display()),
        "put the file itself in its place",
    )
}

/// Whether the database can be used, and whether a daemon keeps it up to date.
pub(super) fn database(config: &Config, now: Timestamp) -> Vec<Finding> {
    let path = &config.database.path;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return vec![Finding::wrong(
                "database",
                format!("this user may not look at {}", path.display()),
                "run doctor as root",
            )];
        }
        Err(_) => return vec![absent(path)],
        Ok(metadata) if metadata.is_symlink() => return vec![link("database", path)],
        Ok(_) => {}
    }
    let mut db = match Db::beside(path, Access::Read) {
        Ok(db) => db,
        Err(error) => return vec![unusable(path, &error)],
    };
    let mut findings = vec![match db.damage() {
        Ok(None) => exposed(path)
            .or_else(|| shut(path))
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
        Ok(watch) => last_sweep(&watch, config, now),
    });
    findings
}

/// Judged by the schedule: late is what was due and did not come, and a sweep may take as long as it must.
fn last_sweep(watch: &Watch, config: &Config, now: Timestamp) -> Finding {
    const CHECK: &str = "last sweep";
    let Some(sweep) = &watch.last_sweep else {
        return Finding::skipped(CHECK, "there was none yet");
    };
    let schedules = &config.policy.schedules;
    let due = |firings: u32| {
        let until = now - GRACE;
        due::firings_between(
            &schedules.sweep,
            &schedules.zone,
            sweep.started_at,
            until,
            firings,
        ) == firings
    };
    let interval = schedules.sweep.typical_interval();
    let length = config.pace_estimate().sweep.unwrap_or_default();
    let at = sweep.finished_at.unwrap_or(sweep.started_at);
    let ago = words::ago(at, now);
    let late = match (sweep.finished_at, watch.stopped_at) {
        (Some(_), None) => watch.overdue,
        // One firing may be missed while a stopped daemon comes back.
        (Some(_), Some(_)) => due(1),
        (None, _) => due(3) && words::between(sweep.started_at, now) > 3 * length.max(interval),
    };
    let found = match sweep.finished_at {
        Some(_) => ago,
        None => format!("it began {ago} and has not ended"),
    };
    match late {
        true => Finding::wrong(
            CHECK,
            format!("{found}, and another one was due since"),
            "start the daemon; its log says why it does not look",
        ),
        false => Finding::ok(CHECK, found),
    }
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
            "give it to the user that runs leafwatch; in the unit, let database.path lie below StateDirectory=",
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

/// The database or its folder cannot be written by who we are: a daemon of this user could keep nothing.
fn shut(path: &Path) -> Option<Finding> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let closed = [path, folder]
        .into_iter()
        .find(|path| rustix::fs::access(*path, rustix::fs::Access::WRITE_OK).is_err())?;
    Some(Finding::wrong(
        "database",
        format!("{} cannot be written by this user", closed.display()),
        "give it to the user that runs leafwatch; in the unit, let it lie below StateDirectory=",
    ))
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
