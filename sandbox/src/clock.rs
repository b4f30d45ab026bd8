//! The clock by which guests are interrupted: every tick, each one that runs looks up from its work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::Engine;

/// How long a guest may keep a thread before others get a turn.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// How often a clock that stands still looks whether its engine is gone.
const STANDSTILL: Duration = Duration::from_secs(5);

/// Ticks while there are guests; stands still while there are none.
pub(crate) struct Clock {
    guests: Arc<Guests>,
    thread: Thread,
}

#[derive(Default)]
struct Guests {
    count: AtomicUsize,
    is_still: AtomicBool,
}

/// A guest that wants the clock to tick. It may stand still once this is dropped.
pub(crate) struct Ticking(Arc<Guests>);

impl Clock {
    /// A clock for `engine`; it ends with it.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let (engine, guests) = (engine.weak(), Arc::new(Guests::default()));
        let seen = Arc::clone(&guests);
        let tick = move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                if seen.count.load(Ordering::SeqCst) == 0 {
                    seen.is_still.store(true, Ordering::SeqCst);
                    // A guest may have come in between, and seen a clock that ticks.
                    if seen.count.load(Ordering::SeqCst) == 0 {
                        thread::park_timeout(STANDSTILL);
                    }
                    seen.is_still.store(false, Ordering::SeqCst);
                }
                // Not a task: a runtime whose threads are all held by guests would never run it.
                #[expect(clippy::disallowed_methods, reason = "this thread does nothing else")]
                thread::sleep(TICK);
            }
        };
        let thread = thread::Builder::new().name("epochs".into()).spawn(tick)?;
        Ok(Self { guests, thread: thread.thread().clone() })
    }

    /// Has the clock tick until the guard is dropped.
    pub(crate) fn tick(&self) -> Ticking {
        self.guests.count.fetch_add(1, Ordering::SeqCst);
        if self.guests.is_still.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(Arc::clone(&self.guests))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
    }
}
