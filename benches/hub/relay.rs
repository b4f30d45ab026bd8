//! A relay from HTTP to one provider, as plain as can be: what the path costs without a hub.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing,
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{Message, Utf8Bytes},
};

/// Calls that wait to be written to the socket.
const QUEUE: usize = 256;

struct Call {
    id: u64,
    frame: String,
    answer: oneshot::Sender<Box<RawValue>>,
}

#[derive(Clone)]
struct Relay {
    next_id: Arc<AtomicU64>,
    calls: mpsc::Sender<Call>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    result: Box<RawValue>,
}

#[tokio::main]
pub(crate) async fn run() -> anyhow::Result<()> {
    let providers = TcpListener::bind("127.0.0.1:0").await?;
    let clients = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/clients/ws", providers.local_addr()?);
    println!("http://{}/mcp", clients.local_addr()?);

    let (calls, queue) = mpsc::channel(QUEUE);
    let mut tasks = JoinSet::new();
    tasks.spawn(serve_provider(providers, queue));
    let relay = Relay { next_id: Arc::default(), calls };
    let router = Router::new().route("/mcp", routing::post(handle)).with_state(relay);
    let clients = clients.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(clients, router).await?)
}

async fn handle(State(relay): State<Relay>, body: Bytes) -> Result<impl IntoResponse, StatusCode> {
    let Request { id: client_id, method, params } =
        serde_json::from_slice(&body).map_err(|_malformed| StatusCode::BAD_REQUEST)?;
    let id = relay.next_id.fetch_add(1, Ordering::Relaxed);
    let frame = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
    let (answer, answered) = oneshot::channel();
    let sent = relay.calls.send(Call { id, frame, answer }).await;
    sent.map_err(|_closed| StatusCode::BAD_GATEWAY)?;
    let result = answered.await.map_err(|_lost| StatusCode::BAD_GATEWAY)?;
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{client_id},"result":{result}}}"#);
    Ok(([(CONTENT_TYPE, "application/json")], answer))
}

/// Waits for the provider, then owns its socket.
async fn serve_provider(listener: TcpListener, calls: mpsc::Receiver<Call>) -> anyhow::Result<()> {
    let (stream, _address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    let mut socket = accept_async(stream).await?;
    let registration = socket.next().await.context("the provider hung up")??;
    let id = serde_json::from_str::<serde_json::Value>(registration.to_text()?)?["id"].take();
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    socket.send(Message::text(answer)).await?;
    relay_calls(socket, calls).await
}

async fn relay_calls(
    mut socket: WebSocketStream<TcpStream>,
    mut calls: mpsc::Receiver<Call>,
) -> anyhow::Result<()> {
    let mut pending = HashMap::new();
    loop {
        tokio::select! {
            Some(call) = calls.recv() => {
                // Whatever else waits goes out with one write.
                let mut next = Some(call);
                while let Some(Call { id, frame, answer }) = next {
                    pending.insert(id, answer);
                    socket.feed(Message::Text(Utf8Bytes::from(frame))).await?;
                    next = calls.try_recv().ok();
                }
                socket.flush().await?;
            }
            Some(message) = socket.next() => {
                if let Message::Text(frame) = message? {
                    let Answer { id, result } = serde_json::from_str(&frame)?;
                    if let Some(answer) = pending.remove(&id) {
                        // The client may have gone.
                        drop(answer.send(result));
                    }
                }
            }
            else => return Ok(()),
        }
    }
}
