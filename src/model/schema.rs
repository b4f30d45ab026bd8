//! What the hub reads of an input schema: what it demands, and which arguments go into headers.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, value::RawValue};

/// A digest of what a schema demands; wording (titles, descriptions, examples, comments) and the
/// order of keys leave no trace. Two tools of one shape take the same arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape([u8; 32]);

/// An argument that a client repeats as `Mcp-Param-{header}` (MCP 2026-07-28, `x-mcp-header`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderParameter {
    /// The full header name, in lower case.
    pub header: String,
    /// The property names that lead from the arguments to the value.
    pub path: Vec<String>,
}

#[derive(Debug)]
pub struct InputSchema {
    pub shape: Shape,
    pub headers: Vec<HeaderParameter>,
}

const HEADER_ANNOTATION: &str = "x-mcp-header";

/// Keywords that only describe (JSON Schema 2020-12, Validation §9 and Core §8.3).
const WORDING: &[&str] = &["title", "description", "examples", "$comment"];
/// Keywords whose value maps names to schemas: those names are no keywords.
const NAMED_SCHEMAS: &[&str] =
    &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is data, not a schema.
const DATA: &[&str] = &["const", "enum", "default", "required", "dependentRequired"];

impl InputSchema {
    /// Fails with a sentence when `schema` is no object schema or misuses `x-mcp-header`.
    pub fn parse(schema: &RawValue) -> Result<Self, String> {
        let mut value: Value = serde_json::from_str(schema.get())
            .map_err(|error| format!("`inputSchema` cannot be read: {error}"))?;
        let Some(Value::String(kind)) = value.get("type") else {
            return Err("`inputSchema` must be an object with `\"type\": \"object\"`".into());
        };
        if kind != "object" {
            return Err(format!("`inputSchema.type` is {kind:?}, but must be \"object\""));
        }
        let mut headers = Vec::new();
        read_headers(&value, Some(&[]), &mut headers)?;
        strip_wording(&mut value);
        value.sort_all_objects();
        let digest = digest(&SHA256, value.to_string().as_bytes());
        let shape = Shape(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"));
        Ok(Self { shape, headers })
    }
}

/// Collects annotations below `schema`. `path` is `None` where an annotation has no business:
/// anywhere not reached through `properties` alone.
fn read_headers(
    schema: &Value,
    path: Option<&[String]>,
    found: &mut Vec<HeaderParameter>,
) -> Result<(), String> {
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(schemas) => {
            return schemas.iter().try_for_each(|schema| read_headers(schema, None, found));
        }
        _ => return Ok(()),
    };
    if let Some(annotation) = members.get(HEADER_ANNOTATION) {
        let parameter = header_parameter(annotation, members, path, found)?;
        found.push(parameter);
    }
    for (keyword, value) in members {
        match (keyword.as_str(), value, path) {
            ("properties", Value::Object(properties), Some(path)) => {
                for (name, property) in properties {
                    let deeper = [path, std::slice::from_ref(name)].concat();
                    read_headers(property, Some(&deeper), found)?;
                }
            }
            (keyword, Value::Object(schemas), _) if NAMED_SCHEMAS.contains(&keyword) => {
                schemas.values().try_for_each(|schema| read_headers(schema, None, found))?;
            }
            (keyword, ..) if DATA.contains(&keyword) || WORDING.contains(&keyword) => {}
            (_, value, _) => read_headers(value, None, found)?,
        }
    }
    Ok(())
}

fn header_parameter(
    annotation: &Value,
    schema: &Map<String, Value>,
    path: Option<&[String]>,
    found: &[HeaderParameter],
) -> Result<HeaderParameter, String> {
    let fault = |what: &str| Err(format!("`{HEADER_ANNOTATION}` {annotation} {what}"));
    let is_token = |name: &str| !name.is_empty() && name.bytes().all(is_token_byte);
    let Some(name) = annotation.as_str().filter(|name| is_token(name)) else {
        return fault("is not an HTTP field-name token");
    };
    let path = match path {
        Some(path) if !path.is_empty() => path.to_vec(),
        _ => return fault("stands on no property reached through `properties` alone"),
    };
    if !matches!(schema.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean"))
    {
        return fault("stands on a property that is no string, integer or boolean");
    }
    let header = format!("mcp-param-{}", name.to_ascii_lowercase());
    if found.iter().any(|other| other.header == header) {
        return fault("is used twice");
    }
    Ok(HeaderParameter { header, path })
}

/// RFC 9110 §5.6.2, `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn strip_wording(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(strip_wording),
        Value::Object(members) => {
            members.retain(|keyword, _| !WORDING.contains(&keyword.as_str()));
            for (keyword, value) in members {
                match value {
                    Value::Object(schemas) if NAMED_SCHEMAS.contains(&keyword.as_str()) => {
                        schemas.values_mut().for_each(strip_wording);
                    }
                    _ if DATA.contains(&keyword.as_str()) => {}
                    _ => strip_wording(value),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(schema: &str) -> Result<InputSchema, String> {
        InputSchema::parse(serde_json::from_str(schema).unwrap())
    }

    #[track_caller]
    fn same_shape(a: &str, b: &str, expected: bool) {
        assert_eq!(parse(a).unwrap().shape == parse(b).unwrap().shape, expected, "{a} and {b}");
    }

    #[test]
    fn wording_and_order_make_no_difference() {
        same_shape(
            r#"{"type":"object","title":"A","properties":{"q":{"type":"string","description":"x"}}}"#,
            r#"{"properties":{"q":{"type":"string","examples":["y"]}},"type":"object"}"#,
            true,
        );
    }

    #[test]
    fn what_is_demanded_makes_a_difference() {
        same_shape(
            r#"{"type":"object","properties":{"q":{"type":"string"}}}"#,
            r#"{"type":"object","properties":{"q":{"type":"integer"}}}"#,
            false,
        );
        same_shape(
            r#"{"type":"object","properties":{"title":{"type":"string"}}}"#,
            r#"{"type":"object","properties":{}}"#,
            false,
        );
        same_shape(
            r#"{"type":"object","properties":{"q":{"enum":[{"title":"a"}]}}}"#,
            r#"{"type":"object","properties":{"q":{"enum":[{"title":"b"}]}}}"#,
            false,
        );
    }

    #[test]
    fn header_parameters_are_found_in_nested_properties() {
        let schema = parse(
            r#"{"type":"object","properties":{
                "region":{"type":"string","x-mcp-header":"Region"},
                "to":{"type":"object","properties":{"id":{"type":"integer","x-mcp-header":"Id"}}},
                "x-mcp-header":{"type":"string"}}}"#,
        );
        let path = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(
            schema.unwrap().headers,
            [
                HeaderParameter { header: "mcp-param-region".into(), path: path(&["region"]) },
                HeaderParameter { header: "mcp-param-id".into(), path: path(&["to", "id"]) },
            ]
        );
    }

    #[test]
    fn misused_annotations_are_refused() {
        let check = |properties: &str, reason: &str| {
            let schema = format!(r#"{{"type":"object","properties":{properties}}}"#);
            assert_eq!(parse(&schema).unwrap_err(), reason);
        };
        check(
            r#"{"a":{"type":"string","x-mcp-header":""}}"#,
            r#"`x-mcp-header` "" is not an HTTP field-name token"#,
        );
        check(
            r#"{"a":{"type":"number","x-mcp-header":"A"}}"#,
            r#"`x-mcp-header` "A" stands on a property that is no string, integer or boolean"#,
        );
        check(
            r#"{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}"#,
            r#"`x-mcp-header` "A" stands on no property reached through `properties` alone"#,
        );
        check(
            r#"{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}"#,
            r#"`x-mcp-header` "a" is used twice"#,
        );
    }

    #[test]
    fn only_object_schemas_are_input_schemas() {
        for (schema, reason) in [
            ("[]", "`inputSchema` must be an object with `\"type\": \"object\"`"),
            (r#"{"type":"string"}"#, "`inputSchema.type` is \"string\", but must be \"object\""),
        ] {
            assert_eq!(parse(schema).unwrap_err(), reason);
        }
    }
}
