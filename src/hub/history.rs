//! What became of a user's tools over time: who served each, why that changed, and whether its
//! definition did. A tool that means something else today than when it was approved should be seen.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{
    provider::Identity,
    traffic::Traffic,
    view::{Stack, View},
};
use crate::model::{
    clock::Timestamp,
    tool::{Tool, ToolName},
};

/// Tools remembered after they went.
const GONE_MAX: usize = 256;
/// Of a tool that has gone, a definition larger than this is remembered by its digest only.
const GONE_DEFINITION_BYTES_MAX: usize = 8 * 1024;
/// Switches and changes remembered of each tool.
const KEPT_MAX: usize = 8;
/// Members named of one change, and the longest such name in bytes.
const MEMBERS_MAX: usize = 32;
const MEMBER_BYTES_MAX: usize = 128;
/// Changes of a user whose texts are remembered, and the longest such text in bytes.
const TEXTS_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 2_000;

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

#[derive(Debug)]
enum Definition {
    Whole(Arc<Tool>),
    Digest([u8; 32]),
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

/// The definition that clients see became another.
#[derive(Debug, Clone)]
pub struct Change {
    pub at: Timestamp,
    pub by: Arc<Identity>,
    /// SHA-256 of the definition now and before.
    pub digest: [u8; 32],
    pub before: [u8; 32],
    /// The members that differ, not all if they are many; empty when the one before is not known any more.
    pub members: Vec<Box<str>>,
    /// Title and description, if they differ: before and after, cut to a readable length.
    pub texts: BTreeMap<&'static str, Texts>,
}

/// What a text was and what it became; `None` where it was not there.
#[derive(Debug, Clone)]
pub struct Texts {
    pub before: Option<Box<str>>,
    pub after: Option<Box<str>>,
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
    /// Notes what is different in `after`, and gives each of its stacks the traffic of its tool.
    pub(super) fn pass(&self, before: &View, after: &mut View, now: Instant) {
        let at = Timestamp::now();
        let mut past = self.past.lock();
        for name in before.names().filter(|name| after.stack(name.as_str()).is_none()) {
            past.went(name, now);
        }
        for (name, stack) in after.stacks_mut() {
            stack.traffic = past.is_there(name, before.stack(name.as_str()), stack, at, now);
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

    /// When each tool's definition changed last.
    pub fn changed(&self) -> HashMap<ToolName, Timestamp> {
        let past = self.past.lock();
        let changed = past.tools.iter().filter_map(|(name, record)| {
            record.changes.back().map(|change| (name.clone(), change.at))
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
    ) -> Arc<Mutex<Traffic>> {
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
            return traffic;
        };
        if record.gone.take().is_some() {
            self.gone.retain(|gone| gone != name);
        }
        if record.server.id != server.id {
            let why = why(before, stack, &record.server, now);
            let from = before.map(|_| Arc::clone(&record.server));
            push(&mut record.switches, Switch { at, from, to: Arc::clone(server), why });
            record.server = Arc::clone(server);
        }
        if let Some(change) = record.definition.changed_to(tool, server, at) {
            let has_texts = !change.texts.is_empty();
            let dropped = push(&mut record.changes, change);
            record.definition = Definition::Whole(Arc::clone(tool));
            let traffic = Arc::clone(&record.traffic);
            if dropped.is_some_and(|change| !change.texts.is_empty()) {
                self.drop_text_of(name);
            }
            if has_texts {
                self.keep_few_texts(name);
            }
            return traffic;
        }
        record.definition = Definition::Whole(Arc::clone(tool));
        Arc::clone(&record.traffic)
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

impl Definition {
    fn changed_to(&self, tool: &Arc<Tool>, by: &Arc<Identity>, at: Timestamp) -> Option<Change> {
        let (known, before) = match self {
            Self::Whole(known) if Arc::ptr_eq(known, tool) => return None,
            Self::Whole(known) if known.definition.get() == tool.definition.get() => return None,
            Self::Whole(known) => (Some(known), digest_of(known)),
            Self::Digest(before) => (None, *before),
        };
        let digest = digest_of(tool);
        let members = known.map_or_else(Vec::new, |known| differing(known, tool));
        // Other bytes may still say the same, in another order or with other spaces.
        if digest == before || known.is_some() && members.is_empty() {
            return None;
        }
        let texts = known.map_or_else(BTreeMap::new, |known| texts(known, tool, &members));
        Some(Change { at, by: Arc::clone(by), digest, before, members, texts })
    }
}

/// Gives back the one that had to go.
fn push<T>(kept: &mut VecDeque<T>, newest: T) -> Option<T> {
    let dropped = if kept.len() == KEPT_MAX { kept.pop_front() } else { None };
    kept.push_back(newest);
    dropped
}

/// SHA-256 of a tool's definition, byte for byte as it was declared.
pub fn digest_of(tool: &Tool) -> [u8; 32] {
    let digest = digest(&SHA256, tool.definition.get().as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
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

type Members<'a> = BTreeMap<Box<str>, &'a RawValue>;

fn members(tool: &Tool) -> Members<'_> {
    serde_json::from_str(tool.definition.get()).unwrap_or_default()
}

fn differing(before: &Tool, after: &Tool) -> Vec<Box<str>> {
    let (before, after) = (members(before), members(after));
    let value = |members: &Members<'_>, name: &str| {
        let value: Option<Value> = serde_json::from_str(members.get(name)?.get()).ok();
        value
    };
    let mut names: Vec<_> = before.keys().chain(after.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| value(&before, name) != value(&after, name));
    names.truncate(MEMBERS_MAX);
    let shortened = |name: Box<str>| name[..name.floor_char_boundary(MEMBER_BYTES_MAX)].into();
    names.into_iter().map(shortened).collect()
}

fn texts(before: &Tool, after: &Tool, differing: &[Box<str>]) -> BTreeMap<&'static str, Texts> {
    let (before, after) = (members(before), members(after));
    let text = |members: &Members<'_>, name: &str| -> Option<Box<str>> {
        let text: String = serde_json::from_str(members.get(name)?.get()).ok()?;
        Some(text[..text.floor_char_boundary(TEXT_BYTES_MAX)].into())
    };
    let named = ["title", "description"].into_iter();
    let named = named.filter(|name| differing.iter().any(|differing| **differing == **name));
    let of = |name| Texts { before: text(&before, name), after: text(&after, name) };
    named.map(|name| (name, of(name))).collect()
}
