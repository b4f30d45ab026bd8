//! A bare axum server with one answer for everything: what HTTP alone costs.

use std::{fs, path::Path};

use anyhow::Context;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue},
    routing,
    serve::ListenerExt,
};
use memchr::memmem;
use tokio::net::TcpListener;

/// Answers with what `file` holds: an HTTP answer, head and body, as it went over the wire.
#[tokio::main]
pub(crate) async fn run(file: &Path) -> anyhow::Result<()> {
    let answer = fs::read(file)?;
    let end = memmem::find(&answer, b"\r\n\r\n").context("an answer without a head")?;
    let answer = (headers(&answer[..end])?, Bytes::copy_from_slice(&answer[end + 4..]));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/mcp", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let router = Router::new().route("/mcp", routing::post(handle)).with_state(answer);
    Ok(axum::serve(listener, router).await?)
}

async fn handle(State(answer): State<(HeaderMap, Bytes)>, _request: Bytes) -> (HeaderMap, Bytes) {
    answer
}

/// The headers of `head`, less those that hyper writes by itself.
fn headers(head: &[u8]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        let colon = line.iter().position(|&byte| byte == b':').context("an odd header")?;
        let name = HeaderName::from_bytes(&line[..colon])?;
        if !["content-length", "date", "transfer-encoding"].contains(&name.as_str()) {
            headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())?);
        }
    }
    Ok(headers)
}
