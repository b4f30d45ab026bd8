//! The body of an answer, which knows how much of it has been taken.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};

use super::patience::Turn;

/// Keeps its request under way until it has been sent.
pub(super) struct Answer {
    body: Body,
    turn: Arc<Turn>,
}

/// Bytes on their way; taken by the client as hyper lets go of them.
pub(super) struct Portion {
    bytes: Bytes,
    turn: Arc<Turn>,
}

impl Answer {
    pub(super) fn new(body: Body, turn: Arc<Turn>) -> Self {
        Self { body, turn }
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
        frame.map_ok(|frame| frame.map_data(|bytes| Portion::new(bytes, &self.turn)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Portion {
    fn new(bytes: Bytes, turn: &Arc<Turn>) -> Self {
        turn.given(bytes.len());
        Self { bytes, turn: Arc::clone(turn) }
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
