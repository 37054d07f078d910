//! PRETENDS. A simulated Leaf with a story: as much of Leaf as `demo` and the benchmarks need, over real HTTP.
//!
//! It keeps users, credentials, their events and logins, and answers from them as Leaf's documentation describes; what
//! goes wrong on the way is not its business. Who needs faults, delays, answers of another making or a count of what
//! was asked lays them over it ([`SimulatedLeaf::start_behind`]), as the tests and the benchmarks do.
//!
//! It must never be what defines right: these things go beyond what is documented, and a reader of Leaf's API that only
//! works because of them is wrong: the status words but `OK`; what a revocation does first (the event or the status
//! word); what connecting again keeps; that successes are logged; the order and paging of events; the wording and
//! headers of provider answers; `405`; the fields of the other providers' credentials.

mod accounts;
mod answer;
mod event;
mod grant;
mod login;
mod port;
mod question;
mod simulated_leaf;
mod story;

pub use event::ProviderAnswer;
pub use grant::{Consent, Grant};
pub use login::{PASSWORD, USERNAME};
pub use question::Question;
pub use simulated_leaf::{SimulatedLeaf, nth_user};
pub use story::{Act, Story};

/// What every secret handed out holds, so that a test can search anything for a leak.
pub const SECRET_MARK: &str = "SECRET-";
