//! Bodies that come as no honest server sends them: late, in drops, half, endless.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Sleep, sleep};

use super::Flight;
use crate::support::leaf::Act;

/// A body played act by act; one that closes before it sent anything takes the head of the answer with it. The request
/// ends with the last act, before the reader can have seen the end.
pub(super) struct Played {
    acts: VecDeque<Act>,
    nap: Option<Pin<Box<Sleep>>>,
    flight: Option<Flight>,
}

impl Played {
    pub(super) fn new(acts: impl IntoIterator<Item = Act>, flight: Flight) -> Self {
        Played {
            acts: acts.into_iter().collect(),
            nap: None,
            flight: Some(flight),
        }
    }
}

impl Body for Played {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(nap) = &mut self.nap {
                ready!(nap.as_mut().poll(context));
                self.nap = None;
            }
            let act = self.acts.pop_front();
            if self.acts.is_empty() && !matches!(act, Some(Act::Hang)) {
                self.flight = None;
            }
            return Poll::Ready(match act {
                Some(Act::Send(bytes)) => Some(Ok(Frame::data(bytes.into()))),
                Some(Act::Wait(time)) => {
                    self.nap = Some(Box::pin(sleep(time)));
                    continue;
                }
                Some(Act::Hang) => {
                    self.acts.push_front(Act::Hang);
                    return Poll::Pending;
                }
                Some(Act::Close) => Some(Err(io::ErrorKind::BrokenPipe.into())),
                None => None,
            });
        }
    }
}
