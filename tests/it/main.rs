//! The one integration binary.

mod support;

mod life;
mod smtp_delivery;
