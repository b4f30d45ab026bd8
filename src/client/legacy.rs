//! The legacy era (MCP 2024-11-05 to 2025-11-25): a handshake, then messages of a session.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use bytestring::ByteString;
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    Client,
    answer::{Reply, ReplyEra, accepts_events},
    era::{LEGACY_VERSIONS, SESSION_HEADER, VersionHeader},
    error::Refusal,
    listen,
    message::{
        Incoming, META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL, META_PROGRESS_TOKEN, Params,
        RequestId,
    },
    payload::Payload,
    session::Session,
    tools,
};
use crate::{
    auth::User,
    model::{
        call::{Listener, LogLevel, Member},
        json::Json,
    },
};

/// Log messages a client gets that never said which it wants.
const USUAL_LOG_LEVEL: LogLevel = LogLevel::Info;

/// The largest `capabilities` or `clientInfo`.
const INTRODUCTION_BYTES_MAX: usize = 16 * 1024;

/// `initialize`: settles on a revision and opens a session.
pub(super) fn initialize(client: &Client, user: &User, id: RequestId, params: &Params) -> Response {
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
    let version = *known.unwrap_or(&LEGACY_VERSIONS[0]);
    let capabilities = introduction(params, "capabilities")?;
    let info = introduction(params, "clientInfo")?;
    let tools = client.hub.user(&user.id);
    let session =
        client.sessions.open(tools, version, capabilities, info).map_err(Refusal::limited)?;
    let mut result = json!({
        "protocolVersion": version,
        "capabilities": { "logging": {}, "tools": { "listChanged": true } },
        "serverInfo": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    });
    if let Some(instructions) = &client.instructions {
        result["instructions"] = json!(instructions);
    }
    let result = Bytes::from(result.to_string());
    let mut response = Payload::result(id, [result]).into_response(StatusCode::OK);
    let session_id = HeaderValue::from_str(&session.id).expect("a session id is visible ASCII");
    response.headers_mut().insert(SESSION_HEADER, session_id);
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

/// The session a request names, if it is the user's own.
fn session(client: &Client, user: &User, headers: &HeaderMap) -> Result<Arc<Session>, Refusal> {
    let id = headers.get(SESSION_HEADER).ok_or_else(|| {
        Refusal::invalid_request("the header Mcp-Session-Id is missing; initialize first".into())
    })?;
    let id = id.to_str().unwrap_or_default();
    client.sessions.find(id, &user.id).ok_or_else(Refusal::no_session)
}

/// GET: the stream of what concerns the session as a whole.
pub(super) fn open_stream(client: &Client, user: &User, headers: &HeaderMap) -> Response {
    let opened = known_version(headers)
        .and_then(|()| session(client, user, headers))
        .and_then(|session| listen::session_stream(client, user, &session));
    opened.unwrap_or_else(IntoResponse::into_response)
}

/// DELETE: ends the session.
pub(super) fn close(client: &Client, user: &User, headers: &HeaderMap) -> Response {
    match session(client, user, headers) {
        Ok(session) => {
            client.sessions.close(&session);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn known_version(headers: &HeaderMap) -> Result<(), Refusal> {
    match VersionHeader::of(headers) {
        VersionHeader::Unknown(version) => {
            let what = format!("MCP-Protocol-Version {version:?} is not supported");
            Err(Refusal::invalid_request(what))
        }
        VersionHeader::Absent | VersionHeader::Legacy | VersionHeader::Modern => Ok(()),
    }
}

/// POST: one message of a session.
pub(super) async fn message(
    client: &Client,
    user: &User,
    headers: &HeaderMap,
    incoming: Incoming,
) -> Response {
    let id = incoming.id().cloned();
    let session = match session(client, user, headers) {
        Ok(session) => session,
        Err(refusal) => return refusal.of(id).into_response(),
    };
    match incoming {
        Incoming::Request { id, method, params } => {
            let request = Request { client, session, headers, id: id.clone(), params };
            let answered = request.handle(&method).await;
            answered.unwrap_or_else(|refusal| refusal.of(Some(id)).into_response())
        }
        Incoming::Notification { method, params } => {
            if *method == *"notifications/cancelled"
                && let Some(id) = params.get("requestId")
            {
                session.cancel(id.as_str());
            }
            StatusCode::ACCEPTED.into_response()
        }
        Incoming::Response => StatusCode::ACCEPTED.into_response(),
    }
}

struct Request<'a> {
    client: &'a Client,
    session: Arc<Session>,
    headers: &'a HeaderMap,
    id: RequestId,
    params: Params,
}

impl Request<'_> {
    async fn handle(self, method: &str) -> Result<Response, Refusal> {
        let done = |result: Vec<Bytes>| {
            Ok(Payload::result(&self.id, result).into_response(StatusCode::OK))
        };
        match method {
            "ping" => done(vec![Bytes::from_static(b"{}")]),
            "tools/list" => {
                let page_size = self.client.limits.tools_per_page.get();
                let view = self.session.tools.view();
                done(tools::list(&view, &self.params, page_size, false)?)
            }
            "tools/call" => Box::pin(self.call()).await,
            "logging/setLevel" => {
                let level = self.params.required_string("level")?;
                let level = level.parse().map_err(|error: crate::model::call::NoSuchLevel| {
                    Refusal::invalid_params(format!("`params.level` is {error}"))
                })?;
                self.session.set_log_level(level);
                done(vec![Bytes::from_static(b"{}")])
            }
            _ => Err(Refusal::method_not_found(StatusCode::OK, method)),
        }
    }

    async fn call(self) -> Result<Response, Refusal> {
        let name = self.params.required_string("name")?;
        let mut call = tools::call(name, &self.params, self.meta())?;
        let progress_token = self.params.progress_token()?;
        let accepts_events = accepts_events(self.headers);
        let mut notices = None;
        if accepts_events {
            let level = self.session.log_level().unwrap_or(USUAL_LOG_LEVEL);
            let (listener, queue) = Listener::new(progress_token.is_some(), Some(level));
            call.listener = Some(listener);
            notices = Some(queue);
        }
        // The call lives in a task of its own: a client that leaves does not cancel it.
        let (answer, outcome) = oneshot::channel();
        let (hub, session) = (self.client.hub.clone(), Arc::clone(&self.session));
        let listed = self.session.begin(self.id.clone()).ok_or_else(Refusal::no_session)?;
        self.client.lifecycle.spawn_call(async move {
            let outcome = tokio::select! {
                outcome = hub.call(&session.tools, call) => Some(outcome),
                () = listed.cancelled.cancelled() => None,
                () = session.ended.cancelled() => None,
            };
            // The client may have left.
            drop(answer.send(outcome));
        });
        let outcome = Box::pin(async move { outcome.await.ok().flatten() });
        let reply = Reply { id: self.id, progress_token, accepts_events, era: ReplyEra::Legacy };
        Ok(reply.answer(outcome, notices).await)
    }

    /// What a modern client says of itself in each request, this one said in its handshake.
    fn meta(&self) -> Vec<Member> {
        let own = self.params.all_meta().filter(|(key, _)| *key != META_PROGRESS_TOKEN);
        let mut meta: Vec<_> = own.cloned().collect();
        let level = self.session.log_level().map(|level| Json::of(&level.as_str()));
        let said = [
            (META_CAPABILITIES, self.session.capabilities.clone()),
            (META_CLIENT, self.session.client.clone()),
            (META_LOG_LEVEL, level),
        ];
        for (key, value) in said {
            if let Some(value) = value
                && !meta.iter().any(|(own, _)| *own == key)
            {
                meta.push((ByteString::from_static(key), value));
            }
        }
        meta
    }
}
