//! Why Leaf gave no answer: to one request, or to any.

use std::time::Duration;

use jiff::Timestamp;

use super::gate::Closed;
use crate::model::NoAnswer;

/// Why nothing can be asked now, whichever credential it is about: the sweep is given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Leaf refuses our login, or our secret cannot be read: an operator has to act.
    #[error("Leaf refuses the login: {0}")]
    LoginRefused(String),
    /// The login got no answer that could be used: try again later.
    #[error("cannot log in to Leaf: {0}")]
    LoginUnreachable(String),
    /// Leaf asked for a pause of more than five minutes: nothing is sent before it is over.
    #[error("Leaf asked us to wait until {until}")]
    Paused {
        /// When it is over, for people; six hours from now at the latest.
        until: Timestamp,
        /// How long that is, whatever becomes of the wall clock.
        left: Duration,
    },
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Halt::Paused {
            until: closed.until,
            left: closed.left,
        }
    }
}

/// Why events or users could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// This request got no answer, and in a few words why (never a body, never a URL).
    #[error("{1}")]
    NoAnswer(NoAnswer, String),
    /// Nothing can be asked now.
    #[error(transparent)]
    Halt(#[from] Halt),
}
