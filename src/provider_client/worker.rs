//! The task behind a provider: dials, serves a connection until it ends, waits, and dials again.

use std::sync::Arc;

use tokio::{
    select,
    sync::{mpsc, oneshot, watch},
    time::{Duration, Instant, sleep},
};

use super::{
    Backoff, Builder, Refused, Registered, State,
    call::Tools,
    connection::{Connection, Ending},
    dialing::{self, NoConnection},
};

/// A connection that held for so long was a good one: the next pause is short again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// Where it is told whether a tool set was taken in.
pub(super) type Reply = oneshot::Sender<Result<Arc<Registered<'static>>, Refused>>;

pub(super) enum Command {
    SetTools(Tools, Reply),
    /// Calls that run may be answered for so long.
    Finish(Duration),
}

pub(super) struct Worker {
    pub(super) about: Builder,
    /// What is to be on offer.
    pub(super) tools: Tools,
    /// What a hub has taken in already, to go back to.
    pub(super) accepted: Option<Tools>,
    /// Who waits for `tools` to be taken in.
    pub(super) replies: Vec<Reply>,
    pub(super) commands: mpsc::Receiver<Command>,
    /// When the hub took in the tools first over the connection of the moment.
    pub(super) registered_at: Option<Instant>,
    state: watch::Sender<State>,
}

impl Worker {
    pub(super) fn new(
        about: Builder,
        tools: Tools,
        commands: mpsc::Receiver<Command>,
        state: watch::Sender<State>,
    ) -> Self {
        let (accepted, registered_at) = (None, None);
        Self { about, tools, accepted, replies: Vec::new(), commands, registered_at, state }
    }

    pub(super) async fn run(mut self) {
        let refused = self.serve().await;
        for reply in self.replies.drain(..) {
            // Whoever asked may have gone.
            drop(reply.send(Err(refused.clone())));
        }
        self.is_now(State::Ended(refused));
    }

    /// Serves connection after connection until it is over for good.
    async fn serve(&mut self) -> Refused {
        let mut backoff = Backoff::new();
        loop {
            self.is_now(State::Connecting);
            let (cause, at_least) = match self.connection().await {
                Ending::Closed => return Refused::Closed,
                Ending::Refused(refused) => return refused,
                Ending::Lost { cause, retry_after } => (cause, retry_after.unwrap_or_default()),
            };
            let registered_at = self.registered_at.take();
            if registered_at.is_some_and(|at| at.elapsed() >= STABLE_AFTER) {
                backoff.reset();
            }
            let delay = backoff.pause().max(at_least);
            tracing::warn!(%cause, ?delay, "the hub is not there; it is dialed again");
            self.is_now(State::Waiting { delay, cause: cause.into() });
            let ready = sleep(delay);
            tokio::pin!(ready);
            loop {
                select! {
                    () = &mut ready => break,
                    command = self.commands.recv() => match command {
                        Some(Command::SetTools(tools, reply)) => self.want(tools, reply),
                        Some(Command::Finish(_)) | None => return Refused::Closed,
                    }
                }
            }
        }
    }

    /// One connection, from dialing to its end.
    async fn connection(&mut self) -> Ending {
        let (endpoint, token) = (self.about.endpoint.clone(), Arc::clone(&self.about.token));
        let dialing = async move {
            let token = token().await;
            dialing::dial(&endpoint, token).await
        };
        tokio::pin!(dialing);
        let dialed = loop {
            select! {
                dialed = &mut dialing => break dialed,
                command = self.commands.recv() => match command {
                    Some(Command::SetTools(tools, reply)) => self.want(tools, reply),
                    Some(Command::Finish(_)) | None => return Ending::Closed,
                }
            }
        };
        match dialed {
            Ok(socket) => Box::pin(Connection::new(self, socket).run()).await,
            Err(NoConnection::Refused(refused)) => Ending::Refused(refused),
            Err(NoConnection::Failed { cause, retry_after }) => Ending::Lost { cause, retry_after },
        }
    }

    /// The next registration is to be of `tools`.
    pub(super) fn want(&mut self, tools: Tools, reply: Reply) {
        self.tools = tools;
        self.replies.push(reply);
    }

    pub(super) fn is_now(&self, state: State) {
        self.state.send_replace(state);
    }
}
