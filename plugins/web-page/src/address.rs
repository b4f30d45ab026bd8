//! Addresses of pages: what is written in links made into what can be asked for.

use fluent_uri::{Uri, UriRef};

/// An absolute address of `http` or `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Uri<String>);

impl Address {
    /// Reads the address of a page, without its fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut uri = Uri::parse(encode(text))
            .map_err(|_| format!("{text:?} is no address such as https://example.com/page"))?;
        uri.set_fragment(None);
        let address = Self(uri);
        if !address.is_https() && !address.0.scheme().as_str().eq_ignore_ascii_case("http") {
            return Err(format!("only http and https addresses can be read, not {text:?}"));
        }
        match address.0.authority() {
            Some(authority) if authority.userinfo().is_some() => {
                Err(format!("{text:?} names a user, which is not supported"))
            }
            Some(authority) if authority.host().is_empty() || authority.host().contains('%') => {
                Err(format!("the host of {text:?} is not written in ASCII letters (xn--…)"))
            }
            Some(_) => Ok(address),
            None => Err(format!("{text:?} names no host")),
        }
    }

    /// What a link on this page leads to. Nothing if it is no link to follow.
    pub fn join(&self, link: &str) -> Option<String> {
        let link = encode(link.trim());
        let link = UriRef::parse(link).ok()?;
        let scheme = link.scheme().map(|scheme| scheme.as_str().to_ascii_lowercase());
        match scheme.as_deref() {
            None => Some(link.resolve_against(&self.0).ok()?.into_string()),
            Some("http" | "https" | "mailto" | "tel" | "ftp") => Some(link.into_string()),
            Some(_) => None,
        }
    }

    pub fn is_https(&self) -> bool {
        self.0.scheme().as_str().eq_ignore_ascii_case("https")
    }

    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    pub fn path_and_query(&self) -> String {
        let path = self.0.path().as_str();
        let path = if path.is_empty() { "/" } else { path };
        match self.0.query() {
            Some(query) => format!("{path}?{}", query.as_str()),
            None => path.to_owned(),
        }
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Addresses in pages are written as people please. What an address cannot contain is encoded, as
/// browsers do it; what is encoded already stays.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        let is_escape = || {
            let digits = bytes.get(index + 1..index + 3);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match byte {
            b'\t' | b'\n' | b'\r' => {}
            b'%' if !is_escape() => encoded.push_str("%25"),
            b'<' | b'>' | b'"' | b'{' | b'}' | b'|' | b'\\' | b'^' | b'`' | 0..=b' ' | 0x7f.. => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_browsers_go() {
        let page = Address::parse("https://example.com/a/b?c=d#e").unwrap();
        assert_eq!(page.path_and_query(), "/a/b?c=d");
        for (link, target) in [
            ("x", "https://example.com/a/x"),
            ("../x y", "https://example.com/x%20y"),
            ("//other.org", "https://other.org"),
            ("?q=1", "https://example.com/a/b?q=1"),
            ("#part", "https://example.com/a/b?c=d#part"),
            ("/größe%20%", "https://example.com/gr%C3%B6%C3%9Fe%20%25"),
            ("mailto:a@b.c", "mailto:a@b.c"),
            (" HTTP://b.c/\n", "HTTP://b.c/"),
        ] {
            assert_eq!(page.join(link).as_deref(), Some(target), "{link}");
        }
        assert_eq!(page.join("javascript:void(0)"), None);
        assert_eq!(page.join("data:text/plain,x"), None);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for text in ["", "example.com", "ftp://a/b", "https://", "https://u:p@a/", "https://ä.de/"]
        {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse("HTTPS://A.b:8443").is_ok_and(|address| address.is_https()));
    }
}
