//! The command line: what can be typed, and who does it.

mod answer;
mod call;
mod connect;
mod failure;
mod mcp;
mod plugin;
mod progress;
mod render;
mod terminal;
mod token;
mod tools;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use reqwest::Url;

use self::failure::Failure;
use crate::{bridge::guard, config};

// Each paragraph is one line: clap breaks lines where the terminal ends.
const ABOUT: &str = "One MCP endpoint for every tool.

A model's client is given one URL, once. Programs that offer tools dial in behind it, come and go, \
and the hub passes each call on to one of them. Without a command the hub is started, on \
http://127.0.0.1:8080.";

const EXAMPLES: &str = "\
Examples:
  mcp-hub                                        start a hub for this machine
  mcp-hub --config hub.toml --listen 0.0.0.0:80  start one for others
  mcp-hub token --user alice                     sign a token with the hub's secret
  mcp-hub tools                                  see what the hub offers
  mcp-hub call greet '{\"name\":\"Ada\"}'            call a tool
  mcp-hub connect -- npx -y some-mcp-server      offer a server you have to the hub

`mcp-hub COMMAND --help` has the options and exit codes of each command.";

/// One MCP endpoint for every tool
#[derive(Parser)]
#[command(name = "mcp-hub", version, long_about = ABOUT, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Start the hub (what happens without a command, too)
    Serve(ServeArgs),
    /// Sign a token for a user with the configured secret
    Token(token::TokenArgs),
    /// List the tools a running hub offers
    Tools(tools::ToolsArgs),
    /// Call a tool of a running hub
    Call(call::CallArgs),
    /// Offer an MCP server that is there already to a hub
    Connect(Box<connect::ConnectArgs>),
    /// Write, check and try plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Run a command whose processes end with our input; `connect` starts servers by it
    #[command(hide = true)]
    Guard {
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

#[derive(Args)]
struct ServeArgs {
    /// The settings; mcp-hub.toml is read if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, such as 127.0.0.1:8080
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The folder of plugins [default: plugins]
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// The address the world knows, when a proxy stands in front
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Listen beyond this machine without asking for tokens
    #[arg(long)]
    allow_anonymous: bool,
}

/// Which hub to talk to, and as whom.
#[derive(Args)]
struct HubArgs {
    /// The hub, with or without the /mcp at the end
    #[arg(long, env = "MCP_HUB_URL", default_value = "http://127.0.0.1:8080")]
    #[arg(value_parser = mcp::endpoint)]
    url: Url,
    /// The token to show to the hub
    // A plain string: clap would repeat a value it refuses, and this one is a secret.
    #[arg(long, env = "MCP_HUB_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// Reads the command line; a faulty one, `--help` and `--version` end the process here.
pub fn parse() -> Cli {
    Cli::parse()
}

pub async fn run(cli: Cli) -> ExitCode {
    let ending = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => {
            crate::app::serve_until_signalled(args.into()).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Token(args) => token::run(&args),
        Command::Tools(args) => tools::run(&args).await,
        Command::Call(args) => call::run(&args).await,
        Command::Connect(args) => connect::run(*args).await,
        Command::Plugin(command) => plugin::run(command).await,
        Command::Guard { command } => guard::run(&command).await,
    };
    ending.unwrap_or_else(|error| {
        terminal::say(&format!("error: {error:#}"));
        error.downcast_ref::<Failure>().map_or(ExitCode::FAILURE, Failure::exit_code)
    })
}

impl From<ServeArgs> for config::Flags {
    fn from(args: ServeArgs) -> Self {
        Self {
            config: args.config,
            listen: args.listen,
            public_url: args.public_url,
            allow_anonymous: args.allow_anonymous,
            plugins: config::PluginFlags { folder: args.plugins },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parsed(line: &str) -> Option<Cli> {
        Cli::try_parse_from(line.split(' ')).ok()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_may_be_left_out() {
        let long = "mcp-hub serve --listen 127.0.0.1:9 --allow-anonymous --config a.toml";
        for line in [long, &long.replace(" serve", "")] {
            let cli = parsed(line).expect(line);
            let Some(Command::Serve(args)) = cli.command.or(Some(Command::Serve(cli.serve))) else {
                panic!("{line} serves");
            };
            let flags = config::Flags::from(args);
            assert_eq!(flags.listen, Some(([127, 0, 0, 1], 9).into()));
            assert_eq!(flags.config, Some("a.toml".into()));
            assert!(flags.allow_anonymous);
        }
        assert!(
            parsed("mcp-hub --listen 127.0.0.1:9 tools").is_none(),
            "a flag of another command"
        );
    }

    #[test]
    fn a_token_needs_a_user_and_has_defaults_for_the_rest() {
        assert!(parsed("mcp-hub token").is_none());
        assert!(parsed("mcp-hub token --user a").is_some());
        assert!(parsed("mcp-hub token --user a --ttl 12h --scope mcp:tools").is_some());
        assert!(parsed("mcp-hub token --user a --ttl soon").is_none());
        assert!(parsed("mcp-hub token --user a --scope mcp:tool").is_none());
    }
}
