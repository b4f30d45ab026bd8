//! How many calls there were, how many failed, and how long they took.

use std::time::Duration;

use crate::model::clock::Timestamp;

/// Every power of two of microseconds has this many buckets, as a power of two.
const STEPS_LOG2: u32 = 2;
/// The first bucket takes all that is shorter than 2^6 = 64 µs.
const FIRST_LOG2: u32 = 6;
/// The last bucket takes all that is longer than 2^30 µs, a quarter of an hour.
const LAST_LOG2: u32 = 30;
const BUCKETS: usize = ((LAST_LOG2 - FIRST_LOG2) << STEPS_LOG2) as usize + 2;

/// The calls of a tool, of a user, or of the hub, up to some moment.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    pub calls: u64,
    /// Calls that failed and results that say `isError`, those refused by a limit among them.
    pub errors: u64,
    pub limited: u64,
    /// When the last one ended.
    pub last: Option<Timestamp>,
    // Most tools are never called.
    latency: Option<Box<[u32; BUCKETS]>>,
}

/// How a call counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Fine,
    Error,
    /// Refused by a limit: an error that tells nothing of latency.
    Limited,
}

impl Traffic {
    pub(super) fn record(&mut self, duration: Duration, counted: Counted, at: Timestamp) {
        self.calls += 1;
        self.last = Some(at);
        match counted {
            Counted::Fine => {}
            Counted::Error => self.errors += 1,
            Counted::Limited => {
                self.errors += 1;
                self.limited += 1;
                return;
            }
        }
        let latency = self.latency.get_or_insert_with(|| Box::new([0; BUCKETS]));
        latency[bucket(duration)] += 1;
    }

    /// What was counted after `earlier`, of the same traffic.
    pub fn after(&self, earlier: &Self) -> Self {
        let mut part = self.clone();
        part.calls = part.calls.saturating_sub(earlier.calls);
        part.errors = part.errors.saturating_sub(earlier.errors);
        part.limited = part.limited.saturating_sub(earlier.limited);
        if let (Some(latency), Some(earlier)) = (&mut part.latency, &earlier.latency) {
            for (count, earlier) in latency.iter_mut().zip(&**earlier) {
                *count = count.wrapping_sub(*earlier);
            }
        }
        part
    }

    /// The duration that a share of the calls, from 0 to 1, did not exceed; `None` without calls.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let latency = self.latency.as_deref()?;
        let total: u64 = latency.iter().map(|count| u64::from(*count)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a quantile is an estimate")]
        let rank = share * total as f64;
        let mut below = 0.0;
        for (index, count) in latency.iter().enumerate().filter(|(_, count)| **count > 0) {
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

    fn traffic(millis: impl IntoIterator<Item = u64>) -> Traffic {
        let mut traffic = Traffic::default();
        for millis in millis {
            traffic.record(Duration::from_millis(millis), Counted::Fine, Timestamp::now());
        }
        traffic
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
        let traffic = traffic(1..=1_000);
        for (share, truth) in [(0.5, 500.0), (0.99, 990.0)] {
            let told = traffic.quantile(share).expect("there were calls").as_secs_f64() * 1e3;
            assert!((told - truth).abs() / truth < 0.2, "{told} ms instead of {truth}");
        }
        assert_eq!(Traffic::default().quantile(0.5), None);
    }

    #[test]
    fn a_part_of_the_time_is_counted_on_its_own() {
        let mut traffic = Traffic::default();
        let at = Timestamp::now();
        traffic.record(Duration::from_secs(60), Counted::Error, at);
        let before = traffic.clone();
        traffic.record(Duration::from_millis(1), Counted::Fine, at);
        traffic.record(Duration::ZERO, Counted::Limited, at);
        let part = traffic.after(&before);
        assert_eq!((part.calls, part.errors, part.limited), (2, 1, 1));
        assert!(part.quantile(0.99).expect("a call") < Duration::from_millis(2));
    }
}
