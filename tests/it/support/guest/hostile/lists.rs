//! Guests whose list of tools is the trouble.

use serde_json::{Value, json};

use super::super::{
    image::{at, bytes, computed, layout},
    provider::{Body, Guest, tool},
};
use super::{Hostile, OUT_OF_BOUNDS, PAGES, TOO_MUCH_AT_ONCE, ZEROES, refused};

pub(super) fn cases() -> Vec<Hostile> {
    let named = |name: Value| {
        let echo = tool("attack", Body::Echo);
        Guest::new().tool(echo.clone()).tool(echo.with("name", name)).build()
    };
    let with = |field: &str, value: Value| {
        Guest::new().tool(tool("attack", Body::Echo).with(field, value)).build()
    };
    let list = |value: Value| Guest::new().list(json!({ "ok": value }));
    let echo = json!({ "name": "attack", "input-schema": r#"{"type":"object"}"# });
    let some = (0..2_000).map(|n| json!({ "name": n.to_string(), "input-schema": "{}" }));
    // Two thousand tools that share one description of a MiB.
    let amplified = (0..2_000).map(|n| {
        let name = n.to_string();
        json!({ "name": name, "input-schema": "{}", "description": at(ZEROES, 1 << 20) })
    });
    // A hundred thousand tools, made when they are asked for.
    let (size, schema) = layout("tool", "input-schema");
    let (_, meta) = layout("tool", "meta");
    let many = format!(
        "(func $many (result i32) (local $n i32) (local $p i32) (local $name i32)
           (local.set $p (call $alloc (i32.const {})))
           (local.set $name (call $alloc (i32.const 800000)))
           (local.set $n (i32.const 100000))
           (loop $next
             (i64.store (local.get $name) (i64.or (i64.const 0x4141414141414141)
               (i64.or (i64.shl (i64.extend_i32_u (i32.and (local.get $n) (i32.const 0xf)))
                         (i64.const 32))
                       (i64.or (i64.shl (i64.extend_i32_u (i32.and (local.get $n)
                                                                   (i32.const 0xf0)))
                                 (i64.const 20))
                               (i64.const 0)))))
             (i32.store (local.get $p) (local.get $name))
             (i32.store offset=4 (local.get $p) (i32.const 8))
             (i32.store offset={schema} (local.get $p) (i32.const 16))
             (i32.store offset={} (local.get $p) (i32.const 2))
             (i32.store8 offset={meta} (local.get $p) (i32.const 0))
             (local.set $p (i32.add (local.get $p) (i32.const {size})))
             (local.set $name (i32.add (local.get $name) (i32.const 8)))
             (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
           (i32.sub (local.get $p) (i32.const {})))
         (data (i32.const 16) \"{{}}\")",
        100_000 * size,
        schema + 4,
        100_000 * size,
    );
    let deep = format!(r#"{{"type":"object","x":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    vec![
        refused("many-tools", list(some.collect::<Vec<_>>().into()), "2000 tools"),
        refused(
            "hundred-thousand-tools",
            list(computed("(call $many)", "(i32.const 100000)")).items(&many),
            TOO_MUCH_AT_ONCE,
        ),
        refused(
            "amplified-tools",
            list(amplified.collect::<Vec<_>>().into()).memory(PAGES),
            TOO_MUCH_AT_ONCE,
        ),
        refused("list-length-lies", list(at(1024, 0x0fff_ffff)), OUT_OF_BOUNDS),
        refused("list-out-of-bounds", list(at(0xffff_0000, 1)), OUT_OF_BOUNDS),
        refused(
            "list-answer-out-of-bounds",
            Guest::new().list_wat("(i32.const -4)"),
            OUT_OF_BOUNDS,
        ),
        refused(
            "list-refuses",
            Guest::new().list_error("no API key was given"),
            "no API key was given",
        ),
        refused(
            "list-refuses-at-length",
            Guest::new().list(json!({ "err": at(ZEROES, 40 << 20) })).memory(PAGES),
            TOO_MUCH_AT_ONCE,
        ),
        refused(
            "big-definition",
            with("description", "x".repeat(300 * 1024).into()),
            "limits.tool_definition",
        ),
        refused("tool-twice", list(json!([echo, echo])), "declared twice"),
        refused("tool-without-name", named("".into()), "`name` must match"),
        refused("tool-with-bad-name", named("rm -rf /".into()), "`name` must match"),
        refused("tool-with-long-name", named("x".repeat(129).into()), "`name` must match"),
        refused("tool-with-odd-name", named("\u{202e}kcatta".into()), "`name` must match"),
        refused("tool-name-no-utf-8", named(bytes(b"caf\xe9")), "utf-8"),
        refused("schema-no-json", with("input-schema", "{".into()), "input-schema"),
        refused("schema-empty", with("input-schema", "".into()), "input-schema"),
        refused("schema-no-object", with("input-schema", "[]".into()), "inputSchema"),
        refused("schema-deep", with("input-schema", deep.into()), "nested deeper"),
        refused(
            "schema-escapes",
            with("input-schema", r#"{},"name":"other","x":{}"#.into()),
            "input-schema",
        ),
        refused("output-schema-no-json", with("output-schema", "no".into()), "output-schema"),
        refused("output-schema-no-object", with("output-schema", "7".into()), "outputSchema"),
        refused("tool-meta-no-json", with("meta", "no".into()), "meta"),
        // Rewrites what a person reads: right-to-left override, and an escape of the terminal.
        refused(
            "description-turns-around",
            with("description", "\u{202e}delete".into()),
            "control character",
        ),
        refused(
            "description-escapes",
            with("description", "\u{1b}[2J".into()),
            "control character",
        ),
    ]
}
