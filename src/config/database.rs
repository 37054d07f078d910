//! `[database]`: where the history is kept, and for how long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::duration::written_duration;
use super::reader::Section;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Where it is without `$STATE_DIRECTORY`.
const FOLDER: &str = "/var/lib/leafwatch";
const FILE: &str = "leafwatch.db";

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The file; another one needs a restart.
    pub path: PathBuf,
    /// How long events are kept, past Leaf's own 30 days.
    pub keep_events: Duration,
    /// How long everything else is kept.
    pub keep_history: Duration,
}

pub(super) fn read(database: &Section<'_>) -> Database {
    let source = &database.reader().source;
    let path = match database.text("path") {
        Some(path) => source.folder().join(path),
        None => match (source.variables.state(), source.variables.instance()) {
            (Some(folder), _) => folder.join(FILE),
            (None, Some(instance)) => PathBuf::from(format!("{FOLDER}-{instance}")).join(FILE),
            (None, None) => Path::new(FOLDER).join(FILE),
        },
    };
    // Events forgotten before Leaf forgets them would be read again and taken for new ones.
    let range = 31 * DAY..=100 * 365 * DAY;
    let keep_events = database.duration("keep_events", range.clone(), 400 * DAY);
    let keep_history = database.duration("keep_history", range, 5 * 365 * DAY);
    if keep_history < keep_events {
        database.warn(
            "keep_history",
            &format!(
                "events are kept for {}, longer than the history they belong to",
                written_duration(keep_events)
            ),
            "keep the history at least as long as the events",
        );
    }
    Database {
        path,
        keep_events,
        keep_history,
    }
}
