//! Lets pages of other origins ask the hub and read its answers (Fetch, §3.2 CORS protocol): those
//! that the operator has listed, each by its name.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::auth::Gate;

/// Headers of answers that pages may read besides the few they may in any case.
const READ: [HeaderName; 3] =
    [HeaderName::from_static("mcp-session-id"), header::RETRY_AFTER, header::WWW_AUTHENTICATE];
/// How long a browser may remember what it was permitted.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The pages of other origins that are welcome.
#[derive(Clone)]
pub struct Cors {
    gate: Arc<Gate>,
    origins: Arc<[String]>,
}

impl Cors {
    /// For pages of `origins`, as `scheme://host[:port]`.
    pub fn new(gate: Arc<Gate>, origins: &[String]) -> Self {
        Self { gate, origins: origins.into() }
    }

    /// Whether no page of another origin is welcome.
    pub fn is_closed(&self) -> bool {
        self.origins.is_empty()
    }

    /// Opens `routes` to those pages, which may ask by these methods and with whatever headers: they
    /// are trusted with as much as the client that they are.
    pub fn open<const N: usize>(&self, routes: Router, methods: [Method; N]) -> Router {
        if self.is_closed() {
            return routes;
        }
        let cors = self.clone();
        let is_welcome = move |origin: &HeaderValue, asked: &Parts| cors.welcomes(origin, asked);
        let layer = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(is_welcome))
            .allow_methods(methods)
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(READ)
            .max_age(REMEMBERED);
        routes.layer(layer)
    }

    /// Whether the page is of a listed origin and asks for a host that is the hub's.
    fn welcomes(&self, origin: &HeaderValue, asked: &Parts) -> bool {
        let is_listed = |listed: &String| listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        self.origins.iter().any(is_listed) && self.gate.knows(&asked.uri, &asked.headers).is_ok()
    }
}
