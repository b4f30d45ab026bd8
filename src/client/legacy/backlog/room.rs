//! Room for what is kept for all sessions together, of which no user can take all.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::hub::user::UserTools;

/// The part of all room that one user may take.
const USERS_PART: usize = 4;

/// Bytes, of which each session takes what it keeps.
pub(in crate::client) struct Room {
    taken: AtomicUsize,
    max: usize,
}

/// The room as one session of a user has it.
#[derive(Clone)]
pub(in crate::client) struct Share {
    all: Arc<Room>,
    /// That of the user, all sessions together.
    own: Arc<Room>,
    pub(super) tools: Arc<UserTools>,
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

    fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        let with = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.max);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).ok()?;
        Some(Taken { room: Arc::clone(self), bytes })
    }

    fn is_half_taken(&self) -> bool {
        self.taken() > self.max / 2
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Share {
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.all.taken()
    }

    /// The first of a user. `least` is what each may take in any case: one large answer.
    pub(in crate::client) fn first(all: &Arc<Room>, least: usize, tools: Arc<UserTools>) -> Self {
        let own = Arc::new(Room::new((all.max / USERS_PART).max(least)));
        Self { all: Arc::clone(all), own, tools }
    }

    /// A part of `bytes`, if there is as much left.
    pub(super) fn take(&self, bytes: usize) -> Option<[Taken; 2]> {
        let taken = self.own.take(bytes).and_then(|own| Some([own, self.all.take(bytes)?]));
        if taken.is_none() {
            self.tools.hit("limits.event_bytes");
        }
        taken
    }

    /// Whether so much is taken that the rest is for what was not read yet.
    pub(super) fn is_crowded(&self) -> bool {
        self.own.is_half_taken() || self.all.is_half_taken()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
