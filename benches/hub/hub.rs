//! The real hub, as it is released, with room for a crowd that belongs to one user.

use std::{fs, process::Command};

use tempfile::TempDir;

use crate::child::Server;

/// These limits are per user, and here all are one.
const CONFIG: &str = "\
[limits]
calls_per_user = 256
providers_per_user = 1000
sessions_per_user = 1000
streams_per_user = 1000
";

/// Starts a hub; gives its port, too.
pub(crate) async fn start() -> anyhow::Result<(Server, u16)> {
    let folder: TempDir = tempfile::tempdir()?;
    let config = folder.path().join("mcp-hub.toml");
    fs::write(&config, CONFIG)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-hub"));
    command.arg("serve").args(["--listen", "127.0.0.1:0"]).arg("--config").arg(config);
    let mut server = Server::start(command)?;
    let port = server.port_of("/mcp").await?;
    Ok((server, port))
}
