//! One line on a terminal that says how far long work is. On anything else than a terminal, nothing.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use crate::clock::Clock;
use crate::view::words;

/// Work that ends sooner shows no line.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);

/// Does `work`, and says meanwhile how much of `total` `done` tells.
pub async fn shown<T>(
    clock: &Clock,
    total: u64,
    done: impl Fn() -> u64,
    work: impl Future<Output = T>,
) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let began = clock.monotonic();
    let mut shown = false;
    let mut work = std::pin::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            () = tokio::time::sleep(EVERY) => {
                let elapsed = clock.monotonic().saturating_sub(began);
                if elapsed >= PATIENCE {
                    shown = true;
                    draw(&line(done().min(total), total, elapsed));
                }
            }
        }
    };
    if shown {
        draw("");
    }
    result
}

/// Puts `text` in the place of the line before; a terminal that cannot be written to is no fault of the work.
fn draw(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
}

/// `asked 1,200 of 5,000, about 40 s left`.
fn line(done: u64, total: u64, elapsed: Duration) -> String {
    let asked = format!("asked {} of {}", words::number(done), words::number(total));
    if done == 0 || done >= total {
        return asked;
    }
    let left = elapsed.mul_f64((total - done) as f64 / done as f64);
    format!("{asked}, about {} left", words::duration(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_long() {
        let seconds = Duration::from_secs;
        assert_eq!(line(0, 5000, seconds(2)), "asked 0 of 5,000");
        assert_eq!(
            line(1000, 5000, seconds(10)),
            "asked 1,000 of 5,000, about 40 s left"
        );
        assert_eq!(line(5000, 5000, seconds(50)), "asked 5,000 of 5,000");
    }
}
