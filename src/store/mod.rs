//! REMEMBERS. The SQLite database: the only state there is. Never decides.
