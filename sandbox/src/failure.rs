//! Every way in which a plugin cannot be loaded or a call has no result.

use std::time::Duration;

use super::{
    bounds::{Bounds, Refused},
    denials::Denial,
};

/// Why a component is kept out.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the file is empty")]
    Empty,
    #[error("this is no WebAssembly")]
    NotWasm,
    #[error("this WebAssembly is damaged: {0}")]
    Damaged(String),
    #[error(
        "this is a core module, not a component; build for wasm32-wasip2, or wrap it with \
         `wasm-tools component new`"
    )]
    CoreModule,
    #[error("it exports {export}, but this hub serves mcp-hub:plugin/tools@0.1")]
    OtherVersion { export: String },
    #[error(
        "it imports {}, which this hub does not have; there is wasi:*@0.2 and \
         mcp-hub:plugin/host@0.1",
        .imports.join(", ")
    )]
    UnknownImports { imports: Vec<String> },
    #[error("it does not fit its imports: {0}")]
    DoesNotLink(String),
    #[error("it offers no tools: {0}")]
    NoTools(String),
    #[error("its components nest deeper than {max} levels")]
    TooDeep { max: usize },
    #[error("its native code cannot be loaded: {0}")]
    Unloadable(String),
    #[error("list-tools failed: {0}")]
    Listing(Failure),
    #[error("list-tools says: {0}")]
    Unwilling(String),
    #[error("its tool {name:?} is faulty: {reason}")]
    Tool { name: String, reason: String },
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[error("{cause}{}", told(.denials))]
pub struct Failure {
    pub cause: Cause,
    /// What the guest was refused on the way.
    pub denials: Vec<Denial>,
}

/// What went wrong, if the guest did not say so itself.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    #[error("all {max} plugin instances are in use (plugins.instances)")]
    Busy { max: usize },
    #[error(
        "it ran out of time: {}s (plugins.time, or time in [limits] of its NAME.toml)",
        .0.as_secs_f32()
    )]
    OutOfTime(Duration),
    #[error(
        "it ran out of memory: {0} bytes (plugins.memory, or memory in [limits] of its NAME.toml)"
    )]
    OutOfMemory(usize),
    #[error("all plugins together have as much memory as they may (plugins.memory_total)")]
    OutOfBudget,
    #[error("it ran out of table elements")]
    OutOfTable,
    #[error(
        "it handed over more than {0} bytes at once (plugins.output, or output in [limits] of its NAME.toml)"
    )]
    TooMuchOutput(usize),
    #[error("it exited with code {0}")]
    Exited(i32),
    #[error("it broke down: {0}")]
    Trapped(String),
    #[error("it answered with something that is no result: {0}")]
    Faulty(String),
    #[error(transparent)]
    Said(CallError),
}

/// What a guest says itself of a call it does not answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("it has no tool {0:?}")]
    UnknownTool(String),
    #[error("{0}")]
    InvalidArguments(String),
    #[error("{0}")]
    Failed(String),
    #[error("it stopped as if the call had been cancelled")]
    Cancelled,
}

fn told(denials: &[Denial]) -> String {
    denials.iter().map(|denial| format!("; {denial}")).collect()
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, denials: Vec::new() }
    }
}

/// What is known of a guest beside the error it ended with.
pub(crate) struct Met<'a> {
    pub bounds: &'a Bounds,
    pub instances_max: usize,
    /// What it wanted more of than it may have.
    pub refused: Option<Refused>,
    /// What it wrote last.
    pub last_words: String,
}

impl Cause {
    /// Makes sense of what wasmtime reports.
    pub(crate) fn of(error: &wasmtime::Error, met: &Met<'_>) -> Self {
        if let Some(OutOfTime(time)) = error.downcast_ref() {
            return Self::OutOfTime(*time);
        }
        if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
            return Self::Exited(exit.0);
        }
        if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
            return Self::Busy { max: met.instances_max };
        }
        let innermost = error.root_cause().to_string();
        if innermost.contains("fuel allocated for hostcalls") {
            return Self::TooMuchOutput(met.bounds.output);
        }
        match met.refused {
            Some(Refused::Memory) => return Self::OutOfMemory(met.bounds.memory),
            Some(Refused::Budget) => return Self::OutOfBudget,
            Some(Refused::Table) => return Self::OutOfTable,
            None => {}
        }
        let what = match error.downcast_ref::<wasmtime::Trap>() {
            Some(wasmtime::Trap::StackOverflow) => "its calls nest too deep".to_owned(),
            Some(wasmtime::Trap::UnreachableCodeReached) => {
                "it reached code it holds to be unreachable".to_owned()
            }
            Some(trap) => trap.to_string(),
            None => innermost,
        };
        match met.last_words.as_str() {
            "" => Self::Trapped(what),
            words => Self::Trapped(format!("{what}; its last words: {words}")),
        }
    }
}

/// The error by which a guest is interrupted when its time is up.
#[derive(Debug, thiserror::Error)]
#[error("time is up")]
pub(crate) struct OutOfTime(pub Duration);
