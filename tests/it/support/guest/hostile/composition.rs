//! Guests made of too many parts, or of parts that take for ever to look at.

use super::super::{
    binary::{carrying, functions, leb128, nested, shipping},
    provider::Body,
};
use super::{Hostile, attack, refused};

/// Components in components.
const NESTED: usize = 30_000;

pub(super) fn cases() -> Vec<Hostile> {
    let carrying = |passenger: &[u8]| carrying(&attack(Body::Echo).build(), passenger);
    let text = |text: &str| wat::parse_str(text).expect("a component");
    let instances = format!(
        "(component (component $c (core module $m) {}) {})",
        "(core instance (instantiate $m))".repeat(100),
        "(instance (instantiate $c))".repeat(100)
    );
    let memories = format!(
        "(component (core module $m (memory 1)) {})",
        "(core instance (instantiate $m))".repeat(60)
    );
    let tables = format!(
        "(component (core module $m (table 1 funcref)) {})",
        "(core instance (instantiate $m))".repeat(60)
    );
    let types: String =
        (1..40).map(|n| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1)).collect();
    vec![
        // Ten thousand core instances of nothing.
        refused("many-instances", carrying(&text(&instances)), "instance"),
        refused("many-memories", carrying(&text(&memories)), "memor"),
        refused("many-tables", carrying(&text(&tables)), "table"),
        // Components in components.
        refused("nested", carrying(&nested(NESTED)), "nest deeper than"),
        // A type of 2^40 numbers, in forty lines.
        refused(
            "type-bomb",
            carrying(&text(&format!("(component (type $t0 (tuple u8 u8)) {types})"))),
            "type size",
        ),
        // Takes the compiler minutes.
        refused("compile-bomb", compile_bomb(), "compiling it takes"),
    ]
}

/// A provider of 5 MiB that takes Cranelift minutes: four functions, each with two thousand
/// variables that live through nested loops.
pub(crate) fn compile_bomb() -> Vec<u8> {
    const FUNCTIONS: usize = 4;
    const LOCALS: usize = 2_000;
    const LOOPS: usize = 60;
    let mut code = Vec::new();
    for depth in 0..LOOPS {
        // `loop`, and in it each variable becomes the sum of itself and another.
        code.extend_from_slice(&[0x03, 0x40]);
        for local in 0..LOCALS {
            code.push(0x20);
            leb128(&mut code, local);
            code.push(0x20);
            leb128(&mut code, (local * 7 + depth) % LOCALS);
            code.extend_from_slice(&[0x6a, 0x21]);
            leb128(&mut code, local);
        }
    }
    for depth in 0..LOOPS {
        // `br_if` to the loop's beginning, on a variable.
        code.push(0x20);
        leb128(&mut code, depth);
        code.extend_from_slice(&[0x0d, 0x00, 0x0b]);
    }
    let module = functions(FUNCTIONS, LOCALS, &code);
    carrying(&attack(Body::Echo).build(), &shipping(&module))
}
