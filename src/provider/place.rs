//! One of the calls a provider may have in flight.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Given back on drop.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    pub(super) fn take(count: &'a AtomicUsize, max: usize) -> Option<Self> {
        // Counted first, so that two who come together cannot both take the last place.
        let before = count.fetch_add(1, Ordering::Relaxed);
        let place = Self(count);
        (before < max).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
