//! `/api/v1`: the facts of the hub as JSON, for scripts and for the pages.
//!
//! Its description, `/api/v1/openapi.json`, is made from the very handlers that answer.

#![expect(unused_qualifications, reason = "utoipa's macro names parameters twice")]

mod calls;
mod clients;
mod events;
mod health;
mod hub;
mod page;
mod plugins;
mod problem;
mod providers;
mod tools;
mod viewer;
mod who;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::{
    IntoResponses, Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::problem::Problem;
use super::{file::File, glance::Glance, series::Series, urls::Urls};
use crate::{
    auth::Gate,
    hub::Hub,
    model::{id::UserId, json::Json},
};

/// Counts the open sessions of a user, or of all.
type Sessions = Box<dyn Fn(Option<&UserId>) -> usize + Send + Sync>;

/// What the answers are taken from.
pub struct Api {
    pub hub: Hub,
    pub gate: Arc<Gate>,
    pub urls: Urls,
    pub glance: Glance,
    pub series: Series,
    pub draining: CancellationToken,
    pub plugins: plugins::Statuses,
    pub act: plugins::Act,
    pub clients: clients::Statuses,
    pub sessions: Sessions,
}

type Answer = Result<Response, Problem>;

/// `facts` as JSON.
fn answer(facts: &impl Serialize) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Json::of(facts).bytes()).into_response()
}

/// What every request may be answered with instead.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
enum Faults {
    /// A parameter or the header with the token is not understood.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(#[to_schema] Problem),
    /// A token is missing, bad or has expired.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(#[to_schema] Problem),
    /// The token lacks a scope, or the host or origin is none this hub answers to.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// There is no such thing, or it is another user's.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem),
    /// The hub is stopping, or cannot fetch the keys it needs to judge the token.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by the macro only")]
enum Conflict {
    /// It cannot be done as things are.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(title = "MCP Hub", description = "What goes on in an MCP Hub."),
    security(("token" = [])),
    modifiers(&Token),
    components(schemas(
        plugins::Action,
        events::Hello,
        events::Changed,
        events::NewCalls,
        events::Pace,
        events::Bye
    ))
)]
struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}

impl Api {
    pub fn routes(self) -> Router {
        let (routes, description) = OpenApiRouter::with_openapi(Description::openapi())
            .routes(routes!(hub::hub))
            .routes(routes!(hub::me))
            .routes(routes!(hub::users))
            .routes(routes!(tools::list))
            .routes(routes!(tools::one))
            .routes(routes!(providers::list))
            .routes(routes!(plugins::list))
            .routes(routes!(plugins::act))
            .routes(routes!(calls::list))
            .routes(routes!(clients::list))
            .routes(routes!(health::health))
            .routes(routes!(events::events))
            .split_for_parts();
        let description = description.to_json().expect("a description is plain data");
        let description = File::new(description.into_bytes().into(), "application/json");
        let routes = routes
            .route("/api/v1", any(nothing))
            .route("/api/v1/", any(nothing))
            .route("/api/v1/{*path}", any(nothing));
        let description = move |headers| std::future::ready(description.answer(&headers));
        routes
            .route("/api/v1/openapi.json", get(description))
            .method_not_allowed_fallback(wrong_method)
            .layer(map_response(as_it_is_now))
            .with_state(Arc::new(self))
    }
}

async fn nothing(uri: Uri) -> Problem {
    let path = uri.path();
    Problem::not_found(format!("there is no {path:?}; /api/v1/openapi.json says what there is"))
}

async fn wrong_method(uri: Uri) -> Problem {
    let detail = format!("{:?} is not asked so; see /api/v1/openapi.json", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Facts are those of the moment, and a user's own.
async fn as_it_is_now(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
