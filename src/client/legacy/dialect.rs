//! What a provider says, in the words of the revision a session speaks: providers speak the newest
//! (MCP, the changes of each revision under server/tools).

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    client::message::members,
    hub::view::{List, View},
    model::{
        call::{Output, OutputKind},
        json::Json,
        tool::Tool,
    },
};

/// Groups of revisions that differ in what a tool and its result may be, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::client) enum Dialect {
    /// 2024-11-05: no annotations, no audio.
    Plain,
    /// 2025-03-26: no structured content, no links to resources, no titles.
    Unstructured,
    /// 2025-06-18 and 2025-11-25: structured content is an object.
    Structured,
}

impl Dialect {
    pub(super) fn of(version: &str) -> Self {
        match version {
            "2024-11-05" => Self::Plain,
            "2025-03-26" => Self::Unstructured,
            _ => Self::Structured,
        }
    }

    /// The list in this dialect, written once for all who ask; the one of the newest revision where
    /// there is no difference.
    pub(in crate::client) fn list(self, view: &View) -> &List {
        view.rendition(self as usize, |tool| self.tool(tool))
    }

    /// The definition, if it is another than the tool's own.
    fn tool(self, tool: &Tool) -> Option<String> {
        if self == Self::Structured && tool.structures_objects {
            return None;
        }
        let definition = Json::from(tool.definition.get().to_owned());
        let changed = rewritten(&definition, |name, value| match name {
            "outputSchema" if self < Self::Structured => Member::Left,
            "outputSchema" if tool.structures_objects => Member::Kept,
            // A reference within the schema would lead elsewhere from inside another.
            "outputSchema" if value.contains("\"$ref\"") => Member::Left,
            "outputSchema" => {
                let wrapped = [
                    r#"{"type":"object","properties":{"result":"#,
                    value,
                    r#"},"required":["result"]}"#,
                ];
                Member::Instead(wrapped.concat())
            }
            "title" if self < Self::Structured => Member::Left,
            "annotations" if self == Self::Plain => Member::Left,
            _ => Member::Kept,
        });
        changed.map(|changed| changed.as_str().to_owned())
    }

    /// A result of a tool called `tool`, with everything the revision has no word for put into one
    /// it has.
    pub(super) fn result(self, output: &Output, tool: Option<&Tool>) -> Bytes {
        let says_type = output.kind != OutputKind::Unsaid;
        let structured = output.structured_content.as_ref().map(|span| output.part(span));
        let structures_objects = tool.is_none_or(|tool| tool.structures_objects);
        let is_object = |content: &str| content.starts_with('{');
        let wraps = structured.is_some_and(|content| !(structures_objects && is_object(content)));
        if self == Self::Structured && !says_type && !wraps {
            return output.json.bytes();
        }
        let changed = rewritten(&output.json, |name, value| match name {
            "resultType" => Member::Left,
            "structuredContent" if self < Self::Structured => Member::Left,
            "structuredContent" if wraps => Member::Instead([r#"{"result":"#, value, "}"].concat()),
            "content" if self < Self::Structured => match self.content(value, structured) {
                Some(content) => Member::Instead(content),
                None => Member::Kept,
            },
            _ => Member::Kept,
        });
        changed.as_ref().unwrap_or(&output.json).bytes()
    }

    /// The content with what this revision does not know as text; `None` if it knows all of it.
    fn content(self, content: &str, structured: Option<&str>) -> Option<String> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Block<'a> {
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
            #[serde(borrow)]
            name: Cow<'a, str>,
            #[serde(borrow)]
            uri: Cow<'a, str>,
            #[serde(borrow, rename = "mimeType")]
            mime_type: Cow<'a, str>,
        }
        let blocks: Vec<&RawValue> = serde_json::from_str(content).ok()?;
        let mut changed = false;
        let mut text = |text: String| {
            changed = true;
            json!({ "type": "text", "text": text }).to_string()
        };
        let mut known: Vec<String> = blocks
            .iter()
            .map(|block| {
                let read: Block<'_> = serde_json::from_str(block.get()).unwrap_or_default();
                match &*read.kind {
                    "resource_link" => text(format!("{}: {}", read.name, read.uri)),
                    "audio" if self == Self::Plain => {
                        text(format!("(audio, {}, which this client cannot take)", read.mime_type))
                    }
                    _ => block.get().to_owned(),
                }
            })
            .collect();
        if let (true, Some(structured)) = (known.is_empty(), structured) {
            known.push(text(structured.to_owned()));
        }
        changed.then(|| format!("[{}]", known.join(",")))
    }
}

/// What becomes of a member of an object.
enum Member {
    Kept,
    Left,
    Instead(String),
}

/// `object` with its members changed; `None` when none is.
fn rewritten(object: &Json, change: impl Fn(&str, &str) -> Member) -> Option<Json> {
    let members = members(object).ok()?;
    let mut is_changed = false;
    let mut text = String::with_capacity(object.as_str().len());
    for (name, value) in &members {
        let value = match change(name, value.as_str()) {
            Member::Kept => Cow::Borrowed(value.as_str()),
            Member::Left => {
                is_changed = true;
                continue;
            }
            Member::Instead(value) => {
                is_changed = true;
                Cow::Owned(value)
            }
        };
        text.push(if text.is_empty() { '{' } else { ',' });
        text.push_str(Json::of(&&**name).as_str());
        text.push(':');
        text.push_str(&value);
    }
    if text.is_empty() {
        text.push('{');
    }
    text.push('}');
    is_changed.then(|| Json::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(rest: &str) -> Tool {
        let text = format!(r#"{{"name":"t","inputSchema":{{"type":"object"}}{rest}}}"#);
        Tool::parse(serde_json::from_str(&text).unwrap(), 1_000).unwrap()
    }

    fn declared(dialect: Dialect, rest: &str) -> Option<String> {
        let own = r#"{"name":"t","inputSchema":{"type":"object"}"#;
        dialect.tool(&tool(rest)).map(|text| text.strip_prefix(own).unwrap().to_owned())
    }

    #[test]
    fn a_tool_is_declared_in_the_words_of_the_revision() {
        let modest = r#","annotations":{"readOnlyHint":true}"#;
        assert_eq!(declared(Dialect::Structured, modest), None);
        assert_eq!(declared(Dialect::Unstructured, modest), None);
        assert_eq!(declared(Dialect::Plain, modest).unwrap(), "}");
        let titled = r#","title":"T","outputSchema":{"type":"object"},"x":1"#;
        assert_eq!(declared(Dialect::Structured, titled), None);
        assert_eq!(declared(Dialect::Unstructured, titled).unwrap(), r#","x":1}"#);
        let numbers = r#","outputSchema":{"type":"number"}"#;
        assert_eq!(
            declared(Dialect::Structured, numbers).unwrap(),
            r#","outputSchema":{"type":"object","properties":{"result":{"type":"number"}},"required":["result"]}}"#
        );
        let referring = r##","outputSchema":{"$ref":"#/$defs/a","$defs":{"a":true}}"##;
        assert_eq!(declared(Dialect::Structured, referring).unwrap(), "}");
    }

    #[track_caller]
    fn said(dialect: Dialect, tool: &Tool, result: &str, expected: &str) {
        let output = Output::parse(Json::from(result.to_owned())).unwrap();
        assert_eq!(dialect.result(&output, Some(tool)), expected);
    }

    #[test]
    fn a_result_that_every_revision_knows_keeps_every_byte() {
        let result = r#"{ "content":[{"type":"text","text":"\u0061"}], "x":1.0 }"#;
        for dialect in [Dialect::Structured, Dialect::Unstructured, Dialect::Plain] {
            said(dialect, &tool(""), result, result);
        }
    }

    #[test]
    fn structured_content_is_an_object_or_nothing() {
        let (any, objects) = (tool(r#","outputSchema":{}"#), tool(""));
        let number = r#"{"resultType":"complete","content":[],"structuredContent":7.0}"#;
        let wrapped = r#"{"content":[],"structuredContent":{"result":7.0}}"#;
        said(Dialect::Structured, &objects, number, wrapped);
        let object = r#"{"content":[],"structuredContent":{"a":1}}"#;
        said(Dialect::Structured, &objects, object, object);
        let wrapped = r#"{"content":[],"structuredContent":{"result":{"a":1}}}"#;
        said(Dialect::Structured, &any, object, wrapped);
        let text = r#"{"content":[{"text":"{\"a\":1}","type":"text"}]}"#;
        said(Dialect::Unstructured, &objects, object, text);
    }

    #[test]
    fn content_of_later_revisions_becomes_text() {
        let link = r#"{"content":[{"type":"resource_link","name":"n","uri":"a:b"}]}"#;
        let text = r#"{"content":[{"text":"n: a:b","type":"text"}]}"#;
        said(Dialect::Structured, &tool(""), link, link);
        said(Dialect::Unstructured, &tool(""), link, text);
        let audio = r#"{"content":[{"type":"audio","data":"","mimeType":"audio/wav"}]}"#;
        said(Dialect::Unstructured, &tool(""), audio, audio);
        let text = r#"{"content":[{"text":"(audio, audio/wav, which this client cannot take)","type":"text"}]}"#;
        said(Dialect::Plain, &tool(""), audio, text);
    }
}
