//! Tells listeners that lists have changed: after a short pause, once for many changes.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{registry::Registry, user::UserTools};
use crate::model::id::UserId;

/// How long changes are gathered: short for a person, long for a provider that registers
/// again and again.
const GATHERED: Duration = Duration::from_millis(100);

/// Cheap to clone; all clones feed one task.
#[derive(Clone, Default)]
pub struct Announcer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    due: Mutex<Due>,
    wake: Notify,
}

#[derive(Default)]
struct Due {
    announcements: HashMap<UserId, Entry>,
    refreshes: Vec<Entry>,
}

struct Entry {
    at: Instant,
    // An announcement must not keep a user in memory who has left.
    user: Weak<UserTools>,
}

impl Announcer {
    pub(super) fn announce(&self, user: &Arc<UserTools>) {
        let at = Instant::now() + GATHERED;
        let mut due = self.shared.due.lock();
        due.announcements
            .entry(user.id.clone())
            .or_insert_with(|| Entry { at, user: Arc::downgrade(user) });
        drop(due);
        self.shared.wake.notify_one();
    }

    /// Has `user`'s view worked out anew at that time.
    pub(super) fn refresh_at(&self, user: &Arc<UserTools>, at: Instant) {
        let entry = Entry { at, user: Arc::downgrade(user) };
        self.shared.due.lock().refreshes.push(entry);
        self.shared.wake.notify_one();
    }

    /// Runs until dropped.
    pub(super) async fn run(self, registry: Registry) {
        loop {
            let next = self.shared.due.lock().next();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {
                    self.catch_up(&registry);
                }
            }
        }
    }

    fn catch_up(&self, registry: &Registry) {
        let now = Instant::now();
        let mut due = self.shared.due.lock();
        let refreshes: Vec<_> = due.refreshes.extract_if(.., |entry| entry.at <= now).collect();
        let changed = due.announcements.extract_if(|_, entry| entry.at <= now);
        let changed: Vec<_> = changed.map(|(_, entry)| entry).collect();
        drop(due);
        refreshes.iter().filter_map(Entry::user).for_each(|user| registry.refresh(&user));
        changed.iter().filter_map(Entry::user).for_each(|user| user.announce());
    }
}

impl Entry {
    fn user(&self) -> Option<Arc<UserTools>> {
        self.user.upgrade()
    }
}

impl Due {
    fn next(&self) -> Option<Instant> {
        self.announcements.values().chain(&self.refreshes).map(|entry| entry.at).min()
    }
}
