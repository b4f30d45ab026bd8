//! `/api/v1/calls`: the last calls and where each has been; never what was asked or answered.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer, Api, answer, page,
    viewer::{Params, Viewer},
    who::millis,
};
use crate::{
    hub::{
        journal::{self, AttemptEnd, Entry},
        meters::Outcome,
    },
    model::clock::Timestamp,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// A user to look at, or `*` for all; for admins.
    user: Option<String>,
    /// Only calls of this tool.
    tool: Option<String>,
    /// Only calls that were tried at a provider of this name or id.
    provider: Option<String>,
    /// Only calls that ended so.
    outcome: Option<Outcome>,
    /// Only calls of this trace, in 32 hexadecimal digits.
    trace: Option<String>,
    /// Items per page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Where the page before ended.
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Calls {
    calls: Vec<CallItem>,
    /// There is more; see `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A call that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CallItem {
    /// Unique until the hub is started anew.
    id: String,
    /// When it began.
    at: Timestamp,
    user: String,
    tool: String,
    outcome: Outcome,
    duration_ms: f64,
    /// The trace its client says it belongs to (W3C Trace Context).
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    attempts: Vec<AttemptItem>,
}

/// What became of a call at one provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttemptItem {
    provider: String,
    provider_id: String,
    /// From the beginning of the call.
    start_ms: f64,
    duration_ms: f64,
    outcome: AttemptOutcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AttemptOutcome {
    Answered,
    Failed,
    /// It was not asked at all.
    PassedOver,
    /// Nobody waited any more.
    Cancelled,
}

/// The last calls, newest first. So many are kept of each user, and of all users together.
#[utoipa::path(
    get,
    path = "/api/v1/calls",
    tag = "calls",
    params(Wanted),
    responses((status = 200, body = Calls), super::Faults)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let whose = viewer.whose(&api.hub, wanted.user.as_deref())?;
    let kept = whose.chronicle(&api.hub).calls();
    let found = kept.into_iter().rev().filter(|(_, entry)| wanted.fits(entry));
    let key = |(place, _): &(u64, Arc<Entry>)| page::newest_first(*place);
    let page = page::cut(found, key, wanted.limit, wanted.cursor.as_deref())?;
    let calls = page.items.iter().map(|(_, entry)| CallItem::from(&**entry)).collect();
    Ok(answer(&Calls { calls, next_cursor: page.next }))
}

impl Wanted {
    fn fits(&self, entry: &Entry) -> bool {
        let is_at = |name: &String| {
            entry.attempts.iter().any(|attempt| {
                *attempt.provider.name == **name || attempt.provider.id.as_str() == name
            })
        };
        self.tool.as_ref().is_none_or(|tool| *entry.tool == **tool)
            && self.provider.as_ref().is_none_or(is_at)
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.trace.as_ref().is_none_or(|trace| entry.trace.as_deref() == Some(trace))
    }
}

impl From<&Entry> for CallItem {
    fn from(entry: &Entry) -> Self {
        Self {
            id: format!("{:016x}", entry.id),
            at: entry.began,
            user: entry.user.to_string(),
            tool: entry.tool.to_string(),
            outcome: entry.outcome,
            duration_ms: millis(entry.duration),
            trace: entry.trace.as_deref().map(Into::into),
            why: entry.why.as_deref().map(Into::into),
            attempts: entry.attempts.iter().map(Into::into).collect(),
        }
    }
}

impl From<&journal::Attempt> for AttemptItem {
    fn from(attempt: &journal::Attempt) -> Self {
        let (outcome, why) = match &attempt.end {
            AttemptEnd::Answered => (AttemptOutcome::Answered, None),
            AttemptEnd::Failed(why) => (AttemptOutcome::Failed, Some(why.to_string())),
            AttemptEnd::PassedOver(why) => (AttemptOutcome::PassedOver, Some(why.to_string())),
            AttemptEnd::Cancelled => (AttemptOutcome::Cancelled, None),
        };
        Self {
            provider: attempt.provider.name.to_string(),
            provider_id: attempt.provider.id.to_string(),
            start_ms: millis(attempt.start),
            duration_ms: millis(attempt.duration),
            outcome,
            why,
        }
    }
}
