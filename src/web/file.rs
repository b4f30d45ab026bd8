//! A file that is the same for everybody, so that nobody is asked who they are.

use std::{borrow::Cow, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct File {
    content: Bytes,
    kind: &'static str,
    etag: Arc<str>,
}

impl File {
    pub(super) fn new(content: Cow<'static, [u8]>, kind: &'static str) -> Self {
        let digest = digest(&SHA256, &content);
        let tag = BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..18]);
        let content = match content {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Self { content, kind, etag: format!("\"{tag}\"").into() }
    }

    /// The file, or nothing if the client has this very one (RFC 9110 §13.1.2).
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let common = [
            (header::ETAG, &*self.etag),
            // It changes with the hub, whose version its users should be at.
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        if self.is_known(request) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (common, [(header::CONTENT_TYPE, self.kind)], self.content.clone()).into_response()
    }

    fn is_known(&self, request: &HeaderMap) -> bool {
        let known = request.get_all(header::IF_NONE_MATCH).iter();
        let known =
            known.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        known
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == &*self.etag)
    }
}
