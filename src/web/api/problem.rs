//! Everything that can go wrong with a request to the API, told as RFC 9457 says.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::Denial,
    model::{error::LimitHit, json::Json, plugin::ActionRefused},
};

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `about:blank`: the problem is what the status says (RFC 9457 §4.2.1).
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The name of the status.
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request, and the way out.
    detail: String,
    #[serde(skip)]
    // Boxed, so that a problem is small beside what is answered without one.
    header: Option<Box<(header::HeaderName, HeaderValue)>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            header: None,
        }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        denial.note();
        tracing::debug!(why = %denial, "not let in");
        let header = denial.header().map(Box::new);
        Self { header, ..Self::new(denial.status(), denial.to_string()) }
    }
}

impl From<LimitHit> for Problem {
    fn from(hit: LimitHit) -> Self {
        let seconds = HeaderValue::from(hit.retry_after.as_secs());
        let header = Some(Box::new((header::RETRY_AFTER, seconds)));
        Self { header, ..Self::new(StatusCode::TOO_MANY_REQUESTS, hit.to_string()) }
    }
}

impl From<ActionRefused> for Problem {
    fn from(refused: ActionRefused) -> Self {
        let status = match refused {
            ActionRefused::NoSuchPlugin => StatusCode::NOT_FOUND,
            ActionRefused::Disabled | ActionRefused::Unwritable { .. } => StatusCode::CONFLICT,
            ActionRefused::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refused.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, kind, Json::of(&self).bytes()).into_response();
        if let Some(header) = self.header {
            let (name, value) = *header;
            response.headers_mut().insert(name, value);
        }
        response
    }
}
