//! RUNS. The loops: schedule, sweep, gather, judge, deliver, and their orderly stop.

pub mod alarm;
pub mod backlog;
pub mod context;
pub mod deliver;
mod digest;
pub mod gather;
pub mod guard;
pub mod heartbeat;
pub mod judge;
mod letter;
pub mod pack;
pub mod player;
pub mod replay;
pub mod roster;
pub mod schedule;
pub mod start;
pub mod sweep;
pub mod systemd;
pub mod upkeep;
