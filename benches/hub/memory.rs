//! What each thing the hub keeps costs in resident memory.

use anyhow::Context;
use serde_json::value::RawValue;

use crate::{
    args::Pace,
    ask::Ask,
    child::Server,
    http::Connection,
    hub,
    provider::{Socket, register, tool},
    session::{open_session, open_stream},
    user::User,
};

pub(crate) const NAME: &str = "memory";

/// How many of each thing come before the counted ones: the first ones bring caches and buffers
/// that all others share.
const FIRST: usize = 20;

/// As many as one provider may offer.
const TOOLS: usize = 1_000;

/// All in KiB.
pub(crate) struct Memory {
    pub(crate) idle: f64,
    pub(crate) session: f64,
    pub(crate) session_with_stream: f64,
    pub(crate) provider: f64,
    pub(crate) thousand_tools: f64,
}

pub(crate) async fn measure(pace: &Pace) -> anyhow::Result<Memory> {
    eprintln!("memory …");
    let (server, _port) = hub::start().await?;
    let idle = server.resident()?;
    Ok(Memory {
        idle,
        session: sessions(pace.crowd).await.context("failed to measure sessions")?,
        session_with_stream: streams(pace.crowd).await.context("failed to measure streams")?,
        provider: providers(pace.crowd).await.context("failed to measure providers")?,
        thousand_tools: tools().await.context("failed to measure tools")?,
    })
}

async fn sessions(crowd: usize) -> anyhow::Result<f64> {
    let (server, port) = hub::start().await?;
    let mut connection = Connection::open(port).await?;
    for _session in 0..FIRST {
        open_session(&mut connection, port, &User::only()).await?;
    }
    let before = server.resident()?;
    for _session in 0..crowd {
        open_session(&mut connection, port, &User::only()).await?;
    }
    per(crowd, before, &server)
}

async fn streams(crowd: usize) -> anyhow::Result<f64> {
    let (server, port) = hub::start().await?;
    let mut open = Vec::new();
    for _stream in 0..FIRST {
        open.push(open_stream(port, &User::only()).await?);
    }
    let before = server.resident()?;
    for _stream in 0..crowd {
        open.push(open_stream(port, &User::only()).await?);
    }
    per(crowd, before, &server)
}

async fn providers(crowd: usize) -> anyhow::Result<f64> {
    let (server, port) = hub::start().await?;
    let mut open: Vec<Socket> = Vec::new();
    for number in 0..FIRST {
        open.push(provider(port, number).await?);
    }
    let before = server.resident()?;
    for number in FIRST..FIRST + crowd {
        open.push(provider(port, number).await?);
    }
    per(crowd, before, &server)
}

/// The tools of one provider, listed once, so that the list made ready for clients counts, too.
async fn tools() -> anyhow::Result<f64> {
    let (server, port) = hub::start().await?;
    let _first = provider(port, 0).await?;
    list(port, 1).await?;
    let before = server.resident()?;
    let offer: Vec<Box<RawValue>> =
        (1..TOOLS).map(|number| tool(&format!("tool-{number:04}"))).collect();
    let _many = register(port, "many", &offer).await?;
    list(port, TOOLS).await?;
    Ok(server.resident()? - before)
}

/// A provider with one tool.
async fn provider(port: u16, number: usize) -> anyhow::Result<Socket> {
    register(port, &format!("bench-{number}"), &[tool(&format!("its-tool-{number:04}"))]).await
}

async fn list(port: u16, tools: usize) -> anyhow::Result<()> {
    let ask = Ask::List { tools };
    let mut connection = Connection::open(port).await?;
    ask.check(connection.exchange(&ask.request(port, &User::only(), 1)).await?, 1)
}

fn per(crowd: usize, before: f64, server: &Server) -> anyhow::Result<f64> {
    Ok((server.resident()? - before) / f64::from(u32::try_from(crowd)?))
}
