//! How much all request bodies that are being received may take together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes of bodies that are not there in full.
pub(super) struct Bodies {
    max: usize,
    held: AtomicUsize,
}

/// What one body takes of them; given back on drop.
pub(super) struct Share<'a> {
    bodies: &'a Bodies,
    bytes: usize,
}

impl Bodies {
    pub(super) fn new(max: usize) -> Self {
        Self { max, held: AtomicUsize::new(0) }
    }

    pub(super) fn share(&self) -> Share<'_> {
        Share { bodies: self, bytes: 0 }
    }
}

impl Share<'_> {
    /// Makes room for `bytes` more, if there is any.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let before = self.bodies.held.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.bodies.max
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_share_one_bound() {
        let bodies = Bodies::new(10);
        let (mut first, mut second) = (bodies.share(), bodies.share());
        assert!(first.grow(4) && second.grow(5));
        assert!(first.grow(1), "at the bound");
        assert!(!second.grow(1), "one above it");
        drop(second);
        assert!(first.grow(5));
        drop(first);
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0);
    }
}
