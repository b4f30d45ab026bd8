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

use crate::model::{
    client::Instead,
    limits::{self, SMALL_ANSWER as SMALL},
};

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
        let max = limits::bytes(self.max);
        // One that does not fit takes nothing, not even for a moment, from those that do.
        let fitting = |waiting: usize| waiting.checked_add(bytes).filter(|sum| *sum <= max);
        match self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fitting) {
            Ok(_) => Ok(Some(Held { backlog: Arc::clone(self), bytes })),
            Err(_) => {
                super::count_hit("limits.answers");
                Err(Overflow(self.max))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.backlog.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Overflow {
    /// What is said in place of `response`: what it brings along for this, or 503.
    pub(super) fn answer(self, response: Response, instead: Option<Instead>) -> Response {
        if let Some(Instead(body)) = instead {
            let (mut head, _) = response.into_parts();
            head.headers.remove(header::CONTENT_LENGTH);
            return Response::from_parts(head, body.into());
        }
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
