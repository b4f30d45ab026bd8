//! Raises storms and looks at the hub when it is calm.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Ground, Phase, Storm,
    caller::Caller,
    ground::Standing,
    legacy, listener, modern, provider,
    weather::{
        CALL_TOTAL, LEGACY_CALLERS, LISTENERS, MODERN_CALLERS, PASSER_BY, PROVIDERS, SESSION_IDLE,
        SETTLING, SOCKETS_MAX, STREAMS_MAX, USERS,
    },
};
use crate::support::chance::Chance;

pub(super) struct Director<G> {
    ground: G,
    storm: Arc<Storm>,
    actors: JoinSet<()>,
    chance: Chance,
}

impl<G: Ground> Director<G> {
    /// Puts everybody in their places.
    pub(super) fn new(ground: G, seed: u64, pace: u32) -> Self {
        let storm = Arc::new(Storm::new(ground.net(), pace));
        let mut chance = Chance::of(seed);
        let mut actors = JoinSet::new();
        for user in USERS {
            let mut caller = || Caller { storm: Arc::clone(&storm), user, chance: chance.split() };
            for _ in 0..MODERN_CALLERS {
                actors.spawn(modern::call(caller()));
            }
            for _ in 0..LEGACY_CALLERS {
                actors.spawn(legacy::call(caller()));
            }
            for which in 0..LISTENERS {
                actors.spawn(listener::listen(caller(), which));
            }
            for which in 0..PROVIDERS {
                // Instances of all users are called alike.
                let instance = (user, format!("provider-{which}"));
                actors.spawn(provider::provide(Arc::clone(&storm), instance, chance.split()));
            }
        }
        Self { ground, storm, actors, chance }
    }

    pub(super) fn ground(&self) -> &G {
        &self.ground
    }

    /// A storm of that length, and the calm after it.
    pub(super) async fn round(&mut self, length: Duration) {
        self.storm.phase.send_replace(Phase::Storm);
        self.pass(length).await;
        self.storm.phase.send_replace(Phase::Calm);
        let storm = Arc::clone(&self.storm);
        let busy = || storm.busy.load(Ordering::Relaxed);
        // A round of questions is two calls.
        let deadline = Instant::now() + 2 * CALL_TOTAL + 2 * storm.patience();
        while busy() > 0 {
            assert!(Instant::now() < deadline, "{} callers wait for ever", busy());
            self.pass(Duration::from_millis(100)).await;
        }
        self.pass(SETTLING).await;
        self.is_calm().await;
    }

    /// Lets time pass, and fails if an actor did.
    async fn pass(&mut self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            Some(ended) = self.actors.join_next() => {
                ended.expect("every actor finds the hub as it should be");
                panic!("an actor ended before the storm did");
            }
        }
    }

    /// Everything that began has ended and everybody knows how things are, or will in a moment: a
    /// provider may be late, and a breaker close just now.
    async fn is_calm(&mut self) {
        let deadline = Instant::now() + self.storm.patience();
        while let Err(unrest) = self.looks_calm().await {
            assert!(Instant::now() < deadline, "{unrest}");
            self.pass(Duration::from_millis(200)).await;
        }
    }

    async fn looks_calm(&mut self) -> Result<(), String> {
        self.nothing_is_owed(self.ground.standing().await)?;
        for user in USERS {
            let list = self.caller(user).list().await;
            self.is_what_is_offered(user, &list)?;
            let book = self.storm.book();
            let behind = book.known(user).find(|known| **known != list);
            holds(behind.is_none(), || format!("{user} has {list}, and was told of {behind:?}"))?;
        }
        let list = self.caller(PASSER_BY).list().await;
        holds(list == json!([]), || format!("{list} for somebody who has no providers"))
    }

    /// The hub and the book agree.
    fn nothing_is_owed(&self, standing: Standing) -> Result<(), String> {
        let Standing { in_flight, calls: ended, .. } = standing;
        let book = self.storm.book();
        let (calls, left, debts) = (book.calls, book.left, book.debts());
        // Over a real socket nobody knows how far a request has come whose caller has left.
        let certain = if self.storm.is_paused() { calls } else { calls - left };
        let providers = u64::try_from(book.providers()).expect("few");
        holds(in_flight == 0, || format!("nobody waits for {in_flight} calls"))?;
        holds((certain..=calls).contains(&ended), || {
            format!("of {calls} calls {ended} have ended; callers left {left} of them")
        })?;
        holds(debts.is_empty(), || format!("no provider was told the end of {debts:?}"))?;
        holds(standing.providers == providers, || format!("{providers} providers: {standing:?}"))
    }

    /// What `user` is shown is what their providers offer.
    fn is_what_is_offered(&self, user: &str, list: &Value) -> Result<(), String> {
        let book = self.storm.book();
        let on_offer = book.on_offer(user);
        let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
        let offered: BTreeSet<_> = on_offer.iter().map(|tool| name(tool)).collect();
        let listed = list.as_array().expect("tools");
        let is_complete = listed.iter().map(name).eq(offered);
        let is_true = listed.iter().all(|tool| on_offer.contains(&tool));
        holds(is_complete && is_true, || format!("{user} has {list}, on offer is {on_offer:?}"))
    }

    /// Sends everybody home: nothing is left of them. What there was to see.
    pub(super) async fn end(mut self) -> BTreeMap<&'static str, u64> {
        self.storm.phase.send_replace(Phase::Over);
        while let Some(ended) = self.actors.join_next().await {
            ended.expect("every actor finds the hub as it should be");
        }
        for user in USERS {
            self.has_every_place(user).await;
        }
        let deadline = Instant::now() + 2 * SESSION_IDLE + SETTLING + self.storm.patience();
        loop {
            let standing = self.ground.standing().await;
            if (Standing { calls: 0, ..standing }) == Standing::default() {
                break;
            }
            assert!(Instant::now() < deadline, "all have left, but there is {standing:?}");
            sleep(Duration::from_millis(100)).await;
        }
        self.ground.end().await;
        self.storm.book().sights().clone()
    }

    /// As many places as `user` may have are free, and not one more.
    async fn has_every_place(&mut self, user: &'static str) {
        let caller = self.caller(user);
        let deadline = Instant::now() + SETTLING;
        loop {
            let streams = join_all((0..=STREAMS_MAX).map(|_| self.storm.net.send(caller.listen())));
            let sockets = join_all((0..=SOCKETS_MAX).map(|_| provider::dial(&self.storm, user)));
            let (streams, sockets) = (streams.await, sockets.await);
            let streams = streams.iter().filter(|stream| stream.status.is_success()).count();
            let places = (streams, sockets.iter().flatten().count());
            if places == (STREAMS_MAX, SOCKETS_MAX) {
                self.storm.book().saw("limits.streams_per_user");
                return;
            }
            assert!(Instant::now() < deadline, "{user} has {places:?} streams and sockets");
            drop(sockets);
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn caller(&mut self, user: &'static str) -> Caller {
        Caller { storm: Arc::clone(&self.storm), user, chance: self.chance.split() }
    }
}

/// What is not as it should be, if `condition` does not hold.
fn holds(condition: bool, unrest: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(unrest()) }
}
