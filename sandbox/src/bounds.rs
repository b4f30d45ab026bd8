//! What one call of a guest may use up, and the meter that sees to it.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::ResourceLimiter;

/// Handles of the host's things (streams, requests, files) a call may hold.
pub(crate) const HANDLES_MAX: usize = 1_000;
/// Handles of the component's own resources a call may hold.
pub(crate) const COMPONENT_HANDLES_MAX: usize = 10_000;
/// Core instances, memories and tables one component may be made of.
pub(crate) const CORE_INSTANCES_MAX: u32 = 64;
pub(crate) const MEMORIES_MAX: u32 = 8;
pub(crate) const TABLES_MAX: u32 = 32;
/// Elements of all tables together.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;
/// The largest single read of random bytes.
pub(crate) const RANDOM_BYTES_MAX: u64 = 1024 * 1024;
/// HTTP requests of one call that may be under way at once, their answers being read included.
pub(crate) const REQUESTS_MAX: usize = 32;
/// The headers of one HTTP message, as they lie in memory.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The bounds of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Linear memory of all modules of the component together, in bytes.
    pub memory: usize,
    /// From the start of a call to its end, waiting included.
    pub time: Duration,
    /// What crosses from guest to host in one piece, results above all, in bytes.
    pub output: usize,
}

/// Linear memory that all guests may have together. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

/// Memory is handed out in pieces of this size, in bytes: a page of Wasm.
const PIECE: usize = 64 * 1024;

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / PIECE).min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(pieces).ok()
    }
}

/// Measures what one store holds.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: usize,
    memory_max: usize,
    budget: Budget,
    /// What was taken of the budget; given back with the meter.
    taken: Option<OwnedSemaphorePermit>,
    table_elements: usize,
    refused: Option<Refused>,
}

/// The guest wanted more than it may have; what it does about it is its own business, but if it
/// breaks, this is why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory,
    /// All guests together have as much as they may.
    Budget,
    Table,
}

impl Meter {
    pub(crate) fn new(bounds: &Bounds, budget: Budget) -> Self {
        let memory_max = bounds.memory;
        Self { memory: 0, memory_max, budget, taken: None, table_elements: 0, refused: None }
    }

    fn grow_memory(&mut self, bytes: usize) -> Result<(), Refused> {
        let would_be = self.memory.saturating_add(bytes);
        if would_be > self.memory_max {
            return Err(Refused::Memory);
        }
        let more = self.budget.take(bytes).ok_or(Refused::Budget)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        self.memory = would_be;
        Ok(())
    }

    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = self.grow_memory(desired.saturating_sub(current));
        self.refused = grown.err().or(self.refused);
        Ok(grown.is_ok())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let would_be = self.table_elements.saturating_add(desired.saturating_sub(current));
        let fits = would_be <= TABLE_ELEMENTS_MAX;
        if fits {
            self.table_elements = would_be;
        } else {
            self.refused = Some(Refused::Table);
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(memory: usize) -> Bounds {
        Bounds { memory, time: Duration::from_secs(1), output: 1 }
    }

    #[test]
    fn memories_are_counted_together() {
        let mut meter = Meter::new(&bounds(100), Budget::new(10 * PIECE));
        assert!(meter.memory_growing(0, 60, None).unwrap(), "the first memory");
        assert!(!meter.memory_growing(0, 60, None).unwrap(), "the second is one too many");
        assert_eq!(meter.refused(), Some(Refused::Memory));
        assert!(meter.memory_growing(60, 100, None).unwrap(), "the first may take what is left");
    }

    #[test]
    fn all_guests_share_one_budget_and_give_back_what_they_took() {
        let budget = Budget::new(3 * PIECE);
        let meter = || Meter::new(&bounds(10 * PIECE), budget.clone());
        let (mut first, mut second) = (meter(), meter());
        assert!(first.memory_growing(0, 2 * PIECE, None).unwrap());
        assert!(!second.memory_growing(0, 2 * PIECE, None).unwrap());
        assert_eq!(second.refused(), Some(Refused::Budget));
        drop(first);
        assert!(second.memory_growing(0, 2 * PIECE, None).unwrap());
    }
}
