//! Guests that never end.

use super::super::{image::SCRATCH, provider::Body, wasi::sleep};
use super::{Hostile, OUT_OF_TIME, again, attack, code, contained, harmless, refused};

pub(super) fn cases() -> Vec<Hostile> {
    let spin = again(None, "");
    let far = format!(
        "(i32.store (i32.const {SCRATCH})
           (call $wasi:clocks/monotonic-clock#subscribe-instant (i64.const -1)))
         (call $wasi:io/poll#poll (i32.const {SCRATCH}) (i32.const 1) (i32.const {}))",
        SCRATCH + 8
    );
    let read = format!(
        "(call $wasi:io/streams#input-stream.blocking-read
           (call $wasi:cli/stdin#get-stdin) (i64.const 1) (i32.const {SCRATCH}))"
    );
    vec![
        // Computes for ever, in each place where a guest's code runs.
        contained("spin", attack(Body::Spin), OUT_OF_TIME),
        refused("spin-in-list", attack(Body::Echo).before_list(&spin), OUT_OF_TIME),
        refused("spin-in-start", attack(Body::Echo).start(&spin), OUT_OF_TIME),
        contained(
            "spin-in-realloc",
            attack(Body::Echo).realloc(&(spin.clone() + "unreachable")),
            OUT_OF_TIME,
        ),
        contained("spin-in-post-return", attack(Body::Echo).post_return(&spin), OUT_OF_TIME),
        // Asks the host for something trivial for ever.
        contained(
            "spin-asking",
            code(again(None, "(drop (call $mcp-hub:plugin/host#cancelled))")),
            OUT_OF_TIME,
        ),
        // Waits in the host, where no guest code runs that could be interrupted.
        contained("sleep", code(sleep(u64::MAX)), OUT_OF_TIME),
        refused("sleep-in-list", attack(Body::Echo).before_list(&sleep(u64::MAX)), OUT_OF_TIME),
        contained("poll", code(far), OUT_OF_TIME),
        // Many short sleeps: each lets the clock of the host run on.
        contained("sleep-in-bits", code(again(None, &nap())), OUT_OF_TIME),
        // Waits for input that never comes; an end of input is an answer too.
        harmless("read-stdin", code(read)),
    ]
}

fn nap() -> String {
    "(local.set $p (call $wasi:clocks/monotonic-clock#subscribe-duration (i64.const 1000000)))
     (call $wasi:io/poll#pollable.block (local.get $p))
     (call $wasi:io/poll#pollable.drop (local.get $p))"
        .into()
}
