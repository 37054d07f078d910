//! Which of the daemons on a machine is meant.

use std::path::PathBuf;

/// What a command line has to say to mean this daemon and no other. By default nothing: it is the only one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Daemon {
    /// NAME of leafwatch@NAME, where there are several.
    pub instance: Option<String>,
    /// Its config, where that does not lie where commands look.
    pub config: Option<PathBuf>,
}
