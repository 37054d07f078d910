//! `[alerts]`: who is told, and how patiently.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::addresses::addresses;
use super::reader::Section;
use super::{quiet, routes};
use crate::model::Alerts;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn read(alerts: &Section<'_>, zone: &TimeZone) -> Alerts {
    let default = Alerts::default();
    let faults = alerts.reader().faults_so_far();
    let to = addresses(alerts, "to");
    // Addresses that did not parse have faults of their own.
    if to.is_empty() && alerts.reader().faults_so_far() == faults {
        alerts.fault(
            "to",
            "nobody would be told",
            "write the people who get the alerts: to = [\"support@example.com\"]",
        );
    }
    let operators = addresses(alerts, "operators");
    if !alerts.has("operators") {
        alerts.warn(
            "operators",
            "nobody is named for trouble with Leaf or with this program, so that alerts.to gets it",
            "write the people who run this program: operators = [\"ops@example.com\"]",
        );
    }
    let second = Duration::from_secs(1);
    let faults = alerts.reader().faults_so_far();
    let remind_after = alerts.durations("remind_after", second..=365 * DAY, &default.remind_after);
    if remind_after.is_empty() && alerts.reader().faults_so_far() == faults {
        alerts.fault(
            "remind_after",
            "the list is empty, so that nobody would be reminded of what stays broken",
            "write at least one duration, such as [\"7d\"]",
        );
    }
    Alerts {
        operators: if operators.is_empty() {
            to.clone()
        } else {
            operators
        },
        to,
        group_wait: alerts.duration("group_wait", Duration::ZERO..=DAY / 24, default.group_wait),
        group_interval: alerts.duration(
            "group_interval",
            Duration::ZERO..=DAY,
            default.group_interval,
        ),
        max_emails_per_hour: alerts.number(
            "max_emails_per_hour",
            1..=10_000,
            default.max_emails_per_hour,
        ),
        remind_after,
        ack_for: alerts.duration("ack_for", second..=365 * DAY, default.ack_for),
        routes: routes::read(alerts),
        quiet: quiet::read(alerts, zone),
    }
}
