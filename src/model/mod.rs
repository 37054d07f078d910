//! The words of the domain as types, and the parsed policy that the rules read.
//!
//! Data only: nothing here decides, reads a clock or touches the outside.

mod cause;
mod credential;
mod daemon;
mod event;
mod incident;
mod policy;
mod problem;
mod reading;
mod schedule;
mod text;
mod wait;
mod watch;
mod word;

pub use cause::Cause;
pub use credential::{Credential, CredentialId, Environment, Provider, UserId};
pub use daemon::Daemon;
pub use event::{Event, EventVerdict};
pub use incident::{
    EndedBy, Incident, IncidentId, News, NoticeKind, Origin, Silenced, Suspect, SweepEnd, SweepId,
    Transition, TransitionKind, Well,
};
pub use policy::{
    Address, Alerts, Needed, NotAnAddress, Policy, QuietWindow, Route, Schedules, StatusClass,
    StatusWords, Thresholds,
};
pub use problem::{Audience, Kind, Severity, Track};
pub use reading::{Answer, KeyPrint, NoAnswer, Outcome, Reading, WhyUnseen};
pub use schedule::{NotACronLine, Schedule, next_civil};
pub use text::{GONE, clean, clean_lines};
pub use wait::{Wait, WaitsFor};
pub use watch::{Expectation, OwnSettings, WatchList, WatchedUser};
pub use word::UnknownWord;
