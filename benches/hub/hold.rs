//! A bare axum server whose event streams stay open and say nothing: what connections alone keep.

use std::{convert::Infallible, future::ready};

use axum::{
    Router,
    body::{Body, Bytes},
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
    routing,
    serve::ListenerExt,
};
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;

/// Takes part in the same exchanges as the hub, and remembers nothing of them.
#[tokio::main]
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/mcp", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = Router::new().route("/mcp", routing::post(open).get(listen));
    Ok(axum::serve(listener, router.into_make_service()).await?)
}

async fn open(_request: Bytes) -> impl IntoResponse {
    ([("mcp-session-id", "all the same")], "{}")
}

async fn listen() -> impl IntoResponse {
    let first = stream::once(ready(Ok::<_, Infallible>(Bytes::from_static(b":\n\n"))));
    let events = Body::from_stream(first.chain(stream::pending()));
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")], events)
}
