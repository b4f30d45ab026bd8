//! Outgoing messages, put together from pieces: what providers said is sent on without a copy.

use std::{
    borrow::Cow,
    collections::HashMap,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use memchr::memchr2;
use serde::de::IgnoredAny;
use serde_json::json;

use super::message::RequestId;
use crate::model::{
    call::{Notice, Output, OutputKind},
    json::Json,
};

/// A message up to this size is sent as one buffer; copying it costs less than a second one.
const JOINED_BYTES_MAX: usize = 8 * 1024;

/// Room for the fields of an event besides its message.
const EVENT_FIELDS_BYTES: usize = 64;

/// [`SERVER_INFO`], as a part of other literals.
macro_rules! server_info {
    () => {
        concat!(
            r#""io.modelcontextprotocol/serverInfo":{"name":""#,
            env!("CARGO_PKG_NAME"),
            r#"","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}"#
        )
    };
}
pub(super) use server_info;

/// Who answers, as `_meta` member of modern results.
pub(super) const SERVER_INFO: &str = server_info!();
const OWN_META: &str = concat!(r#""_meta":{"#, server_info!(), "}");
const OWN_META_FIRST: &str = concat!(r#""_meta":{"#, server_info!(), "},");
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// One JSON-RPC message, in pieces.
#[derive(Debug)]
pub struct Payload {
    pieces: Vec<Bytes>,
}

impl Payload {
    pub fn result(id: &RequestId, result: impl IntoIterator<Item = Bytes>) -> Self {
        let head = [r#"{"jsonrpc":"2.0","id":"#, id.as_str(), r#","result":"#].concat();
        let mut pieces = Vec::with_capacity(8);
        pieces.push(head.into());
        pieces.extend(result);
        pieces.push(Bytes::from_static(b"}"));
        Self { pieces }
    }

    /// Without an id when the request's could not be read (MCP 2025-11-25: `id` is optional).
    pub fn error(id: Option<&RequestId>, code: i64, message: &str, data: Option<&Json>) -> Self {
        let id = id.map(|id| format!(r#","id":{}"#, id.as_str())).unwrap_or_default();
        let message = Json::of(&message);
        let head = format!(
            r#"{{"jsonrpc":"2.0"{id},"error":{{"code":{code},"message":{}"#,
            message.as_str()
        );
        let mut pieces = vec![Bytes::from(head)];
        if let Some(data) = data {
            pieces.extend([Bytes::from_static(br#","data":"#), data.bytes()]);
        }
        pieces.push(Bytes::from_static(b"}}"));
        Self { pieces }
    }

    pub fn notification(method: &str, params: Option<&str>) -> Self {
        let params = params.map(|params| format!(r#","params":{params}"#)).unwrap_or_default();
        Self { pieces: vec![format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#).into()] }
    }

    /// A request of the hub's own, to a client of a session.
    pub fn request(id: &str, method: &str, params: Option<&str>) -> Self {
        let (id, method) = (Json::of(&id), Json::of(&method));
        let params = params.map(|params| format!(r#","params":{params}"#)).unwrap_or_default();
        let (id, method) = (id.as_str(), method.as_str());
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method}{params}}}"#);
        Self { pieces: vec![text.into()] }
    }

    /// What a provider said while it worked, under the client's own progress token.
    pub fn notice(notice: &Notice, progress_token: Option<&Json>) -> Option<Self> {
        let mut params = String::with_capacity(128);
        let mut member = |name: &str, value: &str| {
            params.push(if params.is_empty() { '{' } else { ',' });
            params.push_str(name);
            params.push_str(value);
        };
        let method = match notice {
            Notice::Progress(progress) => {
                member(r#""progressToken":"#, progress_token?.as_str());
                member(r#""progress":"#, progress.progress.as_str());
                if let Some(total) = &progress.total {
                    member(r#""total":"#, total.as_str());
                }
                if let Some(message) = &progress.message {
                    member(r#""message":"#, message.as_str());
                }
                "notifications/progress"
            }
            Notice::Log(log) => {
                member(r#""level":"#, Json::of(&log.level.as_str()).as_str());
                if let Some(logger) = &log.logger {
                    member(r#""logger":"#, logger.as_str());
                }
                member(r#""data":"#, log.data.as_str());
                "notifications/message"
            }
        };
        params.push('}');
        Some(Self::notification(method, Some(&params)))
    }

    /// Its bytes, as JSON.
    pub fn size(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    pub fn into_response(self, status: StatusCode) -> Response {
        let mut response = Response::new(self.into_body());
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }

    fn into_body(self) -> Body {
        let size = self.size();
        if size > JOINED_BYTES_MAX {
            let pieces = self.pieces.into_iter();
            return Body::new(Pieces { pieces, left: size as u64 });
        }
        Body::from(self.into_bytes())
    }

    /// The message as one buffer.
    pub fn into_bytes(self) -> Bytes {
        let mut joined = BytesMut::with_capacity(self.size());
        self.pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
        joined.freeze()
    }

    /// Several messages as one JSON array (JSON-RPC 2.0 §6).
    pub fn batch(messages: impl IntoIterator<Item = Self>) -> Self {
        let mut pieces = Vec::new();
        for message in messages {
            pieces.push(Bytes::from_static(if pieces.is_empty() { b"[" } else { b"," }));
            pieces.extend(message.pieces);
        }
        pieces.push(Bytes::from_static(b"]"));
        Self { pieces }
    }

    /// The message as one server-sent event.
    pub fn into_event(self) -> Bytes {
        let mut event = self.into_open_event();
        event.extend_from_slice(b"\n");
        event.freeze()
    }

    /// The same without the empty line that ends it, so that more fields can follow. A line end
    /// within the message, which JSON allows between values, begins a new `data` line: in an event
    /// it would end the message.
    pub fn into_open_event(self) -> BytesMut {
        let mut event = BytesMut::with_capacity(self.size() + EVENT_FIELDS_BYTES);
        event.extend_from_slice(b"data: ");
        for piece in self.pieces {
            let mut rest = &piece[..];
            while let Some(at) = memchr2(b'\n', b'\r', rest) {
                event.extend_from_slice(&rest[..at]);
                event.extend_from_slice(b"\ndata: ");
                rest = &rest[at + 1..];
            }
            event.extend_from_slice(rest);
        }
        event.extend_from_slice(b"\n");
        event
    }
}

/// A body of known length made of several buffers, written by one vectored call.
struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.pieces.next();
        if let Some(piece) = &piece {
            self.left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A tool result that says `text`.
pub(super) fn text_result(text: &str, is_error: bool) -> Json {
    Json::of(&json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }))
}

/// A provider's result as modern clients want it: `resultType` and `serverInfo` are put in where
/// they are missing, and every byte that came stays.
pub(super) fn modern_result(output: &Output) -> Vec<Bytes> {
    let whole = output.json.bytes();
    let text = output.json.as_str();
    let mut pieces = Vec::with_capacity(6);
    let added = match output.kind {
        OutputKind::Unsaid => r#"{"resultType":"complete","#,
        OutputKind::Complete | OutputKind::InputRequired => "{",
    };
    pieces.push(Bytes::from_static(added.as_bytes()));
    let is_empty = |object: &str| object[1..].trim_start().starts_with('}');
    match &output.meta {
        Some(meta) if names_its_server(output.part(meta)) => {
            pieces.push(whole.slice(1..));
        }
        Some(meta) => {
            let inside = meta.start + 1;
            let comma = if is_empty(output.part(meta)) { "" } else { "," };
            pieces.push(whole.slice(1..inside));
            pieces.extend([Bytes::from_static(SERVER_INFO.as_bytes()), comma.into()]);
            pieces.push(whole.slice(inside..));
        }
        None => {
            let meta = if is_empty(text) { OWN_META } else { OWN_META_FIRST };
            pieces.extend([Bytes::from_static(meta.as_bytes()), whole.slice(1..)]);
        }
    }
    pieces
}

fn names_its_server(meta: &str) -> bool {
    let keys: HashMap<Cow<'_, str>, IgnoredAny> = serde_json::from_str(meta).unwrap_or_default();
    keys.contains_key(SERVER_INFO_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern(result: &str) -> String {
        let output = Output::parse(Json::from(result.to_owned())).unwrap();
        let pieces = modern_result(&output).concat();
        String::from_utf8(pieces).unwrap()
    }

    #[test]
    fn what_is_missing_is_put_in_and_every_byte_stays() {
        let info = SERVER_INFO;
        for (result, expected) in [
            (
                r#"{ "x":12345678901234567890123,"content":[]}"#,
                format!(
                    r#"{{"resultType":"complete","_meta":{{{info}}}, "x":12345678901234567890123,"content":[]}}"#
                ),
            ),
            (
                r#"{"content":[],"_meta":{"b":1,"a":2},"resultType":"complete"}"#,
                format!(
                    r#"{{"content":[],"_meta":{{{info},"b":1,"a":2}},"resultType":"complete"}}"#
                ),
            ),
            (r#"{"_meta":{ }}"#, format!(r#"{{"resultType":"complete","_meta":{{{info} }}}}"#)),
            ("{}", format!(r#"{{"resultType":"complete","_meta":{{{info}}}}}"#)),
        ] {
            assert_eq!(modern(result), expected);
        }
    }

    #[test]
    fn a_result_that_names_its_server_keeps_it() {
        let result =
            r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#;
        assert_eq!(modern(result), result);
    }

    #[test]
    fn line_ends_between_values_do_not_end_an_event() {
        let payload = Payload { pieces: vec!["{\"a\":\n1,".into(), "\r\n\"b\":2}".into()] };
        assert_eq!(payload.into_event(), "data: {\"a\":\ndata: 1,\ndata: \ndata: \"b\":2}\n\n");
    }
}
