//! TELLS. Composes mails (pure) and hands them to a mail server or a folder. Never decides who is told.

pub mod send;
