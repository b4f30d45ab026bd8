//! Log lines on their way to stderr: gathered where they arise, written by a thread of its own.
//!
//! No line wakes that thread while others wait, and one write takes all that do: at thousands of
//! calls a second a wake-up and a write for each would cost more than the calls' own handling.

use std::{
    io::{self, Write},
    mem,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Lines beyond this are lost: the log may suffer from a slow terminal, calls may not.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// How long lines gather before they are written.
const GATHERING_TIME: Duration = Duration::from_millis(20);
/// What the buffers keep after a burst.
const KEPT_BYTES: usize = 64 * 1024;

/// Where lines are put; cheap to clone.
#[derive(Clone)]
pub(super) struct Lines {
    shared: Arc<Shared>,
}

/// Writes what still waits when dropped.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lost: usize,
    is_closed: bool,
}

/// Lines that end up in `sink`.
pub(super) fn to(sink: impl Write + Send + 'static) -> io::Result<(Lines, Writer)> {
    let shared = Arc::new(Shared::default());
    let its = Arc::clone(&shared);
    let thread = thread::Builder::new().name("log".into()).spawn(move || its.write_to(sink))?;
    Ok((Lines { shared: Arc::clone(&shared) }, Writer { shared, thread: Some(thread) }))
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.shared.waiting.lock();
        if waiting.text.len() + line.len() > WAITING_BYTES_MAX {
            waiting.lost += 1;
            return Ok(line.len());
        }
        let is_first = waiting.text.is_empty();
        waiting.text.extend_from_slice(line);
        drop(waiting);
        if is_first {
            self.shared.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Shared {
    fn write_to(&self, mut sink: impl Write) {
        let mut taken = Vec::new();
        while let Some(lost) = self.take(&mut taken) {
            if lost > 0 {
                taken.extend_from_slice(format!("{lost} log lines were lost here\n").as_bytes());
            }
            // There is nobody left to tell that the log cannot be written.
            drop(sink.write_all(&taken).and_then(|()| sink.flush()));
            taken.clear();
            taken.shrink_to(KEPT_BYTES);
        }
    }

    /// Waits for lines, lets more gather, and swaps them for `empty`; says how many were lost.
    /// `None` when all are written and no more will come.
    fn take(&self, empty: &mut Vec<u8>) -> Option<usize> {
        let mut waiting = self.waiting.lock();
        while waiting.text.is_empty() {
            if waiting.is_closed {
                return None;
            }
            self.changed.wait(&mut waiting);
        }
        if !waiting.is_closed {
            // Nothing but the end notifies now: there are lines already.
            self.changed.wait_for(&mut waiting, GATHERING_TIME);
        }
        mem::swap(empty, &mut waiting.text);
        Some(mem::take(&mut waiting.lost))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.waiting.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It panics only if writing to the sink does.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that can be looked into, and that only writes while it is let.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(paper: &Paper) -> String {
        String::from_utf8(paper.0.lock().clone()).unwrap()
    }

    #[test]
    fn lines_are_written_in_order_and_none_waits_when_the_log_ends() {
        let paper = Paper::default();
        let (mut lines, writer) = to(paper.clone()).unwrap();
        for n in 0..1_000 {
            writeln!(lines, "{n}").unwrap();
        }
        drop(writer);
        let expected: String = (0..1_000).map(|n| format!("{n}\n")).collect();
        assert_eq!(written(&paper), expected);
    }

    #[test]
    fn what_a_slow_sink_cannot_take_is_lost_and_counted() {
        let paper = Paper::default();
        let blocked = paper.0.lock();
        let (mut lines, writer) = to(paper.clone()).unwrap();
        let line = vec![b'x'; WAITING_BYTES_MAX];
        // One may be with the writer and one waits; of three, one at least finds no room.
        for _ in 0..3 {
            lines.write_all(&line).unwrap();
        }
        drop(blocked);
        drop(writer);
        assert!(written(&paper).contains(" log lines were lost here\n"));
    }
}
