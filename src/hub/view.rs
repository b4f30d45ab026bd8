//! What one user sees: the stacks behind each name, and the list as it is sent.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{Digest, SHA256, digest};
use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    health::Health,
    provider::{Identity, Provider},
    traffic::Traffic,
};
use crate::model::{
    client::Dialect,
    clock::Timestamp,
    tool::{Tool, ToolName},
};

/// A provider with the tools it offers; replaced as a whole when it registers again.
#[derive(Clone)]
pub struct Offering {
    pub identity: Arc<Identity>,
    pub provider: Arc<dyn Provider>,
    pub health: Arc<Health>,
    /// Grows with every registration of a new connection: newer goes first.
    pub sequence: u64,
    /// When it came.
    pub since: Timestamp,
    /// Whether everybody is offered it.
    pub is_shared: bool,
    pub tools: Arc<[Arc<Tool>]>,
}

/// One provider's declaration of one tool.
#[derive(Clone)]
pub struct Offer {
    pub identity: Arc<Identity>,
    pub provider: Arc<dyn Provider>,
    pub health: Arc<Health>,
    pub tool: Arc<Tool>,
    pub since: Timestamp,
    pub is_shared: bool,
}

/// All offers of one name, in the order in which they are tried.
pub struct Stack {
    pub offers: Vec<Offer>,
    listed: usize,
    /// The calls of this tool, whoever served them.
    pub traffic: Arc<Mutex<Traffic>>,
}

impl Stack {
    /// The offer whose definition clients see: the first of a healthy provider, else the first.
    pub fn listed(&self) -> &Offer {
        &self.offers[self.listed]
    }
}

/// A user's tools at one moment; never changed, only replaced.
#[derive(Default)]
pub struct View {
    stacks: HashMap<ToolName, Stack>,
    /// Names that the user's own providers offer.
    own: usize,
    list: OnceLock<List>,
    /// The list in each dialect; `None` where the words are the same.
    renditions: [OnceLock<Option<List>>; Dialect::ALL.len()],
}

impl View {
    /// `offerings` in the order of their stacks: a user's own first, each kind newest first.
    pub fn of<'a>(offerings: impl Iterator<Item = &'a Offering>, now: Instant) -> Self {
        let mut stacks: HashMap<ToolName, Stack> = HashMap::new();
        for offering in offerings {
            for tool in &*offering.tools {
                let stack = stacks.entry(tool.name.clone()).or_insert_with(|| Stack {
                    offers: Vec::new(),
                    listed: 0,
                    traffic: Arc::default(),
                });
                stack.offers.push(Offer {
                    identity: Arc::clone(&offering.identity),
                    provider: Arc::clone(&offering.provider),
                    health: Arc::clone(&offering.health),
                    tool: Arc::clone(tool),
                    since: offering.since,
                    is_shared: offering.is_shared,
                });
            }
        }
        for stack in stacks.values_mut() {
            let healthy = stack.offers.iter().position(|offer| offer.health.is_well(now));
            stack.listed = healthy.unwrap_or(0);
        }
        let is_own = |stack: &&Stack| stack.offers.iter().any(|offer| !offer.is_shared);
        let own = stacks.values().filter(is_own).count();
        Self { stacks, own, ..Self::default() }
    }

    pub fn stack(&self, tool: &str) -> Option<&Stack> {
        self.stacks.get(tool)
    }

    /// How many names the user's own providers offer.
    pub fn own(&self) -> usize {
        self.own
    }

    pub fn stacks(&self) -> impl Iterator<Item = (&ToolName, &Stack)> {
        self.stacks.iter()
    }

    pub(super) fn stacks_mut(&mut self) -> impl Iterator<Item = (&ToolName, &mut Stack)> {
        self.stacks.iter_mut()
    }

    pub fn names(&self) -> impl Iterator<Item = &ToolName> {
        self.stacks.keys()
    }

    /// The list, written once for all who ask.
    pub fn list(&self) -> &List {
        self.list
            .get_or_init(|| List::of(self.listed().map(|tool| (&tool.name, tool.definition.get()))))
    }

    /// The list in `dialect`, of which `word` says how a definition reads in it if not as it was
    /// declared. Written once for all who ask.
    pub fn rendition(&self, dialect: Dialect, word: impl Fn(&Tool) -> Option<String>) -> &List {
        let rendition = self.renditions[dialect as usize].get_or_init(|| {
            let words: Vec<_> = self.listed().map(|tool| (tool, word(tool))).collect();
            words.iter().any(|(_, worded)| worded.is_some()).then(|| {
                List::of(words.iter().map(|(tool, worded)| {
                    let definition = worded.as_deref().unwrap_or_else(|| tool.definition.get());
                    (&tool.name, definition)
                }))
            })
        });
        rendition.as_ref().unwrap_or_else(|| self.list())
    }

    /// What clients see of each stack, sorted by name.
    fn listed(&self) -> impl Iterator<Item = &Arc<Tool>> {
        let sorted: BTreeMap<_, _> = self.stacks.iter().collect();
        sorted.into_values().map(|stack| &stack.listed().tool)
    }
}

/// Tool definitions, sorted by name, as one text `{…},{…},…` of which a page is a slice.
pub struct List {
    text: Bytes,
    /// Each tool's name and where its definition ends in the text.
    ends: Vec<(ToolName, usize)>,
    digest: Digest,
}

/// A slice of the list.
pub struct Page {
    /// Definitions, separated by commas.
    pub tools: Bytes,
    /// The last name on this page, if more follow.
    pub more_after: Option<ToolName>,
}

impl List {
    /// `tools` are names and definitions, sorted by name.
    fn of<'a>(tools: impl Iterator<Item = (&'a ToolName, &'a str)>) -> Self {
        let mut text = BytesMut::new();
        let mut ends = Vec::new();
        for (name, definition) in tools {
            if !text.is_empty() {
                text.put_u8(b',');
            }
            text.extend_from_slice(definition.as_bytes());
            ends.push((name.clone(), text.len()));
        }
        Self { digest: digest(&SHA256, &text), text: text.freeze(), ends }
    }

    /// At most `size` tools whose names come after `after`.
    pub fn page(&self, after: Option<&str>, size: usize) -> Page {
        let first =
            after.map_or(0, |after| self.ends.partition_point(|(name, _)| name.as_str() <= after));
        let last = self.ends.len().min(first.saturating_add(size));
        let start = match first {
            0 => 0,
            // After the comma that follows the tool before.
            _ => (self.ends[first - 1].1 + 1).min(self.text.len()),
        };
        let end = if last == first { start } else { self.ends[last - 1].1 };
        let more_after = (last < self.ends.len()).then(|| self.ends[last - 1].0.clone());
        Page { tools: self.text.slice(start..end), more_after }
    }

    pub fn digest(&self) -> &[u8] {
        self.digest.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> List {
        let tools: Vec<Tool> = names
            .iter()
            .map(|name| {
                let text = format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#);
                Tool::parse(serde_json::from_str(&text).unwrap(), 1_000).unwrap()
            })
            .collect();
        List::of(tools.iter().map(|tool| (&tool.name, tool.definition.get())))
    }

    fn names_of(page: &Page) -> Vec<String> {
        let text = format!("[{}]", std::str::from_utf8(&page.tools).unwrap());
        let tools: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn pages_join_up_to_the_whole_list() {
        let list = list(&["a", "b", "c", "d", "e"]);
        for size in 1..=6 {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = list.page(after.as_ref().map(ToolName::as_str), size);
                seen.extend(names_of(&page));
                after = page.more_after;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ["a", "b", "c", "d", "e"], "pages of {size}");
        }
    }

    #[test]
    fn a_page_goes_on_after_a_name_that_has_gone() {
        assert_eq!(names_of(&list(&["a", "c", "e"]).page(Some("b"), 1)), ["c"]);
        assert!(names_of(&list(&["a", "c"]).page(Some("z"), 9)).is_empty());
        assert!(names_of(&list(&[]).page(None, 9)).is_empty());
    }
}
