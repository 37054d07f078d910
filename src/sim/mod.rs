//! PRETENDS. A simulated Leaf with a story, for `demo`, the tests and the benchmarks; nothing else may use it.
