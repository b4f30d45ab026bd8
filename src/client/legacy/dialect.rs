//! What a provider says, in the words of the revision a session speaks: providers speak the newest
//! (MCP, the changes of each revision under server/tools).

use std::{borrow::Cow, cell::LazyCell};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    client::message::members,
    hub::view::{List, View},
    model::{
        call::{Member, Output, OutputKind},
        client::Dialect,
        json::{self, Json},
        tool::{OutputSchema, Tool},
    },
};

/// Texts up to this size are compared by what they say, larger ones letter by letter: a value takes
/// many times the memory of its text.
const COMPARED_BYTES_MAX: usize = 256 * 1024;

impl Dialect {
    /// The list in this dialect, written once for all who ask; the one of the newest revision where
    /// there is no difference.
    pub(in crate::client) fn list(self, view: &View) -> &List {
        view.rendition(self, |tool| self.tool(tool))
    }

    /// The definition, if it is another than the tool's own.
    fn tool(self, tool: &Tool) -> Option<String> {
        if self == Self::Structured && tool.output_schema == OutputSchema::Objects {
            return None;
        }
        let mut draft = Draft::of(&Json::from(tool.definition.get().to_owned()))?;
        if self < Self::Structured {
            draft.leave("title");
            draft.leave("outputSchema");
        }
        if self == Self::Plain {
            draft.leave("annotations");
        }
        match (tool.output_schema, draft.get("outputSchema")) {
            (OutputSchema::Objects, _) | (_, None) => {}
            (OutputSchema::Referring, Some(_)) => draft.leave("outputSchema"),
            (OutputSchema::Values, Some(schema)) => {
                let wrapped = [
                    r#"{"type":"object","properties":{"result":"#,
                    schema.as_str(),
                    r#"},"required":["result"]}"#,
                ];
                draft.put("outputSchema", wrapped.concat());
            }
        }
        draft.written().map(|changed| changed.as_str().to_owned())
    }

    /// How the results of a call are worded that begins now; `listed` is its tool as clients see it.
    pub(super) fn wording(self, listed: Option<&Tool>) -> Wording {
        let wraps_objects = listed.is_some_and(|tool| tool.output_schema == OutputSchema::Values);
        Wording { dialect: self, wraps_objects }
    }

    /// The content with what this revision does not know as text, and with the text of `structured`
    /// where it cannot be said otherwise; `None` if it is good as it is.
    fn content(self, content: Option<&Json>, structured: Option<&str>) -> Option<String> {
        let said = content.and_then(|content| serde_json::from_str(content.as_str()).ok());
        let blocks: Vec<&RawValue> = match (said, structured) {
            (Some(blocks), _) => blocks,
            (None, Some(_)) => Vec::new(),
            (None, None) => return None,
        };
        let unsaid = structured.filter(|structured| !is_repeated(structured, &blocks));
        if unsaid.is_none() && blocks.iter().all(|block| self.as_text(block).is_none()) {
            return None;
        }
        let as_block = |text: &str| json!({ "type": "text", "text": text }).to_string();
        let known = blocks.iter().map(|block| match self.as_text(block) {
            Some(text) => Cow::Owned(as_block(&text)),
            None => Cow::Borrowed(block.get()),
        });
        let mut list = String::from("[");
        for block in known.chain(unsaid.map(|text| Cow::Owned(as_block(text)))) {
            if list.len() > 1 {
                list.push(',');
            }
            list.push_str(&block);
        }
        list.push(']');
        Some(list)
    }

    /// What a block says that this revision does not know; `None` if it knows it.
    fn as_text(self, block: &RawValue) -> Option<String> {
        let block = Block::read(block);
        match &*word(block.kind) {
            "resource_link" => Some(block.as_link()),
            "audio" if self == Self::Plain => Some(block.as_audio()),
            _ => None,
        }
    }
}

/// How the results of one call are worded. The client reads them by what the list told it of the
/// tool, whatever is listed when the call ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wording {
    dialect: Dialect,
    /// Whether the listed schema is of an object around the value, even if that is one itself.
    wraps_objects: bool,
}

impl Wording {
    /// A result with everything the revision has no word for put into one it has.
    pub(super) fn result(self, output: &Output) -> Bytes {
        self.rewritten(output).as_ref().unwrap_or(&output.json).bytes()
    }

    /// The result, if it is another than the provider's own.
    fn rewritten(self, output: &Output) -> Option<Json> {
        let structured = output.structured_content.as_ref().map(|span| output.part(span));
        let wrapped = structured.filter(|value| self.wraps_objects || !value.starts_with('{'));
        let knows_structure = self.dialect == Dialect::Structured;
        if knows_structure && output.kind == OutputKind::Unsaid && wrapped.is_none() {
            return None;
        }
        let mut draft = Draft::of(&output.json)?;
        draft.leave("resultType");
        if !knows_structure {
            draft.leave("structuredContent");
            if let Some(content) = self.dialect.content(draft.get("content"), structured) {
                draft.put("content", content);
            }
        } else if let Some(value) = wrapped {
            draft.put("structuredContent", [r#"{"result":"#, value, "}"].concat());
        }
        draft.written()
    }
}

/// Whether one of `blocks` says as text what `structured` says.
fn is_repeated(structured: &str, blocks: &[&RawValue]) -> bool {
    // Where other content is, it says more than nothing.
    if structured == "null" && !blocks.is_empty() {
        return true;
    }
    let value = |text: &str| -> Option<Value> {
        let is_small = text.len() <= COMPARED_BYTES_MAX;
        is_small.then(|| serde_json::from_str(text).ok()).flatten()
    };
    let own = LazyCell::new(|| value(structured));
    let says_it = |text: &str| {
        let Some(own) = &*own else { return false };
        // A string is told without its quotes as well.
        own.as_str() == Some(text) || value(text).as_ref() == Some(own)
    };
    blocks.iter().map(|block| Block::read(block)).any(|block| {
        let text = word(block.text);
        word(block.kind) == "text" && (text == structured || says_it(&text))
    })
}

/// A block of content, as far as it may have to be said otherwise. What is null or no string counts
/// as absent.
#[derive(Default, Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "mimeType")]
    mime_type: Option<&'a RawValue>,
}

impl<'a> Block<'a> {
    fn read(block: &'a RawValue) -> Self {
        json::object(block.get()).unwrap_or_default()
    }

    fn as_link(&self) -> String {
        let (name, uri) = (word(self.name), word(self.uri));
        if name.is_empty() { uri.into_owned() } else { format!("{name}: {uri}") }
    }

    fn as_audio(&self) -> String {
        let kind = word(self.mime_type);
        let kind = if kind.is_empty() { "of some kind" } else { &kind };
        format!("(audio, {kind}, which this client cannot take)")
    }
}

/// The text of a string; empty for anything else.
fn word(value: Option<&RawValue>) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let text = value.and_then(|value| serde_json::from_str(value.get()).ok());
    text.map(|Text(text)| text).unwrap_or_default()
}

/// An object on its way to be said in other words, member by member.
struct Draft {
    members: Vec<Member>,
    is_changed: bool,
}

impl Draft {
    fn of(object: &Json) -> Option<Self> {
        Some(Self { members: members(object).ok()?, is_changed: false })
    }

    fn get(&self, name: &str) -> Option<&Json> {
        self.members.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    fn leave(&mut self, name: &str) {
        let before = self.members.len();
        self.members.retain(|(own, _)| *own != name);
        self.is_changed |= self.members.len() < before;
    }

    /// Puts `value` in the place of the member; at the end where there is none.
    fn put(&mut self, name: &'static str, value: String) {
        let value = Json::from(value);
        self.is_changed = true;
        match self.members.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => *own = value,
            None => self.members.push((name.into(), value)),
        }
    }

    /// The object as it is now; `None` if that is as it was.
    fn written(self) -> Option<Json> {
        if !self.is_changed {
            return None;
        }
        let mut text = String::from("{");
        for (name, value) in &self.members {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(Json::of(&&**name).as_str());
            text.push(':');
            text.push_str(value.as_str());
        }
        text.push('}');
        Some(Json::from(text))
    }
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
        for referring in [
            r##","outputSchema":{"$ref":"#/$defs/a","$defs":{"a":true}}"##,
            r##","outputSchema":{"type":"array","items":{"$dynamicRef":"#a"}}"##,
        ] {
            assert_eq!(declared(Dialect::Structured, referring).unwrap(), "}");
        }
    }

    #[track_caller]
    fn said(dialect: Dialect, tool: &Tool, result: &str, expected: &str) {
        let output = Output::parse(Json::from(result.to_owned())).unwrap();
        assert_eq!(dialect.wording(Some(tool)).result(&output), expected);
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
    }

    #[test]
    fn what_the_list_does_not_promise_is_not_wrapped() {
        let referring = tool(r##","outputSchema":{"$ref":"#/$defs/a","$defs":{"a":true}}"##);
        let object = r#"{"content":[],"structuredContent":{"a":1}}"#;
        said(Dialect::Structured, &referring, object, object);
        let number = r#"{"content":[],"structuredContent":7}"#;
        let wrapped = r#"{"content":[],"structuredContent":{"result":7}}"#;
        said(Dialect::Structured, &referring, number, wrapped);
    }

    #[test]
    fn structured_content_is_not_lost_where_no_text_repeats_it() {
        let tool = tool(r#","outputSchema":{}"#);
        let block = |text: &str| json!({ "type": "text", "text": text });
        let own = || json!({ "a": [1, "\u{e9}"] });
        let written = r#"{"a":[1,"é"]}"#;
        let link = json!({ "type": "image", "data": "", "mimeType": "image/png" });
        for (content, structured, expected) in [
            (None, own(), json!([block(written)])),
            (Some(json!(null)), own(), json!([block(written)])),
            (Some(json!("no list")), own(), json!([block(written)])),
            (Some(json!([])), own(), json!([block(written)])),
            (Some(json!([link, 7])), own(), json!([link, 7, block(written)])),
            (Some(json!([block("hello")])), own(), json!([block("hello"), block(written)])),
            (Some(json!([block("[1,")])), own(), json!([block("[1,"), block(written)])),
            // What repeats it, in whichever letters.
            (Some(json!([link, block(written)])), own(), json!([link, block(written)])),
            (
                Some(json!([block("{ \"a\": [1, \"\\u00e9\"] }\n")])),
                own(),
                json!([block("{ \"a\": [1, \"\\u00e9\"] }\n")]),
            ),
            (Some(json!([block("seven")])), json!("seven"), json!([block("seven")])),
            (Some(json!([block("hello")])), json!(null), json!([block("hello")])),
            (Some(json!([])), json!(null), json!([block("null")])),
        ] {
            let mut result = json!({ "structuredContent": structured, "isError": false });
            if let Some(content) = &content {
                result["content"] = content.clone();
            }
            let output = Output::parse(Json::from(result)).unwrap();
            for dialect in [Dialect::Plain, Dialect::Unstructured] {
                let worded = dialect.wording(Some(&tool)).result(&output);
                let worded: Value = serde_json::from_slice(&worded).unwrap();
                assert_eq!(worded, json!({ "isError": false, "content": expected }), "{content:?}");
            }
        }
    }

    #[test]
    fn large_texts_are_compared_letter_by_letter() {
        let tool = tool("");
        let large = "x".repeat(COMPARED_BYTES_MAX);
        let structured = json!({ "a": large }).to_string();
        for (text, blocks) in [(structured.clone(), 1), (format!("{structured} "), 2)] {
            let result = format!(
                r#"{{"content":[{{"type":"text","text":{}}}],"structuredContent":{structured}}}"#,
                json!(text)
            );
            let output = Output::parse(Json::from(result)).unwrap();
            let worded = Dialect::Unstructured.wording(Some(&tool)).result(&output);
            let worded: Value = serde_json::from_slice(&worded).unwrap();
            assert_eq!(worded["content"].as_array().unwrap().len(), blocks);
        }
    }

    #[test]
    fn content_of_later_revisions_becomes_text() {
        let link = r#"{"content":[{"type":"resource_link","name":"n","uri":"a:b"}]}"#;
        let text = r#"{"content":[{"text":"n: a:b","type":"text"}]}"#;
        said(Dialect::Structured, &tool(""), link, link);
        said(Dialect::Unstructured, &tool(""), link, text);
        let nulls = r#"{"content":[{"type":"resource_link","name":null,"uri":"a:b","mimeType":null,"size":7,"description":null}]}"#;
        let text = r#"{"content":[{"text":"a:b","type":"text"}]}"#;
        said(Dialect::Unstructured, &tool(""), nulls, text);
        let audio = r#"{"content":[{"type":"audio","data":"","mimeType":"audio/wav"}]}"#;
        said(Dialect::Unstructured, &tool(""), audio, audio);
        let text = r#"{"content":[{"text":"(audio, audio/wav, which this client cannot take)","type":"text"}]}"#;
        said(Dialect::Plain, &tool(""), audio, text);
    }
}
