//! Under which URLs people reach this hub.

use axum::http::{HeaderMap, Uri, header};

/// Where the hub says that it is, if it was told.
#[derive(Debug, Clone)]
pub struct Urls {
    public: Option<Uri>,
}

/// The hub's URL, without a slash at its end.
pub(super) struct Base(pub String);

impl Urls {
    pub fn new(public: Option<Uri>) -> Self {
        Self { public }
    }

    /// As configured; else as whoever asks has found it. Their `Host` is one the hub answers to.
    pub(super) fn for_request(&self, uri: &Uri, headers: &HeaderMap) -> Base {
        if let Some(url) = &self.public {
            return Base(url.to_string().trim_end_matches('/').to_owned());
        }
        // HTTP/2 carries it in the URI (RFC 9113 §8.3.1).
        let host = uri.authority().map(|authority| authority.as_str());
        let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok());
        Base(format!("http://{}", host.unwrap_or_default()))
    }
}

impl Base {
    /// What MCP clients are given.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/mcp", self.0)
    }

    /// What providers dial.
    pub(super) fn providers(&self) -> String {
        // From `http` to `ws`, and so from `https` to `wss`.
        format!("{}/clients/ws", self.0.replacen("http", "ws", 1))
    }
}
