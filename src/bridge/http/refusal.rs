//! What a status other than success means for a request, and how it is told.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{HeaderName, LOCATION, RETRY_AFTER},
};
use tokio::time::timeout;

use super::{
    SessionLost,
    reading::{self, extract, kind},
    server::Server,
};
use crate::{
    model::{error::RpcError, json::Json},
    provider::remote::frame::Incoming,
};

/// How long the body of a refusal may take.
const READ_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Refusal {
    status: StatusCode,
    location: Option<String>,
    retry_after: Option<String>,
    answer: Option<Answer>,
    /// What the server says about it, short and on one line; empty if nothing.
    extract: String,
}

/// A JSON-RPC answer in the body of a refusal.
pub(super) struct Answer {
    pub(super) id: Option<u64>,
    pub(super) outcome: Result<Json, RpcError>,
}

impl Refusal {
    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        let header = |name: HeaderName| {
            Some(extract(response.headers().get(name)?.to_str().ok()?)).filter(|v| !v.is_empty())
        };
        let (location, retry_after) = (header(LOCATION), header(RETRY_AFTER));
        let is_page = kind(&response) == "text/html";
        // A body that cannot be read says nothing; the status still does.
        let body = timeout(READ_WITHIN, reading::document(response)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let answer = match reading::message(&body) {
            Ok(Incoming::Answer { id, outcome }) => Some(Answer { id, outcome }),
            _ => None,
        };
        let extract = match &answer {
            Some(Answer { outcome: Err(error), .. }) => extract(&error.message),
            _ if is_page => String::new(),
            _ => extract(&body),
        };
        Self { status, location, retry_after, answer, extract }
    }

    /// The answer to request `id`, if that is what the refusal carries.
    pub(super) fn take_answer(&mut self, id: u64) -> Option<Answer> {
        // These are about who may ask, not about what was asked.
        if matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return None;
        }
        self.answer.take_if(|answer| match answer.id {
            Some(other) => other == id,
            // An error about nothing in particular; nothing else was asked here.
            None => answer.outcome.is_err(),
        })
    }

    /// Whether it says that there is no such session, to a request that named one.
    pub(super) fn loses_session(&self, request: Option<u64>) -> bool {
        match self.status {
            StatusCode::NOT_FOUND => !self.answers_unknown_method(request),
            // Not what the specification says, but what many a server does that began as a copy of
            // the SDK's examples ("Bad Request: No valid session ID provided").
            StatusCode::BAD_REQUEST => {
                let said = self.extract.to_ascii_lowercase();
                said.contains("session id") || said.contains("session not found")
            }
            _ => false,
        }
    }

    /// The modern answer to an unknown method; some servers give it in the legacy era, too.
    fn answers_unknown_method(&self, request: Option<u64>) -> bool {
        let Some(Answer { id, outcome: Err(error) }) = &self.answer else { return false };
        request.is_some() && *id == request && error.code == RpcError::METHOD_NOT_FOUND
    }

    pub(super) fn session_lost(&self) -> SessionLost {
        SessionLost(format!("the server has forgotten the session (it answers {})", self.status))
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn may_have_run(&self) -> bool {
        !(self.status.is_client_error() || self.status.is_redirection())
    }

    pub(super) fn reason(&self, server: &Server) -> String {
        let Self { status, location, retry_after, extract, .. } = self;
        let mut reason = match *status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let advice = "pass one that it takes with --server-token or --header";
                if server.shows_a_token() {
                    format!("the server refuses the token ({status}); {advice}")
                } else {
                    format!("the server wants to see a token ({status}); {advice}")
                }
            }
            _ if status.is_redirection() => {
                let to = location.as_deref().and_then(|location| server.pointed(location));
                let to = to.map_or("elsewhere".into(), |url| reading::extract(url.as_str()));
                format!("the server points to {to} ({status}); if that is right, name it instead")
            }
            _ => format!("the server answers {status}"),
        };
        if !extract.is_empty() {
            reason.push_str(": ");
            reason.push_str(extract);
        }
        if let Some(when) = retry_after {
            // A number is seconds; anything else is a date.
            let is_number = when.bytes().all(|byte| byte.is_ascii_digit());
            let (before, after) = if is_number { ("after ", " s") } else { ("from ", "") };
            reason.push_str(&format!("; it may be asked again {before}{when}{after}"));
        }
        reason
    }
}
