//! Room for what is kept for all sessions together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::hub::user::UserTools;

/// Bytes, of which each session takes what it keeps.
pub(in crate::client) struct Room {
    pub(super) taken: AtomicUsize,
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
}

/// The room as one session of a user has it.
pub(in crate::client) struct Share {
    pub room: Arc<Room>,
    pub tools: Arc<UserTools>,
}

impl Share {
    /// A part of `bytes`, if there is as much left.
    pub(super) fn take(&self, bytes: usize) -> Option<Taken> {
        // Counted first, so that two who come together cannot both take what is left.
        let before = self.room.taken.fetch_add(bytes, Ordering::Relaxed);
        let taken = Taken { room: Arc::clone(&self.room), bytes };
        if before.saturating_add(bytes) <= self.room.max {
            return Some(taken);
        }
        self.tools.hit("limits.event_bytes");
        None
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
