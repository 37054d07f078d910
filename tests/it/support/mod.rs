//! What the tests share.

pub mod asker;
pub mod desk;
pub mod faulty_leaf;
pub mod leaf;
pub mod mail;
pub mod model;
pub mod site;
pub mod smtp;
pub mod story;
pub mod world;
