//! The legacy era (MCP 2024-11-05 to 2025-11-25): a handshake, then messages of a session.

mod backlog;
mod call;
mod dialect;
mod handshake;
mod questions;
mod request;
pub(super) mod session;
mod stream;

use std::{sync::Arc, time::Duration};

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::stream as streams;

pub(super) use self::{backlog::EventId, handshake::initialize, stream::priming};
use self::{
    backlog::{Answer, Decided, Undecided},
    request::Request,
    session::Session,
};
use super::{
    Client,
    answer::{KEEP_ALIVE, accepts_events, event_stream, may_get_events},
    era::{SESSION_HEADER, VersionHeader},
    error::Refusal,
    listen,
    message::Incoming,
    payload::Payload,
};
use crate::auth::User;

/// The one revision in which several messages may come at once.
const BATCH_VERSION: &str = "2025-03-26";

/// A call that takes longer gets a stream its client can come back to, where it knows how.
const RESUMABLE_AFTER: Duration = Duration::from_millis(500);

/// The session a request names, if it is the user's own.
fn session(client: &Client, user: &User, headers: &HeaderMap) -> Result<Arc<Session>, Refusal> {
    let id = headers.get(&SESSION_HEADER).ok_or_else(|| {
        Refusal::invalid_request("the header Mcp-Session-Id is missing; initialize first".into())
    })?;
    let id = id.to_str().unwrap_or_default();
    client.sessions.find(id, &user.id).ok_or_else(Refusal::no_session)
}

/// GET: goes on with the stream that `Last-Event-ID` names, or opens the one of what concerns the
/// session as a whole.
pub(super) fn open_stream(client: &Client, user: &User, headers: &HeaderMap) -> Response {
    opened(client, user, headers).unwrap_or_else(IntoResponse::into_response)
}

fn opened(client: &Client, user: &User, headers: &HeaderMap) -> Result<Response, Refusal> {
    VersionHeader::of(headers).check_known()?;
    if !may_get_events(headers) {
        return Err(Refusal::not_acceptable());
    }
    let session = session(client, user, headers)?;
    match last_event(headers) {
        Some(EventId::Told { stream, place }) => Ok(match session.backlog.resume(stream, place) {
            Some(reader) => stream::of(client, user, &session, reader),
            // There is no more to come back for (WHATWG HTML §9.2.3): to a stream that just ends,
            // a client would come back again and again.
            None => StatusCode::NO_CONTENT.into_response(),
        }),
        Some(EventId::Change(last)) => listen::session_stream(client, user, &session, Some(last)),
        None => listen::session_stream(client, user, &session, None),
    }
}

/// The last event the client got of a stream that broke off.
fn last_event(headers: &HeaderMap) -> Option<EventId> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// DELETE: ends the session.
pub(super) fn close(client: &Client, user: &User, headers: &HeaderMap) -> Response {
    let known = VersionHeader::of(headers).check_known();
    match known.and_then(|()| session(client, user, headers)) {
        Ok(session) => {
            client.sessions.close(&session);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(refusal) => refusal.into_response(),
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
    let talk = Talk::new(client, user, headers, &session);
    let Some(request) = talk.take(incoming) else { return StatusCode::ACCEPTED.into_response() };
    if !request.is_call() {
        return respond(request.answer());
    }
    let (undecided, teller) = session.backlog.open(request.id.clone());
    request.answer_at(teller);
    match talk.decided(undecided).await {
        Ok(mut answers) => match answers.pop() {
            Some(answer) => respond(answer),
            // Its client cancelled it.
            None if talk.reads_events => event_stream(streams::empty()),
            None => StatusCode::ACCEPTED.into_response(),
        },
        Err(events) => events,
    }
}

/// POST: several messages of a session at once.
pub(super) async fn batch(
    client: &Client,
    user: &User,
    headers: &HeaderMap,
    messages: Vec<Result<Incoming, Refusal>>,
) -> Response {
    let session = match session(client, user, headers) {
        Ok(session) if session.version == BATCH_VERSION => session,
        Ok(session) => {
            let what = format!(
                "batches belong to revision {BATCH_VERSION}, but this session speaks {}",
                session.version
            );
            return Refusal::invalid_request(what).into_response();
        }
        Err(refusal) => return refusal.into_response(),
    };
    let talk = Talk::new(client, user, headers, &session);
    let ids = messages.iter().filter_map(|message| match message {
        Ok(incoming) => incoming.id().cloned().map(Some),
        Err(_refusal) => Some(None),
    });
    let (undecided, tellers) = session.backlog.open_batch(ids.collect());
    let mut tellers = tellers.into_iter();
    // In their order: one may cancel what another began.
    for message in messages {
        let request = message.map(|incoming| talk.take(incoming)).transpose();
        let Some((request, teller)) = request.and_then(|it| Some((it, tellers.next()?))) else {
            continue;
        };
        match request {
            Ok(request) => request.answer_at(teller),
            Err(refusal) => teller.answer(Err(refusal)),
        }
    }
    match talk.decided(undecided).await {
        Ok(answers) if answers.is_empty() => StatusCode::ACCEPTED.into_response(),
        Ok(answers) => {
            let messages =
                answers.into_iter().map(|answer| answer.unwrap_or_else(|no| no.payload()));
            Payload::batch(messages).into_response(StatusCode::OK)
        }
        Err(events) => events,
    }
}

fn respond(answer: Answer) -> Response {
    match answer {
        Ok(payload) => payload.into_response(StatusCode::OK),
        Err(refusal) => refusal.into_response(),
    }
}

/// One POST of a session.
struct Talk<'a> {
    client: &'a Client,
    user: &'a User,
    session: &'a Arc<Session>,
    headers: &'a HeaderMap,
    reads_events: bool,
}

impl<'a> Talk<'a> {
    fn new(
        client: &'a Client,
        user: &'a User,
        headers: &'a HeaderMap,
        session: &'a Arc<Session>,
    ) -> Self {
        Self { client, user, session, headers, reads_events: accepts_events(headers) }
    }

    /// The request, if the message is one; anything else is done with at once.
    fn take(&self, message: Incoming) -> Option<Request<'a>> {
        match message {
            Incoming::Request { id, method, params } => Some(Request {
                client: self.client,
                session: self.session,
                headers: self.headers,
                reads_events: self.reads_events,
                id,
                method,
                params,
            }),
            Incoming::Notification { method, params } => {
                if *method == *"notifications/cancelled"
                    && let Some(id) = params.get("requestId")
                {
                    self.session.cancel(id.as_str());
                }
                None
            }
            Incoming::Response { id, answer } => {
                if let Some(id) = id {
                    self.session.questions.answer(&id, answer);
                }
                None
            }
        }
    }

    /// All answers, or the stream in which they come.
    async fn decided(&self, undecided: Undecided) -> Result<Vec<Answer>, Response> {
        let patience = if self.session.polls() { RESUMABLE_AFTER } else { KEEP_ALIVE };
        match undecided.decided(self.reads_events.then_some(patience)).await {
            Decided::Answers(answers) => Ok(answers),
            Decided::Events(reader) => {
                Err(stream::of(self.client, self.user, self.session, reader))
            }
        }
    }
}
