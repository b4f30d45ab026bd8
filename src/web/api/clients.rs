//! `/api/v1/clients`: who asks.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer, Api, answer, page,
    viewer::{Params, Viewer},
};
use crate::model::{client::ClientStatus, id::UserId};

/// The clients of a user that have been here lately; those of all users for `None`.
pub(super) type Statuses = Box<dyn Fn(Option<&UserId>) -> Vec<ClientStatus> + Send + Sync>;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clients {
    clients: Vec<ClientStatus>,
    /// There is more; see `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The MCP clients of a user, those that came last first: each session, and stateless clients by
/// their name.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    tag = "clients",
    params(page::OfUsers),
    responses((status = 200, body = Clients), super::Faults)
)]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    viewer: Viewer,
    Params(wanted): Params<page::OfUsers>,
) -> Answer {
    let whose = viewer.whose(&api.hub, wanted.user.as_deref())?;
    let mut clients = (api.clients)(whose.id());
    // By when they came: when they were last seen changes from page to page.
    let key = |client: &ClientStatus| {
        let (since, number) = (page::newest_first(client.since.millis()), client.number);
        format!("{since}{number:020}{:?}", client.era)
    };
    clients.sort_by_cached_key(key);
    let page = page::cut(clients, key, wanted.limit, wanted.cursor.as_deref())?;
    Ok(answer(&Clients { clients: page.items, next_cursor: page.next }))
}
