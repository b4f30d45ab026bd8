//! Guests whose pointers, lengths and cases are none, and those that break on purpose.

use serde_json::{Value, json};

use super::super::{
    image::{at, bytes},
    provider::{Body, complete},
    wasi::print,
};
use super::{Hostile, OUT_OF_BOUNDS, UNREACHABLE, attack, code, contained, refused};

pub(super) fn cases() -> Vec<Hostile> {
    let say = |value: Value| attack(Body::Outcome(complete(&json!([{ "text": value }])))).build();
    let wat = |code: &str| attack(Body::Wat(code.into()));
    // An outcome of all bytes alike: as a case there is no such.
    let garbage = "(memory.fill (i32.const 512) (i32.const 0x77) (i32.const 256)) (i32.const 512)";
    let last_words = print("stderr", "thread main panicked at src/lib.rs:1:1: on purpose\n", 1);
    vec![
        contained("trap", attack(Body::Trap), UNREACHABLE),
        refused("trap-in-list", attack(Body::Echo).before_list("unreachable"), UNREACHABLE),
        refused("trap-in-start", attack(Body::Echo).start("unreachable"), UNREACHABLE),
        contained("trap-in-realloc", attack(Body::Echo).realloc("unreachable"), UNREACHABLE),
        contained(
            "trap-in-post-return",
            attack(Body::Echo).post_return("unreachable"),
            UNREACHABLE,
        ),
        // Ends as a panic of Rust does.
        contained("panic", attack(Body::After(last_words, Box::new(Body::Trap))), "on purpose"),
        contained(
            "divide-by-zero",
            code("(drop (i32.div_s (i32.const 1) (local.get $i)))"),
            "divide by zero",
        ),
        contained("exit", code("(call $wasi:cli/exit#exit (i32.const 1))"), "exited"),
        // An answer beyond the end of memory, one off its alignment, and one of no known case.
        contained("answer-out-of-bounds", wat("(i32.const -16)"), OUT_OF_BOUNDS),
        contained("answer-unaligned", wat("(i32.const 513)"), "align"),
        contained("answer-garbage", wat(garbage), "discriminant"),
        contained("text-out-of-bounds", say(at(0xffff_fff0, 32)), OUT_OF_BOUNDS),
        contained("text-of-1-gib", say(at(0, 1 << 30)), OUT_OF_BOUNDS),
        contained(
            "list-of-1-gib",
            attack(Body::Outcome(complete(&at(1024, 1 << 30)))),
            OUT_OF_BOUNDS,
        ),
        contained("text-no-utf-8", say(bytes(b"caf\xe9")), "utf-8"),
        // Room for the host's arguments that is not there.
        contained(
            "realloc-out-of-bounds",
            attack(Body::Echo).realloc("(i32.const -16)"),
            "beyond end of memory",
        ),
        // One place for all of them: they overwrite each other, and the name is gone.
        contained(
            "realloc-twice-the-same",
            attack(Body::Echo).realloc("(i32.const 512)"),
            "no tool",
        ),
    ]
}
