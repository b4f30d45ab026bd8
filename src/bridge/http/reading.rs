//! What a server sends, read within bounds: one document, or a stream of events.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use futures_util::{StreamExt, stream::BoxStream};
use memchr::memchr2;
use reqwest::{Response, header::CONTENT_TYPE};
use serde::{Deserialize, de::IgnoredAny};
use sse_stream::{Sse, SseByteStream};

use crate::{
    bridge::link::{DEPTH_MAX, MESSAGE_BYTES_MAX},
    model::error::innermost,
    provider::remote::frame::Incoming,
};

/// What an event may take beyond its message: the names of its fields, its id.
const FIELDS_BYTES_MAX: usize = 4096;
const EXTRACT_BYTES_MAX: usize = 300;

/// Why there is nothing more to read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the server sent a message longer than {} MiB", MESSAGE_BYTES_MAX >> 20)]
    TooLong,
    #[error("the connection broke: {0}")]
    Cut(String),
    #[error("the server sent text that is not UTF-8")]
    NotText,
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        Self::Cut(innermost(&error.without_url()))
    }
}

/// The beginning of foreign text on one line, without characters that would steer a terminal.
pub(super) fn extract(text: &str) -> String {
    let start = text.trim_start();
    let start = &start[..start.floor_char_boundary(EXTRACT_BYTES_MAX)];
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let words = start.split_whitespace().map(|word| word.chars().map(clean).collect());
    words.collect::<Vec<String>>().join(" ")
}

/// The media type of an answer, without parameters and in small letters.
pub(super) fn kind(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

pub(super) fn is_stream(response: &Response) -> bool {
    kind(response) == "text/event-stream"
}

/// The whole of a body that is a document.
pub(super) async fn document(mut response: Response) -> Result<ByteString, Broken> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MESSAGE_BYTES_MAX {
            return Err(Broken::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    ByteString::try_from(body.freeze()).map_err(|_invalid| Broken::NotText)
}

/// A message, or why it is none.
pub(super) fn message(text: &ByteString) -> Result<Incoming, String> {
    Incoming::parse(text, DEPTH_MAX).map_err(|fault| extract(&fault.to_string()))
}

/// Whether a text that is no proper message would at least not have been an answer.
pub(super) fn names_a_method(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Named {
        method: Option<IgnoredAny>,
    }
    serde_json::from_str::<Named>(text).is_ok_and(|message| message.method.is_some())
}

/// The events of a body that is a stream of them, none longer than a message may be.
pub(crate) struct Events {
    events: SseByteStream<BoxStream<'static, Result<Bytes, Broken>>>,
}

impl Events {
    pub(crate) fn of(response: Response) -> Self {
        let mut meter = Meter::new(MESSAGE_BYTES_MAX + FIELDS_BYTES_MAX);
        let bytes = response.bytes_stream().map(move |chunk| {
            let chunk = chunk?;
            meter.pass(&chunk)?;
            Ok(chunk)
        });
        Self { events: SseByteStream::new(bytes.boxed()) }
    }

    pub(crate) async fn next(&mut self) -> Option<Result<Sse, Broken>> {
        let event = self.events.next().await?;
        Some(event.map_err(|error| match error {
            sse_stream::Error::Body(error) => match error.downcast() {
                Ok(broken) => *broken,
                Err(error) => Broken::Cut(innermost(&*error)),
            },
            sse_stream::Error::Utf8Parse(_) => Broken::NotText,
            other => Broken::Cut(other.to_string()),
        }))
    }
}

/// The message an event carries. There is none in those that only prime or keep the stream alive.
pub(super) fn data(event: Sse) -> Option<ByteString> {
    if event.event.is_some_and(|kind| !kind.is_empty() && kind != "message") {
        return None;
    }
    event.data.filter(|data| !data.is_empty()).map(ByteString::from)
}

/// Measures events as they pass, for the parser behind it takes any length.
struct Meter {
    bytes_max: usize,
    /// Since the last empty line, which ends an event.
    bytes: usize,
    line_is_empty: bool,
    /// A line feed now would belong to the carriage return before it.
    after_return: bool,
}

impl Meter {
    fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, line_is_empty: true, after_return: false }
    }

    fn pass(&mut self, chunk: &[u8]) -> Result<(), Broken> {
        let mut rest = chunk;
        while let Some(&first) = rest.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = memchr2(b'\n', b'\r', rest);
            self.bytes += end.unwrap_or(rest.len());
            if self.bytes > self.bytes_max {
                return Err(Broken::TooLong);
            }
            let Some(end) = end else {
                self.line_is_empty = false;
                break;
            };
            // Line ends count too: an event may be made of little else.
            self.bytes += 1;
            if end == 0 && self.line_is_empty {
                self.bytes = 0;
            }
            self.line_is_empty = true;
            self.after_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_measured_however_their_lines_end_and_their_bytes_come() {
        let passes = |stream: &[u8], step: usize| {
            let mut meter = Meter::new(14);
            stream.chunks(step).try_for_each(|chunk| meter.pass(chunk)).is_ok()
        };
        for step in 1..20 {
            assert!(passes(b"data: 123456\n\ndata: 123456\n\ndata: 123456\n\n", step));
            assert!(passes(b"data: 123456\r\n\r\ndata: 123456\r\n\r\n", step));
            assert!(passes(b"data: 123456\r\rdata: 123456\r\r: alive\r\r", step));
            assert!(!passes(b"data: 12345678\n\n", step));
            assert!(!passes(b"\n\ndata: 1\r\ndata: 2\r\n", step));
            assert!(!passes(b"data\ndata\ndata\ndata\n", step));
        }
    }

    #[test]
    fn an_extract_is_short_and_cannot_steer_a_terminal() {
        assert_eq!(extract(" \n two\r\n lines\x1b[2J"), "two lines\u{fffd}[2J");
        assert_eq!(extract(&"ä".repeat(1000)), "ä".repeat(150));
    }
}
