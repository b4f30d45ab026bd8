//! `mcp-hub plugin compile`: the process in which the hub has a plugin compiled.
//!
//! Wasm comes on stdin, native code goes to stdout. The process bounds itself before it reads
//! anything: a compiler cannot be interrupted from within, but it can be killed.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

use clap::Args;
use mcp_hub_sandbox::Layout;
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};

use crate::cli::terminal;

/// It gives way to everybody.
const NICENESS: i32 = 19;
/// The most native code one plugin can become, in bytes.
const OUTPUT_BYTES_MAX: u64 = 2 << 30;
/// Threads that may count towards the processor time at once.
const THREADS: u64 = 64;

#[derive(Args)]
pub(in crate::cli) struct CompileArgs {
    #[arg(long)]
    layout: Layout,
    /// In bytes
    #[arg(long)]
    memory: u64,
    /// In seconds
    #[arg(long)]
    time: u64,
}

pub(in crate::cli) fn run(args: &CompileArgs) -> anyhow::Result<ExitCode> {
    setpriority_process(None, NICENESS)?;
    // Not the address space: allocators reserve more of it than they use.
    bound(Resource::Data, args.memory)?;
    // The hub keeps the time; this is for a compiler whose hub was killed.
    bound(Resource::Cpu, args.time.saturating_mul(THREADS))?;
    bound(Resource::Fsize, OUTPUT_BYTES_MAX)?;
    bound(Resource::Core, 0)?;
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm)?;
    match mcp_hub_sandbox::compile(&wasm, args.layout) {
        Ok(native) => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&native)?;
            stdout.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            terminal::say(&refusal);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn bound(resource: Resource, max: u64) -> std::io::Result<()> {
    let max = Some(max);
    Ok(setrlimit(resource, Rlimit { current: max, maximum: max })?)
}
