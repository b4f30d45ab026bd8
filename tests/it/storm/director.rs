//! Raises storms and looks at the hub when it is calm.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Ground, Phase, Storm,
    caller::{self, Caller},
    ground::Standing,
    listener, provider,
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
                actors.spawn(caller::call_modern(caller()));
            }
            for _ in 0..LEGACY_CALLERS {
                actors.spawn(caller::call_legacy(caller()));
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
        let busy = || storm.busy.load(std::sync::atomic::Ordering::Relaxed);
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

    /// Everything that began has ended, and everybody knows how things are.
    async fn is_calm(&mut self) {
        let standing = self.ground.standing().await;
        let (calls, left, providers, debts) = {
            let book = self.storm.book();
            (book.calls, book.left, book.providers(), book.debts())
        };
        // Over a real socket nobody knows how far a request has come whose caller has left.
        let certain = if self.storm.is_paused() { calls } else { calls - left };
        assert_eq!(standing.in_flight, 0, "calls nobody waits for: {standing:?}");
        let ended = standing.calls;
        assert!((certain..=calls).contains(&ended), "of {calls} calls, {left} left, {ended} ended");
        assert_eq!(standing.providers, u64::try_from(providers).expect("few"), "{standing:?}");
        assert!(debts.is_empty(), "calls that no provider was told the end of: {debts:?}");
        for user in USERS {
            self.has_the_right_list(user).await;
        }
        let nothing = self.caller(PASSER_BY).list().await;
        assert_eq!(nothing, serde_json::json!([]), "of a user who has no providers");
    }

    /// What `user` is shown is what their providers offer, and whoever listens knows it too.
    async fn has_the_right_list(&mut self, user: &'static str) {
        let caller = self.caller(user);
        let deadline = Instant::now() + self.storm.patience();
        loop {
            let list = caller.list().await;
            self.is_what_is_offered(user, &list);
            // A breaker may have opened or closed just now, and the list with it.
            let behind = self.storm.book().known(user).find(|known| **known != list).cloned();
            let Some(behind) = behind else { return };
            assert!(Instant::now() < deadline, "{user} has {list}, and was told of {behind}");
            self.pass(Duration::from_millis(200)).await;
        }
    }

    fn is_what_is_offered(&self, user: &str, list: &Value) {
        let book = self.storm.book();
        let on_offer = book.on_offer(user);
        let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
        let mut offered: Vec<_> = on_offer.iter().map(|tool| name(tool)).collect();
        offered.sort_unstable();
        offered.dedup();
        let listed = list.as_array().expect("tools");
        assert_eq!(listed.iter().map(name).collect::<Vec<_>>(), offered, "the list of {user}");
        for tool in listed {
            assert!(on_offer.contains(&tool), "nobody offers {tool} to {user}");
        }
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
