//! What is asked, and what a right answer looks like.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

/// The tool that answers with what it is told.
pub(crate) const ECHO: &str = "echo";

#[derive(Clone, Copy)]
pub(crate) enum Ask {
    /// `tools/list`, to be answered with this many tools.
    List { tools: usize },
    /// `tools/call` of `echo`.
    Call,
}

impl Ask {
    /// The request, as it goes over the wire.
    pub(crate) fn request(self, port: u16, id: usize) -> Vec<u8> {
        match self {
            Self::List { .. } => {
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{"_meta":{META}}}}}"#
                );
                let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n";
                post(port, headers, &body)
            }
            Self::Call => {
                let arguments = arguments(id);
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{ECHO}","arguments":{arguments},"_meta":{META}}}}}"#
                );
                let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n\
                               Mcp-Name: echo\r\n";
                post(port, headers, &body)
            }
        }
    }

    /// Whether `body` is the answer to the request with this id.
    pub(crate) fn check(self, body: &[u8], id: usize) -> anyhow::Result<()> {
        let said = || format!("a wrong answer: {}", String::from_utf8_lossy(body));
        let answer: Value = serde_json::from_slice(body).with_context(said)?;
        ensure!(answer["id"] == json!(id), said());
        let right = match self {
            Self::List { tools } => {
                answer["result"]["tools"].as_array().is_some_and(|list| list.len() == tools)
            }
            Self::Call => answer["result"]["content"][0]["text"] == json!(text(id)),
        };
        ensure!(right, said());
        Ok(())
    }
}

/// A POST to the endpoint; `headers` are those that MCP asks for, beyond what HTTP does.
pub(crate) fn post(port: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// About a hundred bytes, other ones for each connection: a mixed-up answer is found out.
fn arguments(id: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, text(id))
}

fn text(id: usize) -> String {
    format!("{id:04} {}", "the quick brown fox jumps over the lazy dog ".repeat(2))
}
