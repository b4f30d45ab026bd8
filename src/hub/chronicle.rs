//! What is told of a user, or of the whole hub: how many calls, which were the last, which limits
//! were hit, and that there is news.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::{
    journal::{Entry, Journal},
    pulse::{Matter, Pulse},
    traffic::{Counted, Traffic},
};
use crate::model::clock::Timestamp;

/// Calls kept of each user, and of all users together.
const USER_CALLS_MAX: usize = 256;
const ALL_CALLS_MAX: usize = 1_024;

/// One for each user and one for all of them.
#[derive(Debug)]
pub struct Chronicle {
    pub pulse: Pulse,
    // Under one lock, which a call takes once.
    calls: Mutex<Calls>,
    // By the key of the configuration; no more than there are keys.
    limits: Mutex<BTreeMap<&'static str, Hits>>,
}

#[derive(Debug)]
struct Calls {
    journal: Journal,
    traffic: Traffic,
}

/// How often a limit was in somebody's way.
#[derive(Debug, Clone, Copy)]
pub struct Hits {
    pub count: u64,
    pub last: Timestamp,
}

impl Chronicle {
    fn new(calls_max: usize) -> Self {
        let calls = Calls { journal: Journal::new(calls_max), traffic: Traffic::default() };
        Self { pulse: Pulse::default(), calls: Mutex::new(calls), limits: Mutex::default() }
    }

    pub(super) fn of_a_user() -> Self {
        Self::new(USER_CALLS_MAX)
    }

    pub(super) fn of_all() -> Self {
        Self::new(ALL_CALLS_MAX)
    }

    pub(super) fn called(&self, entry: &Arc<Entry>, counted: Counted, at: Timestamp) {
        let mut calls = self.calls.lock();
        calls.traffic.record(entry.duration, counted, at);
        let washed_out = calls.journal.keep(Arc::clone(entry));
        drop(calls);
        // What it was made of is freed without the lock.
        drop(washed_out);
        self.pulse.beat(Matter::Calls);
    }

    /// How many calls there were up to now.
    pub fn traffic(&self) -> Traffic {
        self.calls.lock().traffic.clone()
    }

    /// When the last call ended.
    pub fn last_call(&self) -> Option<Timestamp> {
        self.calls.lock().traffic.last
    }

    /// The place of the next call in the order in which they end.
    pub fn next_call(&self) -> u64 {
        self.calls.lock().journal.next()
    }

    /// The calls from place `from` on, oldest first, at most the last `max` of them; and the place
    /// that comes next.
    pub fn calls_since(&self, from: u64, max: usize) -> (Vec<Arc<Entry>>, u64) {
        let calls = self.calls.lock();
        (calls.journal.since(from, max), calls.journal.next())
    }

    /// All calls that are kept, oldest first, with their places.
    pub fn calls(&self) -> Vec<(u64, Arc<Entry>)> {
        self.calls.lock().journal.kept()
    }

    /// `limit`, a key of the configuration, left no room for something.
    pub(super) fn hit(&self, limit: &'static str) {
        let last = Timestamp::now();
        let mut limits = self.limits.lock();
        let hits = limits.entry(limit).or_insert(Hits { count: 0, last });
        hits.count += 1;
        hits.last = last;
    }

    /// The limits that were hit, by their keys.
    pub fn limits(&self) -> BTreeMap<&'static str, Hits> {
        self.limits.lock().clone()
    }
}
