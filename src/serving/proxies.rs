//! What a proxy says of the requests it hands on, believed only of those that are trusted.

use std::{fmt, net::IpAddr, sync::Arc};

use axum::http::{
    HeaderMap, HeaderName, Request, Uri, header,
    uri::{Authority, Scheme},
};
use ipnet::IpNet;
use serde::Deserialize;

use super::head::BadHead;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An address or a network, as `127.0.0.1` or `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no network: expected one such as \"127.0.0.1\" or \"10.0.0.0/8\"")]
pub struct NotANetwork(String);

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse().ok().or_else(one);
        network.map(Self).ok_or(NotANetwork(text))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the proxies are whose `X-Forwarded-*` headers are believed. Of anybody else these are
/// ignored: they could claim to be whoever they like.
#[derive(Debug, Clone)]
pub(super) struct Proxies(Arc<[Network]>);

impl Proxies {
    pub(super) fn new(trusted: &[Network]) -> Self {
        Self(trusted.into())
    }

    pub(super) fn contain(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.0.contains(&peer))
    }

    /// Who sent the request that came from `peer`: of the addresses it is said to have come by, the
    /// last that is no trusted proxy. Those before are that one's own words.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.contain(peer) {
            return peer;
        }
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer;
        for hop in hops {
            let Some(address) = address(hop.trim()) else { break };
            client = address;
            if !self.contain(client) {
                break;
            }
        }
        client
    }

    /// Makes the request's URI say by which scheme and host the client found the hub, where that is
    /// not plain HTTP and the `Host` it names. HTTP/2 has it there anyway (RFC 9113 §8.3.1).
    ///
    /// # Errors
    ///
    /// A trusted proxy names no host.
    pub(super) fn locate<B>(
        &self,
        request: &mut Request<B>,
        peer: IpAddr,
        is_secure: bool,
    ) -> Result<(), BadHead> {
        let headers = request.headers();
        let is_told = self.contain(peer);
        let told = |name| if is_told { first(headers, name) } else { None };
        let (scheme, host) = (told(&FORWARDED_PROTO), told(&FORWARDED_HOST));
        if scheme.is_none() && host.is_none() && (!is_secure || request.uri().scheme().is_some()) {
            return Ok(());
        }
        let scheme = match scheme {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => Scheme::HTTPS,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => Scheme::HTTP,
            _ if is_secure => Scheme::HTTPS,
            _ => Scheme::HTTP,
        };
        let authority = match host {
            Some(host) => Some(authority_of(host).ok_or(BadHead::ForwardedHost)?),
            None => named_authority(request.uri(), headers),
        };
        let mut parts = request.uri().clone().into_parts();
        (parts.scheme, parts.authority) = (Some(scheme), authority);
        // One without a path or a host stays as it is: it finds no page, or its host is none of ours.
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        Ok(())
    }
}

fn named_authority(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let named = || authority_of(headers.get(header::HOST)?.to_str().ok()?);
    uri.authority().cloned().filter(is_host).or_else(named)
}

fn authority_of(text: &str) -> Option<Authority> {
    text.parse().ok().filter(is_host)
}

/// `user@host` is no host (RFC 9110 §4.2.4), and is not made one here.
fn is_host(authority: &Authority) -> bool {
    !authority.as_str().contains('@')
}

/// What was said first: by the proxy that the client itself spoke to. Nothing, of what is no text.
fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().unwrap_or_default().split(',').next().map(str::trim)
}

/// An address with or without a port, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, request};

    use super::*;

    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn proxies() -> Proxies {
        Proxies::new(&["10.0.0.0/8", "2001:db8::1"].map(|text| text.to_owned().try_into().unwrap()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_client_is_the_last_that_is_no_trusted_proxy() {
        for (peer, forwarded, expected) in [
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1, 192.0.2.7, 10.2.3.4"], "192.0.2.7"),
            ("10.0.0.1", &["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["192.0.2.7, junk"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7:1234"], "192.0.2.7"),
            ("2001:db8::1", &["[2001:db8::7]:1234"], "2001:db8::7"),
            ("2001:db8::1", &["::ffff:192.0.2.7"], "192.0.2.7"),
            ("192.0.2.1", &["198.51.100.1"], "192.0.2.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            assert_eq!(proxies().client(ip(peer), &headers), ip(expected), "{peer} {forwarded:?}");
        }
    }

    fn located(
        peer: IpAddr,
        is_secure: bool,
        change: impl FnOnce(request::Builder) -> request::Builder,
    ) -> String {
        let request = Request::get("/mcp?a=b").header("host", "hub.lan:8080");
        let mut request = change(request).body(()).unwrap();
        match proxies().locate(&mut request, peer, is_secure) {
            Ok(()) => request.uri().to_string(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn a_trusted_proxy_says_how_the_hub_was_found() {
        let told = |request: request::Builder| {
            request
                .header("x-forwarded-host", "hub.example.com, a.internal")
                .header("x-forwarded-proto", "https")
        };
        assert_eq!(located(PROXY, false, told), "https://hub.example.com/mcp?a=b");
        assert_eq!(located(ip("192.0.2.1"), false, told), "/mcp?a=b", "anybody else does not");
        let https = |request: request::Builder| request.header("x-forwarded-proto", "https");
        assert_eq!(located(PROXY, false, https), "https://hub.lan:8080/mcp?a=b");
        let odd = |request: request::Builder| request.header("x-forwarded-proto", "javascript");
        assert_eq!(located(PROXY, false, odd), "http://hub.lan:8080/mcp?a=b");
        for bad in ["a b", "hub.example.com@evil.example.com", ""] {
            let bad = |request: request::Builder| request.header("x-forwarded-host", bad);
            assert_eq!(located(PROXY, false, bad), BadHead::ForwardedHost.to_string(), "refused");
            assert_eq!(located(ip("192.0.2.1"), false, bad), "/mcp?a=b", "not so of anybody else");
        }
    }

    #[test]
    fn over_tls_the_scheme_is_known() {
        assert_eq!(located(PROXY, true, |request| request), "https://hub.lan:8080/mcp?a=b");
        assert_eq!(located(PROXY, false, |request| request), "/mcp?a=b");
        let http2 = |request: request::Builder| request.uri("https://hub.lan/");
        assert_eq!(located(PROXY, true, http2), "https://hub.lan/");
    }
}
