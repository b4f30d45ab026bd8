//! A storm: users, clients and providers who do to a hub whatever can be done to one, and in between
//! calms, in which the hub has to be as if nothing had happened.
//!
//! Once on paused time, in memory, where hours pass in seconds and a seed decides what everybody does;
//! and once with the real binary over real sockets. Whatever the weather: every call has one outcome in
//! its time, none reaches another user, no tool that is not repeatable runs twice, nobody is told that
//! a call did not run when it may have, all permits come back, and the lists are what is registered.

mod acts;
mod book;
mod caller;
mod director;
mod ground;
mod legacy;
mod listener;
mod modern;
mod net;
mod provider;
mod verdict;
mod weather;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{runtime::Builder, sync::watch, time::Instant};

use self::{
    book::{Book, SIGHTS},
    director::Director,
    ground::{Binary, Ground, Memory},
    net::Net,
    weather::{CALM_MAX, PASSER_BY, USERS},
};
use crate::support::{hub::token_for, resident, runner};

/// Storms on paused time.
const SEEDS_USUALLY: u64 = 3;
/// Rounds of storm and calm on paused time.
const ROUNDS: usize = 2;
const ROUND: Duration = Duration::from_secs(12);
/// How much slower everybody is over real sockets: other tests run beside it.
const SLOWLY: u32 = 3;
/// What the allocator may keep, in KiB.
const SLACK: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Storm,
    /// Nobody begins anything.
    Calm,
    Over,
}

/// What all actors share.
struct Storm {
    net: Net,
    phase: watch::Sender<Phase>,
    book: Mutex<Book>,
    tokens: BTreeMap<&'static str, String>,
    /// Callers who are in the middle of something.
    busy: AtomicUsize,
    /// How much longer everybody waits between two acts than on paused time.
    pace: u32,
}

/// A caller in the middle of something.
struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Storm {
    fn new(net: Net, pace: u32) -> Self {
        let day = Duration::from_secs(24 * 3600);
        let everybody = USERS.into_iter().chain([PASSER_BY]);
        Self {
            net,
            phase: watch::Sender::new(Phase::Storm),
            book: Mutex::default(),
            tokens: everybody.map(|user| (user, token_for(user, None, day))).collect(),
            busy: AtomicUsize::new(0),
            pace,
        }
    }

    fn token(&self, user: &str) -> &str {
        &self.tokens[user]
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock()
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    fn weather(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Waits while it is calm; `false` when it is over.
    async fn blows(&self) -> bool {
        let mut weather = self.weather();
        let phase = weather.wait_for(|phase| *phase != Phase::Calm).await;
        *phase.expect("the storm has the sender") == Phase::Storm
    }

    /// As [`Self::blows`]; whoever acts is waited for before it is calm.
    async fn may_act(&self) -> Option<Busy<'_>> {
        self.blows().await.then(|| {
            self.busy.fetch_add(1, Ordering::Relaxed);
            Busy(&self.busy)
        })
    }

    /// Whether time passes only when nobody has anything to do.
    fn is_paused(&self) -> bool {
        self.pace == 1
    }

    fn paced(&self, pause: Duration) -> Duration {
        pause * self.pace
    }

    /// What the hub, and this machine, may take beyond what was agreed upon.
    fn patience(&self) -> Duration {
        Duration::from_secs(2) * self.pace
    }

    /// A moment from now.
    fn soon(&self) -> Instant {
        Instant::now() + self.paced(Duration::from_millis(50))
    }
}

/// Runs a storm to its end; if that sinks the hub, says which seed it was.
fn raise<T>(seed: u64, is_paused: bool, storm: impl Future<Output = T>) -> T {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(is_paused).build().expect("a runtime");
    let blown = catch_unwind(AssertUnwindSafe(|| runtime.block_on(storm)));
    blown.unwrap_or_else(|_| panic!("{}={seed} has it again", runner::SEED))
}

#[test]
fn storms_on_paused_time_leave_nothing_behind() {
    let seeds = match runner::seed() {
        Some(seed) => seed..seed + 1,
        None => 1..1 + runner::seeds().unwrap_or(SEEDS_USUALLY),
    };
    let mut sights = BTreeMap::<&str, u64>::new();
    for seed in seeds.clone() {
        let seen = raise(seed, true, async {
            let mut director = Director::new(Memory::start(), seed, 1);
            for _ in 0..ROUNDS {
                director.round(ROUND).await;
            }
            director.end().await
        });
        for (sight, times) in seen {
            *sights.entry(sight).or_default() += times;
        }
    }
    println!("{sights:?}");
    let missed: Vec<_> = SIGHTS.iter().filter(|sight| !sights.contains_key(**sight)).collect();
    assert!(missed.is_empty() || seeds.count() == 1, "never reached: {missed:?}");
}

#[test]
fn a_storm_over_real_sockets_leaves_nothing_behind() {
    let seed = runner::seed().unwrap_or(1);
    let length = runner::length().unwrap_or(Duration::from_mins(1));
    let (levels, sights) = raise(seed, false, async {
        let end = Instant::now() + length;
        let mut director = Director::new(Binary::start().await, seed, SLOWLY);
        let mut levels = Vec::new();
        while levels.len() < 2 || Instant::now() + ROUND + CALM_MAX < end {
            director.round(ROUND).await;
            levels.push(resident(director.ground().process()));
        }
        (levels, director.end().await)
    });
    println!("resident memory after each round, in KiB: {levels:?}\n{sights:?}");
    let (first, last) = (levels[0], levels[levels.len() - 1]);
    assert!(last < first + first / 4 + SLACK, "memory grew by rounds, in KiB: {levels:?}");
    for sight in ["answered", "failed over", "outcome unknown", "a cancellation", "list_changed"] {
        assert!(sights.contains_key(sight), "never reached: {sight}, of {sights:?}");
    }
}
