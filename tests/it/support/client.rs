//! A client that says exactly what a test wants said, right or wrong.

use std::{convert::Infallible, future::ready, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sse_stream::SseStream;
use tokio::time::timeout;

use super::{PATIENCE, TestHub};

pub(crate) const MODERN: &str = "2026-07-28";

/// Somebody who asks, by the rules unless told otherwise.
#[derive(Clone)]
pub(crate) struct McpClient {
    http: reqwest::Client,
    endpoint: String,
    token: Option<String>,
}

/// What came back: the status, and every JSON-RPC message in order, whatever it came as.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) messages: Vec<Value>,
}

impl Answer {
    async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = timeout(PATIENCE, response.text()).await.expect("in time").expect("a body");
        let messages = if is_stream {
            let body = stream::once(ready(Ok::<_, Infallible>(Bytes::from(text.clone()))));
            let events = SseStream::from_bytes_stream(body).filter_map(|event| ready(event.ok()));
            let data = events.filter_map(|event| ready(event.data.filter(|data| !data.is_empty())));
            data.map(|data| serde_json::from_str(&data).expect("JSON in an event")).collect().await
        } else {
            serde_json::from_str(&text).into_iter().collect()
        };
        Self { status, headers, text, messages }
    }

    /// The last message: the response itself.
    pub(crate) fn message(&self) -> &Value {
        self.messages.last().unwrap_or_else(|| panic!("no message in {self:?}"))
    }

    pub(crate) fn result(&self) -> &Value {
        let message = self.message();
        message.get("result").unwrap_or_else(|| panic!("no result in {message}"))
    }

    pub(crate) fn error(&self) -> &Value {
        let message = self.message();
        message.get("error").unwrap_or_else(|| panic!("no error in {message}"))
    }

    pub(crate) fn code(&self) -> i64 {
        self.error()["code"].as_i64().expect("a code")
    }

    /// The text of the first content block of a tool result.
    pub(crate) fn said(&self) -> &str {
        self.result()["content"][0]["text"].as_str().expect("a text")
    }
}

/// A stream of server-sent events, read as it comes.
pub(crate) struct Events {
    events: Pin<Box<dyn Stream<Item = Result<sse_stream::Sse, sse_stream::Error>> + Send>>,
    /// What a client would send as `Last-Event-ID`.
    pub(crate) last_id: Option<String>,
}

impl Events {
    fn of(response: reqwest::Response) -> Self {
        let bytes = response.bytes_stream().map(|piece| piece.map_err(std::io::Error::other));
        Self { events: Box::pin(SseStream::from_bytes_stream(bytes)), last_id: None }
    }

    /// The next JSON-RPC message; `None` when the stream has ended. Comments and priming events
    /// are passed over.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let event = timeout(PATIENCE, self.events.next()).await.expect("an event in time")?;
            let event = event.ok()?;
            if let Some(id) = event.id {
                self.last_id = Some(id);
            }
            if let Some(data) = event.data.filter(|data| !data.is_empty()) {
                return Some(serde_json::from_str(&data).expect("JSON in an event"));
            }
        }
    }
}

impl McpClient {
    pub(crate) fn new(hub: &TestHub) -> Self {
        Self::at(hub.url())
    }

    /// A client of the hub at `url`, wherever that runs.
    pub(crate) fn at(url: &str) -> Self {
        Self::over(reqwest::Client::builder().no_proxy().build().expect("a client"), url)
    }

    /// The same, who makes requests in a way of its own.
    pub(crate) fn over(http: reqwest::Client, url: &str) -> Self {
        Self { http, endpoint: format!("{url}/mcp"), token: None }
    }

    pub(crate) fn of_user(hub: &TestHub, user: &str) -> Self {
        Self::new(hub).with_token(super::hub::token(user))
    }

    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }

    /// A bare request to the endpoint, with the token.
    pub(crate) fn request(&self, method: Method) -> RequestBuilder {
        let request = self.http.request(method, &self.endpoint);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// POST of `body` with the headers every client sends.
    pub(crate) fn post(&self, body: impl Into<Bytes>) -> RequestBuilder {
        self.request(Method::POST)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.into())
    }

    pub(crate) async fn send(request: RequestBuilder) -> Answer {
        let response = timeout(PATIENCE, request.send()).await.expect("in time");
        Answer::read(response.expect("an HTTP response")).await
    }

    /// A modern request with id 1, ready to be sent or spoilt.
    pub(crate) fn modern_request(&self, method: &str, mut params: Value) -> RequestBuilder {
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        if meta.get("io.modelcontextprotocol/clientCapabilities").is_none() {
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request = self
            .post(body.to_string())
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        request
    }

    pub(crate) async fn modern(&self, method: &str, params: Value) -> Answer {
        Self::send(self.modern_request(method, params)).await
    }

    /// `tools/call` of the modern era.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.modern("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// The names `tools/list` of the modern era shows.
    pub(crate) async fn tools(&self) -> Vec<String> {
        names(self.modern("tools/list", json!({})).await.result())
    }

    /// `subscriptions/listen` for tools; the acknowledgement has been read.
    pub(crate) async fn listen(&self) -> Events {
        let wanted = json!({ "notifications": { "toolsListChanged": true } });
        let response = self.modern_request("subscriptions/listen", wanted).send().await;
        let mut events = Events::of(response.expect("a stream"));
        let first = events.next().await.expect("an acknowledgement");
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
        events
    }

    /// A response whose events are read one by one.
    pub(crate) async fn events(request: RequestBuilder) -> Events {
        Events::of(request.send().await.expect("a stream"))
    }

    /// The legacy handshake.
    pub(crate) async fn initialize(&self, version: &str) -> LegacySession {
        self.initialize_able(version, json!({})).await
    }

    /// The legacy handshake of a client with `capabilities`.
    pub(crate) async fn initialize_able(
        &self,
        version: &str,
        capabilities: Value,
    ) -> LegacySession {
        let params = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": { "name": "test", "version": "1" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        let answer = Self::send(self.post(body.to_string())).await;
        let id = answer.headers.get("mcp-session-id").expect("a session id");
        let id = id.to_str().expect("visible ASCII").to_owned();
        LegacySession { client: self.clone(), id, initialized: answer.result().clone() }
    }
}

/// The names in a result of `tools/list`.
pub(crate) fn names(result: &Value) -> Vec<String> {
    let tools = result["tools"].as_array().expect("tools");
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

/// A session of the legacy era.
pub(crate) struct LegacySession {
    pub(crate) client: McpClient,
    pub(crate) id: String,
    pub(crate) initialized: Value,
}

impl LegacySession {
    pub(crate) fn post(&self, body: impl Into<Bytes>) -> RequestBuilder {
        self.client.post(body).header("mcp-session-id", &self.id)
    }

    /// A request with the given id, ready to be sent.
    pub(crate) fn prepared(&self, id: i64, method: &str, params: &Value) -> RequestBuilder {
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.post(body.to_string())
    }

    pub(crate) async fn request(&self, id: i64, method: &str, params: Value) -> Answer {
        McpClient::send(self.prepared(id, method, &params)).await
    }

    pub(crate) async fn notify(&self, method: &str, params: Value) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        McpClient::send(self.post(body.to_string())).await
    }

    pub(crate) async fn call(&self, id: i64, tool: &str, arguments: Value) -> Answer {
        self.request(id, "tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    pub(crate) async fn tools(&self) -> Vec<String> {
        names(self.request(1, "tools/list", json!({})).await.result())
    }

    /// A call whose answer is read as it comes.
    pub(crate) async fn calling(&self, id: i64, tool: &str) -> Events {
        let params = json!({ "name": tool, "_meta": { "progressToken": id } });
        McpClient::events(self.prepared(id, "tools/call", &params)).await
    }

    /// Answers a request of the hub's.
    pub(crate) async fn reply(&self, request: &Value, result: Value) -> StatusCode {
        let body = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result });
        McpClient::send(self.post(body.to_string())).await.status
    }

    fn get(&self) -> RequestBuilder {
        let request = self.client.request(Method::GET).header("mcp-session-id", &self.id);
        request.header("accept", "text/event-stream")
    }

    /// GET: the session's event stream.
    pub(crate) async fn stream(&self) -> Events {
        McpClient::events(self.get()).await
    }

    /// GET: the rest of a stream, after an event.
    pub(crate) async fn resume(&self, last: &str) -> Events {
        McpClient::events(self.get().header("last-event-id", last)).await
    }

    pub(crate) async fn delete(&self) -> StatusCode {
        let request = self.client.request(Method::DELETE).header("mcp-session-id", &self.id);
        McpClient::send(request).await.status
    }
}
