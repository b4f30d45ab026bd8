//! How large the head of a request is, and what is said to one that is too large, or leaves open whom it
//! asks.

use std::error::Error;

use axum::{
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytesize::ByteSize;

use crate::model::limits;

/// The key of the bound.
const LIMIT: &str = "limits.request_head";
/// Bytes of a request line beside method and target: `␣…␣HTTP/1.1↵`.
const LINE: usize = " ".len() + " HTTP/1.1\r\n".len();
/// Bytes of a header beside name and value.
const HEADER: usize = ": ".len() + "\r\n".len();
/// The empty line at the end.
const END: usize = "\r\n".len();

/// The bytes of the head as HTTP/1.1 has them; over HTTP/2 as they were before they were packed.
fn bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + HEADER);
    request.method().as_str().len() + authority + path + LINE + headers.sum::<usize>() + END
}

/// Why a request goes no further than its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadHead {
    #[error("the head of the request is larger than {0} (limits.request_head)")]
    TooLarge(ByteSize),
    #[error("the request has more than one Host header")]
    SeveralHosts,
    #[error("the X-Forwarded-Host header of the proxy names no host")]
    ForwardedHost,
}

/// Whether the head is no larger than `max`, and names one host at most: which of two counts, a proxy
/// and the hub may see differently.
pub(super) fn check<B>(request: &Request<B>, max: ByteSize) -> Result<(), BadHead> {
    if bytes(request) > limits::bytes(max) {
        return Err(BadHead::TooLarge(max));
    }
    match request.headers().get_all(header::HOST).iter().nth(1) {
        Some(_) => Err(BadHead::SeveralHosts),
        None => Ok(()),
    }
}

impl BadHead {
    /// 431 (RFC 6585 §5) or 400 (RFC 9112 §3.2).
    fn status(self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::SeveralHosts | Self::ForwardedHost => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for BadHead {
    fn into_response(self) -> Response {
        if matches!(self, Self::TooLarge(_)) {
            super::count_hit(LIMIT);
        }
        (self.status(), format!("{self}\n")).into_response()
    }
}

/// Counts a head that hyper has refused by itself, if it was one: of more than twice the bytes, or
/// with more than a hundred headers. To read more of these it would take memory from every request.
pub(super) fn count_refused(error: &(dyn Error + Send + Sync + 'static)) {
    if error.downcast_ref().is_some_and(hyper::Error::is_parse_too_large) {
        super::count_hit(LIMIT);
    }
}
