//! The log: structured, a line reads alone, to standard error; with journald's priorities where it listens.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What is logged where `RUST_LOG` does not say otherwise. The scheduler logs each second.
const USUAL: &str = "info,tokio_cron_scheduler=warn,hyper=warn,h2=warn,reqwest=warn";

/// Starts the log of a command that stays.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match under_journald() {
        true => log
            .event_format(Prioritised(
                Format::default()
                    .without_time()
                    .with_level(false)
                    .with_ansi(false),
            ))
            .try_init(),
        false => log
            .with_ansi(std::io::stderr().is_terminal())
            .with_timer(SystemTime)
            .try_init(),
    };
    // A second start keeps the first log, which is as good.
    drop(started);
}

/// Whether journald reads what we log, and adds the time itself: systemd.exec(5).
#[expect(clippy::disallowed_methods, reason = "no setting, but where we run")]
fn under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

/// Puts `<3>` and the like before each line: sd-daemon(3).
struct Prioritised<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
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
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
