//! ASKS. The client of Leaf's API: login, credentials, events, users. Never decides what an answer means, and never
//! lets a secret out of an answer.

mod ask;
mod client;
mod counters;
pub mod date;
mod decode;
mod events;
mod gate;
mod jwt;
mod login;
mod loose;
mod session;
mod settings;
mod text;
mod users;
mod wire;

pub use client::{Class, Client, Fault, Halt, Look, Step};
pub use counters::Counters;
pub use events::EventLog;
pub use settings::{Auth, BuildError, SecretSource, Settings};
pub use users::LeafUser;
pub use wire::install_tls;
