//! A provider that does exactly what a test wants done: offers, answers, stalls, lies, disappears.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode},
        protocol::CloseFrame,
    },
};

use super::{PATIENCE, TestHub};

pub(crate) struct TestProvider {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    registrations: u64,
}

/// A tool definition that takes any object.
pub(crate) fn tool(name: &str) -> Value {
    json!({ "name": name, "description": format!("the tool {name}"), "inputSchema": { "type": "object" } })
}

/// The same, which says that it may be repeated.
pub(crate) fn read_only(name: &str) -> Value {
    let mut tool = tool(name);
    tool["annotations"] = json!({ "readOnlyHint": true });
    tool
}

/// The same, which says what it does.
pub(crate) fn described(name: &str, description: &str) -> Value {
    let mut tool = read_only(name);
    tool["description"] = json!(description);
    tool
}

/// A tool result with one text.
pub(crate) fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

impl TestProvider {
    /// Connects without registering.
    pub(crate) async fn dial(hub: &TestHub, token: Option<&str>) -> Result<Self, StatusCode> {
        Self::dial_at(hub.url(), token).await
    }

    /// As [`Self::dial`], to the hub at `url`, wherever that runs.
    pub(crate) async fn dial_at(url: &str, token: Option<&str>) -> Result<Self, StatusCode> {
        let url = format!("{}/clients/ws", url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a token");
            request.headers_mut().insert("authorization", value);
        }
        // Without delay: what a test says in several messages is not to wait for acknowledgements.
        match connect_async_with_config(request, None, true).await {
            Ok((socket, _)) => Ok(Self::on(socket)),
            Err(Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("cannot connect: {error}"),
        }
    }

    /// Whatever it is connected by.
    pub(crate) fn on(socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        Self { socket, registrations: 0 }
    }

    /// Connects and offers `tools` under the given provider and instance name.
    pub(crate) async fn offering(hub: &TestHub, name: &str, tools: &[Value]) -> Self {
        Self::offering_as(hub, None, name, tools).await
    }

    pub(crate) async fn offering_as(
        hub: &TestHub,
        user: Option<&str>,
        name: &str,
        tools: &[Value],
    ) -> Self {
        let token = user.map(super::hub::token);
        let mut provider = Self::dial(hub, token.as_deref()).await.expect("let in");
        let answer = provider.register(name, tools).await;
        assert!(answer.get("result").is_some(), "{answer}");
        provider
    }

    /// Sends `providers/register` and waits for its answer. The instance is called like the
    /// provider.
    pub(crate) async fn register(&mut self, name: &str, tools: &[Value]) -> Value {
        self.register_text(name, &json!(tools).to_string()).await
    }

    /// As [`Self::register`], of tools that go out byte for byte.
    pub(crate) async fn register_text(&mut self, name: &str, tools: &str) -> Value {
        self.registrations += 1;
        let id = format!("r{}", self.registrations);
        let provider = json!({ "name": name, "version": "1", "instanceId": name });
        self.say_text(&format!(
            r#"{{"jsonrpc":"2.0","id":"{id}","method":"providers/register","params":{{"provider":{provider},"tools":{tools}}}}}"#
        ))
        .await;
        loop {
            let frame = self.hear().await.expect("an answer");
            if frame["id"] == json!(id) {
                return frame;
            }
        }
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the socket is open");
    }

    /// The next message of the hub; the close frame when there is none any more.
    pub(crate) async fn hear(&mut self) -> Result<Value, Option<CloseFrame>> {
        let text = self.hear_text().await?;
        Ok(serde_json::from_str(&text).expect("JSON"))
    }

    /// As [`Self::hear`], byte for byte.
    pub(crate) async fn hear_text(&mut self) -> Result<String, Option<CloseFrame>> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The close code and the reason the hub ends this connection with.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(frame) = self.hear().await {
                let frame = frame.expect("a close frame");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// The close code alone.
    pub(crate) async fn close_code(&mut self) -> u16 {
        self.closed().await.0
    }

    /// The next call: its id and parameters.
    pub(crate) async fn next_call(&mut self) -> (Value, Value) {
        loop {
            let frame = self.hear().await.expect("a call");
            if frame["method"] == "tools/call" {
                return (frame["id"].clone(), frame["params"].clone());
            }
        }
    }

    /// The next message that is no call and no answer.
    pub(crate) async fn next_notification(&mut self) -> Value {
        loop {
            let frame = self.hear().await.expect("a notification");
            if frame.get("id").is_none() {
                return frame;
            }
        }
    }

    pub(crate) async fn answer(&mut self, id: &Value, result: Value) {
        self.say(json!({ "jsonrpc": "2.0", "id": id, "result": result })).await;
    }

    pub(crate) async fn fail(&mut self, id: &Value, code: i64, message: &str) {
        let error = json!({ "code": code, "message": message });
        self.say(json!({ "jsonrpc": "2.0", "id": id, "error": error })).await;
    }

    /// Answers every call with what `answer` makes of its parameters, until dropped.
    pub(crate) fn serve(mut self, answer: impl Fn(Value) -> Value + Send + 'static) -> JoinSet<()> {
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Some(Ok(message)) = self.socket.next().await {
                let Message::Text(frame) = message else { continue };
                let mut frame: Value = serde_json::from_str(&frame).expect("JSON");
                if frame["method"] == "tools/call" {
                    let (id, params) = (frame["id"].take(), frame["params"].take());
                    self.answer(&id, answer(params)).await;
                }
            }
        });
        serving
    }
}
