//! The plugins that are called: what is asked of each, and where its file comes from.

use std::{fs, path::Path};

use crate::{ask::ECHO, guest};

/// One of them.
pub(crate) struct Plugin {
    /// What `--only` knows it by.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) calls: &'static str,
    /// `None` is for the one that is made on the spot.
    file: Option<&'static str>,
    pub(crate) tool: &'static str,
    pub(crate) arguments: &'static str,
    /// What the first text of its answer has in it.
    pub(crate) says: &'static str,
}

pub(crate) static WAT: Plugin = Plugin {
    name: "plugin-wat",
    title: "plugin in WAT",
    calls: "tools/call, plugin in WAT",
    file: None,
    tool: ECHO,
    arguments: r#"{"text":"0001 the quick brown fox jumps over the lazy dog the quick brown fox jumps over the lazy dog "}"#,
    says: "the quick brown fox",
};

pub(crate) static RUST: Plugin = Plugin {
    name: "plugin-rust",
    title: "plugin in Rust",
    calls: "tools/call, plugin in Rust",
    file: Some("time.wasm"),
    tool: "date_difference",
    arguments: r#"{"from":"2026-01-01","to":"2026-11-25"}"#,
    says: "In days: 328",
};

pub(crate) static QUICKJS: Plugin = Plugin {
    name: "plugin-js",
    title: "plugin in JavaScript",
    calls: "tools/call, plugin in JavaScript",
    file: Some("query.wasm"),
    tool: "query_json",
    arguments: r#"{"json":"{\"a\":{\"b\":[1,2,3]}}","path":"$.a.b[*]"}"#,
    says: "3 values",
};

/// What a plugin is made of, or in a sentence why it is not measured.
pub(crate) type Wasm = Result<Vec<u8>, String>;

impl Plugin {
    /// The component; `folder` is that of the plugins.
    pub(crate) fn wasm(&self, folder: &Path) -> Wasm {
        let Some(file) = self.file else { return Ok(guest::echo()) };
        self::file(&folder.join(file))
    }
}

/// A component that is there, or not.
pub(crate) fn file(path: &Path) -> Wasm {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
