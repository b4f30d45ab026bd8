//! `mcp-hub token`: signs a token with the configured secret.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;

use super::terminal;
use crate::{
    auth::{Scope, Signer},
    config,
    model::{clock::UnixTime, id::UserId},
};

const HELP: &str = "\
The token alone goes to stdout, so that it can be caught:
  export MCP_HUB_TOKEN=$(mcp-hub token --user alice --ttl 12h)

Scopes:
  mcp:tools    list and call tools
  mcp:provide  connect a provider
  hub:admin    see the plugins of all users

The secret is `secret` under [auth] in the configuration, or MCP_HUB_AUTH__SECRET.";

const NO_SECRET: &str = "\
there is no secret to sign with: name one as `secret` under [auth] in the configuration, or as \
MCP_HUB_AUTH__SECRET; without one the hub asks for no tokens";

const OTHERS_SIGN: &str = "\
there is no secret to sign with: this hub has only public keys, which verify the tokens of others; \
get one from the issuer that has the private key, or name a secret of the hub's own as `secret` \
under [auth] in the configuration";

#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct TokenArgs {
    /// Whom the token speaks for: tools are listed and offered per user
    #[arg(long, value_name = "SUB", value_parser = user)]
    user: UserId,
    /// What it permits, separated by blanks
    #[arg(long, default_value = "mcp:tools mcp:provide", value_parser = scope)]
    scope: String,
    /// How long it lasts, such as 12h or 30d
    #[arg(long, default_value = "30d", value_name = "TIME")]
    #[arg(value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// The settings with the secret; mcp-hub.toml is read if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &TokenArgs) -> anyhow::Result<ExitCode> {
    let flags = config::Flags { config: args.config.clone(), ..config::Flags::default() };
    let config = config::load(&flags).context("failed to read the configuration")?;
    let Some(signer) = Signer::new(&config.auth, config.resource()?.as_ref()) else {
        bail!(if config.auth.is_on() { OTHERS_SIGN } else { NO_SECRET });
    };
    terminal::print(&signer.sign(&args.user, Some(&args.scope), args.ttl, UnixTime::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn user(subject: &str) -> Result<UserId, &'static str> {
    UserId::parse(subject).ok_or("it is empty, too long or has control characters")
}

/// A scope that is misspelt would only be noticed when the hub refuses the token.
fn scope(scopes: &str) -> Result<String, String> {
    let known = Scope::ALL.map(Scope::as_str);
    match scopes.split_whitespace().find(|scope| !known.contains(scope)) {
        Some(unknown) => Err(format!("{unknown} is none of {}", known.join(", "))),
        None => Ok(scopes.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}
