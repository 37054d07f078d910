//! Leafwatch watches the health of growers' provider credentials on Leaf's API and tells the right people, once.
//!
//! The modules in reading order; an arrow between them only goes down a floor (`tests/it/floors.rs` holds it).

pub mod clock;
pub mod model;
pub mod vitals;

pub mod config;
pub mod rules;
pub mod view;

pub mod leaf;
pub mod mail;
pub mod store;

pub mod daemon;
pub mod sim;
pub mod web;

pub mod app;
pub mod cli;
