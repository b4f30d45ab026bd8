//! What clients of both eras have in common: how they ask, and how they treat their own calls.

use std::{sync::Arc, time::Duration};

use axum::http::{Method, Request, request::Builder};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Storm,
    weather::{CALL_TOTAL, MESSAGE_BYTES_MAX},
};
use crate::support::{chance::Chance, client::MODERN};

/// Kinds of answers that a client takes.
pub(super) const BOTH: &str = "application/json, text/event-stream";
pub(super) const DOCUMENT: &str = "application/json";

pub(super) fn message(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// Somebody who calls for `user`.
pub(super) struct Caller {
    pub(super) storm: Arc<Storm>,
    pub(super) user: &'static str,
    pub(super) chance: Chance,
}

/// What a call asks for.
pub(super) struct Question<'a> {
    /// The id of its request.
    pub(super) id: u64,
    /// Its number, in the book.
    pub(super) number: u64,
    pub(super) tool: &'a str,
    /// Whether the client cancels it by its id.
    pub(super) is_cancelled: bool,
}

/// What was heard of a call.
pub(super) enum Heard {
    Result(Value),
    Nothing,
    NoSession,
}

/// How a client treats its own call.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Waits,
    Leaves(Duration),
    /// Reads no faster than this for each message.
    Dawdles(Duration),
}

impl Caller {
    pub(super) fn request(&self, method: Method) -> Builder {
        let token = format!("Bearer {}", self.storm.token(self.user));
        Request::builder()
            .method(method)
            .uri("/mcp")
            .header("host", "localhost")
            .header("authorization", token)
    }

    pub(super) fn post(&self, accept: &str) -> Builder {
        self.request(Method::POST)
            .header("content-type", "application/json")
            .header("accept", accept)
    }

    pub(super) fn modern(&self, method: &str, mut params: Value, accept: &str) -> Request<String> {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "roots": {} });
        let mut request = self.post(accept).header("mcp-protocol-version", MODERN);
        request = request.header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        request.body(message(1, method, &params)).expect("a request")
    }

    pub(super) fn legacy(&self, session: &str, body: String, accept: &str) -> Request<String> {
        self.post(accept).header("mcp-session-id", session).body(body).expect("a request")
    }

    /// Asks to hear of changes of the list.
    pub(super) fn listen(&self) -> Request<String> {
        let wanted = json!({ "notifications": { "toolsListChanged": true } });
        self.modern("subscriptions/listen", wanted, BOTH)
    }

    /// The whole list, page by page.
    pub(super) async fn list(&self) -> Value {
        let (mut tools, mut params) = (Vec::new(), json!({}));
        loop {
            let request = self.modern("tools/list", params, BOTH);
            let answer = self.storm.net.send(request).await.rest().await;
            let result = &answer.last().expect("a page")["result"];
            tools.extend_from_slice(result["tools"].as_array().expect("tools"));
            match result.get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return Value::Array(tools),
            }
        }
    }

    pub(super) fn arguments(&mut self, number: u64) -> Value {
        let mut arguments = json!({ "number": number, "user": self.user });
        if self.chance.one_in(40) {
            // Fits into a request, and into no provider's message.
            arguments["padding"] = json!("x".repeat(MESSAGE_BYTES_MAX));
        }
        arguments
    }

    fn fate(&mut self) -> Fate {
        let pause = self.storm.paced(self.chance.millis(1..400));
        match self.chance.below(10) {
            0 | 1 => Fate::Leaves(pause),
            2 => Fate::Dawdles(pause / 4),
            _ => Fate::Waits,
        }
    }

    pub(super) async fn hear(&mut self, request: Request<String>, question: Question<'_>) -> Heard {
        self.storm.book().calls += 1;
        let fate = self.fate();
        let begun = Instant::now();
        let storm = Arc::clone(&self.storm);
        let reading = async {
            let mut exchange = storm.net.send(request).await;
            let mut messages = Vec::new();
            while let Some(message) = exchange.next().await {
                messages.push(message);
                if let Fate::Dawdles(pause) = fate {
                    sleep(pause).await;
                }
            }
            (exchange, messages)
        };
        let (exchange, messages) = if let Fate::Leaves(after) = fate {
            let Ok(read) = timeout(after, reading).await else {
                let mut book = storm.book();
                book.left += 1;
                book.saw("the caller left");
                return Heard::Nothing;
            };
            read
        } else {
            reading.await
        };
        let took = begun.elapsed();
        let is_slow = matches!(fate, Fate::Dawdles(_));
        let number = question.number;
        assert!(is_slow || took <= CALL_TOTAL + storm.patience(), "call {number} took {took:?}");
        self.judge(&exchange, messages, &question)
    }
}
