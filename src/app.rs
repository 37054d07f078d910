//! The only place that wires: config to store, Leaf, mail and clock, to tasks, to an orderly stop.
