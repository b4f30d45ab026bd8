//! A tool's result as text for people and pipes.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::terminal;

/// A tool's result, as far as it is shown.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome<'a> {
    #[serde(default)]
    result_type: Option<String>,
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
    #[serde(borrow)]
    structured_content: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) is_error: bool,
    #[serde(default)]
    input_requests: BTreeMap<String, InputRequest>,
}

#[derive(Deserialize)]
struct InputRequest {
    method: String,
    #[serde(default)]
    params: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
enum Block {
    Text { text: String },
    Image { data: String, mime_type: String },
    Audio { data: String, mime_type: String },
    ResourceLink { uri: String, mime_type: Option<String>, size: Option<u64> },
    Resource { resource: Resource },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    uri: String,
    mime_type: Option<String>,
    text: Option<String>,
    blob: Option<String>,
}

impl Outcome<'_> {
    pub(super) fn asks_for_input(&self) -> bool {
        self.result_type.as_deref() == Some("input_required")
    }

    /// Text as it is, other content in a line each; structured content when there is no text.
    pub(super) fn shown(&self) -> Vec<String> {
        let blocks: Vec<_> =
            self.content.iter().map(|block| serde_json::from_str(block.get())).collect();
        let has_text = blocks.iter().any(|block| matches!(block, Ok(Block::Text { .. })));
        let mut shown: Vec<String> = blocks
            .into_iter()
            .zip(&self.content)
            .map(|(block, json)| block.map_or_else(|_unknown| json.get().to_owned(), Block::shown))
            .collect();
        shown.extend(
            self.structured_content.filter(|_| !has_text).map(|json| json.get().to_owned()),
        );
        shown
    }

    /// What the tool wants to know before it goes on, in words.
    pub(super) fn wanted(&self) -> Vec<String> {
        if self.input_requests.is_empty() {
            return vec!["to be called again with the state it gave".to_owned()];
        }
        self.input_requests.iter().map(|(key, request)| request.wanted(key)).collect()
    }
}

impl Block {
    fn shown(self) -> String {
        match self {
            Self::Text { text } => text,
            Self::Image { data, mime_type } => {
                described("image", &[&mime_type], Some(decoded_size(&data)))
            }
            Self::Audio { data, mime_type } => {
                described("audio", &[&mime_type], Some(decoded_size(&data)))
            }
            Self::ResourceLink { uri, mime_type, size } => {
                described("link", &[&uri, &mime_type.unwrap_or_default()], size)
            }
            Self::Resource { resource: Resource { uri, mime_type, text, blob } } => {
                let size =
                    text.map(|text| text.len() as u64).or(blob.map(|blob| decoded_size(&blob)));
                described("resource", &[&uri, &mime_type.unwrap_or_default()], size)
            }
        }
    }
}

fn described(what: &str, details: &[&str], size: Option<u64>) -> String {
    let mut words = vec![what.to_owned()];
    words.extend(
        details.iter().filter(|detail| !detail.is_empty()).map(|detail| terminal::line(detail)),
    );
    words.extend(size.map(|size| ByteSize::b(size).to_string()));
    format!("[{}]", words.join(", "))
}

/// How many bytes a base64 text stands for.
fn decoded_size(base64: &str) -> u64 {
    let digits = base64.bytes().filter(|byte| *byte != b'=' && !byte.is_ascii_whitespace()).count();
    digits as u64 * 3 / 4
}

impl InputRequest {
    fn wanted(&self, key: &str) -> String {
        let text = |name: &str| self.params.get(name).and_then(Value::as_str).unwrap_or_default();
        let wanted = match self.method.as_str() {
            "elicitation/create" if text("mode") == "url" => {
                format!("{} Open {}", text("message"), text("url"))
            }
            "elicitation/create" => format!("{} {}", text("message"), self.fields()),
            "sampling/createMessage" => "an answer of the client's model".to_owned(),
            "roots/list" => "the folders the client works in".to_owned(),
            other => format!("an answer to {other}"),
        };
        terminal::line(&format!("{key}: {wanted}"))
    }

    /// The fields of an elicitation's form, as `(name: string, age: integer, optional)`.
    fn fields(&self) -> String {
        let schema = self.params.get("requestedSchema").unwrap_or(&Value::Null);
        let is_required = |name: &str| {
            schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
        };
        let Some(properties) = schema["properties"].as_object() else { return String::new() };
        let field = |(name, property): (&String, &Value)| {
            let kind = property["type"].as_str().unwrap_or("any");
            let optional = if is_required(name) { "" } else { ", optional" };
            format!("{name}: {kind}{optional}")
        };
        format!("({})", properties.iter().map(field).collect::<Vec<_>>().join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(result: &str) -> Vec<String> {
        serde_json::from_str::<Outcome<'_>>(result).unwrap().shown()
    }

    #[test]
    fn text_is_shown_as_it_is_and_structured_content_only_without_it() {
        let both = r#"{"content":[{"type":"text","text":"a\n b"}],"structuredContent":{"n": 1}}"#;
        assert_eq!(shown(both), ["a\n b"]);
        assert_eq!(shown(r#"{"content":[],"structuredContent":{"n": 1.0}}"#), [r#"{"n": 1.0}"#]);
        assert_eq!(shown(r#"{"structuredContent":[1,2]}"#), ["[1,2]"]);
        assert!(shown(r#"{"content":[]}"#).is_empty());
    }

    #[test]
    fn other_content_is_described_by_type_and_size() {
        let check = |block: &str, line: &str| {
            assert_eq!(shown(&format!(r#"{{"content":[{block}]}}"#)), [line]);
        };
        check(
            r#"{"type":"image","data":"AAAAAA==","mimeType":"image/png"}"#,
            "[image, image/png, 4 B]",
        );
        check(
            r#"{"type":"audio","data":"AAAA","mimeType":"audio/wav"}"#,
            "[audio, audio/wav, 3 B]",
        );
        check(
            r#"{"type":"resource_link","uri":"file:///a","name":"a","size":2048}"#,
            "[link, file:///a, 2.0 KiB]",
        );
        check(
            r#"{"type":"resource","resource":{"uri":"x:y","mimeType":"text/plain","text":"abc"}}"#,
            "[resource, x:y, text/plain, 3 B]",
        );
        check(r#"{"type":"hologram","size":1}"#, r#"{"type":"hologram","size":1}"#);
    }

    #[test]
    fn what_a_tool_asks_for_is_put_in_words() {
        let result = r#"{"resultType":"input_required","requestState":"s","inputRequests":{
            "who":{"method":"elicitation/create","params":{"message":"Who are you?",
                "requestedSchema":{"type":"object","required":["name"],
                    "properties":{"age":{"type":"integer"},"name":{"type":"string"}}}}},
            "page":{"method":"elicitation/create",
                "params":{"mode":"url","message":"Log in.","url":"https://a.b"}},
            "roots":{"method":"roots/list"}}}"#;
        let outcome: Outcome<'_> = serde_json::from_str(result).unwrap();
        assert!(outcome.asks_for_input());
        assert_eq!(
            outcome.wanted(),
            [
                "page: Log in. Open https://a.b",
                "roots: the folders the client works in",
                "who: Who are you? (age: integer, optional; name: string)",
            ]
        );
    }
}
