//! What `doctor` found.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// All that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Nothing is wrong.
    pub well: bool,
    /// Each part, in the order in which it was looked at.
    pub findings: Vec<Finding>,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Cow<'static, str>,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, where something is wrong.
    pub advice: Option<String>,
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not looked at, for a reason that is no fault.
    Skipped,
    /// To be mended.
    Wrong,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Finding {
            check: Cow::Borrowed(check),
            verdict: Verdict::Ok,
            found: found.into(),
            advice: None,
        }
    }

    /// Not looked at.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Finding {
            verdict: Verdict::Skipped,
            ..Finding::ok(check, why)
        }
    }

    /// To be mended: what is wrong, and what to do.
    pub fn wrong(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding {
            verdict: Verdict::Wrong,
            advice: Some(advice.into()),
            ..Finding::ok(check, found)
        }
    }
}
