//! What the tests share.

pub mod desk;
pub mod mail;
pub mod smtp;
