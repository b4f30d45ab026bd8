//! What hub and providers say to each other, as `sdk/frames.json` has it: the clients in other
//! languages are checked against that file, so that they cannot drift from the hub.

use std::{fs, sync::Arc};

use mcp_hub::{
    hub::provider::Attempt,
    model::{
        call::{Call, LogLevel, LogMessage, Notice, Progress},
        client::ClientEra,
        json::Json,
    },
    provider::remote::frame::{
        self, About, Bounds, Place, RefusedTool, RefusedTools, Register, Registered, Software,
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

const FILE: &str = "sdk/frames.json";

/// Of each kind of parameters or result, one with every member there is and one with no more than
/// there must be. No structure here has a `..`: whoever adds a member has to add it here.
fn frames() -> Value {
    json!({
        "RegisterParams": { "full": register(true), "least": register(false) },
        "RegisterResult": { "full": registered(true), "least": registered(false) },
        "RefusedTools": { "full": refused(true), "least": refused(false) },
        "CallParams": { "full": call(true), "least": call(false) },
        "CancelledParams": { "full": cancelled(), "least": cancelled() },
        "ProgressParams": { "full": progress(true), "least": progress(false) },
        "LogParams": { "full": log(true), "least": log(false) },
    })
}

fn register(is_full: bool) -> Value {
    let about = Json::of(&About {
        name: "search-worker".into(),
        version: is_full.then(|| "1.2.0".into()),
        instance_id: is_full.then(|| "0b7c".into()),
    });
    let tool = json!({ "name": "search", "inputSchema": { "type": "object" } }).to_string();
    let raw = |text| serde_json::from_str(text).expect("JSON");
    value(&Register { provider: raw(about.as_str()), tools: vec![raw(&tool)] })
}

fn registered(is_full: bool) -> Value {
    value(&Registered {
        provider_id: "prv_8s".into(),
        user: "alice".into(),
        hub: Software { name: "mcp-hub".into(), version: "0.1.0".into() },
        limits: Bounds {
            message_bytes: 16_777_216,
            calls_in_flight: 256,
            tools: 1000,
            json_depth: 128,
        },
        tools: vec![Place { name: "search".into(), position: 1, of: 2 }],
        warnings: if is_full { vec!["a long name".into()] } else { vec![] },
    })
}

fn refused(is_full: bool) -> Value {
    let name = is_full.then(|| "search".into());
    value(&RefusedTools { tools: vec![RefusedTool { index: 0, name, reason: "no schema".into() }] })
}

fn call(is_full: bool) -> Value {
    let some = |value: Value| is_full.then(|| Json::from(value));
    let meta = [
        ("io.modelcontextprotocol/clientCapabilities", json!({ "elicitation": {} })),
        ("io.modelcontextprotocol/clientInfo", json!({ "name": "c", "version": "1" })),
        ("io.modelcontextprotocol/logLevel", json!("info")),
        ("traceparent", json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
    ];
    let meta = meta.map(|(key, value)| (key.into(), Json::from(value)));
    let call = Call {
        tool: "search".into(),
        arguments: some(json!({ "q": "cats" })),
        input_responses: some(json!({ "k": { "action": "accept" } })),
        // The sealed one is the hub's business; what the provider gets is its own.
        request_state: None,
        meta: if is_full { meta.into() } else { vec![] },
        era: ClientEra::Modern,
        listener: None,
    };
    let attempt = Attempt::new(Arc::new(call), some(json!("state")), Instant::now());
    params(&frame::call(41, &attempt))
}

fn cancelled() -> Value {
    params(&frame::cancelled(41, "the client gave up"))
}

fn progress(is_full: bool) -> Value {
    let some = |value: Value| is_full.then(|| Json::from(value));
    let (total, message) = (some(json!(10)), some(json!("half-way")));
    let said = Progress { value: 3.0, progress: Json::from(json!(3)), total, message };
    params(&frame::tell(41, &Notice::Progress(said)))
}

fn log(is_full: bool) -> Value {
    let logger = is_full.then(|| Json::from(json!("db")));
    let said = LogMessage { level: LogLevel::Info, logger, data: Json::from(json!("connected")) };
    params(&frame::tell(41, &Notice::Log(said)))
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).expect("plain data serialises")
}

fn params(frame: &str) -> Value {
    serde_json::from_str::<Value>(frame).expect("JSON")["params"].take()
}

#[test]
fn the_frames_that_clients_are_checked_against_are_the_hubs_own() {
    let mut now = serde_json::to_string_pretty(&frames()).expect("plain data serialises");
    now.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        fs::write(FILE, &now).expect("room");
    }
    let known = fs::read_to_string(FILE).unwrap_or_default();
    assert!(known == now, "{FILE} is out of date: UPDATE=1 cargo test --test it frames");
}

#[test]
fn a_provider_reads_what_the_hub_writes() {
    let text = Json::from(call(true));
    let frame::CallParams { name, arguments, input_responses, request_state, meta } =
        serde_json::from_str(text.as_str()).expect("parameters of a call");
    assert_eq!(name, "search");
    assert!(arguments.is_some() && input_responses.is_some() && request_state.is_some());
    assert!(meta.get().contains("traceparent"));
}
