//! `/.well-known/oauth-protected-resource`: where MCP clients learn who gives them tokens (RFC 9728).
//! Where nobody does there is nothing.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    auth::{Gate, Resource},
    model::json::Json,
};

/// The routes of the metadata of `resource`.
pub fn routes(resource: Option<&Resource>, gate: &Arc<Gate>) -> Router {
    let Some(resource) = resource else { return Router::new() };
    let metadata = Json::of(&resource.metadata());
    resource.metadata_paths().iter().fold(Router::new(), |routes, path| {
        let (gate, metadata) = (Arc::clone(gate), metadata.clone());
        let answer =
            move |uri, headers| std::future::ready(answer(&gate, &uri, &headers, &metadata));
        routes.route(path, get(answer))
    })
}

fn answer(gate: &Gate, uri: &Uri, headers: &HeaderMap, metadata: &Json) -> Response {
    match gate.knows(uri, headers) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/json")], metadata.bytes()).into_response(),
        Err(denial) => denial.into_response(),
    }
}
