//! A socket that is counted as long as it is open, tells when something is heard, and gives up a peer
//! that takes nothing, or too little.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::{
    admission::Place,
    patience::{PACE, Patience},
};

/// An accepted connection. Below TLS, HTTP and WebSocket alike, so that none escapes it.
pub(super) struct Stream {
    socket: TcpStream,
    patience: Arc<Patience>,
    write_stall: Duration,
    /// Runs from when a write waits until enough has been written.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes written meanwhile.
    taken: usize,
    _place: Place,
}

impl Stream {
    pub(super) fn new(
        socket: TcpStream,
        patience: Arc<Patience>,
        write_stall: Duration,
        place: Place,
    ) -> Self {
        Self { socket, patience, write_stall, stalled: None, taken: 0, _place: place }
    }

    /// The first byte that the peer says, left where it is; `None` when it says none.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        let read = self.socket.peek(&mut byte).await?;
        Ok((read > 0).then_some(byte[0]))
    }

    /// What a write has come to; an error, when too little was written in the time there is.
    fn watched(
        &mut self,
        cx: &mut Context<'_>,
        write: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = write {
            if self.stalled.is_some() {
                self.taken += written.as_ref().map_or(0, |written| *written);
            }
            if self.taken >= PACE {
                self.relax();
            }
            return Poll::Ready(written);
        }
        let patience = self.write_stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        if stalled.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        super::count_hit("limits.write_stall");
        let why = format!("the peer took too little in {patience:?} (limits.write_stall)");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }

    /// Enough has been written, or all there was.
    fn relax(&mut self) {
        (self.stalled, self.taken) = (None, 0);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if read.is_ready() {
            self.patience.heard();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.watched(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.watched(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// Called when all that was to be written has been.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.relax();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
