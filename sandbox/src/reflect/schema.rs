//! JSON Schema (2020-12) of shapes, as text, so that members keep the order of the WIT.
//!
//! Only keywords are used that mean the same to a validator of an older draft, of which clients
//! have plenty: hence `maxItems` beside `prefixItems` instead of `items: false`, which draft 7 reads
//! as "no items at all".

use super::{
    shape::{Case, Field, Payload, Shape},
    text::{array, object, quoted},
};

pub(super) fn schema(shape: &Shape) -> String {
    match shape {
        Shape::Bool => typed("boolean", []),
        Shape::Integer(integer) => {
            let (least, most) = integer.range().into_inner();
            typed("integer", [("minimum", least.to_string()), ("maximum", most.to_string())])
        }
        Shape::Float32 | Shape::Float64 => any_of([
            typed("number", []),
            object([("enum", array(["NaN", "Infinity", "-Infinity"].map(quoted)))]),
        ]),
        Shape::Char => typed("string", [("minLength", "1".into()), ("maxLength", "1".into())]),
        Shape::String => typed("string", []),
        Shape::Bytes => typed("string", [("contentEncoding", quoted("base64"))]),
        Shape::List(item) => typed("array", [("items", schema(item))]),
        Shape::FixedList(item, length) => {
            let [least, most] = exactly(*length);
            typed("array", [("items", schema(item)), least, most])
        }
        Shape::Dictionary(value) => typed("object", [("additionalProperties", schema(value))]),
        Shape::Map(key, value) => {
            typed("array", [("items", tuple([schema(key), schema(value)].into()))])
        }
        Shape::Record(fields) => record(fields),
        Shape::Tuple(items) => tuple(items.iter().map(schema).collect()),
        Shape::Variant(cases) => typed("object", [("oneOf", array(cases.iter().map(case)))]),
        Shape::Enum(names) => one_of_names(names),
        Shape::Flags(names) => {
            typed("array", [("items", one_of_names(names)), ("uniqueItems", "true".into())])
        }
        Shape::Option(inner) if inner.is_option() => {
            // Else `null` could mean the outer or the inner one.
            any_of([members([("some", schema(inner))], &["some"]), typed("null", [])])
        }
        Shape::Option(inner) => any_of([schema(inner), typed("null", [])]),
        Shape::Result(ok, err) => {
            typed("object", [("oneOf", array([arm("ok", ok), arm("err", err)]))])
        }
    }
}

/// The schema of an object with these members, of which options may be absent.
pub(super) fn record(fields: &[Field]) -> String {
    members(fields.iter().map(property), &required(fields))
}

/// The schema of the object `{"result": value}`.
pub(super) fn wrapped(value: String) -> String {
    members([("result", value)], &["result"])
}

fn property(field: &Field) -> (&str, String) {
    (&field.name, schema(&field.shape))
}

fn required(fields: &[Field]) -> Vec<&str> {
    fields.iter().filter(|field| !field.shape.is_option()).map(|field| &*field.name).collect()
}

fn members<'a>(
    properties: impl IntoIterator<Item = (&'a str, String)>,
    required: &[&str],
) -> String {
    typed(
        "object",
        [
            ("properties", object(properties)),
            ("required", array(required.iter().copied().map(quoted))),
            ("additionalProperties", "false".into()),
        ],
    )
}

fn case(case: &Case) -> String {
    let value = case.value.as_slice();
    let tag = ("tag", object([("const", quoted(&case.name))]));
    let required: Vec<_> = ["tag"].into_iter().chain(required(value)).collect();
    members([tag].into_iter().chain(value.iter().map(property)), &required)
}

fn arm(name: &str, payload: &Payload) -> String {
    let payload = payload.as_deref().map_or_else(|| typed("null", []), schema);
    members([(name, payload)], &[name])
}

fn tuple(items: Vec<String>) -> String {
    let [least, most] = exactly(items.len());
    typed("array", [("prefixItems", array(items)), least, most])
}

fn exactly(length: usize) -> [(&'static str, String); 2] {
    [("minItems", length.to_string()), ("maxItems", length.to_string())]
}

fn one_of_names(names: &[String]) -> String {
    typed("string", [("enum", array(names.iter().map(|name| quoted(name))))])
}

fn any_of<const N: usize>(schemas: [String; N]) -> String {
    object([("anyOf", array(schemas))])
}

fn typed<const N: usize>(name: &str, rest: [(&str, String); N]) -> String {
    object([("type", quoted(name))].into_iter().chain(rest))
}
