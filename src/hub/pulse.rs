//! Tells those who look that something has happened: cheap when nobody looks, and for many who do.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

/// What people look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    Tools,
    Providers,
    Plugins,
    Clients,
    Calls,
}

impl Matter {
    pub const ALL: [Self; 5] =
        [Self::Tools, Self::Providers, Self::Plugins, Self::Clients, Self::Calls];
}

/// How often each matter has changed, in the order of [`Matter::ALL`].
pub type Beats = [u64; Matter::ALL.len()];

/// Counts what happens to one user, or to the whole hub.
#[derive(Debug)]
pub struct Pulse {
    /// Tells this pulse from that of another user, or of another run of the hub.
    pub id: u64,
    beats: [AtomicU64; Matter::ALL.len()],
    waiting: AtomicUsize,
    bell: Notify,
}

impl Default for Pulse {
    fn default() -> Self {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source is there");
        Self {
            id: u64::from_le_bytes(bytes),
            beats: Default::default(),
            waiting: AtomicUsize::new(0),
            bell: Notify::new(),
        }
    }
}

impl Pulse {
    pub fn beat(&self, matter: Matter) {
        self.beats[matter as usize].fetch_add(1, SeqCst);
        // A bell has a lock in it, which a call need not take to tell nobody.
        if self.waiting.load(SeqCst) > 0 {
            self.bell.notify_waiters();
        }
    }

    pub fn beats(&self) -> Beats {
        std::array::from_fn(|index| self.beats[index].load(SeqCst))
    }

    /// Waits until something has happened after `since`.
    pub async fn changed(&self, since: &Beats) {
        self.until(|beats| beats != since).await;
    }

    /// Waits until `matter` has changed after its beat was `since`.
    pub async fn changed_in(&self, matter: Matter, since: u64) {
        self.until(|beats| beats[matter as usize] != since).await;
    }

    async fn until(&self, is_news: impl Fn(&Beats) -> bool) {
        let _waiting = Waiting::at(self);
        loop {
            let mut rung = pin!(self.bell.notified());
            // From here on no beat is missed: those before are counted, those after ring.
            rung.as_mut().enable();
            if is_news(&self.beats()) {
                return;
            }
            rung.await;
        }
    }
}

/// One who waits; no more when dropped.
struct Waiting<'a>(&'a Pulse);

impl<'a> Waiting<'a> {
    fn at(pulse: &'a Pulse) -> Self {
        pulse.waiting.fetch_add(1, SeqCst);
        Self(pulse)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn nobody_who_waits_misses_a_beat() {
        let pulse = Arc::new(Pulse::default());
        let mut lookers = JoinSet::new();
        for _ in 0..8 {
            let pulse = Arc::clone(&pulse);
            lookers.spawn(async move {
                let mut seen = Beats::default();
                while seen[Matter::Calls as usize] < 1_000 {
                    pulse.changed(&seen).await;
                    seen = pulse.beats();
                }
            });
        }
        for _ in 0..1_000 {
            pulse.beat(Matter::Calls);
            tokio::task::yield_now().await;
        }
        lookers.join_all().await;
        assert_eq!(pulse.waiting.load(SeqCst), 0);
    }
}
