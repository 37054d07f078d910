//! DECIDES. Pure: no I/O, no async, no clock, no randomness; `now` is an argument and the answer is data.
