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

/// Why a file cannot be used is told, without what stood in the place of a variable.
pub fn servers_file(bytes: &[u8]) {
    const VALUE: &str = "the value of a variable";
    let Some(text) = text(bytes) else { return };
    match servers::read(text, &|_| Some(VALUE.to_owned())) {
        Ok(servers) => assert!(servers.iter().all(|server| server.name.is_some())),
        Err(faulty) => {
            is_told(&faulty);
            assert!(!faulty.to_string().contains(VALUE), "{faulty}");
        }
    }
}
