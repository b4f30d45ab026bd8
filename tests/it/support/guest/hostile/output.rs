//! Guests whose answers are more than anybody wants, or are not what they should be.

use serde_json::{Value, json};

use super::super::{
    image::at,
    provider::{Body, complete},
};
use super::{Hostile, MIB, PAGES, TOO_MUCH_AT_ONCE, ZEROES, attack, contained};

pub(super) fn cases() -> Vec<Hostile> {
    // One MiB of zeroes that each piece of the answer points to.
    let same = json!({ "text": at(ZEROES, 1 << 20) });
    let amplified = complete(&Value::from(vec![same; 20_000]));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let structured = |json: &str| {
        let mut result = complete(&json!([]));
        result["ok"]["complete"]["structured-content"] = json!(json);
        attack(Body::Outcome(result)).build()
    };
    let result_meta = |json: &str| {
        let mut result = complete(&json!([]));
        result["ok"]["complete"]["meta"] = json!(json);
        attack(Body::Outcome(result)).build()
    };
    let ask = |requests: &str| {
        attack(Body::InputRequired { requests: requests.into(), state: None }).build()
    };
    let block = |json: &str| attack(Body::Json(json.into())).build();
    vec![
        // A text of 32 MiB, which it has.
        contained("big-text", attack(Body::Big(32 * MIB)), TOO_MUCH_AT_ONCE),
        // 20 GiB made of the same MiB again and again.
        contained(
            "amplified-text",
            attack(Body::Outcome(amplified)).memory(PAGES),
            TOO_MUCH_AT_ONCE,
        ),
        contained(
            "amplified-error",
            attack(Body::Outcome(json!({ "err": { "failed": at(ZEROES, 40 << 20) } })))
                .memory(PAGES),
            TOO_MUCH_AT_ONCE,
        ),
        // What should be JSON and is not.
        contained("structured-no-json", structured("{\"a\":"), "structured-content"),
        contained("structured-empty", structured(""), "structured-content"),
        contained(
            "structured-escapes",
            structured("1},\"isError\":false,\"x\":{"),
            "structured-content",
        ),
        contained("structured-deep", structured(&deep), "nested deeper"),
        contained("structured-twice", structured(r#"{"a":1,"a":2}"#), "twice"),
        contained("input-requests-no-json", ask("no JSON"), "input-requests"),
        contained("input-requests-no-object", ask("[1]"), "no JSON object"),
        contained("block-no-json", block("{"), "json"),
        // No content block and no requests, but JSON: passed on, as any provider's would be.
        contained("block-no-object", block("7"), "no JSON object"),
        contained("result-meta-no-json", result_meta("{'a':1}"), "meta"),
        contained("result-meta-no-object", result_meta("[]"), "meta"),
    ]
}
