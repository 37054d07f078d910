//! What the tests share.

pub mod desk;
pub mod leaf;
pub mod mail;
pub mod model;
pub mod smtp;
pub mod world;
