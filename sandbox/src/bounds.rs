//! What one call of a guest may use up, and the meter that sees to it.

use std::time::Duration;

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

/// Measures what one store holds.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: usize,
    memory_max: usize,
    table_elements: usize,
    refused: Option<Refused>,
}

/// The guest wanted more than it may have; what it does about it is its own business, but if it
/// breaks, this is why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory,
    Table,
}

impl Meter {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self { memory: 0, memory_max: bounds.memory, table_elements: 0, refused: None }
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
        let would_be = self.memory.saturating_add(desired.saturating_sub(current));
        let fits = would_be <= self.memory_max;
        if fits {
            self.memory = would_be;
        } else {
            self.refused = Some(Refused::Memory);
        }
        Ok(fits)
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

    #[test]
    fn memories_are_counted_together() {
        let bounds = Bounds { memory: 100, time: Duration::from_secs(1), output: 1 };
        let mut meter = Meter::new(&bounds);
        assert!(meter.memory_growing(0, 60, None).unwrap(), "the first memory");
        assert!(!meter.memory_growing(0, 60, None).unwrap(), "the second is one too many");
        assert_eq!(meter.refused(), Some(Refused::Memory));
        assert!(meter.memory_growing(60, 100, None).unwrap(), "the first may take what is left");
    }
}
