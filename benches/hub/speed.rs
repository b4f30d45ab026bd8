//! What is compared with what.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{
    alone::Alone,
    args::Pace,
    ask::Ask,
    child::Server,
    compare::{Comparison, compare},
    http::Connection,
    hub::{self, Home},
    load::Target,
    plugin::{Plugin, QUICKJS, RUST, WAT},
    user::User,
    users,
};

pub(crate) const SUBJECTS: [Subject; 8] = [
    Subject::List { tools: 10 },
    Subject::List { tools: 1_000 },
    Subject::Call,
    Subject::Watched,
    Subject::Users,
    Subject::Plugin(&WAT),
    Subject::Plugin(&RUST),
    Subject::Plugin(&QUICKJS),
];

/// Open at the same time.
const DASHBOARDS: usize = 50;

pub(crate) enum Subject {
    List { tools: usize },
    Call,
    Watched,
    Users,
    Plugin(&'static Plugin),
}

/// What came of a subject, or in a sentence why it is not measured.
pub(crate) type Measured = Result<Vec<Comparison>, String>;

impl Subject {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::List { tools: 10 } => "list-10",
            Self::List { .. } => "list-1000",
            Self::Call => "call",
            Self::Watched => "dashboards",
            Self::Users => "users",
            Self::Plugin(plugin) => plugin.name,
        }
    }
}

/// `plugins` is where they are.
pub(crate) async fn measure(
    subject: &Subject,
    plugins: &Path,
    pace: &Pace,
) -> anyhow::Result<Measured> {
    match *subject {
        Subject::List { tools } => list(tools, pace).await.map(Ok),
        Subject::Call => call(pace).await.map(Ok),
        Subject::Watched => watched(pace).await.map(Ok),
        Subject::Users => users::measure(pace).await.map(Ok),
        Subject::Plugin(asked) => match asked.wasm(plugins) {
            Ok(wasm) => plugin(asked, &wasm, pace).await.map(Ok),
            Err(why) => Ok(Err(format!("{}: not measured: {why}", asked.calls))),
        },
    }
    .with_context(|| format!("failed to measure {}", subject.name()))
}

/// `tools/list`, beside a server that has the very answer ready.
async fn list(tools: usize, pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    let ask = Ask::List { tools };
    let (hub, port) = hub::start().await?;
    let _provider = provider(port, tools).await?;
    let hub = Target::of(&hub, port, ask);

    let (fixed, port) = fixed(&hub).await?;
    let fixed = Target::of(&fixed, port, ask);
    let title = if tools == 10 { "tools/list, 10 tools" } else { "tools/list, 1,000 tools" };
    compare(title, &fixed, &hub, None, pace)
}

/// A server that answers at once what the hub has answered; gives its port, too.
async fn fixed(hub: &Target<'_>) -> anyhow::Result<(Server, u16)> {
    let mut connection = Connection::open(hub.port).await?;
    let mut answer =
        connection.exchange(&hub.ask.request(hub.port, &User::only(), 1)).await?.to_vec();
    hub.ask.check(&answer, 1)?;
    answer.splice(0..0, connection.head().iter().copied());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("answer");
    fs::write(&file, &answer)?;

    let path = file.to_str().context("an odd path for temporary files")?;
    let mut fixed = Server::role(&["fixed", path])?;
    let port = fixed.port_of("/mcp").await?;
    Ok((fixed, port))
}

/// `tools/call` of a plugin's tool, beside a server that has the very answer ready, and beside the
/// plugin in its sandbox without a hub.
async fn plugin(
    asked: &'static Plugin,
    wasm: &[u8],
    pace: &Pace,
) -> anyhow::Result<Vec<Comparison>> {
    let home = Home::new()?;
    home.put("bench", wasm)?;
    let (hub, port) = home.start().await?;
    hub::ready(port).await?;
    let hub = Target::of(&hub, port, Ask::Plugin(asked));
    let (fixed, port) = fixed(&hub).await?;
    let fixed = Target::of(&fixed, port, hub.ask);
    let alone = Alone::load(asked, wasm)?;
    compare(asked.calls, &fixed, &hub, Some(&alone), pace)
}

/// `tools/call`, beside a relay that does nothing else.
async fn call(pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    let ask = Ask::Call;
    let (hub, port) = hub::start().await?;
    let _its_provider = provider(port, 1).await?;
    let hub = Target::of(&hub, port, ask);

    let mut relay = Server::role(&["relay"])?;
    let _the_other_provider = provider(relay.port_of("/clients/ws").await?, 1).await?;
    let port = relay.port_of("/mcp").await?;
    let relay = Target::of(&relay, port, ask);
    compare("tools/call", &relay, &hub, None, pace)
}

/// `tools/call` while dashboards are open, beside a hub at which nobody looks.
async fn watched(pace: &Pace) -> anyhow::Result<Vec<Comparison>> {
    let ask = Ask::Call;
    let (alone, port) = hub::start().await?;
    let _its_provider = provider(port, 1).await?;
    let alone = Target::of(&alone, port, ask);

    let (hub, port) = hub::start().await?;
    let _the_other_provider = provider(port, 1).await?;
    let mut dashboards = Server::role(&["watch", &port.to_string(), &DASHBOARDS.to_string()])?;
    dashboards.says("watching").await?;
    let hub = Target::of(&hub, port, ask);
    compare("tools/call, 50 dashboards, beside none", &alone, &hub, None, pace)
}

async fn provider(port: u16, tools: usize) -> anyhow::Result<Server> {
    let mut provider = Server::role(&["provider", &port.to_string(), &tools.to_string()])?;
    provider.says("registered").await?;
    Ok(provider)
}
