//! One request and all that comes in answer to it, over as many streams as that takes.

use std::{sync::Arc, time::Duration};

use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::{sync::mpsc, time::timeout};

use super::{
    SessionLost, Settled,
    reading::{self, Events, is_stream},
    refusal::Refusal,
    resuming::Cursor,
    server::Server,
};
use crate::{
    bridge::link::{Era, Event, Fault},
    model::error::innermost,
    provider::remote::frame::Incoming,
};

/// How often in a row the rest of a stream is asked for without getting any.
const RESUMES_MAX: u32 = 6;
/// How long a stream may take to end after the answer. One that has ended leaves its connection to
/// the next request.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Exchange {
    server: Arc<Server>,
    events: mpsc::Sender<Event>,
    settled: Option<Settled>,
    id: u64,
    method: &'static str,
    cursor: Cursor,
}

/// Why there is no answer.
struct Unanswered {
    fault: Fault,
    session_lost: Option<SessionLost>,
}

impl Unanswered {
    fn new(reason: impl Into<String>, may_have_run: bool) -> Self {
        Self { fault: Fault { reason: reason.into(), may_have_run }, session_lost: None }
    }
}

impl From<reqwest::Error> for Unanswered {
    fn from(error: reqwest::Error) -> Self {
        let unsent = error.is_connect() || error.is_builder();
        let cause = innermost(&error.without_url());
        if unsent {
            Self::new(format!("cannot reach the server: {cause}"), false)
        } else {
            Self::new(format!("the connection broke before the answer came: {cause}"), true)
        }
    }
}

/// How far a stream led.
enum Led {
    ToTheAnswer,
    /// It ended before; this is how.
    Nowhere(String),
}

impl Exchange {
    pub(super) fn new(
        server: &Arc<Server>,
        events: &mpsc::Sender<Event>,
        settled: &Option<Settled>,
        id: u64,
        method: &'static str,
    ) -> Self {
        let (server, events, settled) = (Arc::clone(server), events.clone(), settled.clone());
        Self { server, events, settled, id, method, cursor: Cursor::default() }
    }

    pub(super) async fn run(mut self, request: RequestBuilder) -> Result<(), SessionLost> {
        let Err(Unanswered { fault, session_lost }) = self.ask(request).await else {
            return Ok(());
        };
        self.events.send(Event::Unanswered { id: self.id, fault }).await.ok();
        session_lost.map_or(Ok(()), Err)
    }

    async fn ask(&mut self, request: RequestBuilder) -> Result<(), Unanswered> {
        let mut response = request.send().await?;
        if !response.status().is_success() {
            return self.refused(response).await;
        }
        if self.method == "initialize" {
            self.server.begin_session(&response);
        }
        if !is_stream(&response) {
            return self.document(response).await;
        }
        loop {
            match self.stream(response).await? {
                Led::ToTheAnswer => return Ok(()),
                Led::Nowhere(how) => response = self.resume(&how).await?,
            }
        }
    }

    async fn refused(&self, response: Response) -> Result<(), Unanswered> {
        let mut refusal = Refusal::read(response).await;
        if self.is_in_session() && refusal.loses_session(Some(self.id)) {
            let session_lost = Some(refusal.session_lost());
            return Err(Unanswered {
                session_lost,
                ..Unanswered::new(refusal.reason(&self.server), false)
            });
        }
        let Some(answer) = refusal.take_answer(self.id) else {
            return Err(Unanswered::new(refusal.reason(&self.server), refusal.may_have_run()));
        };
        self.say(Incoming::Answer { id: Some(self.id), outcome: answer.outcome }).await;
        Ok(())
    }

    async fn document(&self, response: Response) -> Result<(), Unanswered> {
        let status = response.status();
        let kind = reading::kind(&response);
        let text = reading::document(response).await;
        let text = text.map_err(|broken| Unanswered::new(broken.to_string(), true))?;
        if text.is_empty() {
            return Err(Unanswered::new(format!("the server answers {status} and nothing"), true));
        }
        let message = reading::message(&text).map_err(|fault| {
            let reason = match kind.as_str() {
                "application/json" => format!("the server sent a faulty answer: {fault}"),
                other => {
                    format!("the server's answer is \"{}\", not JSON-RPC", reading::extract(other))
                }
            };
            Unanswered::new(reason, true)
        })?;
        if self.hear(message).await {
            return Ok(());
        }
        Err(Unanswered::new("the server sent something else than the answer", true))
    }

    async fn stream(&mut self, response: Response) -> Result<Led, Unanswered> {
        let mut events = Events::of(response);
        loop {
            let event = match events.next().await {
                Some(Ok(event)) => event,
                Some(Err(broken @ reading::Broken::Cut(_))) => {
                    return Ok(Led::Nowhere(broken.to_string()));
                }
                // The rest of such a stream would begin with the same.
                Some(Err(broken)) => return Err(Unanswered::new(broken.to_string(), true)),
                None => return Ok(Led::Nowhere("the stream ended".into())),
            };
            self.cursor.pass(&event);
            let Some(text) = reading::data(event) else { continue };
            match reading::message(&text) {
                Ok(message) => {
                    if self.hear(message).await {
                        break;
                    }
                }
                Err(fault) if reading::names_a_method(&text) => {
                    tracing::debug!(fault, "a faulty message is passed over");
                }
                Err(fault) => {
                    let reason = format!("the server sent a faulty answer: {fault}");
                    return Err(Unanswered::new(reason, true));
                }
            }
        }
        let end = async { while let Some(Ok(_)) = events.next().await {} };
        timeout(ENDS_WITHIN, end).await.ok();
        Ok(Led::ToTheAnswer)
    }

    /// The rest of a stream that ended before the answer, as `how` says.
    async fn resume(&mut self, how: &str) -> Result<Response, Unanswered> {
        let unanswered = |why_not: &str| {
            Unanswered::new(format!("there was no answer before {how}{why_not}"), true)
        };
        let is_legacy = match &self.settled {
            Some(settled) => settled.era == Era::Legacy,
            None => self.method != "server/discover",
        };
        if !is_legacy || self.cursor.last_event().is_none() {
            return Err(unanswered(""));
        }
        while self.cursor.wait().await <= RESUMES_MAX {
            let request = self.server.stream(self.settled.as_ref(), self.cursor.last_event());
            let Ok(response) = request.send().await else { continue };
            if response.status().is_success() && is_stream(&response) {
                return Ok(response);
            }
            let refusal = Refusal::read(response).await;
            if self.is_in_session() && refusal.loses_session(None) {
                let session_lost = Some(refusal.session_lost());
                return Err(Unanswered { session_lost, ..unanswered(", nor is there a session") });
            }
            let status = refusal.status();
            if !(status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS) {
                let reason = refusal.reason(&self.server);
                return Err(unanswered(&format!(", and there is no resuming it: {reason}")));
            }
        }
        Err(unanswered(", and the rest of it did not come"))
    }

    /// Passes `message` on; whether it was the answer.
    async fn hear(&self, mut message: Incoming) -> bool {
        let is_answer = match &mut message {
            // An error about nothing in particular; nothing else was asked here.
            Incoming::Answer { id: id @ None, outcome: Err(_) } => {
                *id = Some(self.id);
                true
            }
            Incoming::Answer { id, .. } => *id == Some(self.id),
            Incoming::Request { .. } | Incoming::Notification { .. } => false,
        };
        self.say(message).await;
        is_answer
    }

    async fn say(&self, message: Incoming) {
        self.events.send(Event::Said { on: Some(self.id), message }).await.ok();
    }

    fn is_in_session(&self) -> bool {
        let is_legacy = self.settled.as_ref().is_some_and(|settled| settled.era == Era::Legacy);
        is_legacy && self.server.has_session()
    }
}
