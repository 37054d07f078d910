//! SHOWS. The status page, JSON, `/metrics` and `/healthz`: all read from the store when somebody asks.
//!
//! Read-only, on connections and threads of its own that give way to everything else: it never writes, never decides,
//! and nothing of it may slow, block or crash polling and telling.

mod api;
mod credential;
mod doors;
mod frame;
mod guard;
mod health;
mod incident;
mod incidents;
mod lanes;
mod metrics;
mod metrics_text;
mod overview;
mod readers;
mod routes;
mod site;
mod strip;
mod tries;

pub use guard::MARK;
pub(crate) use health::OVERDUE;
pub use health::{Check, Health, look as health};
pub use site::{NoPassword, Password, Site};
