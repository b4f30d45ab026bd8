//! Why somebody is not let in, and the HTTP answer that tells them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use metrics::{Counter, counter};

use super::Scope;

#[derive(Debug, thiserror::Error)]
pub enum Denial {
    #[error(
        "the host {0:?} is not one this hub answers to; \
         name it in `public_url` or `allowed_hosts`"
    )]
    Host(String),
    #[error("the origin {0:?} is not one this hub answers to; name it in `allowed_origins`")]
    Origin(String),
    #[error("a page of another site loads this, which it may not")]
    CrossSite,
    #[error("a token is needed: send `Authorization: Bearer <token>`; `mcp-hub token` makes one")]
    NoToken,
    #[error("the Authorization header does not have the form `Bearer <token>`")]
    NotBearer,
    #[error("the token has expired; `mcp-hub token` makes a new one")]
    Expired,
    #[error("the token is not valid: {0}")]
    BadToken(String),
    #[error("the token lacks the scope {}", .0.as_str())]
    MissingScope(Scope),
}

impl Denial {
    const REASONS: [&str; 8] = [
        "host",
        "origin",
        "cross_site",
        "no_token",
        "not_bearer",
        "expired",
        "bad_token",
        "missing_scope",
    ];

    /// Why, as a metric label.
    fn reason(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Origin(_) => "origin",
            Self::CrossSite => "cross_site",
            Self::NoToken => "no_token",
            Self::NotBearer => "not_bearer",
            Self::Expired => "expired",
            Self::BadToken(_) => "bad_token",
            Self::MissingScope(_) => "missing_scope",
        }
    }

    /// Has all reasons counted from the start: one that never came up is to be seen as zero.
    pub(super) fn prepare() {
        Self::REASONS.into_iter().for_each(|reason| refusals(reason).increment(0));
    }

    /// Counts and logs it; for whoever answers with it.
    pub fn note(&self) {
        refusals(self.reason()).increment(1);
        tracing::debug!(why = %self, "not let in");
    }

    /// The status of an answer that is nothing but this.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Host(_) | Self::Origin(_) | Self::CrossSite | Self::MissingScope(_) => {
                StatusCode::FORBIDDEN
            }
            Self::NoToken | Self::NotBearer | Self::Expired | Self::BadToken(_) => {
                StatusCode::UNAUTHORIZED
            }
        }
    }

    /// The challenge that goes with a 401 or 403 (RFC 6750 §3).
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::Host(_) | Self::Origin(_) | Self::CrossSite => None,
            // RFC 6750 §3.1: no error code when the request brought no token at all.
            Self::NoToken => Some("Bearer".into()),
            Self::NotBearer => Some(r#"Bearer error="invalid_request""#.into()),
            Self::Expired => {
                let what =
                    r#"Bearer error="invalid_token", error_description="the token has expired""#;
                Some(what.into())
            }
            Self::BadToken(_) => Some(r#"Bearer error="invalid_token""#.into()),
            Self::MissingScope(scope) => {
                let scope = scope.as_str();
                Some(format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
            }
        }
    }
}

fn refusals(reason: &'static str) -> Counter {
    counter!("mcp_hub_refusals_total", "reason" => reason)
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        self.note();
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some(challenge) = self.challenge() {
            let challenge = HeaderValue::try_from(challenge).expect("plain ASCII");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
