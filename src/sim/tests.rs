//! The simulated Leaf over real HTTP: what its heads say is what it does.

mod asker;
mod everyday;
mod faults;
mod lists;
mod story;
