//! What comes of a call: an MCP result, or a JSON-RPC error.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::model::{error::RpcError, json::Json};

/// The answer to a call.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// An MCP tool result, passed on as it is.
    Result(Json),
    /// The provider could not do it; unless the error blames the caller, the hub asks the next one.
    Error(RpcError),
}

/// What a handler may return.
pub trait IntoOutcome {
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

/// The text of a result.
impl IntoOutcome for String {
    fn into_outcome(self) -> Outcome {
        text(&self)
    }
}

/// The text of a result.
impl IntoOutcome for &str {
    fn into_outcome(self) -> Outcome {
        text(self)
    }
}

/// A whole MCP result if it has `content`; else the structured content of one.
impl IntoOutcome for Value {
    fn into_outcome(self) -> Outcome {
        if self.get("content").is_some_and(Self::is_array) {
            return Outcome::Result(Json::of(&self));
        }
        let content = [json!({ "type": "text", "text": self.to_string() })];
        let mut result = json!({ "content": content });
        if self.is_object() {
            result["structuredContent"] = self;
        }
        Outcome::Result(Json::of(&result))
    }
}

/// A failure becomes a result with `isError`, for the model to read.
impl<T: IntoOutcome, E: Display> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(failure) => error(&failure.to_string()),
        }
    }
}

/// A result with one text.
pub fn text(text: &str) -> Outcome {
    Outcome::Result(Json::of(&json!({ "content": [{ "type": "text", "text": text }] })))
}

/// A result with `isError` and one text.
pub fn error(text: &str) -> Outcome {
    let content = [json!({ "type": "text", "text": text })];
    Outcome::Result(Json::of(&json!({ "content": content, "isError": true })))
}
