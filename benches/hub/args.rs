//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Measures the hub beside the same work done without one, and its memory.
#[derive(Parser)]
pub(crate) struct Args {
    /// Short rounds: half a minute in all, for a first look
    #[arg(long)]
    quick: bool,
    /// Only what has this in its name: list-10, list-1000, call, dashboards, users, memory, crowd,
    /// registrations, plugin-wat, plugin-rust, plugin-js, plugin-loading, plugin-compiling,
    /// plugin-spinning
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Where the plugins are that `plugins/build` makes: time.wasm, query.wasm
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins"))]
    pub(crate) plugins: PathBuf,
    /// A component that takes long to compile [default: statistics.wasm among the plugins]
    #[arg(long, value_name = "FILE")]
    big: Option<PathBuf>,
    /// `cargo bench` passes this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// A server this program becomes when it starts itself again.
#[derive(Subcommand)]
#[command(hide = true)]
pub(crate) enum Role {
    Fixed { answer: PathBuf },
    Hold,
    Relay,
    Provider { port: u16, tools: usize, users: Option<usize> },
    Watch { port: u16, dashboards: usize },
}

/// How long and how often to measure.
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) round: Duration,
    /// How many sessions, streams and providers to spread the memory of the hub over.
    pub(crate) crowd: usize,
    /// How many streams to hold open at once.
    pub(crate) streams: usize,
    /// For how many users providers register.
    pub(crate) users: usize,
    /// How often what takes seconds is done.
    pub(crate) repeats: usize,
}

impl Args {
    pub(crate) fn pace(&self) -> Pace {
        // Many short rounds: a neighbour's burst of work spoils a few of them, not the medians.
        Pace {
            rounds: if self.quick { 5 } else { 15 },
            warm_up: Duration::from_millis(if self.quick { 30 } else { 100 }),
            round: Duration::from_millis(if self.quick { 200 } else { 500 }),
            crowd: if self.quick { 100 } else { 500 },
            streams: if self.quick { 1_000 } else { 10_000 },
            users: if self.quick { 50 } else { 200 },
            repeats: if self.quick { 3 } else { 7 },
        }
    }

    pub(crate) fn big(&self) -> PathBuf {
        self.big.clone().unwrap_or_else(|| self.plugins.join("statistics.wasm"))
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }
}
