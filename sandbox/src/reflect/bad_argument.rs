//! What is wrong with arguments, in sentences.

use std::fmt;

use serde_json::Value;

use super::shape::Shape;

/// How much of what the caller wrote, or may write, a sentence shows.
const SHOWN_CHARS: usize = 40;
const SHOWN_NAMES: usize = 20;

/// Arguments that do not fit the parameters: the caller's mistake, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadArgument {
    /// `.pet.tags[2]`; empty for the arguments as a whole.
    path: String,
    /// A predicate: "is missing".
    problem: String,
}

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.trim_start_matches('.') {
            "" => write!(f, "the arguments: {}", self.problem),
            path => write!(f, "argument `{path}` {}", self.problem),
        }
    }
}

impl std::error::Error for BadArgument {}

impl BadArgument {
    pub(super) fn new(problem: String) -> Self {
        Self { path: String::new(), problem }
    }

    pub(super) fn below(mut self, step: &dyn fmt::Display) -> Self {
        self.path.insert_str(0, &step.to_string());
        self
    }

    pub(super) fn below_member(self, name: &str) -> Self {
        self.below(&format_args!(".{}", shortened(name)))
    }

    pub(super) fn expected(expected: impl fmt::Display, found: &Value) -> Self {
        Self::new(format!("must be {expected}, but is {}", shown(found)))
    }
}

pub(super) const SOME_OR_NULL: &str = "null or an object of `some`";
pub(super) const OK_OR_ERR: &str = "an object with exactly one of `ok` and `err`";

/// Says which JSON a shape asks for: "must be …".
pub(super) struct Expected<'a>(pub(super) &'a Shape);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Shape::Bool => f.write_str("true or false"),
            Shape::Integer(integer) => {
                let (least, most) = integer.range().into_inner();
                write!(f, "an integer from {least} to {most}")
            }
            Shape::Float32 | Shape::Float64 => {
                f.write_str(r#"a number, "NaN", "Infinity" or "-Infinity""#)
            }
            Shape::Char => f.write_str("a string of exactly one character"),
            Shape::String => f.write_str("a string"),
            Shape::Bytes => f.write_str("a string of base64"),
            Shape::List(_) => f.write_str("an array"),
            Shape::FixedList(_, length) => write!(f, "an array of exactly {length} elements"),
            Shape::Tuple(items) => write!(f, "an array of exactly {} elements", items.len()),
            Shape::Map(..) => f.write_str("an array of arrays of key and value"),
            Shape::Dictionary(_) => f.write_str("an object"),
            Shape::Record(fields) => {
                write!(f, "an object of {}", listed(fields.iter().map(|field| &field.name)))
            }
            Shape::Variant(_) => {
                f.write_str("an object with `tag` and, if the case has one, `val`")
            }
            Shape::Enum(names) => write!(f, "one of {}", listed(names.iter())),
            Shape::Flags(names) => write!(f, "an array of {}", listed(names.iter())),
            Shape::Option(inner) if inner.is_option() => f.write_str(SOME_OR_NULL),
            Shape::Option(inner) => write!(f, "{} or null", Self(inner)),
            Shape::Result(..) => f.write_str(OK_OR_ERR),
        }
    }
}

pub(super) fn listed<'a>(mut names: impl Iterator<Item = &'a String>) -> String {
    let shown: Vec<_> =
        names.by_ref().take(SHOWN_NAMES).map(|name| format!("`{}`", shortened(name))).collect();
    match (shown.is_empty(), names.count()) {
        (true, _) => "nothing".into(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What came instead. Texts that may be long or secret are not repeated.
pub(super) fn shown(json: &Value) -> String {
    match json {
        Value::Null | Value::Bool(_) | Value::Number(_) => json.to_string(),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
