//! A connection to an MCP server, whatever carries it: messages go in, events come out.

use std::sync::Weak;

use reqwest::header::HeaderMap;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::JoinSet,
    time::{Duration, timeout},
};

use crate::provider::remote::frame::Incoming;

/// Messages that may wait for a server that does not take them.
pub(super) const OUTGOING_MAX: usize = 256;
/// Events that may wait to be handled; a server that says more is read no further.
pub(super) const EVENTS_MAX: usize = 256;
/// The longest message of a server, in bytes. What a hub takes is no longer.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Levels of nesting in a server's JSON.
pub(super) const DEPTH_MAX: usize = 128;

/// How long a link may take to end in an orderly way.
const CLOSING_TIME: Duration = Duration::from_secs(10);

/// The two eras of MCP: with a handshake and, over HTTP, sessions; or with neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// 2024-11-05 to 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// What is to reach the server.
#[derive(Debug)]
pub(super) enum Outgoing {
    Request {
        id: u64,
        method: &'static str,
        /// The whole message.
        json: String,
        /// The headers that repeat parts of it, over HTTP in the modern era.
        headers: HeaderMap,
        /// Gone when nobody waits for the answer any more: then it need not be sent.
        wanted: Weak<()>,
    },
    Notification {
        json: String,
    },
    /// The answer to something the server asked.
    Answer {
        json: String,
    },
    /// Nobody waits for the answer to request `id` any more.
    Cancel {
        id: u64,
        reason: &'static str,
    },
    /// The handshake has found out what the server speaks.
    Settled {
        era: Era,
        version: Box<str>,
    },
}

/// What happens on a link.
#[derive(Debug)]
pub(super) enum Event {
    /// The server said something. Over HTTP `on` is the request on whose stream it came.
    Said { on: Option<u64>, message: Incoming },
    /// Request `id` will have no answer.
    Unanswered { id: u64, fault: Fault },
    /// The link is at its end, for this reason; it is to be made anew.
    Ended(String),
}

/// Why a request has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Fault {
    pub reason: String,
    /// Whether the server may have begun with it.
    pub may_have_run: bool,
}

/// Cheap to make and dropped with everything that serves it.
pub(super) struct Link {
    outgoing: mpsc::Sender<Outgoing>,
    events: mpsc::Receiver<Event>,
    tasks: JoinSet<()>,
}

/// Why a message did not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotSent {
    #[error("the server does not take what it is sent")]
    Busy,
    #[error("the server is gone")]
    Gone,
}

impl Link {
    /// A link served by `tasks`, and the far ends of its queues.
    pub(super) fn new(tasks: JoinSet<()>) -> (Self, mpsc::Receiver<Outgoing>, mpsc::Sender<Event>) {
        let (outgoing, to_server) = mpsc::channel(OUTGOING_MAX);
        let (from_server, events) = mpsc::channel(EVENTS_MAX);
        (Self { outgoing, events, tasks }, to_server, from_server)
    }

    /// The tasks that serve this link; they end with it.
    pub(super) fn tasks(&mut self) -> &mut JoinSet<()> {
        &mut self.tasks
    }

    /// Queues `outgoing`; never waits, so that a server that is stuck cannot keep its answers from
    /// being read.
    pub(super) fn send(&self, outgoing: Outgoing) -> Result<(), NotSent> {
        self.outgoing.try_send(outgoing).map_err(|error| match error {
            TrySendError::Full(_) => NotSent::Busy,
            TrySendError::Closed(_) => NotSent::Gone,
        })
    }

    /// Where messages go, to wait there for room.
    pub(super) fn outgoing(&self) -> mpsc::Sender<Outgoing> {
        self.outgoing.clone()
    }

    /// The next event; after [`Event::Ended`] there is none. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Event {
        let gone = || Event::Ended("the connection to the server was lost".into());
        self.events.recv().await.unwrap_or_else(gone)
    }

    /// Takes leave: tells the server that this is the end and waits, within bounds, until it has
    /// gone.
    pub(super) async fn close(self) {
        let Self { outgoing, events, mut tasks } = self;
        drop((outgoing, events));
        let gone = async { while tasks.join_next().await.is_some() {} };
        if timeout(CLOSING_TIME, gone).await.is_err() {
            tracing::warn!("the server does not end");
        }
    }
}
