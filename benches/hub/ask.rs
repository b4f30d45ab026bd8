//! What is asked, and what a right answer looks like.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{plugin::Plugin, user::User};

pub(crate) const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

/// The tool that answers with what it is told.
pub(crate) const ECHO: &str = "echo";

#[derive(Clone, Copy)]
pub(crate) enum Ask {
    /// `tools/list`, to be answered with this many tools.
    List { tools: usize },
    /// `tools/call` of `echo`.
    Call,
    /// `tools/call` of a plugin's tool.
    Plugin(&'static Plugin),
}

impl Ask {
    /// The request of `user`, as it goes over the wire.
    pub(crate) fn request(self, port: u16, user: &User, id: usize) -> Vec<u8> {
        match self {
            Self::List { .. } => {
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{"_meta":{META}}}}}"#
                );
                let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n";
                post(port, &[headers, &user.header()].concat(), &body)
            }
            Self::Call => tool_call(port, user, id, ECHO, &arguments(id)),
            Self::Plugin(plugin) => tool_call(port, user, id, plugin.tool, plugin.arguments),
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
            Self::Plugin(plugin) => {
                let said = answer["result"]["content"][0]["text"].as_str();
                said.is_some_and(|text| text.contains(plugin.says))
                    && answer["result"]["isError"] != json!(true)
            }
        };
        ensure!(right, said());
        Ok(())
    }
}

/// A `tools/call` with arguments that are JSON already.
pub(crate) fn tool_call(port: u16, user: &User, id: usize, tool: &str, arguments: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{META}}}}}"#
    );
    let headers = format!(
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n{}",
        user.header()
    );
    post(port, &headers, &body)
}

/// A GET of one of the hub's own pages.
pub(crate) fn get(port: u16, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").into_bytes()
}

/// A POST to the endpoint; `headers` are lines beyond those that every request has.
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
