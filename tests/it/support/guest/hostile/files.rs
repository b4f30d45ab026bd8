//! Files that are no plugins.

use super::super::{
    binary::{custom, empty},
    provider::Body,
};
use super::{Hostile, MIB, attack, code, harmless, refused};

pub(super) fn cases() -> Vec<Hostile> {
    let whole = attack(Body::Echo).build();
    let half = whole[..whole.len() / 2].to_vec();
    let mut flipped = whole.clone();
    flipped[8] ^= 0xff;
    let store = "package acme:db@1.0.0; interface store { get: func() -> u32; }";
    let core = wat::parse_str("(module)").expect("a module");
    let unserved = "package wasi:keyvalue@0.2.0; interface store { get: func() -> u32; }";
    vec![
        refused("empty-file", Vec::new(), "empty"),
        refused("text-file", b"#!/bin/sh\necho hello\n".to_vec(), "no WebAssembly"),
        refused("binary-file", vec![0; 4096], "no WebAssembly"),
        refused("magic-alone", b"\0asm".to_vec(), "damaged"),
        refused("truncated", half, "damaged"),
        refused("flipped", flipped, "damaged"),
        refused("core-module", core, "core module"),
        refused("oversized", custom(&whole, "filling", &vec![0; 65 * MIB]), "the limit is"),
        // All it is worth would fit into a page.
        harmless("fat", custom(&whole, "filling", &vec![0; 40 * MIB])),
        refused("exports-nothing", empty(), "no function"),
        refused("wrong-version", attack(Body::Echo).version("0.2.0"), "tools@0.2.0"),
        // Asks for what no hub has, by its own name and by one that looks served.
        refused(
            "unknown-import",
            code("(drop (call $acme:db/store#get))").imports(store),
            "acme:db/store@1.0.0",
        ),
        refused(
            "unknown-wasi",
            code("(drop (call $wasi:keyvalue/store#get))").imports(unserved),
            "wasi:keyvalue/store@0.2.0",
        ),
    ]
}
