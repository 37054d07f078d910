//! The only integration binary.

#![expect(
    clippy::unwrap_used,
    reason = "all of it is test; clippy spares only what carries #[test]"
)]

mod support;

mod backup;
mod binary;
mod binary_clock;
mod cli_binary;
mod cli_log;
mod cli_pages;
mod config_samples;
mod dependencies;
mod digest;
mod doctor;
mod floors;
mod kill_ledger;
mod leaf_answers;
mod leaf_events;
mod leaf_limits;
mod leaf_login;
mod life;
mod life_account;
mod life_causes;
mod life_evidence;
mod mail_look;
mod pace;
mod property_crash;
mod property_life;
mod property_replay;
mod property_seen;
mod report;
mod sim;
mod sim_faults;
mod smtp_delivery;
mod store_bad_days;
mod store_foreign;
mod store_frugality;
mod units;
mod web_browser;
mod web_guard;
mod web_pages;
mod web_programs;
mod world_alerts;
mod world_caps;
mod world_causes;
mod world_claims;
mod world_clock;
mod world_days;
mod world_hush;
mod world_leaf;
mod world_loops;
mod world_mail;
mod world_quiet;
mod world_reminders;
mod world_routes;
mod world_store;
mod year;
