//! Whose trace a call belongs to, as W3C Trace Context and Baggage say it.

/// The keys of `_meta`, and the HTTP headers, that say it.
pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";
pub const BAGGAGE: &str = "baggage";

/// What a `traceparent` says (W3C Trace Context §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent<'a> {
    /// 32 hexadecimal digits, not all of them zero.
    pub trace: &'a str,
    /// 16 hexadecimal digits, not all of them zero.
    pub parent: &'a str,
    pub flags: u8,
}

impl<'a> TraceParent<'a> {
    /// Reads one of any version as far as version 00 goes (§3.2.4); `None` if it is malformed.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (version, rest) = text.split_once('-')?;
        let (trace, rest) = rest.split_once('-')?;
        let (parent, rest) = rest.split_once('-')?;
        let (flags, more) = match rest.split_once('-') {
            Some((flags, more)) => (flags, Some(more)),
            None => (rest, None),
        };
        let is_known = version == "00" && more.is_none();
        let is_newer = is_hexadecimal(version, 2) && !matches!(version, "00" | "ff");
        let is_good = (is_known || is_newer)
            && is_id(trace, 32)
            && is_id(parent, 16)
            && is_hexadecimal(flags, 2);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        is_good.then_some(Self { trace, parent, flags })
    }
}

fn is_id(text: &str, digits: usize) -> bool {
    is_hexadecimal(text, digits) && text.bytes().any(|byte| byte != b'0')
}

/// Only in lower case: the specification knows no other.
fn is_hexadecimal(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn a_good_one_is_read_whatever_its_version() {
        let expected = Some(TraceParent { trace: TRACE, parent: PARENT, flags: 1 });
        for good in [
            format!("00-{TRACE}-{PARENT}-01"),
            format!("01-{TRACE}-{PARENT}-01"),
            format!("cc-{TRACE}-{PARENT}-01-what-comes-later"),
        ] {
            assert_eq!(TraceParent::parse(&good), expected, "{good}");
        }
    }

    #[test]
    fn a_malformed_one_says_nothing() {
        for bad in [
            String::new(),
            "00".into(),
            "00-4bf9-00f0-01".into(),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-1"),
            format!("00-{TRACE}-{PARENT}-+1"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("0-{TRACE}-{PARENT}-01"),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{}-{PARENT}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(TraceParent::parse(&bad), None, "{bad}");
        }
    }
}
