//! Which hosts and origins the hub answers to: the guard against DNS rebinding and against pages
//! that call a hub on their visitor's own machine.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, Uri, header};

use super::denial::Reason;

static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Names a loopback listener is known by.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The allow-lists, on by default.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Host names without port, in lower case.
    hosts: Vec<String>,
    /// Whole origins, `scheme://host[:port]`, in lower case.
    origins: Vec<String>,
}

impl Hosts {
    /// Allows loopback names, the address the hub listens on, the host and origin of
    /// `public_url`, and what the configuration adds.
    pub fn new(
        listen: IpAddr,
        public_url: Option<&Uri>,
        hosts: &[String],
        origins: &[String],
    ) -> Self {
        let mut hosts: Vec<_> = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let mut origins: Vec<_> = origins.iter().map(|o| o.to_ascii_lowercase()).collect();
        hosts.extend(LOOPBACK.map(str::to_owned));
        if !listen.is_unspecified() {
            hosts.push(match listen {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            });
        }
        if let Some((url, authority)) = public_url.and_then(|url| Some((url, url.authority()?))) {
            hosts.push(authority.host().to_ascii_lowercase());
            let scheme = url.scheme_str().unwrap_or("http");
            origins.push(format!("{scheme}://{authority}").to_ascii_lowercase());
        }
        Self { hosts, origins }
    }

    /// A missing `Host` does not pass, a missing `Origin` does: programs have none, and browsers tell
    /// otherwise what a page is up to.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Reason> {
        // HTTP/2 carries the host in the URI (RFC 9113 §8.3.1).
        let named = || headers.get(header::HOST)?.to_str().ok().map(without_port);
        let host = uri.host().or_else(named).unwrap_or_default();
        if !self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
            return Err(Reason::Host(host.to_owned()));
        }
        match headers.get(header::ORIGIN) {
            // Browsers name no origin where a page only loads something, such as a picture.
            None if is_loaded_by_a_foreign_page(headers) => Err(Reason::CrossSite),
            None => Ok(()),
            Some(origin) if self.allows_origin(origin.as_bytes()) => Ok(()),
            Some(origin) => {
                Err(Reason::Origin(String::from_utf8_lossy(origin.as_bytes()).into_owned()))
            }
        }
    }

    /// Pages on the same machine may come from any port: they are as local as the hub.
    fn allows_origin(&self, origin: &[u8]) -> bool {
        let Ok(origin) = std::str::from_utf8(origin) else { return false };
        if self.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let host = without_port(authority);
        let is_local = LOOPBACK.iter().any(|local| local.eq_ignore_ascii_case(host));
        matches!(scheme, "http" | "https") && is_local
    }
}

/// Whether a page of another site loads this as a part of itself (Fetch Metadata, W3C). A person who
/// follows a link from there is welcome.
fn is_loaded_by_a_foreign_page(headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName, values: &[&str]| {
        headers.get(name).is_some_and(|value| values.iter().any(|expected| value == expected))
    };
    let is_foreign = says(&FETCH_SITE, &["cross-site", "same-site"]);
    is_foreign && !(says(&FETCH_MODE, &["navigate"]) && says(&FETCH_DEST, &["document"]))
}

/// The host of `host[:port]`; all of it, if it is none: that is nobody's name.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<(), Reason> {
        let url = Uri::from_static("https://hub.example.com");
        let origins = ["https://app.example.com".to_owned()];
        let hosts = Hosts::new([127, 0, 0, 1].into(), Some(&url), &[], &origins);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        hosts.check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn own_names_pass_with_any_port() {
        for host in ["localhost", "127.0.0.1:8080", "[::1]", "[::1]:8080", "HUB.example.com:443"] {
            check(host, None).unwrap();
        }
    }

    #[test]
    fn foreign_hosts_do_not() {
        for host in [
            "evil.example.com",
            "",
            "localhost.evil.com",
            "localhost:80a",
            "evil:localhost",
            "a@localhost",
            "127.0.0.2",
            "[",
        ] {
            assert!(matches!(check(host, None), Err(Reason::Host(_))), "{host}");
        }
    }

    #[test]
    fn origins_are_local_or_listed() {
        for origin in
            ["http://localhost:6274", "https://hub.example.com", "https://app.example.com"]
        {
            check("localhost", Some(origin)).unwrap();
        }
        for origin in
            ["http://evil.example.com", "null", "http://hub.example.com", "file://localhost", ""]
        {
            let outcome = check("localhost", Some(origin));
            assert!(matches!(outcome, Err(Reason::Origin(_))), "{origin}");
        }
    }
}
