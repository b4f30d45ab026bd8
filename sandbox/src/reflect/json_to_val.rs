//! Reads a JSON value as the value of a WIT type.

use std::collections::HashSet;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;

use super::{
    bad_argument::{BadArgument, Expected, OK_OR_ERR, SOME_OR_NULL, listed, shortened, shown},
    shape::{Case, Field, Integer, Payload, Shape},
    text::quoted,
};

/// Up to here a floating-point number stands for one integer only: 2^53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
/// Base64 of the ordinary alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn read(json: Value, shape: &Shape) -> Result<Val, BadArgument> {
    match (shape, json) {
        (Shape::Bool, Value::Bool(bool)) => Ok(Val::Bool(bool)),
        (Shape::Integer(integer), Value::Number(number)) => read_integer(*integer, number),
        (Shape::Float64, json) => read_float(&json, shape).map(Val::Float64),
        (Shape::Float32, json) => read_float(&json, shape).and_then(narrowed).map(Val::Float32),
        (Shape::Char, Value::String(text)) => read_char(&text),
        (Shape::String, Value::String(text)) => Ok(Val::String(text)),
        (Shape::Bytes, Value::String(text)) => read_base64(&text),
        (Shape::Bytes, Value::Array(items)) => {
            read_items(items, &Shape::Integer(Integer::U8)).map(Val::List)
        }
        (Shape::List(item), Value::Array(items)) => read_items(items, item).map(Val::List),
        (Shape::FixedList(item, length), Value::Array(items)) => {
            counted(items, *length).and_then(|it| read_items(it, item)).map(Val::FixedLengthList)
        }
        (Shape::Dictionary(value), Value::Object(members)) => {
            let entries = members.into_iter().map(|entry| read_entry(entry, value));
            entries.collect::<Result<_, _>>().map(Val::Map)
        }
        (Shape::Map(key, value), Value::Array(pairs)) => {
            let shapes = std::iter::repeat((&**key, &**value));
            read_each(pairs, shapes, |json, (key, value)| read_pair(json, key, value)).map(Val::Map)
        }
        (Shape::Record(fields), Value::Object(members)) => {
            read_fields(members, fields).map(Val::Record)
        }
        (Shape::Tuple(shapes), Value::Array(items)) => read_tuple(items, shapes).map(Val::Tuple),
        (Shape::Variant(cases), Value::Object(members)) => read_variant(members, cases),
        (Shape::Enum(names), json) => read_name(json, names.iter()).map(Val::Enum),
        (Shape::Flags(names), Value::Array(items)) => read_flags(items, names),
        (Shape::Flags(names), Value::Object(members)) => read_switches(members, names),
        (Shape::Option(_), Value::Null) => Ok(Val::Option(None)),
        (Shape::Option(inner), json) => read_some(json, inner),
        (Shape::Result(ok, err), Value::Object(members)) if members.len() == 1 => {
            read_result(members, ok, err)
        }
        (shape, json) => Err(BadArgument::expected(Expected(shape), &json)),
    }
}

/// The values of `fields` in their order. An absent option is `none`.
pub(super) fn read_fields(
    mut members: Map<String, Value>,
    fields: &[Field],
) -> Result<Vec<(String, Val)>, BadArgument> {
    let mut missing = None;
    let mut values = Vec::with_capacity(fields.len());
    for Field { name, shape } in fields {
        let value = match members.remove(name) {
            Some(json) => read(json, shape).map_err(|error| error.below_member(name))?,
            None => {
                if !shape.is_option() {
                    missing.get_or_insert((name, shape));
                }
                Val::Option(None)
            }
        };
        values.push((name.clone(), value));
    }
    // A name that is not known explains one that is missing, so it is told first.
    if let Some(name) = members.keys().next() {
        let names = fields.iter().map(|field| &field.name);
        let problem = format!("is not known; known here: {}", listed(names));
        return Err(BadArgument::new(problem).below_member(name));
    }
    match missing {
        None => Ok(values),
        Some((name, shape)) => {
            let problem = format!("is missing; it must be {}", Expected(shape));
            Err(BadArgument::new(problem).below_member(name))
        }
    }
}

fn read_integer(integer: Integer, number: Number) -> Result<Val, BadArgument> {
    let whole = number.as_i128().or_else(|| number.as_f64().and_then(whole));
    whole.and_then(|whole| integer.val(whole)).ok_or_else(|| {
        BadArgument::expected(Expected(&Shape::Integer(integer)), &Value::Number(number))
    })
}

/// JSON Schema counts `3.0` among the integers.
#[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i128)
}

fn read_float(json: &Value, shape: &Shape) -> Result<f64, BadArgument> {
    let number = match json {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    number.ok_or_else(|| BadArgument::expected(Expected(shape), json))
}

/// Rounds to the nearest, but never a finite number to infinity.
#[expect(clippy::cast_possible_truncation, reason = "overflow is looked for")]
fn narrowed(wide: f64) -> Result<f32, BadArgument> {
    let narrow = wide as f32;
    if narrow.is_infinite() && wide.is_finite() {
        let problem = format!("must be a number that 32 bits can hold, but is {wide:e}");
        return Err(BadArgument::new(problem));
    }
    Ok(narrow)
}

fn read_char(text: &str) -> Result<Val, BadArgument> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => Ok(Val::Char(char)),
        _ => {
            let count = text.chars().count();
            let expected = Expected(&Shape::Char);
            Err(BadArgument::new(format!("must be {expected}, but has {count} characters")))
        }
    }
}

fn read_base64(text: &str) -> Result<Val, BadArgument> {
    let bytes = BASE64.decode(text).map_err(|error| {
        BadArgument::new(format!("must be {}, but: {error}", Expected(&Shape::Bytes)))
    })?;
    Ok(Val::List(bytes.into_iter().map(Val::U8).collect()))
}

fn read_items(items: Vec<Value>, shape: &Shape) -> Result<Vec<Val>, BadArgument> {
    read_each(items, std::iter::repeat(shape), read)
}

fn read_tuple(items: Vec<Value>, shapes: &[Shape]) -> Result<Vec<Val>, BadArgument> {
    let items = counted(items, shapes.len())?;
    read_each(items, shapes.iter(), read)
}

fn read_each<S, V>(
    items: Vec<Value>,
    shapes: impl Iterator<Item = S>,
    read: impl Fn(Value, S) -> Result<V, BadArgument>,
) -> Result<Vec<V>, BadArgument> {
    let items = items.into_iter().zip(shapes).enumerate();
    items
        .map(|(index, (json, shape))| {
            read(json, shape).map_err(|error| error.below(&format_args!("[{index}]")))
        })
        .collect()
}

fn counted(items: Vec<Value>, length: usize) -> Result<Vec<Value>, BadArgument> {
    if items.len() == length { Ok(items) } else { Err(miscounted(length, items.len())) }
}

fn miscounted(expected: usize, found: usize) -> BadArgument {
    BadArgument::new(format!("must have exactly {expected} elements, but has {found}"))
}

fn read_entry((name, json): (String, Value), shape: &Shape) -> Result<(Val, Val), BadArgument> {
    let value = read(json, shape).map_err(|error| error.below_member(&name))?;
    Ok((Val::String(name), value))
}

fn read_pair(json: Value, key: &Shape, value: &Shape) -> Result<(Val, Val), BadArgument> {
    let Value::Array(items) = json else {
        return Err(BadArgument::expected("an array of key and value", &json));
    };
    let length = items.len();
    let [first, second] = <[Value; 2]>::try_from(items).map_err(|_items| miscounted(2, length))?;
    let key = read(first, key).map_err(|error| error.below(&"[0]"))?;
    let value = read(second, value).map_err(|error| error.below(&"[1]"))?;
    Ok((key, value))
}

/// One of `names`; what came instead is short enough to be shown, for it was meant as a name.
fn read_name<'a>(
    json: Value,
    mut names: impl Iterator<Item = &'a String> + Clone,
) -> Result<String, BadArgument> {
    let found = match json {
        Value::String(name) if names.clone().any(|known| *known == name) => return Ok(name),
        Value::String(name) => quoted(&shortened(&name)),
        json => shown(&json),
    };
    let names = listed(names.by_ref());
    Err(BadArgument::new(format!("must be one of {names}, but is {found}")))
}

fn read_variant(mut members: Map<String, Value>, cases: &[Case]) -> Result<Val, BadArgument> {
    let names = cases.iter().map(|case| &case.name);
    let tag = match members.remove("tag") {
        Some(json) => read_name(json, names),
        None => Err(BadArgument::new(format!("is missing; it must be one of {}", listed(names)))),
    };
    let tag = tag.map_err(|error| error.below(&".tag"))?;
    let case = cases.iter().find(|case| case.name == tag);
    let value = case.map(|case| case.value.as_slice()).unwrap_or_default();
    if let ([], Some(name)) = (value, members.keys().next()) {
        let problem = format!("has no place here: the case {} carries nothing", quoted(&tag));
        return Err(BadArgument::new(problem).below_member(name));
    }
    let value = read_fields(members, value)?.pop();
    Ok(Val::Variant(tag, value.map(|(_, value)| Box::new(value))))
}

fn read_flags(items: Vec<Value>, names: &[String]) -> Result<Val, BadArgument> {
    let set =
        read_each(items, std::iter::repeat(names), |json, names| read_name(json, names.iter()))?;
    let mut seen = HashSet::new();
    match set.iter().find(|name| !seen.insert(*name)) {
        None => Ok(Val::Flags(set)),
        Some(twice) => Err(BadArgument::new(format!("must not name {} twice", quoted(twice)))),
    }
}

/// Flags as wassette writes them: `{"read": true, "write": false}`.
fn read_switches(members: Map<String, Value>, names: &[String]) -> Result<Val, BadArgument> {
    let mut set = Vec::new();
    for (name, json) in members {
        if !names.contains(&name) {
            let problem = format!("is not known; known here: {}", listed(names.iter()));
            return Err(BadArgument::new(problem).below_member(&name));
        }
        match json {
            Value::Bool(true) => set.push(name),
            Value::Bool(false) => {}
            json => {
                let error = BadArgument::expected(Expected(&Shape::Bool), &json);
                return Err(error.below_member(&name));
            }
        }
    }
    Ok(Val::Flags(set))
}

fn read_some(json: Value, inner: &Shape) -> Result<Val, BadArgument> {
    let value = if inner.is_option() { read_wrapped(json, inner) } else { read(json, inner) };
    Ok(Val::Option(Some(Box::new(value?))))
}

/// An option within an option: `{"some": value}`, so that `null` can only be the outer one.
fn read_wrapped(json: Value, inner: &Shape) -> Result<Val, BadArgument> {
    match json {
        Value::Object(mut members) if members.len() == 1 && members.contains_key("some") => {
            let json = members.remove("some").unwrap_or_default();
            read(json, inner).map_err(|error| error.below(&".some"))
        }
        json => Err(BadArgument::expected(SOME_OR_NULL, &json)),
    }
}

fn read_result(
    mut members: Map<String, Value>,
    ok: &Payload,
    err: &Payload,
) -> Result<Val, BadArgument> {
    if let Some(json) = members.remove("ok") {
        return Ok(Val::Result(Ok(read_payload(json, ok).map_err(|error| error.below(&".ok"))?)));
    }
    if let Some(json) = members.remove("err") {
        return Ok(Val::Result(
            Err(read_payload(json, err).map_err(|error| error.below(&".err"))?),
        ));
    }
    Err(BadArgument::expected(OK_OR_ERR, &members.into()))
}

fn read_payload(json: Value, payload: &Payload) -> Result<Option<Box<Val>>, BadArgument> {
    match (payload, json) {
        (Some(shape), json) => Ok(Some(Box::new(read(json, shape)?))),
        (None, Value::Null) => Ok(None),
        (None, json) => Err(BadArgument::expected("null", &json)),
    }
}
