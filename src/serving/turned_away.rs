//! An answer for those who are not served, told so that it arrives.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Semaphore,
    time::timeout,
};

use crate::lifecycle::Lifecycle;

/// How long somebody who is turned away may take to hear it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many are told at once; the rest are hung up on.
const TOLD_AT_ONCE: usize = 256;

/// Tells those who are turned away.
#[derive(Clone)]
pub(super) struct Doorman {
    places: Arc<Semaphore>,
    lifecycle: Lifecycle,
}

impl Doorman {
    pub(super) fn new(lifecycle: Lifecycle) -> Self {
        Self { places: Arc::new(Semaphore::new(TOLD_AT_ONCE)), lifecycle }
    }

    /// Tells whoever is at the other end of `socket`, if there are not too many to be told.
    pub(super) fn tell<S>(&self, socket: S, answer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
        self.lifecycle.spawn(async move {
            let _place = place;
            // Who does not listen is not told.
            drop(timeout(PATIENCE, tell(socket, &answer)).await);
        });
    }
}

/// Reads on until the other end has hung up: to close a socket with unread input would reset the
/// connection and could destroy the answer on its way.
async fn tell<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: S,
    answer: &str,
) -> std::io::Result<()> {
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await?;
    let mut scrap = [0; 1024];
    while socket.read(&mut scrap).await? > 0 {}
    Ok(())
}

/// 503, with a line that says which bound was hit (RFC 9110 §15.6.4).
pub(super) fn full(why: &str) -> String {
    response("503 Service Unavailable\r\nretry-after: 5", why)
}

/// 400, for a client that speaks plain HTTP to a port of TLS.
pub(super) fn not_tls() -> String {
    response("400 Bad Request", "this port speaks TLS: ask for https:// (or wss://) instead")
}

fn response(status: &str, why: &str) -> String {
    let length = why.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{why}\n"
    )
}
