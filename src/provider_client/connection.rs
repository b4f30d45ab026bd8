//! One connection to a hub, from registering to its end, and the calls that come over it.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use bytestring::ByteString;
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::value::RawValue;
use tokio::{
    select,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Duration, Instant, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{
    Bytes, Error as SocketError, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    Outcome, Refused, Registered, State,
    call::{Call, Tools},
    dialing::Socket,
    outcome,
    worker::{Command, Reply, Worker},
};
use crate::{
    model::{
        call::Notice,
        error::RpcError,
        json::{self, Json},
    },
    provider::remote::frame::{self, About, CallParams, Incoming, RefusedTools, Register},
};

/// Levels of nesting in what a hub sends.
const DEPTH_MAX: usize = 4096;
/// Things said on the way that may wait to be sent, of all calls together.
const NOTICES_MAX: usize = 256;
/// A hub that is silent for so long is pinged …
const PING_AFTER: Duration = Duration::from_secs(30);
/// … and given up if it stays silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long the hub may take to read a message.
const SEND_TIME: Duration = Duration::from_secs(60);
const CLOSING_TIME: Duration = Duration::from_secs(2);
/// Close code: the message is too large (RFC 6455 §7.4.1).
const TOO_LARGE: u16 = 1009;

/// Why a connection ended.
pub(super) enum Ending {
    /// It was told to.
    Closed,
    /// Dialing again would not help.
    Refused(Refused),
    Lost {
        cause: String,
        retry_after: Option<Duration>,
    },
}

impl From<String> for Ending {
    fn from(cause: String) -> Self {
        Self::Lost { cause, retry_after: None }
    }
}

impl From<SocketError> for Ending {
    fn from(error: SocketError) -> Self {
        error.to_string().into()
    }
}

/// A set that the hub has not answered to yet.
struct Registering {
    id: u64,
    tools: Tools,
    replies: Vec<Reply>,
    /// Whether it was taken in before, so that the refusal is the hub's passing mood.
    was_accepted: bool,
}

pub(super) struct Connection<'a> {
    worker: &'a mut Worker,
    socket: Socket,
    /// What is on offer over this connection.
    offered: Tools,
    /// Until when calls that run may be answered, if it is to end.
    finishing: Option<Instant>,
    message_bytes_max: usize,
    depth_max: usize,
    registering: Option<Registering>,
    last_id: u64,
    running: HashMap<u64, AbortHandle>,
    calls: JoinSet<(u64, Outcome)>,
    notices: mpsc::Receiver<(u64, Notice)>,
    notices_sender: mpsc::Sender<(u64, Notice)>,
    last_heard: Instant,
    has_pinged: bool,
}

enum Event {
    Received(Option<Result<Message, SocketError>>),
    Answered(u64, Outcome),
    Dropped,
    Noticed(u64, Notice),
    Told(Option<Command>),
    /// Calls have had the time to finish.
    Patience,
    Silence,
}

impl<'a> Connection<'a> {
    pub(super) fn new(worker: &'a mut Worker, socket: Socket) -> Self {
        let (notices_sender, notices) = mpsc::channel(NOTICES_MAX);
        Self {
            worker,
            socket,
            offered: Tools::default(),
            finishing: None,
            message_bytes_max: usize::MAX,
            depth_max: usize::MAX,
            registering: None,
            last_id: 0,
            running: HashMap::new(),
            calls: JoinSet::new(),
            notices,
            notices_sender,
            last_heard: Instant::now(),
            has_pinged: false,
        }
    }

    /// Serves until the end; what was running then is dropped.
    pub(super) async fn run(mut self) -> Ending {
        let ending = self.serve().await;
        if let Some(registering) = self.registering.take() {
            // It may still be taken in, over the next connection.
            self.worker.replies.extend(registering.replies);
        }
        if let Ending::Closed = ending {
            let close = CloseFrame { code: CloseCode::Normal, reason: "the provider stops".into() };
            let farewell = async {
                self.socket.close(Some(close)).await.ok();
                while let Some(Ok(_)) = self.socket.next().await {}
            };
            if timeout(CLOSING_TIME, farewell).await.is_err() {
                tracing::debug!("the hub did not take its leave in time");
            }
        }
        ending
    }

    async fn serve(&mut self) -> Ending {
        let mut step = self.register().await;
        loop {
            if let Err(ending) = step {
                return ending;
            }
            if self.is_finished() {
                return Ending::Closed;
            }
            let event = self.next().await;
            step = self.handle(event).await;
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), Ending> {
        match event {
            Event::Received(None) => Err("the hub hung up".to_owned().into()),
            Event::Received(Some(message)) => self.received(message?).await,
            Event::Answered(id, outcome) => self.answered(id, outcome).await,
            Event::Dropped => Ok(()),
            Event::Noticed(id, notice) => self.noticed(id, &notice).await,
            Event::Told(Some(Command::SetTools(tools, reply))) => {
                self.worker.want(tools, reply);
                self.register().await
            }
            Event::Told(Some(Command::Finish(within))) => {
                self.finishing = Some(Instant::now() + within);
                Ok(())
            }
            Event::Told(None) => Err(Ending::Closed),
            Event::Patience => Ok(()),
            Event::Silence if self.has_pinged => Err("the hub is silent".to_owned().into()),
            Event::Silence => {
                self.has_pinged = true;
                self.send(Message::Ping(Bytes::new())).await
            }
        }
    }

    async fn next(&mut self) -> Event {
        let patience = if self.has_pinged { SILENCE_MAX } else { PING_AFTER };
        let silence = sleep_until(self.last_heard + patience);
        let finishing = self.finishing;
        select! {
            received = self.socket.next() => Event::Received(received),
            Some(ended) = self.calls.join_next() => match ended {
                Ok((id, outcome)) => Event::Answered(id, outcome),
                // It was aborted: one that broke down says so itself.
                Err(_aborted) => Event::Dropped,
            },
            Some((id, notice)) = self.notices.recv() => Event::Noticed(id, notice),
            command = self.worker.commands.recv() => Event::Told(command),
            () = silence => Event::Silence,
            () = sleep_until(finishing.unwrap_or(self.last_heard)), if finishing.is_some() => {
                Event::Patience
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.finishing.is_some_and(|at| self.running.is_empty() || Instant::now() >= at)
    }

    /// Registers the tools that are wanted, unless the hub has yet to answer for others.
    async fn register(&mut self) -> Result<(), Ending> {
        if self.registering.is_some() {
            return Ok(());
        }
        self.last_id += 1;
        let tools = self.worker.tools.clone();
        let about = &self.worker.about;
        let about = Json::of(&About {
            name: (&*about.name).into(),
            version: about.version.as_deref().map(Into::into),
            instance_id: Some((&*about.instance).into()),
        });
        let provider = serde_json::from_str(about.as_str()).expect("it was just written");
        let params = Json::of(&Register { provider, tools: tools.definitions().collect() });
        let frame = frame::request(self.last_id, "providers/register", params.as_str());
        let was_accepted = self.worker.accepted.as_ref().is_some_and(|known| known.is(&tools));
        let replies = std::mem::take(&mut self.worker.replies);
        let registering = Registering { id: self.last_id, was_accepted, tools, replies };
        if frame.len() > self.message_bytes_max {
            let (length, max) = (frame.len(), self.message_bytes_max);
            let message = format!("together they have {length} bytes; the hub takes {max}");
            return self.refused(registering, Refused::tools(message));
        }
        self.registering = Some(registering);
        self.send(Message::text(frame)).await
    }

    async fn received(&mut self, message: Message) -> Result<(), Ending> {
        self.last_heard = Instant::now();
        self.has_pinged = false;
        match message {
            Message::Text(text) => {
                let text = ByteString::try_from(Bytes::from(text));
                let text = text.expect("the socket checked that it is UTF-8");
                match Incoming::parse(&text, DEPTH_MAX) {
                    Ok(incoming) => self.said(incoming).await,
                    Err(fault) => Err(format!("the hub said what is no message: {fault}").into()),
                }
            }
            Message::Close(frame) => self.farewell(frame),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn said(&mut self, incoming: Incoming) -> Result<(), Ending> {
        match incoming {
            Incoming::Request { id, method, params } => match (&*method, params) {
                ("tools/call", Some(params)) => self.call(&id, &params).await,
                ("ping", _) => {
                    let pong = frame::result(&id, &serde_json::Map::new());
                    self.send(Message::text(pong)).await
                }
                _ => {
                    let error = frame::error(
                        &id,
                        RpcError::METHOD_NOT_FOUND,
                        "there is no such method here",
                        None,
                    );
                    self.send(Message::text(error)).await
                }
            },
            Incoming::Notification { method, params: Some(params) }
                if &*method == "notifications/cancelled" =>
            {
                self.cancelled(&params);
                Ok(())
            }
            Incoming::Notification { .. } => Ok(()),
            Incoming::Answer { id, outcome } => self.registered(id, outcome).await,
        }
    }

    async fn registered(
        &mut self,
        id: Option<u64>,
        outcome: Result<Json, RpcError>,
    ) -> Result<(), Ending> {
        let Some(registering) = self.registering.take_if(|pending| Some(pending.id) == id) else {
            return Ok(());
        };
        match outcome {
            Ok(result) => self.accepted(registering, &result)?,
            Err(error) => self.refused(registering, refusal(&error))?,
        }
        if self.worker.tools.is(&self.offered) { Ok(()) } else { self.register().await }
    }

    fn accepted(&mut self, registering: Registering, result: &Json) -> Result<(), Ending> {
        let registered: Registered<'static> = json::object(result.as_str())
            .map_err(|error| format!("the hub's answer cannot be read: {error}"))?;
        self.message_bytes_max = registered.limits.message_bytes;
        self.depth_max = registered.limits.json_depth;
        let registered = Arc::new(registered);
        for warning in &registered.warnings {
            tracing::warn!(warning, "the hub has a remark");
        }
        for reply in registering.replies {
            // Whoever asked may have gone.
            drop(reply.send(Ok(Arc::clone(&registered))));
        }
        let is_first = self.worker.registered_at.is_none();
        self.worker.registered_at.get_or_insert_with(Instant::now);
        if self.worker.accepted.replace(registering.tools.clone()).is_some() && is_first {
            tracing::info!(tools = registered.tools.len(), "the hub is back");
        }
        self.offered = registering.tools;
        self.worker.is_now(State::Registered(registered));
        Ok(())
    }

    /// What was taken in before stays, or is registered again.
    fn refused(&mut self, registering: Registering, refused: Refused) -> Result<(), Ending> {
        let Registering { tools, replies, was_accepted, .. } = registering;
        let message = refused.to_string();
        for reply in replies {
            drop(reply.send(Err(refused.clone())));
        }
        match &self.worker.accepted {
            None => return Err(Ending::Refused(refused)),
            // The hub may take them again when something has changed there.
            Some(_) if was_accepted => return Err(message.into()),
            Some(accepted) if self.worker.tools.is(&tools) => {
                self.worker.tools = accepted.clone();
            }
            // Others are wanted already.
            Some(_) => {}
        }
        Ok(())
    }

    /// The hub's reason to close the connection.
    fn farewell(&mut self, close: Option<CloseFrame>) -> Result<(), Ending> {
        let Some(close) = close else { return Err("the hub hung up".to_owned().into()) };
        match u16::from(close.code) {
            frame::CLOSE_SUPERSEDED => Err(Ending::Refused(Refused::Superseded)),
            // With a token that cannot be renewed the next handshake says no.
            frame::CLOSE_TOKEN_EXPIRED => Err("the token has expired".to_owned().into()),
            code => {
                let cause = format!("the hub closed the connection: {code} {}", close.reason);
                // Before the first registration its bounds are not known.
                if let Some(registering) = self.registering.take_if(|_| code == TOO_LARGE) {
                    self.refused(registering, Refused::tools(cause.clone()))?;
                }
                Err(cause.into())
            }
        }
    }

    async fn call(&mut self, id: &Json, params: &Json) -> Result<(), Ending> {
        let read: Result<CallParams<'_>, _> = json::object(params.as_str());
        let (Ok(said), Ok(number)) = (read, id.as_str().parse::<u64>()) else {
            let error =
                frame::error(id, RpcError::METHOD_NOT_FOUND, "this is no call of a tool", None);
            return self.send(Message::text(error)).await;
        };
        let handler = self.offered.handler(&said.name).filter(|_| self.finishing.is_none());
        let Some(handler) = handler.map(Arc::clone) else {
            let error = frame::error(
                id,
                RpcError::METHOD_NOT_FOUND,
                "this tool is not on offer here any more",
                None,
            );
            return self.send(Message::text(error)).await;
        };
        let cut = |part: &RawValue| Json::cut(params.text(), part);
        let call = Call {
            tool: said.name.into(),
            arguments: said.arguments.map(cut),
            input_responses: said.input_responses.map(cut),
            request_state: said.request_state.map(cut),
            meta: cut(said.meta),
            id: number,
            notices: self.notices_sender.clone(),
        };
        let working = AssertUnwindSafe(async move { handler(call).await }).catch_unwind();
        let task = self.calls.spawn(async move {
            let broke_down = |_panic| outcome::error("the tool broke down");
            (number, working.await.unwrap_or_else(broke_down))
        });
        self.running.insert(number, task);
        Ok(())
    }

    fn cancelled(&mut self, params: &Json) {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Cancelled {
            request_id: u64,
        }
        let cancelled = json::object::<Cancelled>(params.as_str());
        if let Some(task) = cancelled.ok().and_then(|said| self.running.remove(&said.request_id)) {
            task.abort();
        }
    }

    async fn answered(&mut self, id: u64, outcome: Outcome) -> Result<(), Ending> {
        // What was said before the answer is heard before it.
        while let Ok((id, notice)) = self.notices.try_recv() {
            self.noticed(id, &notice).await?;
        }
        if self.running.remove(&id).is_none() {
            return Ok(());
        }
        let json_id = Json::of(&id);
        let frame = match &outcome {
            Outcome::Result(result) => frame::result_of(&json_id, result),
            Outcome::Error(error) => {
                frame::error(&json_id, error.code, &error.message, error.data.as_ref())
            }
        };
        // The hub would close the connection, and other calls would be lost with it.
        let text = match json::check(&frame, self.depth_max) {
            Ok(()) if frame.len() <= self.message_bytes_max => {
                return self.send(Message::text(frame)).await;
            }
            Ok(()) => {
                let (length, max) = (frame.len(), self.message_bytes_max);
                format!("The answer has {length} bytes; the hub takes {max}.")
            }
            Err(fault) => format!("The answer cannot be passed on: {fault}."),
        };
        let Outcome::Result(result) = outcome::error(&text) else { return Ok(()) };
        self.send(Message::text(frame::result_of(&json_id, &result))).await
    }

    async fn noticed(&mut self, id: u64, notice: &Notice) -> Result<(), Ending> {
        if !self.running.contains_key(&id) {
            return Ok(());
        }
        let frame = frame::tell(id, notice);
        if frame.len() > self.message_bytes_max || json::check(&frame, self.depth_max).is_err() {
            return Ok(());
        }
        self.send(Message::text(frame)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Ending> {
        match timeout(SEND_TIME, self.socket.send(message)).await {
            Ok(sent) => Ok(sent?),
            Err(_elapsed) => Err("the hub does not take what it is sent".to_owned().into()),
        }
    }
}

fn refusal(error: &RpcError) -> Refused {
    let data = error.data.as_ref().and_then(|data| json::object(data.as_str()).ok());
    let tools = data.map(|RefusedTools { tools }| tools).unwrap_or_default();
    Refused::Tools { message: error.message.clone(), tools: tools.into() }
}
