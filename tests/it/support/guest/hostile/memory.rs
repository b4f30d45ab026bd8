//! Guests that want ever more memory, stack or table.

use super::super::provider::Body;
use super::{
    Hostile, OUT_OF_MEMORY, OUT_OF_TABLE, TOO_DEEP, attack, code, contained, harmless, refused,
};

pub(super) fn cases() -> Vec<Hostile> {
    let grow = "(loop $more (br_if $more
        (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let touch = "(loop $more
        (local.set $p (memory.grow (i32.const 1)))
        (if (i32.eq (local.get $p) (i32.const -1)) (then unreachable))
        (memory.fill (i32.mul (local.get $p) (i32.const 65536)) (i32.const 1) (i32.const 65536))
        (br $more))";
    let modest = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    let recurse = "(func $recurse (param i32) (result i32)
        (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let recursion = "(drop (call $recurse (i32.const 0)))";
    let table = "(table $table 0 funcref)";
    let grow_table = "(loop $more (br_if $more (i32.ne (i32.const -1)
        (table.grow $table (ref.null func) (i32.const 1000))))) unreachable";
    vec![
        // Takes memory until there is none, and breaks.
        contained("grow-memory", code(grow), OUT_OF_MEMORY),
        refused("grow-memory-in-list", attack(Body::Echo).before_list(grow), OUT_OF_MEMORY),
        // Uses all of it.
        contained("touch-memory", code(touch), OUT_OF_MEMORY),
        // Takes a no for an answer.
        harmless("grow-memory-and-answer", code(modest)),
        // Wants 4 GiB to begin with.
        refused("born-huge", attack(Body::Echo).memory(65536), "memory"),
        contained("grow-table", code(grow_table).items(table), OUT_OF_TABLE),
        // Calls itself for ever.
        contained("recurse", code(recursion).items(recurse), TOO_DEEP),
        refused("recurse-in-start", attack(Body::Echo).items(recurse).start(recursion), TOO_DEEP),
    ]
}
