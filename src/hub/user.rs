//! One user's part of the hub: their providers, their view, their calls, those who listen.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use super::{
    chronicle::Chronicle,
    health::{Fared, Health},
    history::History,
    journal::Entry,
    pace::Pace,
    pulse::Matter,
    registry::{OfferRefused, Position},
    traffic::Counted,
    view::{Offering, View},
};
use crate::model::{
    clock::Timestamp,
    error::{CallError, LimitHit},
    id::{ProviderId, UserId},
    limits::Limits,
    tool::ToolName,
};

/// Names offered to a caller who asked for one that is not there.
const CLOSE_NAMES_MAX: usize = 5;
/// How alike two names must be (Jaro-Winkler, 0 to 1) for one to be offered for the other.
const CLOSE_ENOUGH: f64 = 0.75;

/// Everything the hub knows of one user. Nothing in here is reachable from another user's.
pub struct UserTools {
    pub id: UserId,
    /// This user's own providers, newest first. The lock also orders the making of views.
    own: Mutex<Vec<Offering>>,
    /// How what everybody is offered fares with this user. One user's calls must not shut a
    /// provider to another: what breaks a plugin down may be in the arguments.
    shared_health: Mutex<HashMap<ProviderId, Arc<Health>>>,
    view: ArcSwap<View>,
    pub history: History,
    /// What is told of this user, and of all users together.
    pub chronicle: Chronicle,
    of_all: Arc<Chronicle>,
    /// Counts the changes of the list that listeners were told of.
    changes: watch::Sender<u64>,
    /// The digest of the list that listeners last knew.
    announced: Mutex<Vec<u8>>,
    calls: AtomicUsize,
    streams: AtomicUsize,
    pace: Pace,
}

/// A place among a user's calls or streams; given back on drop.
#[must_use = "the place is given back when this is dropped"]
pub struct Permit {
    user: Arc<UserTools>,
    counter: fn(&UserTools) -> &AtomicUsize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.counter)(&self.user).fetch_sub(1, Ordering::Relaxed);
    }
}

impl UserTools {
    pub(super) fn new(id: UserId, of_all: Arc<Chronicle>, limits: &Limits) -> Self {
        Self {
            id,
            own: Mutex::default(),
            shared_health: Mutex::default(),
            view: ArcSwap::default(),
            history: History::default(),
            chronicle: Chronicle::of_a_user(),
            of_all,
            changes: watch::Sender::new(0),
            announced: Mutex::default(),
            calls: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            pace: Pace::new(limits),
        }
    }

    /// The tools as they are now.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Hears of every change of the list from now on.
    pub fn watch(&self) -> watch::Receiver<u64> {
        let mut announced = self.announced.lock();
        if self.changes.receiver_count() == 0 {
            // While nobody listened nothing was compared; what is there now is what they know.
            *announced = self.view().list().digest().to_vec();
        }
        self.changes.subscribe()
    }

    /// Tells listeners if the list differs in any byte from the one they know.
    pub(super) fn announce(&self) {
        let mut announced = self.announced.lock();
        if self.changes.receiver_count() == 0 {
            return;
        }
        let view = self.view();
        let digest = view.list().digest();
        if *announced != digest {
            announced.clear();
            announced.extend_from_slice(digest);
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// A place among the calls of this user in flight.
    pub fn permit_call(self: &Arc<Self>, max: usize) -> Result<Permit, LimitHit> {
        self.permit("limits.calls_per_user, the calls a user may have in flight,", max, |user| {
            &user.calls
        })
    }

    /// Counts one more call, if this user does not call too fast.
    pub(super) fn pace(&self) -> Result<(), LimitHit> {
        self.pace.keep().inspect_err(|hit| self.hit(hit.key()))
    }

    /// A place among the event streams of this user.
    pub fn permit_stream(self: &Arc<Self>, max: usize) -> Result<Permit, LimitHit> {
        self.permit(
            "limits.streams_per_user, the event streams a user may hold open,",
            max,
            |user| &user.streams,
        )
    }

    fn permit(
        self: &Arc<Self>,
        bound: &'static str,
        max: usize,
        counter: fn(&Self) -> &AtomicUsize,
    ) -> Result<Permit, LimitHit> {
        // Counted first, so that two who come together cannot both take the last place.
        let before = counter(self).fetch_add(1, Ordering::Relaxed);
        let permit = Permit { user: Arc::clone(self), counter };
        if before < max {
            return Ok(permit);
        }
        let hit = LimitHit { bound, max, retry_after: Duration::from_secs(1) };
        self.hit(hit.key());
        Err(hit)
    }

    /// Calls of this user in flight.
    pub fn calls_in_flight(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Event streams this user holds open.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// A limit, by its key in the configuration, was in this user's way.
    pub fn hit(&self, limit: &'static str) {
        self.chronicle.hit(limit);
        self.of_all.hit(limit);
    }

    /// A call of this user has ended.
    pub(super) fn called(&self, entry: &Arc<Entry>, counted: Counted, at: Timestamp) {
        self.chronicle.called(entry, counted, at);
        self.of_all.called(entry, counted, at);
    }

    /// Tells those who look at this user, or at all, that something is new.
    pub fn tell(&self, matter: Matter) {
        self.chronicle.pulse.beat(matter);
        self.of_all.pulse.beat(matter);
    }

    /// Why there is no tool called `tool`, and what the caller may have meant.
    pub(super) fn unknown(&self, tool: &str, view: &View) -> CallError {
        let mut close: Vec<(f64, &ToolName)> = Vec::new();
        if tool.len() <= ToolName::BYTES_MAX {
            let alike = |name: &ToolName| strsim::jaro_winkler(name.as_str(), tool);
            close = view.names().map(|name| (alike(name), name)).collect();
            close.retain(|(alike, _)| *alike >= CLOSE_ENOUGH);
            close.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
            close.truncate(CLOSE_NAMES_MAX);
        }
        CallError::UnknownTool {
            tool: tool[..tool.floor_char_boundary(ToolName::BYTES_MAX)].into(),
            close: close.into_iter().map(|(_, name)| name.as_str().into()).collect(),
            gone: self.history.gone(tool),
        }
    }

    pub(super) fn change<T>(
        &self,
        common: &ArcSwap<Vec<Offering>>,
        work: impl FnOnce(&[Offering]) -> Result<(Vec<Offering>, T), OfferRefused>,
    ) -> Result<T, OfferRefused> {
        let mut own = self.own.lock();
        let (offerings, outcome) = work(&own)?;
        *own = offerings;
        self.rebuild(&own, &common.load());
        Ok(outcome)
    }

    pub(super) fn refresh(&self, common: &ArcSwap<Vec<Offering>>) {
        let own = self.own.lock();
        // Loaded under the lock: an older load could otherwise overwrite a newer view.
        self.rebuild(&own, &common.load());
    }

    fn rebuild(&self, own: &[Offering], common: &[Offering]) {
        let now = Instant::now();
        let common = self.with_own_health(common);
        let mut view = View::of(own.iter().chain(&common), now);
        self.history.pass(&self.id, &self.view(), &mut view, now);
        self.view.store(Arc::new(view));
        self.tell(Matter::Tools);
        self.tell(Matter::Providers);
    }

    /// What everybody is offered, each with this user's experience of it.
    fn with_own_health(&self, common: &[Offering]) -> Vec<Offering> {
        let mut known = self.shared_health.lock();
        let common: Vec<_> = common
            .iter()
            .map(|offering| {
                let id = &offering.identity.id;
                let health =
                    known.remove(id).unwrap_or_else(|| Arc::new(offering.health.untried()));
                Offering { health, ..offering.clone() }
            })
            .collect();
        let of = |offering: &Offering| (offering.identity.id.clone(), Arc::clone(&offering.health));
        *known = common.iter().map(of).collect();
        common
    }

    pub(super) fn positions(&self, provider: &ProviderId) -> Vec<Position> {
        let view = self.view();
        let own = self.own.lock();
        let offering = own.iter().find(|offering| offering.identity.id == *provider);
        let tools = offering.map(|offering| Arc::clone(&offering.tools)).unwrap_or_default();
        drop(own);
        let position = |name: &ToolName| {
            let offers = &view.stack(name.as_str())?.offers;
            let index = offers.iter().position(|offer| offer.identity.id == *provider)?;
            Some(Position { tool: name.clone(), position: index + 1, of: offers.len() })
        };
        tools.iter().filter_map(|tool| position(&tool.name)).collect()
    }

    /// This user's own providers, newest first.
    pub fn own(&self) -> Vec<Offering> {
        self.own.lock().clone()
    }

    /// What everybody is offered, as it fares with this user.
    pub fn shared(&self, common: &[Offering]) -> Vec<Offering> {
        let known = self.shared_health.lock();
        let experienced = common.iter().map(|offering| {
            let health = known.get(&offering.identity.id).unwrap_or(&offering.health);
            Offering { health: Arc::clone(health), ..offering.clone() }
        });
        experienced.collect()
    }

    /// How one of what everybody is offered fares with this user.
    pub fn fared(&self, provider: &ProviderId, now: Instant) -> Option<Fared> {
        self.shared_health.lock().get(provider).map(|health| health.fared(now))
    }

    pub(super) fn providers(&self) -> usize {
        self.own.lock().len()
    }

    /// Whether nothing of this user's own is here.
    pub(super) fn is_bare(&self) -> bool {
        self.own.lock().is_empty()
    }
}
