//! The body of an answer, which knows how much of it has been taken.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

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

/// Bytes on their way; taken by the client as hyper lets go of them.
pub(super) struct Portion {
    bytes: Bytes,
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
        let counted = self.ahead.min(bytes.len());
        self.ahead -= counted;
        self.turn.given(bytes.len() - counted);
        Portion { bytes, turn: Arc::clone(&self.turn), _held: held }
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
                Ok(bytes) => self.portion(bytes).map(Frame::data).map_err(axum::Error::new),
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
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.turn.taken(count);
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.turn.taken(self.bytes.len());
    }
}
