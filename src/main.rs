//! Parses the arguments, runs the command, prints the error chain.

fn main() {}
