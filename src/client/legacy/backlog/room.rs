//! Room for what is kept for all sessions together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes, of which each session takes what it keeps.
pub(in crate::client) struct Room {
    taken: AtomicUsize,
    max: usize,
}

/// A part of the room; given back on drop.
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(in crate::client) fn new(max: usize) -> Self {
        Self { taken: AtomicUsize::new(0), max }
    }

    /// A part of `bytes`, if there is as much left.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        // Counted first, so that two who come together cannot both take what is left.
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let taken = Taken { room: Arc::clone(self), bytes };
        (before.saturating_add(bytes) <= self.max).then_some(taken)
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
