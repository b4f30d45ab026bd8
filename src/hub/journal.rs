//! The last calls, for whoever looks: who, what, when, where to and how it ended. Never what was
//! asked or answered.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{meters::Outcome, provider::Identity};
use crate::model::{
    clock::Timestamp,
    id::{ProviderId, UserId},
};

/// One call that has ended.
#[derive(Debug)]
pub struct Entry {
    /// Tells it from others of this run of the hub.
    pub id: u64,
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

impl Entry {
    /// Who gave the answer, if anybody did.
    pub(super) fn answered_by(&self) -> Option<&ProviderId> {
        let last = self.attempts.last()?;
        matches!(last.end, AttemptEnd::Answered).then_some(&last.provider.id)
    }
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
pub(super) struct Journal {
    kept_max: usize,
    entries: VecDeque<Arc<Entry>>,
    /// The place of the next.
    next: u64,
}

impl Journal {
    pub(super) fn new(kept_max: usize) -> Self {
        Self { kept_max, entries: VecDeque::new(), next: 0 }
    }

    /// Keeps `entry` and gives back the one that has to go for it.
    pub(super) fn keep(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let is_full = self.entries.len() == self.kept_max;
        let washed_out = if is_full { self.entries.pop_front() } else { None };
        self.entries.push_back(entry);
        self.next += 1;
        washed_out
    }

    /// The place of the next call.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The calls from place `from` on, oldest first, at most the last `max` of them.
    pub(super) fn since(&self, from: u64, max: usize) -> Vec<Arc<Entry>> {
        let new = usize::try_from(self.next.saturating_sub(from)).unwrap_or(usize::MAX);
        let told = new.min(max).min(self.entries.len());
        self.entries.range(self.entries.len() - told..).cloned().collect()
    }

    /// All calls that are kept, oldest first, with their places.
    pub(super) fn kept(&self) -> Vec<(u64, Arc<Entry>)> {
        let first = self.next - self.entries.len() as u64;
        (first..).zip(self.entries.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Arc<Entry> {
        Arc::new(Entry {
            id: number,
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
        entries.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn the_last_are_kept_and_told_in_order() {
        let mut journal = Journal::new(3);
        assert_eq!(journal.next(), 0);
        (0..5).for_each(|number| drop(journal.keep(entry(number))));
        assert_eq!((numbers(&journal.since(0, 9)), journal.next()), (vec![2, 3, 4], 5));
        assert_eq!(numbers(&journal.since(4, 9)), [4]);
        assert_eq!(numbers(&journal.since(0, 2)), [3, 4]);
        assert_eq!(numbers(&journal.since(99, 9)), [0; 0]);
    }

    #[test]
    fn each_has_its_place() {
        let mut journal = Journal::new(3);
        assert!(journal.kept().is_empty());
        (0..5).for_each(|number| drop(journal.keep(entry(number))));
        let kept: Vec<_> = journal.kept().iter().map(|(at, entry)| (*at, entry.id)).collect();
        assert_eq!(kept, [(2, 2), (3, 3), (4, 4)]);
    }
}
