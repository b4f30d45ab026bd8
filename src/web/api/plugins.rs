//! `/api/v1/plugins`: how the plugins fare, and what an admin may do to them.

use std::{pin::Pin, sync::Arc};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer, Api, answer, page,
    problem::Problem,
    viewer::{Named, Params, Viewer, Whose},
};
use crate::model::{
    id::UserId,
    plugin::{ActionRefused, PluginAction, PluginStatus},
};

/// How the plugins fare that a user may use; all of them for `None`.
pub(super) type Statuses = Box<dyn Fn(Option<&UserId>) -> Vec<PluginStatus> + Send + Sync>;

/// Does what an admin wishes with a plugin of a user, or of everybody for `None`.
pub(super) type Act = Box<
    dyn Fn(
            Option<UserId>,
            String,
            PluginAction,
            UserId,
        ) -> Pin<Box<dyn Future<Output = Acted> + Send>>
        + Send
        + Sync,
>;
type Acted = Result<PluginStatus, ActionRefused>;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfUser {
    /// Whose plugin it is; nobody's if it is everybody's.
    user: Option<String>,
}

/// What an admin may do to a plugin.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// Read it anew, even if its file has not changed.
    Reload,
    /// Let it in again.
    Enable,
    /// Keep it out until it is enabled: beyond the next start of the hub, too.
    Disable,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plugins {
    plugins: Vec<PluginStatus>,
    /// There is more; see `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The plugins a user may use, sorted by name; admins who name nobody see all.
#[utoipa::path(
    get,
    path = "/api/v1/plugins",
    tag = "plugins",
    params(page::OfUsers),
    responses((status = 200, body = Plugins), super::Faults)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<page::OfUsers>,
) -> Answer {
    let whose = match wanted.user.as_deref() {
        None if viewer.is_admin => Whose::All,
        named => viewer.whose(&api.hub, named)?,
    };
    let mut plugins = (api.plugins)(whose.id());
    // What is everybody's has no user, which sorts before all who are.
    let key = |plugin: &PluginStatus| {
        format!("{}\0{}", plugin.name, plugin.user.as_ref().map_or("", UserId::as_str))
    };
    plugins.sort_by_cached_key(key);
    let page = page::cut(plugins, key, wanted.limit, wanted.cursor.as_deref())?;
    Ok(answer(&Plugins { plugins: page.items, next_cursor: page.next }))
}

/// Has something done to a plugin; for admins.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/{action}",
    tag = "plugins",
    params(
        ("name" = String, Path, description = "The plugin's name"),
        ("action" = Action, Path, description = "What is to be done"),
        OfUser
    ),
    responses((status = 200, body = PluginStatus), super::Faults, super::Conflict)
)]
pub(super) async fn act(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Named((name, action)): Named<(String, Action)>,
    Params(wanted): Params<OfUser>,
) -> Answer {
    viewer.must_be_admin()?;
    viewer.must_be_at_home()?;
    let user = wanted.user.as_deref().map(|named| {
        let nobody = || Problem::not_found(format!("no user {named:?} is here"));
        UserId::parse(named).ok_or_else(nobody)
    });
    let by = viewer.user.id.clone();
    let plugin = (api.act)(user.transpose()?, name, action.into(), by).await?;
    Ok(answer(&plugin))
}

impl From<Action> for PluginAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Reload => Self::Reload,
            Action::Enable => Self::Enable,
            Action::Disable => Self::Disable,
        }
    }
}
