//! Tools that ask the person and the model behind a client, as clients that other people wrote
//! answer them: in both eras, whatever kind of provider asks.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    McpClient, TestHub,
    bridge::{Bridge, everything, node, path, until_listed},
    fixture_plugin, fixtures,
    witness::Witness,
};

/// A tool that asks, and what its answer has to hold.
struct Asking {
    tool: &'static str,
    arguments: Value,
    says: &'static str,
}

fn fixture_tools() -> [Asking; 2] {
    let arguments = json!({ "message": "Who?", "prompt": "Speak." });
    [
        Asking { tool: "test_elicitation", arguments: arguments.clone(), says: "ada@example.com" },
        Asking { tool: "test_sampling", arguments, says: "words of a model" },
    ]
}

/// Each client calls each tool, is asked, and gets an answer made of its own.
async fn check(hub: &TestHub, tools: &[Asking]) {
    let call = |asking: &Asking| json!({ "name": asking.tool, "arguments": asking.arguments });
    let calls = Value::from_iter(tools.iter().map(call)).to_string();
    let url = format!("{}/mcp", hub.url());
    let arguments = [url, calls];
    for (witness, eras) in [
        (Witness::node("asked-v1.mjs"), &["legacy"][..]),
        (Witness::node("asked-v2.mjs"), &["legacy", "modern"]),
        (Witness::python("asked.py"), &["legacy", "modern"]),
    ] {
        let seen: Value =
            serde_json::from_str(&witness.with(&arguments).testify().await).expect("JSON");
        for era in eras {
            for (asking, said) in tools.iter().zip(seen[era].as_array().expect("answers")) {
                let said = said.as_str().expect("a text");
                assert!(said.contains(asking.says), "{} in the {era} era: {said}", asking.tool);
            }
        }
    }
}

#[tokio::test]
async fn by_a_provider_over_web_socket() {
    let hub = TestHub::start().await;
    let _provider = fixtures::serve(hub.url(), None).await;
    check(&hub, &fixture_tools()).await;
}

#[tokio::test]
async fn by_a_plugin() {
    let (hub, _provider) = fixture_plugin::serve().await;
    check(&hub, &fixture_tools()).await;
}

#[tokio::test]
async fn by_the_client_for_javascript() {
    let hub = TestHub::start().await;
    let _provider = Command::new(node())
        .args([&path("asking-provider.mjs"), hub.url()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    until_listed(&McpClient::new(&hub), "ask_model", true).await;
    let tools = [("ask_person", "Ada accepted"), ("ask_model", "it said words of a model")];
    check(&hub, &tools.map(|(tool, says)| Asking { tool, arguments: json!({}), says })).await;
}

#[tokio::test]
async fn by_a_server_that_is_connected() {
    let hub = TestHub::start().await;
    let _bridge = Bridge::start(hub.url(), &["--", &node(), &everything()]);
    until_listed(&McpClient::new(&hub), "trigger-sampling-request", true).await;
    let tools = [
        Asking {
            tool: "trigger-elicitation-request",
            arguments: json!({}),
            says: "provided the requested information",
        },
        Asking {
            tool: "trigger-sampling-request",
            arguments: json!({ "prompt": "Speak." }),
            says: "words of a model",
        },
    ];
    check(&hub, &tools).await;
}
