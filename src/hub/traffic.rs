//! How many calls there were, how many failed, and how long they took: counted with a few atomic
//! additions each, read by whoever looks.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::model::clock::Timestamp;

/// Every power of two of microseconds has this many buckets, as a power of two.
const STEPS_LOG2: u32 = 2;
/// The first bucket takes all that is shorter than 2^6 = 64 µs.
const FIRST_LOG2: u32 = 6;
/// The last bucket takes all that is longer than 2^30 µs, a quarter of an hour.
const LAST_LOG2: u32 = 30;
const BUCKETS: usize = ((LAST_LOG2 - FIRST_LOG2) << STEPS_LOG2) as usize + 2;

/// The calls of a tool, of a user, or of the hub.
#[derive(Debug, Default)]
pub struct Traffic {
    calls: AtomicU64,
    errors: AtomicU64,
    limited: AtomicU64,
    /// Milliseconds since 1970; zero when there was none.
    last: AtomicU64,
    // Most tools are never called.
    latency: OnceLock<Box<Histogram>>,
}

/// How a call counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Fine,
    Error,
    /// Refused by a limit: an error that tells nothing of latency.
    Limited,
}

#[derive(Debug)]
struct Histogram([AtomicU32; BUCKETS]);

impl Traffic {
    pub(super) fn record(&self, duration: Duration, counted: Counted, at: Timestamp) {
        self.calls.fetch_add(1, Relaxed);
        self.last.store(at.millis(), Relaxed);
        match counted {
            Counted::Fine => {}
            Counted::Error => drop(self.errors.fetch_add(1, Relaxed)),
            Counted::Limited => {
                self.errors.fetch_add(1, Relaxed);
                self.limited.fetch_add(1, Relaxed);
                return;
            }
        }
        let new = || Box::new(Histogram([const { AtomicU32::new(0) }; BUCKETS]));
        self.latency.get_or_init(new).0[bucket(duration)].fetch_add(1, Relaxed);
    }

    /// What was counted up to now.
    pub fn tally(&self) -> Tally {
        let mut latency = [0; BUCKETS];
        if let Some(counts) = self.latency.get() {
            for (copy, count) in latency.iter_mut().zip(&counts.0) {
                *copy = count.load(Relaxed);
            }
        }
        let last = self.last.load(Relaxed);
        Tally {
            calls: self.calls.load(Relaxed),
            errors: self.errors.load(Relaxed),
            limited: self.limited.load(Relaxed),
            last: (last > 0).then(|| Timestamp::from_millis(last)),
            latency,
        }
    }
}

/// What was counted at one moment, or between two.
#[derive(Debug, Clone)]
pub struct Tally {
    pub calls: u64,
    /// Calls that failed and results that say `isError`, those refused by a limit among them.
    pub errors: u64,
    pub limited: u64,
    pub last: Option<Timestamp>,
    latency: [u32; BUCKETS],
}

impl Default for Tally {
    fn default() -> Self {
        Self { calls: 0, errors: 0, limited: 0, last: None, latency: [0; BUCKETS] }
    }
}

impl Tally {
    /// What was counted after `earlier`. Counting begins anew for a user who was forgotten.
    pub fn after(&self, earlier: &Self) -> Self {
        if earlier.calls > self.calls {
            return self.clone();
        }
        let mut latency = self.latency;
        for (count, earlier) in latency.iter_mut().zip(&earlier.latency) {
            *count = count.wrapping_sub(*earlier);
        }
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            errors: self.errors.saturating_sub(earlier.errors),
            limited: self.limited.saturating_sub(earlier.limited),
            last: self.last,
            latency,
        }
    }

    /// The duration that a share of the calls, from 0 to 1, did not exceed; `None` without calls.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total: u64 = self.latency.iter().map(|count| u64::from(*count)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a quantile is an estimate")]
        let rank = share * total as f64;
        let mut below = 0.0;
        for (index, count) in self.latency.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = f64::from(*count);
            if below + count >= rank {
                // As if the calls of a bucket lay evenly in it.
                let (low, high) = (lower_bound(index), lower_bound(index + 1));
                let part = ((rank - below) / count).clamp(0.0, 1.0);
                return Some(low + (high - low).mul_f64(part));
            }
            below += count;
        }
        None
    }
}

fn bucket(duration: Duration) -> usize {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let Some(log2) = micros.checked_ilog2().filter(|log2| *log2 >= FIRST_LOG2) else { return 0 };
    if log2 >= LAST_LOG2 {
        return BUCKETS - 1;
    }
    let step = (micros >> (log2 - STEPS_LOG2)) & ((1 << STEPS_LOG2) - 1);
    1 + ((log2 - FIRST_LOG2) << STEPS_LOG2) as usize + usize::try_from(step).unwrap_or_default()
}

/// The shortest duration of a bucket; for one past the last, the longest that is told.
fn lower_bound(index: usize) -> Duration {
    let Some(index) = index.checked_sub(1) else { return Duration::ZERO };
    let (octave, step) = (index >> STEPS_LOG2, (index & ((1 << STEPS_LOG2) - 1)) as u64);
    let base = 1_u64 << (octave + FIRST_LOG2 as usize);
    Duration::from_micros(base + ((base * step) >> STEPS_LOG2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(millis: impl IntoIterator<Item = u64>) -> Tally {
        let traffic = Traffic::default();
        for millis in millis {
            traffic.record(Duration::from_millis(millis), Counted::Fine, Timestamp::now());
        }
        traffic.tally()
    }

    #[test]
    fn every_duration_lies_in_its_bucket() {
        for micros in (0..40).flat_map(|log2| [(1_u64 << log2) - 1, 1 << log2, 3 << log2]) {
            let duration = Duration::from_micros(micros);
            let index = bucket(duration);
            assert!(lower_bound(index) <= duration, "{micros} µs in {index}");
            assert!(index == BUCKETS - 1 || duration < lower_bound(index + 1), "{micros} µs");
        }
    }

    #[test]
    fn quantiles_are_near_the_truth() {
        let tally = tally(1..=1_000);
        for (share, truth) in [(0.5, 500.0), (0.99, 990.0)] {
            let told = tally.quantile(share).expect("there were calls").as_secs_f64() * 1e3;
            assert!((told - truth).abs() / truth < 0.2, "{told} ms instead of {truth}");
        }
        assert_eq!(Tally::default().quantile(0.5), None);
    }

    #[test]
    fn a_part_of_the_time_has_a_tally_of_its_own() {
        let traffic = Traffic::default();
        let at = Timestamp::now();
        traffic.record(Duration::from_secs(60), Counted::Error, at);
        let before = traffic.tally();
        traffic.record(Duration::from_millis(1), Counted::Fine, at);
        traffic.record(Duration::ZERO, Counted::Limited, at);
        let part = traffic.tally().after(&before);
        assert_eq!((part.calls, part.errors, part.limited), (2, 1, 1));
        assert!(part.quantile(0.99).expect("a call") < Duration::from_millis(2));
    }
}
