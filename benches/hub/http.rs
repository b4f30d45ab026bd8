//! The least of an HTTP/1.1 client: it takes time from the servers it measures.

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    head_length: usize,
    body: Vec<u8>,
}

/// How the length of a body is told.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let received = Vec::with_capacity(16 << 10);
        Ok(Self { stream, received, head_length: 0, body: Vec::new() })
    }

    /// Sends a request and reads the answer whole. Anything but a 2xx is an error.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        match self.start(request).await? {
            Framing::Length(length) => {
                let end = self.head_length + length;
                while self.received.len() < end {
                    self.read().await?;
                }
                ensure!(self.received.len() == end, "more came than the answer");
                Ok(&self.received[self.head_length..])
            }
            Framing::Chunked => self.chunks().await,
        }
    }

    /// Sends a request whose answer does not end.
    pub(crate) async fn subscribe(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.start(request).await.map(drop)
    }

    /// Reads on in an answer that does not end until `word` comes.
    pub(crate) async fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        loop {
            if let Some(at) = memmem::find(&self.received, word.as_bytes()) {
                self.received.drain(..at + word.len());
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Status line and headers of the last answer.
    pub(crate) fn head(&self) -> &[u8] {
        &self.received[..self.head_length]
    }

    /// Sends a request and reads as far as the end of the answer's head.
    async fn start(&mut self, request: &[u8]) -> anyhow::Result<Framing> {
        self.received.clear();
        self.stream.write_all(request).await?;
        loop {
            self.read().await?;
            if let Some(end) = memmem::find(&self.received, b"\r\n\r\n") {
                self.head_length = end + 4;
                break;
            }
        }
        if !self.received.starts_with(b"HTTP/1.1 2") {
            bail!("refused: {}", String::from_utf8_lossy(&self.received));
        }
        framing(self.head())
    }

    async fn chunks(&mut self) -> anyhow::Result<&[u8]> {
        self.body.clear();
        let mut at = self.head_length;
        loop {
            let Some(line) = memmem::find(&self.received[at..], b"\r\n") else {
                self.read().await?;
                continue;
            };
            let size = std::str::from_utf8(&self.received[at..at + line])?;
            let size = usize::from_str_radix(size, 16).context("an odd chunk size")?;
            let start = at + line + 2;
            while self.received.len() < start + size + 2 {
                self.read().await?;
            }
            if size == 0 {
                return Ok(&self.body);
            }
            self.body.extend_from_slice(&self.received[start..start + size]);
            at = start + size + 2;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.received).await?;
        ensure!(read > 0, "the server hung up");
        Ok(())
    }
}

fn framing(head: &[u8]) -> anyhow::Result<Framing> {
    for line in head.split(|&byte| byte == b'\n') {
        if let Some(value) = value_of(line, b"content-length:") {
            return Ok(Framing::Length(std::str::from_utf8(value)?.trim().parse()?));
        }
        if value_of(line, b"transfer-encoding:").is_some() {
            return Ok(Framing::Chunked);
        }
    }
    Ok(Framing::Length(0))
}

pub(crate) fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}
