//! The body of an answer, which knows how much of it has been taken.

use std::{
    collections::VecDeque,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::{Buf, Bytes};
use http_body::{Body as _, Frame, SizeHint};

use super::{
    backlog::{Backlog, Held, Overflow},
    patience::Turn,
};
use crate::model::client::Instead;

/// Keeps its request under way until it has been sent.
pub(super) struct Answer {
    body: Body,
    turn: Arc<Turn>,
    /// What each piece takes a place in, unless the whole has one.
    backlog: Option<Arc<Backlog>>,
    whole: Option<Arc<Held>>,
    /// Bytes of a whole that waits from the start, though hyper asks for them one by one.
    ahead: usize,
}

/// Bytes on their way, written by one call as far as the socket takes them; taken by the client as hyper
/// lets go of them.
pub(super) struct Portion {
    first: Bytes,
    rest: VecDeque<Bytes>,
    turn: Arc<Turn>,
    _held: Option<Arc<Held>>,
}

impl Answer {
    /// `response`, or a refusal in its place if there is no room for it to wait.
    pub(super) fn of(
        mut response: Response,
        turn: Arc<Turn>,
        backlog: Arc<Backlog>,
    ) -> Response<Self> {
        let size = http_body::Body::size_hint(response.body()).exact();
        let Some(size) = size.map(|size| usize::try_from(size).unwrap_or(usize::MAX)) else {
            let backlog = Some(backlog);
            return response.map(|body| Self { body, turn, backlog, whole: None, ahead: 0 });
        };
        let instead = response.extensions_mut().remove::<Instead>();
        match backlog.hold(size) {
            Ok(whole) => {
                turn.given(size);
                let whole = whole.map(Arc::new);
                response.map(|body| Self { body, turn, backlog: None, whole, ahead: size })
            }
            Err(overflow) => overflow.answer(response, instead).map(|body| Self {
                body,
                turn,
                backlog: None,
                whole: None,
                ahead: 0,
            }),
        }
    }

    fn portion(&mut self, bytes: Bytes) -> Result<Portion, Overflow> {
        let held = match &self.backlog {
            Some(backlog) => backlog.hold(bytes.len())?.map(Arc::new),
            None => self.whole.clone(),
        };
        Ok(self.given(bytes, held))
    }

    fn given(&mut self, bytes: Bytes, held: Option<Arc<Held>>) -> Portion {
        self.count(bytes.len());
        Portion { first: bytes, rest: VecDeque::new(), turn: Arc::clone(&self.turn), _held: held }
    }

    /// So many bytes more wait, unless they did from the start.
    fn count(&mut self, bytes: usize) {
        let counted = self.ahead.min(bytes);
        self.ahead -= counted;
        self.turn.given(bytes - counted);
    }

    /// What there is of a whole beside its first piece. Given one by one, hyper would write what comes
    /// after a large piece by a call of its own.
    fn gather(&mut self, portion: &mut Portion, cx: &mut Context<'_>) {
        while self.backlog.is_none()
            && !self.body.is_end_stream()
            && let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut self.body).poll_frame(cx)
            && let Ok(bytes) = frame.into_data()
        {
            self.count(bytes.len());
            portion.push(bytes);
        }
    }
}

impl Portion {
    fn push(&mut self, bytes: Bytes) {
        if self.first.is_empty() {
            self.first = bytes;
        } else if !bytes.is_empty() {
            self.rest.push_back(bytes);
        }
    }
}

impl http_body::Body for Answer {
    type Data = Portion;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Portion>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map(|frame| {
            Some(frame?.and_then(|frame| match frame.into_data() {
                Ok(bytes) => {
                    let portion = self.portion(bytes).map_err(axum::Error::new);
                    portion.map(|mut portion| {
                        self.gather(&mut portion, cx);
                        Frame::data(portion)
                    })
                }
                // Trailers, which have no data.
                Err(frame) => Ok(frame.map_data(|bytes| self.given(bytes, None))),
            }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.turn.taken(self.ahead);
    }
}

impl Buf for Portion {
    fn remaining(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = std::iter::once(&self.first).chain(&self.rest);
        let filled = slices.iter_mut().zip(pieces);
        filled.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, count: usize) {
        self.turn.taken(count);
        let mut left = count;
        while left >= self.first.len()
            && let Some(next) = self.rest.pop_front()
        {
            left -= self.first.len();
            self.first = next;
        }
        self.first.advance(left);
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.turn.taken(self.remaining());
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bytesize::ByteSize;

    use super::{super::patience::Patience, *};
    use crate::model::limits::Limits;

    /// A body that has its pieces ready, and says how long it is.
    struct Ready(VecDeque<&'static str>);

    impl http_body::Body for Ready {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece.into()))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
        }
    }

    fn portion(pieces: &[&'static str]) -> Portion {
        let turn = Arc::new(Patience::new(Arc::new(Limits::default()))).begin(true);
        let backlog = Arc::new(Backlog::new(ByteSize::kib(1)));
        let response = Response::new(Body::new(Ready(pieces.iter().copied().collect())));
        let mut body = Answer::of(response, turn, backlog).into_body();
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
            panic!("it is ready")
        };
        assert!(body.is_end_stream());
        frame.into_data().unwrap_or_else(|_| panic!("data"))
    }

    #[tokio::test]
    async fn a_whole_is_written_at_once() {
        let mut portion = portion(&["", "one", "", "two", "three"]);
        assert_eq!(portion.remaining(), 11);
        let mut slices = [IoSlice::new(b""); 4];
        let filled = portion.chunks_vectored(&mut slices);
        assert_eq!(
            slices[..filled].iter().map(|slice| &**slice).collect::<Vec<_>>(),
            [b"one".as_slice(), b"two", b"three"]
        );
        for (taken, chunk) in [(2, "e"), (1, "two"), (4, "hree"), (4, "")] {
            portion.advance(taken);
            assert_eq!(portion.chunk(), chunk.as_bytes());
        }
        assert!(!portion.has_remaining());
    }

    #[tokio::test]
    async fn whatever_is_taken_or_dropped_of_a_whole_no_longer_waits() {
        for taken in 0..=11 {
            let mut portion = portion(&["one", "two", "three"]);
            let turn = Arc::clone(&portion.turn);
            assert_eq!(turn.waiting(), 11);
            portion.advance(taken);
            assert_eq!(turn.waiting(), 11 - taken);
            drop(portion);
            assert_eq!(turn.waiting(), 0);
        }
    }
}
