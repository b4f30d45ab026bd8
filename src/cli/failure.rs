//! Every way a command can end without an answer, in sentences that name the cause and the way out.

use std::{io, process::ExitCode};

use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::terminal;
use crate::model::error::innermost;

pub(super) const HEADER_MISMATCH: i64 = -32020;
const MISSING_CAPABILITY: i64 = -32021;

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(
        "cannot reach a hub at {url}: {cause}\n\
         Is it running? Start it with `mcp-hub`, or name another one with --url or MCP_HUB_URL."
    )]
    Unreachable { url: Url, cause: String },
    #[error("{url} answers, but not as an MCP hub does: {what}\nCheck --url or MCP_HUB_URL.")]
    NotAHub { url: Url, what: String },
    #[error(
        "the hub wants to see a token{}\n\
         Pass --token or set MCP_HUB_TOKEN; `mcp-hub token` signs one where the hub runs.",
        reason(.0)
    )]
    TokenMissing(String),
    #[error(
        "the hub does not accept this token{}\n`mcp-hub token` signs a new one where the hub runs.",
        reason(.0)
    )]
    TokenRefused(String),
    #[error(
        "the hub does not permit this{}\n`mcp-hub token --scope` signs a token that permits more.",
        reason(.0)
    )]
    Forbidden(String),
    #[error("the hub refuses for now{}", reason_or_time(.message, .retry_after.as_deref()))]
    Busy { message: String, retry_after: Option<String> },
    #[error("{0}")]
    Rpc(RpcError),
    #[error(
        "the connection broke before the answer came: {0}\n\
         A tool that was called may have done its work or not."
    )]
    Broken(String),
    #[error("cancelled")]
    Interrupted,
    #[error("cannot write the answer")]
    Output(#[from] io::Error),
}

/// A JSON-RPC error as the hub sent it.
#[derive(Debug, Deserialize)]
pub(super) struct RpcError {
    pub(super) code: i64,
    #[serde(default)]
    pub(super) message: String,
    data: Option<Box<RawValue>>,
}

impl Failure {
    /// What the numbers mean is written in `mcp-hub call --help`.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Rpc(error) if error.code == MISSING_CAPABILITY => 3,
            Self::Interrupted => 130,
            _ => 4,
        })
    }

    /// The request never came to an answer, or its answer never came to an end.
    pub(super) fn transport(url: &Url, error: reqwest::Error) -> Self {
        // The URL is told anyway, and reqwest's own sentence says little.
        let error = error.without_url();
        let cause = innermost(&error);
        if error.is_connect() || error.is_builder() {
            Self::Unreachable { url: url.clone(), cause }
        } else {
            Self::Broken(cause)
        }
    }
}

impl std::fmt::Display for RpcError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.message.is_empty() {
            write!(f, "the hub refused with code {}", self.code)?;
        } else {
            write!(f, "{}", terminal::lines(&self.message))?;
        }
        match &self.data {
            // The close matches themselves are in the message.
            Some(data) if data.get().contains("\"closeMatches\"") => {
                write!(f, "\n`mcp-hub tools` lists what there is.")
            }
            Some(data) => write!(f, "\n{}", terminal::line(data.get())),
            None => Ok(()),
        }
    }
}

fn reason(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(": {}", terminal::line(message)),
    }
}

/// A hub says itself when to come back; what stands in front of it may only send the header.
fn reason_or_time(message: &str, retry_after: Option<&str>) -> String {
    match retry_after {
        Some(seconds) if message.is_empty() => {
            format!("; try again in {} s", terminal::line(seconds))
        }
        _ => reason(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_hub_is_told_in_its_own_words() {
        let told = |json| serde_json::from_str::<RpcError>(json).unwrap().to_string();
        assert_eq!(told(r#"{"code":-32602,"message":"no tool x"}"#), "no tool x");
        assert_eq!(told(r#"{"code":-32602,"message":"no","data":{"a":1}}"#), "no\n{\"a\":1}");
        assert_eq!(told(r#"{"code":-1}"#), "the hub refused with code -1");
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let missing = Failure::TokenMissing(String::new()).to_string();
        assert_eq!(missing.lines().next(), Some("the hub wants to see a token"));
        assert!(missing.contains("MCP_HUB_TOKEN"));
        let busy = |message: &str| {
            Failure::Busy { message: message.into(), retry_after: Some("3".into()) }.to_string()
        };
        assert_eq!(busy("too many calls"), "the hub refuses for now: too many calls");
        assert_eq!(busy(""), "the hub refuses for now; try again in 3 s");
    }
}
