//! What a call came to, and how MCP says it.

use wasmtime::{Result, component::Val};

use super::{
    schema,
    shape::{Payload, Shape},
    text::{array, object, quoted},
    val_to_json::{MISTYPED, written},
};

/// What a function gives back. An outermost `result` is a success or a failure of the call.
#[derive(Debug)]
pub(super) enum Returns {
    Nothing,
    Value(Shape),
    Result(Payload, Payload),
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The function's value, or that of its `ok`.
    Value {
        /// JSON text.
        json: String,
        /// Every value of the type is an object. MCP before 2026-07-28 knows no other structured
        /// content, so what is none is wrapped: `{"result": value}`.
        is_object: bool,
    },
    /// The function's own `err`, as JSON text or, when it is a string, as that string.
    Failure(String),
    /// The function, or its `ok`, carries no value.
    Nothing,
}

impl Returns {
    pub(super) fn of(shape: Option<Shape>) -> Self {
        match shape {
            None => Self::Nothing,
            Some(Shape::Result(ok, err)) => Self::Result(ok, err),
            Some(shape) => Self::Value(shape),
        }
    }

    /// How many values wasmtime must make room for.
    pub(super) fn count(&self) -> usize {
        usize::from(!matches!(self, Self::Nothing))
    }

    /// The `outputSchema`, if success carries a value.
    pub(super) fn schema(&self) -> Option<String> {
        let shape = match self {
            Self::Nothing => None,
            Self::Value(shape) => Some(shape),
            Self::Result(ok, _) => ok.as_deref(),
        }?;
        let schema = schema::schema(shape);
        Some(if shape.is_object() { schema } else { schema::wrapped(schema) })
    }

    pub(super) fn answer(&self, val: Option<&Val>) -> Result<Answer> {
        match (self, val) {
            (Self::Value(shape), Some(val)) => Answer::value(val, shape),
            (Self::Result(Some(ok), _), Some(Val::Result(Ok(Some(val))))) => Answer::value(val, ok),
            (Self::Result(_, Some(err)), Some(Val::Result(Err(Some(val))))) => {
                Answer::failure(val, err)
            }
            (Self::Result(..), Some(Val::Result(Err(None)))) => {
                Ok(Answer::Failure("the function failed and did not say why".into()))
            }
            (Self::Result(None, _), Some(Val::Result(Ok(None)))) | (Self::Nothing, None) => {
                Ok(Answer::Nothing)
            }
            _ => wasmtime::bail!(MISTYPED),
        }
    }
}

impl Answer {
    fn value(val: &Val, shape: &Shape) -> Result<Self> {
        Ok(Self::Value { json: written(val, shape)?, is_object: shape.is_object() })
    }

    fn failure(val: &Val, shape: &Shape) -> Result<Self> {
        Ok(Self::Failure(plain(written(val, shape)?)))
    }

    /// The result of `tools/call` as JSON text.
    pub fn into_result_json(self) -> String {
        match self {
            Self::Value { json, is_object } => {
                let structured =
                    if is_object { json.clone() } else { format!(r#"{{"result":{json}}}"#) };
                result(Some(&plain(json)), Some(structured), false)
            }
            Self::Failure(text) => result(Some(&text), None, true),
            Self::Nothing => result(None, None, false),
        }
    }
}

/// The text of a JSON string; other JSON as it is.
fn plain(json: String) -> String {
    if json.starts_with('"') { serde_json::from_str(&json).unwrap_or(json) } else { json }
}

fn result(text: Option<&str>, structured: Option<String>, is_error: bool) -> String {
    let block = |text| object([("type", quoted("text")), ("text", quoted(text))]);
    let content = ("content", array(text.map(block)));
    let structured = structured.map(|json| ("structuredContent", json));
    object([content].into_iter().chain(structured).chain([("isError", is_error.to_string())]))
}
