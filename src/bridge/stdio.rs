//! A link to a server that is a process of ours: one message a line, in and out.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use bytestring::ByteString;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    task::JoinSet,
    time::{Duration, timeout},
};

use tracing::Instrument;

use super::link::{DEPTH_MAX, Event, Fault, Link, MESSAGE_BYTES_MAX, Outgoing};
use crate::{
    config,
    provider::remote::frame::{self, Incoming},
};

/// What of one line of a server's log is kept, in bytes.
const LOG_LINE_BYTES_MAX: usize = 8 * 1024;
/// What of a line that is no message is told, in bytes.
const NOISE_BYTES_MAX: usize = 200;
/// How long the server and everything it started may take to end; the guard takes less.
const ENDING_TIME: Duration = Duration::from_secs(6);

/// A command that starts a server.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub command: OsString,
    pub arguments: Vec<OsString>,
    /// Added to the bridge's own environment.
    pub environment: BTreeMap<String, String>,
    pub folder: Option<PathBuf>,
}

/// Starts `program` behind a guard, which is the binary at `guard`.
pub(super) fn start(program: &Program, guard: &Path) -> io::Result<Link> {
    let mut command = Command::new(guard);
    command.arg("guard").arg("--").arg(&program.command).args(&program.arguments);
    // A server is somebody else's: the token is the bridge's alone.
    config::own_variables().for_each(|name| {
        command.env_remove(name);
    });
    command.envs(&program.environment).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(folder) = &program.folder {
        command.current_dir(folder);
    }
    let mut child = command.spawn()?;
    let (Some(input), Some(output), Some(log)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the server has no pipes"));
    };
    let (mut link, outgoing, events) = Link::new(JoinSet::new());
    let tasks = link.tasks();
    tasks.spawn(write(input, outgoing).in_current_span());
    tasks.spawn(follow(log).in_current_span());
    tasks.spawn(read(output, child, events).in_current_span());
    Ok(link)
}

/// Takes what is to be said to the server's input, until there is nothing more.
async fn write(mut input: ChildStdin, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(message) = outgoing.recv().await {
        let mut line = match message {
            Outgoing::Request { json, .. }
            | Outgoing::Notification { json }
            | Outgoing::Answer { json } => json,
            Outgoing::Cancel { id, reason } => frame::cancelled(id, reason),
            Outgoing::Settled { .. } => continue,
        };
        one_line(&mut line);
        if let Err(error) = input.write_all(line.as_bytes()).await {
            // Its output ends too, and tells what is to be told.
            tracing::debug!(%error, "the server does not take its input");
            return;
        }
    }
}

/// JSON may be written over several lines; a message may not (MCP, stdio transport).
fn one_line(json: &mut String) {
    if json.contains(['\n', '\r']) {
        // Within strings line ends are escaped, so these are blanks between tokens.
        *json = json.replace(['\n', '\r'], " ");
    }
    json.push('\n');
}

/// Reads the server's messages until it ends, then waits for the end of all it started.
async fn read(output: impl AsyncRead + Unpin, mut child: Child, events: mpsc::Sender<Event>) {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let end_group = || group.map(|group| kill_process_group(group, Signal::KILL));
    let messages = messages(BufReader::new(output), &events);
    tokio::pin!(messages);
    let why = tokio::select! {
        why = &mut messages => why,
        // The guard is gone, and by itself it goes last: it was killed, and could not tidy up.
        _ = child.wait() => {
            end_group();
            // What was said before is still in the pipe.
            let rest = timeout(ENDING_TIME, &mut messages).await;
            rest.unwrap_or_else(|_elapsed| "its guard was killed".into())
        }
        // Nobody listens any more: the input has ended, and the server is to go.
        () = events.closed() => String::new(),
    };
    if timeout(ENDING_TIME, child.wait()).await.is_err() {
        end_group();
        child.wait().await.ok();
    }
    events.send(Event::Ended(why)).await.ok();
}

/// Hands on message after message; returns why there are no more.
async fn messages(mut output: impl AsyncBufRead + Unpin, events: &mpsc::Sender<Event>) -> String {
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
        let read = (&mut output).take(limit).read_until(b'\n', &mut line).await;
        match read {
            Ok(0) => return "it closed its output".into(),
            Err(error) => return format!("its output cannot be read: {error}"),
            Ok(_) if line.len() >= MESSAGE_BYTES_MAX => {
                return format!("it sent a message of more than {MESSAGE_BYTES_MAX} bytes");
            }
            Ok(_) => {}
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let event = match message(text) {
            Ok(message) => Event::Said { on: None, message },
            Err(reason) => match answered(text) {
                // Whoever waits for it is told at once, rather than when time is up.
                Some(id) => Event::Unanswered { id, fault: Fault { reason, may_have_run: true } },
                // Some print a greeting, or what they should have logged.
                None => {
                    let start = String::from_utf8_lossy(&text[..text.len().min(NOISE_BYTES_MAX)]);
                    let line = start.escape_debug();
                    tracing::warn!(%reason, %line, "not a message of MCP");
                    continue;
                }
            },
        };
        if events.send(event).await.is_err() {
            return String::new();
        }
    }
}

fn message(line: &[u8]) -> Result<Incoming, String> {
    let text = ByteString::try_from(line).map_err(|_invalid| "it is not UTF-8".to_owned())?;
    Incoming::parse(&text, DEPTH_MAX).map_err(|fault| fault.to_string())
}

/// The request that `line` would answer, if it were as it should be.
fn answered(line: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Answer {
        id: u64,
    }
    serde_json::from_slice::<Answer>(line).ok().map(|answer| answer.id)
}

/// Logs what the server writes to its log.
async fn follow(log: impl AsyncRead + Unpin) {
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(LOG_LINE_BYTES_MAX).unwrap_or(u64::MAX);
        match (&mut log).take(limit).read_until(b'\n', &mut line).await {
            Ok(1..) => {
                let text = String::from_utf8_lossy(line.trim_ascii());
                if !text.is_empty() {
                    tracing::info!(target: "server", "{}", text.escape_debug());
                }
            }
            Ok(0) | Err(_) => return,
        }
    }
}
