//! DECIDES. Pure: no I/O, no async, no clock, no randomness; `now` is an argument and the answer is data.

pub mod availability;
pub mod diagnose;
pub mod due;
pub mod evidence;
pub mod failing;
pub mod fleet;
pub mod incidents;
pub mod judge;
pub mod needs;
pub mod notify;
pub mod pace;
pub mod quiet;
pub mod waits;
