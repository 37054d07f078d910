//! TELLS. Composes mails (pure) and hands them to a mail server or a folder. Never decides who is told.

mod compose;
mod fit;
pub mod letter;
mod page;
pub mod send;
mod subject;

pub use compose::{MAX_BYTES, Mail, NotComposed, compose};
pub use letter::Letter;
