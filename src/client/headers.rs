//! The headers a modern request repeats its body in (MCP 2026-07-28, transports, Server Validation).
//!
//! The hub routes, limits and logs by the body alone. The headers are only checked, because others
//! on the way may have believed them.

use std::{borrow::Cow, collections::HashMap};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header::GetAll};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::value::RawValue;

use super::{
    era::VERSION_HEADER,
    error::Refusal,
    message::{Params, string},
};
use crate::model::{json::Json, tool::Tool};

static METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
static NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

/// The headers of a request, to be held against its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repetition<'a> {
    pub headers: &'a HeaderMap,
    /// Overlooks `Mcp-*` headers that are missing. One that is there has to be right all the same.
    pub may_lack: bool,
}

impl Repetition<'_> {
    /// `MCP-Protocol-Version` must be the version the body claims.
    pub(super) fn check_version(self, claimed: &str) -> Result<(), Refusal> {
        let strict = Self { may_lack: false, ..self };
        let said = self.headers.get_all(&VERSION_HEADER);
        strict.check("MCP-Protocol-Version", &said, Some(claimed), str::eq)
    }

    /// `Mcp-Method` must be the body's method, letter for letter.
    pub(super) fn check_method(self, method: &str) -> Result<(), Refusal> {
        let said = self.headers.get_all(&METHOD_HEADER);
        self.check("Mcp-Method", &said, Some(method), str::eq)
    }

    /// `Mcp-Name` must be the name the body has for what it is about, if it has one.
    pub(super) fn check_name(self, method: &str, params: &Params) -> Result<(), Refusal> {
        let source = match method {
            "tools/call" | "prompts/get" => "name",
            "resources/read" => "uri",
            "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
            _ => return Ok(()),
        };
        match params.get(source).and_then(string) {
            Some(name) => {
                let said = self.headers.get_all(&NAME_HEADER);
                self.check("Mcp-Name", &said, Some(&name), str::eq)
            }
            None => Ok(()),
        }
    }

    /// Each `Mcp-Param-*` the tool asks for must be there exactly when its argument is, and say the
    /// same. Others are no business of the hub.
    pub(super) fn check_parameters(
        self,
        tool: &Tool,
        arguments: Option<&Json>,
    ) -> Result<(), Refusal> {
        if tool.headers.is_empty() {
            return Ok(());
        }
        let arguments = arguments.map_or("{}", Json::as_str);
        for parameter in &tool.headers {
            let (name, argument) = (&parameter.header, argument(arguments, &parameter.path));
            let said = self.headers.get_all(name);
            match argument.map(RawValue::get) {
                Some(text) if text.starts_with('"') => {
                    let text: Option<String> = serde_json::from_str(text).ok();
                    self.check(name, &said, text.as_deref(), str::eq)?;
                }
                Some(flag @ ("true" | "false")) => self.check(name, &said, Some(flag), str::eq)?,
                Some(text) if !text.starts_with(['{', '[', 'n']) => {
                    self.check(name, &said, Some(text), same_number)?;
                }
                _ => self.check(name, &said, None, str::eq)?,
            }
        }
        Ok(())
    }

    /// Holds what the header `name` has said against the body.
    fn check(
        self,
        name: &str,
        said: &GetAll<'_, HeaderValue>,
        body: Option<&str>,
        same: impl Fn(&str, &str) -> bool,
    ) -> Result<(), Refusal> {
        let mut values = said.iter();
        let mismatch =
            |what: &str| Err(Refusal::header_mismatch(format!("the header {name} {what}")));
        match (values.next(), values.next(), body) {
            (None, _, None) => Ok(()),
            (None, _, Some(_)) if self.may_lack => Ok(()),
            (None, _, Some(_)) => mismatch("is missing"),
            (Some(_), _, None) => mismatch("stands for a value that the body does not have"),
            (Some(_), Some(_), _) => mismatch("is there twice"),
            (Some(header), None, Some(body)) if is_said_plainly(header, body) => Ok(()),
            (Some(header), None, Some(body)) => match decode(header.as_bytes()) {
                None => mismatch("is not plain text and not valid Base64 of UTF-8"),
                Some(header) if same(&header, body) => Ok(()),
                Some(_) => mismatch("differs from the body"),
            },
        }
    }
}

/// Whether `header` is `body`, letter for letter, and means nothing else: most do.
fn is_said_plainly(header: &HeaderValue, body: &str) -> bool {
    header == body && body.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

/// The value that `path` leads to, unread: a number keeps all its digits.
fn argument<'a>(arguments: &'a str, path: &[String]) -> Option<&'a RawValue> {
    let (name, deeper) = path.split_first()?;
    let members: HashMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(arguments).ok()?;
    let value = *members.get(name.as_str())?;
    if deeper.is_empty() { Some(value) } else { argument(value.get(), deeper) }
}

/// `42.0` and `42` are one number; integers count to the last digit.
fn same_number(a: &str, b: &str) -> bool {
    let is_integer = |text: &str| text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    let is_equal = || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b);
    a == b || !(is_integer(a) && is_integer(b)) && is_equal()
}

/// What a header value says: itself, or what it holds as `=?base64?…?=`.
pub(crate) fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
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
    use crate::client::message::Incoming;

    #[test]
    fn what_is_missing_can_be_excused_and_what_is_wrong_cannot() {
        let schema =
            r#"{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}"#;
        let definition = format!(r#"{{"name":"t","inputSchema":{schema}}}"#);
        let tool = Tool::parse(serde_json::from_str(&definition).unwrap(), 1_000).unwrap();
        let arguments = Json::from(r#"{"n":7}"#.to_owned());
        let params = r#"{"jsonrpc":"2.0","method":"m","params":{"name":"t"}}"#.to_owned();
        let message = Incoming::parse(&params.into(), 128).unwrap();
        let params = message.params().unwrap();
        for (said, strict, lenient) in [
            ([None, None, None], false, true),
            ([Some("tools/call"), Some("t"), Some("7.0")], true, true),
            ([Some("tools/call"), None, Some("7")], false, true),
            ([Some("tools/list"), None, None], false, false),
            ([None, Some("u"), None], false, false),
            ([None, None, Some("8")], false, false),
        ] {
            let names = ["mcp-method", "mcp-name", "mcp-param-n"].into_iter();
            let said = names.zip(said).filter_map(|(name, value)| Some((name, value?)));
            let headers: HeaderMap = said
                .map(|(name, value)| {
                    (HeaderName::from_static(name), HeaderValue::from_static(value))
                })
                .collect();
            for (may_lack, is_good) in [(false, strict), (true, lenient)] {
                let repetition = Repetition { headers: &headers, may_lack };
                let checked = repetition
                    .check_method("tools/call")
                    .and_then(|()| repetition.check_name("tools/call", params))
                    .and_then(|()| repetition.check_parameters(&tool, Some(&arguments)));
                assert_eq!(checked.is_ok(), is_good, "{headers:?}");
                assert!(repetition.check_version("2026-07-28").is_err(), "nothing excuses that");
            }
        }
    }

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
