//! What a guest writes to stdout and stderr: lines for the log, up to a bound.
//!
//! Never an error and never a wait, however much is written: a Rust guest whose `println!` fails
//! panics.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// What is kept of one call's output.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// What is repeated of the end of it when a guest breaks down.
const LAST_WORDS_BYTES_MAX: usize = 300;
/// What a guest is told it may write at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// One call's output. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    text: Vec<u8>,
    dropped: u64,
}

impl Output {
    fn take_in(&self, bytes: &[u8]) {
        let mut kept = self.0.lock();
        let room = KEPT_BYTES_MAX - kept.text.len();
        let taken = &bytes[..bytes.len().min(room)];
        kept.text.extend_from_slice(taken);
        kept.dropped += (bytes.len() - taken.len()) as u64;
    }

    /// The last line that says something, for want of a better explanation.
    pub(crate) fn last_words(&self) -> String {
        let kept = self.0.lock();
        let text = String::from_utf8_lossy(&kept.text);
        let telling = |line: &&str| {
            // A bracket that ends a message says nothing, nor does what Rust adds to every panic.
            line.contains(char::is_alphanumeric) && !line.trim().starts_with("note: ")
        };
        let line = text.lines().rev().find(telling).unwrap_or_default().trim();
        line[..line.floor_char_boundary(LAST_WORDS_BYTES_MAX)].to_owned()
    }

    /// Hands each line to `tell`, and how many bytes there would have been more.
    pub(crate) fn tell(&self, mut tell: impl FnMut(&str)) -> u64 {
        let kept = std::mem::take(&mut *self.0.lock());
        String::from_utf8_lossy(&kept.text).lines().for_each(&mut tell);
        kept.dropped
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take_in(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK_BYTES)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take_in(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_kept_to_its_bound() {
        let output = Output::default();
        for _ in 0..100 {
            output.take_in(&[b'x'; 1_000]);
        }
        let mut told = 0;
        let dropped = output.tell(|line| told += line.len());
        assert_eq!((told, dropped), (KEPT_BYTES_MAX, 100_000 - KEPT_BYTES_MAX as u64));
    }

    #[test]
    fn the_last_words_are_those_that_say_something() {
        let output = Output::default();
        output.take_in(b"one\nthread panicked: no such zone\nnote: run with RUST_BACKTRACE=1\n\n");
        assert_eq!(output.last_words(), "thread panicked: no such zone");
        let output = Output::default();
        output.take_in(b"Failed to call: Value(\nException { message: Some(\"x\") })\n)\n");
        assert_eq!(output.last_words(), "Exception { message: Some(\"x\") })");
    }
}
