//! The last calls, for whoever looks: who, what, when, where to and how it ended. Never what was
//! asked or answered.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{events::Outcome, provider::Identity};
use crate::model::{clock::Timestamp, id::UserId};

/// One call that has ended.
#[derive(Debug)]
pub struct Entry {
    /// Unique in this run of the hub.
    pub number: u64,
    pub began: Timestamp,
    pub user: UserId,
    pub tool: Box<str>,
    pub outcome: Outcome,
    pub duration: Duration,
    /// The trace the client says it belongs to (W3C Trace Context §3.2.2.3), in hexadecimal digits.
    pub trace: Option<Box<str>>,
    /// Why there is no answer.
    pub why: Option<Box<str>>,
    pub attempts: Vec<Attempt>,
}

/// What became of a call at one provider.
#[derive(Debug)]
pub struct Attempt {
    pub provider: Arc<Identity>,
    /// From the beginning of the call.
    pub start: Duration,
    pub duration: Duration,
    pub end: AttemptEnd,
}

#[derive(Debug)]
pub enum AttemptEnd {
    Answered,
    /// Tried, and failed for this reason.
    Failed(Box<str>),
    /// Not tried at all, for this reason.
    PassedOver(Box<str>),
    /// Nobody waited any more.
    Cancelled,
}

/// The last so many calls of a user, or of all. Each has its place in the order in which they ended.
#[derive(Debug)]
pub struct Journal {
    kept_max: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    /// The place of the next.
    next: u64,
}

impl Journal {
    pub(super) fn new(kept_max: usize) -> Self {
        Self { kept_max, ring: Mutex::default() }
    }

    pub(super) fn keep(&self, entry: Arc<Entry>) {
        let mut ring = self.ring.lock();
        let washed_out =
            if ring.entries.len() == self.kept_max { ring.entries.pop_front() } else { None };
        ring.entries.push_back(entry);
        ring.next += 1;
        drop(ring);
        // What it was made of is freed without the lock.
        drop(washed_out);
    }

    /// The calls from place `from` on, oldest first, at most the last `max` of them; and the place
    /// that comes next.
    pub fn since(&self, from: u64, max: usize) -> (Vec<Arc<Entry>>, u64) {
        let ring = self.ring.lock();
        let new = usize::try_from(ring.next.saturating_sub(from)).unwrap_or(usize::MAX);
        let told = new.min(max).min(ring.entries.len());
        let skipped = ring.entries.len() - told;
        (ring.entries.range(skipped..).cloned().collect(), ring.next)
    }

    /// All calls that are kept, oldest first, with their places.
    pub fn kept(&self) -> Vec<(u64, Arc<Entry>)> {
        let ring = self.ring.lock();
        let first = ring.next - ring.entries.len() as u64;
        (first..).zip(ring.entries.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Arc<Entry> {
        Arc::new(Entry {
            number,
            began: Timestamp::now(),
            user: UserId::public(),
            tool: "echo".into(),
            outcome: Outcome::Ok,
            duration: Duration::ZERO,
            trace: None,
            why: None,
            attempts: Vec::new(),
        })
    }

    fn numbers(entries: &[Arc<Entry>]) -> Vec<u64> {
        entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn the_last_are_kept_and_told_in_order() {
        let journal = Journal::new(3);
        assert_eq!(journal.since(0, 9).1, 0);
        (0..5).for_each(|number| journal.keep(entry(number)));
        let (told, next) = journal.since(0, 9);
        assert_eq!((numbers(&told), next), (vec![2, 3, 4], 5));
        assert_eq!(numbers(&journal.since(4, 9).0), [4]);
        assert_eq!(numbers(&journal.since(0, 2).0), [3, 4]);
        assert_eq!(numbers(&journal.since(99, 9).0), [0; 0]);
    }

    #[test]
    fn each_has_its_place() {
        let journal = Journal::new(3);
        assert!(journal.kept().is_empty());
        (0..5).for_each(|number| journal.keep(entry(number)));
        let kept: Vec<_> = journal.kept().iter().map(|(at, entry)| (*at, entry.number)).collect();
        assert_eq!(kept, [(2, 2), (3, 3), (4, 4)]);
    }
}
