//! One file a command; tables and JSON in one place.

#![expect(
    clippy::print_stdout,
    reason = "what a command shows goes to standard output"
)]

pub mod demo;
