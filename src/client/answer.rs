//! The answer to a call of the modern era: one JSON document, or an event stream if there is something to tell first.
//! Which of the two is decided as late as can be.

use std::{convert::Infallible, future::ready, pin::Pin, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::sleep;

use super::{
    capabilities::Abilities,
    error::{Refusal, Told, tell},
    message::RequestId,
    payload::{Payload, modern_result},
};
use crate::model::{
    call::{Notice, Notices, Output},
    error::CallError,
    json::Json,
};

/// How often a stream with nothing to say shows that it lives; proxies cut silent ones after a
/// minute or less.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
pub(super) const KEEP_ALIVE_COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// How a call ends. Dropping it cancels the call.
pub(super) type Outcome = Pin<Box<dyn Future<Output = Result<Output, CallError>> + Send>>;

/// To whom the answer goes, and in which form.
pub(super) struct Reply {
    pub id: RequestId,
    pub progress_token: Option<Json>,
    pub accepts_events: bool,
    /// What the client declared in this request.
    pub capabilities: Json,
}

impl Reply {
    /// Waits for the call and answers. With the first notice, or when it takes long, the answer
    /// turns into an event stream, if the client can read one.
    pub(super) async fn answer(
        self,
        mut outcome: Outcome,
        mut notices: Option<Notices>,
    ) -> Response {
        if !self.accepts_events {
            drop(notices.take());
            return self.conclude(outcome.await);
        }
        let first = tokio::select! {
            biased;
            Some(notice) = next(&mut notices) => self.notice_event(&notice),
            ended = &mut outcome => match said(&mut notices) {
                None => return self.conclude(ended),
                Some(notice) => {
                    outcome = Box::pin(ready(ended));
                    self.notice_event(&notice)
                }
            },
            () = sleep(KEEP_ALIVE) => Some(KEEP_ALIVE_COMMENT),
        };
        let events = Events { reply: self, outcome: Some(outcome), notices, first };
        event_stream(stream::unfold(events, Events::next))
    }

    fn conclude(&self, outcome: Result<Output, CallError>) -> Response {
        match self.payload(outcome) {
            Ok(payload) => payload.into_response(StatusCode::OK),
            Err(refusal) => refusal.into_response(),
        }
    }

    fn notice_event(&self, notice: &Notice) -> Option<Bytes> {
        Payload::notice(notice, self.progress_token.as_ref()).map(Payload::into_event)
    }

    fn payload(&self, outcome: Result<Output, CallError>) -> Result<Payload, Refusal> {
        let output = match outcome.map_err(|error| tell(error, true)) {
            Ok(output) => output,
            Err(Told::Error(refusal)) => return Err(refusal.of(Some(self.id.clone()))),
            Err(Told::Result(json)) => Output::parse(json).expect("the hub's own result"),
        };
        let requests = output.input_requests.as_ref().map(|span| output.part(span));
        let can = || Abilities::read(Some(self.capabilities.as_str()));
        match requests.and_then(|asked| can().missing_for(asked)) {
            Some(missing) => Err(Refusal::missing_capability(&missing).of(Some(self.id.clone()))),
            None => Ok(Payload::result(&self.id, modern_result(&output))),
        }
    }
}

struct Events {
    reply: Reply,
    outcome: Option<Outcome>,
    notices: Option<Notices>,
    first: Option<Bytes>,
}

impl Events {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if let Some(first) = self.first.take() {
            return Some((Ok(first), self));
        }
        loop {
            let outcome = self.outcome.as_mut()?;
            let event = tokio::select! {
                biased;
                Some(notice) = next(&mut self.notices) => self.reply.notice_event(&notice),
                ended = outcome => match said(&mut self.notices) {
                    None => {
                        self.outcome = None;
                        let payload = self.reply.payload(ended);
                        Some(payload.unwrap_or_else(|refusal| refusal.payload()).into_event())
                    }
                    Some(notice) => {
                        self.outcome = Some(Box::pin(ready(ended)));
                        self.reply.notice_event(&notice)
                    }
                },
                () = sleep(KEEP_ALIVE) => Some(KEEP_ALIVE_COMMENT),
            };
            let Some(event) = event else { continue };
            return Some((Ok(event), self));
        }
    }
}

/// The next notice; never, when none can come.
async fn next(notices: &mut Option<Notices>) -> Option<Notice> {
    let notice = match notices {
        Some(notices) => notices.next().await,
        None => std::future::pending().await,
    };
    if notice.is_none() {
        *notices = None;
    }
    notice
}

/// What was said before the call ended, perhaps in the same moment: a plugin that never waits says
/// everything and answers in one go.
fn said(notices: &mut Option<Notices>) -> Option<Notice> {
    notices.as_mut()?.said()
}

/// A response of server-sent events (WHATWG HTML §9.2).
pub(super) fn event_stream(
    events: impl stream::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Nginx holds events back otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Whether the client says that it reads event streams.
pub(super) fn accepts_events(headers: &HeaderMap) -> bool {
    accepts(headers, "text/event-stream") == Some(true)
}

/// Whether a client that asks for an event stream can be given one: it does not say that it wants
/// something else (RFC 9110 §12.5.1).
pub(super) fn may_get_events(headers: &HeaderMap) -> bool {
    // What fits closer counts.
    let mut said =
        ["text/event-stream", "text/*", "*/*"].iter().filter_map(|range| accepts(headers, range));
    said.next().unwrap_or(!headers.contains_key(header::ACCEPT))
}

/// Whether the `Accept` header takes `range`, if it names it: with a weight of 0 it does not
/// (RFC 9110 §12.4.2).
fn accepts(headers: &HeaderMap, range: &str) -> Option<bool> {
    let values = headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes);
    let named = values.flat_map(|value| value.split(|byte| *byte == b',')).filter_map(|named| {
        let mut parts = named.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_it = parts.next()?.eq_ignore_ascii_case(range.as_bytes());
        is_it.then(|| !parts.any(is_weight_of_zero))
    });
    named.reduce(|one, other| one || other)
}

fn is_weight_of_zero(parameter: &[u8]) -> bool {
    let parameter = str::from_utf8(parameter).unwrap_or_default();
    let weight = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"));
    weight.is_some_and(|(_, weight)| weight.parse() == Ok(0.0_f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_zero_is_a_refusal() {
        for (accept, accepts, may_get) in [
            ("application/json, text/event-stream", true, true),
            ("Text/Event-Stream; q=0.1", true, true),
            ("text/event-stream;q=0, */*", false, false),
            ("text/event-stream; Q=0.000", false, false),
            ("text/*;q=0, */*", false, false),
            ("*/*", false, true),
            ("application/json", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(
                (accepts_events(&headers), may_get_events(&headers)),
                (accepts, may_get),
                "{accept}"
            );
        }
        assert!(!accepts_events(&HeaderMap::new()) && may_get_events(&HeaderMap::new()));
    }
}
