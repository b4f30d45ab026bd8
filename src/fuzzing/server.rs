//! What servers send that are bridged, and the files they are kept in.

use axum::http;
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use reqwest::{Body, Response};

use super::{is_told, text};
use crate::bridge::{http::reading::Events, servers};

/// A stream has the same events, however its bytes come.
pub fn event_stream(bytes: &[u8]) {
    let whole = events(bytes, bytes.len().max(1));
    for step in [1, 3, 7] {
        assert_eq!(events(bytes, step), whole, "in pieces of {step} bytes");
    }
}

/// Kind, data and id of each event, until something is wrong.
fn events(bytes: &[u8], step: usize) -> Vec<Option<[Option<String>; 3]>> {
    let pieces: Vec<_> = bytes
        .chunks(step)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    let body = Body::wrap_stream(stream::iter(pieces));
    let mut events = Events::of(Response::from(http::Response::new(body)));
    let mut read = Vec::new();
    while let Some(event) = events.next().now_or_never().expect("all of it is there") {
        match event {
            Ok(event) => read.push(Some([event.event, event.data, event.id])),
            Err(broken) => {
                is_told(&broken);
                read.push(None);
                break;
            }
        }
    }
    read
}

/// Why a file cannot be used is told, without what stood in the place of a variable: whatever that is,
/// the same is said.
pub fn servers_file(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    // Of one kind: what is wrong with one is wrong with the other.
    let [one, other] = ["the value of a variable", "the worth of a constant"].map(|value| {
        let servers = servers::read(text, &|_| Some(value.to_owned()));
        servers.inspect_err(is_told).map_err(|faulty| faulty.to_string())
    });
    assert_eq!(one.as_ref().err(), other.as_ref().err());
    assert!(one.into_iter().flatten().all(|server| server.name.is_some()));
}
