//! One file a command; tables and JSON in one place.
