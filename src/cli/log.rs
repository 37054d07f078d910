//! The log: structured, a line reads alone, to standard error; with journald's priorities where it listens.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;

/// What is logged where `RUST_LOG` does not say otherwise. The scheduler logs each second.
const USUAL: &str = "info,tokio_cron_scheduler=warn,hyper=warn,reqwest=warn";

/// Starts the log of a command that stays.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let journal = under_journald();
    let colour = !journal && std::io::stderr().is_terminal();
    let text = Format::default().with_ansi(colour);
    let started = match (format, journal) {
        (LogFormat::Text, true) => log
            .event_format(OneLine {
                inner: text.without_time().with_level(false),
                journal,
            })
            .try_init(),
        (LogFormat::Text, false) => log
            .event_format(OneLine {
                inner: text,
                journal,
            })
            .try_init(),
        (LogFormat::Json, _) => log
            .fmt_fields(JsonFields::new())
            .event_format(OneLine {
                inner: text.with_ansi(false).json().flatten_event(true),
                journal,
            })
            .try_init(),
    };
    // A second start keeps the first log, which is as good.
    drop(started);
}

/// Whether journald reads what we log, and adds the time itself: systemd.exec(5).
#[expect(clippy::disallowed_methods, reason = "no setting, but where we run")]
fn under_journald() -> bool {
    let stream = std::env::var("JOURNAL_STREAM");
    let ours = rustix::fs::fstat(std::io::stderr());
    match (stream, ours) {
        (Ok(stream), Ok(ours)) => is_stream(&stream, ours.st_dev, ours.st_ino),
        _ => false,
    }
}

/// Whether `JOURNAL_STREAM` means this file: a variable that was inherited says nothing of an output sent elsewhere.
fn is_stream(stream: &str, device: u64, inode: u64) -> bool {
    stream == format!("{device}:{inode}")
}

/// Keeps an event on one line, whatever is in its message; under journald with `<3>` and the like before it: sd-daemon(3).
struct OneLine<F> {
    inner: F,
    journal: bool,
}

impl<S, N, F> FormatEvent<S, N> for OneLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.journal {
            let priority = match *event.metadata().level() {
                Level::ERROR => 3,
                Level::WARN => 4,
                Level::INFO => 6,
                Level::DEBUG | Level::TRACE => 7,
            };
            write!(writer, "<{priority}>")?;
        }
        let mut text = String::new();
        self.inner
            .format_event(context, Writer::new(&mut text), event)?;
        writeln!(writer, "{}", joined(&text))
    }
}

/// The lines of `text` as one.
fn joined(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    match lines.split_first() {
        Some((first, [])) => (*first).to_owned(),
        Some((first, rest)) => rest.iter().fold((*first).to_owned(), |mut line, next| {
            line.push_str("; ");
            line.push_str(next.trim_start());
            line
        }),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_alone() {
        assert_eq!(joined("all well\n"), "all well");
        assert_eq!(
            joined("leaf.base_url: http\n    write https\n"),
            "leaf.base_url: http; write https"
        );
        assert_eq!(joined(""), "");
    }

    #[test]
    fn the_journal_is_told_by_its_very_stream() {
        assert!(is_stream("8:12345", 8, 12_345));
        for other in ["", "8:1234", "9:12345", "8", "yes"] {
            assert!(!is_stream(other, 8, 12_345), "{other}");
        }
    }
}
