//! What a tool is declared to be, and that this changes: a tool that means something else today than
//! when it was approved is how a provider that was good turns bad, and should be seen.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use metrics::counter;
use serde_json::{Value, value::RawValue};

use super::{
    provider::Identity,
    view::{Offering, Stack},
};
use crate::model::{
    clock::Timestamp,
    id::UserId,
    tool::{Tool, ToolName},
};

/// Members named of one change, and the longest such name in bytes.
const MEMBERS_MAX: usize = 32;
const MEMBER_BYTES_MAX: usize = 128;
/// The longest text of a change that is remembered, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// A definition that is remembered, if only by its digest.
#[derive(Debug)]
pub(super) enum Definition {
    Whole(Arc<Tool>),
    Digest([u8; 32]),
}

/// A definition became another: that which clients see, or one that may come to be seen.
#[derive(Debug, Clone)]
pub struct Change {
    pub at: Timestamp,
    pub by: Arc<Identity>,
    /// Whether it is the one that clients see.
    pub is_listed: bool,
    /// Whether other bytes say the same, in another order or with other spaces.
    pub is_form_only: bool,
    /// SHA-256 of the definition now and before.
    pub digest: [u8; 32],
    pub before: [u8; 32],
    /// The members that differ, not all if they are many; none when the one before is not known any
    /// more, or says the same.
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

impl Definition {
    /// What became of it, if `tool` is another in any byte.
    pub(super) fn changed_to(
        &self,
        tool: &Arc<Tool>,
        by: &Arc<Identity>,
        at: Timestamp,
    ) -> Option<Change> {
        let (known, before) = match self {
            Self::Whole(known) if Arc::ptr_eq(known, tool) => return None,
            Self::Whole(known) if known.definition.get() == tool.definition.get() => return None,
            Self::Whole(known) => (Some(known), digest_of(known)),
            Self::Digest(before) => (None, *before),
        };
        let digest = digest_of(tool);
        if digest == before {
            return None;
        }
        let members = known.map_or_else(Vec::new, |known| differing(known, tool));
        let is_form_only = known.is_some() && members.is_empty();
        let texts = known.map_or_else(BTreeMap::new, |known| texts(known, tool, &members));
        let by = Arc::clone(by);
        Some(Change { at, by, is_listed: true, is_form_only, digest, before, members, texts })
    }
}

impl Change {
    /// Logs and counts it; for `None` it is everybody's.
    pub(super) fn tell(&self, user: Option<&UserId>, tool: &ToolName) {
        counter!("mcp_hub_definition_changes_total").increment(1);
        tracing::info!(
            user = user.map(tracing::field::display),
            %tool,
            provider = %self.by.id,
            name = &*self.by.name,
            version = self.by.version.as_deref(),
            instance = self.by.instance.as_str(),
            listed = self.is_listed,
            form_only = self.is_form_only,
            before = hexadecimal(&self.before),
            digest = hexadecimal(&self.digest),
            "tool definition changed"
        );
    }
}

/// Offers of `after` that are not listed, and that their providers declare otherwise than in `before`.
pub(super) fn declared_anew(before: &Stack, after: &Stack, at: Timestamp) -> Vec<Change> {
    let listed = &after.listed().identity.id;
    let unlisted = after.offers.iter().filter(|offer| offer.identity.id != *listed);
    let changes = unlisted.filter_map(|offer| {
        let instance = &offer.identity.instance;
        let known = before.offers.iter().find(|known| known.identity.instance == *instance)?;
        let known = Definition::Whole(Arc::clone(&known.tool));
        let change = known.changed_to(&offer.tool, &offer.identity, at)?;
        Some(Change { is_listed: false, ..change })
    });
    changes.collect()
}

/// Tells of the tools that `after`, which is everybody's, declares otherwise than `before`.
pub(super) fn tell_of_shared(before: &[Offering], after: &[Offering]) {
    let at = Timestamp::now();
    for offering in after {
        let instance = &offering.identity.instance;
        let known = before.iter().find(|known| known.identity.instance == *instance);
        // As it was, unless its tools were replaced.
        let Some(known) = known.filter(|known| !Arc::ptr_eq(&known.tools, &offering.tools)) else {
            continue;
        };
        let known: HashMap<_, _> = known.tools.iter().map(|tool| (&tool.name, tool)).collect();
        for tool in &*offering.tools {
            let known = known.get(&tool.name).map(|known| Definition::Whole(Arc::clone(known)));
            let change = known.and_then(|known| known.changed_to(tool, &offering.identity, at));
            if let Some(change) = change {
                change.tell(None, &tool.name);
            }
        }
    }
}

/// A digest as it is told.
pub fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a tool's definition, byte for byte as it was declared.
pub fn digest_of(tool: &Tool) -> [u8; 32] {
    let digest = digest(&SHA256, tool.definition.get().as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
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

#[cfg(test)]
mod tests {
    use std::io::{self, Seek};

    use serde_json::{json, value::to_raw_value};
    use tracing::subscriber::with_default;

    use super::*;
    use crate::{
        hub::{
            Hub,
            provider::{Answer, Attempt, Kind, Provider},
            registry::{Audience, Registration},
            router,
        },
        model::{
            error::{AttemptError, NotHandedOver},
            id::{InstanceId, ProviderId},
            limits::Limits,
        },
    };

    struct Mute;

    impl Provider for Mute {
        fn call(&self, _: Arc<Attempt>) -> Answer<'_> {
            Box::pin(async { Err(AttemptError::NotHandedOver(NotHandedOver::Gone)) })
        }

        fn in_flight(&self) -> usize {
            0
        }
    }

    /// What is logged of changes while `work` is done.
    fn told(work: impl FnOnce()) -> Vec<Value> {
        let paper = Arc::new(tempfile::tempfile().expect("a file"));
        let log = tracing_subscriber::fmt().json().flatten_event(true);
        with_default(log.with_writer(Arc::clone(&paper)).finish(), work);
        (&*paper).rewind().expect("a file can be read again");
        let text = io::read_to_string(&*paper).expect("UTF-8");
        let events = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        events.filter(|event: &Value| event["message"] == "tool definition changed").collect()
    }

    fn tool(description: &str) -> Vec<Arc<Tool>> {
        let definition =
            json!({ "name": "t", "description": description, "inputSchema": { "type": "object" } });
        let raw = to_raw_value(&definition).expect("JSON");
        vec![Arc::new(Tool::parse(&raw, 10_000).expect("a good definition"))]
    }

    fn offer(hub: &Hub, audience: Audience, description: &str) -> Registration {
        let identity = Identity {
            id: ProviderId::random(),
            name: "p".into(),
            version: Some("0123456789ab".into()),
            instance: InstanceId::parse("plugin:p").expect("a good name"),
            kind: Kind::Plugin,
        };
        hub.offer(audience, identity, Arc::new(Mute), tool(description)).expect("taken in")
    }

    #[test]
    fn what_is_everybodys_is_told_once_however_many_see_it() {
        let hub = Hub::new(Arc::new(Limits::default()), router::Options::default(), None, None);
        let users = ["alice", "bob"].map(|user| hub.user(&UserId::parse(user).expect("a name")));
        let first = offer(&hub, Audience::Everyone, "before");
        let mut second = None;
        let events = told(|| second = Some(offer(&hub, Audience::Everyone, "after")));
        let [event] = &events[..] else { panic!("one event: {events:?}") };
        assert_eq!((event.get("user"), &event["tool"]), (None, &json!("t")));
        assert_eq!((&event["instance"], &event["listed"]), (&json!("plugin:p"), &json!(true)));
        assert_eq!(event["version"], "0123456789ab");
        for user in users {
            let changes = user.history.of("t").expect("remembered").changes;
            assert_eq!(changes.len(), 1, "each sees it in their own history");
            assert_eq!(changes[0].texts["description"].after.as_deref(), Some("after"));
        }
        drop((first, second));
    }

    #[test]
    fn the_same_bytes_are_no_change_and_a_users_own_is_told_as_theirs() {
        let hub = Hub::new(Arc::new(Limits::default()), router::Options::default(), None, None);
        let alice = Audience::One(UserId::parse("alice").expect("a name"));
        let registration = offer(&hub, alice, "before");
        let replace = |description: &str| registration.replace(tool(description)).expect("fits");
        assert_eq!(told(|| assert!(replace("before"))), Vec::<Value>::new());
        let events = told(|| assert!(replace("after")));
        let [event] = &events[..] else { panic!("one event: {events:?}") };
        assert_eq!(event["user"], "alice");
    }
}
