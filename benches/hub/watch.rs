//! Dashboards, as far as the hub sees them: streams of what happens, read as fast as it comes.

use anyhow::Context;
use tokio::task::JoinSet;

use crate::{ask::get, http::Connection};

/// Follows what happens in the hub at `port` with so many streams, until killed.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(port: u16, dashboards: usize) -> anyhow::Result<()> {
    let mut streams = JoinSet::new();
    for _dashboard in 0..dashboards {
        let mut stream = Connection::open(port).await?;
        stream.subscribe(&get(port, "/api/v1/events")).await?;
        stream.hear("hello").await?;
        streams.spawn(async move {
            loop {
                stream.hear("event:").await?;
            }
        });
    }
    println!("watching");
    let ended: anyhow::Result<()> = streams.join_next().await.context("no stream")??;
    ended.context("a stream ended")
}
