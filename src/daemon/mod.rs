//! RUNS. The loops: schedule, sweep, gather, judge, deliver, and their orderly stop.

pub mod heartbeat;
pub mod judge;
mod letter;
pub mod pack;
pub mod systemd;
