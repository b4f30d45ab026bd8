//! A guest's memory before it runs: values of WIT types, laid out as the canonical ABI has them.
//!
//! Values are written as JSON: records as objects (what is absent is none, false, 0 or empty),
//! variants as `"case"` or `{"case": payload}`, results as `{"ok": …}` or `{"err": …}`, options as
//! `null` or the value. What JSON cannot say is said by [`computed`], [`at`] and [`bytes`].

use std::fmt::Write;

use serde_json::{Value, json};
use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind};

use super::encode::{PLUGIN, packages};

/// Where the image begins. What is below is free for code: see [`SCRATCH`].
const BASE: usize = 1024;

/// Where code may let the host write results of up to 512 bytes.
pub(crate) const SCRATCH: usize = 512;

/// A string or list whose pointer and length are worked out by core code when it is needed.
pub(crate) fn computed(pointer: &str, length: &str) -> Value {
    json!({ "$computed": [pointer, length] })
}

/// A string or list in a parameter, as `$NAME` and `$NAME-len`.
pub(crate) fn local(name: &str) -> Value {
    computed(&format!("(local.get ${name})"), &format!("(local.get ${name}-len)"))
}

/// A string or list that claims to be anywhere.
pub(crate) fn at(pointer: u32, length: u32) -> Value {
    json!({ "$at": [pointer, length] })
}

/// A string or list of these bytes, be they UTF-8 or not.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    json!({ "$bytes": bytes })
}

pub(crate) struct Image<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    bytes: Vec<u8>,
}

impl<'a> Image<'a> {
    pub(crate) fn new(resolve: &'a Resolve) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        Self { resolve, sizes, bytes: Vec::new() }
    }

    /// Code that leaves the address of `value`.
    pub(crate) fn place(&mut self, of: &Type, value: &Value) -> String {
        let place = self.reserve(self.size(of), self.align(of));
        let mut stores = String::new();
        self.store(place, of, value, &mut stores);
        format!("(block (result i32) {stores} (i32.const {}))", BASE + place)
    }

    /// Code that leaves the address and the length of `text`.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let place = self.append(text.as_bytes());
        format!("(i32.const {place}) (i32.const {})", text.len())
    }

    /// Replaces each `@'text'` in code by the text's address and length.
    pub(crate) fn texts(&mut self, code: &str) -> String {
        let mut pieces = code.split("@'");
        let mut whole = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (text, code) = piece.split_once('\'').expect("an end of the text");
            whole.push_str(&self.text(text));
            whole.push_str(code);
        }
        whole
    }

    /// Where memory is free after the image.
    pub(crate) fn end(&self) -> usize {
        (BASE + self.bytes.len()).next_multiple_of(16)
    }

    /// The image as a data segment.
    pub(crate) fn segment(&self) -> String {
        let mut text = format!("(data (i32.const {BASE}) \"");
        for byte in &self.bytes {
            match byte {
                b'"' | b'\\' | b'$' | 0..0x20 | 0x7f.. => {
                    write!(text, "\\{byte:02x}").expect("room");
                }
                _ => text.push(char::from(*byte)),
            }
        }
        text + "\")"
    }

    fn size(&self, of: &Type) -> usize {
        self.sizes.size(of).size_wasm32()
    }

    fn align(&self, of: &Type) -> usize {
        self.sizes.align(of).align_wasm32()
    }

    fn reserve(&mut self, size: usize, align: usize) -> usize {
        let place = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(place + size, 0);
        place
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        self.bytes.extend_from_slice(bytes);
        BASE + self.bytes.len() - bytes.len()
    }

    fn put(&mut self, place: usize, bytes: &[u8]) {
        self.bytes[place..place + bytes.len()].copy_from_slice(bytes);
    }

    fn store(&mut self, place: usize, of: &Type, value: &Value, stores: &mut String) {
        let number =
            |value: &Value| value.as_i64().or_else(|| value.as_u64().map(u64::cast_signed));
        match of {
            Type::Bool => self.put(place, &[u8::from(value.as_bool().unwrap_or_default())]),
            Type::F64 => self.put(place, &value.as_f64().unwrap_or_default().to_le_bytes()),
            Type::String => self.store_list(place, &Type::U8, value, stores),
            Type::Id(id) => {
                let resolve = self.resolve;
                self.store_kind(place, &resolve.types[*id].kind, value, stores);
            }
            Type::F32 | Type::Char | Type::ErrorContext => panic!("no guest needs {of:?}"),
            _ => {
                let bytes = number(value).unwrap_or_default().to_le_bytes();
                self.put(place, &bytes[..self.size(of)]);
            }
        }
    }

    fn store_kind(&mut self, place: usize, kind: &TypeDefKind, value: &Value, out: &mut String) {
        match kind {
            TypeDefKind::Type(of) => self.store(place, of, value, out),
            TypeDefKind::List(of) => self.store_list(place, of, value, out),
            TypeDefKind::Record(record) => {
                let known = |name: &String| record.fields.iter().any(|field| field.name == *name);
                let mut names = value.as_object().into_iter().flat_map(|object| object.keys());
                assert!(names.all(known), "no such field: {value:.200}");
                let offsets = self.sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
                for ((offset, of), field) in offsets.iter().zip(&record.fields) {
                    let field = value.get(&field.name).unwrap_or(&Value::Null);
                    self.store(place + offset.size_wasm32(), of, field, out);
                }
            }
            TypeDefKind::Tuple(tuple) => {
                for (index, (offset, of)) in
                    self.sizes.field_offsets(&tuple.types).iter().enumerate()
                {
                    self.store(place + offset.size_wasm32(), of, &value[index], out);
                }
            }
            TypeDefKind::Option(of) => {
                let case = (!value.is_null()).then_some(("some", value));
                self.store_case(place, &[("none", None), ("some", Some(of))], case, out);
            }
            TypeDefKind::Result(result) => {
                let cases = [("ok", result.ok.as_ref()), ("err", result.err.as_ref())];
                self.store_case(place, &cases, case(value), out);
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| (&*case.name, case.ty.as_ref()));
                self.store_case(place, &cases.collect::<Vec<_>>(), case(value), out);
            }
            TypeDefKind::Enum(of) => {
                let cases = of.cases.iter().map(|case| (&*case.name, None));
                self.store_case(place, &cases.collect::<Vec<_>>(), case(value), out);
            }
            _ => panic!("no guest needs {kind:?}"),
        }
    }

    fn store_case(
        &mut self,
        place: usize,
        cases: &[(&str, Option<&Type>)],
        value: Option<(&str, &Value)>,
        stores: &mut String,
    ) {
        let Some((name, payload)) = value else { return };
        let index = cases.iter().position(|(case, _)| *case == name);
        let index = index.unwrap_or_else(|| panic!("no case {name} among {cases:?}"));
        self.put(place, &[u8::try_from(index).expect("fewer than 256 cases")]);
        if let Some(of) = cases[index].1 {
            let payloads = cases.iter().filter_map(|(_, payload)| *payload);
            let offset = payloads.map(|payload| self.align(payload)).max().unwrap_or(1);
            self.store(place + offset, of, payload, stores);
        }
    }

    fn store_list(&mut self, place: usize, of: &Type, value: &Value, stores: &mut String) {
        if let Some([pointer, length]) = value["$computed"].as_array().map(Vec::as_slice) {
            for (offset, code) in [(0, pointer), (4, length)] {
                let (place, code) = (BASE + place + offset, code.as_str().expect("code"));
                write!(stores, "(i32.store (i32.const {place}) {code})").expect("room");
            }
            return;
        }
        let (pointer, length) = match value {
            Value::Null => (BASE, 0),
            Value::String(text) => (self.append(text.as_bytes()), text.len()),
            Value::Array(items) => {
                let size = self.size(of);
                let start = self.reserve(size * items.len(), self.align(of));
                for (index, item) in items.iter().enumerate() {
                    self.store(start + index * size, of, item, stores);
                }
                (BASE + start, items.len())
            }
            _ => match (value["$at"].as_array(), value["$bytes"].as_array()) {
                (Some(pair), _) => (index(&pair[0]), index(&pair[1])),
                (_, Some(bytes)) => {
                    let byte = |byte| u8::try_from(index(byte)).expect("a byte");
                    let bytes = bytes.iter().map(byte).collect::<Vec<_>>();
                    (self.append(&bytes), bytes.len())
                }
                _ => panic!("no string or list: {value:.200}"),
            },
        };
        for (offset, word) in [(0, pointer), (4, length)] {
            let word = u32::try_from(word).expect("an address");
            self.put(place + offset, &word.to_le_bytes());
        }
    }
}

fn index(value: &Value) -> usize {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.expect("a number")
}

/// The case that a variant's value names, and what it carries.
fn case(value: &Value) -> Option<(&str, &Value)> {
    match value {
        Value::String(name) => Some((name, &Value::Null)),
        Value::Object(object) => {
            let (name, payload) = object.iter().next().expect("a case");
            Some((name, payload))
        }
        _ => None,
    }
}

/// The bytes that a record of the plugin's contract takes, and where one of its fields begins.
pub(crate) fn layout(record: &str, field: &str) -> (usize, usize) {
    let resolve = packages(&[PLUGIN]);
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    let mut types = resolve.types.iter().filter(|(_, of)| of.name.as_deref() == Some(record));
    let (id, of) = types.next().expect("a type of this name");
    let TypeDefKind::Record(fields) = &of.kind else { panic!("{record} is no record") };
    let index = fields.fields.iter().position(|known| known.name == field).expect("a field");
    let offsets = sizes.field_offsets(fields.fields.iter().map(|field| &field.ty));
    (sizes.size(&Type::Id(id)).size_wasm32(), offsets[index].0.size_wasm32())
}
