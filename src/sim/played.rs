//! Bodies that come as no honest server sends them: late, in drops, half, endless.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// Padding is made in pieces of this size.
const PIECE: u64 = 64 * 1024;

/// How an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Whole,
    After(Duration),
    Drip { bytes: usize, pause: Duration },
    Never,
    HangMidBody,
    Cut,
    CutMidBody,
    Padded { bytes: u64, announced: bool },
}

#[derive(Debug)]
enum Step {
    Data(Bytes),
    Padding(u64),
    Pause(Duration),
    Hang,
    Break,
}

/// A body played step by step. `done` is dropped with the last of it, before the reader can have seen the end.
pub(super) struct Played<Done> {
    steps: VecDeque<Step>,
    nap: Option<Pin<Box<Sleep>>>,
    length: Option<u64>,
    done: Option<Done>,
}

impl<Done> Played<Done> {
    /// `body`, sent in the manner of `course`.
    pub(super) fn new(body: Bytes, course: Course, done: Done) -> Self {
        let mut length = Some(body.len() as u64);
        let half = body.slice(..body.len() / 2);
        let steps: Vec<Step> = match course {
            Course::Whole | Course::After(_) | Course::Never | Course::Cut => {
                vec![Step::Data(body)]
            }
            Course::Drip { bytes, pause } => {
                let size = bytes.max(1);
                let starts = (0..body.len()).step_by(size);
                let drops = starts.map(|at| body.slice(at..(at + size).min(body.len())));
                drops
                    .flat_map(|drop| [Step::Pause(pause), Step::Data(drop)])
                    .collect()
            }
            Course::HangMidBody => vec![Step::Data(half), Step::Hang],
            // The pause lets what was said go out before the connection ends.
            Course::CutMidBody => {
                let breath = Step::Pause(Duration::from_millis(5));
                vec![Step::Data(half), breath, Step::Break]
            }
            Course::Padded { bytes, announced } => {
                let head = Bytes::from_static(b"{\"status\":\"OK\",\"padding\":\"");
                let tail = Bytes::from_static(b"\"}");
                let whole = (head.len() + tail.len()) as u64 + bytes;
                length = announced.then_some(whole);
                vec![Step::Data(head), Step::Padding(bytes), Step::Data(tail)]
            }
        };
        Played {
            steps: steps.into(),
            nap: None,
            length,
            done: Some(done),
        }
    }
}

impl<Done: Unpin> HttpBody for Played<Done> {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(nap) = &mut this.nap {
                ready!(nap.as_mut().poll(context));
                this.nap = None;
            }
            let data = match this.steps.pop_front() {
                Some(Step::Data(data)) => data,
                Some(Step::Padding(left)) => {
                    let now = left.min(PIECE);
                    if left > now {
                        this.steps.push_front(Step::Padding(left - now));
                    }
                    Bytes::from_static(&[b'a'; PIECE as usize]).slice(..now as usize)
                }
                Some(Step::Pause(pause)) => {
                    this.nap = Some(Box::pin(sleep(pause)));
                    continue;
                }
                Some(Step::Hang) => {
                    this.steps.push_front(Step::Hang);
                    return Poll::Pending;
                }
                Some(Step::Break) => {
                    this.done = None;
                    return Poll::Ready(Some(Err(std::io::ErrorKind::BrokenPipe.into())));
                }
                None => {
                    this.done = None;
                    return Poll::Ready(None);
                }
            };
            if this.steps.is_empty() {
                this.done = None;
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
