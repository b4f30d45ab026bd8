//! `/api/v1/health`: how much went on in the last hour, how long it took, and which limits were hit.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer, Api, answer,
    viewer::{Params, Viewer, Whose},
    who::millis,
};
use crate::{
    model::clock::Timestamp,
    web::series::{self, Point},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// A user to look at, or `*` for all; for admins, who see all if they name nobody.
    user: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    now: Timestamp,
    /// The time from one point to the next.
    step_ms: f64,
    scope: Scope,
    /// The last hour, oldest first.
    points: Vec<HealthPoint>,
    limits: Vec<LimitItem>,
    /// When the hub was started.
    started_at: Timestamp,
    figures: Figures,
}

/// Whose figures these are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Scope {
    User,
    Hub,
}

/// What was counted in the time before it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthPoint {
    at: Timestamp,
    calls: u64,
    errors: u64,
    /// Calls that a limit left no room for.
    limited: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_ms: Option<f64>,
    /// Calls in flight at that time.
    in_flight: usize,
    /// Memory of the process; of the whole hub only.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
}

/// A limit that was in somebody's way.
#[derive(Debug, Serialize, ToSchema)]
struct LimitItem {
    /// Its key in the configuration.
    limit: &'static str,
    hits: u64,
    last: Timestamp,
}

#[derive(Debug, Serialize, ToSchema)]
struct Figures {
    tools: usize,
    providers: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<usize>,
    /// Sessions of clients before 2026-07-28.
    sessions: usize,
    /// Event streams of clients and dashboards.
    streams: usize,
}

/// The last hour. Admins who name nobody see that of the whole hub.
#[utoipa::path(
    get,
    path = "/api/v1/health",
    tag = "health",
    params(Wanted),
    responses((status = 200, body = Health), super::Faults)
)]
pub(super) async fn health(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
) -> Answer {
    let whose = viewer.whose_health(&api.hub, wanted.user.as_deref())?;
    let limits = whose.chronicle(&api.hub).limits().into_iter();
    Ok(answer(&Health {
        now: Timestamp::now(),
        step_ms: millis(series::STEP),
        scope: if matches!(whose, Whose::All) { Scope::Hub } else { Scope::User },
        points: api.series.points(whose.id()).iter().map(Into::into).collect(),
        limits: limits
            .map(|(limit, hits)| LimitItem { limit, hits: hits.count, last: hits.last })
            .collect(),
        started_at: api.series.started(),
        figures: Figures::of(&api, &whose),
    }))
}

impl Figures {
    fn of(api: &Api, whose: &Whose) -> Self {
        let sessions = (api.sessions)(whose.id());
        match whose {
            Whose::One(user) => {
                let shared = api.hub.registry().common().len();
                let (tools, providers) = (user.view().stacks().count(), user.own().len() + shared);
                Self { tools, providers, users: None, sessions, streams: user.streams() }
            }
            Whose::All => {
                let crate::hub::Figures { tools, providers, users, .. } = api.glance.figures();
                // As they are now: whoever looks has just opened one.
                let mut streams = 0;
                api.hub.registry().each(|user| streams += user.streams());
                Self { tools, providers, users: Some(users), sessions, streams }
            }
        }
    }
}

impl From<&Point> for HealthPoint {
    fn from(point: &Point) -> Self {
        Self {
            at: point.at,
            calls: point.calls,
            errors: point.errors,
            limited: point.limited,
            p50_ms: point.p50.map(millis),
            p99_ms: point.p99.map(millis),
            in_flight: point.in_flight,
            memory_bytes: point.memory,
        }
    }
}
