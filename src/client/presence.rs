//! Which stateless clients have asked lately: they say who they are with every request.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::{
    hub::{pulse::Matter, user::UserTools},
    model::{
        client::{ClientEra, ClientStatus, Introduction},
        clock::Timestamp,
        id::UserId,
        json::Json,
    },
};

/// How long a client is remembered.
const REMEMBERED: Duration = Duration::from_secs(30 * 60);
/// How many are remembered of each user; the one unseen for longest gives way.
const PER_USER_MAX: usize = 32;
/// A longer `clientInfo` is not looked at.
const INFO_BYTES_MAX: usize = 2_048;

#[derive(Default)]
pub(super) struct Presence {
    /// The number of the next client.
    next: AtomicU64,
    users: RwLock<HashMap<UserId, Arc<Guests>>>,
}

#[derive(Default)]
struct Guests {
    seen: Mutex<Vec<Seen>>,
}

struct Seen {
    number: u64,
    /// `clientInfo` as it came: the same client sends the same text.
    info: Option<Json>,
    protocol: Box<str>,
    introduction: Introduction,
    since: Timestamp,
    last: Instant,
    requests: u64,
    streams: usize,
}

/// A stream of one client; no more when dropped.
pub(super) struct Listening {
    guests: Arc<Guests>,
    number: u64,
    user: Arc<UserTools>,
}

impl Presence {
    /// A request of `user` came from the client that calls itself `info`.
    pub(super) fn saw(&self, user: &UserTools, info: Option<&Json>, protocol: &str) {
        let guests = self.guests(&user.id);
        let is_new = guests.known(self, info, protocol, |seen, is_new| {
            seen.requests += 1;
            is_new
        });
        if is_new {
            user.tell(Matter::Clients);
        }
    }

    /// That request opened a stream.
    pub(super) fn listens(
        &self,
        user: &Arc<UserTools>,
        info: Option<&Json>,
        protocol: &str,
    ) -> Listening {
        let guests = self.guests(&user.id);
        let number = guests.known(self, info, protocol, |seen, _| {
            seen.streams += 1;
            seen.number
        });
        user.tell(Matter::Clients);
        Listening { guests, number, user: Arc::clone(user) }
    }

    fn guests(&self, user: &UserId) -> Arc<Guests> {
        if let Some(guests) = self.users.read().get(user) {
            return Arc::clone(guests);
        }
        Arc::clone(self.users.write().entry(user.clone()).or_default())
    }

    /// The clients of `user`; of all users for `None`.
    pub(super) fn statuses(&self, user: Option<&UserId>) -> Vec<ClientStatus> {
        let users = self.users.read();
        let wanted: Vec<_> = match user {
            Some(user) => users.get_key_value(user).into_iter().collect(),
            None => users.iter().collect(),
        };
        let of = |(user, guests): (&UserId, &Arc<Guests>)| guests.statuses(user);
        wanted.into_iter().flat_map(of).collect()
    }

    /// Forgets those who have not asked for long.
    pub(super) fn sweep(&self) {
        self.users.write().retain(|_, guests| {
            let mut seen = guests.seen.lock();
            seen.retain(Seen::is_present);
            // Somebody may hold on to it to note a request.
            !seen.is_empty() || Arc::strong_count(guests) > 1
        });
    }
}

impl Guests {
    /// The client that calls itself so, made known if it was not; `note` is told which.
    fn known<T>(
        &self,
        presence: &Presence,
        info: Option<&Json>,
        protocol: &str,
        note: impl FnOnce(&mut Seen, bool) -> T,
    ) -> T {
        let info = info.filter(|info| info.as_str().len() <= INFO_BYTES_MAX);
        let now = Instant::now();
        let mut seen = self.seen.lock();
        if let Some(known) = seen.iter_mut().find(|seen| seen.is(info, protocol)) {
            known.last = now;
            return note(known, false);
        }
        if seen.len() == PER_USER_MAX {
            let unseen = |(_, seen): &(usize, &Seen)| (seen.streams > 0, seen.last);
            let idlest = seen.iter().enumerate().min_by_key(unseen).map(|(index, _)| index);
            idlest.map(|idlest| seen.swap_remove(idlest));
        }
        let mut new = Seen {
            number: presence.next.fetch_add(1, Ordering::Relaxed),
            info: info.map(Json::detached),
            protocol: protocol.into(),
            introduction: Introduction::read(info.map(Json::as_str)),
            since: Timestamp::now(),
            last: now,
            requests: 0,
            streams: 0,
        };
        let noted = note(&mut new, true);
        seen.push(new);
        noted
    }

    fn statuses(&self, user: &UserId) -> Vec<ClientStatus> {
        let seen = self.seen.lock();
        let present = seen.iter().filter(|seen| seen.is_present());
        let status = |seen: &Seen| ClientStatus {
            user: user.clone(),
            era: ClientEra::Modern,
            introduction: seen.introduction.clone(),
            protocol: Some(seen.protocol.clone()),
            since: seen.since,
            number: seen.number,
            last_seen: Timestamp::of(seen.last),
            streams: seen.streams,
            in_flight: None,
            requests: Some(seen.requests),
        };
        present.map(status).collect()
    }
}

impl Seen {
    fn is(&self, info: Option<&Json>, protocol: &str) -> bool {
        self.info.as_ref() == info && *self.protocol == *protocol
    }

    fn is_present(&self) -> bool {
        self.streams > 0 || self.last.elapsed() < REMEMBERED
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut seen = self.guests.seen.lock();
        if let Some(seen) = seen.iter_mut().find(|seen| seen.number == self.number) {
            seen.streams = seen.streams.saturating_sub(1);
            seen.last = Instant::now();
        }
        drop(seen);
        self.user.tell(Matter::Clients);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hub::{Hub, router},
        model::limits::Limits,
    };

    fn user() -> Arc<UserTools> {
        let hub = Hub::new(Arc::new(Limits::default()), router::Options::default(), None, None);
        hub.user(&UserId::public())
    }

    fn names(presence: &Presence) -> Vec<String> {
        let statuses = presence.statuses(None);
        let name = |status: ClientStatus| status.introduction.name.map(String::from);
        statuses.into_iter().map(|status| name(status).unwrap_or_default()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_there_while_it_asks_or_listens() {
        let (presence, user) = (Presence::default(), user());
        let info = Json::from(serde_json::json!({ "name": "codex", "version": "1" }));
        presence.saw(&user, Some(&info), "2026-07-28");
        presence.saw(&user, None, "2026-07-28");
        presence.saw(&user, Some(&info), "2026-07-28");
        let listening = presence.listens(&user, Some(&info), "2026-07-28");
        let status = presence.statuses(Some(&user.id)).remove(0);
        assert_eq!((status.requests, status.streams), (Some(2), 1));
        assert_eq!(names(&presence), ["codex", ""]);

        tokio::time::advance(REMEMBERED).await;
        presence.sweep();
        assert_eq!(names(&presence), ["codex"], "it listens");
        drop(listening);
        tokio::time::advance(REMEMBERED).await;
        presence.sweep();
        assert!(presence.users.read().is_empty());
    }

    #[tokio::test]
    async fn however_many_names_a_user_invents_few_are_kept() {
        let (presence, user) = (Presence::default(), user());
        for number in 0..1_000 {
            let info = Json::from(serde_json::json!({ "name": format!("{number}") }));
            presence.saw(&user, Some(&info), "2026-07-28");
        }
        let huge = Json::from(serde_json::json!({ "name": "x".repeat(1_000_000) }));
        presence.saw(&user, Some(&huge), "2026-07-28");
        assert_eq!(names(&presence).len(), PER_USER_MAX);
        assert!(names(&presence).contains(&String::new()), "an oversized name is none");
    }
}
