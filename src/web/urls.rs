//! Under which URLs people reach this hub.

use axum::http::{
    HeaderMap, Uri, header,
    uri::{Authority, Scheme},
};

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

    /// As configured; else as whoever asks has found it. Their host is one the hub answers to.
    pub(super) fn for_request(&self, uri: &Uri, headers: &HeaderMap) -> Base {
        if let Some(url) = &self.public {
            return Base(url.to_string().trim_end_matches('/').to_owned());
        }
        let authority = authority(uri, headers);
        let authority = authority.as_ref();
        let host = authority.map_or("127.0.0.1", Authority::host);
        let port = authority.and_then(Authority::port).map(|port| format!(":{port}"));
        // `serving` has put there what plain HTTP does not say by itself.
        let scheme = if uri.scheme() == Some(&Scheme::HTTPS) { "https" } else { "http" };
        Base(format!("{scheme}://{host}{}", port.unwrap_or_default()))
    }

    /// Whether a request comes from a page of another origin than this hub's own.
    pub(super) fn is_elsewhere(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return false };
        let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
        let origin = origin.as_ref().and_then(Uri::authority);
        let own = authority(uri, headers);
        let own = [own.as_ref(), self.public.as_ref().and_then(Uri::authority)];
        origin.is_none() || !own.contains(&origin)
    }
}

/// Which host a request is for. HTTP/2 says so in the URI (RFC 9113 §8.3.1).
fn authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let named = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(named)
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
