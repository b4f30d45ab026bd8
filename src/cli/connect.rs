//! `mcp-hub connect`: offers MCP servers that are there already to a hub.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueHint};
use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use rustix::fs::{Access, access};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::HubArgs;
use crate::{
    app,
    bridge::{
        Bridge, Ended, http,
        selection::{self, Selection},
        servers::{self, Server, Target},
        stdio::Program,
    },
    config,
    provider_client::{Builder, ProviderClient, Refused},
    telemetry,
};

const HELP: &str = "\
Examples:
  mcp-hub connect -- npx -y @modelcontextprotocol/server-everything
  mcp-hub connect --server https://example.com/mcp --server-token \"$TOKEN\"
  mcp-hub connect --config ~/.cursor/mcp.json --prefix '{server}_'
  mcp-hub connect --allow 'read_*' --deny '*_secret' -- my-server --stdio

The servers' tools are listed by the hub under their own names, and calls, progress, log messages, \
cancellation and questions to the client pass through. A server that ends is started again, after \
growing pauses; its log goes to this one's, on stderr. A server that is started lives no longer \
than this command, however that ends.

Exit codes:
  0    stopped with Ctrl-C or SIGTERM
  2    the command line, the file or a command in it is faulty
  4    the hub refused the token or the tools";

#[derive(Args)]
#[command(after_help = HELP, override_usage = "mcp-hub connect [OPTIONS] -- COMMAND…
       mcp-hub connect [OPTIONS] --server URL
       mcp-hub connect [OPTIONS] --config FILE")]
#[group(id = "what", required = true, multiple = false, args = ["command", "server", "config"])]
pub(super) struct ConnectArgs {
    /// The command that starts a server speaking over stdin and stdout
    #[arg(last = true, value_name = "COMMAND", num_args = 1..)]
    command: Vec<OsString>,
    /// The URL of a server speaking Streamable HTTP
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// A file as clients have it: `mcpServers` of Claude and Cursor, `servers` of VS Code
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// A header to show to the server, as 'NAME: VALUE'; may be given again
    #[arg(long, value_name = "HEADER", requires = "server")]
    header: Vec<String>,
    /// The bearer token to show to the server
    #[arg(long, value_name = "TOKEN", requires = "server")]
    #[arg(env = "MCP_HUB_SERVER_TOKEN", hide_env_values = true)]
    server_token: Option<String>,
    /// What the hub calls the server [default: what it calls itself]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    name: Option<String>,
    /// Put before the name of each tool; {server} stands for the server's name
    #[arg(long, default_value = "", hide_default_value = true, value_parser = selection::prefix)]
    prefix: String,
    /// Offer only tools whose names match; * stands for anything; may be given again
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    allow: Vec<String>,
    /// Do not offer tools whose names match
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    deny: Vec<String>,
    /// What is logged: a level, or directives such as info,mcp_hub::bridge=debug
    #[arg(long, value_name = "FILTER", env = "MCP_HUB_LOG__FILTER", default_value = "info")]
    log: String,
    #[command(flatten)]
    hub: HubArgs,
}

pub(super) async fn run(args: ConnectArgs) -> anyhow::Result<ExitCode> {
    let (servers, hub) = match (servers(&args), hub(&args.hub)) {
        (Ok(servers), Ok(hub)) => (servers, hub),
        (Err(fault), _) | (_, Err(fault)) => {
            super::terminal::say(&format!("error: {fault:#}"));
            return Ok(ExitCode::from(2));
        }
    };
    let options = telemetry::Options { filter: args.log, ..telemetry::Options::default() };
    let _logs = telemetry::log(&options)?;
    let selection = Selection { allow: args.allow, deny: args.deny, prefix: args.prefix };
    let bridge = Bridge { hub, selection, guard: app::own_program()? };
    let stop = CancellationToken::new();
    let mut offers = JoinSet::new();
    for server in servers {
        let (bridge, stop) = (bridge.clone(), stop.clone());
        let span = tracing::info_span!("connect", server = server.label);
        offers.spawn(async move { bridge.offer(&server, &stop).await }.instrument(span));
    }
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut refused = None;
    loop {
        tokio::select! {
            // Whoever asks twice is in a hurry.
            Some(()) = interrupt.recv() => if stop.is_cancelled() { break } else { stop.cancel() },
            Some(()) = terminate.recv() => if stop.is_cancelled() { break } else { stop.cancel() },
            ended = offers.join_next() => match ended {
                Some(Ok(Ended::Stopped)) => {}
                Some(Ok(Ended::Refused(why))) => {
                    tracing::error!("{why}");
                    // What is wrong with the token is wrong for all.
                    if matches!(why, Refused::Token(_) | Refused::Forbidden(_)) {
                        stop.cancel();
                    }
                    refused = Some(why);
                }
                Some(Err(broke_down)) => return Err(broke_down.into()),
                None => break,
            }
        }
    }
    match refused {
        Some(why) => {
            super::terminal::say(&format!("error: {why}"));
            Ok(ExitCode::from(4))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

fn hub(args: &HubArgs) -> anyhow::Result<Builder> {
    let builder = ProviderClient::builder(args.url.as_str())?;
    Ok(match &args.token {
        Some(token) if !token.is_empty() => builder.token(token),
        _ => builder,
    })
}

fn servers(args: &ConnectArgs) -> anyhow::Result<Vec<Server>> {
    let servers = match (&args.config, &args.server) {
        (Some(file), _) => from_file(file)?,
        (None, Some(url)) => vec![over_http(args, url)?],
        (None, None) => vec![from_command(args)?],
    };
    for server in &servers {
        if let Target::Program(program) = &server.target {
            startable(program).with_context(|| format!("server {:?}", server.label))?;
        }
    }
    Ok(servers)
}

fn from_file(file: &Path) -> anyhow::Result<Vec<Server>> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    let workspace = workspace(file)?;
    let variable = |name: &str| match name {
        "userHome" => config::variable("HOME"),
        "workspaceFolder" => Some(workspace.to_string_lossy().into_owned()),
        name => config::variable(name),
    };
    let servers = servers::read(&text, &variable).with_context(|| format!("{name}"))?;
    if servers.is_empty() {
        bail!("{name} has no servers, or all of them are disabled");
    }
    Ok(servers)
}

/// The folder that a client would have open which keeps its servers in `file`.
fn workspace(file: &Path) -> anyhow::Result<PathBuf> {
    let file = std::path::absolute(file)?;
    let folder = file.parent().unwrap_or(&file);
    let is_clients = [".vscode", ".cursor"].iter().any(|name| folder.ends_with(name));
    Ok(folder.parent().filter(|_| is_clients).unwrap_or(folder).to_owned())
}

fn from_command(args: &ConnectArgs) -> anyhow::Result<Server> {
    let (command, arguments) = args.command.split_first().context("there is no command")?;
    let stem = Path::new(command).file_stem().unwrap_or(command).to_string_lossy();
    let target = Target::Program(Program {
        command: command.clone(),
        arguments: arguments.to_vec(),
        ..Program::default()
    });
    Ok(Server { label: stem.into_owned(), name: args.name.clone(), target })
}

fn over_http(args: &ConnectArgs, url: &Url) -> anyhow::Result<Server> {
    servers::check_url(url, "--header").map_err(|fault| anyhow!("--server: {fault}"))?;
    let mut headers = HeaderMap::new();
    let mut add = |(name, value): (HeaderName, HeaderValue)| headers.append(name, value);
    for header in &args.header {
        let (name, value) =
            header.split_once(':').ok_or_else(|| anyhow!("--header wants 'NAME: VALUE'"))?;
        add(servers::header(name, value).map_err(|fault| anyhow!(fault))?);
    }
    if let Some(token) = args.server_token.as_ref().filter(|token| !token.is_empty()) {
        let value = format!("Bearer {}", token.trim());
        add(servers::header(AUTHORIZATION.as_str(), &value).map_err(|fault| anyhow!(fault))?);
    }
    let label = url.host_str().unwrap_or_default().to_owned();
    let target = Target::Http(http::Target { url: url.clone(), headers });
    Ok(Server { label, name: args.name.clone(), target })
}

/// Whether `program` is there to be started: better said at once than again and again.
fn startable(program: &Program) -> anyhow::Result<()> {
    let is_open = |path: &Path| access(path, Access::EXEC_OK).is_ok();
    if let Some(folder) = &program.folder {
        if !folder.is_dir() {
            bail!("the `cwd` {} is no folder", folder.display());
        }
        if !is_open(folder) {
            bail!("the `cwd` {} may not be entered", folder.display());
        }
    }
    let folder = program.folder.as_deref().unwrap_or(Path::new("."));
    let command = Path::new(&program.command);
    let is_path = command.components().count() > 1;
    let places = if is_path {
        vec![folder.to_owned()]
    } else {
        let own = program.environment.get("PATH").cloned();
        let path = own.or_else(|| config::variable("PATH")).unwrap_or_default();
        std::env::split_paths(&path).map(|place| folder.join(place)).collect()
    };
    let files = places.iter().map(|place| place.join(command)).filter(|path| path.is_file());
    let files: Vec<_> = files.collect();
    let fault = match (files.iter().any(|file| is_open(file)), is_path) {
        (true, _) => return Ok(()),
        (false, _) if !files.is_empty() => "is a file that may not be executed",
        (false, true) => "is no file",
        (false, false) => "is not on the PATH",
    };
    bail!("the command {} {fault}", command.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_workspace_is_where_the_clients_folder_is() {
        let check = |file: &str, folder: &str| {
            assert_eq!(workspace(Path::new(file)).expect("a folder"), Path::new(folder), "{file}");
        };
        check("/home/ada/project/.vscode/mcp.json", "/home/ada/project");
        check("/home/ada/project/.cursor/mcp.json", "/home/ada/project");
        check("/home/ada/project/.mcp.json", "/home/ada/project");
    }

    #[test]
    fn what_cannot_be_started_is_known_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, mode) in [("bin/run", 0o755), ("bin/text", 0o644), ("more/text", 0o755)] {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("room");
            fs::write(&file, "").expect("room");
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("ours");
        }
        let check = |command: &str, cwd: &str, path: &str, expected: &str| {
            let program = Program {
                command: command.into(),
                environment: [("PATH".to_owned(), path.to_owned())].into(),
                folder: Some(folder.path().join(cwd)),
                ..Program::default()
            };
            let told = startable(&program).map_or_else(|fault| fault.to_string(), |()| "".into());
            assert!(told.ends_with(expected), "{command} in {cwd}: {told}");
            assert_eq!(told.is_empty(), expected.is_empty(), "{command} in {cwd}: {told}");
        };
        let bin = folder.path().join("bin").display().to_string();
        let both = format!("{bin}:{}", folder.path().join("more").display());
        check("run", ".", &bin, "");
        check("text", ".", &bin, "the command text is a file that may not be executed");
        check("text", ".", &both, "");
        check("text", ".", "bin:more", "");
        check("bin", ".", &folder.path().display().to_string(), "bin is not on the PATH");
        check("gone", ".", &bin, "the command gone is not on the PATH");
        check("./run", "bin", "", "");
        check("./text", "bin", "", "the command ./text is a file that may not be executed");
        check("./gone", "bin", "", "the command ./gone is no file");
        check("run", "gone", &bin, "/gone is no folder");
        check("run", "bin/run", &bin, "/bin/run is no folder");
    }
}
