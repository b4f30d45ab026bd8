//! Where a guest may send HTTP requests: rules by scheme, host and port, and which addresses those
//! hosts may not be at, whatever the rules say.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::LazyLock,
};

use ipnet::IpNet;
use reqwest::Url;

/// One line of a plugin's `network` permission, such as `https://*.example.org:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    scheme: String,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    /// `*`
    Any,
    /// `*.example.org`: every name that ends so, but not the name itself. Kept with its dot.
    Under(String),
    Name(String),
    Address(IpAddr),
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{rule:?} is no network rule: {fault}; write one such as \"https://api.example.com\", \
     \"https://*.example.org:8443\" or \"http://10.0.0.7\""
)]
pub struct BadRule {
    rule: String,
    fault: &'static str,
}

impl Rule {
    /// Reads `scheme://host[:port]`. Without a port it is the scheme's own.
    pub fn parse(text: &str) -> Result<Self, BadRule> {
        let bad = |fault| BadRule { rule: text.to_owned(), fault };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        if !matches!(scheme, "http" | "https") {
            return Err(bad("the scheme is neither http nor https"));
        }
        let (wildcard, rest) = match rest.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        // A placeholder lets the parser of URLs, which requests go through too, do the rest.
        let host = match (wildcard, rest.starts_with('.')) {
            (true, false) => format!("any{rest}"),
            (true, true) => format!("any{rest}"),
            (false, _) => rest.to_owned(),
        };
        let url = Url::parse(&format!("{scheme}://{host}"))
            .map_err(|_unreadable| bad("the host or the port cannot be read"))?;
        let has_more = !matches!(url.path(), "" | "/")
            || rest.ends_with('/')
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some();
        if has_more {
            return Err(bad("there is more than scheme, host and port"));
        }
        let port = url.port_or_known_default().ok_or_else(|| bad("it has no port"))?;
        let host = match (wildcard, address(&url), url.host_str().unwrap_or_default()) {
            (true, None, "any") => Host::Any,
            (true, None, name) => match name.strip_prefix("any") {
                Some(under) if under.starts_with('.') => Host::Under(under.to_owned()),
                _ => return Err(bad("`*` stands for whole labels in front")),
            },
            (false, Some(address), _) => Host::Address(address),
            (false, None, name) if !name.contains('*') && !name.is_empty() => {
                Host::Name(name.to_owned())
            }
            _ => return Err(bad("`*` stands for whole labels in front")),
        };
        Ok(Self { scheme: scheme.to_owned(), host, port })
    }

    /// Whether a request to `url` is meant.
    pub fn allows(&self, url: &Url) -> bool {
        let name = url.host_str().unwrap_or_default();
        let host = match &self.host {
            Host::Any => true,
            Host::Under(under) => name.strip_suffix(under.as_str()).is_some_and(|l| !l.is_empty()),
            Host::Name(host) => name == host,
            Host::Address(host) => address(url) == Some(*host),
        };
        host && url.scheme() == self.scheme && url.port_or_known_default() == Some(self.port)
    }

    /// Whether the rule names the host of `url` itself, so that it means its address wherever that
    /// is.
    pub(crate) fn names_address(&self, address: IpAddr) -> bool {
        match &self.host {
            Host::Address(host) => *host == address,
            Host::Name(name) => name == "localhost" && address.is_loopback(),
            Host::Any | Host::Under(_) => false,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        match host {
            Host::Any => write!(f, "{scheme}://*:{port}"),
            Host::Under(under) => write!(f, "{scheme}://*{under}:{port}"),
            Host::Name(name) => write!(f, "{scheme}://{name}:{port}"),
            Host::Address(IpAddr::V4(v4)) => write!(f, "{scheme}://{v4}:{port}"),
            Host::Address(IpAddr::V6(v6)) => write!(f, "{scheme}://[{v6}]:{port}"),
        }
    }
}

/// The address that `url` names instead of a host. The parser has read every spelling of it, such
/// as `0x7f.1`.
pub fn address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// Reads a network such as `10.0.0.0/8`, or an address, which is a network of one.
pub fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse().map(|address: IpAddr| address.into()).ok())
}

/// Networks that are not the public Internet (IANA special-purpose registries, RFC 6890 and
/// those after it).
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

static NOT_PUBLIC_NETS: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    NOT_PUBLIC.iter().map(|net| net.parse().expect("a constant network")).collect()
});

/// Whether `address` is one of the public Internet, looking through the ways to write an IPv4
/// address as an IPv6 one.
pub fn is_public(address: IpAddr) -> bool {
    let address = plain(address);
    !NOT_PUBLIC_NETS.iter().any(|net| net.contains(&address))
}

/// The IPv4 address within an IPv6 one that is mapped (RFC 4291), compatible, translated (RFC
/// 6052) or 6to4 (RFC 3056).
pub fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let embedded = |high: u16, low: u16| {
        IpAddr::from([high.to_be_bytes(), low.to_be_bytes()].concat().try_into().unwrap_or([0; 4]))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
            if v6 != Ipv6Addr::LOCALHOST && !v6.is_unspecified() =>
        {
            embedded(high, low)
        }
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_rule_allows_what_it_says_and_nothing_beside() {
        for (rule, allowed, refused) in [
            (
                "https://api.example.com",
                &["https://api.example.com/x?y", "https://API.example.com:443/"][..],
                &[
                    "http://api.example.com",
                    "https://api.example.com:8443",
                    "https://example.com",
                    "https://api.example.com.evil.org",
                    "https://evil.org/api.example.com",
                    "https://api.example.com@evil.org",
                ][..],
            ),
            (
                "https://*.example.org:8443",
                &["https://a.example.org:8443", "https://a.b.example.org:8443"],
                &["https://example.org:8443", "https://aexample.org:8443", "https://a.example.org"],
            ),
            (
                "http://*",
                &["http://anything.at.all", "http://[2606:4700::1]/"],
                &["https://anything.at.all", "http://anything:81"],
            ),
            (
                "http://10.0.0.7:81",
                &["http://10.0.0.7:81", "http://0xa.7:81"],
                &["http://10.0.0.8:81"],
            ),
            ("http://[::1]:80", &["http://[0:0::1]"], &["http://[::2]"]),
        ] {
            let parsed = Rule::parse(rule).unwrap();
            allowed.iter().for_each(|it| assert!(parsed.allows(&url(it)), "{rule} allows {it}"));
            refused.iter().for_each(|it| assert!(!parsed.allows(&url(it)), "{rule} refuses {it}"));
        }
    }

    #[test]
    fn faulty_rules_are_refused_with_a_reason() {
        for (rule, fault) in [
            ("example.com", "it has no scheme"),
            ("ftp://example.com", "the scheme is neither http nor https"),
            ("https://example.com/path", "there is more than scheme, host and port"),
            ("https://user@example.com", "there is more than scheme, host and port"),
            ("https://a.*.com", "`*` stands for whole labels in front"),
            ("https://*example.com", "`*` stands for whole labels in front"),
            ("https://", "the host or the port cannot be read"),
            ("https://a:99999", "the host or the port cannot be read"),
        ] {
            let refused = Rule::parse(rule).unwrap_err();
            assert_eq!(refused.fault, fault, "{rule}");
        }
    }

    #[test]
    fn addresses_within_are_known_however_they_are_written() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in
            ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
