//! Clients that other people wrote find the tools, call them, and hear what they are told.

use rmcp::{
    ClientHandler, RoleClient,
    model::{CallToolRequestParams, ProgressNotificationParam, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt, NotificationContext},
    transport::StreamableHttpClientTransport,
};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};

use crate::support::{TestHub, fixtures, witness::Witness};

const TEXT: &str = "This is a simple text response for testing.";

#[tokio::test]
async fn inspector_in_the_legacy_era() {
    check_inspector("legacy").await;
}

#[tokio::test]
async fn inspector_in_the_modern_era() {
    check_inspector("modern").await;
}

async fn check_inspector(era: &str) {
    let (_hub, _provider, endpoint) = stage().await;
    let ask = |method: &str| {
        Witness::inspector()
            .with([&endpoint, "--transport", "http", "--protocol-era", era])
            .with(["--format", "json", "--method", method])
    };
    let list = ask("tools/list").testify().await;
    check_names(&parsed(&list)["result"]["tools"]);
    let answer = ask("tools/call").with(["--tool-name", "test_simple_text"]).testify().await;
    assert_eq!(parsed(&answer)["result"]["content"][0]["text"], TEXT, "{answer}");
}

#[tokio::test]
async fn fastmcp() {
    let (_hub, _provider, endpoint) = stage().await;
    let ask = |verb: &str| Witness::fastmcp().with([verb]).with([&endpoint]);
    let options = ["--json", "--auth", "none"];
    let list = ask("list").with(options).testify().await;
    check_names(&parsed(&list)["tools"]);
    let answer = ask("call").with(["test_simple_text"]).with(options).testify().await;
    assert_eq!(parsed(&answer)["content"][0]["text"], TEXT, "{answer}");
}

#[tokio::test]
async fn typescript_sdk_1() {
    let (_hub, _provider, endpoint) = stage().await;
    let seen = Witness::node("sdk-v1.mjs").with([endpoint]).testify().await;
    check_seen(&parsed(&seen), "2025-11-25");
}

#[tokio::test]
async fn typescript_sdk_2() {
    let (_hub, _provider, endpoint) = stage().await;
    let seen = Witness::node("sdk-v2.mjs").with([endpoint]).testify().await;
    check_both_eras(&seen);
}

#[tokio::test]
async fn python_sdk() {
    let (_hub, _provider, endpoint) = stage().await;
    let seen = Witness::python("sdk.py").with([endpoint]).testify().await;
    check_both_eras(&seen);
}

#[tokio::test]
async fn rust_sdk_in_the_legacy_era() {
    check_rust(ClientLifecycleMode::Initialize, ProtocolVersion::V_2025_11_25).await;
}

#[tokio::test]
async fn rust_sdk_in_the_modern_era() {
    let modern = ProtocolVersion::V_2026_07_28;
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![modern.clone()] };
    check_rust(lifecycle, modern).await;
}

async fn check_rust(lifecycle: ClientLifecycleMode, version: ProtocolVersion) {
    let (_hub, _provider, endpoint) = stage().await;
    let (progress, mut heard) = mpsc::channel(16);
    let transport = StreamableHttpClientTransport::from_uri(endpoint);
    let client = Listener { progress }.serve_with_lifecycle(transport, lifecycle).await;
    let client = client.expect("a connection");
    let server = client.peer_info().expect("an introduction");
    assert_eq!(server.protocol_version, version);

    let tools = client.list_all_tools().await.expect("the tools");
    assert!(tools.iter().any(|tool| tool.name == "test_simple_text"), "{tools:?}");

    let answer = client.call_tool(CallToolRequestParams::new("test_simple_text")).await;
    let answer = serde_json::to_value(answer.expect("an answer")).expect("JSON");
    assert_eq!(answer["content"][0]["text"], TEXT);

    let call = CallToolRequestParams::new("test_tool_with_progress");
    client.call_tool(call).await.expect("an answer");
    for step in [0.0, 50.0, 100.0] {
        assert_eq!(heard.recv().await, Some(step));
    }
    client.cancel().await.expect("an orderly end");
}

/// Passes on the progress it hears of; rmcp asks for it with every request.
struct Listener {
    progress: mpsc::Sender<f64>,
}

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.send(params.progress).await.expect("the test listens");
    }
}

/// A hub with the fixtures behind it, and where its clients go.
async fn stage() -> (TestHub, JoinSet<()>, String) {
    let hub = TestHub::start().await;
    let provider = fixtures::serve(hub.url(), None).await;
    let endpoint = format!("{}/mcp", hub.url());
    (hub, provider, endpoint)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}

fn check_names(tools: &Value) {
    let names: Vec<&Value> =
        tools.as_array().expect("tools").iter().map(|tool| &tool["name"]).collect();
    assert!(names.iter().any(|name| *name == "test_simple_text"), "{names:?}");
    assert!(names.is_sorted_by_key(|name| name.as_str()), "{names:?}");
}

/// What our scripts print: `{"legacy": seen, "modern": seen}`.
fn check_both_eras(line: &str) {
    let seen = parsed(line);
    check_seen(&seen["legacy"], "2025-11-25");
    check_seen(&seen["modern"], "2026-07-28");
}

fn check_seen(seen: &Value, version: &str) {
    assert_eq!(seen["version"], version, "{seen}");
    assert_eq!(seen["text"], TEXT, "{seen}");
    assert_eq!(seen["listChanged"], true, "{seen}");
    let progress: Vec<f64> = serde_json::from_value(seen["progress"].clone()).expect("numbers");
    assert_eq!(progress, [0.0, 50.0, 100.0], "{seen}");
}
