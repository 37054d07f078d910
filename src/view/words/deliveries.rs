//! What is said of mails on their way.

use crate::view::deliveries::Attempt;

/// What the mail server said at one try: `mx.example.com, data: 250 queued`.
pub fn attempt(attempt: &Attempt) -> String {
    let code = attempt
        .code
        // A folder has no codes.
        .filter(|code| *code > 0)
        .map(|code| format!(" {code}"))
        .unwrap_or_default();
    format!(
        "{}, {}:{code} {}",
        attempt.server, attempt.phase, attempt.reply
    )
}
