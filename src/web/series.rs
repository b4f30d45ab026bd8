//! The last hour in points: how much went on, and how long it took.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    hub::{Hub, traffic::Traffic},
    model::{clock::Timestamp, id::UserId},
};

/// The time from one point to the next.
pub(super) const STEP: Duration = Duration::from_secs(15);
/// An hour of them.
const POINTS_MAX: usize = 240;

/// What was counted in the step before `at`.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub at: Timestamp,
    pub calls: u64,
    pub errors: u64,
    pub limited: u64,
    pub p50: Option<Duration>,
    pub p99: Option<Duration>,
    pub in_flight: usize,
    /// Bytes of memory the process holds, where the system tells.
    pub memory: Option<u64>,
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Series {
    hub: Hub,
    started: Timestamp,
    past: Arc<Mutex<Past>>,
}

#[derive(Default)]
struct Past {
    all: Track,
    /// Users who called something within the hour, or are here and have called something.
    users: HashMap<UserId, Track>,
}

#[derive(Default)]
struct Track {
    /// Whose counting this is, and how far it was.
    pulse: u64,
    counted: Traffic,
    points: VecDeque<Point>,
}

impl Series {
    pub fn new(hub: Hub) -> Self {
        Self { hub, started: Timestamp::now(), past: Arc::default() }
    }

    /// Adds a point at every step, until dropped.
    pub async fn record(self) {
        let mut tick = tokio::time::interval(STEP);
        // The first tick comes at once, when there is nothing to tell yet.
        tick.tick().await;
        loop {
            tick.tick().await;
            self.step(Timestamp::now());
        }
    }

    fn step(&self, at: Timestamp) {
        let mut past = self.past.lock();
        let (mut in_flight, mut present) = (0, HashSet::new());
        self.hub.registry().each(|user| {
            let calls = user.calls_in_flight();
            in_flight += calls;
            let counted = user.chronicle.traffic();
            if counted.calls > 0 || calls > 0 {
                let track = past.users.entry(user.id.clone()).or_default();
                track.add(at, user.chronicle.pulse.id, counted, calls, None);
                present.insert(user.id.clone());
            }
        });
        let all = self.hub.registry().chronicle();
        past.all.add(at, all.pulse.id, all.traffic(), in_flight, memory());
        let oldest = past.all.points.front().map_or(at, |point| point.at);
        past.users.retain(|user, track| present.contains(user) || track.is_of_use(oldest));
    }

    /// When the hub was started.
    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    /// The points of a user, or of all for `None`, oldest first.
    pub(super) fn points(&self, user: Option<&UserId>) -> Vec<Point> {
        let past = self.past.lock();
        let Some(user) = user else { return past.all.points.iter().cloned().collect() };
        let own = past.users.get(user).map(|track| &track.points);
        // At the same times for everybody: where there is no point of theirs, they did nothing.
        let mut own = own.into_iter().flatten().peekable();
        let times = past.all.points.iter().map(|point| point.at);
        let at = |at| {
            while own.next_if(|point| point.at < at).is_some() {}
            own.next_if(|point| point.at == at).cloned().unwrap_or_else(|| Point::empty(at))
        };
        times.map(at).collect()
    }
}

impl Track {
    fn add(
        &mut self,
        at: Timestamp,
        pulse: u64,
        counted: Traffic,
        in_flight: usize,
        memory: Option<u64>,
    ) {
        // Counting begins anew for a user who was forgotten.
        let step = if self.pulse == pulse { counted.after(&self.counted) } else { counted.clone() };
        self.pulse = pulse;
        self.counted = counted;
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(Point { memory, in_flight, ..Point::of(at, &step) });
    }

    fn is_of_use(&self, oldest: Timestamp) -> bool {
        let is_something =
            |point: &Point| point.at >= oldest && (point.calls > 0 || point.in_flight > 0);
        self.points.iter().any(is_something)
    }
}

impl Point {
    pub(super) fn of(at: Timestamp, counted: &Traffic) -> Self {
        Self {
            at,
            calls: counted.calls,
            errors: counted.errors,
            limited: counted.limited,
            p50: counted.quantile(0.5),
            p99: counted.quantile(0.99),
            in_flight: 0,
            memory: None,
        }
    }

    fn empty(at: Timestamp) -> Self {
        Self::of(at, &Traffic::default())
    }
}

/// Bytes of memory the process holds; Linux tells.
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hub::router, model::limits::Limits};

    #[tokio::test]
    async fn an_hour_is_kept_and_users_have_points_at_the_same_times() {
        let hub = Hub::new(Arc::new(Limits::default()), router::Options::default(), None, None);
        let user = hub.user(&UserId::public());
        let series = Series::new(hub.clone());
        for n in 0..300 {
            if n == 290 {
                let call = crate::model::call::Call { tool: "none".into(), ..Default::default() };
                hub.call(&user, call).await.expect_err("there is no such tool");
            }
            series.step(Timestamp::from_millis(n * 15_000));
        }
        let times = |user| series.points(user).iter().map(|p| p.at.millis()).collect::<Vec<_>>();
        let all = times(None);
        assert_eq!((all.len(), all[0]), (POINTS_MAX, 60 * 15_000));
        assert_eq!(times(Some(&user.id)), all);
        assert_eq!(times(UserId::parse("nobody").as_ref()), all);
        let calls = |user| series.points(user).iter().map(|p| p.calls).sum::<u64>();
        assert_eq!((calls(None), calls(Some(&user.id))), (1, 1));
        assert!(memory().is_none_or(|bytes| bytes > 1_000_000));
    }

    #[test]
    fn counting_begins_anew_for_a_user_who_was_forgotten() {
        let counted = |calls| {
            let mut traffic = Traffic::default();
            (traffic.calls, traffic.errors) = (calls, calls);
            traffic
        };
        let mut track = Track::default();
        let at = Timestamp::from_millis;
        track.add(at(1), 7, counted(2), 0, None);
        track.add(at(2), 7, counted(5), 0, None);
        track.add(at(3), 8, counted(1), 0, None);
        track.add(at(4), 8, counted(1), 0, None);
        let points: Vec<_> = track.points.iter().map(|point| (point.calls, point.errors)).collect();
        assert_eq!(points, [(2, 2), (3, 3), (1, 1), (0, 0)]);
    }
}
