//! `/api/v1/plugins`: how the plugins fare, and what an admin may do to them.

use std::{pin::Pin, sync::Arc};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Answer, Api, answer, page,
    problem::Problem,
    viewer::{Name, Params, Viewer, Whose},
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
pub(super) struct Wanted {
    /// A user to look at, or `*` for all; for admins.
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
    /// Whose plugin it is; nobody's if it is everybody's.
    user: Option<String>,
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
    params(Wanted),
    responses((status = 200, body = Plugins), super::Faults)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<Wanted>,
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

/// Reads a plugin anew, even if its file has not changed; for admins.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/reload",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name"), OfUser),
    responses((status = 200, body = PluginStatus), super::Faults, super::Conflict)
)]
pub(super) async fn reload(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Name(name): Name,
    Params(wanted): Params<OfUser>,
) -> Answer {
    act(&api, &viewer, name, wanted, PluginAction::Reload).await
}

/// Lets a plugin in that was disabled; for admins.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/enable",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name"), OfUser),
    responses((status = 200, body = PluginStatus), super::Faults, super::Conflict)
)]
pub(super) async fn enable(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Name(name): Name,
    Params(wanted): Params<OfUser>,
) -> Answer {
    act(&api, &viewer, name, wanted, PluginAction::Enable).await
}

/// Keeps a plugin out until it is enabled again; for admins.
#[utoipa::path(
    post,
    path = "/api/v1/plugins/{name}/disable",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name"), OfUser),
    responses((status = 200, body = PluginStatus), super::Faults, super::Conflict)
)]
pub(super) async fn disable(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Name(name): Name,
    Params(wanted): Params<OfUser>,
) -> Answer {
    act(&api, &viewer, name, wanted, PluginAction::Disable).await
}

async fn act(
    api: &Api,
    viewer: &Viewer,
    name: String,
    wanted: OfUser,
    action: PluginAction,
) -> Answer {
    viewer.must_be_admin()?;
    viewer.must_be_at_home()?;
    let nobody = |named: &str| Problem::not_found(format!("no user {named:?} is here"));
    let user =
        wanted.user.as_deref().map(|named| UserId::parse(named).ok_or_else(|| nobody(named)));
    let plugin = (api.act)(user.transpose()?, name, action, viewer.user.id.clone()).await?;
    Ok(answer(&plugin))
}
