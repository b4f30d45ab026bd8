//! How much all answers that wait for their clients may take together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytesize::ByteSize;

use crate::model::limits;

/// Answers up to this size are not counted: they get through even while others fill the backlog, and
/// no more of them can wait than there may be connections and requests on them.
pub(super) const SMALL: usize = 64 * 1024;

/// Counts the bytes of answers that have not been taken.
pub(super) struct Backlog {
    max: ByteSize,
    waiting: AtomicUsize,
}

/// What one answer, or a piece of it, takes of them; given back on drop.
pub(super) struct Held {
    backlog: Arc<Backlog>,
    bytes: usize,
}

/// There is no room for an answer.
#[derive(Debug, thiserror::Error)]
#[error("{0} of answers wait for their clients already (limits.answers); this one is dropped")]
pub(super) struct Overflow(ByteSize);

impl Backlog {
    pub(super) fn new(max: ByteSize) -> Self {
        Self { max, waiting: AtomicUsize::new(0) }
    }

    /// Counts `bytes` that are about to wait; `None` if they are too few to count.
    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Result<Option<Held>, Overflow> {
        if bytes <= SMALL {
            return Ok(None);
        }
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { backlog: Arc::clone(self), bytes };
        if before.saturating_add(bytes) <= limits::bytes(self.max) {
            return Ok(Some(held));
        }
        super::count_hit("limits.answers");
        Err(Overflow(self.max))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.backlog.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl IntoResponse for Overflow {
    fn into_response(self) -> Response {
        let retry_after = [(header::RETRY_AFTER, "5")];
        (StatusCode::SERVICE_UNAVAILABLE, retry_after, format!("{self}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_share_one_bound_and_small_ones_have_none() {
        let max = u64::try_from(3 * SMALL).unwrap();
        let backlog = Arc::new(Backlog::new(ByteSize::b(max)));
        let first = backlog.hold(2 * SMALL - 1).unwrap();
        let second = backlog.hold(SMALL + 1).unwrap();
        assert!(first.is_some() && second.is_some(), "at the bound");
        backlog.hold(SMALL + 1).err().unwrap();
        assert!(backlog.hold(SMALL).unwrap().is_none());
        drop(first);
        backlog.hold(SMALL + 1).unwrap();
        drop(second);
        assert_eq!(backlog.waiting.load(Ordering::Relaxed), 0);
        backlog.hold(3 * SMALL + 1).err().unwrap();
    }
}
