//! Sessions, as clients of the era before this one open them.

use anyhow::Context;

use crate::{
    ask::post,
    http::{Connection, value_of},
    user::User,
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// Opens a session; gives the headers that later requests of it have.
pub(crate) async fn open_session(
    connection: &mut Connection,
    port: u16,
    user: &User,
) -> anyhow::Result<String> {
    connection.exchange(&post(port, &user.header(), INITIALIZE)).await?;
    let lines = connection.head().split(|&byte| byte == b'\n');
    let id = lines.filter_map(|line| value_of(line, b"mcp-session-id:")).next();
    let id = std::str::from_utf8(id.context("no session was opened")?)?;
    let headers =
        format!("MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: {id}\r\n{}", user.header());
    connection.exchange(&post(port, &headers, INITIALIZED)).await?;
    Ok(headers)
}

/// Opens a session and the stream on which it hears of changes, both on one connection.
pub(crate) async fn open_stream(port: u16, user: &User) -> anyhow::Result<Connection> {
    let mut connection = Connection::open(port).await?;
    let headers = open_session(&mut connection, port, user).await?;
    let request = format!(
        "GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n{headers}\r\n"
    );
    connection.subscribe(request.as_bytes()).await?;
    Ok(connection)
}
