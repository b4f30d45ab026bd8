//! What a guest offers and answers, as the JSON that MCP wants.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{json, value::RawValue};

use super::{
    denials::Denial,
    failure::{CallError, Cause},
    host::exports::mcp_hub::plugin::tools::{
        self, Annotations, Content, InputRequired, Outcome, ResourceBody, Tool, ToolResult,
    },
};

/// The MCP tool object of `tool`, or which part of it is no JSON.
pub(crate) fn definition(tool: &Tool) -> Result<String, String> {
    let mut object = Object::new();
    object.text("name", &tool.name);
    object.maybe("title", tool.title.as_deref());
    object.maybe("description", tool.description.as_deref());
    object.raw("inputSchema", "input-schema", &tool.input_schema)?;
    if let Some(schema) = &tool.output_schema {
        object.raw("outputSchema", "output-schema", schema)?;
    }
    if let Some(annotations) = &tool.annotations {
        object.verbatim("annotations", &hints(annotations));
    }
    if let Some(meta) = &tool.meta {
        object.object("_meta", "meta", meta)?;
    }
    Ok(object.end())
}

fn hints(annotations: &Annotations) -> String {
    let mut object = Object::new();
    object.maybe("title", annotations.title.as_deref());
    for (name, hint) in [
        ("readOnlyHint", annotations.read_only),
        ("destructiveHint", annotations.destructive),
        ("idempotentHint", annotations.idempotent),
        ("openWorldHint", annotations.open_world),
    ] {
        if let Some(hint) = hint {
            object.verbatim(name, if hint { "true" } else { "false" });
        }
    }
    object.end()
}

/// The MCP result of a call that was answered. A tool that failed is told, after its own words, what
/// it was denied.
pub(crate) fn result(outcome: &Outcome, denials: &[Denial]) -> Result<String, Cause> {
    match outcome {
        Outcome::Complete(result) => complete(result, denials),
        Outcome::InputRequired(questions) => input_required(questions),
    }
    .map_err(Cause::Faulty)
}

/// What the guest says instead of an answer.
pub(crate) fn said(error: tools::CallError) -> Cause {
    Cause::Said(match error {
        tools::CallError::UnknownTool(name) => CallError::UnknownTool(name),
        tools::CallError::InvalidArguments(why) => CallError::InvalidArguments(why),
        tools::CallError::Failed(why) => CallError::Failed(why),
        tools::CallError::Cancelled => CallError::Cancelled,
    })
}

fn complete(result: &ToolResult, denials: &[Denial]) -> Result<String, String> {
    let mut content: Vec<String> =
        result.content.iter().map(block).collect::<Result<_, String>>()?;
    if result.is_error {
        content.extend(denials.iter().map(|denial| text(&format!("The hub: {denial}"))));
    }
    let mut object = Object::new();
    object.verbatim("content", &format!("[{}]", content.join(",")));
    if let Some(structured) = &result.structured_content {
        object.raw("structuredContent", "structured-content", structured)?;
    }
    if result.is_error {
        object.verbatim("isError", "true");
    }
    if let Some(meta) = &result.meta {
        object.object("_meta", "meta", meta)?;
    }
    Ok(object.end())
}

fn input_required(questions: &InputRequired) -> Result<String, String> {
    let mut object = Object::new();
    object.text("resultType", "input_required");
    object.object("inputRequests", "input-requests", &questions.input_requests)?;
    object.maybe("requestState", questions.request_state.as_deref());
    Ok(object.end())
}

fn block(content: &Content) -> Result<String, String> {
    let mut object = Object::new();
    match content {
        Content::Text(said) => return Ok(text(said)),
        Content::Json(block) => return checked_object("json", block).map(str::to_owned),
        Content::Image(blob) | Content::Audio(blob) => {
            let kind = if matches!(content, Content::Image(_)) { "image" } else { "audio" };
            object.text("type", kind);
            object.text("data", &BASE64_STANDARD.encode(&blob.data));
            object.text("mimeType", &blob.mime_type);
        }
        Content::Resource(resource) => {
            let mut inner = Object::new();
            inner.text("uri", &resource.uri);
            inner.maybe("mimeType", resource.mime_type.as_deref());
            match &resource.body {
                ResourceBody::Text(body) => inner.text("text", body),
                ResourceBody::Blob(body) => inner.text("blob", &BASE64_STANDARD.encode(body)),
            }
            object.text("type", "resource");
            object.verbatim("resource", &inner.end());
        }
        Content::ResourceLink(link) => {
            object.text("type", "resource_link");
            object.text("uri", &link.uri);
            object.text("name", &link.name);
            object.maybe("title", link.title.as_deref());
            object.maybe("description", link.description.as_deref());
            object.maybe("mimeType", link.mime_type.as_deref());
            if let Some(size) = link.size {
                object.verbatim("size", &size.to_string());
            }
        }
    }
    Ok(object.end())
}

fn text(said: &str) -> String {
    let mut object = Object::new();
    object.text("type", "text");
    object.text("text", said);
    object.end()
}

fn checked<'a>(member: &str, json: &'a str) -> Result<&'a str, String> {
    match serde_json::from_str::<&RawValue>(json) {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(format!("`{member}` is no JSON: {error}")),
    }
}

fn checked_object<'a>(member: &str, json: &'a str) -> Result<&'a str, String> {
    let json = checked(member, json)?;
    if json.starts_with('{') { Ok(json) } else { Err(format!("`{member}` is no JSON object")) }
}

/// A JSON object that is written member by member, so that what is JSON already is passed on as it
/// is.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn key(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn verbatim(&mut self, name: &str, json: &str) {
        self.key(name);
        self.0.push_str(json);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.verbatim(name, &json!(text).to_string());
    }

    fn maybe(&mut self, name: &str, text: Option<&str>) {
        if let Some(said) = text {
            self.text(name, said);
        }
    }

    /// A member whose value came as JSON text; `origin` is what the guest knows it as.
    fn raw(&mut self, name: &str, origin: &str, json: &str) -> Result<(), String> {
        let json = checked(origin, json)?;
        self.verbatim(name, json);
        Ok(())
    }

    /// The same, if it must be an object.
    fn object(&mut self, name: &str, origin: &str, json: &str) -> Result<(), String> {
        let json = checked_object(origin, json)?;
        self.verbatim(name, json);
        Ok(())
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
