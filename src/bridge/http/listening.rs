//! The stream of what a legacy server says unasked, kept open for as long as the server lets it be.

use std::sync::Arc;

use reqwest::StatusCode;
use tokio::sync::mpsc;

use super::{
    SessionLost, Settled,
    reading::{self, Events, is_stream},
    refusal::Refusal,
    resuming::Cursor,
    server::Server,
};
use crate::{bridge::link::Event, model::error::innermost};

pub(super) struct Listening {
    server: Arc<Server>,
    events: mpsc::Sender<Event>,
    settled: Option<Settled>,
    cursor: Cursor,
}

impl Listening {
    pub(super) fn new(
        server: &Arc<Server>,
        events: &mpsc::Sender<Event>,
        settled: &Option<Settled>,
    ) -> Self {
        let (server, events, settled) = (Arc::clone(server), events.clone(), settled.clone());
        Self { server, events, settled, cursor: Cursor::default() }
    }

    /// Ends when the server offers no such stream.
    pub(super) async fn run(mut self) -> Result<(), SessionLost> {
        loop {
            let request = self.server.stream(self.settled.as_ref(), self.cursor.last_event());
            match request.send().await {
                Ok(response) if response.status().is_success() => {
                    if !is_stream(&response) {
                        return Ok(());
                    }
                    self.listen(Events::of(response)).await;
                }
                Ok(response) => {
                    let refusal = Refusal::read(response).await;
                    if self.server.has_session() && refusal.loses_session(None) {
                        return Err(refusal.session_lost());
                    }
                    let status = refusal.status();
                    if !(status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS) {
                        let status = status.as_u16();
                        tracing::debug!(status, "the server says nothing unasked");
                        return Ok(());
                    }
                }
                // It was there a moment ago. Its tools are not to be offered until it is back.
                Err(error) if error.is_connect() => {
                    let why = innermost(&error.without_url());
                    return Err(SessionLost(format!("it cannot be reached any more: {why}")));
                }
                Err(error) => {
                    let why = innermost(&error.without_url());
                    tracing::debug!(why, "the stream of unasked messages did not open");
                }
            }
            self.cursor.wait().await;
        }
    }

    async fn listen(&mut self, mut events: Events) {
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(broken) => {
                    tracing::debug!(%broken, "the stream of unasked messages ended");
                    return;
                }
            };
            self.cursor.pass(&event);
            let Some(text) = reading::data(event) else { continue };
            match reading::message(&text) {
                Ok(message) => {
                    self.events.send(Event::Said { on: None, message }).await.ok();
                }
                Err(fault) => {
                    tracing::warn!(fault, "a faulty message is passed over");
                }
            }
        }
    }
}
