//! `/api/v1/tools`: the tools of a user, and what stands behind each.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer, Api, answer, page,
    problem::Problem,
    viewer::{Named, Params, Viewer},
    who::{Condition, Stats, Who},
};
use crate::{
    hub::{
        definition::{self, digest_of, hexadecimal},
        health::Breaker,
        history,
        user::UserTools,
        view::Stack,
    },
    model::{
        clock::Timestamp,
        tool::{Tool, ToolName},
    },
};

/// As much of a description, or a title, as a list shows, in bytes. Longer annotations are left out.
const TEXT_BYTES_MAX: usize = 300;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Part of a name, title, description or provider's name, in any case.
    q: Option<String>,
    /// A user to look at; for admins.
    user: Option<String>,
    /// Items per page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Where the page before ended.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfUser {
    /// A user to look at; for admins.
    user: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tools {
    tools: Vec<ToolRow>,
    /// There is more; see `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A tool as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToolRow {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// In a list, the beginning of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    state: ToolState,
    /// Whose definition clients see, and who is tried first.
    provider: Who,
    /// How many offer it.
    offers: usize,
    /// As they were declared, if they are not long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    annotations: Option<Box<RawValue>>,
    /// When the definition that clients see became another, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<Timestamp>,
    stats: Stats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ToolState {
    /// The first of its stack serves.
    Serving,
    /// A later one does, for those before are left alone for a while.
    Standby,
    /// All are left alone for a while.
    Down,
}

/// A tool and everything behind it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolDetail {
    #[serde(flatten)]
    row: ToolRow,
    /// The MCP tool object, as it was declared.
    #[schema(value_type = Object)]
    definition: Box<RawValue>,
    /// SHA-256 of the definition, in hexadecimal digits.
    digest: String,
    first_seen: Timestamp,
    /// Who offers it, in the order in which they are tried.
    stack: Vec<StackedOffer>,
    /// When another came to serve it, newest first.
    switches: Vec<Switch>,
    /// When its definition became another, or one that may take its place, newest first.
    changes: Vec<Change>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StackedOffer {
    provider: Who,
    instance: String,
    /// From 1.
    position: usize,
    /// Whether clients see its definition.
    listed: bool,
    /// Whether it is offered to everybody.
    shared: bool,
    /// When its provider came.
    since: Timestamp,
    /// Whether its input schema is that of the listed one; if not, it is never called in its place.
    fits: bool,
    #[serde(flatten)]
    condition: Condition,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Switch {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Who>,
    to: Who,
    why: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    at: Timestamp,
    by: Who,
    /// The instance id of that provider.
    instance: String,
    /// Whether clients saw the definition.
    listed: bool,
    /// Whether other bytes say the same, in another order or with other spaces.
    form_only: bool,
    /// SHA-256 of the definition from then on.
    digest: String,
    /// … and until then.
    before: String,
    /// The members that differ.
    members: Vec<String>,
    /// Title and description, if they differ.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    texts: BTreeMap<&'static str, Texts>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Texts {
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// The tools of a user, sorted by name.
#[utoipa::path(
    get,
    path = "/api/v1/tools",
    tag = "tools",
    params(Wanted),
    responses((status = 200, body = Tools), super::Faults)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let user = viewer.one(&api.hub, wanted.user.as_deref())?;
    let view = user.view();
    let mut stacks: Vec<_> = view.stacks().collect();
    stacks.sort_unstable_by_key(|(name, _)| *name);
    let sought = wanted.q.as_deref().map(str::to_lowercase).filter(|sought| !sought.is_empty());
    let found = stacks.into_iter().filter(|(_, stack)| {
        sought.as_deref().is_none_or(|sought| Texted::of(stack).holds(sought))
    });
    let key = |(name, _): &(&ToolName, &Stack)| name.to_string();
    let page = page::cut(found, key, wanted.limit, wanted.cursor.as_deref())?;
    let (changed, now) = (user.history.changed(), Instant::now());
    let row = |(name, stack)| ToolRow::of(name, stack, &changed, now);
    let tools = page.items.into_iter().map(row).collect();
    Ok(answer(&Tools { tools, next_cursor: page.next }))
}

/// A tool and everything behind it.
#[utoipa::path(
    get,
    path = "/api/v1/tools/{name}",
    tag = "tools",
    params(("name" = String, Path, description = "The tool's name"), OfUser),
    responses((status = 200, body = ToolDetail), super::Faults)
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Named(name): Named<String>,
    Params(wanted): Params<OfUser>,
) -> Answer {
    let user = viewer.one(&api.hub, wanted.user.as_deref())?;
    let view = user.view();
    let missing = || Problem::not_found(format!("there is no tool {name:?}"));
    let stack = view.stack(&name).ok_or_else(missing)?;
    Ok(answer(&ToolDetail::of(&name, stack, &user, viewer.is_admin)))
}

/// The texts of a tool that people search in.
struct Texted<'a> {
    stack: &'a Stack,
    declared: Declared<'a>,
}

#[derive(Default, Deserialize)]
struct Declared<'a> {
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

impl<'a> Declared<'a> {
    fn of(tool: &'a Tool) -> Self {
        serde_json::from_str(tool.definition.get()).unwrap_or_default()
    }
}

impl<'a> Texted<'a> {
    fn of(stack: &'a Stack) -> Self {
        Self { stack, declared: Declared::of(&stack.listed().tool) }
    }

    /// `sought` is in lower case.
    fn holds(&self, sought: &str) -> bool {
        let listed = self.stack.listed();
        let texts = [self.declared.title.as_deref(), self.declared.description.as_deref()];
        let names = self.stack.offers.iter().map(|offer| &*offer.identity.name);
        let mut all = texts.into_iter().flatten().chain(names).chain([listed.tool.name.as_str()]);
        all.any(|text| text.to_lowercase().contains(sought))
    }
}

impl ToolRow {
    fn of(
        name: &ToolName,
        stack: &Stack,
        changed: &HashMap<ToolName, Timestamp>,
        now: Instant,
    ) -> Self {
        let listed = stack.listed();
        let declared = Declared::of(&listed.tool);
        let shortened = |text: &str| {
            let end = text.floor_char_boundary(TEXT_BYTES_MAX);
            if end < text.len() { format!("{}…", &text[..end]) } else { text.to_owned() }
        };
        let is_open = |breaker| matches!(breaker, Breaker::Open { .. });
        let state = if is_open(listed.health.breaker(now)) {
            ToolState::Down
        } else if listed.identity.id == stack.offers[0].identity.id {
            ToolState::Serving
        } else {
            ToolState::Standby
        };
        Self {
            name: name.to_string(),
            title: declared.title.as_deref().map(shortened),
            description: declared.description.as_deref().map(shortened),
            state,
            provider: Who::from(&*listed.identity),
            offers: stack.offers.len(),
            annotations: declared
                .annotations
                .filter(|annotations| annotations.get().len() <= TEXT_BYTES_MAX)
                .map(ToOwned::to_owned),
            changed: changed.get(name).copied(),
            stats: Stats::from(&*stack.traffic.lock()),
        }
    }
}

impl ToolDetail {
    fn of(name: &str, stack: &Stack, user: &UserTools, is_admin: bool) -> Self {
        let now = Instant::now();
        let listed = stack.listed();
        let remembered = user.history.of(name);
        let changes = remembered.as_ref().map_or(&[][..], |past| &past.changes);
        let seen = changes.iter().find(|change| change.is_listed && !change.is_form_only);
        let changed = seen.map(|change| (listed.tool.name.clone(), change.at));
        let mut row = ToolRow::of(&listed.tool.name, stack, &changed.into_iter().collect(), now);
        row.description = Declared::of(&listed.tool).description.map(Cow::into_owned);
        let offer = |(index, offer): (usize, &crate::hub::view::Offer)| StackedOffer {
            provider: Who::from(&*offer.identity),
            instance: offer.identity.instance.to_string(),
            position: index + 1,
            listed: offer.identity.id == listed.identity.id,
            shared: offer.is_shared,
            since: offer.since,
            fits: offer.tool.shape == listed.tool.shape,
            condition: {
                // How many calls others make of what is everybody's is theirs to know.
                let is_told = is_admin || !offer.is_shared;
                let in_flight = is_told.then(|| offer.provider.in_flight());
                Condition::of(&offer.health.fared(now), in_flight)
            },
        };
        let switches = remembered.as_ref().map_or(&[][..], |past| &past.switches);
        Self {
            definition: listed.tool.definition.clone(),
            digest: hexadecimal(&digest_of(&listed.tool)),
            first_seen: remembered.as_ref().map_or_else(Timestamp::now, |past| past.first_seen),
            stack: stack.offers.iter().enumerate().map(offer).collect(),
            switches: switches.iter().map(Into::into).collect(),
            changes: changes.iter().map(Into::into).collect(),
            row,
        }
    }
}

impl From<&history::Switch> for Switch {
    fn from(switch: &history::Switch) -> Self {
        Self {
            at: switch.at,
            from: switch.from.as_deref().map(Who::from),
            to: Who::from(&*switch.to),
            why: switch.why.clone(),
        }
    }
}

impl From<&definition::Change> for Change {
    fn from(change: &definition::Change) -> Self {
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        let texts = change.texts.iter().map(|(member, texts)| {
            (*member, Texts { before: text(&texts.before), after: text(&texts.after) })
        });
        Self {
            at: change.at,
            by: Who::from(&*change.by),
            instance: change.by.instance.to_string(),
            listed: change.is_listed,
            form_only: change.is_form_only,
            digest: hexadecimal(&change.digest),
            before: hexadecimal(&change.before),
            members: change.members.iter().map(|member| member.to_string()).collect(),
            texts: texts.collect(),
        }
    }
}
