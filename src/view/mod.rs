//! What people and programs see: one serde struct for each thing shown, and the only wording of times, durations,
//! problems and providers. Decides nothing.

pub mod words;
