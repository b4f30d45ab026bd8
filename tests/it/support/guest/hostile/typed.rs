//! Guests of no known world, whose functions become tools by reflection.

use super::super::{
    binary::custom,
    encode::{RUNTIME, component},
    typed::handles,
};
use super::{Hostile, OUT_OF_BOUNDS, OUT_OF_TIME, TOO_MUCH_AT_ONCE, contained, harmless, refused};

pub(super) fn cases() -> Vec<Hostile> {
    let module = |code: &str| {
        format!(
            "(module (memory (export \"memory\") 1) (global $heap (mut i32) (i32.const 2048)) {RUNTIME}
               (export \"cabi_realloc\" (func $realloc)) {code})"
        )
    };
    let make = |types: &str, function: &str, code: &str| {
        let wit =
            format!("package test:typed; world typed {{ {types} export attack: {function}; }}");
        component(&wit, "typed", &module(code))
    };
    let number = make("", "func() -> u32", "(func (export \"attack\") (result i32) (i32.const 7))");
    let garbled = br#"{"worlds":{"typed":{"func_exports":{"attack":{"docs":7}}}}"#;
    // Lists of the same lists of the same lists: 64^5 numbers in a few KiB.
    let folded = "(func (export \"attack\") (result i32) (local $level i32) (local $n i32)
        (local $p i32)
        (loop $levels
          (local.set $n (i32.const 64))
          (loop $items
            (local.set $p (i32.add (i32.const 1024)
              (i32.add (i32.mul (local.get $level) (i32.const 512))
                (i32.mul (i32.sub (local.get $n) (i32.const 1)) (i32.const 8)))))
            (i32.store (local.get $p)
              (i32.add (i32.const 1536) (i32.mul (local.get $level) (i32.const 512))))
            (i32.store offset=4 (local.get $p) (i32.const 64))
            (br_if $items (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (br_if $levels (i32.lt_u
            (local.tee $level (i32.add (local.get $level) (i32.const 1))) (i32.const 5))))
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 64))
        (i32.const 0))";
    let doubled: String =
        (1..16).map(|n| format!("type t{n} = tuple<t{0}, t{0}>;", n - 1)).collect();
    let says_text = |at: &str| {
        format!(
            "(func (export \"attack\") (result i32)
               (i32.store (i32.const 0) (i32.const {at})) (i32.store (i32.const 4) (i32.const 64))
               (i32.const 0))"
        )
    };
    vec![
        harmless("typed-docs-garbled", custom(&number, "package-docs", garbled)),
        harmless("typed-docs-no-utf-8", custom(&number, "package-docs", &[1, 0xff, 0xfe])),
        contained(
            "typed-spin",
            make("", "func()", "(func (export \"attack\") (loop $l (br $l)))"),
            OUT_OF_TIME,
        ),
        contained(
            "typed-out-of-bounds",
            make("", "func() -> string", &says_text("-16")),
            OUT_OF_BOUNDS,
        ),
        contained(
            "typed-folded",
            make("", "func() -> list<list<list<list<list<u8>>>>>", folded),
            TOO_MUCH_AT_ONCE,
        ),
        // A schema of some MiB from a type of sixteen lines.
        refused(
            "typed-schema-bomb",
            make(
                &format!("type t0 = u8; {doubled}"),
                "func(x: t15)",
                "(func (export \"attack\") (param i32))",
            ),
            "types too large",
        ),
        refused("typed-resource", handles(), "no tools"),
    ]
}
