//! `mcp-hub plugin`: what the author of a plugin needs.

mod call;
mod check;
mod compile;
mod new;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};

use crate::{
    app,
    config::{self, Config},
    provider::plugin::{Fault, Loaded, Loader},
};

#[derive(Subcommand)]
pub(super) enum PluginCommand {
    /// Write a project that builds as it stands
    New(new::NewArgs),
    /// Load a file as the hub would, and tell what it is or what is wrong
    Check(check::CheckArgs),
    /// Run one tool of a file, without a hub
    Call(call::CallArgs),
    /// What the hub starts for each file: makes native code of stdin
    #[command(hide = true)]
    Compile(compile::CompileArgs),
}

/// Which file, and under which settings.
#[derive(Args)]
struct FileArgs {
    /// The plugin; what it may do is read from the NAME.toml beside it
    file: PathBuf,
    /// The settings; mcp-hub.toml is read if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) async fn run(command: PluginCommand) -> anyhow::Result<ExitCode> {
    match command {
        PluginCommand::New(args) => new::run(&args),
        PluginCommand::Check(args) => check::run(&args).await,
        PluginCommand::Call(args) => call::run(&args).await,
        PluginCommand::Compile(args) => compile::run(&args),
    }
}

impl FileArgs {
    /// The hub's settings, and what it takes plugins in with.
    fn loader(&self, change: impl FnOnce(&mut Config)) -> anyhow::Result<(Config, Loader)> {
        let flags = config::Flags { config: self.config.clone(), ..config::Flags::default() };
        let mut config = config::load(&flags)?;
        change(&mut config);
        let loader = app::loader(&config, Arc::new(config.limits.clone()))?;
        Ok((config, loader))
    }

    async fn load(&self, loader: &Loader) -> Result<Loaded, Fault> {
        loader.load(&self.file, &self.file.with_extension("toml")).await
    }
}
