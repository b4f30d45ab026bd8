//! What can be told of a component before it is compiled: whether it is one, what it asks for and
//! what it offers.

use wasmparser::{Encoding, Parser, Payload};

use super::failure::Broken;

/// The interface by which a component offers tools to the hub.
const TOOLS: &str = "mcp-hub:plugin/tools@";
/// The versions of it that are served: by the rules of Semantic Versioning, all of `0.1`.
const TOOLS_SERVED: &str = "mcp-hub:plugin/tools@0.1.";
/// Imports by what they begin with.
const IMPORTS_SERVED: &[&str] = &["mcp-hub:plugin/host@0.1.", "mcp-hub:plugin/tools@0.1."];
/// The packages of WASI 0.2 that are linked; whether just this interface is, the linker knows.
const WASI_SERVED: &[&str] = &[
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// Components within components; each level costs the compiler as much as all those around it.
const DEPTH_MAX: usize = 64;

/// The outside of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What it may ask of the host, by interface.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Whether it exports the hub's own world; else its functions become tools by reflection.
    pub is_provider: bool,
}

impl Outline {
    /// Reads `wasm` as far as its outside goes.
    pub fn of(wasm: &[u8]) -> Result<Self, Broken> {
        if wasm.is_empty() {
            return Err(Broken::Empty);
        }
        if !wasm.starts_with(b"\0asm") {
            return Err(Broken::NotWasm);
        }
        let damaged = |error: wasmparser::BinaryReaderError| Broken::Damaged(error.to_string());
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(damaged)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(Broken::CoreModule);
                }
                Payload::Version { .. } => {
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return Err(Broken::TooDeep { max: DEPTH_MAX });
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        imports.push(import.map_err(damaged)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        exports.push(export.map_err(damaged)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        let unknown: Vec<_> = imports.iter().filter(|import| !is_served(import)).cloned().collect();
        if !unknown.is_empty() {
            return Err(Broken::UnknownImports { imports: unknown });
        }
        let tools: Vec<_> = exports.iter().filter(|export| export.starts_with(TOOLS)).collect();
        let is_provider = tools.iter().any(|export| export.starts_with(TOOLS_SERVED));
        match tools.first() {
            Some(export) if !is_provider => Err(Broken::OtherVersion { export: (*export).clone() }),
            _ => Ok(Self { imports, exports, is_provider }),
        }
    }

    /// Whether it asks for anything whose name begins so, such as `wasi:filesystem/`.
    pub fn asks_for(&self, prefix: &str) -> bool {
        self.imports.iter().any(|import| import.starts_with(prefix))
    }
}

fn is_served(import: &str) -> bool {
    let is_wasi =
        import.contains("@0.2.") && WASI_SERVED.iter().any(|wasi| import.starts_with(wasi));
    // A component may import types alone without a version, or name a whole function: let the linker
    // judge what is no interface.
    is_wasi
        || IMPORTS_SERVED.iter().any(|served| import.starts_with(served))
        || !import.contains(':')
}
