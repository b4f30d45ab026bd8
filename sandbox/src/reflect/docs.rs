//! Doc comments of the WIT, from the custom section `package-docs`.
//!
//! The section holds a version byte and JSON: `wit_parser::PackageMetadata`. Toolchains do not add it
//! to components by themselves; wassette's `wit-docs-inject` does. It only describes, so whatever is
//! wrong with it is passed over.

use serde_json::Value;
use wasmparser::{Parser, Payload};

use super::name::Origin;

/// Bytes of all sections together that are read.
const DOCS_BYTES_MAX: usize = 1 << 20;
/// Bytes of one description.
const DESCRIPTION_BYTES_MAX: usize = 16 << 10;

pub(super) struct Docs {
    /// One for each section; those of the component itself before those of components within.
    packages: Vec<Value>,
}

impl Docs {
    pub(super) fn read(wasm: &[u8]) -> Self {
        let mut sections = sections(wasm);
        sections.sort_by_key(|section| section.depth);
        let mut left = DOCS_BYTES_MAX;
        let mut packages = Vec::new();
        for section in sections {
            let Some(rest) = left.checked_sub(section.data.len()) else { break };
            left = rest;
            packages.extend(package(section.data));
        }
        Self { packages }
    }

    /// The doc comment of a function.
    pub(super) fn of(&self, origin: &Origin) -> Option<String> {
        let text = self.packages.iter().find_map(|package| described(package, origin))?;
        let text = text.trim();
        let end = text.floor_char_boundary(DESCRIPTION_BYTES_MAX);
        let ellipsis = if end < text.len() { "…" } else { "" };
        (!text.is_empty()).then(|| format!("{}{ellipsis}", &text[..end]))
    }
}

struct Section<'a> {
    depth: usize,
    data: &'a [u8],
}

fn sections(wasm: &[u8]) -> Vec<Section<'_>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::CustomSection(section)) if section.name() == "package-docs" => {
                found.push(Section { depth, data: section.data() });
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

/// Versions 0 and 1 differ in what does not matter here.
fn package(section: &[u8]) -> Option<Value> {
    let ([0 | 1], json) = section.split_first_chunk()? else { return None };
    serde_json::from_slice(json).ok()
}

fn described<'a>(package: &'a Value, origin: &Origin) -> Option<&'a str> {
    let worlds = || package.get("worlds").and_then(Value::as_object).into_iter().flatten();
    let in_worlds = |path: &[&str]| worlds().find_map(|(_, world)| docs(world, path));
    let function = &*origin.function;
    let Some(interface) = origin.interface_name() else {
        // Version 0 keeps imports and exports together.
        return in_worlds(&["func_exports", function]).or_else(|| in_worlds(&["funcs", function]));
    };
    docs(package, &["interfaces", interface, "funcs", function])
        .or_else(|| in_worlds(&["interface_exports", interface, "funcs", function]))
        .or_else(|| in_worlds(&["interfaces", interface, "funcs", function]))
}

fn docs<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, name| value.get(name))?.get("docs")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{DESCRIPTION_BYTES_MAX, Docs, described};
    use crate::reflect::name::Origin;

    fn origin(interface: Option<&str>, function: &str) -> Origin {
        Origin { interface: interface.map(Into::into), function: function.into() }
    }

    #[test]
    fn a_function_is_looked_for_where_each_version_keeps_it() {
        let package = json!({
            "worlds": {
                "empty": {},
                "w": {
                    "func_exports": {"f": {"docs": "export"}},
                    "funcs": {"f": {"docs": "import"}, "g": {"docs": "old"}},
                    "interface_exports": {"inline": {"funcs": {"f": {"docs": "inline"}}}},
                    "interfaces": {"older": {"funcs": {"f": {"docs": "older"}}}},
                },
            },
            "interfaces": {"i": {"funcs": {"f": {"docs": "interface"}}}},
        });
        let docs = |interface, function| described(&package, &origin(interface, function));
        assert_eq!(docs(None, "f"), Some("export"));
        assert_eq!(docs(None, "g"), Some("old"));
        assert_eq!(docs(Some("a:b/i@1.0.0"), "f"), Some("interface"));
        assert_eq!(docs(Some("inline"), "f"), Some("inline"));
        assert_eq!(docs(Some("older"), "f"), Some("older"));
        assert_eq!(docs(Some("a:b/i@1.0.0"), "g"), None);
    }

    #[test]
    fn a_long_description_is_cut_between_characters() {
        let long = "é".repeat(DESCRIPTION_BYTES_MAX);
        let package: Value = json!({"worlds": {"w": {"func_exports": {
            "long": {"docs": format!("x{long}")}, "blank": {"docs": " \n"},
        }}}});
        let docs = Docs { packages: vec![package] };
        let text = docs.of(&origin(None, "long")).unwrap();
        assert_eq!(text.len(), DESCRIPTION_BYTES_MAX - 1 + "…".len());
        assert!(text.ends_with("é…"), "{}", &text[text.len() - 20..]);
        assert_eq!(docs.of(&origin(None, "blank")), None);
    }
}
