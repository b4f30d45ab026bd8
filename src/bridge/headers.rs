//! The headers that repeat parts of a request's body: how they are written, and which there are.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

/// As it is where a header can carry it, else in the `=?base64?…?=` form.
pub(crate) fn encode(value: &str) -> HeaderValue {
    let printable = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    // Blanks at the ends get lost on the way, and what looks encoded would be decoded.
    let survives = value.trim_matches([' ', '\t']) == value;
    let looks_encoded = value.starts_with("=?base64?") && value.ends_with("?=");
    let text = if printable && survives && !looks_encoded {
        value.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64_STANDARD.encode(value))
    };
    HeaderValue::from_str(&text).expect("printable ASCII or base64")
}

/// The `Mcp-Param-*` headers that a tool's input schema asks for with `x-mcp-header`.
pub(crate) fn of_arguments(input_schema: &RawValue, arguments: &RawValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    collect(input_schema, arguments, &mut headers);
    headers
}

#[derive(Deserialize)]
struct Schema<'a> {
    #[serde(rename = "x-mcp-header")]
    header: Option<String>,
    #[serde(borrow, default)]
    properties: HashMap<String, &'a RawValue>,
}

fn collect(schema: &RawValue, value: &RawValue, headers: &mut HeaderMap) {
    // A schema may be `true`; what has no members has no annotations.
    let Ok(schema) = serde_json::from_str::<Schema<'_>>(schema.get()) else { return };
    if let Some(name) = schema.header
        && let Ok(name) = HeaderName::try_from(format!("mcp-param-{name}"))
        && let Some(text) = plain(value)
    {
        headers.insert(name, encode(&text));
    }
    if schema.properties.is_empty() {
        return;
    }
    let members = serde_json::from_str::<HashMap<String, &RawValue>>(value.get());
    for (name, value) in members.unwrap_or_default() {
        if let Some(schema) = schema.properties.get(&name) {
            collect(schema, value, headers);
        }
    }
}

/// Strings without their quotes, numbers and booleans as they were written, nothing for the rest.
fn plain(value: &RawValue) -> Option<String> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text).ok(),
        b't' | b'f' | b'-' | b'0'..=b'9' => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_a_header_cannot_carry_are_encoded() {
        let check = |value: &str, encoded: &str| assert_eq!(encode(value), encoded, "{value:?}");
        check("us-east 1", "us-east 1");
        check("", "");
        check("a\tb", "a\tb");
        check("=?base64?half", "=?base64?half");
        check("Zürich", "=?base64?WsO8cmljaA==?=");
        check(" padded", "=?base64?IHBhZGRlZA==?=");
        check("two\nlines", "=?base64?dHdvCmxpbmVz?=");
        check("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?=");
    }

    #[test]
    fn annotated_arguments_become_headers() {
        let schema = r#"{"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "count":{"type":"integer","x-mcp-header":"Count"},
            "dry":{"type":"boolean","x-mcp-header":"Dry"},
            "gone":{"type":"string","x-mcp-header":"Gone"},
            "bad":{"type":"string","x-mcp-header":"not a token"},
            "deep":{"type":"object","properties":{"id":{"type":"string","x-mcp-header":"Id"}}},
            "any":true,
            "free":{"type":"string"}}}"#;
        let arguments = r#"{"region":"Zürich","count":12345678901234567890123,"dry":false,
            "gone":null,"bad":"x","deep":{"id":"7"},"any":1,"free":"x"}"#;
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let headers = of_arguments(&raw(schema), &raw(arguments));
        let mut seen: Vec<_> =
            headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                ("mcp-param-count", "12345678901234567890123"),
                ("mcp-param-dry", "false"),
                ("mcp-param-id", "7"),
                ("mcp-param-region", "=?base64?WsO8cmljaA==?="),
            ]
        );
    }
}
