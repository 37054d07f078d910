//! The sentences of a report.

use super::{counted, duration, listed, number, percent};
use crate::view::report::{IncidentCounts, Report};

/// How incidents were told and mended on average; empty where there is nothing to say.
pub fn means(counts: &IncidentCounts) -> String {
    let mut parts = Vec::new();
    if let Some(mean) = counts.mean_to_tell {
        parts.push(format!("told after {}", duration(mean)));
    }
    if let Some(mean) = counts.mean_to_mend {
        parts.push(format!("mended after {}", duration(mean)));
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!(
            "On average {} (from the first look that said so).",
            listed(&parts)
        ),
    }
}

/// The incidents of credentials in one sentence.
pub fn incidents_of(counts: &IncidentCounts) -> String {
    if counts.total == 0 {
        return "No credential was in trouble.".to_owned();
    }
    let mut parts = vec![
        format!("{} opened in this time", number(counts.opened)),
        format!("{} mended", number(counts.mended)),
    ];
    if counts.unwatched > 0 {
        parts.push(format!("{} closed by our config", number(counts.unwatched)));
    }
    parts.push(format!("{} open at its end", number(counts.open)));
    format!(
        "{} of credentials: {}.",
        counted(counts.total, "incident"),
        parts.join(", ")
    )
}

/// How available all were, in one sentence.
pub fn overall(report: &Report) -> String {
    let of = &report.overall;
    let seen = of.seen_share().map(percent);
    match (of.availability, seen) {
        (None, _) => "Nothing was seen in this time.".to_owned(),
        (Some(share), seen) => format!(
            "Availability: {} of the time seen; {} of the watched time was seen.",
            percent(share),
            seen.unwrap_or_default()
        ),
    }
}

/// What is said of the credentials that are not listed.
pub fn hidden(count: usize) -> String {
    match count {
        1 => "1 credential was healthy whenever it was seen; --all lists it.".to_owned(),
        many => format!(
            "{} credentials were healthy whenever they were seen; --all lists them.",
            number(many as u64)
        ),
    }
}
