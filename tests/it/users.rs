//! Who is let in, and that no user can see, call, cancel or guess anything of another.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mcp_hub::{
    auth::Scope,
    hub::router::Options,
    model::{call::Call, clock::UnixTime, limits::Limits},
};
use proptest::{prelude::*, test_runner::Config as Cases};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        http::{HeaderMap, HeaderName, HeaderValue},
    },
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    api::Looker,
    client::{Answer, Events, LegacySession, names},
    fake::{Bench, user},
    hub::{SECRET, token, token_for},
    provider::{text, tool},
};

const HOUR: Duration = Duration::from_secs(3600);

/// A token with these claims, signed with `secret`.
fn signed(algorithm: Algorithm, claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("signed")
}

fn in_an_hour() -> u64 {
    UnixTime::now().after(HOUR).0
}

/// Tokens that must not be taken, by what is wrong with them.
fn bad_tokens() -> Vec<(&'static str, String)> {
    let good = json!({ "sub": "alice", "exp": in_an_hour() });
    let with = |claims: Value| signed(Algorithm::HS256, &claims, SECRET);
    let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let unsigned = |alg: &str| format!("{}.{}.", part(json!({ "alg": alg })), part(good.clone()));
    let genuine = token("alice");
    let (head, signature) = genuine.rsplit_once('.').expect("three parts");
    let (header, _) = head.split_once('.').expect("three parts");
    let forged = part(json!({ "sub": "bob", "exp": in_an_hour() }));
    vec![
        ("expired", with(json!({ "sub": "alice", "exp": UnixTime::now().0 - 1 }))),
        ("without an end", with(json!({ "sub": "alice" }))),
        ("with an odd end", with(json!({ "sub": "alice", "exp": "tomorrow" }))),
        ("not valid yet", with(json!({ "sub": "a", "exp": in_an_hour(), "nbf": in_an_hour() }))),
        ("without a subject", with(json!({ "exp": in_an_hour() }))),
        ("with an empty subject", with(json!({ "sub": "", "exp": in_an_hour() }))),
        ("with a subject that is no text", with(json!({ "sub": 5, "exp": in_an_hour() }))),
        ("of another key", signed(Algorithm::HS256, &good, "another secret, longer than 32 bytes")),
        ("of another algorithm", signed(Algorithm::HS512, &good, SECRET)),
        ("of a third algorithm", signed(Algorithm::HS384, &good, SECRET)),
        ("of no algorithm", unsigned("none")),
        ("of no signature", unsigned("HS256")),
        ("with another payload", format!("{header}.{forged}.{signature}")),
        ("cut", head.to_owned()),
        ("not a token", "let-me-in".into()),
        ("empty", String::new()),
    ]
}

/// Tries the handshake with these headers: the status, the subprotocol chosen if it succeeded, and
/// the challenge.
async fn knock(hub: &TestHub, query: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap) {
    let url = format!("{}/clients/ws{query}", hub.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a URL");
    for (name, _) in headers {
        request.headers_mut().remove(*name);
    }
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        request.headers_mut().append(name, HeaderValue::from_str(value).expect("a value"));
    }
    match timeout(PATIENCE, connect_async(request)).await.expect("in time") {
        Ok((_, response)) => (response.status().as_u16(), response.headers().clone()),
        Err(Error::Http(response)) => (response.status().as_u16(), response.headers().clone()),
        Err(error) => panic!("{headers:?}: {error}"),
    }
}

fn challenge(headers: &HeaderMap) -> &str {
    headers.get("www-authenticate").map_or("", |value| value.to_str().expect("ASCII"))
}

#[tokio::test]
async fn bad_tokens_are_refused_on_every_door_with_a_challenge() {
    let hub = TestHub::with_users().await;
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    for (what, bad) in bad_tokens() {
        let client = McpClient::new(&hub).with_token(bad.clone());
        // Without anything after it, `Bearer` is no request for entry at all (RFC 6750 §3.1).
        let status = if bad.is_empty() { 400 } else { 401 };
        for request in [
            client.modern_request("tools/list", json!({})),
            client.post(initialize),
            client.request(Method::GET),
            client.request(Method::DELETE),
        ] {
            let answer = McpClient::send(request).await;
            assert_eq!(answer.status.as_u16(), status, "a token {what}");
            let challenge = challenge(&answer.headers);
            assert!(challenge.starts_with("Bearer error=\"invalid_"), "{what}: {challenge}");
            assert!(bad.is_empty() || !answer.text.contains(&bad), "{what}: it is not repeated");
        }
        let authorization = format!("Bearer {bad}");
        let (told, headers) = knock(&hub, "", &[("authorization", &authorization)]).await;
        assert_eq!(told, status, "a provider's token {what}");
        assert!(challenge(&headers).starts_with("Bearer error="), "{what}");
        if !bad.is_empty() {
            let protocols = format!("mcp-hub.v1, bearer.{bad}");
            let (status, _) = knock(&hub, "", &[("sec-websocket-protocol", &protocols)]).await;
            assert_eq!(status, 401, "a provider's subprotocol token {what}");
        }
    }
}

#[tokio::test]
async fn without_a_token_nobody_is_let_in_and_the_challenge_names_no_error() {
    let hub = TestHub::with_users().await;
    let answer = McpClient::new(&hub).modern("tools/list", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(challenge(&answer.headers), "Bearer");
    let (status, headers) = knock(&hub, "", &[]).await;
    assert_eq!((status, challenge(&headers)), (401, "Bearer"));
    let malformed = (400, "Bearer error=\"invalid_request\"");
    for (said, expected) in [
        ("Basic YTpi", (401, "Bearer")),
        ("Negotiate", (401, "Bearer")),
        ("", (401, "Bearer")),
        ("Bearer", malformed),
        ("bearer", malformed),
        ("Bearer  ", malformed),
        ("Bearer a b", (401, "Bearer error=\"invalid_token\"")),
    ] {
        let request = McpClient::new(&hub).modern_request("tools/list", json!({}));
        let answer = McpClient::send(request.header("authorization", said)).await;
        assert_eq!((answer.status.as_u16(), challenge(&answer.headers)), expected, "{said}");
        let (status, headers) = knock(&hub, "", &[("authorization", said)]).await;
        assert_eq!((status, challenge(&headers)), expected, "{said}");
    }
}

#[tokio::test]
async fn of_two_authorization_headers_none_is_believed_on_any_door() {
    let hub = TestHub::with_users().await;
    let [alice, bob] = ["alice", "bob"].map(|user| format!("Bearer {}", token(user)));
    let (nobody, looker) = (McpClient::new(&hub), Looker::new(&hub));
    for (said, is_let_in) in [
        (vec![&*alice], true),
        (vec![&*alice, &*alice], false),
        (vec![&*alice, &*bob], false),
        (vec![&*alice, "Basic YTpi"], false),
        (vec!["Basic YTpi", &*alice], false),
        (vec![&*alice, ""], false),
    ] {
        for request in [
            nobody.modern_request("tools/list", json!({})),
            looker.request(Method::GET, "/me"),
            looker.request(Method::GET, "/events"),
        ] {
            let say = |request: RequestBuilder, value| request.header("authorization", value);
            let answer = said.iter().copied().fold(request, say).send().await.expect("an answer");
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            assert_eq!(status, if is_let_in { 200 } else { 400 }, "{said:?}");
            if !is_let_in {
                assert_eq!(challenge(&headers), "Bearer error=\"invalid_request\"", "{said:?}");
                let text = answer.text().await.expect("a reason");
                assert!(text.contains("more than one Authorization header"), "{text}");
            }
        }
        let headers: Vec<_> = said.iter().map(|value| ("authorization", *value)).collect();
        let (status, _) = knock(&hub, "", &headers).await;
        assert_eq!(status, if is_let_in { 101 } else { 400 }, "{said:?}");
    }
}

#[tokio::test]
async fn a_page_behind_a_proxy_with_a_password_brings_its_token_beside_it() {
    let hub = TestHub::with_users().await;
    let protocols = format!("mcp-hub.v1, bearer.{}", token("alice"));
    let headers = [("authorization", "Basic YTpi"), ("sec-websocket-protocol", &*protocols)];
    assert_eq!(knock(&hub, "", &headers).await.0, 101);
}

#[tokio::test]
async fn where_no_token_is_asked_for_authorization_is_somebody_elses_business() {
    let hub = TestHub::start().await;
    for other in ["Basic YTpi", "Bearer", "Negotiate", "Bearer made-up"] {
        let request = McpClient::new(&hub).modern_request("tools/list", json!({}));
        let answer = McpClient::send(request.header("authorization", other)).await;
        assert_eq!(answer.status, StatusCode::OK, "{other}");
        let (status, _) = knock(&hub, "", &[("authorization", other)]).await;
        assert_eq!(status, 101, "{other}");
    }
    let two = [("authorization", "Basic YTpi"), ("authorization", "Bearer made-up")];
    assert_eq!(knock(&hub, "", &two).await.0, 101);
}

#[tokio::test]
async fn a_token_in_the_url_is_no_token() {
    let hub = TestHub::with_users().await;
    let token = token("alice");
    for query in ["token", "access_token", "bearer", "authorization"] {
        let query = format!("?{query}={token}");
        assert_eq!(knock(&hub, &query, &[]).await.0, 401);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = http.post(format!("{}/mcp{query}", hub.url())).body("{}");
        let answer = McpClient::send(request.header("content-type", "application/json")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_scope_lets_in_where_it_says_and_nowhere_else() {
    let hub = TestHub::with_users().await;
    for (scopes, may_call, may_provide) in [
        (None, true, true),
        (Some(&[Scope::Tools][..]), true, false),
        (Some(&[Scope::Provide][..]), false, true),
        (Some(&[Scope::Tools, Scope::Provide][..]), true, true),
        (Some(&[][..]), false, false),
    ] {
        let token = token_for("alice", scopes, HOUR);
        let insufficient =
            |scope: &str| format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
        let client = McpClient::new(&hub).with_token(token.clone());
        let answer = client.modern("tools/list", json!({})).await;
        assert_eq!(answer.status.as_u16(), if may_call { 200 } else { 403 }, "{scopes:?}");
        if !may_call {
            assert_eq!(challenge(&answer.headers), insufficient("mcp:tools"));
        }
        let authorization = format!("Bearer {token}");
        let (status, headers) = knock(&hub, "", &[("authorization", &authorization)]).await;
        assert_eq!(status, if may_provide { 101 } else { 403 }, "{scopes:?}");
        if !may_provide {
            assert_eq!(challenge(&headers), insufficient("mcp:provide"));
        }
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_when_they_are_configured() {
    let hub = TestHub::with(|config| {
        config.auth.secret = Some(SECRET.into());
        config.auth.issuer = Some("us".into());
        config.auth.audience = Some("hub".into());
    })
    .await;
    for (iss, aud, expected) in [
        (json!("us"), json!("hub"), 200),
        (json!("us"), json!(["other", "hub"]), 200),
        (json!("them"), json!("hub"), 401),
        (Value::Null, json!("hub"), 401),
        (json!("us"), json!("other"), 401),
        (json!("us"), json!([]), 401),
        (json!("us"), Value::Null, 401),
    ] {
        let mut claims = json!({ "sub": "alice", "exp": in_an_hour() });
        for (claim, value) in [("iss", &iss), ("aud", &aud)] {
            if !value.is_null() {
                claims[claim] = value.clone();
            }
        }
        let token = signed(Algorithm::HS256, &claims, SECRET);
        let answer = McpClient::new(&hub).with_token(token).modern("tools/list", json!({})).await;
        assert_eq!(answer.status.as_u16(), expected, "{claims}");
    }
}

#[tokio::test]
async fn a_browser_brings_its_token_as_a_subprotocol() {
    let hub = TestHub::with_users().await;
    let token = token("alice");
    let (alone, last) = (format!("bearer.{token}"), format!("mcp-hub.v1, bearer.{token}"));
    let first = format!("bearer.{token}, mcp-hub.v1");
    for (offered, chosen) in
        [(&last, Some("mcp-hub.v1")), (&first, Some("mcp-hub.v1")), (&alone, None)]
    {
        let url = format!("{}/clients/ws", hub.url().replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        let offered = HeaderValue::from_str(offered).expect("a value");
        request.headers_mut().insert("sec-websocket-protocol", offered);
        match (connect_async(request).await, chosen) {
            (Ok((_, response)), Some(chosen)) => {
                assert_eq!(response.status(), 101);
                assert_eq!(response.headers()["sec-websocket-protocol"], chosen);
            }
            // Strict clients leave when none of what they offered is chosen.
            (Err(Error::Protocol(_)), None) => {}
            (other, _) => panic!("{:?}", other.map(|(_, response)| response)),
        }
    }
}

#[tokio::test]
async fn what_a_token_holds_open_ends_with_it() {
    let hub = TestHub::with_users().await;
    let token = token_for("alice", None, Duration::from_secs(2));
    let client = McpClient::new(&hub).with_token(token.clone());
    let session = client.initialize("2025-11-25").await;
    let (mut modern, mut legacy) = (client.listen().await, session.stream().await);
    let mut provider = TestProvider::dial(&hub, Some(&token)).await.expect("let in");
    provider.register("p", &[]).await;
    assert_eq!(provider.close_code().await, 4401);
    let farewell = modern.next().await.expect("the result of its request");
    assert_eq!(farewell["result"]["resultType"], "complete", "{farewell}");
    assert_eq!(modern.next().await, None);
    assert_eq!(legacy.next().await, None);
    let answer = client.modern("tools/list", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(challenge(&answer.headers).contains("expired"), "{answer:?}");
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_kept_out_before_tokens_are_looked_at() {
    let hub = TestHub::with_users().await;
    let (good, own) = (format!("Bearer {}", token("alice")), hub.url().to_owned());
    let port = own.rsplit_once(':').expect("a port").1;
    let local = format!("localhost:{port}");
    for (header, value, is_let_in) in [
        ("host", local.as_str(), true),
        ("host", "[::1]:80", true),
        ("host", "evil.example.com", false),
        ("host", "127.0.0.1.evil.example.com", false),
        ("host", "localhost.", false),
        ("origin", own.as_str(), true),
        ("origin", "http://localhost:6274", true),
        ("origin", "http://evil.example.com", false),
        ("origin", "http://localhost.evil.example.com", false),
        ("origin", "null", false),
    ] {
        for authorization in [Some(good.as_str()), None] {
            let mut request = McpClient::new(&hub).modern_request("tools/list", json!({}));
            let mut headers = vec![(header, value)];
            if let Some(good) = authorization {
                request = request.header("authorization", good);
                headers.push(("authorization", good));
            }
            let of = |entered: u16| match (is_let_in, authorization) {
                (false, _) => 403,
                (true, None) => 401,
                (true, Some(_)) => entered,
            };
            let answer = McpClient::send(request.header(header, value)).await;
            assert_eq!(answer.status.as_u16(), of(200), "{header}: {value} on /mcp");
            let (status, _) = knock(&hub, "", &headers).await;
            assert_eq!(status, of(101), "{header}: {value} on /clients/ws");
        }
    }
}

#[tokio::test]
async fn users_differ_in_every_byte_of_their_names() {
    let hub = TestHub::with_users().await;
    let _provider = TestProvider::offering_as(&hub, Some("alice"), "p", &[tool("t")]).await;
    for (user, sees) in [
        ("alice", true),
        ("Alice", false),
        ("alice ", false),
        ("alicé", false),
        ("alice\u{301}", false),
        ("public", false),
        ("*", false),
    ] {
        let tools = McpClient::of_user(&hub, user).tools().await;
        assert_eq!(!tools.is_empty(), sees, "{user:?}");
    }
}

const USERS: [&str; 2] = ["alice", "bob"];
/// Names of tools. Both users use all of them; what a tool does shows whose it is.
const TOOLS: [&str; 4] = ["read", "write", "search", "paint"];
const PROVIDERS: usize = 3;

/// Something one of the two users does.
#[derive(Debug, Clone)]
enum Step {
    /// Connects a provider, or has it register anew, with the tools whose bits are set.
    Offer(usize, u8),
    Withdraw(usize),
    List,
    Call(usize),
    Initialize,
    /// Uses the other's session in every way there is.
    IntrudeOnSession,
    /// Cancels, by its id, a call the other has in flight.
    CancelTheOthers,
    /// Answers questions with the state the other was given.
    RetryTheOthers,
    /// Continues the other's listing.
    FollowTheOthersCursor,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        4 => (0..PROVIDERS, 0..16u8).prop_map(|(which, tools)| Step::Offer(which, tools)),
        2 => (0..PROVIDERS).prop_map(Step::Withdraw),
        3 => Just(Step::List),
        4 => (0..TOOLS.len()).prop_map(Step::Call),
        1 => Just(Step::Initialize),
        1 => Just(Step::IntrudeOnSession),
        1 => Just(Step::CancelTheOthers),
        1 => Just(Step::RetryTheOthers),
        1 => Just(Step::FollowTheOthersCursor),
    ];
    proptest::collection::vec((0..USERS.len(), step), 20)
}

/// One user, and what the hub should know of them.
struct Person {
    name: &'static str,
    client: McpClient,
    session: LegacySession,
    events: Events,
    offered: BTreeMap<usize, (BTreeSet<&'static str>, JoinSet<()>)>,
    /// Changes of the list this user brought about: the most they may hear of.
    changes: usize,
}

/// `name`'s tool, recognisable wherever it turns up.
fn owned(name: &str, owner: &str) -> Value {
    let mut tool = tool(name);
    tool["description"] = json!(format!("{name} of {owner}"));
    tool
}

impl Person {
    async fn arrive(hub: &TestHub, name: &'static str) -> Self {
        let client = McpClient::of_user(hub, name);
        let session = client.initialize("2025-11-25").await;
        let events = client.listen().await;
        Self { name, client, session, events, offered: BTreeMap::new(), changes: 0 }
    }

    fn tools(&self) -> BTreeSet<String> {
        self.offered.values().flat_map(|(tools, _)| tools).map(|&name| name.to_owned()).collect()
    }

    async fn offer(&mut self, hub: &TestHub, which: usize, bits: u8) {
        let names = (0..TOOLS.len()).filter(|bit| bits & (1 << bit) != 0).map(|bit| TOOLS[bit]);
        let names: BTreeSet<_> = names.collect();
        let tools: Vec<_> = names.iter().map(|name| owned(name, self.name)).collect();
        // Instances of both users are called alike.
        let instance = format!("provider-{which}");
        let provider = TestProvider::offering_as(hub, Some(self.name), &instance, &tools).await;
        let name = self.name;
        let serving = provider.serve(move |params| text(&format!("{} of {name}", said(&params))));
        self.offered.insert(which, (names, serving));
        self.changes += 1;
    }

    async fn withdraw(&mut self, which: usize) {
        if self.offered.remove(&which).is_some() {
            self.changes += 1;
            self.sees_what_is_left().await;
        }
    }

    /// The names this user sees, page by page, without a trace of anybody else's.
    async fn seen(&self) -> BTreeSet<String> {
        let (mut seen, mut params) = (BTreeSet::new(), json!({}));
        loop {
            let modern = self.client.modern("tools/list", params.clone()).await;
            let legacy = self.session.request(1, "tools/list", params).await;
            for answer in [&modern, &legacy] {
                self.holds_nothing_foreign(answer);
                seen.extend(names(answer.result()));
            }
            match modern.result().get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return seen,
            }
        }
    }

    /// Waits until the hub has noticed that a provider left.
    async fn sees_what_is_left(&self) {
        let noticed = async { while self.seen().await != self.tools() {} };
        timeout(PATIENCE, noticed).await.expect("the hub notices");
    }

    fn holds_nothing_foreign(&self, answer: &Answer) {
        for other in USERS.iter().filter(|other| **other != self.name) {
            assert!(!answer.text.contains(other), "{} sees {other}'s: {answer:?}", self.name);
        }
    }

    async fn call(&self, name: &'static str) {
        let has = self.tools().contains(name);
        let modern = self.client.call(name, json!({})).await;
        let legacy = self.session.call(2, name, json!({})).await;
        for answer in [&modern, &legacy] {
            self.holds_nothing_foreign(answer);
            if has {
                assert_eq!(answer.said(), format!("{name} of {}", self.name));
            } else {
                assert_eq!(answer.code(), -32602, "{answer:?}");
            }
        }
    }

    /// Tries everything one can do with a session whose id one knows.
    async fn intrude(&self, session: &str) {
        let with = |request: RequestBuilder| request.header("mcp-session-id", session);
        let body = |method: &str| {
            json!({ "jsonrpc": "2.0", "id": 1, "method": method,
                "params": { "name": "read", "level": "debug" } })
            .to_string()
        };
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": { "requestId": 1 } });
        for request in [
            self.client.post(body("tools/list")),
            self.client.post(body("tools/call")),
            self.client.post(body("logging/setLevel")),
            self.client.post(body("ping")),
            self.client.post(cancel.to_string()),
            self.client.request(Method::GET).header("accept", "text/event-stream"),
            self.client.request(Method::DELETE),
        ] {
            let answer = McpClient::send(with(request)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "as if there were none: {answer:?}");
            self.holds_nothing_foreign(&answer);
        }
    }
}

fn said(params: &Value) -> &str {
    params["name"].as_str().unwrap_or_default()
}

/// `victim` has a call in flight under id 7 while `other` cancels whatever is called 7.
async fn cancel(hub: &TestHub, other: &Person, victim: &mut Person) {
    let (name, tools) = (victim.name, [owned("slow", victim.name)]);
    let mut slow = TestProvider::offering_as(hub, Some(name), "slow", &tools).await;
    victim.changes += 1;
    let attack = async {
        let (id, _) = slow.next_call().await;
        let params = json!({ "requestId": 7 });
        let answer = other.session.notify("notifications/cancelled", params.clone()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "of their own session they may cancel 7");
        let body = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": params });
        let foreign = other.client.post(body.to_string());
        let foreign = foreign.header("mcp-session-id", &victim.session.id);
        assert_eq!(McpClient::send(foreign).await.status, StatusCode::NOT_FOUND);
        slow.answer(&id, text(&format!("slow of {name}"))).await;
        // Had it been cancelled, that would have been heard before this.
        slow.say(json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" })).await;
        assert_eq!(slow.hear().await.expect("an answer")["id"], "p");
        slow.register("slow", &[]).await;
    };
    let (answer, ()) = tokio::join!(victim.session.call(7, "slow", json!({})), attack);
    assert_eq!(answer.said(), format!("slow of {name}"));
    victim.changes += 1;
}

/// `victim` is asked something back; `other`, who has a tool of that name too, brings the state.
async fn retry(hub: &TestHub, other: &mut Person, victim: &mut Person) {
    let mut serving = Vec::new();
    for person in [&mut *other, &mut *victim] {
        let name = person.name;
        let tools = [owned("ask", name)];
        let asker = TestProvider::offering_as(hub, Some(name), "asker", &tools).await;
        person.changes += 2;
        serving.push(asker.serve(move |params| match params.get("requestState") {
            None => json!({ "resultType": "input_required", "requestState": name,
                "inputRequests": { "who": { "method": "roots/list" } } }),
            Some(state) => text(&format!("{} of {name}", state.as_str().unwrap_or_default())),
        }));
    }
    let capable = json!({ "io.modelcontextprotocol/clientCapabilities": { "roots": {} } });
    let params = json!({ "name": "ask", "_meta": capable });
    let questions = victim.client.modern("tools/call", params.clone()).await;
    let state = &questions.result()["requestState"];
    let params = json!({ "name": "ask", "_meta": capable, "requestState": state,
        "inputResponses": { "who": { "roots": [] } } });
    let stolen = other.client.modern("tools/call", params.clone()).await;
    assert_eq!(stolen.code(), -32602, "{stolen:?}");
    other.holds_nothing_foreign(&stolen);
    let own = victim.client.modern("tools/call", params).await;
    assert_eq!(own.said(), format!("{0} of {0}", victim.name));
    drop(serving);
    other.sees_what_is_left().await;
    victim.sees_what_is_left().await;
}

async fn take(hub: &TestHub, people: &mut [Person; 2], who: usize, step: &Step) {
    let [first, second] = people;
    let (actor, other) = if who == 0 { (first, second) } else { (second, first) };
    match step {
        Step::Offer(which, tools) => actor.offer(hub, *which, *tools).await,
        Step::Withdraw(which) => actor.withdraw(*which).await,
        Step::List => assert_eq!(actor.seen().await, actor.tools()),
        Step::Call(which) => actor.call(TOOLS[*which]).await,
        Step::Initialize => actor.session = actor.client.initialize("2025-06-18").await,
        Step::IntrudeOnSession => {
            actor.intrude(&other.session.id).await;
            let alive = other.session.request(1, "ping", json!({})).await;
            assert_eq!(alive.status, StatusCode::OK, "nobody else can end a session");
        }
        Step::CancelTheOthers => cancel(hub, actor, other).await,
        Step::RetryTheOthers => retry(hub, actor, other).await,
        Step::FollowTheOthersCursor => {
            let page = other.client.modern("tools/list", json!({})).await;
            if let Some(cursor) = page.result().get("nextCursor") {
                let follow = actor.client.modern("tools/list", json!({ "cursor": cursor })).await;
                actor.holds_nothing_foreign(&follow);
            }
        }
    }
}

/// Makes a change of their own that `person` must hear of, and counts what they heard until then.
async fn heard_only_their_own(hub: &TestHub, person: &mut Person) {
    let tools = [owned("last", person.name)];
    let _last = TestProvider::offering_as(hub, Some(person.name), "last", &tools).await;
    person.changes += 1;
    let mut heard = 0;
    loop {
        let event = person.events.next().await.expect("the stream is open");
        assert_eq!(event["method"], "notifications/tools/list_changed");
        heard += 1;
        assert!(heard <= person.changes, "{} hears of changes not theirs", person.name);
        if person.seen().await.contains("last") {
            break;
        }
    }
}

proptest! {
    #![proptest_config(Cases { cases: 30, failure_persistence: None, max_shrink_time: 10_000, ..Cases::default() })]

    #[test]
    fn no_interleaving_lets_a_user_reach_anothers(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| TestCaseError::fail(error.to_string()))?;
        runtime.block_on(async {
            let hub = TestHub::with(|config| {
                config.auth.secret = Some(SECRET.into());
                config.limits.tools_per_page = 2.try_into().expect("not zero");
            })
            .await;
            let [alice, bob] = USERS;
            let mut people = [Person::arrive(&hub, alice).await, Person::arrive(&hub, bob).await];
            for (who, step) in &steps {
                take(&hub, &mut people, *who, step).await;
            }
            let [alice, bob] = &mut people;
            tokio::join!(heard_only_their_own(&hub, alice), heard_only_their_own(&hub, bob));
        });
    }
}

#[tokio::test]
async fn few_of_those_who_have_gone_are_remembered() {
    let hub = Bench::new(Limits::default(), Options::default());
    for number in 0..300 {
        let user = hub.hub.user(&user(&format!("u{number}")));
        let call = Call { tool: "none".into(), ..Call::default() };
        hub.hub.call(&user, call).await.expect_err("there is no such tool");
    }
    hub.hub.user(&user("looked"));
    let here = || hub.hub.registry().present().len();
    assert_eq!(here(), 301);
    hub.hub.registry().forget_idle_users();
    assert!((1..=256).contains(&here()), "{} of those who called", here());
    let last = hub.hub.registry().find(&user("u299")).expect("the last who called");
    assert_eq!(last.chronicle.traffic().calls, 1);
    assert!(hub.hub.registry().find(&user("looked")).is_none(), "who did nothing");
}
