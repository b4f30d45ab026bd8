//! Makes components of core WAT and WIT, with no toolchain.

use std::{collections::BTreeSet, fmt::Write};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{
    Resolve, WorldId, WorldItem, WorldKey,
    abi::{AbiVariant, WasmType},
};

/// The plugin's contract.
pub(crate) const PLUGIN: &str = include_str!("../../../../wit/plugin.wit");

/// What of WASI guests use, as of [`WASI_VERSION`].
pub(crate) const WASI: &str = include_str!("wasi.wit");

/// What every guest is made of; see the file.
pub(super) const RUNTIME: &str = include_str!("runtime.wat");

pub(crate) const WASI_VERSION: &str = "0.2.6";

/// A component of `world` in the package `wit`, which may build upon [`PLUGIN`] and [`WASI`].
///
/// `core_wat` is one `(module …)` with the exports that the canonical ABI asks for. An imported
/// function needs no declaration: `(call $wasi:io/poll#pollable.block …)` imports
/// `[method]pollable.block`. Constructors are called `fields.new`, and a handle is given back by
/// `pollable.drop`.
pub(crate) fn component(wit: &str, world: &str, core_wat: &str) -> Vec<u8> {
    let mut resolve = packages(&[WASI, PLUGIN]);
    let package = resolve.push_str("guest.wit", wit).expect("WIT that resolves");
    let world = resolve.select_world(&[package], Some(world)).expect("a world of this name");
    encode(&resolve, world, core_wat)
}

/// The packages, of which each may build upon those before it.
pub(super) fn packages(texts: &[&str]) -> Resolve {
    let mut resolve = Resolve::default();
    for text in texts {
        resolve.push_str("package.wit", text).expect("WIT that resolves");
    }
    resolve
}

/// As [`component`], of what is resolved already.
pub(super) fn encode(resolve: &Resolve, world: WorldId, core_wat: &str) -> Vec<u8> {
    let head = core_wat.trim_start().strip_prefix("(module").expect("a core module as text");
    let text = format!("(module {} {head}", imports(resolve, world, core_wat));
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text:.9999}"));
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)
        .expect("room for the metadata");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.expect("a module").encode().expect("a module that keeps to its world")
}

/// The interfaces and functions that a text calls as `$INTERFACE#FUNCTION`.
pub(super) fn called(wat: &str) -> BTreeSet<(&str, &str)> {
    let names = wat.split('$').skip(1).filter_map(|rest| {
        rest.split(|c: char| c.is_whitespace() || "()\";,".contains(c)).next()?.split_once('#')
    });
    names.filter(|(interface, _)| interface.contains('/')).collect()
}

fn imports(resolve: &Resolve, world: WorldId, wat: &str) -> String {
    let mut text = String::new();
    for (interface, function) in called(wat) {
        let (module, field, types) = import(resolve, world, interface, function)
            .unwrap_or_else(|| panic!("the world imports no {interface}#{function}"));
        writeln!(text, r#"(import "{module}" "{field}" (func ${interface}#{function} {types}))"#)
            .expect("room");
    }
    text
}

fn import(
    resolve: &Resolve,
    world: WorldId,
    interface: &str,
    function: &str,
) -> Option<(String, String, String)> {
    let (module, interface) = resolve.worlds[world].imports.iter().find_map(|(key, item)| {
        let WorldItem::Interface { id, .. } = item else { return None };
        let name = resolve.name_world_key(key);
        (name.split('@').next() == Some(interface)).then_some((name, *id))
    })?;
    if let Some(resource) = function.strip_suffix(".drop") {
        return Some((module, format!("[resource-drop]{resource}"), "(param i32)".into()));
    }
    let function = resolve.interfaces[interface].functions.values().find(|known| {
        match known.name.strip_prefix("[constructor]") {
            Some(resource) => function.strip_suffix(".new") == Some(resource),
            None => known.name.split(']').next_back() == Some(function),
        }
    })?;
    let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
    let list = |types: &[WasmType]| types.iter().map(core_type).collect::<Vec<_>>().join(" ");
    let (params, results) = (list(&signature.params), list(&signature.results));
    Some((module, function.name.clone(), format!("(param {params}) (result {results})")))
}

fn core_type(of: &WasmType) -> &'static str {
    match of {
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
    }
}

/// The full name, with its version, of an interface known without.
pub(super) fn versioned(resolve: &Resolve, interface: &str) -> String {
    let (package, name) = interface.split_once('/').expect("an interface of a package");
    let ids = resolve.packages.iter().filter_map(|(_, known)| known.interfaces.get(name));
    let names = ids.map(|id| resolve.name_world_key(&WorldKey::Interface(*id)));
    let mut names = names.filter(|full| full.starts_with(&format!("{package}/")));
    names.next().unwrap_or_else(|| panic!("no package has {interface}"))
}
