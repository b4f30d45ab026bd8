//! Why somebody is not let in, and the HTTP answer that tells them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

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

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        tracing::debug!(why = %self, "not let in");
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some(challenge) = self.challenge() {
            let challenge = HeaderValue::try_from(challenge).expect("plain ASCII");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
