//! How long to wait before something is tried again.

use std::time::Duration;

/// Exponential backoff with full jitter: each pause is drawn from nothing up to a bound that
/// doubles, so that many who lost the same hub do not come back in step.
#[derive(Debug)]
pub struct Backoff {
    bound: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const MAX: Duration = Duration::from_secs(30);

    pub fn new() -> Self {
        Self { bound: Self::FIRST }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.bound.mul_f64(chance());
        self.bound = (self.bound * 2).min(Self::MAX);
        pause
    }

    /// Things went well for a while: the next pause is a short one.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// A number from 0 to 1, by chance.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound_and_differ() {
        let mut backoff = Backoff::new();
        let mut bound = Backoff::FIRST;
        let pauses: Vec<_> = (0..20).map(|_| backoff.pause()).collect();
        for pause in &pauses {
            assert!(*pause <= bound, "{pause:?} is above {bound:?}");
            bound = (bound * 2).min(Backoff::MAX);
        }
        assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]), "{pauses:?}");
        backoff.reset();
        assert!(backoff.pause() <= Backoff::FIRST);
    }
}
