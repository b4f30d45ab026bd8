//! Clients that speak the modern era, where every request stands alone.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::{
    caller::{BOTH, Caller, DOCUMENT, Heard, Question, message},
    weather::{BODY_BYTES_MAX, JSON_DEPTH_MAX, TOOLS},
};
use crate::support::client::MODERN;

/// Calls that a client makes at once, now and then.
const CROWD: usize = 4;

/// A modern client until the storm is over.
pub(super) async fn call(mut caller: Caller) {
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
