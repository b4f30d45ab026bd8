//! A tool provider in Rust: dials a hub, offers two tools, and dials again when the line drops.
//! Change `tools` and `work`, and it is yours. To see it: `cargo run --example provider`, and then
//! `mcp-hub call countdown '{"seconds":5}'`.
#![expect(clippy::print_stderr, reason = "it talks to the person who runs it")]
#![expect(clippy::disallowed_methods, reason = "a program of its own reads its own environment")]

use std::{collections::HashMap, env, hash::BuildHasher, time::Duration};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

fn tools() -> Value {
    json!([
        {"name": "greet", "description": "Greets someone by name",
         "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
         "annotations": {"readOnlyHint": true}},
        {"name": "countdown", "description": "Counts seconds down and tells how far it is",
         "inputSchema": {"type": "object", "properties": {"seconds": {"type": "integer"}}}},
    ])
}

async fn work(id: Value, params: Value, outbox: mpsc::Sender<Value>) {
    let arguments = &params["arguments"];
    let text = if params["name"] == "greet" {
        format!("Hello, {}!", arguments["name"].as_str().unwrap_or("stranger"))
    } else {
        let seconds = arguments["seconds"].as_u64().unwrap_or(3);
        for second in 1..=seconds {
            sleep(Duration::from_secs(1)).await;
            let progress = json!({"progressToken": id, "progress": second, "total": seconds});
            outbox.send(json!({"method": "notifications/progress", "params": progress})).await.ok();
        }
        "Lift-off!".into()
    };
    let result = json!({"content": [{"type": "text", "text": text}]});
    outbox.send(json!({"id": id, "result": result})).await.ok();
}

#[tokio::main]
async fn main() {
    // By this the hub knows that it is the same provider that dials again.
    let instance = format!("{:016x}", random());
    let mut pause = 500;
    loop {
        if let Err(error) = serve(&instance, &mut pause).await {
            eprintln!("{error}");
        }
        // Longer each time and by chance: a hub that comes back is not met by everybody at once.
        sleep(Duration::from_millis(pause / 2 + random() % pause)).await;
        pause = (pause * 2).min(30_000);
    }
}

/// One connection: registers the tools, then answers calls until the line drops.
async fn serve(instance: &str, pause: &mut u64) -> Result<()> {
    let hub = env::var("MCP_HUB_URL").unwrap_or("http://127.0.0.1:8080".into());
    let hub = hub.trim_end_matches('/').trim_end_matches("/mcp").replacen("http", "ws", 1);
    let mut request = format!("{hub}/clients/ws").into_client_request()?;
    if let Ok(token) = env::var("MCP_HUB_TOKEN") {
        request.headers_mut().insert("authorization", format!("Bearer {token}").try_into()?);
    }
    let (mut socket, _) = connect_async(request).await?;
    let provider = json!({"name": "example", "version": "1.0.0", "instanceId": instance});
    let params = json!({"provider": provider, "tools": tools()});
    socket.send(frame(json!({"id": 1, "method": "providers/register", "params": params}))).await?;

    let (outbox, mut answers) = mpsc::channel(64);
    let (mut calls, mut running) = (JoinSet::new(), HashMap::new());
    loop {
        let message: Value = tokio::select! {
            Some(answer) = answers.recv() => { socket.send(frame(answer)).await?; continue }
            Some(_) = calls.join_next() => continue,
            received = socket.next() => match received.context("the hub hung up")?? {
                Message::Text(text) => serde_json::from_str(&text)?,
                Message::Close(reason) => bail!("the hub closed the connection: {reason:?}"),
                _ => continue, // the WebSocket's own pings are answered below us
            },
        };
        let (id, params) = (message["id"].clone(), message["params"].clone());
        match message["method"].as_str() {
            Some("tools/call") => {
                let call = calls.spawn(work(id.clone(), params, outbox.clone()));
                running.insert(id.to_string(), call);
            }
            // An aborted task ends where it waits. For a call that has ended it means nothing.
            Some("notifications/cancelled") => {
                running.remove(&params["requestId"].to_string()).inspect(|call| call.abort());
            }
            Some("ping") => socket.send(frame(json!({"id": id, "result": {}}))).await?,
            Some(_) => {}
            None if message["error"].is_object() => bail!("refused: {}", message["error"]),
            None => {
                eprintln!("registered: {}", message["result"]["tools"]);
                *pause = 500;
            }
        }
        running.retain(|_, call| !call.is_finished());
    }
}

fn frame(mut message: Value) -> Message {
    message["jsonrpc"] = "2.0".into();
    Message::text(message.to_string())
}

fn random() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}
