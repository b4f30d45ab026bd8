//! Guests that flood the host or want too much of it.

use super::super::{image::SCRATCH, wasi::print};
use super::{Hostile, OUT_OF_TIME, PAGES, TOO_MUCH_AT_ONCE, again, code, contained, harmless};

/// How many times floods say something.
const FLOOD: u32 = 50_000;

pub(super) fn cases() -> Vec<Hostile> {
    let log = "(call $mcp-hub:plugin/host#log (i32.const 1) @'and another thing')";
    let progress = "(local.set $i (i32.add (local.get $i) (i32.const 1)))
        (call $mcp-hub:plugin/host#progress (f64.convert_i32_u (local.get $i))
          (i32.const 0) (f64.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";
    let odd_progress = "(call $mcp-hub:plugin/host#progress (f64.const nan)
        (i32.const 1) (f64.const -inf) (i32.const 0) (i32.const 0) (i32.const 0))";
    let big_log =
        "(call $mcp-hub:plugin/host#log (i32.const 1) (i32.const 4194304) (i32.const 58720256))";
    let big_config = format!(
        "(call $mcp-hub:plugin/host#config (i32.const 4194304) (i32.const 58720256) (i32.const {SCRATCH}))"
    );
    let medium_log =
        "(call $mcp-hub:plugin/host#log (i32.const 1) (i32.const 4194304) (i32.const 8388608))";
    let bad_log = "(call $mcp-hub:plugin/host#log (i32.const 99) (i32.const 0) (i32.const 1))";
    let random = format!(
        "(call $wasi:random/random#get-random-bytes (i64.const 4294967296) (i32.const {SCRATCH}))"
    );
    let zeroes = format!(
        "(call $wasi:io/streams#output-stream.write-zeroes
           (call $wasi:cli/stdout#get-stdout) (i64.const -1) (i32.const {SCRATCH}))"
    );
    let pollable = "(drop (call $wasi:clocks/monotonic-clock#subscribe-duration (i64.const 1)))";
    let fields = "(drop (call $wasi:http/types#fields.new))";
    let stream = "(drop (call $wasi:cli/stdout#get-stdout))";
    let forged = "(call $wasi:io/poll#pollable.block (i32.const 12345))";
    let twice = "(local.set $p
          (call $wasi:clocks/monotonic-clock#subscribe-duration (i64.const 1)))
        (call $wasi:io/poll#pollable.drop (local.get $p))
        (call $wasi:io/poll#pollable.drop (local.get $p))";
    // Polls a list of a million times the same handle.
    let polls = "(local.set $p
          (call $wasi:clocks/monotonic-clock#subscribe-duration (i64.const 1)))
        (local.set $n (i32.const 4000000))
        (loop $again
          (local.set $n (i32.sub (local.get $n) (i32.const 4)))
          (i32.store offset=1048576 (local.get $n) (local.get $p))
          (br_if $again (local.get $n)))
        (call $wasi:io/poll#poll (i32.const 1048576) (i32.const 1000000) (i32.const 512))";
    vec![
        // Chatters.
        harmless("flood-stdout", code(print("stdout", &"x".repeat(4096), FLOOD / 10))),
        harmless("flood-stderr", code(print("stderr", "\n", FLOOD))),
        harmless("flood-log", code(again(Some(FLOOD), log))),
        harmless("flood-progress", code(again(Some(FLOOD), progress))),
        // Reports numbers that JSON does not have.
        harmless("odd-progress", code(odd_progress)),
        // Fills no memory but that of the host.
        contained("big-log", code(big_log).memory(PAGES), TOO_MUCH_AT_ONCE),
        contained("big-config", code(big_config).memory(PAGES), TOO_MUCH_AT_ONCE),
        contained("flood-of-big-logs", code(again(None, medium_log)).memory(PAGES), OUT_OF_TIME),
        contained("log-of-no-level", code(bad_log), "discriminant"),
        contained("random-4-gib", code(random), "exceeds limit"),
        contained("write-zeroes", code(zeroes), "zeroes"),
        // Lets go of nothing it is handed.
        contained("handles", code(again(Some(1_000_000), pollable)), "table"),
        contained("handles-of-http", code(again(Some(1_000_000), fields)), "table"),
        contained("handles-of-stdout", code(again(Some(1_000_000), stream)), "table"),
        contained("forged-handle", code(forged), "handle"),
        contained("handle-dropped-twice", code(twice), "handle"),
        contained("poll-a-million", code(polls).memory(80), "handle limit"),
    ]
}
