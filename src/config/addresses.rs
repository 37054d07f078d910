//! Lists of people, wherever they stand in the config.

use super::reader::Section;
use crate::model::Address;

/// What to write where an address was refused.
pub(super) const WRITE_ADDRESS: &str = "write a plain address, such as \"anna@example.com\"";

pub(super) fn addresses(alerts: &Section<'_>, key: &str) -> Vec<Address> {
    alerts.parsed_list(key, WRITE_ADDRESS).unwrap_or_default()
}
