//! The provider client for JavaScript, ready to be imported from the hub it is for.

use std::future::ready;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// A file that is the same for everybody, so that nobody is asked who they are.
#[derive(Clone)]
struct File {
    text: &'static str,
    kind: &'static str,
    etag: String,
}

/// `/client.ts` and `/client.js`, which is made of it.
pub fn routes() -> Router {
    let javascript = include_str!("../../sdk/typescript/client.js");
    let javascript = File::new(javascript, "text/javascript; charset=utf-8");
    let typescript = include_str!("../../sdk/typescript/client.ts");
    let typescript = File::new(typescript, "application/typescript; charset=utf-8");
    // Deno and its like find the types by this header.
    let types = [("x-typescript-types", "./client.ts")];
    let javascript = move |headers: HeaderMap| ready((types, javascript.answer(&headers)));
    let typescript = move |headers: HeaderMap| ready(typescript.answer(&headers));
    Router::new().route("/client.js", get(javascript)).route("/client.ts", get(typescript))
}

impl File {
    fn new(text: &'static str, kind: &'static str) -> Self {
        let digest = digest(&SHA256, text.as_bytes());
        let etag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..18]));
        Self { text, kind, etag }
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let common = [
            (header::ETAG, &*self.etag),
            // It changes with the hub, whose version its users should be at.
            (header::CACHE_CONTROL, "no-cache"),
            // A module is imported across origins only when its server permits it.
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        if self.is_known(request) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        let own = [(header::CONTENT_TYPE, self.kind), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
        (common, own, self.text).into_response()
    }

    /// Whether the client has this very file (RFC 9110 §13.1.2).
    fn is_known(&self, request: &HeaderMap) -> bool {
        let known = request.get_all(header::IF_NONE_MATCH).iter();
        let known =
            known.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        known
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag == self.etag)
    }
}
