//! A provider of small tools, over WebSocket.

use anyhow::{Context, ensure};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::AUTHORIZATION},
    },
};

use crate::{
    ask::ECHO,
    user::{self, User},
};

/// How long the definition of a tool is, in bytes, `echo` aside.
const DEFINITION: usize = 300;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Offers `echo` and `tools - 1` others to whoever listens at `port`, and answers calls: once for
/// each of so many users, or for the only one there is.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(port: u16, tools: usize, users: Option<usize>) -> anyhow::Result<()> {
    let users = users.map(User::many).transpose()?;
    let mut offer = vec![echo()];
    offer.extend((1..tools).map(|number| tool(&format!("tool-{number:04}"))));
    let mut serving = JoinSet::new();
    for user in users.as_deref().unwrap_or(user::ONLY) {
        let mut socket = dial(port, user).await?;
        enrol(&mut socket, "bench", &offer).await?;
        serving.spawn(serve(socket));
    }
    println!("registered");
    serving.join_next().await.context("nobody to serve")??
}

/// Answers calls and pings until the hub hangs up.
pub(crate) async fn serve(mut socket: Socket) -> anyhow::Result<()> {
    loop {
        // Answers go out together when nothing more has come in meanwhile.
        let next = match socket.next().now_or_never() {
            Some(next) => next,
            None => {
                socket.flush().await?;
                socket.next().await
            }
        };
        let Some(message) = next else { return Ok(()) };
        if let Message::Text(frame) = message?
            && let Some(answer) = answer(&frame)?
        {
            socket.feed(Message::text(answer)).await?;
        }
    }
}

/// Dials in and offers `tools` to a hub that knows one user.
pub(crate) async fn register(
    port: u16,
    instance: &str,
    tools: &[Box<RawValue>],
) -> anyhow::Result<Socket> {
    let mut socket = dial(port, &User::only()).await?;
    enrol(&mut socket, instance, tools).await?;
    Ok(socket)
}

pub(crate) async fn dial(port: u16, user: &User) -> anyhow::Result<Socket> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://127.0.0.1:{port}/clients/ws").into_client_request()?;
    if let Some(bearer) = user.bearer() {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(bearer)?);
    }
    let (socket, _response) = client_async(request, stream).await?;
    Ok(socket)
}

/// Offers `tools` and waits until the hub has taken them in.
pub(crate) async fn enrol(
    socket: &mut Socket,
    instance: &str,
    tools: &[Box<RawValue>],
) -> anyhow::Result<()> {
    let registration = json!({
        "jsonrpc": "2.0", "id": 1, "method": "providers/register",
        "params": {
            "provider": {"name": "bench", "version": "1", "instanceId": instance},
            "tools": tools,
        },
    });
    socket.send(Message::text(registration.to_string())).await?;
    let answer = socket.next().await.context("hung up on while registering")??;
    let answer: Value = serde_json::from_str(answer.to_text()?)?;
    ensure!(answer["result"].is_object(), "not registered: {answer}");
    Ok(())
}

#[derive(Deserialize)]
struct Frame<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    arguments: Option<Arguments<'a>>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: &'a RawValue,
}

/// What to say to a frame, unless it is a notification. Whatever has no text is a ping.
fn answer(frame: &str) -> anyhow::Result<Option<String>> {
    let Frame { id, params } = serde_json::from_str(frame)?;
    let Some(id) = id else { return Ok(None) };
    let result = match params.and_then(|params| params.arguments) {
        Some(Arguments { text }) => format!(r#"{{"content":[{{"type":"text","text":{text}}}]}}"#),
        None => "{}".to_owned(),
    };
    Ok(Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)))
}

fn echo() -> Box<RawValue> {
    let schema = r#"{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}"#;
    raw(format!(r#"{{"name":"{ECHO}","description":"Says it again.","inputSchema":{schema}}}"#))
}

/// A tool like many there are.
pub(crate) fn tool(name: &str) -> Box<RawValue> {
    let start = format!(r#"{{"name":"{name}","description":"Looks things up"#);
    let end = r#".","inputSchema":{"type":"object","properties":{"query":{"type":"string","description":"What to look for"},"limit":{"type":"integer","minimum":1,"maximum":100}},"required":["query"]}}"#;
    let padding = DEFINITION.saturating_sub(start.len() + end.len());
    raw(format!("{start}{}{end}", " well".repeat(padding / 5)))
}

fn raw(definition: String) -> Box<RawValue> {
    RawValue::from_string(definition).expect("a definition is written as JSON")
}
