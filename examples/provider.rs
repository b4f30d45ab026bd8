//! A tool provider in Rust: offers two tools to a hub, and dials again when the line drops. Change
//! the tools, and it is yours. To see it: `cargo run --example provider`, and then
//! `mcp-hub call countdown '{"seconds":5}'`.
#![expect(clippy::print_stderr, reason = "it talks to the person who runs it")]
#![expect(clippy::disallowed_methods, reason = "a program of its own reads its own environment")]

use std::{env, time::Duration};

use mcp_hub::provider_client::{Call, ProviderClient, State, Tool};
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

#[derive(Deserialize)]
struct Greet {
    name: Option<String>,
}

async fn greet(call: Call) -> serde_json::Result<String> {
    let Greet { name } = call.read()?;
    Ok(format!("Hello, {}!", name.as_deref().unwrap_or("stranger")))
}

#[derive(Deserialize)]
struct Countdown {
    seconds: Option<u32>,
}

/// When the client cancels, this is dropped where it waits.
async fn countdown(call: Call) -> serde_json::Result<&'static str> {
    let seconds = call.read::<Countdown>()?.seconds.unwrap_or(3);
    for second in 1..=seconds {
        sleep(Duration::from_secs(1)).await;
        call.progress(second.into(), Some(seconds.into()), None);
    }
    Ok("Lift-off!")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let hub = env::var("MCP_HUB_URL").unwrap_or("http://127.0.0.1:8080".into());
    let greeting = json!({
        "name": "greet", "description": "Greets someone by name",
        "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
        "annotations": {"readOnlyHint": true},
    });
    let counting = json!({
        "name": "countdown", "description": "Counts seconds down and tells how far it is",
        "inputSchema": {"type": "object", "properties": {"seconds": {"type": "integer"}}},
    });
    let client = ProviderClient::builder(&hub)?
        .name("example")
        .version("1.0.0")
        .token_from(async || env::var("MCP_HUB_TOKEN").ok())
        .tool(Tool::new(greeting, greet))
        .tool(Tool::new(counting, countdown))
        .connect()
        .await?;
    let mut state = client.state();
    loop {
        match &*state.borrow_and_update() {
            State::Registered(hub) => {
                let tools: Vec<_> = hub.tools.iter().map(|tool| &*tool.name).collect();
                eprintln!("registered: {}", tools.join(", "));
            }
            State::Waiting { cause, .. } => eprintln!("{cause}"),
            State::Connecting => {}
            State::Ended(why) => anyhow::bail!("{why}"),
        }
        state.changed().await?;
    }
}
