//! Why somebody is not let in, and the HTTP answer that tells them.

use std::{fmt, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use metrics::{Counter, counter};

use super::Scope;

/// A denial, with what its answer says of the way in.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Denial {
    reason: Reason,
    // Boxed, as it is a part of every result of a check.
    challenge: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error(
        "the host {0:?} is not one this hub answers to; \
         name it in `public_url` or `allowed_hosts`"
    )]
    Host(String),
    #[error("the origin {0:?} is not one this hub answers to; name it in `allowed_origins`")]
    Origin(String),
    #[error("a page of another site loads this, which it may not")]
    CrossSite,
    #[error("a token is needed: send `Authorization: Bearer <token>`; {0}")]
    NoToken(Maker),
    #[error("the Authorization header does not have the form `Bearer <token>`")]
    Malformed,
    #[error("the request has more than one Authorization header: send the one with the token")]
    Repeated,
    #[error("the token has expired; {0}")]
    Expired(Maker),
    #[error("the token is not valid: {0}")]
    BadToken(String),
    #[error("the token cannot be judged now: {why}; try again soon")]
    NoKeys { why: Unjudged, retry_after: Duration },
    #[error("the token lacks the scope {0}")]
    MissingScope(Scope),
}

/// Why it is not known whether a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    #[error("the keys of its issuer could not be fetched")]
    Unfetched,
    #[error("too many requests wait already for the next fetch of its issuer's keys")]
    Crowded,
}

/// Who makes the tokens this hub asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Hub,
    Issuer,
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hub => "`mcp-hub token` makes one",
            Self::Issuer => "ask the issuer of this hub's tokens for one",
        })
    }
}

/// All that [`Reason::label`] says.
const LABELS: [&str; 9] = [
    "host",
    "origin",
    "cross_site",
    "no_token",
    "malformed",
    "expired",
    "bad_token",
    "no_keys",
    "missing_scope",
];

impl Reason {
    /// As a metric label.
    fn label(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Origin(_) => "origin",
            Self::CrossSite => "cross_site",
            Self::NoToken(_) => "no_token",
            Self::Malformed | Self::Repeated => "malformed",
            Self::Expired(_) => "expired",
            Self::BadToken(_) => "bad_token",
            Self::NoKeys { .. } => "no_keys",
            Self::MissingScope(_) => "missing_scope",
        }
    }

    pub(super) fn bad(what: &str) -> Self {
        Self::BadToken(what.to_owned())
    }
}

impl From<Reason> for Denial {
    /// One that no token would help against.
    fn from(reason: Reason) -> Self {
        Self { reason, challenge: None }
    }
}

impl Denial {
    /// One at a door that asks for `scope`. `metadata` is the URL of the hub's resource metadata, if
    /// it has any.
    pub(super) fn at(scope: Scope, metadata: Option<&str>, reason: Reason) -> Self {
        let challenge = challenge(scope, metadata, &reason).map(String::into_boxed_str);
        Self { reason, challenge }
    }

    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Has all reasons counted from the start: one that never came up is to be seen as zero.
    pub(super) fn prepare() {
        LABELS.into_iter().for_each(|reason| refusals(reason).increment(0));
    }

    /// Counts and logs it; for whoever answers with it.
    pub fn note(&self) {
        refusals(self.reason.label()).increment(1);
        tracing::debug!(why = %self, "not let in");
    }

    /// The status of an answer that is nothing but this (RFC 6750 §3.1).
    pub fn status(&self) -> StatusCode {
        match self.reason {
            Reason::Host(_) | Reason::Origin(_) | Reason::CrossSite | Reason::MissingScope(_) => {
                StatusCode::FORBIDDEN
            }
            Reason::Malformed | Reason::Repeated => StatusCode::BAD_REQUEST,
            Reason::NoToken(_) | Reason::Expired(_) | Reason::BadToken(_) => {
                StatusCode::UNAUTHORIZED
            }
            // 401 would say that the token is at fault, and send its bearer for another one
            // (RFC 6750 §3.1).
            Reason::NoKeys { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The header that goes with that status: a challenge with 400, 401 and 403 (RFC 6750 §3), the time
    /// to wait with 503 (RFC 9110 §10.2.3).
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        if let Reason::NoKeys { retry_after, .. } = self.reason {
            return Some((header::RETRY_AFTER, retry_after.as_secs().max(1).into()));
        }
        let challenge = HeaderValue::try_from(self.challenge.as_deref()?).ok()?;
        Some((header::WWW_AUTHENTICATE, challenge))
    }
}

/// The challenge of RFC 6750 §3, with what RFC 9728 §5.1 adds to it where there is `metadata`.
fn challenge(scope: Scope, metadata: Option<&str>, reason: &Reason) -> Option<String> {
    let mut says = Vec::new();
    let mut say = |name: &str, value: &str| says.push(format!("{name}=\"{value}\""));
    match reason {
        Reason::Host(_) | Reason::Origin(_) | Reason::CrossSite | Reason::NoKeys { .. } => {
            return None;
        }
        // RFC 6750 §3.1: no error code when the request brought no token at all.
        Reason::NoToken(_) => {}
        Reason::Malformed | Reason::Repeated => say("error", "invalid_request"),
        Reason::Expired(_) => {
            say("error", "invalid_token");
            say("error_description", "the token has expired");
        }
        Reason::BadToken(_) => say("error", "invalid_token"),
        Reason::MissingScope(_) => say("error", "insufficient_scope"),
    }
    let lacks = matches!(reason, Reason::MissingScope(_));
    if lacks || metadata.is_some() {
        say("scope", scope.as_str());
    }
    if let Some(metadata) = metadata {
        say("resource_metadata", metadata);
        if lacks {
            say("error_description", &reason.to_string());
        }
    }
    Some(format!("Bearer {}", says.join(", ")).trim_end().to_owned())
}

fn refusals(reason: &'static str) -> Counter {
    counter!("mcp_hub_refusals_total", "reason" => reason)
}

impl IntoResponse for Denial {
    fn into_response(self) -> Response {
        self.note();
        let mut response = (self.status(), format!("{self}\n")).into_response();
        response.headers_mut().extend(self.header());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_metadata_only_where_there_is_some() {
        let url = "https://hub/.well-known/oauth-protected-resource/mcp";
        let metadata = format!(r#"scope="mcp:tools", resource_metadata="{url}""#);
        let lacks = r#"Bearer error="insufficient_scope""#;
        let why = "the token lacks the scope mcp:tools";
        for (reason, bare, full) in [
            (Reason::NoToken(Maker::Hub), "Bearer".to_owned(), format!("Bearer {metadata}")),
            (
                Reason::Malformed,
                r#"Bearer error="invalid_request""#.into(),
                format!(r#"Bearer error="invalid_request", {metadata}"#),
            ),
            (
                Reason::bad("x"),
                r#"Bearer error="invalid_token""#.into(),
                format!(r#"Bearer error="invalid_token", {metadata}"#),
            ),
            (
                Reason::MissingScope(Scope::Tools),
                format!(r#"{lacks}, scope="mcp:tools""#),
                format!(r#"{lacks}, {metadata}, error_description="{why}""#),
            ),
        ] {
            assert_eq!(challenge(Scope::Tools, None, &reason), Some(bare));
            assert_eq!(challenge(Scope::Tools, Some(url), &reason), Some(full));
        }
    }

    #[test]
    fn what_no_token_helps_against_has_no_challenge() {
        let no_keys = Reason::NoKeys { why: Unjudged::Unfetched, retry_after: Duration::ZERO };
        for reason in [Reason::CrossSite, no_keys] {
            assert_eq!(challenge(Scope::Tools, Some("https://hub"), &reason), None);
        }
    }
}
