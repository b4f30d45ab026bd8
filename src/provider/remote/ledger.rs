//! The state of a connection that knows no socket: what is pending, and when what is due.

use std::{collections::HashMap, sync::Arc};

use bytestring::ByteString;
use tokio::{sync::mpsc, time::Instant};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{
    ending::Ending,
    enrolment::{Enrolment, Refused},
    frame::{self, Incoming},
    handle::{Handover, Pending},
    meters,
};
use crate::model::{
    call::Output,
    clock::UnixTime,
    error::{AttemptError, NotHandedOver, RpcError},
    json::Json,
    limits::Limits,
};

/// Everything a connection has to keep in mind.
pub(super) struct Ledger {
    enrolment: Enrolment,
    pending: HashMap<u64, Pending>,
    limits: Arc<Limits>,
    started: Instant,
    last_heard: Instant,
    next_ping: Instant,
    expires: Option<Instant>,
    outgoing: Vec<Message>,
}

impl Ledger {
    pub(super) fn new(
        enrolment: Enrolment,
        limits: Arc<Limits>,
        expires: Option<UnixTime>,
    ) -> Self {
        let started = Instant::now();
        Self {
            enrolment,
            pending: HashMap::new(),
            started,
            last_heard: started,
            next_ping: started + limits.ping_interval,
            expires: expires.map(|at| started + UnixTime::now().until(at)),
            outgoing: Vec::new(),
            limits,
        }
    }

    pub(super) fn received(&mut self, message: Message) -> Result<(), Ending> {
        self.last_heard = Instant::now();
        match message {
            Message::Text(text) => {
                let text = ByteString::try_from(Bytes::from(text));
                let text = text.expect("the socket checked that it is UTF-8");
                let incoming = Incoming::parse(&text, self.limits.json_depth.get());
                self.said(incoming.map_err(Ending::BadFrame)?);
                Ok(())
            }
            Message::Binary(_) => Err(Ending::Binary),
            Message::Close(_) => Err(Ending::Left),
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    /// Whether more than one call is in flight.
    pub(super) fn is_busy(&self) -> bool {
        self.pending.len() > 1
    }

    /// What is to be sent to the provider, in this order.
    pub(super) fn take_outgoing(&mut self) -> std::vec::Drain<'_, Message> {
        self.outgoing.drain(..)
    }

    fn said(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Answer { id, outcome } => self.answered(id, outcome),
            Incoming::Notification { method, params: Some(params) } => {
                match frame::notice(&method, &params) {
                    Some((id, notice)) => {
                        if let Some(pending) = self.pending.get(&id) {
                            pending.attempt.notice(notice);
                        }
                    }
                    None => {
                        tracing::debug!(%method, "a provider's notification was not understood");
                    }
                }
            }
            Incoming::Notification { .. } => {}
            Incoming::Request { id, method, params } => {
                let answer = self.asked(&id, &method, params.as_ref());
                self.outgoing.push(Message::text(answer));
            }
        }
    }

    fn answered(&mut self, id: Option<u64>, outcome: Result<Json, RpcError>) {
        let Some(pending) = id.and_then(|id| self.pending.remove(&id)) else {
            tracing::debug!("a provider answered a call that nobody waits for");
            return;
        };
        let outcome = match outcome {
            Ok(result) => Output::parse(result).map_err(AttemptError::Faulty),
            Err(error) => Err(AttemptError::Answered(error)),
        };
        // The caller may have left at this very moment; then nobody minds.
        drop(pending.answer.send(outcome));
    }

    fn asked(&mut self, id: &Json, method: &str, params: Option<&Json>) -> String {
        match method {
            "ping" => frame::result(id, &serde_json::Map::new()),
            "providers/register" => match self.enrolment.register(params) {
                Ok(registered) => {
                    meters::registrations(meters::ACCEPTED).increment(1);
                    frame::result(id, &registered.answer())
                }
                Err(Refused { message, tools }) => {
                    meters::registrations(meters::REFUSED).increment(1);
                    let data = tools.map(|tools| Json::of(&frame::RefusedTools { tools }));
                    frame::error(id, RpcError::INVALID_PARAMS, &message, data.as_ref())
                }
            },
            _ => {
                let message = format!("there is no method {method:?} here");
                frame::error(id, RpcError::METHOD_NOT_FOUND, &message, None)
            }
        }
    }

    pub(super) fn handed_over(&mut self, call: Handover) {
        // The caller may have left while the call was queued: then it is not begun.
        if !call.pending.answer.is_closed() {
            self.pending.insert(call.id, call.pending);
            self.outgoing.push(Message::text(call.frame));
        }
    }

    pub(super) fn cancelled(&mut self, id: u64, reason: &str) {
        if self.pending.remove(&id).is_some() {
            self.outgoing.push(Message::text(frame::cancelled(id, reason)));
        }
    }

    pub(super) fn alarm(&mut self, now: Instant) -> Result<(), Ending> {
        if self.expires.is_some_and(|at| now >= at) {
            return Err(Ending::TokenExpired);
        }
        if now >= self.silent_at() {
            return Err(Ending::Silent);
        }
        if self.registration_due().is_some_and(|at| now >= at) {
            return Err(Ending::NeverRegistered);
        }
        if now >= self.next_ping {
            self.next_ping = now + self.limits.ping_interval;
            self.outgoing.push(Message::Ping(Bytes::new()));
        }
        Ok(())
    }

    pub(super) fn next_alarm(&self) -> Instant {
        let beat = self.next_ping.min(self.silent_at());
        [self.registration_due(), self.expires].into_iter().flatten().fold(beat, Instant::min)
    }

    fn silent_at(&self) -> Instant {
        self.last_heard + self.limits.ping_interval + self.limits.ping_grace
    }

    /// `None` once the provider has registered.
    fn registration_due(&self) -> Option<Instant> {
        let is_due = !self.enrolment.is_registered();
        is_due.then(|| self.started + self.limits.provider_registration)
    }

    /// Withdraws what is on offer and tells everybody who waits.
    pub(super) fn abandon(&mut self, calls: &mut mpsc::Receiver<Handover>) {
        self.enrolment.withdraw();
        calls.close();
        while let Ok(call) = calls.try_recv() {
            let gone = AttemptError::NotHandedOver(NotHandedOver::Gone);
            drop(call.pending.answer.send(Err(gone)));
        }
        for (_, pending) in self.pending.drain() {
            drop(pending.answer.send(Err(AttemptError::Lost)));
        }
    }
}
