//! A server reached over Streamable HTTP, in both eras: each request is a POST of its own, whose
//! answer is a document or a stream.

mod exchange;
mod listening;
pub(crate) mod reading;
mod refusal;
mod resuming;
mod server;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use reqwest::{
    Url,
    header::{HeaderMap, HeaderValue},
};
use tokio::{
    select,
    sync::{Semaphore, mpsc, oneshot},
    task::{self, AbortHandle, JoinError, JoinSet},
    time::timeout,
};
use tracing::Instrument;

use self::{exchange::Exchange, listening::Listening, server::Server};
use super::link::{Era, Event, Fault, Link, Outgoing};
use crate::provider::remote::frame;

/// Requests whose answers are awaited at once, each by a connection of its own. A hub has fewer calls
/// in flight at one provider.
const REQUESTS_MAX: usize = 512;
/// Notifications and answers that are on their way at once.
const POSTS_MAX: usize = 64;
/// How long the messages after a notification wait until the server has it.
const HELD_FOR: Duration = Duration::from_secs(5);
/// How long leave is taken of a session.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Where a server is, and what it is to be shown.
#[derive(Debug, Clone)]
pub struct Target {
    /// The endpoint itself; nothing is appended.
    pub url: Url,
    /// What the user wants sent with every request, the token among it. None of it is logged.
    pub headers: HeaderMap,
}

/// Connects nothing yet: a server that is not there shows by the first request.
pub(super) fn open(target: Target) -> Link {
    let (mut link, outgoing, events) = Link::new(JoinSet::new());
    let serving = async move {
        match Server::new(target) {
            Ok(server) => Connection::new(server, events).run(outgoing).await,
            Err(reason) => {
                // Nobody is left to tell when this fails; so it is with every event here.
                events.send(Event::Ended(reason)).await.ok();
            }
        }
    };
    link.tasks().spawn(serving.in_current_span());
    link
}

/// Whether `url` is on this machine, where a proxy for the world outside is in the way.
pub(crate) fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the handshake has found out.
#[derive(Debug, Clone)]
struct Settled {
    era: Era,
    /// `None` if no header can say it.
    version: Option<HeaderValue>,
}

/// The server has forgotten the session, and why that is believed.
#[derive(Debug)]
struct SessionLost(String);

/// The owner of all that goes on with one server.
struct Connection {
    server: Arc<Server>,
    events: mpsc::Sender<Event>,
    settled: Option<Settled>,
    /// Whether the stream of unsolicited messages is still to be opened.
    listening_is_due: bool,
    tasks: JoinSet<Result<(), SessionLost>>,
    requests: HashMap<u64, AbortHandle>,
    posts: Arc<Semaphore>,
}

impl Connection {
    fn new(server: Server, events: mpsc::Sender<Event>) -> Self {
        Self {
            server: Arc::new(server),
            events,
            settled: None,
            listening_is_due: false,
            tasks: JoinSet::new(),
            requests: HashMap::new(),
            posts: Arc::new(Semaphore::new(POSTS_MAX)),
        }
    }

    async fn run(mut self, mut outgoing: mpsc::Receiver<Outgoing>) {
        loop {
            select! {
                () = self.events.closed() => break,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if let Err(SessionLost(reason)) = self.ended(ended).await {
                        self.tasks.shutdown().await;
                        self.events.send(Event::Ended(reason)).await.ok();
                        return;
                    }
                }
                // Requests have a bound that does not keep their cancellation waiting.
                next = outgoing.recv(), if self.posts.available_permits() > 0 => match next {
                    Some(next) => self.take(next).await,
                    None => break,
                }
            }
        }
        self.tasks.shutdown().await;
        if let Some(leave) = self.server.leave(self.settled.as_ref()) {
            match timeout(LEAVE_WITHIN, leave.send()).await {
                Ok(Ok(response)) => {
                    let status = response.status().as_u16();
                    tracing::debug!(status, "took leave of the session");
                }
                Ok(Err(_)) | Err(_) => tracing::debug!("could not take leave of the session"),
            }
        }
    }

    async fn take(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Request { wanted, .. } if wanted.strong_count() == 0 => {}
            Outgoing::Request { id, method, json, headers, .. } => {
                self.request(id, method, json, &headers).await;
            }
            Outgoing::Notification { json } => {
                let delivered = self.deliver(json);
                // Whoever is told `notifications/initialized` is told so before anything else.
                select! {
                    () = self.events.closed() => {}
                    // Slow or failed, the next message is on its way all the same.
                    _ = timeout(HELD_FOR, delivered) => {}
                }
                if std::mem::take(&mut self.listening_is_due) {
                    let listening = Listening::new(&self.server, &self.events, &self.settled);
                    self.tasks.spawn(listening.run().in_current_span());
                }
            }
            Outgoing::Answer { json } => drop(self.deliver(json)),
            Outgoing::Cancel { id, reason } => {
                // Without it, the answer came first.
                let Some(request) = self.requests.remove(&id) else { return };
                request.abort();
                // In the modern era the closed connection says it.
                if matches!(self.settled, Some(Settled { era: Era::Legacy, .. })) {
                    drop(self.deliver(frame::cancelled(id, reason)));
                }
            }
            Outgoing::Settled { era, version } => {
                self.settled = Some(Settled { era, version: HeaderValue::from_str(&version).ok() });
                self.listening_is_due = era == Era::Legacy;
            }
        }
    }

    async fn request(&mut self, id: u64, method: &'static str, json: String, extra: &HeaderMap) {
        if self.requests.len() >= REQUESTS_MAX {
            let reason = format!("{REQUESTS_MAX} requests to the server are in flight already");
            let fault = Fault { reason, may_have_run: false };
            self.events.send(Event::Unanswered { id, fault }).await.ok();
            return;
        }
        let exchange = Exchange::new(&self.server, &self.events, &self.settled, id, method);
        let request = self.server.request(self.settled.as_ref(), method, json, extra);
        let task = self.tasks.spawn(exchange.run(request).in_current_span());
        self.requests.insert(id, task);
    }

    /// Sends what has no answer; the receiver hears when that is done.
    fn deliver(&mut self, json: String) -> oneshot::Receiver<()> {
        let (done, delivered) = oneshot::channel();
        let server = Arc::clone(&self.server);
        let settled = self.settled.clone();
        let permit = Arc::clone(&self.posts).try_acquire_owned().ok();
        let delivering = async move {
            let (_permit, _done) = (permit, done);
            server.deliver(settled.as_ref(), json).await
        };
        self.tasks.spawn(delivering.in_current_span());
        delivered
    }

    async fn ended(
        &mut self,
        ended: Result<(task::Id, Result<(), SessionLost>), JoinError>,
    ) -> Result<(), SessionLost> {
        let task = match &ended {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let of_request = self.requests.iter().find(|(_, request)| request.id() == task);
        let id = of_request.map(|(id, _)| *id);
        if let Some(id) = id {
            self.requests.remove(&id);
        }
        match (ended, id) {
            (Ok((_, ended)), _) => ended,
            // A request that was cancelled is not among them any more: this is a panic.
            (Err(error), Some(id)) => {
                let reason = format!("reading the answer failed: {error}");
                let fault = Fault { reason, may_have_run: true };
                self.events.send(Event::Unanswered { id, fault }).await.ok();
                Ok(())
            }
            (Err(_), None) => Ok(()),
        }
    }
}
