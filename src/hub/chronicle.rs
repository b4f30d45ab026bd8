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
    pub journal: Journal,
    pub traffic: Traffic,
    // By the key of the configuration; no more than there are keys.
    limits: Mutex<BTreeMap<&'static str, Hits>>,
}

/// How often a limit was in somebody's way.
#[derive(Debug, Clone, Copy)]
pub struct Hits {
    pub count: u64,
    pub last: Timestamp,
}

impl Chronicle {
    fn new(calls_max: usize) -> Self {
        Self {
            pulse: Pulse::default(),
            journal: Journal::new(calls_max),
            traffic: Traffic::default(),
            limits: Mutex::default(),
        }
    }

    pub(super) fn of_a_user() -> Self {
        Self::new(USER_CALLS_MAX)
    }

    pub(super) fn of_all() -> Self {
        Self::new(ALL_CALLS_MAX)
    }

    pub(super) fn called(&self, entry: &Arc<Entry>, counted: Counted, at: Timestamp) {
        self.traffic.record(entry.duration, counted, at);
        self.journal.keep(Arc::clone(entry));
        self.pulse.beat(Matter::Calls);
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
