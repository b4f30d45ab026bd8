//! Why a provider is not, or no longer, connected, and will not be by waiting.

use std::sync::Arc;

use crate::provider::remote::frame::RefusedTool;

/// What the hub or its user said no to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    #[error("{0:?} is no address of a hub: {1}")]
    Url(Box<str>, Box<str>),
    /// Two tools have one name, or a definition has none.
    #[error("the tools cannot be offered: {0}")]
    Definition(Box<str>),
    /// HTTP 401.
    #[error("the hub does not accept the token: {0}")]
    Token(Box<str>),
    /// HTTP 403: the token lacks the scope `mcp:provide`, or the hub does not answer to this host.
    #[error("the hub does not permit this: {0}")]
    Forbidden(Box<str>),
    /// The whole set was refused; `tools` has the reasons, if they lie with single tools.
    #[error("the hub refuses the tools: {message}{}", reasons(.tools))]
    Tools { message: Box<str>, tools: Arc<[RefusedTool]> },
    /// Close code 4409.
    #[error("another provider with the same instance id has taken this one's place")]
    Superseded,
    #[error("the provider was closed")]
    Closed,
}

impl Refused {
    /// A refusal of a whole set, for no single tool's sake.
    pub(super) fn tools(message: String) -> Self {
        Self::Tools { message: message.into(), tools: Arc::default() }
    }
}

fn reasons(tools: &[RefusedTool]) -> String {
    let reason = |tool: &RefusedTool| match &tool.name {
        Some(name) => format!("; {name:?}: {}", tool.reason),
        None => format!("; number {}: {}", tool.index + 1, tool.reason),
    };
    tools.iter().map(reason).collect()
}
