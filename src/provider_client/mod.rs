//! A tool provider in Rust: dials a hub, offers tools, answers calls, and dials again when the line
//! drops.
//!
//! ```no_run
//! use mcp_hub::provider_client::{ProviderClient, Tool};
//! use serde_json::json;
//!
//! # async fn offer() -> Result<(), Box<dyn std::error::Error>> {
//! let greet = json!({ "name": "greet", "description": "Greets someone by name",
//!     "inputSchema": { "type": "object", "properties": { "name": { "type": "string" } } } });
//! let client = ProviderClient::builder("http://127.0.0.1:8080")?
//!     .name("greeter")
//!     .tool(Tool::new(greet, async |call| {
//!         let arguments: serde_json::Value = call.read()?;
//!         Ok::<_, serde_json::Error>(format!("Hello, {}!", arguments["name"]))
//!     }))
//!     .connect()
//!     .await?;
//! client.ended().await;
//! # Ok(())
//! # }
//! ```
//!
//! It speaks `mcp-hub.v1` by the frames of [`crate::provider::remote::frame`].

mod backoff;
mod builder;
mod call;
mod connection;
mod dialing;
mod outcome;
mod refused;
mod worker;

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Duration,
};

pub use self::{
    backoff::Backoff,
    builder::Builder,
    call::{Call, Tool},
    outcome::{IntoOutcome, Outcome, error, text},
    refused::Refused,
};
use self::{call::Tools, worker::Command};
pub use crate::provider::remote::frame::Registered;

/// A provider that is connected, or about to be again. Dropping it breaks the connection; calls it
/// runs are dropped where they wait.
#[must_use = "the tools are withdrawn when this is dropped"]
pub struct ProviderClient {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    worker: JoinSet<()>,
}

/// How it stands with the connection.
#[derive(Debug, Clone)]
pub enum State {
    /// The hub is being dialed.
    Connecting,
    /// The tools are on offer.
    Registered(Arc<Registered<'static>>),
    /// The connection failed or was lost; after `delay` the hub is dialed again.
    Waiting { delay: Duration, cause: Arc<str> },
    /// It is over for good.
    Ended(Refused),
}

impl ProviderClient {
    /// A provider for the hub at `url`: `http(s)` or `ws(s)`, with or without `/mcp` or
    /// `/clients/ws` at the end.
    ///
    /// Fails when `url` is none, or carries a name or password: those would end up in logs.
    pub fn builder(url: &str) -> Result<Builder, Refused> {
        Builder::new(url)
    }

    /// Puts `tools` in the place of all that were on offer, at once. Calls in flight go on. While
    /// the hub is away this waits until it has taken them in.
    ///
    /// Fails when the hub refuses the set; then the previous one stays.
    pub async fn set_tools(
        &self,
        tools: impl IntoIterator<Item = Tool>,
    ) -> Result<Arc<Registered<'static>>, Refused> {
        let (reply, answer) = oneshot::channel();
        let command = Command::SetTools(Tools::new(tools)?, reply);
        self.commands.send(command).await.map_err(|_gone| self.why_ended())?;
        answer.await.unwrap_or_else(|_gone| Err(self.why_ended()))
    }

    /// How it stands now, and every change of it.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Waits until the connection is over for good, and says why.
    pub async fn ended(&self) -> Refused {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| matches!(state, State::Ended(_))).await;
        drop(ended);
        self.why_ended()
    }

    /// Takes leave of the hub; calls that run are dropped where they wait.
    pub async fn close(self) {
        self.finish(Duration::ZERO).await;
    }

    /// As [`Self::close`], but first lets calls that run be answered, for so long at most. Calls that
    /// come meanwhile are sent on to other providers.
    pub async fn finish(mut self, within: Duration) {
        // Its end may have come already; that is what is wanted.
        drop(self.commands.send(Command::Finish(within)).await);
        while self.worker.join_next().await.is_some() {}
    }

    fn why_ended(&self) -> Refused {
        match &*self.state.borrow() {
            State::Ended(refused) => refused.clone(),
            _ => Refused::Closed,
        }
    }
}
