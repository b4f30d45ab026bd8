//! The headers a modern request repeats its body in (MCP 2026-07-28, transports, Server Validation).
//!
//! The hub routes, limits and logs by the body alone. The headers are only checked, because others
//! on the way may have believed them.

use std::borrow::Cow;

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::error::Refusal;
use crate::model::{json::Json, tool::Tool};

pub(super) const METHOD_HEADER: &str = "mcp-method";
pub(super) const NAME_HEADER: &str = "mcp-name";

/// `Mcp-Method` must be the body's method, letter for letter.
pub(super) fn check_method(headers: &HeaderMap, method: &str) -> Result<(), Refusal> {
    check(headers, METHOD_HEADER, Some(method), str::eq)
}

/// `Mcp-Name` must be the body's name, if the body has one.
pub(super) fn check_name(headers: &HeaderMap, name: Option<&str>) -> Result<(), Refusal> {
    match name {
        Some(_) => check(headers, NAME_HEADER, name, str::eq),
        None => Ok(()),
    }
}

/// Each `Mcp-Param-*` the tool asks for must be there exactly when its argument is, and say the
/// same. Others are no business of the hub.
pub(super) fn check_parameters(
    headers: &HeaderMap,
    tool: &Tool,
    arguments: Option<&Json>,
) -> Result<(), Refusal> {
    if tool.headers.is_empty() {
        return Ok(());
    }
    let arguments: Value = match arguments {
        Some(arguments) => serde_json::from_str(arguments.as_str()).map_err(|error| {
            Refusal::invalid_params(format!("`params.arguments` cannot be read: {error}"))
        })?,
        None => Value::Null,
    };
    for parameter in &tool.headers {
        let argument = parameter.path.iter().try_fold(&arguments, |value, name| value.get(name));
        match argument {
            Some(Value::String(text)) => check(headers, &parameter.header, Some(text), str::eq)?,
            Some(Value::Bool(flag)) => {
                let said = if *flag { "true" } else { "false" };
                check(headers, &parameter.header, Some(said), str::eq)?;
            }
            Some(Value::Number(number)) => {
                check(headers, &parameter.header, Some(&number.to_string()), same_number)?;
            }
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => {
                check(headers, &parameter.header, None, str::eq)?;
            }
        }
    }
    Ok(())
}

/// `42.0` and `42` are one number.
fn same_number(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

fn check(
    headers: &HeaderMap,
    name: &str,
    body: Option<&str>,
    same: impl Fn(&str, &str) -> bool,
) -> Result<(), Refusal> {
    let mut values = headers.get_all(name).iter();
    let mismatch = |what: &str| Err(Refusal::header_mismatch(format!("the header {name} {what}")));
    match (values.next(), values.next(), body) {
        (None, _, None) => Ok(()),
        (None, _, Some(_)) => mismatch("is missing"),
        (Some(_), _, None) => mismatch("stands for a value that the body does not have"),
        (Some(_), Some(_), _) => mismatch("is there twice"),
        (Some(header), None, Some(body)) => match decode(header.as_bytes()) {
            None => mismatch("is not plain text and not valid Base64 of UTF-8"),
            Some(header) if same(&header, body) => Ok(()),
            Some(_) => mismatch("differs from the body"),
        },
    }
}

/// What a header value says: itself, or what it holds as `=?base64?…?=`.
fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7e | b'\t');
    if !value.iter().all(is_plain) {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(Cow::Borrowed(text)),
        Some(encoded) => {
            let decoded = BASE64_STANDARD.decode(encoded).ok()?;
            String::from_utf8(decoded).ok().map(Cow::Owned)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_as_the_specification_shows() {
        for (value, said) in [
            ("us-west1", Some("us-west1")),
            ("  padded\t", Some("padded")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Some("Hello, 世界")),
            ("=?base64?IHBhZGRlZCA=?=", Some(" padded ")),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
            ("=?BASE64?SGVsbG8=?=", Some("=?BASE64?SGVsbG8=?=")),
            ("=?base64?SGVsbG8=", Some("=?base64?SGVsbG8=")),
            ("=?base64?SGVsbG8?=", None),
            ("=?base64?SGV$bG8=?=", None),
            ("=?base64?/w==?=", None),
            ("caf\u{e9}", None),
        ] {
            assert_eq!(decode(value.as_bytes()).as_deref(), said, "{value}");
        }
    }
}
