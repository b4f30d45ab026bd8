//! `initialize`: settles on a revision and opens a session.

use axum::{
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::json;

use super::session::Handshake;
use crate::{
    auth::User,
    client::{
        Client,
        era::{LEGACY, LEGACY_VERSIONS, SESSION_HEADER},
        error::Refusal,
        message::{Params, RequestId},
        payload::Payload,
    },
    model::json::Json,
};

/// The largest `capabilities` or `clientInfo`.
const INTRODUCTION_BYTES_MAX: usize = 16 * 1024;

/// `initialize`: settles on a revision and opens a session.
pub(in crate::client) fn initialize(
    client: &Client,
    user: &User,
    id: RequestId,
    params: &Params,
) -> Response {
    match begin(client, user, &id, params) {
        Ok(response) => response,
        Err(refusal) => refusal.of(Some(id)).into_response(),
    }
}

fn begin(
    client: &Client,
    user: &User,
    id: &RequestId,
    params: &Params,
) -> Result<Response, Refusal> {
    let requested = params.required_string("protocolVersion")?;
    // A revision that is not known, or not of this era, is answered with the newest of it.
    let known = LEGACY_VERSIONS.iter().find(|version| ***version == *requested);
    let version = *known.unwrap_or(&LEGACY);
    let capabilities = introduction(params, "capabilities")?;
    let info = introduction(params, "clientInfo")?;
    let handshake = Handshake { version, capabilities, client: info };
    let tools = client.hub.user(&user.id);
    let session = client.sessions.open(tools, handshake).map_err(Refusal::limited)?;
    let mut result = json!({
        "protocolVersion": version,
        "capabilities": { "logging": {}, "tools": { "listChanged": true } },
        "serverInfo": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    });
    if let Some(instructions) = &client.options.instructions {
        result["instructions"] = json!(instructions);
    }
    let result = Bytes::from(result.to_string());
    let mut response = Payload::result(id, [result]).into_response(StatusCode::OK);
    let session_id = HeaderValue::from_str(&session.id).expect("a session id is visible ASCII");
    response.headers_mut().insert(&SESSION_HEADER, session_id);
    Ok(response)
}

/// What a client says of itself. It is kept as long as the session, so it has a bound of its own,
/// and memory of its own.
fn introduction(params: &Params, name: &str) -> Result<Option<Json>, Refusal> {
    match params.object(name)? {
        Some(said) if said.as_str().len() > INTRODUCTION_BYTES_MAX => {
            let what = format!("`params.{name}` is larger than {INTRODUCTION_BYTES_MAX} bytes");
            Err(Refusal::invalid_params(what))
        }
        said => Ok(said.map(|said| said.detached())),
    }
}
