//! What is compared with what.

use std::fs;

use anyhow::Context;

use crate::{
    args::Pace,
    ask::Ask,
    child::Server,
    compare::{Comparison, compare},
    http::Connection,
    hub,
    load::Target,
};

pub(crate) const SUBJECTS: [Subject; 3] =
    [Subject::List { tools: 10 }, Subject::List { tools: 1_000 }, Subject::Call];

pub(crate) enum Subject {
    List { tools: usize },
    Call,
}

impl Subject {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::List { tools: 10 } => "list-10",
            Self::List { .. } => "list-1000",
            Self::Call => "call",
        }
    }
}

pub(crate) async fn measure(subject: &Subject, pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    match *subject {
        Subject::List { tools } => list(tools, pace).await,
        Subject::Call => call(pace).await,
    }
    .with_context(|| format!("failed to measure {}", subject.name()))
}

/// `tools/list`, beside a server that has the very answer ready.
async fn list(tools: usize, pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    let ask = Ask::List { tools };
    let (hub, port) = hub::start().await?;
    let _provider = provider(port, tools).await?;
    let hub = Target { server: &hub, port, ask };

    let mut connection = Connection::open(port).await?;
    let mut answer = connection.exchange(&ask.request(port, 1)).await?.to_vec();
    ask.check(&answer, 1)?;
    answer.splice(0..0, connection.head().iter().copied());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("answer");
    fs::write(&file, &answer)?;

    let path = file.to_str().context("an odd path for temporary files")?;
    let mut fixed = Server::role(&["fixed", path])?;
    let port = fixed.port_of("/mcp").await?;
    let fixed = Target { server: &fixed, port, ask };
    let title = if tools == 10 { "tools/list, 10 tools" } else { "tools/list, 1,000 tools" };
    compare(title, &fixed, &hub, pace)
}

/// `tools/call`, beside a relay that does nothing else.
async fn call(pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    let ask = Ask::Call;
    let (hub, port) = hub::start().await?;
    let _its_provider = provider(port, 1).await?;
    let hub = Target { server: &hub, port, ask };

    let mut relay = Server::role(&["relay"])?;
    let _the_other_provider = provider(relay.port_of("/clients/ws").await?, 1).await?;
    let port = relay.port_of("/mcp").await?;
    let relay = Target { server: &relay, port, ask };
    compare("tools/call", &relay, &hub, pace)
}

async fn provider(port: u16, tools: usize) -> anyhow::Result<Server> {
    let mut provider = Server::role(&["provider", &port.to_string(), &tools.to_string()])?;
    provider.says("registered").await?;
    Ok(provider)
}
