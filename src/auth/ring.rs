//! The keys of one source as they are now: read without a lock, replaced as a whole.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, Guard};

use super::key_set::KeySet;

/// Counts how often any key of the hub was replaced. What was found out before may be untrue since.
#[derive(Clone, Default)]
pub(super) struct Revision(Arc<AtomicU64>);

impl Revision {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

pub(super) struct Ring {
    keys: ArcSwap<KeySet>,
    revision: Revision,
}

impl Ring {
    pub(super) fn new(keys: KeySet, revision: Revision) -> Self {
        Self { keys: ArcSwap::from_pointee(keys), revision }
    }

    pub(super) fn keys(&self) -> Guard<Arc<KeySet>> {
        self.keys.load()
    }

    pub(super) fn replace(&self, keys: KeySet) {
        self.keys.store(Arc::new(keys));
        self.revision.0.fetch_add(1, Ordering::AcqRel);
    }
}
