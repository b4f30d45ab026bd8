//! What became of a user's tools over time: who served each, why that changed, and whether its
//! definition did.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    definition::{Change, Definition, declared_anew, digest_of},
    provider::Identity,
    traffic::Traffic,
    view::{Offer, Stack, View},
};
use crate::model::{clock::Timestamp, id::UserId, tool::ToolName};

/// Tools remembered after they went.
const GONE_MAX: usize = 256;
/// Of a tool that has gone, a definition larger than this is remembered by its digest only.
const GONE_DEFINITION_BYTES_MAX: usize = 8 * 1024;
/// Switches and changes remembered of each tool.
const KEPT_MAX: usize = 8;
/// Changes of a user whose texts are remembered.
const TEXTS_MAX: usize = 256;

/// Everything remembered of one user's tools.
#[derive(Debug, Default)]
pub struct History {
    past: Mutex<Past>,
}

#[derive(Debug, Default)]
struct Past {
    tools: HashMap<ToolName, Record>,
    /// Tools that are not there, in the order in which they went.
    gone: VecDeque<ToolName>,
    /// The tools whose changes have texts, oldest change first.
    texts: VecDeque<ToolName>,
}

#[derive(Debug)]
struct Record {
    first_seen: Timestamp,
    traffic: Arc<Mutex<Traffic>>,
    definition: Definition,
    server: Arc<Identity>,
    /// Since when the tool is not there.
    gone: Option<Instant>,
    switches: VecDeque<Switch>,
    changes: VecDeque<Change>,
}

/// Another provider came to serve a tool.
#[derive(Debug, Clone)]
pub struct Switch {
    pub at: Timestamp,
    /// `None` when the tool had not been there before.
    pub from: Option<Arc<Identity>>,
    pub to: Arc<Identity>,
    pub why: String,
}

/// What is remembered of one tool.
#[derive(Debug, Clone)]
pub struct Remembered {
    pub first_seen: Timestamp,
    /// Newest first.
    pub switches: Vec<Switch>,
    /// Newest first.
    pub changes: Vec<Change>,
}

impl History {
    /// Notes what is different in `after`, which is `user`'s, and gives each of its stacks the traffic
    /// of its tool.
    pub(super) fn pass(&self, user: &UserId, before: &View, after: &mut View, now: Instant) {
        let at = Timestamp::now();
        let mut past = self.past.lock();
        for name in before.names().filter(|name| after.stack(name.as_str()).is_none()) {
            past.went(name, now);
        }
        for (name, stack) in after.stacks_mut() {
            let before = before.stack(name.as_str());
            let (traffic, change) = past.is_there(name, before, stack, at, now);
            stack.traffic = traffic;
            let others = before.map(|before| declared_anew(before, stack, at)).unwrap_or_default();
            for change in change.into_iter().chain(others) {
                let is_its = |offer: &&Offer| offer.identity.id == change.by.id;
                let was_there =
                    before.is_some_and(|before| before.offers.iter().any(|o| is_its(&o)));
                let is_shared = stack.offers.iter().find(is_its).is_some_and(|its| its.is_shared);
                // What comes to be everybody's is told once, where it changes for all.
                if was_there || !is_shared {
                    change.tell(Some(user), name);
                }
                past.keep(name, change);
            }
        }
    }

    /// How long ago a tool of this name went.
    pub(super) fn gone(&self, tool: &str) -> Option<Duration> {
        self.past.lock().tools.get(tool)?.gone.map(|at| at.elapsed())
    }

    pub fn of(&self, tool: &str) -> Option<Remembered> {
        let past = self.past.lock();
        let record = past.tools.get(tool)?;
        Some(Remembered {
            first_seen: record.first_seen,
            switches: record.switches.iter().rev().cloned().collect(),
            changes: record.changes.iter().rev().cloned().collect(),
        })
    }

    /// When the definition that clients see of each tool last came to say something else.
    pub fn changed(&self) -> HashMap<ToolName, Timestamp> {
        let past = self.past.lock();
        let changed = past.tools.iter().filter_map(|(name, record)| {
            let seen = |change: &&Change| change.is_listed && !change.is_form_only;
            record.changes.iter().rfind(seen).map(|change| (name.clone(), change.at))
        });
        changed.collect()
    }
}

impl Past {
    fn went(&mut self, name: &ToolName, now: Instant) {
        let Some(record) = self.tools.get_mut(name) else { return };
        record.gone = Some(now);
        if let Definition::Whole(tool) = &record.definition
            && tool.definition.get().len() > GONE_DEFINITION_BYTES_MAX
        {
            record.definition = Definition::Digest(digest_of(tool));
        }
        self.gone.push_back(name.clone());
        if self.gone.len() > GONE_MAX
            && let Some(forgotten) = self.gone.pop_front()
        {
            self.tools.remove(&forgotten);
            self.texts.retain(|name| *name != forgotten);
        }
    }

    fn is_there(
        &mut self,
        name: &ToolName,
        before: Option<&Stack>,
        stack: &Stack,
        at: Timestamp,
        now: Instant,
    ) -> (Arc<Mutex<Traffic>>, Option<Change>) {
        let listed = stack.listed();
        let (tool, server) = (&listed.tool, &listed.identity);
        let Some(record) = self.tools.get_mut(name) else {
            let traffic = Arc::<Mutex<Traffic>>::default();
            let record = Record {
                first_seen: at,
                traffic: Arc::clone(&traffic),
                definition: Definition::Whole(Arc::clone(tool)),
                server: Arc::clone(server),
                gone: None,
                switches: VecDeque::new(),
                changes: VecDeque::new(),
            };
            self.tools.insert(name.clone(), record);
            return (traffic, None);
        };
        if record.gone.take().is_some() {
            self.gone.retain(|gone| gone != name);
        }
        let is_same_instance = record.server.instance == server.instance;
        if record.server.id != server.id {
            let why = why(before, stack, &record.server, now);
            let from = before.map(|_| Arc::clone(&record.server));
            push(&mut record.switches, Switch { at, from, to: Arc::clone(server), why });
            record.server = Arc::clone(server);
        }
        let change = record.definition.changed_to(tool, server, at);
        // That another provider writes the same otherwise is no news; that one does anew, is.
        let change = change.filter(|change| is_same_instance || !change.is_form_only);
        record.definition = Definition::Whole(Arc::clone(tool));
        (Arc::clone(&record.traffic), change)
    }

    fn keep(&mut self, name: &ToolName, change: Change) {
        let Some(record) = self.tools.get_mut(name) else { return };
        let has_texts = !change.texts.is_empty();
        let dropped = push(&mut record.changes, change);
        if dropped.is_some_and(|change| !change.texts.is_empty()) {
            self.drop_text_of(name);
        }
        if has_texts {
            self.keep_few_texts(name);
        }
    }

    /// The oldest change of this tool that had texts is no more.
    fn drop_text_of(&mut self, name: &ToolName) {
        let oldest = self.texts.iter().position(|other| other == name);
        oldest.map(|oldest| self.texts.remove(oldest));
    }

    fn keep_few_texts(&mut self, newest: &ToolName) {
        self.texts.push_back(newest.clone());
        if self.texts.len() <= TEXTS_MAX {
            return;
        }
        let oldest = self.texts.pop_front().and_then(|name| self.tools.get_mut(&name));
        let changes = oldest.into_iter().flat_map(|record| &mut record.changes);
        if let Some(change) = changes.into_iter().find(|change| !change.texts.is_empty()) {
            change.texts.clear();
        }
    }
}

/// Gives back the one that had to go.
fn push<T>(kept: &mut VecDeque<T>, newest: T) -> Option<T> {
    let dropped = if kept.len() == KEPT_MAX { kept.pop_front() } else { None };
    kept.push_back(newest);
    dropped
}

/// Why `stack` is served by another than `from`.
fn why<'a>(before: Option<&'a Stack>, stack: &'a Stack, from: &Identity, now: Instant) -> String {
    let to = stack.listed();
    let offer_of = |stack: &'a Stack, who: &Identity| {
        stack.offers.iter().find(|offer| offer.identity.id == who.id)
    };
    if before.is_none() {
        return "the tool is on offer again".into();
    }
    let Some(left) = offer_of(stack, from) else {
        return if to.identity.instance == from.instance {
            "the same provider connected again".into()
        } else {
            format!("{} is gone, or offers the tool no more", from.name)
        };
    };
    let was_there = before.and_then(|before| offer_of(before, &to.identity)).is_some();
    if !left.health.is_well(now) {
        format!("{} failed several times running and is left alone for a while", from.name)
    } else if was_there {
        format!("{} may be tried again", to.identity.name)
    } else {
        "a newer provider registered".into()
    }
}
