//! A link to a server that is a process of ours: one message a line, in and out.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use bytestring::ByteString;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt,
        BufReader,
    },
    process::{Child, Command},
    sync::mpsc,
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
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
/// What of the start and of the end of a message that is too long is kept, in bytes: more than there
/// can be around its result.
const EDGE_BYTES: usize = 256;
/// How long the server and everything it started may take to end; the guard takes less.
const ENDING_TIME: Duration = Duration::from_secs(6);
/// How long what is in a pipe is still read or written when the process at its other end has gone or
/// is to go: somebody else may hold that end.
const REST_TIME: Duration = Duration::from_millis(300);

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
    let (closing, ended) = (CancellationToken::new(), CancellationToken::new());
    let tasks = link.tasks();
    tasks.spawn(until(closing.clone(), write(input, outgoing)).in_current_span());
    tasks.spawn(until(ended.clone(), follow(log)).in_current_span());
    let server = Server { guard: child, closing, ended };
    tasks.spawn(server.read(output, events).in_current_span());
    Ok(link)
}

/// Does `work`, but no longer than until shortly after `end`.
async fn until(end: CancellationToken, work: impl Future<Output = ()>) {
    let shortly_after = async {
        end.cancelled().await;
        sleep(REST_TIME).await;
    };
    tokio::select! {
        () = work => {}
        () = shortly_after => {}
    }
}

/// Takes what is to be said to the server's input, until there is nothing more.
async fn write(mut input: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(message) = outgoing.recv().await {
        let mut line = match message {
            // It may have waited long for a server that is slow to read.
            Outgoing::Request { wanted, .. } if wanted.strong_count() == 0 => continue,
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

/// What is running, and who has to know of its end.
struct Server {
    guard: Child,
    /// Cancelled when nothing is wanted of the server any more.
    closing: CancellationToken,
    /// Cancelled when there is no server any more.
    ended: CancellationToken,
}

impl Server {
    /// Reads messages until the server ends, then waits for the end of all it started.
    async fn read(mut self, output: impl AsyncRead + Unpin, events: mpsc::Sender<Event>) {
        // However this ends, the others end with it.
        let _ends = (self.closing.clone().drop_guard(), self.ended.clone().drop_guard());
        let group = self.guard.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let why = self.messages(BufReader::new(output), group, &events).await;
        // The tools go at once; the server may still be busy ending.
        events.send(Event::Ended(why)).await.ok();
        // With this its input ends, which some wait for.
        events.closed().await;
        self.closing.cancel();
        match timeout(ENDING_TIME, self.guard.wait()).await {
            Ok(status) => end_rest(group, status.ok()),
            Err(_elapsed) => {
                end_rest(group, None);
                self.guard.wait().await.ok();
            }
        }
    }

    /// Hands on message after message; returns why there are no more.
    async fn messages(
        &mut self,
        output: impl AsyncBufRead + Unpin,
        group: Option<Pid>,
        events: &mpsc::Sender<Event>,
    ) -> String {
        let mut lines = Lines::new(output);
        let mut end = None;
        let rest_is_over = sleep(Duration::ZERO);
        tokio::pin!(rest_is_over);
        loop {
            let line = tokio::select! {
                biased;
                line = lines.next() => line,
                status = self.guard.wait(), if end.is_none() => {
                    let status = status.ok();
                    end_rest(group, status);
                    end = Some(reason(status));
                    // What was said before is still in the pipe.
                    rest_is_over.as_mut().reset(Instant::now() + REST_TIME);
                    continue;
                }
                () = &mut rest_is_over, if end.is_some() => return end.unwrap_or_default(),
                // Nobody listens any more: the input has ended, and the server is to go.
                () = events.closed() => return String::new(),
            };
            let event = match line {
                Ok(line) => event(&line),
                Err(why) => return end.unwrap_or(why),
            };
            if let Some(event) = event
                && events.send(event).await.is_err()
            {
                return String::new();
            }
        }
    }
}

/// Kills what a guard has left that ended with `status`: nothing, unless it was killed itself.
fn end_rest(group: Option<Pid>, status: Option<ExitStatus>) {
    let is_clean = status.is_some_and(|status| status.code().is_some());
    if let (Some(group), false) = (group, is_clean) {
        kill_process_group(group, Signal::KILL).ok();
    }
}

/// Why a server is gone whose guard ended with `status`, which is the server's unless the guard was
/// killed.
fn reason(status: Option<ExitStatus>) -> String {
    match status {
        Some(status) if status.signal().is_none() => format!("it ended: {status}"),
        Some(_) | None => "its guard was killed".into(),
    }
}

/// A line of a server's output.
enum Line {
    Whole(Vec<u8>),
    /// It was longer than any message may be: how it started and how it ended.
    Long {
        start: Vec<u8>,
        end: Vec<u8>,
    },
}

/// Cuts output into lines, of which none takes more memory than a message may.
struct Lines<R> {
    output: R,
    /// What there is of the next line, or the start of one that is too long.
    start: Vec<u8>,
    /// What of it has been read last, if it is too long.
    end: Option<Vec<u8>>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    fn new(output: R) -> Self {
        Self { output, start: Vec::new(), end: None }
    }

    /// The next line, or why there is none. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Line, String> {
        loop {
            let piece = self.output.fill_buf().await;
            let piece = piece.map_err(|error| format!("its output cannot be read: {error}"))?;
            let line_end = memchr::memchr(b'\n', piece);
            let piece = &piece[..line_end.map_or(piece.len(), |at| at + 1)];
            let (length, is_output_end) = (piece.len(), piece.is_empty());
            let start = &mut self.start;
            match &mut self.end {
                None => start.extend_from_slice(piece),
                Some(end) => end.extend_from_slice(piece),
            }
            if self.end.is_none() && start.len() >= MESSAGE_BYTES_MAX {
                self.end = Some(start.split_off(EDGE_BYTES));
                start.shrink_to_fit();
            }
            if let Some(end) = &mut self.end {
                end.drain(..end.len().saturating_sub(EDGE_BYTES));
                end.shrink_to(2 * EDGE_BYTES);
            }
            self.output.consume(length);
            // Of a long line the end is needed to make sense of it; others may go without.
            let is_over = line_end.is_some() || (is_output_end && self.end.is_none());
            if is_output_end && (self.start.is_empty() || !is_over) {
                return Err("it closed its output".into());
            }
            if is_over {
                let start = std::mem::take(&mut self.start);
                return Ok(match self.end.take() {
                    Some(end) => Line::Long { start, end },
                    None => Line::Whole(start),
                });
            }
        }
    }
}

/// What a line says; nothing if it is no message.
fn event(line: &Line) -> Option<Event> {
    let (id, reason, text) = match line {
        Line::Whole(line) => {
            let text = line.trim_ascii();
            if text.is_empty() {
                return None;
            }
            match message(text) {
                Ok(message) => return Some(Event::Said { on: None, message }),
                Err(reason) => (answered(text), reason, text),
            }
        }
        Line::Long { start, end } => {
            let reason =
                format!("it answered with a message of more than {MESSAGE_BYTES_MAX} bytes");
            (answered_at_length(start, end), reason, &**start)
        }
    };
    // Whoever waits for it is told at once, rather than when time is up.
    if let Some(id) = id {
        return Some(Event::Unanswered { id, fault: Fault { reason, may_have_run: true } });
    }
    // Some print a greeting, or what they should have logged.
    let start = String::from_utf8_lossy(&text[..text.len().min(NOISE_BYTES_MAX)]);
    let line = start.escape_debug();
    tracing::warn!(%reason, %line, "not a message of MCP");
    None
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

/// The request that is answered by a message of which only the `start` and the `end` are there.
fn answered_at_length(start: &[u8], end: &[u8]) -> Option<u64> {
    /// What may stand beside a result.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Beside {
        #[serde(default, rename = "jsonrpc")]
        _version: Option<String>,
        #[serde(default)]
        id: Option<u64>,
    }
    let beside =
        |members: &[u8]| serde_json::from_slice::<Beside>(&[b"{", members, b"}"].concat()).ok();
    // Up to its result, or else it is no answer but has an `id` of the server's own.
    let results = [&br#""result""#[..], br#""error""#];
    let result = results.iter().filter_map(|name| memchr::memmem::find(start, name)).min()?;
    let before = start[..result].trim_ascii_start().strip_prefix(b"{")?.trim_ascii_end();
    let before = beside(before.strip_suffix(b",").unwrap_or(before))?;
    before.id.or_else(|| {
        let end = end.trim_ascii_end().strip_suffix(b"}")?;
        // Were it deeper in the message, more than one brace would be left to close.
        let mut starts = memchr::memmem::rfind_iter(end, br#"""#).filter_map(|at| {
            end[..at].trim_ascii_end().ends_with(b",").then(|| beside(&end[at..]))?
        });
        starts.find_map(|after| after.id)
    })
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Weak};

    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn the_edges_of_an_answer_tell_what_it_answers() {
        for (start, end, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"#, "}}", Some(7)),
            (r#" { "id" : 7 , "jsonrpc" : "2.0" , "error": {"#, "}}", Some(7)),
            (r#"{"id":7,"result":{"#, r#","id":8}}"#, Some(7)),
            (r#"{"result":{"#, r#"x"},"jsonrpc":"2.0","id":7}"#, Some(7)),
            (r#"{"jsonrpc":"2.0","result":{"#, r#"},"id": 7}"#, Some(7)),
            (r#"{"result":{"#, r#"1, "id": 8}, "id":7, "jsonrpc":"2.0" }"#, Some(7)),
            // Not the message's own.
            (r#"{"jsonrpc":"2.0","result":{"#, r#","id":7}}"#, None),
            (r#"{"jsonrpc":"2.0","result":{"#, r#","id":7},"jsonrpc":"2.0"}"#, None),
            // Not of ours.
            (r#"{"result":{"#, r#"},"id":"7"}"#, None),
            // What the server asks and tells.
            (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":{"result":"#, "}}", None),
            (r#"{"method":"ping","params":{"result":"#, r#"},"id":7}"#, None),
            ("no JSON", "at all", None),
        ] {
            let id = answered_at_length(start.as_bytes(), format!("{end}\r\n").as_bytes());
            assert_eq!(id, expected, "{start} … {end}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_is_whole() {
        let long = "x".repeat(MESSAGE_BYTES_MAX);
        let output = format!("first\n{{{long}}}\n{}\nlast", &long[1..]);
        let mut lines = Lines::new(BufReader::new(output.as_bytes()));
        let whole = |line| match line {
            Ok(Line::Whole(line)) => Some(line),
            _ => None,
        };
        assert_eq!(whole(lines.next().await).as_deref(), Some(&b"first\n"[..]));
        for (first, last) in [(b'{', &b"x}\n"[..]), (b'x', b"xx\n")] {
            let Ok(Line::Long { start, end }) = lines.next().await else {
                panic!("it is too long");
            };
            assert_eq!((start[0], start.len()), (first, EDGE_BYTES));
            assert!(end.ends_with(last) && end.len() == EDGE_BYTES);
        }
        assert_eq!(whole(lines.next().await).as_deref(), Some(&b"last"[..]));
        assert!(lines.next().await.is_err());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_written() {
        let (outgoing, queue) = mpsc::channel(8);
        let wanted = Arc::new(());
        for (id, wanted) in [(1, Weak::new()), (2, Arc::downgrade(&wanted))] {
            let (method, headers) = ("tools/call", HeaderMap::new());
            let json = format!("request\n{id}");
            let request = Outgoing::Request { id, method, json, headers, wanted };
            outgoing.send(request).await.expect("room");
        }
        drop(outgoing);
        let mut written = Vec::new();
        write(&mut written, queue).await;
        assert_eq!(String::from_utf8_lossy(&written), "request 2\n");
    }
}
