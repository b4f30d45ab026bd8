//! Clients of both eras: what every call of theirs has to come to, whatever they do to it.

use std::{sync::Arc, time::Duration};

use axum::http::{Method, Request, StatusCode, request::Builder};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Storm,
    net::Exchange,
    weather::{BODY_BYTES_MAX, CALL_TOTAL, JSON_DEPTH_MAX, MESSAGE_BYTES_MAX, TOOLS},
};
use crate::support::{chance::Chance, client::MODERN};

/// Calls that a client makes at once, now and then.
const CROWD: usize = 4;

/// Somebody who calls for `user`.
pub(super) struct Caller {
    pub(super) storm: Arc<Storm>,
    pub(super) user: &'static str,
    pub(super) chance: Chance,
}

/// What a call asks for.
struct Question<'a> {
    /// The id of its request.
    id: u64,
    /// Its number, in the book.
    number: u64,
    tool: &'a str,
    /// Whether the client cancels it by its id.
    is_cancelled: bool,
}

/// What was heard of a call.
enum Heard {
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
    fn request(&self, method: Method) -> Builder {
        let token = format!("Bearer {}", self.storm.token(self.user));
        Request::builder()
            .method(method)
            .uri("/mcp")
            .header("host", "localhost")
            .header("authorization", token)
    }

    fn post(&self, accept: &str) -> Builder {
        self.request(Method::POST)
            .header("content-type", "application/json")
            .header("accept", accept)
    }

    fn modern(&self, method: &str, mut params: Value, accept: &str) -> Request<String> {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "roots": {} });
        let mut request = self.post(accept).header("mcp-protocol-version", MODERN);
        request = request.header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        request.body(message(1, method, &params)).expect("a request")
    }

    fn legacy(&self, session: &str, body: String, accept: &str) -> Request<String> {
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

    fn arguments(&mut self, number: u64) -> Value {
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

    async fn hear(&mut self, request: Request<String>, question: Question<'_>) -> Heard {
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

    /// Every call has one outcome, its own, and the truth is told about it.
    fn judge(
        &self,
        exchange: &Exchange,
        mut messages: Vec<Value>,
        question: &Question<'_>,
    ) -> Heard {
        let Question { id, number, tool, is_cancelled } = *question;
        let mut book = self.storm.book();
        let handed = book.ended(number);
        let told = format!("call {number} of {tool} by {}: {messages:?}", self.user);
        let own = format!("{tool} of {}: {number}", self.user);
        let outcome = messages.pop();
        for notice in &messages {
            assert!(notice.get("id").is_none(), "two outcomes of {told}");
            match notice["method"].as_str() {
                Some("notifications/progress") => {
                    assert_eq!(notice["params"]["message"], own, "{told}");
                    assert_eq!(notice["params"]["progressToken"], number, "{told}");
                    book.saw("progress");
                }
                Some("notifications/message") => {
                    assert_eq!(notice["params"]["data"], own, "{told}");
                    book.saw("a log message");
                }
                _ => panic!("{notice} in {told}"),
            }
        }
        let outcome = match outcome {
            Some(outcome) if outcome.get("method").is_none() => outcome,
            _ => {
                // Of a call that was cancelled by its id nothing more is heard.
                assert!(is_cancelled && exchange.status.is_success(), "no outcome of {told}");
                book.saw("cancelled by its id");
                return Heard::Nothing;
            }
        };
        assert_eq!(outcome["id"], id, "{told}");
        if exchange.status == StatusCode::NOT_FOUND {
            book.calls -= 1;
            book.saw("a session was lost");
            return Heard::NoSession;
        }
        if let Some(error) = outcome.get("error") {
            let what = error.to_string();
            match error["code"].as_i64() {
                Some(-32602) if what.contains("there is no tool") || what.contains("withdrawn") => {
                    assert_eq!(handed.times, 0, "{told}");
                    book.saw("unknown tool");
                }
                Some(-32602) if what.contains("request state") => {
                    assert_eq!(handed.times, 0, "{told}");
                    book.saw("a foreign request state");
                }
                Some(-32602) => book.saw("the caller was blamed"),
                Some(-31000) => {
                    assert_eq!(handed.times, 0, "{told}");
                    assert_eq!(exchange.status, StatusCode::TOO_MANY_REQUESTS, "{told}");
                    assert!(exchange.headers.contains_key("retry-after"), "{told}");
                    book.read(&what);
                }
                _ => panic!("an error nobody made: {told} {outcome}"),
            }
            return Heard::Nothing;
        }
        let result = outcome.get("result").unwrap_or_else(|| panic!("{outcome} of {told}"));
        if result["resultType"] == "input_required" {
            let state = result["requestState"].as_str().expect("a sealed state");
            book.saw("questions were asked");
            book.keeps_state(self.user, state);
            return Heard::Result(result.clone());
        }
        let text = result["content"][0]["text"].as_str().expect("a text");
        if text == own {
            let is_error = result["isError"] == true;
            book.saw(if is_error { "failed by its own word" } else { "answered" });
            if handed.times > 1 {
                book.saw("failed over");
            }
            return Heard::Result(result.clone());
        }
        assert_eq!(result["isError"], true, "an answer to another call: {text} of {told}");
        book.read(text);
        for (_, sight) in FAILURES.iter().filter(|(phrase, _)| text.contains(phrase)) {
            book.saw(sight);
        }
        if text.starts_with("No provider of the tool") {
            assert_eq!(handed.ran, 0, "told that it did not run: {text} of {told}");
            book.saw("nobody could answer");
        } else if text.starts_with("The outcome of this call") {
            book.saw("outcome unknown");
        } else {
            // What a legacy client hears when it cannot be asked.
            assert!(tool == "ask" && text.contains("ask"), "{text} of {told}");
        }
        Heard::Result(result.clone())
    }
}

/// What a caller is told of a provider's failure, and what that means.
const FAILURES: &[(&str, &str)] = &[
    ("it failed several times running", "breaker open"),
    ("its input schema differs", "another schema"),
    ("it has too many calls in flight", "limits.calls_per_provider"),
    ("larger than a provider's message", "limits.provider_message"),
];

const BOTH: &str = "application/json, text/event-stream";
const DOCUMENT: &str = "application/json";

fn message(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// A modern client until the storm is over.
pub(super) async fn call_modern(mut caller: Caller) {
    let storm = Arc::clone(&caller.storm);
    while let Some(busy) = storm.may_act().await {
        match caller.chance.below(12) {
            0 => caller.looks_at_the_list().await,
            1 => caller.sends_rubbish().await,
            2 => {
                let crowd = [(); CROWD].map(|()| caller.twin());
                join_all(crowd.map(|mut caller| async move { caller.calls().await })).await;
            }
            _ => caller.calls().await,
        }
        drop(busy);
        let pause = caller.chance.millis(20..250);
        sleep(storm.paced(pause)).await;
    }
}

impl Caller {
    fn twin(&mut self) -> Self {
        let chance = self.chance.split();
        Self { storm: Arc::clone(&self.storm), user: self.user, chance }
    }

    async fn calls(&mut self) {
        let tool =
            if self.chance.one_in(30) { "nobody-has-this" } else { self.chance.pick(&TOOLS) };
        let number = self.storm.book().number();
        let mut params = json!({ "name": tool, "arguments": self.arguments(number) });
        if self.chance.one_in(2) {
            params["_meta"]["progressToken"] = json!(number);
            params["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
        }
        if self.chance.one_in(30)
            && let Some(state) = self.storm.book().foreign_state(self.user)
        {
            params["requestState"] = json!(state);
        }
        let accept = if self.chance.one_in(4) { DOCUMENT } else { BOTH };
        let request = self.modern("tools/call", params, accept);
        let question = Question { id: 1, number, tool, is_cancelled: false };
        let heard = self.hear(request, question).await;
        if let Heard::Result(result) = heard
            && let Some(state) = result.get("requestState")
        {
            let number = self.storm.book().number();
            let params = json!({
                "name": tool,
                "arguments": self.arguments(number),
                "requestState": state,
                "inputResponses": { "who": { "roots": [] } },
            });
            let request = self.modern("tools/call", params, BOTH);
            let question = Question { id: 1, number, tool, is_cancelled: false };
            self.hear(request, question).await;
        }
    }

    async fn looks_at_the_list(&self) {
        for tool in self.list().await.as_array().expect("tools") {
            let description = tool["description"].as_str().expect("a text");
            assert!(description.contains(&format!("of {},", self.user)), "{tool} is another's");
        }
    }

    /// Bodies that are none, or too much.
    async fn sends_rubbish(&mut self) {
        let deep = JSON_DEPTH_MAX + 1;
        let body = match self.chance.below(5) {
            0 => "{".to_owned(),
            1 => "[".repeat(deep) + &"]".repeat(deep),
            2 => r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_owned(),
            3 => message(1, "tools/call", &json!({ "x": "x".repeat(BODY_BYTES_MAX) })),
            _ => "\u{0}".to_owned(),
        };
        let request = self.post(BOTH).header("mcp-protocol-version", MODERN).body(body);
        let mut exchange = self.storm.net.send(request.expect("a request")).await;
        assert!(exchange.status.is_client_error(), "{}", exchange.status);
        let answer = exchange.rest().await;
        let mut book = self.storm.book();
        book.saw("a body was refused");
        book.read(&answer[0]["error"]["message"].to_string());
    }
}

/// A client with a session, until the storm is over.
pub(super) async fn call_legacy(mut caller: Caller) {
    let storm = Arc::clone(&caller.storm);
    let mut session = None;
    while let Some(busy) = storm.may_act().await {
        session = caller.goes_on(session).await;
        drop(busy);
        let pause = caller.chance.millis(20..300);
        sleep(storm.paced(pause)).await;
    }
}

impl Caller {
    /// One act within a session, or the opening of one; the session if there is one afterwards.
    async fn goes_on(&mut self, session: Option<String>) -> Option<String> {
        let Some(session) = session else { return self.initialize().await };
        match self.chance.below(12) {
            0 => {
                let request = self.request(Method::DELETE).header("mcp-session-id", &session);
                self.storm.net.send(request.body(String::new()).expect("a request")).await;
                return None;
            }
            1 => self.intrudes().await,
            2 | 3 => self.opens_streams(&session).await,
            _ => return self.calls_in(&session).await.then_some(session),
        }
        Some(session)
    }

    async fn initialize(&mut self) -> Option<String> {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "storm", "version": "1" } });
        let request = self.post(BOTH).body(message(0, "initialize", &params)).expect("a request");
        let mut exchange = self.storm.net.send(request).await;
        let answer = exchange.rest().await;
        let mut book = self.storm.book();
        let Some(id) = exchange.headers.get("mcp-session-id") else {
            book.read(&answer[0]["error"]["message"].to_string());
            return None;
        };
        let id = id.to_str().expect("ASCII").to_owned();
        book.keeps_session(self.user, &id);
        Some(id)
    }

    /// A session of somebody else is no session.
    async fn intrudes(&self) {
        let Some(foreign) = self.storm.book().foreign_session(self.user) else { return };
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": { "requestId": 1 } });
        for body in [message(1, "tools/list", &json!({})), cancel.to_string()] {
            let exchange = self.storm.net.send(self.legacy(&foreign, body, BOTH)).await;
            assert_eq!(exchange.status, StatusCode::NOT_FOUND, "as if there were none");
        }
        self.storm.book().saw("a foreign session");
    }

    /// The second takes the place of the first.
    async fn opens_streams(&self, session: &str) {
        let open = || {
            let request = self.request(Method::GET).header("accept", "text/event-stream");
            let request = request.header("mcp-session-id", session).body(String::new());
            self.storm.net.send(request.expect("a request"))
        };
        let mut first = open().await;
        if first.status != StatusCode::OK {
            let refused = first.rest().await;
            self.storm.book().read(&refused[0]["error"]["message"].to_string());
            return;
        }
        let second = open().await;
        if second.status == StatusCode::OK {
            timeout(self.storm.patience(), first.rest()).await.expect("the first ends");
            self.storm.book().saw("a stream took the place of another");
        }
    }

    /// Calls, and sometimes cancels the call by its id; whether the session is still there.
    async fn calls_in(&mut self, session: &str) -> bool {
        let tool = *self.chance.pick(&TOOLS);
        let number = self.storm.book().number();
        let mut params = json!({ "name": tool, "arguments": self.arguments(number) });
        params["_meta"]["progressToken"] = json!(number);
        // Sessions of different users use the same ids.
        let id = 1 + u64::try_from(self.chance.below(3)).expect("64 bits");
        let request = self.legacy(session, message(id, "tools/call", &params), BOTH);
        let is_cancelled = self.chance.one_in(4);
        let question = Question { id, number, tool, is_cancelled };
        if !is_cancelled {
            let heard = self.hear(request, question).await;
            return !matches!(heard, Heard::NoSession);
        }
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": { "requestId": id } });
        let cancel = self.legacy(session, cancel.to_string(), BOTH);
        let (pause, storm) = (self.chance.millis(1..300), Arc::clone(&self.storm));
        let cancelling = async {
            sleep(storm.paced(pause)).await;
            storm.net.send(cancel).await
        };
        let (heard, cancelled) = tokio::join!(self.hear(request, question), cancelling);
        assert!(matches!(cancelled.status, StatusCode::ACCEPTED | StatusCode::NOT_FOUND));
        !matches!(heard, Heard::NoSession)
    }
}
