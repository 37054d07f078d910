//! The one integration binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod dependencies;
mod floors;
mod life;
mod smtp_delivery;
mod units;
