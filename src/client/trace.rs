//! The trace a request belongs to: as its `_meta` says, or else its HTTP headers, which is where most
//! libraries that trace put it.

use axum::http::{HeaderMap, HeaderName};
use bytestring::ByteString;

use crate::model::{
    call::Member,
    json::Json,
    trace::{BAGGAGE, TRACEPARENT, TRACESTATE, TraceParent},
};

/// The longest `tracestate` and `baggage` taken from headers, in bytes. W3C asks for 512 (Trace Context
/// §3.3.1.5) and 8,192 (Baggage §3.3.2) at least.
const STATE_BYTES_MAX: usize = 4 * 1024;
const BAGGAGE_BYTES_MAX: usize = 8 * 1024;

static PARENT_HEADER: HeaderName = HeaderName::from_static(TRACEPARENT);
static STATE_HEADER: HeaderName = HeaderName::from_static(TRACESTATE);
static BAGGAGE_HEADER: HeaderName = HeaderName::from_static(BAGGAGE);

/// Adds to `meta`, a request's `_meta`, what `headers` say and it does not. What `_meta` says of the
/// trace stays the whole truth: a parent of the one does not go with a state of the other.
pub(super) fn complete(meta: &mut Vec<Member>, headers: &HeaderMap) {
    let says = |key: &str| meta.iter().any(|(own, _)| *own == key);
    let (says_trace, says_baggage) = (says(TRACEPARENT) || says(TRACESTATE), says(BAGGAGE));
    let mut add = |key, value: &str| meta.push((ByteString::from_static(key), Json::of(&value)));
    if !says_trace && let Some(parent) = parent(headers) {
        add(TRACEPARENT, parent);
        if let Some(state) = list(headers, &STATE_HEADER, STATE_BYTES_MAX) {
            add(TRACESTATE, &state);
        }
    }
    if !says_baggage && let Some(baggage) = list(headers, &BAGGAGE_HEADER, BAGGAGE_BYTES_MAX) {
        add(BAGGAGE, &baggage);
    }
}

/// The one `traceparent`, if it is well-formed.
fn parent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(&PARENT_HEADER).iter();
    let parent = values.next()?.to_str().ok()?;
    let is_good = values.next().is_none() && TraceParent::parse(parent).is_some();
    is_good.then_some(parent)
}

/// A header that is a list, and so may be there several times (RFC 9110 §5.3).
fn list(headers: &HeaderMap, name: &HeaderName, bytes_max: usize) -> Option<String> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().ok());
    let whole = values.collect::<Option<Vec<_>>>()?.join(",");
    (1..=bytes_max).contains(&whole.len()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn completed(own: &[(&'static str, &str)], headers: &[(&'static str, &str)]) -> String {
        let own = own.iter().map(|(key, value)| (ByteString::from_static(key), Json::of(value)));
        let mut meta: Vec<_> = own.collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        complete(&mut meta, &map);
        let members = meta.iter().map(|(key, value)| format!("{key}={}", value.as_str()));
        members.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn headers_say_what_the_request_does_not() {
        let headers =
            [(TRACEPARENT, PARENT), (TRACESTATE, "a=1"), (TRACESTATE, "b=2"), (BAGGAGE, "k=v")];
        let all = format!(r#"traceparent="{PARENT}" tracestate="a=1,b=2" baggage="k=v""#);
        assert_eq!(completed(&[], &headers), all);
        assert_eq!(completed(&[], &[]), "");
        let own = completed(&[(TRACEPARENT, "own")], &headers);
        assert_eq!(own, r#"traceparent="own" baggage="k=v""#, "a state goes with its parent");
        let own = completed(&[(BAGGAGE, "own")], &headers[..1]);
        assert_eq!(own, format!(r#"baggage="own" traceparent="{PARENT}""#));
    }

    #[test]
    fn what_is_malformed_or_too_long_is_left_out() {
        let long = "x".repeat(BAGGAGE_BYTES_MAX + 1);
        for headers in [
            &[(TRACEPARENT, "00-1-2-3"), (TRACESTATE, "a=1")][..],
            &[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)],
            &[(TRACESTATE, "a=1")],
            &[(BAGGAGE, &long)],
            &[(BAGGAGE, "")],
        ] {
            assert_eq!(completed(&[], headers), "", "{:?}", headers[0].0);
        }
    }
}
