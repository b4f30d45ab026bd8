//! `/api/v1`: the facts of the hub as JSON, for scripts and for the pages.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::{
    auth::{Gate, Scope},
    model::{clock::UnixTime, id::UserId, json::Json, plugin::PluginStatus},
};

/// How the plugins fare that a user may use; all of them for `None`.
type Statuses = Box<dyn Fn(Option<&UserId>) -> Vec<PluginStatus> + Send + Sync>;

/// What the answers are taken from.
pub struct Api {
    pub gate: Arc<Gate>,
    pub plugins: Statuses,
}

#[derive(Serialize)]
struct Plugins {
    plugins: Vec<PluginStatus>,
}

impl Api {
    pub fn routes(self) -> Router {
        Router::new().route("/api/v1/plugins", get(plugins)).with_state(Arc::new(self))
    }
}

/// Users see everybody's plugins and their own; admins see all.
async fn plugins(State(api): State<Arc<Api>>, request: Request) -> Response {
    let user = match api.gate.enter(request.uri(), request.headers(), UnixTime::now()) {
        Ok(user) => user,
        Err(denial) => return denial.into_response(),
    };
    let sees_all = user.may(Scope::Admin).is_ok();
    if let (false, Err(denial)) = (sees_all, user.may(Scope::Tools)) {
        return denial.into_response();
    }
    let plugins = (api.plugins)((!sees_all).then_some(&user.id));
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, Json::of(&Plugins { plugins }).bytes()).into_response()
}
