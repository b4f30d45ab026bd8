//! The real hub, as it is released, with room for a crowd that belongs to one user.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::{ask::get, child::Server, http::Connection, user::SECRET};

/// These limits are per user or per address, and here all are one. Whoever fails on purpose is not
/// left alone.
const LIMITS: &str = "\
[limits]
connections_per_address = 20000
calls_per_user = 256
calls_per_second = 4000000000
calls_burst = 4000000000
providers_per_user = 1000
sessions_per_user = 20000
streams_per_user = 20000
[failover.breaker]
failures = 1000000
";

/// How long plugins may take to be compiled, one after another.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// How often is looked whether they are.
const GLANCE: Duration = Duration::from_millis(2);

/// Starts a hub without plugins; gives its port, too.
pub(crate) async fn start() -> anyhow::Result<(Server, u16)> {
    Home::new()?.start().await
}

/// What a hub reads and writes, which one after another may have.
pub(crate) struct Home(TempDir);

impl Home {
    /// Of a hub that knows one user.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Self::with("")
    }

    /// Of a hub that tells users apart.
    pub(crate) fn with_users() -> anyhow::Result<Self> {
        Self::with(&format!("[auth]\nsecret = {SECRET:?}\n"))
    }

    fn with(auth: &str) -> anyhow::Result<Self> {
        let home = Self(tempfile::tempdir()?);
        fs::create_dir(home.plugins())?;
        let [plugins, cache] = [home.plugins(), home.path().join("cache")];
        let config = format!("{LIMITS}{auth}[plugins]\nfolder = {plugins:?}\ncache = {cache:?}\n");
        fs::write(home.path().join("mcp-hub.toml"), config)?;
        Ok(home)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// Writes a plugin in another place, and puts it into its own in one step.
    pub(crate) fn put(&self, name: &str, wasm: &[u8]) -> io::Result<()> {
        let elsewhere = self.path().join("unfinished");
        fs::write(&elsewhere, wasm)?;
        fs::rename(elsewhere, self.plugins().join(format!("{name}.wasm")))
    }

    pub(crate) fn permit(&self, name: &str, manifest: &str) -> io::Result<()> {
        fs::write(self.plugins().join(format!("{name}.toml")), manifest)
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.plugins().join(format!("{name}.wasm")))
    }

    /// Starts a hub; gives its port, too.
    pub(crate) async fn start(&self) -> anyhow::Result<(Server, u16)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-hub"));
        command.arg("serve").args(["--listen", "127.0.0.1:0"]);
        command.arg("--config").arg(self.path().join("mcp-hub.toml"));
        let mut server = Server::start(command)?;
        let port = server.port_of("/mcp").await?;
        Ok((server, port))
    }
}

/// Waits until the plugins that were there at the start are served or kept out.
pub(crate) async fn ready(port: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asked = Connection::open(port).await?.exchange(&get(port, "/readyz")).await.map(drop);
        match asked {
            Ok(()) => return Ok(()),
            Err(_not_yet) if Instant::now() < deadline => sleep(GLANCE).await,
            Err(error) => return Err(error).context("the plugins were never ready"),
        }
    }
}

/// How the plugins fare, in the words of the hub.
pub(crate) async fn plugins(port: u16) -> anyhow::Result<Vec<Value>> {
    let mut connection = Connection::open(port).await?;
    let answer = connection.exchange(&get(port, "/api/v1/plugins")).await?;
    let mut answer: Value = serde_json::from_slice(answer)?;
    let plugins = answer["plugins"].as_array_mut().context("an answer without plugins")?;
    Ok(std::mem::take(plugins))
}

/// How the plugin `name` fares; null if it is not known.
pub(crate) async fn status(port: u16, name: &str) -> anyhow::Result<Value> {
    let known = plugins(port).await?.into_iter().find(|plugin| plugin["name"] == name);
    Ok(known.unwrap_or_default())
}

/// Waits until the plugin `name` is in this state.
pub(crate) async fn is(port: u16, name: &str, state: &str) -> anyhow::Result<()> {
    let look = async {
        while status(port, name).await?["state"] != state {
            sleep(GLANCE).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, look).await.with_context(|| format!("{name} was never {state}"))?
}
