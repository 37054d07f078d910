//! What the tests share.

pub mod desk;
pub mod leaf;
pub mod mail;
pub mod model;
pub mod site;
pub mod smtp;
pub mod story;
pub mod world;
