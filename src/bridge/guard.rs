//! `mcp-hub guard`: the process between a bridge and a server it starts, which sees to it that
//! nothing of the server outlives the bridge, however that ends.
//!
//! A bridge that is killed cannot tidy up, but its end of a pipe closes: the guard hands on what
//! comes through that pipe, and when it ends takes down the whole process group it leads.

use std::{ffi::OsString, io::Write, process::ExitCode, process::Stdio};

use rustix::process::{Signal, getpgrp, getpid, kill_process_group};
use tokio::{
    io::{AsyncWriteExt, copy, stdin},
    process::Command,
    select,
    signal::unix::{SignalKind, signal},
    time::{Duration, timeout},
};

/// How long a server may take to end when its input has ended, and again when it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// Runs `command` until it ends or our own input does.
pub async fn run(command: &[OsString]) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        anyhow::bail!("there is no command to run");
    };
    // Signals to the group are for the others in it; what ends this process is the end of its input.
    let (_terminate, _interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut server = Command::new(program);
    server.args(arguments).stdin(Stdio::piped());
    let mut server = match server.spawn() {
        Ok(server) => server,
        Err(error) => {
            say(&format!("cannot start {}: {error}", program.display()));
            return Ok(ExitCode::from(127));
        }
    };
    let mut input = server.stdin.take();
    let hand_on = async {
        if let Some(input) = &mut input {
            // A server that has closed its input may still have something to say.
            if copy(&mut stdin(), input).await.is_err() {
                std::future::pending::<()>().await;
            }
            input.shutdown().await.ok();
        }
    };
    let status = select! {
        status = server.wait() => Some(status?),
        () = hand_on => None,
    };
    drop(input);
    match status {
        Some(status) => say(&format!("the server ended: {status}")),
        None => {
            if timeout(GRACE, server.wait()).await.is_err() {
                end_group(Signal::TERM);
                timeout(GRACE, server.wait()).await.ok();
            }
        }
    }
    // The server may have left children behind. This ends the guard as well.
    end_group(Signal::KILL);
    Ok(ExitCode::SUCCESS)
}

/// Sends `signal` to all processes of the group, if this one leads it; else it was started by hand,
/// and the group is somebody else's.
fn end_group(signal: Signal) {
    let group = getpgrp();
    if group == getpid() {
        kill_process_group(group, signal).ok();
    }
}

fn say(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
