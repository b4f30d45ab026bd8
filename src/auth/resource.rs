//! The hub as a protected resource of OAuth 2: its name, and who gives tokens for it (RFC 9728).

use std::sync::Arc;

use axum::http::Uri;
use reqwest::Url;
use serde::Serialize;

use super::Scope;

/// Where metadata is found, at the root of a host and with the path of a resource after it
/// (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// The resource itself, below the hub's URL.
const ENDPOINT: &str = "/mcp";

/// What clients can learn before they have a token.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The canonical URI of the endpoint: whom tokens are for (RFC 8707 §2).
    pub uri: String,
    /// Where the metadata is.
    pub metadata_url: Arc<str>,
    /// The path of the hub's own URL, without a slash at its end: empty for most.
    base_path: String,
    authorization_servers: Vec<String>,
}

/// The document (RFC 9728 §2).
#[derive(Debug, Serialize)]
pub struct Metadata<'a> {
    resource: &'a str,
    resource_name: &'static str,
    authorization_servers: &'a [String],
    /// What every client needs. Clients ask for all that is listed, so what only providers and admins
    /// need is not.
    scopes_supported: [&'static str; 1],
    bearer_methods_supported: [&'static str; 1],
}

impl Resource {
    /// `None` if `public_url` has no host.
    pub fn new(public_url: &Uri, authorization_servers: &[String]) -> Option<Self> {
        // Its host in lower case, and no port where that says nothing.
        let mut url: Url = public_url.to_string().parse().ok()?;
        url.set_query(None);
        let base = url.as_str().trim_end_matches('/');
        Some(Self {
            uri: format!("{base}{ENDPOINT}"),
            metadata_url: format!("{base}{WELL_KNOWN}{ENDPOINT}").into(),
            base_path: url.path().trim_end_matches('/').to_owned(),
            authorization_servers: authorization_servers.to_vec(),
        })
    }

    pub fn metadata(&self) -> Metadata<'_> {
        Metadata {
            resource: &self.uri,
            resource_name: "MCP Hub",
            authorization_servers: &self.authorization_servers,
            scopes_supported: [Scope::Tools.as_str()],
            bearer_methods_supported: ["header"],
        }
    }

    /// The paths at which clients look for the metadata. Behind a proxy that gives the hub a path of
    /// its own, some look for it at the root of the host, with that path after it.
    pub fn metadata_paths(&self) -> Vec<String> {
        let mut paths = vec![WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}{ENDPOINT}")];
        if !self.base_path.is_empty() {
            paths.push(format!("{WELL_KNOWN}{}{ENDPOINT}", self.base_path));
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_one_name_however_its_url_is_written() {
        for (public_url, uri, metadata) in [
            ("https://Hub.Example.com", "https://hub.example.com/mcp", ""),
            ("https://hub.example.com:443/", "https://hub.example.com/mcp", ""),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/mcp", ""),
            ("https://example.com/hub/", "https://example.com/hub/mcp", "/hub/mcp"),
        ] {
            let resource = Resource::new(&public_url.parse().unwrap(), &[]).unwrap();
            assert_eq!(resource.uri, uri, "{public_url}");
            let last = resource.metadata_paths().pop().unwrap();
            let suffix = if metadata.is_empty() { "/mcp" } else { metadata };
            assert_eq!(last, format!("{WELL_KNOWN}{suffix}"), "{public_url}");
        }
    }
}
