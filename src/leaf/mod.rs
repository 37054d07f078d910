//! ASKS. The client of Leaf's API: login, credentials, events, users. Never decides what an answer means, and never
//! lets a secret out of an answer.

mod ask;
mod client;
mod counters;
pub mod date;
mod decode;
mod endpoint;
mod events;
mod gate;
mod halt;
mod jwt;
mod login;
mod loose;
mod session;
mod text;
mod token;
mod upstream;
mod users;
mod wire;

pub use ask::BodyDigest;
pub use client::{Class, Client, Look, Reply, Step};
pub use counters::Counters;
pub use endpoint::Endpoint;
pub use events::EventLog;
pub use halt::{Fault, Halt};
pub use users::LeafUser;
pub use wire::install_tls;
