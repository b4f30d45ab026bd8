//! `/api/v1/hub`, `/me` and `/users`: what hub this is, who looks at it, and who else is here.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer, Api, answer, page,
    viewer::{Params, Viewer},
};
use crate::{
    hub::{Figures, user::UserTools},
    model::clock::Timestamp,
};

/// What hub this is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubItem {
    name: &'static str,
    version: &'static str,
    /// What MCP clients are given.
    endpoint: String,
    /// What providers dial.
    providers: String,
    /// Whether callers have to show a token.
    authentication: bool,
    figures: FiguresItem,
}

/// How much there is, of all users together.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FiguresItem {
    /// Tool names, those of each user counted on their own.
    tools: usize,
    providers: usize,
}

impl From<Figures> for FiguresItem {
    fn from(Figures { tools, providers, .. }: Figures) -> Self {
        Self { tools, providers }
    }
}

/// Who looks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    user: String,
    /// Whether they may look at other users.
    admin: bool,
    authentication: bool,
    /// When their token does.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Items per page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Where the page before ended.
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Users {
    users: Vec<UserItem>,
    /// There is more; see `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A user who is here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserItem {
    user: String,
    /// Names on their list.
    tools: usize,
    /// Their own; plugins for everybody are not counted.
    providers: usize,
    in_flight: usize,
    calls: u64,
    errors: u64,
}

/// What hub this is; for everybody.
#[utoipa::path(
    get,
    path = "/api/v1/hub",
    tag = "hub",
    security(()),
    responses((status = 200, body = HubItem), super::Faults)
)]
pub(super) async fn hub(State(api): State<Arc<Api>>, uri: Uri, headers: HeaderMap) -> Answer {
    api.gate.knows(&uri, &headers)?;
    let urls = api.urls.for_request(&uri, &headers);
    Ok(answer(&HubItem {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        endpoint: urls.endpoint(),
        providers: urls.providers(),
        authentication: api.gate.asks_for_tokens(),
        figures: api.glance.figures().into(),
    }))
}

/// Who looks, by their token.
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "hub",
    responses((status = 200, body = Me), super::Faults)
)]
pub(super) async fn me(State(api): State<Arc<Api>>, viewer: Viewer) -> Answer {
    Ok(answer(&Me {
        user: viewer.user.id.to_string(),
        admin: viewer.is_admin,
        authentication: api.gate.asks_for_tokens(),
        expires: viewer.user.expires.map(Into::into),
    }))
}

/// The users who are here or called something within the hour, sorted by name; for admins.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "hub",
    params(Wanted),
    responses((status = 200, body = Users), super::Faults)
)]
pub(super) async fn users(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
) -> Answer {
    viewer.must_be_admin()?;
    let mut users = api.hub.registry().present();
    users.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let key = |user: &Arc<UserTools>| user.id.to_string();
    let page = page::cut(users, key, wanted.limit, wanted.cursor.as_deref())?;
    let users = page.items.iter().map(|user| UserItem::of(user)).collect();
    Ok(answer(&Users { users, next_cursor: page.next }))
}

impl UserItem {
    fn of(user: &UserTools) -> Self {
        let traffic = user.chronicle.traffic();
        Self {
            user: user.id.to_string(),
            tools: user.view().stacks().count(),
            providers: user.own().len(),
            in_flight: user.calls_in_flight(),
            calls: traffic.calls,
            errors: traffic.errors,
        }
    }
}
