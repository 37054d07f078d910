//! `[rules]`: every number of the rules of trouble, and what status words mean.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::fault::quoted;
use super::reader::Section;
use crate::model::{GONE, StatusClass, StatusWords, Thresholds};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Leaf throws events away after this.
const EVENTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn read(rules: &Section<'_>) -> (Thresholds, StatusWords) {
    (
        thresholds(rules),
        status_words(&rules.section("status_words")),
    )
}

fn thresholds(rules: &Section<'_>) -> Thresholds {
    let default = Thresholds::default();
    let hold = |key, default| rules.duration(key, Duration::ZERO..=30 * DAY, default);
    let within =
        |key, range: RangeInclusive<Duration>, default| rules.duration(key, range, default);
    let thresholds = Thresholds {
        confirm_wait: within("confirm_wait", Duration::ZERO..=DAY, default.confirm_wait),
        resolve_after: rules.number("resolve_after", 1..=100, default.resolve_after),
        flap_window: hold("flap_window", default.flap_window),
        missing_hold: hold("missing_hold", default.missing_hold),
        provider_unavailable_hold: hold(
            "provider_unavailable_hold",
            default.provider_unavailable_hold,
        ),
        unreadable_hold: hold("unreadable_hold", default.unreadable_hold),
        leaf_login_hold: hold("leaf_login_hold", default.leaf_login_hold),
        leaf_unreachable_hold: hold("leaf_unreachable_hold", default.leaf_unreachable_hold),
        failing_events_window: within(
            "failing_events_window",
            Duration::from_secs(1)..=EVENTS_KEPT,
            default.failing_events_window,
        ),
        failing_events_count: rules.number(
            "failing_events_count",
            1..=100,
            default.failing_events_count,
        ),
        failing_events_spread: within(
            "failing_events_spread",
            Duration::ZERO..=EVENTS_KEPT,
            default.failing_events_spread,
        ),
        second_look: rules.number("second_look", 1..=100, default.second_look),
        shared_cause_count: rules.number(
            "shared_cause_count",
            2..=100_000,
            default.shared_cause_count,
        ),
        shared_cause_window: within(
            "shared_cause_window",
            Duration::from_secs(1)..=7 * DAY,
            default.shared_cause_window,
        ),
        events_unread_after: within(
            "events_unread_after",
            HOUR..=EVENTS_KEPT,
            default.events_unread_after,
        ),
        token_expiring_within: hold("token_expiring_within", default.token_expiring_within),
        sweep_overdue_intervals: rules.number(
            "sweep_overdue_intervals",
            1..=1_000,
            default.sweep_overdue_intervals,
        ),
    };
    if thresholds.failing_events_spread > thresholds.failing_events_window {
        rules.fault(
            "failing_events_spread",
            "it is longer than failing_events_window, so that the early warning could never come",
            "make the spread shorter than the window",
        );
    }
    thresholds
}

fn status_words(section: &Section<'_>) -> StatusWords {
    let mut words = StatusWords::default();
    let mut mapped: HashMap<String, &str> = HashMap::new();
    for (key, class) in [
        ("healthy", StatusClass::Healthy),
        ("invalid", StatusClass::Invalid),
        ("limited_permission", StatusClass::LimitedPermission),
        ("provider_unavailable", StatusClass::ProviderUnavailable),
    ] {
        for word in section.list(key).unwrap_or_default() {
            if word.contains(GONE) {
                section.fault(
                    key,
                    &format!(
                        "{} stands for what looked like a credential and was left out",
                        quoted(word)
                    ),
                    "name only words that Leaf sends",
                );
                continue;
            }
            let other = mapped.insert(word.to_uppercase(), key);
            if let Some(other) = other.filter(|other| *other != key) {
                section.fault(
                    key,
                    &format!("{} is in the list {other} as well", quoted(word)),
                    "a word has one meaning: keep it in one list",
                );
                continue;
            }
            let built_in = words.add(word, class);
            if other.is_none() && built_in.is_some_and(|built_in| built_in != class) {
                section.warn(
                    key,
                    &format!("this changes what the built-in word {} means", quoted(word)),
                    "leave it out unless Leaf told you so",
                );
            }
        }
    }
    words
}
