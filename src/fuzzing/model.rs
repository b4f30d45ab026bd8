//! JSON before it is parsed, tools as they are declared, and what tools answer.

use std::{collections::HashSet, fmt, ops::Range};

use axum::http::HeaderName;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json as value, value::RawValue};

use super::{DEPTH_MAX, is_told, text};
use crate::model::{
    call::{Output, OutputKind},
    json::{self, Json},
    tool::{Tool, ToolName},
};

const DEFINITION_BYTES_MAX: usize = 4096;

/// Of text that is JSON, [`json::check`] finds what a parser of the whole finds.
pub fn json(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let checked = json::check(text, DEPTH_MAX);
    if let Err(fault) = &checked {
        is_told(fault);
    }
    if let Ok(Facts { depth, repeats }) = serde_json::from_str(text) {
        let is_good = depth <= DEPTH_MAX && !repeats;
        assert_eq!(checked.is_ok(), is_good, "{depth} levels, a key twice: {repeats}: {checked:?}");
    }
}

/// What there is to check, found by recursion.
#[derive(Default)]
struct Facts {
    depth: usize,
    repeats: bool,
}

impl Facts {
    fn holds(&mut self, inner: &Self) {
        self.depth = self.depth.max(inner.depth + 1);
        self.repeats |= inner.repeats;
    }
}

impl<'de> Deserialize<'de> for Facts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Finder)
    }
}

struct Finder;

impl<'de> Visitor<'de> for Finder {
    type Value = Facts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
        let mut facts = Facts { depth: 1, repeats: false };
        let mut keys = HashSet::new();
        while let Some((key, inner)) = map.next_entry::<String, Facts>()? {
            facts.holds(&inner);
            facts.repeats |= !keys.insert(key);
        }
        Ok(facts)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Facts, A::Error> {
        let mut facts = Facts { depth: 1, repeats: false };
        while let Some(inner) = items.next_element()? {
            facts.holds(&inner);
        }
        Ok(facts)
    }

    fn visit_unit<E>(self) -> Result<Facts, E> {
        Ok(Facts::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Facts, E> {
        Ok(Facts::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Facts, E> {
        Ok(Facts::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Facts, E> {
        Ok(Facts::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Facts, E> {
        Ok(Facts::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Facts, E> {
        Ok(Facts::default())
    }
}

/// A definition is kept byte for byte, within its bounds, and its shape does not depend on words.
pub fn tool_definition(bytes: &[u8]) {
    let Some(text) = text(bytes).filter(|text| json::check(text, DEPTH_MAX).is_ok()) else {
        return;
    };
    let Ok(definition) = serde_json::from_str::<&RawValue>(text) else { return };
    let tool = match Tool::parse(definition, DEFINITION_BYTES_MAX) {
        Ok(tool) => tool,
        Err(refusal) => return is_told(&refusal.reason),
    };
    assert_eq!(tool.definition.get(), definition.get());
    assert!(text.trim().len() <= DEFINITION_BYTES_MAX);
    assert!(ToolName::parse(tool.name.as_str()).is_some());
    for parameter in &tool.headers {
        HeaderName::try_from(&parameter.header).expect("a name of a header");
        assert!(!parameter.path.is_empty(), "an argument has a name");
    }
    // Numbers that are too large for a number are no business of the shape.
    let Ok(mut reworded) = serde_json::from_str::<Value>(text) else { return };
    let shape = |definition: &Value| {
        let text = definition.to_string();
        let definition: &RawValue = serde_json::from_str(&text).expect("JSON");
        Tool::parse(definition, usize::MAX).map(|tool| tool.shape)
    };
    let before = shape(&reworded);
    reworded["inputSchema"]["description"] = value!("in other words");
    assert_eq!(before, shape(&reworded), "words make a difference");
}

/// What is read of a result is what it says, and the places in it are places of JSON.
pub fn tool_result(bytes: &[u8]) {
    let Some(text) = text(bytes).filter(|text| json::check(text, DEPTH_MAX).is_ok()) else {
        return;
    };
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return;
    }
    let output = match Output::parse(Json::from(text.trim().to_owned())) {
        Ok(output) => output,
        Err(why) => return is_told(&why),
    };
    let Ok(whole) = serde_json::from_str::<Value>(text) else { return };
    let is_asking = whole["resultType"] == "input_required";
    assert_eq!(output.kind == OutputKind::InputRequired, is_asking);
    assert_eq!(output.is_error, whole["isError"] == true);
    let says = |member: &str, span: &Option<Range<usize>>| {
        let said = span.as_ref().map(|span| {
            serde_json::from_str::<Value>(output.part(span)).expect("a part of JSON is JSON")
        });
        // Absent and null are the same, to some of them.
        assert_eq!(said.unwrap_or_default(), whole[member], "{member}");
    };
    says("_meta", &output.meta);
    says("requestState", &output.request_state);
    says("inputRequests", &output.input_requests);
}
