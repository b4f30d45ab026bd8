//! How fast one user may call: so many calls per second, and a burst after a pause (GCRA).

use std::{ops::Add, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use crate::model::{error::LimitHit, limits::Limits};

/// One user's pace.
pub(super) struct Pace {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Moment>>,
    per_second: usize,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let quota = Quota::per_second(limits.calls_per_second).allow_burst(limits.calls_burst);
        let limiter = RateLimiter::direct_with_clock(quota, TokioClock);
        let per_second = usize::try_from(limits.calls_per_second.get()).unwrap_or(usize::MAX);
        Self { limiter, per_second }
    }

    /// Counts one call, if it does not come too soon.
    pub(super) fn keep(&self) -> Result<(), LimitHit> {
        self.limiter.check().map_err(|early| {
            let wait = early.wait_time_from(TokioClock.now());
            let whole_seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            LimitHit {
                bound: "limits.calls_per_second, the calls a user may make per second when \
                        limits.calls_burst is used up,",
                max: self.per_second,
                retry_after: Duration::from_secs(whole_seconds.max(1)),
            }
        })
    }
}

/// Tokio's clock, which tests can pause.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment(Instant);

impl Clock for TokioClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(Instant::now())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, later: Nanos) -> Self {
        Self(self.0 + Duration::from(later))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_so_many_per_second() {
        let limits = Limits {
            calls_per_second: 10.try_into().unwrap(),
            calls_burst: 3.try_into().unwrap(),
            ..Limits::default()
        };
        let pace = Pace::new(&limits);
        let kept = || (0..20).take_while(|_| pace.keep().is_ok()).count();
        assert_eq!(kept(), 3, "the burst");
        advance(Duration::from_millis(99)).await;
        assert_eq!(kept(), 0, "one below");
        advance(Duration::from_millis(1)).await;
        assert_eq!(kept(), 1, "at it");
        advance(Duration::from_secs(60)).await;
        assert_eq!(kept(), 3, "a burst again, not more");
        let hit = pace.keep().unwrap_err();
        assert_eq!(hit.key(), "limits.calls_per_second");
        assert_eq!(hit.retry_after, Duration::from_secs(1));
    }
}
