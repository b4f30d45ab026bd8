//! How the actors reach the hub: through memory on paused time, or through real sockets. Each request
//! has a connection of its own, so that whoever leaves hangs up.

use std::{net::SocketAddr, pin::Pin};

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, Request, StatusCode, header},
};
use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
};

/// What a connection in memory holds before its writer has to wait.
const PIPE_BYTES: usize = 8 * 1024;

#[derive(Clone)]
pub(super) enum Net {
    Memory(mpsc::Sender<DuplexStream>),
    Tcp(SocketAddr),
}

/// One end of a connection.
pub(super) trait Ends: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Ends for T {}
pub(super) type Wire = Pin<Box<dyn Ends>>;

impl Net {
    pub(super) async fn connect(&self) -> Wire {
        match self {
            Self::Memory(listener) => {
                let (near, far) = duplex(PIPE_BYTES);
                listener.send(far).await.expect("the hub listens");
                Box::pin(near)
            }
            Self::Tcp(address) => {
                let socket = TcpStream::connect(address).await.expect("the hub listens");
                socket.set_nodelay(true).expect("a socket of ours");
                Box::pin(socket)
            }
        }
    }

    /// Sends `request` and waits for the head of the answer.
    pub(super) async fn send(&self, request: Request<String>) -> Exchange {
        let wire = TokioIo::new(self.connect().await);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(wire).await.expect("a fresh connection");
        let mut driver = JoinSet::new();
        driver.spawn(async move { drop(connection.await) });
        let response = sender.send_request(request).await.expect("the hub answers every request");
        let (head, body) = response.into_parts();
        let body = Body::new(body).into_data_stream();
        let is_stream = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let (status, headers) = (head.status, head.headers);
        Exchange { status, headers, is_stream, body, unread: String::new(), _driver: driver }
    }
}

/// An answer that is still coming; whoever drops it hangs up.
pub(super) struct Exchange {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) is_stream: bool,
    body: BodyDataStream,
    unread: String,
    _driver: JoinSet<()>,
}

impl Exchange {
    /// The next JSON-RPC message; `None` at the end of the answer, or when the answer broke off.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            if self.is_stream
                && let Some((event, rest)) = self.unread.split_once("\n\n")
            {
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let message = data.filter(|data| !data.is_empty()).map(parsed);
                self.unread = rest.to_owned();
                if message.is_some() {
                    return message;
                }
                continue;
            }
            match self.body.next().await {
                Some(Ok(piece)) => {
                    self.unread.push_str(std::str::from_utf8(&piece).expect("whole characters"));
                }
                Some(Err(_)) => return None,
                None if self.is_stream => return None,
                None => {
                    let document = std::mem::take(&mut self.unread);
                    return (!document.is_empty()).then(|| parsed(&document));
                }
            }
        }
    }

    /// All messages up to the end.
    pub(super) async fn rest(&mut self) -> Vec<Value> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        messages
    }
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json:?}"))
}
