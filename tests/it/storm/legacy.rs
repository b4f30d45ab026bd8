//! Clients that speak the legacy era, where a session lives until it is ended, displaced or forgotten.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    caller::{BOTH, Caller, Heard, Question, message},
    weather::TOOLS,
};

/// A client with a session, until the storm is over.
pub(super) async fn call(mut caller: Caller) {
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
