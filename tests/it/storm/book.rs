//! What the actors know together: which registrations live, who was handed which call, what is owed,
//! and which states the storm has reached.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::weather::is_repeatable;

/// States that a storm has to reach; one that never does tests less than it seems to.
pub(super) const SIGHTS: &[&str] = &[
    // How calls ended.
    "answered",
    "failed over",
    "outcome unknown",
    "nobody could answer",
    "failed by its own word",
    "the caller was blamed",
    "unknown tool",
    "questions were asked",
    "questions were answered",
    "a foreign request state",
    "the caller left",
    "cancelled by its id",
    // Why a provider was passed over.
    "breaker open",
    "another schema",
    // What was heard meanwhile.
    "progress",
    "a log message",
    "list_changed",
    "a cancellation",
    // What providers did.
    "answered too late",
    "answered twice",
    "answered what nobody asked",
    "stopped reading",
    "hung up in the middle",
    "a faulty set was refused",
    "registered anew",
    // How the hub ended connections.
    "closed: 1008 malformed",
    "closed: 1008 binary",
    "closed: 1008 never registered",
    "closed: 1008 silent",
    "closed: 1009",
    "closed: 4409",
    // What clients did.
    "a foreign session",
    "a session was lost",
    "a stream took the place of another",
    "a body was refused",
    // Bounds by their names.
    "limits.calls_per_user",
    "limits.calls_per_second",
    "limits.calls_per_provider",
    "limits.call_idle",
    "limits.call_total",
    "limits.streams_per_user",
    "limits.sessions_per_user",
    "limits.providers_per_user",
    "limits.tools_per_user",
    "limits.tools_per_provider",
    "limits.request_body",
    "limits.provider_message",
    "limits.tool_definition",
];

/// Which of a user's providers.
pub(super) type Instance = (&'static str, String);

#[derive(Default)]
pub(super) struct Book {
    sights: BTreeMap<&'static str, u64>,
    /// The tools that are on offer by the hub's own word, and on which connection.
    live: BTreeMap<Instance, (u64, Vec<Value>)>,
    /// Ids of calls that a connection was handed and has neither answered nor heard the end of.
    owed: BTreeMap<u64, BTreeSet<u64>>,
    /// Calls by their numbers, from the first handing over until their caller knows.
    handed: BTreeMap<u64, Handed>,
    /// What each listener last knew of the tools; nothing while it is away.
    known: BTreeMap<(&'static str, usize), Value>,
    /// A session of each user.
    sessions: BTreeMap<&'static str, String>,
    /// A request state that each user was given.
    states: BTreeMap<&'static str, String>,
    numbers: u64,
    /// Calls that the hub was asked to route.
    pub(super) calls: u64,
    /// Those among them whose callers left.
    pub(super) left: u64,
}

/// How often a call was handed to a provider.
#[derive(Default, Clone, Copy)]
pub(super) struct Handed {
    pub(super) times: usize,
    /// Those times when the provider did not say at once that it would not do it.
    pub(super) ran: usize,
}

impl Book {
    /// A number that is nobody else's.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn saw(&mut self, sight: &'static str) {
        *self.sights.entry(sight).or_default() += 1;
    }

    /// Finds the bounds that `text` names by their keys.
    pub(super) fn read(&mut self, text: &str) {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || "._".contains(c)));
        for word in words.map(|word| word.trim_end_matches('.')) {
            if let Some(sight) = SIGHTS.iter().find(|sight| **sight == word) {
                self.saw(sight);
            }
        }
    }

    pub(super) fn sights(&self) -> &BTreeMap<&'static str, u64> {
        &self.sights
    }

    pub(super) fn registered(&mut self, instance: &Instance, connection: u64, tools: Vec<Value>) {
        self.live.insert(instance.clone(), (connection, tools));
    }

    /// The connection is over; another of the same instance may have taken its place already.
    pub(super) fn gone(&mut self, instance: &Instance, connection: u64) {
        if self.live.get(instance).is_some_and(|(current, _)| *current == connection) {
            self.live.remove(instance);
        }
        self.owed.remove(&connection);
    }

    /// Every definition on offer to `user`.
    pub(super) fn on_offer(&self, user: &str) -> Vec<&Value> {
        let own = self.live.iter().filter(|((owner, _), _)| *owner == user);
        own.flat_map(|(_, (_, tools))| tools).collect()
    }

    pub(super) fn providers(&self) -> usize {
        self.live.len()
    }

    /// A provider holds call `number` in hands; `runs` unless it says at once that it will not.
    pub(super) fn handed(&mut self, number: u64, tool: &str, runs: bool) {
        let handed = self.handed.entry(number).or_default();
        handed.times += 1;
        handed.ran += usize::from(runs);
        assert!(
            handed.ran <= 1 || is_repeatable(tool),
            "call {number} of {tool} may have run {} times",
            handed.ran
        );
    }

    /// The caller knows what became of call `number`.
    pub(super) fn ended(&mut self, number: u64) -> Handed {
        self.handed.remove(&number).unwrap_or_default()
    }

    pub(super) fn owes(&mut self, connection: u64, id: u64) {
        assert!(self.owed.entry(connection).or_default().insert(id), "call {id} came twice");
    }

    /// Whether the answer to `id` was still waited for.
    pub(super) fn settles(&mut self, connection: u64, id: u64) -> bool {
        self.owed.get_mut(&connection).is_some_and(|owed| owed.remove(&id))
    }

    pub(super) fn debts(&self) -> Vec<(u64, u64)> {
        let all = self.owed.iter();
        all.flat_map(|(connection, ids)| ids.iter().map(|id| (*connection, *id))).collect()
    }

    /// What the `which`th listener of `user` knows; `None` when it listens no more.
    pub(super) fn knows(&mut self, user: &'static str, which: usize, list: Option<Value>) {
        match list {
            Some(list) => drop(self.known.insert((user, which), list)),
            None => drop(self.known.remove(&(user, which))),
        }
    }

    pub(super) fn known(&self, user: &str) -> impl Iterator<Item = &Value> {
        self.known.iter().filter(move |((owner, _), _)| *owner == user).map(|(_, list)| list)
    }

    pub(super) fn keeps_session(&mut self, user: &'static str, id: &str) {
        self.sessions.insert(user, id.to_owned());
    }

    pub(super) fn keeps_state(&mut self, user: &'static str, state: &str) {
        self.states.insert(user, state.to_owned());
    }

    /// A session that is another's than `user`'s.
    pub(super) fn foreign_session(&self, user: &str) -> Option<String> {
        self.sessions.iter().find(|(owner, _)| **owner != user).map(|(_, id)| id.clone())
    }

    /// A request state that was given to another than `user`.
    pub(super) fn foreign_state(&self, user: &str) -> Option<String> {
        self.states.iter().find(|(owner, _)| **owner != user).map(|(_, state)| state.clone())
    }
}
