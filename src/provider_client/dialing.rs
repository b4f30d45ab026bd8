//! The handshake: a token is shown, and the hub lets the provider in or does not.

use reqwest::Url;
use tokio::{
    net::TcpStream,
    time::{Duration, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error as SocketError,
        client::IntoClientRequest,
        http::{HeaderValue, Response, StatusCode, header},
        protocol::WebSocketConfig,
    },
};

use super::Refused;
use crate::provider::remote::frame::SUBPROTOCOL;

/// How long a hub may take to let a provider in.
const HANDSHAKE_TIME: Duration = Duration::from_secs(20);
/// The longest message of a hub, in bytes; its own bound for what it sends is usually lower.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The longest a hub may send a provider away for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// What is told of a refusal's body, in bytes.
const REASON_BYTES_MAX: usize = 300;

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is no connection.
pub(super) enum NoConnection {
    /// Trying again would not help.
    Refused(Refused),
    /// It may.
    Failed { cause: String, retry_after: Option<Duration> },
}

impl From<String> for NoConnection {
    fn from(cause: String) -> Self {
        Self::Failed { cause, retry_after: None }
    }
}

pub(super) async fn dial(endpoint: &Url, token: Option<String>) -> Result<Socket, NoConnection> {
    let request = endpoint.as_str().into_client_request();
    let mut request = request.map_err(|error| NoConnection::from(error.to_string()))?;
    let headers = request.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
        let mut value = value.map_err(|_invalid| {
            NoConnection::Refused(Refused::Token("it has characters no token has".into()))
        })?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    // Without delay: an answer is not to wait for acknowledgements of what came before.
    match timeout(HANDSHAKE_TIME, connect_async_with_config(request, Some(config), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(SocketError::Http(response))) => Err(refusal(&response)),
        Ok(Err(error)) => Err(error.to_string().into()),
        Err(_elapsed) => Err("the hub does not answer".to_owned().into()),
    }
}

fn refusal(response: &Response<Option<Vec<u8>>>) -> NoConnection {
    let body = response.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(&body[..body.len().min(REASON_BYTES_MAX)]);
    let words: Vec<_> = body.split_whitespace().collect();
    let said = match words.join(" ").replace(char::is_control, "") {
        said if said.is_empty() => format!("status {}", response.status()),
        said => said,
    };
    match response.status() {
        StatusCode::UNAUTHORIZED => NoConnection::Refused(Refused::Token(said.into())),
        StatusCode::FORBIDDEN => NoConnection::Refused(Refused::Forbidden(said.into())),
        status => {
            let seconds = response.headers().get(header::RETRY_AFTER);
            let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
            let cause = format!("{}: {said}", status.as_u16());
            let retry_after = seconds.map(Duration::from_secs);
            NoConnection::Failed { cause, retry_after: retry_after.map(|s| s.min(RETRY_AFTER_MAX)) }
        }
    }
}
