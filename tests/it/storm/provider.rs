//! Providers that answer, and do everything else that a program can do to a socket.

use std::sync::Arc;

use futures_util::{
    SinkExt, StreamExt,
    stream::{self, BoxStream, SelectAll},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message, client::IntoClientRequest, http::HeaderValue, protocol::CloseFrame,
    },
};

use super::{
    Phase, Storm,
    acts::{Act, Called, Step},
    book::Instance,
    net::Wire,
    weather::{TOOLS, tool},
};
use crate::support::chance::Chance;

/// The connection is over.
struct Over;

/// How a life on one connection ends.
#[derive(PartialEq)]
enum End {
    /// The connection is over.
    Gone,
    /// Another connection of the same instance is to take its place.
    Replaced,
}

/// One of `user`'s providers: connects again and again until the storm is over.
pub(super) async fn provide(storm: Arc<Storm>, instance: Instance, mut chance: Chance) {
    let mut current = None;
    while storm.blows().await {
        let before = current.take();
        if let Some(mut life) = Life::begin(&storm, &instance, &mut chance).await {
            if let Some(before) = before {
                life.takes_the_place_of(before).await;
            }
            match life.live().await {
                End::Replaced => current = Some(life),
                End::Gone => life.over(),
            }
        } else if let Some(before) = before {
            before.over();
        }
        if current.is_none() {
            sleep(storm.paced(chance.millis(10..800))).await;
        }
    }
    if let Some(life) = current {
        life.over();
    }
}

/// A connection for `user`; `None` when they have too many.
pub(super) async fn dial(storm: &Storm, user: &str) -> Option<WebSocketStream<Wire>> {
    let mut request = "ws://localhost/clients/ws".into_client_request().expect("a URL");
    let token = format!("Bearer {}", storm.token(user));
    request.headers_mut().insert("authorization", HeaderValue::try_from(token).expect("ASCII"));
    let wire = storm.net.connect().await;
    match client_async(request, wire).await {
        Ok((socket, _)) => Some(socket),
        Err(Error::Http(refused)) => {
            assert_eq!(refused.status(), 429, "{refused:?}");
            None
        }
        Err(error) => panic!("the hub did not answer the handshake: {error}"),
    }
}

/// A connection of a provider.
struct Life {
    storm: Arc<Storm>,
    instance: Instance,
    chance: Chance,
    socket: WebSocketStream<Wire>,
    /// Its number, in the book.
    connection: u64,
    /// What is to be said, of each call in its order.
    steps: SelectAll<BoxStream<'static, Step>>,
    registrations: usize,
    /// The id of the registration that is under way, and its tools.
    registering: Option<(String, Vec<Value>)>,
    is_registered: bool,
}

impl Life {
    /// Connects, if the hub lets one in.
    async fn begin(storm: &Arc<Storm>, instance: &Instance, chance: &mut Chance) -> Option<Self> {
        let socket = dial(storm, instance.0).await?;
        let connection = storm.book().number();
        Some(Self {
            storm: Arc::clone(storm),
            instance: instance.clone(),
            chance: chance.split(),
            socket,
            connection,
            steps: SelectAll::new(),
            registrations: 0,
            registering: None,
            is_registered: false,
        })
    }

    /// Registers under the name of `before`, which the hub then sends away.
    async fn takes_the_place_of(&mut self, mut before: Self) {
        self.register(false).await;
        while self.registering.is_some() && self.turn(None).await.is_ok() {}
        if self.is_registered {
            let farewell = async { while before.turn(None).await.is_ok() {} };
            timeout(self.storm.patience(), farewell).await.expect("the one before is sent away");
        }
        before.over();
    }

    async fn live(&mut self) -> End {
        // Some never say what they are here for.
        if !self.is_registered && self.registering.is_none() && !self.chance.one_in(20) {
            self.register(false).await;
        }
        let span = self.chance.millis(1_000..12_000);
        let mut end = Instant::now() + self.storm.paced(span);
        let mut next = self.next_mischief();
        loop {
            match self.turn(Some(next.min(end))).await {
                Err(Over) => return End::Gone,
                Ok(true) => {}
                Ok(false) if self.storm.phase() == Phase::Over => {
                    self.leave().await;
                    return End::Gone;
                }
                // In a calm everybody stays where they are.
                Ok(false) if self.storm.phase() == Phase::Calm => {
                    next = self.next_mischief();
                    end = end.max(next);
                }
                Ok(false) if Instant::now() >= end => {
                    if self.is_registered && self.chance.one_in(3) {
                        return End::Replaced;
                    }
                    self.leave().await;
                    return End::Gone;
                }
                Ok(false) => {
                    let is_faulty = self.chance.one_in(5);
                    self.register(is_faulty).await;
                    next = self.next_mischief();
                }
            }
        }
    }

    fn next_mischief(&mut self) -> Instant {
        let pause = self.chance.millis(300..4_000);
        Instant::now() + self.storm.paced(pause)
    }

    /// Lets one thing happen; `Ok(false)` when it is `until` or the weather changes, `Err` when the
    /// connection is over.
    async fn turn(&mut self, until: Option<Instant>) -> Result<bool, Over> {
        let mut weather = self.storm.weather();
        let alarm = async {
            match until {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            message = self.socket.next() => {
                match message {
                    Some(Ok(Message::Text(text))) => self.hear(&text),
                    Some(Ok(Message::Close(frame))) => {
                        self.closed(frame.as_ref());
                        return Err(Over);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(Over),
                }
                Ok(true)
            }
            Some(step) = self.steps.next(), if !self.steps.is_empty() => self.take(step).await,
            () = alarm => Ok(false),
            _ = weather.changed() => Ok(false),
        }
    }

    async fn take(&mut self, step: Step) -> Result<bool, Over> {
        match step {
            Step::Say(message) => self.say(Message::text(message.to_string())).await?,
            Step::Answer(id, message) => {
                if !self.storm.book().settles(self.connection, id) {
                    self.storm.book().saw("answered too late");
                }
                self.say(Message::text(message.to_string())).await?;
            }
            Step::Raw(message) => self.say(message).await?,
            Step::Stall(time) => {
                self.storm.book().saw("stopped reading");
                sleep(time).await;
            }
            Step::HangUp => {
                self.storm.book().saw("hung up in the middle");
                return Err(Over);
            }
        }
        Ok(true)
    }

    /// `Err` when the socket is broken, or the hub takes nothing any more.
    async fn say(&mut self, message: Message) -> Result<(), Over> {
        match timeout(self.storm.patience(), self.socket.send(message)).await {
            // What the hub said before it hung up is still there to be read.
            Ok(Ok(()) | Err(Error::Protocol(_) | Error::Io(_))) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over),
        }
    }

    async fn register(&mut self, is_faulty: bool) {
        if self.registering.is_some() {
            return;
        }
        let (user, instance) = (self.instance.0, self.instance.1.clone());
        self.registrations += 1;
        let version = self.registrations;
        let mut tools = Vec::new();
        for name in TOOLS {
            if !self.chance.one_in(3) {
                let is_odd = self.chance.one_in(8);
                tools.push(tool(name, user, &instance, version, is_odd));
            }
        }
        if is_faulty {
            match self.chance.below(3) {
                0 => {
                    tools
                        .push(json!({ "name": "has blanks", "inputSchema": { "type": "object" } }));
                }
                1 => {
                    let mut long = tool("long", user, &instance, version, false);
                    long["description"] = json!("x".repeat(1_500));
                    tools.push(long);
                }
                _ => tools.extend(
                    (0..5).map(|n| tool(&format!("n{n}"), user, &instance, version, false)),
                ),
            }
        }
        let id = format!("r{version}");
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": "providers/register", "params": {
            "provider": { "name": instance, "version": "1", "instanceId": instance }, "tools": tools } });
        self.registering = Some((id, tools));
        // If the socket is broken the next turn says so.
        drop(self.say(Message::text(message.to_string())).await);
    }

    fn hear(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).expect("JSON");
        match frame["method"].as_str() {
            Some("tools/call") => self.called(&frame),
            Some("notifications/cancelled") => {
                let id = frame["params"]["requestId"].as_u64().expect("an id");
                // It may have been answered meanwhile, but never twice been given up.
                if self.storm.book().settles(self.connection, id) {
                    self.storm.book().saw("a cancellation");
                }
            }
            Some(other) => panic!("{other} is not what a hub says"),
            None => self.registered(&frame),
        }
    }

    fn registered(&mut self, frame: &Value) {
        let (id, tools) = self.registering.take().expect("only registrations are asked for");
        assert_eq!(frame["id"], json!(id), "{frame}");
        let mut book = self.storm.book();
        match frame.get("error") {
            None => {
                assert_eq!(frame["result"]["user"], self.instance.0);
                book.registered(&self.instance, self.connection, tools);
                if std::mem::replace(&mut self.is_registered, true) {
                    book.saw("registered anew");
                }
            }
            Some(error) => {
                let what = error.to_string();
                if what.contains("none was taken in") {
                    book.saw("a faulty set was refused");
                }
                book.read(&what);
            }
        }
    }

    fn called(&mut self, frame: &Value) {
        let id = frame["id"].as_u64().expect("an id of the hub's");
        let params = &frame["params"];
        let (tool, arguments) = (params["name"].as_str().expect("a name"), &params["arguments"]);
        let user = self.instance.0;
        assert_eq!(arguments["user"], user, "a call of another user: {frame}");
        assert_eq!(params["_meta"]["progressToken"], id);
        let number = arguments["number"].as_u64().expect("a number");
        let is_answered = params.get("inputResponses").is_some();
        let act = Act::with(tool, is_answered, &mut self.chance);
        let mut book = self.storm.book();
        if is_answered {
            assert_eq!(params["requestState"], user, "the state of another user");
            book.saw("questions were answered");
        }
        book.owes(self.connection, id);
        book.handed(number, tool, act.runs());
        act.sight().into_iter().for_each(|sight| book.saw(sight));
        drop(book);
        let text = format!("{tool} of {user}: {number}");
        let script = act.script(&Called { id, user, text: &text }, &mut self.chance);
        let script = stream::iter(script).then(|(pause, step)| async move {
            sleep(pause).await;
            step
        });
        self.steps.push(script.boxed());
    }

    /// The hub hung up, and says why.
    fn closed(&mut self, frame: Option<&CloseFrame>) {
        let Some(frame) = frame else { return };
        let sight = match (u16::from(frame.code), frame.reason.as_str()) {
            (1008, "no answer to pings (limits.ping_grace)") => "closed: 1008 silent",
            (1008, "no providers/register came in time (limits.provider_registration)") => {
                "closed: 1008 never registered"
            }
            (1008, "binary frames are not spoken here") => "closed: 1008 binary",
            (1008, _) => "closed: 1008 malformed",
            (1009, _) => "closed: 1009",
            (4409, _) => "closed: 4409",
            (1001, _) if self.storm.phase() == Phase::Over => return,
            (code, reason) => panic!("closed with {code}, {reason:?}"),
        };
        self.storm.book().saw(sight);
    }

    /// Some say goodbye, some do not.
    async fn leave(&mut self) {
        if self.chance.one_in(2) {
            drop(timeout(self.storm.patience(), self.socket.close(None)).await);
        }
    }

    fn over(self) {
        self.storm.book().gone(&self.instance, self.connection);
    }
}
