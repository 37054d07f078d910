//! TELLS. Composes mails (pure) and hands them to a mail server or a folder. Never decides who is told.

mod compose;
mod digest;
mod facts;
mod fit;
pub mod letter;
mod mime;
mod page;
pub mod send;
mod subject;
mod tally;
mod trial;

pub use compose::{MAX_BYTES, Mail, NotComposed, compose};
pub use digest::{DigestLetter, compose_digest};
pub use letter::Letter;
pub use trial::compose_trial;
