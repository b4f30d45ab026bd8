//! The hubs that storms blow on: one in memory, whose clock can be paused, and the real binary.

use std::{sync::Arc, time::Duration};

use axum::serve::Listener;
use mcp_hub::{
    auth::{Gate, Hosts, Options, Tokens},
    client::Client,
    hub::Hub,
    lifecycle::Lifecycle,
    model::id::UserId,
    provider::remote::Remote,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{io::DuplexStream, sync::mpsc, task::JoinSet, time::sleep};

use super::{
    net::Net,
    weather::{PASSER_BY, failover, limits, settings},
};
use crate::support::{binary::Process, hub::SECRET};

/// After so long the hub has looked round for those who left.
const FORGETTING: Duration = Duration::from_secs(61);

/// How much there is, by the hub's own word.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Users who are served, or hold something.
    pub(super) users: u64,
    pub(super) providers: u64,
    pub(super) sessions: u64,
    pub(super) in_flight: u64,
    /// Calls that have ended, whatever way.
    pub(super) calls: u64,
}

/// A hub, wherever it runs.
pub(super) trait Ground {
    fn net(&self) -> Net;

    async fn standing(&self) -> Standing;

    /// Ends the hub when nobody is there any more: nothing may be left of them.
    async fn end(self);
}

/// A hub in this process that is reached through memory.
pub(super) struct Memory {
    net: Net,
    hub: Hub,
    client: Arc<Client>,
    lifecycle: Lifecycle,
    server: JoinSet<std::io::Result<()>>,
}

impl Memory {
    pub(super) fn start() -> Self {
        let lifecycle = Lifecycle::default();
        let options = Options { secret: Some(SECRET.into()), ..Options::default() };
        let (tokens, _no_chores) = Tokens::new(&options, None).expect("a good secret");
        let hosts = Hosts::new([127, 0, 0, 1].into(), None, &[], &[]);
        let gate = Arc::new(Gate::new(hosts, tokens, None));
        let limits = Arc::new(limits());
        let hub = Hub::new(Arc::clone(&limits), failover(), None, None);
        lifecycle.spawn_chore(hub.clone().run());
        let client = Arc::new(Client::new(
            hub.clone(),
            Arc::clone(&gate),
            Arc::clone(&limits),
            lifecycle.clone(),
            mcp_hub::client::Options::default(),
        ));
        let remote = Remote::new(hub.clone(), gate, limits, lifecycle.clone());
        let routes = Arc::clone(&client).routes().merge(remote.routes());
        let (dial, dialled) = mpsc::channel(64);
        let draining = lifecycle.draining();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let server = axum::serve(Pipes(dialled), routes);
            server.with_graceful_shutdown(draining.cancelled_owned()).await
        });
        Self { net: Net::Memory(dial), hub, client, lifecycle, server }
    }
}

/// Connections as they are dialled in memory.
struct Pipes(mpsc::Receiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Ground for Memory {
    fn net(&self) -> Net {
        self.net.clone()
    }

    async fn standing(&self) -> Standing {
        let count = |number: usize| u64::try_from(number).expect("64 bits");
        let (mut in_flight, figures) = (0, self.hub.figures());
        self.hub.registry().each(|user| in_flight += user.calls_in_flight());
        Standing {
            users: count(figures.users),
            providers: count(figures.providers),
            sessions: count(self.client.sessions(None)),
            in_flight: count(in_flight),
            calls: self.hub.registry().chronicle().traffic().calls,
        }
    }

    async fn end(mut self) {
        sleep(FORGETTING).await;
        let passer_by = UserId::parse(PASSER_BY).expect("a good name");
        assert!(self.hub.registry().find(&passer_by).is_none(), "who did nothing is forgotten");
        let server = async {
            while let Some(ended) = self.server.join_next().await {
                ended.expect("the server does not panic").expect("and does not fail");
            }
        };
        self.lifecycle.stop(server, Duration::from_secs(1)).await;
    }
}

/// The real binary, reached through real sockets.
pub(super) struct Binary {
    process: Process,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Binary {
    pub(super) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let breaker = json!({ "failures": 3, "pause": "1s", "pause_max": "4s" });
        let config = json!({
            "listen": "127.0.0.1:0",
            "auth": { "secret": SECRET },
            "log": { "filter": "off" },
            "limits": settings(),
            "failover": { "breaker": breaker },
        });
        let config = toml::to_string(&config).expect("TOML");
        std::fs::write(folder.path().join("mcp-hub.toml"), config).expect("written");
        let process = Process::start(folder.path(), &["serve"], &[]).await;
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { process, http, _folder: folder }
    }

    /// The number of its process.
    pub(super) fn process(&self) -> u32 {
        self.process.id().unsigned_abs()
    }
}

impl Ground for Binary {
    fn net(&self) -> Net {
        let address = self.process.url().strip_prefix("http://").expect("a plain URL");
        Net::Tcp(address.parse().expect("an address"))
    }

    async fn standing(&self) -> Standing {
        let url = format!("{}/metrics", self.process.url());
        let answer = self.http.get(url).send().await.expect("an answer");
        let metrics = answer.text().await.expect("a text");
        // What is named so, whatever its labels are, taken together.
        let total = |name: &str| -> u64 {
            let samples = metrics.lines().filter_map(|line| line.rsplit_once(' '));
            let own = samples.filter(|(sample, _)| sample.split('{').next() == Some(name));
            own.map(|(_, value)| value.parse::<u64>().expect("a count")).sum()
        };
        Standing {
            users: total("mcp_hub_users"),
            providers: total("mcp_hub_providers"),
            sessions: total("mcp_hub_sessions"),
            in_flight: total("mcp_hub_calls_in_flight"),
            calls: total("mcp_hub_calls_total"),
        }
    }

    async fn end(self) {
        let ended = self.process.stopped().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}
