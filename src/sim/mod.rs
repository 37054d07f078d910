//! PRETENDS. A simulated Leaf with a story, for `demo`, the tests and the benchmarks; nothing else may use it.
//!
//! It answers over real HTTP as Leaf's documentation describes: login, users, credentials, events, paging, problem
//! bodies. It must never be what defines right: these things go beyond what is documented, and a reader of Leaf's
//! API that only works because of them is wrong: the status words but `OK`; what a revocation does first (the event
//! or the status word); what connecting again keeps; that successes are logged; the order and paging of events; the
//! wording and headers of provider answers; absolute or relative `Link`s; `405`; the JWT's `jti`; every fault.
//! Where the documentation leaves a choice open, the choice is a setting here ([`Lists`], [`LoginRules`],
//! [`Embedding`], [`Leaf::set_lag`]) or a whole answer can be replaced ([`RawAnswer`]).

mod answer;
mod count;
mod fault;
mod grant;
mod json;
mod leaf;
mod lists;
mod log_entry;
mod login;
mod played;
mod port;
mod question;
mod serve;
mod story;
#[cfg(test)]
mod tests;
mod world;

pub use answer::{Embedding, RawAnswer};
pub use count::{Asked, RequestKind, Requests};
pub use fault::{Fault, FaultId, Scope, When};
pub use grant::Consent;
pub use leaf::Leaf;
pub use lists::{Links, Lists};
pub use log_entry::{HeaderForm, LogEntry};
pub use login::LoginRules;
pub use serve::DateHeader;
pub use story::{Act, Grower, Story};

pub use world::nth_user;

/// What every secret handed out begins with, so that a test can search anything for a leak.
pub const SECRET_MARK: &str = "SECRET-";
