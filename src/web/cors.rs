//! Lets pages of other origins ask the hub and read its answers (Fetch, §3.2 CORS protocol): those
//! that the operator has listed, each by its name.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};

use crate::auth::Gate;

/// Headers that MCP clients send and browsers ask about. Those of a tool's parameters come besides.
const SENT: [&str; 8] = [
    "accept",
    "authorization",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
];
const PARAMETER_PREFIX: &str = "mcp-param-";
/// Headers of answers that pages may read besides the few they may in any case.
const READ: &str = "mcp-session-id, retry-after, www-authenticate";
/// How long a browser may remember what it was permitted, in seconds.
const REMEMBERED: &str = "600";

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

    /// Opens `routes` to those pages, which may ask by these methods.
    pub fn open(&self, routes: Router, methods: &'static str) -> Router {
        if self.origins.is_empty() {
            return routes;
        }
        let cors = self.clone();
        routes.layer(from_fn(move |request, next| {
            let cors = cors.clone();
            async move { cors.answer(methods, request, next).await }
        }))
    }

    async fn answer(&self, methods: &'static str, request: Request, next: Next) -> Response {
        let page = self.page(&request);
        let asks_first = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = match &page {
            Some(_) if asks_first => preflight(methods, request.headers()),
            _ => next.run(request).await,
        };
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = page {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let read = HeaderValue::from_static(READ);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, read);
        }
        response
    }

    /// The origin of the page that asks, if it is listed and asks for a host that is the hub's.
    fn page(&self, request: &Request) -> Option<HeaderValue> {
        let origin = request.headers().get(header::ORIGIN)?;
        let is_listed = |listed: &String| listed.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        let is_welcome = self.origins.iter().any(is_listed)
            && self.gate.knows(request.uri(), request.headers()).is_ok();
        is_welcome.then(|| origin.clone())
    }
}

/// The answer to a browser that asks before it sends what a page wants to.
fn preflight(methods: &'static str, asked: &HeaderMap) -> Response {
    let asked = asked.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let asked = asked.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let parameters = asked
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .filter(|name| name.as_str().starts_with(PARAMETER_PREFIX));
    let mut may_send = SENT.join(", ");
    for parameter in parameters {
        may_send.push_str(", ");
        may_send.push_str(parameter.as_str());
    }
    let permitted = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, &may_send),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, permitted).into_response()
}
