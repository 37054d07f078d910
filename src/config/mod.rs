//! The settings: one documented struct a section, loaded once and checked whole.
