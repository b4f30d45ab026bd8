//! How large the head of a request is, and what is said to one that is too large.

use axum::{
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use bytesize::ByteSize;

/// Bytes of a request line beside method and target: `␣…␣HTTP/1.1↵`.
const LINE: usize = " ".len() + " HTTP/1.1\r\n".len();
/// Bytes of a header beside name and value.
const HEADER: usize = ": ".len() + "\r\n".len();
/// The empty line at the end.
const END: usize = "\r\n".len();

/// The bytes of the head as HTTP/1.1 has them; over HTTP/2 as they were before they were packed.
pub(super) fn bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + HEADER);
    request.method().as_str().len() + authority + path + LINE + headers.sum::<usize>() + END
}

/// 431 (RFC 6585 §5).
pub(super) fn too_large(max: ByteSize) -> Response {
    super::count_hit("limits.request_head");
    let why = format!("the head of the request is larger than {max} (limits.request_head)\n");
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why).into_response()
}
