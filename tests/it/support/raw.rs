//! A connection on which a test says what it likes, byte for byte, or nothing.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::PATIENCE;

pub(crate) struct Raw {
    pub(crate) socket: TcpStream,
}

/// Where `url` leads, as `host:port`.
pub(crate) fn address(url: &str) -> &str {
    let (_, address) = url.split_once("://").expect("a URL");
    address
}

impl Raw {
    pub(crate) async fn open(url: &str) -> Self {
        Self { socket: TcpStream::connect(address(url)).await.expect("a connection") }
    }

    /// One that takes little at a time, so that who writes to it soon has to wait.
    pub(crate) async fn narrow(url: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let address = address(url).parse().expect("an address");
        Self { socket: socket.connect(address).await.expect("a connection") }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.expect("the connection is open");
    }

    /// Asks for `path`, and keeps the connection.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.say(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        self.answer().await
    }

    /// An answer of a length that it tells; what there is of it when the connection ends.
    pub(crate) async fn answer(&mut self) -> String {
        let mut heard = Vec::new();
        let hearing = async {
            while !is_whole(&heard) && matches!(self.socket.read_buf(&mut heard).await, Ok(1..)) {}
        };
        timeout(PATIENCE, hearing).await.expect("an answer in time");
        String::from_utf8(heard).expect("UTF-8")
    }

    /// Waits until the hub has hung up; what it said before.
    pub(crate) async fn ended(mut self) -> String {
        let mut heard = Vec::new();
        let hearing = async { while matches!(self.socket.read_buf(&mut heard).await, Ok(1..)) {} };
        timeout(PATIENCE, hearing).await.expect("the connection ends in time");
        String::from_utf8_lossy(&heard).into_owned()
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| body.len() >= length.parse().expect("a number"))
}
