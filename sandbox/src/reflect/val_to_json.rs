//! Writes the value of a WIT type as JSON.
//!
//! The shape leads, not the value: an empty list says nothing of its elements, and an option nothing
//! of what it holds when it is absent.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use wasmtime::{Result, bail, component::Val};

use super::shape::{Field, Payload, Shape};

/// Bytes of JSON that one value may come to. A result carries them twice, as structure and as text.
pub(super) const JSON_BYTES_MAX: usize = 8 << 20;

/// wasmtime checks types, so that this is a fault of ours.
pub(super) const MISTYPED: &str = "a value is not of the type that its function declares";

/// JSON text of `val`, which must have the type that `shape` was made from.
pub(super) fn written(val: &Val, shape: &Shape) -> Result<String> {
    let mut out = Vec::new();
    write(val, shape, &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn write(val: &Val, shape: &Shape, out: &mut Vec<u8>) -> Result<()> {
    write_unbounded(val, shape, out)?;
    if out.len() > JSON_BYTES_MAX {
        bail!("the value comes to more than {JSON_BYTES_MAX} bytes of JSON");
    }
    Ok(())
}

fn write_unbounded(val: &Val, shape: &Shape, out: &mut Vec<u8>) -> Result<()> {
    match (shape, val) {
        (Shape::Bool, Val::Bool(bool)) => serde_json::to_writer(out, bool)?,
        (Shape::Integer(_), Val::S8(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::U8(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::S16(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::U16(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::S32(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::U32(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::S64(number)) => serde_json::to_writer(out, number)?,
        (Shape::Integer(_), Val::U64(number)) => serde_json::to_writer(out, number)?,
        // Each in its own width, so that 0.1 of 32 bits stays `0.1`.
        (Shape::Float32, Val::Float32(number)) if number.is_finite() => {
            serde_json::to_writer(out, number)?;
        }
        (Shape::Float32, Val::Float32(number)) => write_special((*number).into(), out),
        (Shape::Float64, Val::Float64(number)) if number.is_finite() => {
            serde_json::to_writer(out, number)?;
        }
        (Shape::Float64, Val::Float64(number)) => write_special(*number, out),
        (Shape::Char, Val::Char(char)) => serde_json::to_writer(out, char)?,
        (Shape::String, Val::String(text)) => serde_json::to_writer(out, text)?,
        (Shape::Enum(_), Val::Enum(name)) => serde_json::to_writer(out, name)?,
        (Shape::Flags(_), Val::Flags(names)) => serde_json::to_writer(out, names)?,
        (Shape::Bytes, Val::List(items)) => write_base64(items, out)?,
        (Shape::List(item), Val::List(items))
        | (Shape::FixedList(item, _), Val::FixedLengthList(items)) => {
            let items = items.iter();
            write_all(b"[]", items, out, |val, out| write(val, item, out))?;
        }
        (Shape::Tuple(shapes), Val::Tuple(items)) => {
            let items = items.iter().zip(shapes);
            write_all(b"[]", items, out, |(val, shape), out| write(val, shape, out))?;
        }
        (Shape::Dictionary(value), Val::Map(entries)) => write_dictionary(entries, value, out)?,
        (Shape::Map(key, value), Val::Map(entries)) => {
            write_all(b"[]", entries, out, |entry, out| {
                let pair = [(&entry.0, key), (&entry.1, value)];
                write_all(b"[]", pair, out, |(val, shape), out| write(val, shape, out))
            })?;
        }
        (Shape::Record(fields), Val::Record(vals)) => {
            let members = vals.iter().zip(fields);
            write_all(b"{}", members, out, |((_, val), field), out| write_field(val, field, out))?;
        }
        (Shape::Variant(cases), Val::Variant(tag, val)) => {
            out.extend(br#"{"tag":"#);
            serde_json::to_writer(&mut *out, tag)?;
            let case = cases.iter().find(|case| case.name == *tag);
            if let (Some(field), Some(val)) = (case.and_then(|case| case.value.as_ref()), val) {
                out.push(b',');
                write_field(val, field, out)?;
            }
            out.push(b'}');
        }
        (Shape::Option(_), Val::Option(None)) => out.extend(b"null"),
        (Shape::Option(inner), Val::Option(Some(val))) if inner.is_option() => {
            write_member("some", val, inner, out)?;
        }
        (Shape::Option(inner), Val::Option(Some(val))) => write(val, inner, out)?,
        (Shape::Result(ok, _), Val::Result(Ok(val))) => write_arm("ok", val, ok, out)?,
        (Shape::Result(_, err), Val::Result(Err(val))) => write_arm("err", val, err, out)?,
        _ => bail!(MISTYPED),
    }
    Ok(())
}

fn write_all<T>(
    [open, close]: &[u8; 2],
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    out.push(*open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    out.push(*close);
    Ok(())
}

fn write_field(val: &Val, field: &Field, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *out, &field.name)?;
    out.push(b':');
    write(val, &field.shape, out)
}

/// `{"name": val}`
fn write_member(name: &str, val: &Val, shape: &Shape, out: &mut Vec<u8>) -> Result<()> {
    write_all(b"{}", [val], out, |val, out| {
        serde_json::to_writer(&mut *out, name)?;
        out.push(b':');
        write(val, shape, out)
    })
}

fn write_arm(
    name: &str,
    val: &Option<Box<Val>>,
    payload: &Payload,
    out: &mut Vec<u8>,
) -> Result<()> {
    match (val, payload) {
        (Some(val), Some(shape)) => write_member(name, val, shape, out)?,
        _ => out.extend(format!(r#"{{"{name}":null}}"#).bytes()),
    }
    Ok(())
}

/// JSON has no numbers for these.
fn write_special(number: f64, out: &mut Vec<u8>) {
    let text = match (number.is_nan(), number.is_sign_negative()) {
        (true, _) => r#""NaN""#,
        (false, false) => r#""Infinity""#,
        (false, true) => r#""-Infinity""#,
    };
    out.extend(text.bytes());
}

fn write_base64(items: &[Val], out: &mut Vec<u8>) -> Result<()> {
    let byte = |val: &Val| match val {
        Val::U8(byte) => Ok(*byte),
        _ => bail!(MISTYPED),
    };
    let bytes = items.iter().map(byte).collect::<Result<Vec<_>>>()?;
    out.push(b'"');
    out.extend(STANDARD.encode(bytes).bytes());
    out.push(b'"');
    Ok(())
}

/// Of a key that comes twice, the last value counts, as in the component model.
fn write_dictionary(entries: &[(Val, Val)], shape: &Shape, out: &mut Vec<u8>) -> Result<()> {
    let mut last = HashMap::new();
    for (index, (key, val)) in entries.iter().enumerate() {
        let Val::String(key) = key else { bail!(MISTYPED) };
        last.insert(&**key, (index, val));
    }
    let mut members: Vec<_> = last.into_iter().collect();
    members.sort_unstable_by_key(|(_, (index, _))| *index);
    write_all(b"{}", members, out, |(key, (_, val)), out| {
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        write(val, shape, out)
    })
}
