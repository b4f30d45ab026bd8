//! The link over real sockets, with a server that does as each test tells it.

use std::{
    net::SocketAddr,
    sync::{LazyLock, Weak},
};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::Method,
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    bridge::link::MESSAGE_BYTES_MAX, model::error::RpcError, provider::remote::frame::Incoming,
};

/// What was asked of the server, and the place where its answer goes.
struct Asked {
    method: Method,
    headers: HeaderMap,
    body: Value,
    reply: oneshot::Sender<Response>,
}

/// A stream that the test goes on writing. Dropped, it ends as streams should.
struct Stream(mpsc::Sender<Result<Bytes, std::io::Error>>);

struct FakeServer {
    asked: mpsc::Receiver<Asked>,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl FakeServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = mpsc::channel(REQUESTS_MAX);
        let answer = move |request: Request| {
            let tell = tell.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let (reply, replied) = oneshot::channel();
                let (method, headers) = (parts.method, parts.headers);
                tell.send(Asked { method, headers, body, reply }).await.unwrap();
                replied.await.unwrap_or_else(|_| status(500))
            }
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap();
        });
        Self { asked, address, _tasks: tasks }
    }

    fn link(&self) -> Link {
        self.link_with(HeaderMap::new())
    }

    fn link_with(&self, headers: HeaderMap) -> Link {
        let url = Url::parse(&format!("http://{}/mcp", self.address)).unwrap();
        open(Target { url, headers })
    }

    async fn next(&mut self) -> Asked {
        soon(self.asked.recv()).await.unwrap()
    }

    /// A link on which the handshake is over; without the stream of unsolicited messages.
    async fn legacy(&mut self) -> Link {
        let (link, get) = self.legacy_and_get().await;
        get.reply(status(405));
        link
    }

    async fn legacy_and_get(&mut self) -> (Link, Asked) {
        let mut link = self.link();
        request(&link, 0, "initialize");
        let asked = self.next().await;
        let mut answer = document(&result(0));
        answer.headers_mut().insert("mcp-session-id", HeaderValue::from_static("s-1"));
        asked.reply(answer);
        said(&mut link, Some(0)).await;
        link.send(Outgoing::Settled { era: Era::Legacy, version: "2025-11-25".into() }).unwrap();
        notify(&link, "notifications/initialized");
        self.next().await.reply(status(202));
        let get = self.next().await;
        assert_eq!(get.method, Method::GET);
        (link, get)
    }

    fn modern(&self) -> Link {
        let link = self.link();
        link.send(Outgoing::Settled { era: Era::Modern, version: "2026-07-28".into() }).unwrap();
        link
    }
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn reply(self, response: Response) {
        assert!(self.reply.send(response).is_ok(), "nobody waits for the answer");
    }

    fn stream(self) -> Stream {
        let (chunks, body) = mpsc::channel(16);
        let body = stream::unfold(body, async |mut body| Some((body.recv().await?, body)));
        let body = Body::from_stream(body);
        let events = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
        self.reply(events.body(body).unwrap());
        Stream(chunks)
    }
}

impl Stream {
    async fn write(&self, text: impl Into<Bytes>) {
        soon(self.0.send(Ok(text.into()))).await.unwrap();
    }

    async fn say(&self, message: &Value) {
        self.write(format!("event: message\ndata: {message}\n\n")).await;
    }

    /// Breaks the connection.
    async fn cut(self) {
        soon(self.0.send(Err(std::io::Error::other("cut")))).await.unwrap();
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("in time")
}

/// As of a request whose answer is waited for.
fn wanted() -> Weak<()> {
    static HELD: LazyLock<Arc<()>> = LazyLock::new(Arc::default);
    Arc::downgrade(&HELD)
}

fn status(code: u16) -> Response {
    refusal(code, "text/plain", "")
}

fn refusal(code: u16, kind: &str, body: &str) -> Response {
    let response = Response::builder().status(code).header("content-type", kind);
    response.body(Body::from(body.to_owned())).unwrap()
}

fn document(message: &Value) -> Response {
    refusal(200, "application/json", &message.to_string())
}

fn result(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "of": id } })
}

fn notification(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": method })
}

fn request(link: &Link, id: u64, method: &'static str) {
    let json = json!({ "jsonrpc": "2.0", "id": id, "method": method }).to_string();
    link.send(Outgoing::Request { id, method, json, headers: HeaderMap::new(), wanted: wanted() })
        .unwrap();
}

fn notify(link: &Link, method: &str) {
    link.send(Outgoing::Notification { json: notification(method).to_string() }).unwrap();
}

async fn said(link: &mut Link, on: Option<u64>) -> Incoming {
    match soon(link.next()).await {
        Event::Said { on: stream, message } if stream == on => message,
        other => panic!("{other:?}"),
    }
}

async fn answer(link: &mut Link, id: u64) -> Result<String, RpcError> {
    match said(link, Some(id)).await {
        Incoming::Answer { id: Some(of), outcome } if of == id => {
            outcome.map(|result| result.as_str().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

async fn notified(link: &mut Link, on: Option<u64>) -> String {
    match said(link, on).await {
        Incoming::Notification { method, .. } => method.into(),
        other => panic!("{other:?}"),
    }
}

async fn fault(link: &mut Link, id: u64) -> Fault {
    match soon(link.next()).await {
        Event::Unanswered { id: of, fault } if of == id => fault,
        other => panic!("{other:?}"),
    }
}

async fn ended(link: &mut Link) -> String {
    match soon(link.next()).await {
        Event::Ended(reason) => reason,
        other => panic!("{other:?}"),
    }
}

/// What becomes of a request that is refused like this, in the modern era.
async fn refused(response: Response) -> Fault {
    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    request(&link, 1, "tools/call");
    server.next().await.reply(response);
    fault(&mut link, 1).await
}

#[tokio::test]
async fn a_modern_request_repeats_in_headers_what_it_is() {
    let mut server = FakeServer::start().await;
    let mut own = HeaderMap::new();
    own.insert("authorization", HeaderValue::from_static("Bearer t"));
    own.insert("mcp-session-id", HeaderValue::from_static("not the user's to say"));
    let mut link = server.link_with(own);

    request(&link, 1, "server/discover");
    let asked = server.next().await;
    assert_eq!(asked.method, Method::POST);
    assert_eq!(asked.body["method"], "server/discover");
    assert_eq!(asked.header("accept"), Some("application/json, text/event-stream"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.header("authorization"), Some("Bearer t"));
    assert!(asked.header("user-agent").unwrap().starts_with("mcp-hub/"));
    assert_eq!(asked.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(asked.header("mcp-method"), Some("server/discover"));
    asked.reply(document(&result(1)));
    assert_eq!(answer(&mut link, 1).await.unwrap(), r#"{"of":1}"#);

    link.send(Outgoing::Settled { era: Era::Modern, version: "2026-07-28".into() }).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("mcp-name", HeaderValue::from_static("search"));
    let json = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call"}"#.to_owned();
    link.send(Outgoing::Request { id: 2, method: "tools/call", json, headers, wanted: wanted() })
        .unwrap();
    let asked = server.next().await;
    assert_eq!(asked.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(asked.header("mcp-method"), Some("tools/call"));
    assert_eq!(asked.header("mcp-name"), Some("search"));
    assert_eq!(asked.header("mcp-session-id"), None);
    asked.reply(document(&result(2)));
    answer(&mut link, 2).await.unwrap();

    notify(&link, "notifications/cancelled");
    let asked = server.next().await;
    assert_eq!(asked.header("mcp-method"), Some("notifications/cancelled"));
}

#[tokio::test]
async fn a_legacy_session_begins_with_the_handshake_and_ends_with_the_link() {
    let mut server = FakeServer::start().await;
    let mut link = server.link();
    request(&link, 0, "initialize");
    let asked = server.next().await;
    assert_eq!(asked.header("mcp-protocol-version"), None);
    assert_eq!(asked.header("mcp-method"), None);
    assert_eq!(asked.header("mcp-session-id"), None);
    let mut response = document(&result(0));
    response.headers_mut().insert("mcp-session-id", HeaderValue::from_static("s-1"));
    asked.reply(response);
    answer(&mut link, 0).await.unwrap();

    link.send(Outgoing::Settled { era: Era::Legacy, version: "2025-06-18".into() }).unwrap();
    notify(&link, "notifications/initialized");
    request(&link, 1, "tools/list");
    let in_session = |asked: &Asked| {
        assert_eq!(asked.header("mcp-protocol-version"), Some("2025-06-18"));
        assert_eq!(asked.header("mcp-session-id"), Some("s-1"));
    };
    let initialized = server.next().await;
    in_session(&initialized);
    assert_eq!(initialized.body["method"], "notifications/initialized");
    assert!(server.asked.try_recv().is_err(), "the request waits for the notification");
    initialized.reply(status(202));
    let (mut asked, mut get) = (server.next().await, server.next().await);
    if asked.method == Method::GET {
        std::mem::swap(&mut asked, &mut get);
    }
    in_session(&asked);
    in_session(&get);
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    assert_eq!(asked.header("mcp-method"), None);

    // Both are still waiting for an answer.
    let ((), ()) = tokio::join!(soon(link.close()), async {
        let delete = server.next().await;
        assert_eq!(delete.method, Method::DELETE);
        in_session(&delete);
        delete.reply(status(204));
    });
    soon(asked.reply.closed()).await;
    soon(get.reply.closed()).await;
}

#[tokio::test]
async fn the_server_may_keep_a_link_only_so_long_from_its_end() {
    let mut server = FakeServer::start().await;
    let link = server.legacy().await;
    let start = tokio::time::Instant::now();
    soon(link.close()).await;
    assert!(start.elapsed() < LEAVE_WITHIN * 3);
    assert_eq!(server.next().await.method, Method::DELETE);
}

#[tokio::test]
async fn a_notification_that_is_slow_holds_the_next_message_for_a_time_only() {
    let mut server = FakeServer::start().await;
    let link = server.modern();
    notify(&link, "notifications/slow");
    request(&link, 1, "tools/list");
    let slow = server.next().await;
    tokio::time::pause();
    tokio::time::advance(HELD_FOR).await;
    tokio::time::resume();
    assert_eq!(server.next().await.body["method"], "tools/list");
    slow.reply(status(202));
}

#[tokio::test]
async fn only_so_many_messages_without_an_answer_are_on_their_way_at_once() {
    let mut server = FakeServer::start().await;
    let link = server.legacy().await;
    for id in 0..=POSTS_MAX as u64 {
        link.send(Outgoing::Answer { json: result(id).to_string() }).unwrap();
    }
    let mut waiting = Vec::new();
    for _ in 0..POSTS_MAX {
        waiting.push(server.next().await);
    }
    assert!(server.asked.try_recv().is_err());
    waiting.pop().unwrap().reply(status(202));
    assert_eq!(server.next().await.body, result(POSTS_MAX as u64));
}

#[tokio::test]
async fn an_answer_may_be_a_stream_with_notices_before_it() {
    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    request(&link, 1, "tools/call");
    let stream = server.next().await.stream();
    stream.write(": alive\n\nevent: other\ndata: {}\n\ndata:\n\n").await;
    stream.say(&notification("notifications/progress")).await;
    assert_eq!(notified(&mut link, Some(1)).await, "notifications/progress");
    // What is no message but surely no answer either is passed over.
    stream.write("data: {\"jsonrpc\":\"1.0\",\"method\":\"x\"}\n\n").await;
    stream.write("data: {\"jsonrpc\":\"2.0\",\n").await;
    stream.write("data: \"method\":\"notifications/message\"}\r\n\r\n").await;
    stream.say(&result(1)).await;
    drop(stream);
    assert_eq!(notified(&mut link, Some(1)).await, "notifications/message");
    assert_eq!(answer(&mut link, 1).await.unwrap(), r#"{"of":1}"#);
}

#[tokio::test]
async fn many_requests_are_in_flight_at_once() {
    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    let mut streams = Vec::new();
    for id in 1..=3 {
        request(&link, id, "tools/call");
        streams.push((id, server.next().await.stream()));
    }
    for (id, stream) in &streams {
        stream.say(&notification(&format!("n{id}"))).await;
        assert_eq!(notified(&mut link, Some(*id)).await, format!("n{id}"));
    }
    for (id, stream) in streams.into_iter().rev() {
        stream.say(&result(id)).await;
        answer(&mut link, id).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_beyond_those_that_may_be_in_flight_is_not_sent() {
    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    let bound = REQUESTS_MAX as u64;
    let mut waiting = Vec::new();
    for id in 0..bound {
        request(&link, id, "tools/call");
        waiting.push(server.next().await);
    }
    request(&link, bound, "tools/call");
    assert!(!fault(&mut link, bound).await.may_have_run);
    link.send(Outgoing::Cancel { id: 0, reason: "" }).unwrap();
    request(&link, bound + 1, "tools/call");
    server.next().await.reply(document(&result(bound + 1)));
    answer(&mut link, bound + 1).await.unwrap();
}

#[tokio::test]
async fn a_refusal_may_carry_the_answer() {
    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    let error = |id: Value, code: i64| {
        let error = json!({ "code": code, "message": "no" });
        json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
    };
    let own = error(json!(1), -32601);
    let null = error(Value::Null, -32020);
    let missing = json!({ "jsonrpc": "2.0", "error": { "code": 7, "message": "no" } }).to_string();
    for (id, (code, body, expected)) in
        (1..).zip([(404, own, -32601), (400, null, -32020), (500, missing, 7)])
    {
        request(&link, id, "tools/call");
        server.next().await.reply(refusal(code, "application/json", &body));
        assert_eq!(answer(&mut link, id).await.unwrap_err().code, expected);
    }
    // So may a stream.
    request(&link, 4, "tools/call");
    let stream = server.next().await.stream();
    stream.say(&serde_json::from_str(&error(Value::Null, 9)).unwrap()).await;
    assert_eq!(answer(&mut link, 4).await.unwrap_err().code, 9);
    // Another request's answer is not this one's.
    request(&link, 5, "tools/call");
    server.next().await.reply(refusal(400, "application/json", &error(json!(77), 1)));
    assert_eq!(fault(&mut link, 5).await.reason, "the server answers 400 Bad Request: no");
}

#[tokio::test]
async fn a_refused_token_says_what_to_do() {
    let mut server = FakeServer::start().await;
    for code in [401, 403] {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer s3cret"));
        let mut link = server.link_with(headers);
        request(&link, 1, "server/discover");
        let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"expired\u001b[2J"}}"#;
        server.next().await.reply(refusal(code, "application/json", body));
        let fault = fault(&mut link, 1).await;
        assert!(!fault.may_have_run);
        let reason = fault.reason;
        assert!(reason.starts_with(&format!("the server refuses the token ({code}")), "{reason}");
        assert!(reason.contains("--server-token or --header"), "{reason}");
        assert!(reason.ends_with(": expired\u{fffd}[2J"), "{reason}");
        assert!(!reason.contains("s3cret"));
    }
    let fault = refused(status(401)).await;
    assert!(fault.reason.starts_with("the server wants to see a token (401"), "{fault}");
}

#[tokio::test]
async fn other_refusals_say_what_the_server_says() {
    let text = format!("upstream\r\n\tdown {}", "x".repeat(10_000));
    let fault = refused(refusal(502, "text/plain", &text)).await;
    assert!(fault.may_have_run);
    assert!(fault.reason.starts_with("the server answers 502 Bad Gateway: upstream down xxx"));
    assert!(fault.reason.len() < 400);

    let fault = refused(refusal(404, "text/html", "<html>")).await;
    assert_eq!(fault.reason, "the server answers 404 Not Found");
    assert!(!fault.may_have_run);

    for (code, may_have_run) in [(429, false), (503, true)] {
        let mut response = status(code);
        response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
        let fault = refused(response).await;
        assert!(fault.reason.ends_with("; it may be asked again after 7 s"), "{fault}");
        assert_eq!(fault.may_have_run, may_have_run);
    }
}

#[tokio::test]
async fn a_token_does_not_travel_to_where_the_server_points() {
    let mut elsewhere = FakeServer::start().await;
    let mut response = status(307);
    let to = format!("http://u:p@{}/mcp/?token=x#y", elsewhere.address);
    response.headers_mut().insert("location", to.parse().unwrap());
    let fault = refused(response).await;
    let told = format!("points to http://{}/mcp/ (307", elsewhere.address);
    assert!(fault.reason.contains(&told), "{fault}");
    assert!(!fault.may_have_run);
    assert!(elsewhere.asked.try_recv().is_err());
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_such() {
    let fault = refused(refusal(200, "text/html", "<html>")).await;
    assert_eq!(fault.reason, "the server's answer is \"text/html\", not JSON-RPC");
    assert!(fault.may_have_run);
    let fault = refused(refusal(200, "application/json", "{]")).await;
    assert!(fault.reason.contains("faulty answer: not JSON"), "{fault}");
    let fault = refused(status(202)).await;
    assert_eq!(fault.reason, "the server answers 202 Accepted and nothing");
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let fault = refused(refusal(200, "application/json", &deep)).await;
    assert!(fault.reason.contains("deeper than 128 levels"), "{fault}");

    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    request(&link, 1, "tools/call");
    let stream = server.next().await.stream();
    stream.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[}\n\n").await;
    assert!(self::fault(&mut link, 1).await.reason.contains("faulty answer"));
}

#[tokio::test]
async fn no_message_is_longer_than_may_be() {
    let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let fault = refused(refusal(200, "application/json", &long)).await;
    assert_eq!(fault.reason, "the server sent a message longer than 16 MiB");

    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    request(&link, 1, "tools/call");
    let stream = server.next().await.stream();
    let chunk = Bytes::from("x".repeat(1 << 20));
    stream.write("data: ").await;
    // It hangs up long before this has an end.
    while stream.0.send(Ok(chunk.clone())).await.is_ok() {}
    let fault = self::fault(&mut link, 1).await;
    assert_eq!(fault.reason, "the server sent a message longer than 16 MiB");
    assert!(fault.may_have_run);

    // Many that are each as long as may be are no trouble.
    request(&link, 2, "tools/call");
    let stream = server.next().await.stream();
    let notice = format!(
        "data: {}\n\n",
        json!({ "jsonrpc": "2.0", "method": "m",
        "params": { "text": "x".repeat(MESSAGE_BYTES_MAX - 100) } })
    );
    for _ in 0..2 {
        let heard = notified(&mut link, Some(2));
        let ((), method) = tokio::join!(stream.write(notice.clone()), heard);
        assert_eq!(method, "m");
    }
}

#[tokio::test]
async fn a_lost_session_ends_the_link() {
    let example = json!({ "jsonrpc": "2.0", "id": null,
        "error": { "code": -32000, "message": "Bad Request: No valid session ID provided" } });
    let sdk = json!({ "jsonrpc": "2.0", "id": "server-error",
        "error": { "code": -32600, "message": "Session not found" } });
    for (code, body) in [(404, String::new()), (404, sdk.to_string()), (400, example.to_string())] {
        let mut server = FakeServer::start().await;
        let mut link = server.legacy().await;
        request(&link, 1, "tools/call");
        server.next().await.reply(refusal(code, "application/json", &body));
        assert!(!fault(&mut link, 1).await.may_have_run);
        let reason = ended(&mut link).await;
        assert!(reason.starts_with("the server has forgotten the session"), "{reason}");
        soon(link.close()).await;
        assert!(server.asked.try_recv().is_err(), "there is nothing to take leave of");
    }
    // An answer, an unasked stream and a notification find it out as well.
    let mut server = FakeServer::start().await;
    let mut link = server.legacy().await;
    link.send(Outgoing::Answer { json: result(9).to_string() }).unwrap();
    let asked = server.next().await;
    assert_eq!(asked.body, result(9));
    asked.reply(status(404));
    ended(&mut link).await;

    let (mut link, get) = server.legacy_and_get().await;
    get.reply(status(404));
    ended(&mut link).await;
}

#[tokio::test]
async fn not_every_404_is_about_the_session() {
    let mut server = FakeServer::start().await;
    let mut link = server.legacy().await;
    request(&link, 1, "tools/call");
    let error = json!({ "jsonrpc": "2.0", "id": 1,
        "error": { "code": -32601, "message": "no such method" } });
    server.next().await.reply(refusal(404, "application/json", &error.to_string()));
    assert_eq!(answer(&mut link, 1).await.unwrap_err().code, -32601);
}

#[tokio::test]
async fn the_rest_of_a_legacy_stream_is_asked_for() {
    let mut server = FakeServer::start().await;
    let mut link = server.legacy().await;
    request(&link, 1, "tools/call");
    // The server hangs up on purpose, then by accident, then cannot be bothered.
    let stream = server.next().await.stream();
    stream.write("id: 5_0\nretry: 50\ndata: \n\n").await;
    drop(stream);
    let asked = server.next().await;
    assert_eq!(asked.method, Method::GET);
    assert_eq!(asked.header("last-event-id"), Some("5_0"));
    assert_eq!(asked.header("mcp-session-id"), Some("s-1"));
    let stream = asked.stream();
    stream.write(format!("id: 5_1\ndata: {}\n\n", notification("n"))).await;
    assert_eq!(notified(&mut link, Some(1)).await, "n");
    stream.cut().await;
    server.next().await.reply(status(503));
    let asked = server.next().await;
    assert_eq!(asked.header("last-event-id"), Some("5_1"));
    let stream = asked.stream();
    stream.say(&result(1)).await;
    assert_eq!(answer(&mut link, 1).await.unwrap(), r#"{"of":1}"#);
}

#[tokio::test]
async fn the_rest_of_a_stream_is_asked_for_so_many_times_only() {
    let mut server = FakeServer::start().await;
    let mut link = server.legacy().await;
    let begin = async |server: &mut FakeServer, link: &Link, id| {
        request(link, id, "tools/call");
        let stream = server.next().await.stream();
        stream.write(format!("id: {id}\nretry: 1\n\n")).await;
        drop(stream);
    };
    begin(&mut server, &link, 1).await;
    for _ in 0..6 {
        drop(server.next().await.stream());
    }
    let lost = fault(&mut link, 1).await;
    assert!(lost.may_have_run);
    assert!(lost.reason.ends_with("and the rest of it did not come"), "{lost}");

    begin(&mut server, &link, 2).await;
    server.next().await.reply(status(405));
    let lost = fault(&mut link, 2).await;
    assert!(lost.reason.contains("there is no resuming it"), "{lost}");

    begin(&mut server, &link, 3).await;
    server.next().await.reply(status(404));
    assert!(fault(&mut link, 3).await.may_have_run);
    ended(&mut link).await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_resumed_leaves_its_request_unanswered() {
    let mut server = FakeServer::start().await;
    let legacy = server.legacy().await;
    for mut link in [server.modern(), legacy] {
        request(&link, 1, "tools/call");
        let stream = server.next().await.stream();
        stream.say(&notification("n")).await;
        notified(&mut link, Some(1)).await;
        stream.cut().await;
        let lost = fault(&mut link, 1).await;
        assert!(lost.may_have_run);
        assert!(lost.reason.starts_with("there was no answer before the connection broke"));
    }
    // Event ids mean nothing in the modern era.
    let mut link = server.modern();
    request(&link, 1, "tools/call");
    let stream = server.next().await.stream();
    stream.write("id: 1\nretry: 1\n\n").await;
    drop(stream);
    let lost = fault(&mut link, 1).await;
    assert_eq!(lost.reason, "there was no answer before the stream ended");
}

#[tokio::test]
async fn a_legacy_server_is_heard_unasked() {
    let mut server = FakeServer::start().await;
    let (mut link, get) = server.legacy_and_get().await;
    let stream = get.stream();
    stream.write(format!("id: 7\nretry: 50\ndata: {}\n\n", notification("changed"))).await;
    assert_eq!(notified(&mut link, None).await, "changed");
    stream.write("data: nonsense\n\n").await;
    let ping = json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" });
    stream.say(&ping).await;
    assert!(matches!(said(&mut link, None).await, Incoming::Request { .. }));
    stream.cut().await;

    server.next().await.reply(status(500));
    let get = server.next().await;
    assert_eq!(get.method, Method::GET);
    assert_eq!(get.header("last-event-id"), Some("7"));
    let stream = get.stream();
    stream.say(&notification("again")).await;
    assert_eq!(notified(&mut link, None).await, "again");
}

#[tokio::test]
async fn a_server_that_says_nothing_unasked_still_answers() {
    let mut server = FakeServer::start().await;
    let mut link = server.legacy().await;
    for id in 1..4 {
        request(&link, id, "tools/call");
        let asked = server.next().await;
        assert_eq!(asked.method, Method::POST);
        asked.reply(document(&result(id)));
        answer(&mut link, id).await.unwrap();
    }
}

#[tokio::test]
async fn a_modern_request_is_cancelled_by_hanging_up() {
    let mut server = FakeServer::start().await;
    let mut link = server.modern();
    request(&link, 1, "tools/call");
    let stream = server.next().await.stream();
    stream.say(&notification("n")).await;
    notified(&mut link, Some(1)).await;
    request(&link, 2, "tools/call");
    let mut silent = server.next().await;
    for id in [1, 2] {
        link.send(Outgoing::Cancel { id, reason: "nobody waits" }).unwrap();
    }
    soon(stream.0.closed()).await;
    soon(silent.reply.closed()).await;
    request(&link, 3, "tools/call");
    let asked = server.next().await;
    assert_eq!(asked.body["id"], 3);
    asked.reply(document(&result(3)));
    answer(&mut link, 3).await.unwrap();
}

#[tokio::test]
async fn a_legacy_request_is_cancelled_by_saying_so() {
    let mut server = FakeServer::start().await;
    let mut link = server.legacy().await;
    request(&link, 1, "tools/call");
    let stream = server.next().await.stream();
    link.send(Outgoing::Cancel { id: 1, reason: "nobody waits" }).unwrap();
    let asked = server.next().await;
    assert_eq!(asked.body["method"], "notifications/cancelled");
    let params = json!({ "requestId": 1, "reason": "nobody waits" });
    assert_eq!(asked.body["params"], params);
    assert_eq!(asked.header("mcp-session-id"), Some("s-1"));
    asked.reply(status(202));
    soon(stream.0.closed()).await;
    // What has its answer is not cancelled.
    request(&link, 2, "tools/call");
    server.next().await.reply(document(&result(2)));
    answer(&mut link, 2).await.unwrap();
    link.send(Outgoing::Cancel { id: 1, reason: "again" }).unwrap();
    request(&link, 3, "tools/call");
    assert_eq!(server.next().await.body["id"], 3);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_has_run_nothing() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = Url::parse(&format!("http://{nobody}/mcp?secret=x")).unwrap();
    let mut link = open(Target { url, headers: HeaderMap::new() });
    request(&link, 1, "initialize");
    let fault = fault(&mut link, 1).await;
    assert!(!fault.may_have_run);
    assert!(fault.reason.starts_with("cannot reach the server: "), "{fault}");
    assert!(!fault.reason.contains("secret"), "{fault}");
    // What has no answer is lost quietly.
    notify(&link, "n");
    soon(link.close()).await;
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_run_what_it_carried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
    let mut link = open(Target { url, headers: HeaderMap::new() });
    request(&link, 1, "tools/call");
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    let mut some = [0; 16];
    soon(socket.read_exact(&mut some)).await.unwrap();
    drop(socket);
    assert!(fault(&mut link, 1).await.may_have_run);

    request(&link, 2, "tools/call");
    let (mut socket, _) = soon(listener.accept()).await.unwrap();
    soon(socket.read_exact(&mut some)).await.unwrap();
    let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";
    socket.write_all(half).await.unwrap();
    drop(socket);
    let fault = fault(&mut link, 2).await;
    assert!(fault.may_have_run, "{fault}");
    assert!(fault.reason.starts_with("the connection broke"), "{fault}");
}

#[tokio::test]
async fn a_dropped_link_hangs_up() {
    let mut server = FakeServer::start().await;
    let link = server.modern();
    request(&link, 1, "subscriptions/listen");
    let stream = server.next().await.stream();
    drop(link);
    soon(stream.0.closed()).await;
}

#[test]
fn no_proxy_stands_between_a_machine_and_itself() {
    let here = |url| is_here(&Url::parse(url).unwrap());
    assert!(here("http://127.0.0.1:8080/mcp") && here("http://[::1]/") && here("http://localhost"));
    assert!(!here("https://mcp.example.com/mcp"));
}
