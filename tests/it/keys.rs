//! Tokens of others: their keys come from files and servers, change while clients call, and are what
//! decides; what a token says of itself decides nothing.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use mcp_hub::{auth::IssuerOptions, config::Config};
use parking_lot::Mutex;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::support::{
    McpClient, PATIENCE, TestHub, TestProvider,
    binary::{Process, run},
    client::Answer as Reply,
    eventually,
    hub::SECRET,
    keys::{Answer, KeyServer, Pair, in_an_hour},
    provider::{text, tool},
};

const KINDS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// Short, so that tests need not wait for it.
const PAUSE: Duration = Duration::from_millis(20);

/// A hub, and somebody who shows tokens to it.
struct Door {
    hub: TestHub,
    client: McpClient,
}

/// A hub that believes the keys of `server`, and fetches them only when it has to.
async fn hub_of(server: &KeyServer) -> Door {
    hub_with(server, |_| {}).await
}

async fn hub_with(server: &KeyServer, change: impl FnOnce(&mut Config)) -> Door {
    Door::with(|config| {
        config.auth.jwks_url = Some(server.url());
        config.auth.jwks_refresh = Duration::from_secs(3600);
        config.auth.jwks_pause = PAUSE;
        change(config);
    })
    .await
}

impl Door {
    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let hub = TestHub::with(change).await;
        let client = McpClient::new(&hub);
        Self { hub, client }
    }

    fn client(&self, token: &str) -> McpClient {
        self.client.clone().with_token(token.to_owned())
    }

    async fn list(&self, token: &str) -> Reply {
        self.client(token).modern("tools/list", json!({})).await
    }

    /// The status that `token` gets.
    async fn tried(&self, token: &str) -> u16 {
        self.list(token).await.status.as_u16()
    }

    /// Waits until `token` gets this status.
    async fn becomes(&self, token: &str, status: u16) {
        let waiting = async {
            while self.tried(token).await != status {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(PATIENCE, waiting).await.is_ok(), "the token never got {status}");
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.hub.url())
    }
}

#[tokio::test]
async fn keys_of_every_kind_let_in_from_a_server_and_from_a_file() {
    let folder = tempdir().expect("a folder");
    for kind in KINDS {
        let pair = Pair::new("one", kind);
        let server = KeyServer::publishing(&[&pair]).await;
        let from_server = hub_of(&server).await;
        let file = folder.path().join("key.pem");
        fs::write(&file, pair.pem()).expect("written");
        let from_file = Door::with(|config| config.auth.public_key_file = Some(file)).await;
        let nameless = Header { kid: None, ..pair.header() };
        let claims = json!({ "sub": "alice", "exp": in_an_hour() });
        for hub in [&from_server, &from_file] {
            for token in [pair.token("alice"), pair.sign_with(&nameless, &claims)] {
                assert_eq!(hub.tried(&token).await, 200, "{kind:?}");
            }
            let stranger = Pair::new("one", kind).token("alice");
            let refused = hub.list(&stranger).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{kind:?}");
            assert!(refused.text.contains("another key"), "{}", refused.text);
            let expired = pair.sign(&json!({ "sub": "alice", "exp": 1_000_000 }));
            let refused = hub.list(&expired).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{kind:?}");
            assert!(refused.text.contains("ask the issuer"), "{}", refused.text);
        }
    }
}

#[tokio::test]
async fn a_provider_and_its_client_meet_by_tokens_of_an_issuer() {
    let pair = Pair::new("one", Algorithm::ES256);
    let server = KeyServer::publishing(&[&pair]).await;
    let hub = hub_of(&server).await;
    let mut provider =
        TestProvider::dial(&hub.hub, Some(&pair.token("alice"))).await.expect("let in");
    provider.register("p", &[tool("greet")]).await;
    let _serving = provider.serve(|_| text("hello"));
    for (user, tools) in [("alice", vec!["greet"]), ("bob", vec![])] {
        let client = hub.client(&pair.token(user));
        assert_eq!(client.tools().await, tools, "{user}");
    }
    let client = hub.client(&pair.token("alice"));
    assert_eq!(client.call("greet", json!({})).await.said(), "hello");
}

#[tokio::test]
async fn keys_rotate_while_clients_keep_calling() {
    const ROTATIONS: usize = 12;
    let first = Pair::new("0", Algorithm::ES256);
    let server = KeyServer::publishing(&[&first]).await;
    let hub = Arc::new(hub_of(&server).await);
    let newest = Arc::new(Mutex::new(first.token("alice")));
    let calls: Arc<[AtomicUsize; 4]> = Arc::default();
    let mut callers = JoinSet::new();
    for caller in 0..calls.len() {
        let (hub, newest, calls) = (Arc::clone(&hub), Arc::clone(&newest), Arc::clone(&calls));
        callers.spawn(async move {
            loop {
                let token = newest.lock().clone();
                if token.is_empty() {
                    return;
                }
                let answer = hub.list(&token).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
                calls[caller].fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    // Until then somebody may be about to show the token that was the newest before.
    let all_have_called_since = async || {
        let before = calls.each_ref().map(|calls| calls.load(Ordering::SeqCst));
        let has_called =
            |(calls, before): (&AtomicUsize, _)| calls.load(Ordering::SeqCst) > before + 1;
        eventually("everybody calls", || calls.iter().zip(before).all(has_called)).await;
    };
    let mut current = first;
    for number in 1..=ROTATIONS {
        let next = Pair::new(&number.to_string(), KINDS[number % KINDS.len()]);
        // As issuers do: the new key is published before it is used, the old one goes later.
        server.publish(&[&current, &next]);
        *newest.lock() = next.token("alice");
        assert_eq!(hub.tried(&next.token("alice")).await, 200);
        assert_eq!(hub.tried(&current.token("alice")).await, 200, "it is still published");
        all_have_called_since().await;
        server.publish(&[&next]);
        current = next;
    }
    newest.lock().clear();
    while let Some(caller) = callers.join_next().await {
        caller.expect("no call was refused");
    }
    // Another unknown key has the set fetched, and the withdrawn ones are gone.
    assert_eq!(hub.tried(&Pair::new("none", Algorithm::EdDSA).token("alice")).await, 401);
    assert_eq!(hub.tried(&current.token("alice")).await, 200);
    assert!(server.asked() <= 2 * (ROTATIONS + 2), "{} fetches", server.asked());
}

#[tokio::test]
async fn a_key_that_is_published_during_a_fetch_is_found_by_the_next() {
    let first = Pair::new("0", Algorithm::ES256);
    let next = Pair::new("1", Algorithm::ES256);
    let server = KeyServer::publishing(&[]).await;
    let word = server.publish_late(&[&first]);
    let hub = Arc::new(hub_of(&server).await);
    eventually("keys are being fetched", || server.asked() == 1).await;
    server.publish(&[&first, &next]);
    let mut asking = JoinSet::new();
    for pair in [&first, &next] {
        let (hub, token) = (Arc::clone(&hub), pair.token("alice"));
        asking.spawn(async move { hub.tried(&token).await });
    }
    let waiting = timeout(Duration::from_millis(300), asking.join_next()).await;
    assert!(waiting.is_err(), "both wait: {waiting:?}");
    word.notify_one();
    while let Some(status) = asking.join_next().await {
        assert_eq!(status.expect("an answer"), 200);
    }
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_all() {
    let pairs: Vec<_> = (0..64).map(|id| Pair::new(&id.to_string(), Algorithm::ES256)).collect();
    let server = KeyServer::publishing(&pairs.iter().collect::<Vec<_>>()).await;
    let hub = hub_of(&server).await;
    let nameless = Header::new(Algorithm::ES256);
    let claims = json!({ "sub": "alice", "exp": in_an_hour() });
    for pair in [&pairs[0], &pairs[4], &pairs[63]] {
        assert_eq!(hub.tried(&pair.sign_with(&nameless, &claims)).await, 200, "{}", pair.id);
    }
    let stranger = Pair::new("0", Algorithm::ES256).sign_with(&nameless, &claims);
    assert_eq!(hub.tried(&stranger).await, 401);
}

#[tokio::test]
async fn a_withdrawn_key_is_good_until_the_next_refresh_and_no_longer() {
    let (old, new) = (Pair::new("old", Algorithm::EdDSA), Pair::new("new", Algorithm::EdDSA));
    let server = KeyServer::publishing(&[&old]).await;
    let hub = hub_with(&server, |config| config.auth.jwks_refresh = PAUSE).await;
    assert_eq!(hub.tried(&old.token("alice")).await, 200);
    server.publish(&[&new]);
    hub.becomes(&old.token("alice"), 401).await;
    assert_eq!(hub.tried(&new.token("alice")).await, 200);
    server.publish(&[]);
    hub.becomes(&new.token("alice"), 401).await;
}

/// Tokens that `pair` never signed, or not so, by what is tried.
fn forgeries(pair: &Pair) -> Vec<(String, String)> {
    let claims = json!({ "sub": "alice", "exp": in_an_hour() });
    let pem = pair.pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let jwk = pair.jwk();
    let number = |name: &str| {
        BASE64_URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).expect("base64")
    };
    let secrets = [
        ("the PEM text", pem.clone().into_bytes()),
        ("the PEM text without its last line end", pem.trim_end().as_bytes().to_vec()),
        ("the PEM text with other line ends", pem.replace("\r\n", "\n").into_bytes()),
        ("the DER in base64", der.clone().into_bytes()),
        ("the DER", BASE64_STANDARD.decode(&der).expect("base64")),
        ("the JWK", jwk.to_string().into_bytes()),
        ("the number n", number("n")),
        ("the number x", number("x")),
        ("nothing", Vec::new()),
    ];
    let hmacs = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    let mut forged: Vec<_> = secrets
        .iter()
        .flat_map(|(what, secret)| hmacs.map(|hmac| (*what, secret, hmac)))
        .map(|(what, secret, hmac)| {
            let header = Header { alg: hmac, ..pair.header() };
            let key = EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&header, &claims, &key).expect("signed");
            (format!("{hmac:?} with {what}"), token)
        })
        .collect();
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let genuine = pair.sign(&claims);
    let (signed, signature) = genuine.rsplit_once('.').expect("three parts");
    let payload = signed.split_once('.').expect("two parts").1;
    for alg in
        ["none", "None", "nOnE", "HS256", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
    {
        let header = part(&json!({ "alg": alg, "kid": pair.id }));
        forged.push((format!("{alg} without a signature"), format!("{header}.{payload}.")));
        // The signature is over another header, be the algorithm the same.
        forged.push((format!("{alg} in the header"), format!("{header}.{payload}.{signature}")));
    }
    let other = part(&json!({ "sub": "bob", "exp": in_an_hour() }));
    let header = signed.split_once('.').expect("two parts").0;
    forged.push(("other claims".into(), format!("{header}.{other}.{signature}")));
    forged.push(("the signature cut".into(), genuine[..genuine.len() - 4].to_owned()));
    forged
}

#[tokio::test]
async fn the_key_decides_the_algorithm_and_not_the_token() {
    let folder = tempdir().expect("a folder");
    for kind in KINDS {
        let pair = Pair::new("one", kind);
        let server = KeyServer::publishing(&[&pair]).await;
        let file = folder.path().join("key.pem");
        fs::write(&file, pair.pem()).expect("written");
        let from_file = file.clone();
        let hubs = [
            hub_of(&server).await,
            Door::with(|config| config.auth.public_key_file = Some(from_file)).await,
            // A hub that takes tokens of its own secret, too.
            hub_with(&server, |config| {
                config.auth.secret = Some(SECRET.into());
                config.auth.public_key_file = Some(file);
            })
            .await,
        ];
        for hub in &hubs {
            assert_eq!(hub.tried(&pair.token("alice")).await, 200, "{kind:?}");
            for (what, forged) in forgeries(&pair) {
                let answer = hub.list(&forged).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{kind:?}, {what}");
                assert!(!answer.text.contains(&forged), "{kind:?}, {what}: it is not repeated");
            }
        }
    }
}

#[tokio::test]
async fn a_token_cannot_bring_its_own_key() {
    let (own, evil) = (Pair::new("one", Algorithm::ES256), Pair::new("evil", Algorithm::ES256));
    let server = KeyServer::publishing(&[&own]).await;
    let trap = KeyServer::publishing(&[&evil]).await;
    let hub = hub_of(&server).await;
    let claims = json!({ "sub": "alice", "exp": in_an_hour() });
    let jwk: Jwk = serde_json::from_value(evil.jwk()).expect("a key");
    for id in [None, Some("one"), Some("evil")] {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::ES256) };
        for header in [
            Header { jwk: Some(jwk.clone()), ..header.clone() },
            Header { jku: Some(trap.url()), ..header.clone() },
            Header { x5u: Some(trap.url()), ..header.clone() },
            Header { x5c: Some(vec!["AAAA".into()]), ..header },
        ] {
            assert_eq!(hub.tried(&evil.sign_with(&header, &claims)).await, 401, "{header:?}");
        }
    }
    // They are not read, so they do no harm beside a good signature.
    let header = Header { jku: Some(trap.url()), jwk: Some(jwk), ..own.header() };
    assert_eq!(hub.tried(&own.sign_with(&header, &claims)).await, 200);
    assert_eq!(trap.asked(), 0, "nobody goes where a token says");
}

#[tokio::test]
async fn a_kid_is_a_name_and_nothing_else() {
    let (own, evil) = (Pair::new("one", Algorithm::EdDSA), Pair::new("evil", Algorithm::EdDSA));
    let server = KeyServer::publishing(&[&own]).await;
    let trap = KeyServer::publishing(&[&evil]).await;
    let hub = hub_of(&server).await;
    let claims = json!({ "sub": "alice", "exp": in_an_hour() });
    let url = trap.url();
    let huge = "k".repeat(10_000);
    for id in [
        "",
        "../../../../../../dev/null",
        "/etc/passwd",
        "file:///dev/null",
        &url,
        "ONE",
        "one ",
        "one\0",
        "' OR '1'='1",
        "one' UNION SELECT 'x' --",
        "| id",
        "$(id)",
        "%2e%2e%2f",
        "😀",
        "\r\nx: y",
        &huge,
    ] {
        let header = Header { kid: Some(id.into()), ..Header::new(Algorithm::EdDSA) };
        let answer = hub.list(&evil.sign_with(&header, &claims)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{id:?}");
        assert!(id.is_empty() || !answer.text.contains(id), "{id:?} is not repeated");
        // Nor does it help whoever has a good key and calls it so.
        assert_eq!(hub.tried(&own.sign_with(&header, &claims)).await, 401, "{id:?}");
    }
    let endless = Header { kid: Some("k".repeat(100_000)), ..Header::new(Algorithm::EdDSA) };
    let status = hub.tried(&own.sign_with(&endless, &claims)).await;
    assert!(matches!(status, 401 | 431), "{status}");
    // A name that is no text.
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    for id in [json!(["one"]), json!({ "one": 1 }), json!(1), json!(true)] {
        let token =
            format!("{}.{}.AAAA", part(&json!({ "alg": "EdDSA", "kid": id })), part(&claims));
        assert_eq!(hub.tried(&token).await, 401, "{id}");
    }
    assert_eq!(trap.asked(), 0);
    assert_eq!(hub.tried(&own.token("alice")).await, 200);
}

#[tokio::test]
async fn made_up_names_do_not_hammer_the_key_server() {
    const PAUSE: Duration = Duration::from_millis(300);
    let own = Pair::new("one", Algorithm::EdDSA);
    let server = KeyServer::publishing(&[&own]).await;
    let hub = Arc::new(hub_with(&server, |config| config.auth.jwks_pause = PAUSE).await);
    assert_eq!(hub.tried(&own.token("alice")).await, 200);
    let (began, before) = (Instant::now(), server.asked());
    let mut attackers = JoinSet::new();
    for number in 0..200 {
        let hub = Arc::clone(&hub);
        let evil = Pair::new(&format!("made-up-{number}"), Algorithm::EdDSA).token("alice");
        attackers.spawn(async move { hub.tried(&evil).await });
    }
    // Whoever has a known key does not wait for that.
    let known = timeout(PATIENCE, hub.tried(&own.token("alice"))).await;
    assert_eq!(known, Ok(200));
    while let Some(status) = attackers.join_next().await {
        assert_eq!(status.expect("an answer"), 401);
    }
    let pauses = began.elapsed().as_millis() / PAUSE.as_millis();
    let fetches = server.asked() - before;
    assert!(fetches as u128 <= pauses + 1, "{fetches} fetches in {pauses} pauses");
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_no_reason_not_to_start() {
    let pair = Pair::new("one", Algorithm::RS256);
    let mut server = KeyServer::publishing(&[&pair]).await;
    server.close().await;
    let hub = hub_of(&server).await;
    let token = pair.token("alice");
    let answer = hub.list(&token).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("keys of its issuer could not be fetched"), "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(!answer.headers.contains_key("www-authenticate"), "the token is not at fault");
    let provider = TestProvider::dial(&hub.hub, Some(&token)).await;
    assert_eq!(provider.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
    let url = hub.url("/api/v1/me");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let problem = http.get(url).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem.headers()["retry-after"], "1");
    server.open().await;
    hub.becomes(&token, 200).await;
}

#[tokio::test]
async fn whatever_becomes_of_the_server_known_keys_stay() {
    let (known, new) = (Pair::new("one", Algorithm::ES256), Pair::new("two", Algorithm::ES256));
    let mut server = KeyServer::publishing(&[&known]).await;
    let elsewhere = KeyServer::publishing(&[&known, &new]).await;
    let hub = hub_of(&server).await;
    assert_eq!(hub.tried(&known.token("alice")).await, 200);
    let huge = json!({ "keys": [new.jwk()], "padding": "x".repeat(300_000) }).to_string();
    let many: Vec<_> = (0..65).map(|_| new.jwk()).collect();
    for (what, answer) in [
        ("an error", Answer::Status(StatusCode::INTERNAL_SERVER_ERROR)),
        ("nothing found", Answer::Status(StatusCode::NOT_FOUND)),
        ("no content", Answer::Status(StatusCode::NO_CONTENT)),
        ("a page", Answer::Text("<html>please sign in</html>".into())),
        ("no set", Answer::Text("{}".into())),
        ("half a set", Answer::Text(r#"{"keys":[{"kty":"RSA""#.into())),
        ("a huge set", Answer::Text(huge)),
        ("many keys", Answer::Keys(many)),
        ("a detour", Answer::Redirect(elsewhere.url())),
    ] {
        server.does(answer);
        assert_eq!(hub.tried(&new.token("alice")).await, 503, "{what}");
        assert_eq!(hub.tried(&known.token("alice")).await, 200, "{what}");
    }
    server.close().await;
    assert_eq!(hub.tried(&new.token("alice")).await, 503);
    assert_eq!(hub.tried(&known.token("alice")).await, 200);
    assert_eq!(elsewhere.asked(), 0, "redirects are not followed");
    server.publish(&[&known, &new]);
    server.open().await;
    hub.becomes(&new.token("alice"), 200).await;
}

#[tokio::test]
async fn fetches_are_counted_by_how_they_ended() {
    let pair = Pair::new("one", Algorithm::ES256);
    let mut server = KeyServer::publishing(&[&pair]).await;
    server.close().await;
    let folder = tempdir().expect("a folder");
    let environment =
        [("MCP_HUB_AUTH__JWKS_URL", &*server.url()), ("MCP_HUB_AUTH__JWKS_PAUSE", "20ms")];
    let hub = Process::start(folder.path(), &["--listen", "127.0.0.1:0"], &environment).await;
    assert!(hub.announced.contains("with a token of an issuer"), "{}", hub.announced);
    let client = McpClient::at(hub.url()).with_token(pair.token("alice"));
    let list = async || client.modern("tools/list", json!({})).await.status.as_u16();
    assert_eq!(list().await, 503);
    server.does(Answer::Text("{}".into()));
    server.open().await;
    assert_eq!(list().await, 503);
    server.does(Answer::Status(StatusCode::FORBIDDEN));
    assert_eq!(list().await, 503);
    server.publish(&[&pair]);
    let recovering = async { while list().await != 200 {} };
    timeout(PATIENCE, recovering).await.expect("keys are fetched");
    let metrics = reqwest::get(format!("{}/metrics", hub.url())).await.expect("metrics");
    let metrics = metrics.text().await.expect("text");
    for outcome in ["unreachable", "unusable", "refused", "fetched"] {
        let line = format!("mcp_hub_key_fetches_total{{outcome=\"{outcome}\"}}");
        assert!(metrics.contains(&line), "{line}");
    }
}

#[tokio::test]
async fn a_silent_server_holds_up_only_those_whose_keys_it_has() {
    let (known, new) = (Pair::new("one", Algorithm::ES256), Pair::new("two", Algorithm::ES256));
    let server = KeyServer::publishing(&[&known]).await;
    let hub = hub_of(&server).await;
    assert_eq!(hub.tried(&known.token("alice")).await, 200);
    server.does(Answer::Silence);
    let asked = async {
        server.asked_again().await;
        for _ in 0..20 {
            let answer = timeout(Duration::from_secs(5), hub.tried(&known.token("alice"))).await;
            assert_eq!(answer, Ok(200), "while a fetch hangs");
        }
    };
    let token = new.token("alice");
    tokio::select! {
        status = hub.tried(&token) => panic!("{status} before there was an answer"),
        () = asked => {}
    }
}

#[tokio::test]
async fn a_key_set_may_have_so_many_bytes() {
    const MAX: usize = 256 * 1024;
    let pair = Pair::new("one", Algorithm::ES256);
    let set = |padding: &str| json!({ "keys": [pair.jwk()], "padding": padding }).to_string();
    for (bytes, status) in [(MAX - 1, 200), (MAX, 200), (MAX + 1, 503)] {
        let text = set(&"x".repeat(bytes - set("").len()));
        let server = KeyServer::publishing(&[]).await;
        server.does(Answer::Text(text));
        let hub = hub_of(&server).await;
        assert_eq!(hub.tried(&pair.token("alice")).await, status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn so_many_requests_may_wait_for_one_server() {
    const MAX: usize = 256;
    const MORE: usize = 3;
    let pair = Pair::new("one", Algorithm::ES256);
    let server = KeyServer::publishing(&[]).await;
    server.does(Answer::Silence);
    let hub = hub_of(&server).await;
    let mut asking = JoinSet::new();
    for _ in 0..MAX + MORE {
        let client = hub.client(&pair.token("alice"));
        asking.spawn(async move { client.modern("tools/list", json!({})).await });
    }
    for _ in 0..MORE {
        let answer = timeout(PATIENCE, asking.join_next()).await.expect("at once");
        let answer = answer.expect("one of them").expect("an answer");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers["retry-after"], "1");
        assert!(answer.text.contains("too many requests wait"), "{}", answer.text);
    }
    let waiting = timeout(Duration::from_millis(300), asking.join_next()).await;
    assert!(waiting.is_err(), "the others wait: {waiting:?}");
}

#[tokio::test]
async fn a_name_may_not_lead_to_this_machine() {
    let pair = Pair::new("one", Algorithm::ES256);
    let server = KeyServer::publishing(&[&pair]).await;
    let port = server.url().rsplit(':').next().expect("a port").to_owned();
    // As the resolver sees it a name like any other, and at a private address if it is known at all.
    let url = format!("https://localhost.:{port}");
    let hub = hub_with(&server, |config| config.auth.jwks_url = Some(url)).await;
    assert_eq!(hub.tried(&pair.token("alice")).await, 503);
    assert_eq!(server.asked(), 0);
    let url = server.url().replace("127.0.0.1", "localhost");
    let hub = hub_with(&server, |config| config.auth.jwks_url = Some(url)).await;
    assert_eq!(hub.tried(&pair.token("alice")).await, 200, "said in so many words");
}

#[tokio::test]
async fn a_key_file_is_replaced_without_a_restart() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("key.pem");
    let pairs = [Algorithm::RS256, Algorithm::ES256].map(|kind| Pair::new("x", kind));
    let [old, new] = &pairs;
    fs::write(&file, old.pem()).expect("written");
    let path = file.clone();
    let hub = Door::with(|config| config.auth.public_key_file = Some(path)).await;
    assert_eq!(hub.tried(&old.token("alice")).await, 200);
    // Both for a while, moved into place.
    let next = folder.path().join("next.pem");
    fs::write(&next, old.pem() + &new.pem()).expect("written");
    fs::rename(&next, &file).expect("moved");
    hub.becomes(&new.token("alice"), 200).await;
    assert_eq!(hub.tried(&old.token("alice")).await, 200);
    // Then the new one only, written in place.
    fs::write(&file, new.pem()).expect("written");
    hub.becomes(&old.token("alice"), 401).await;
    assert_eq!(hub.tried(&new.token("alice")).await, 200);
    // What is no key takes nothing away, and does not hide what comes after it.
    fs::write(&file, "-----BEGIN PUBLIC KEY-----\nhalf").expect("written");
    assert_eq!(hub.tried(&new.token("alice")).await, 200);
    fs::remove_file(&file).expect("removed");
    assert_eq!(hub.tried(&new.token("alice")).await, 200);
    fs::write(&file, old.pem()).expect("written");
    hub.becomes(&old.token("alice"), 200).await;
    assert_eq!(hub.tried(&new.token("alice")).await, 401);
}

#[tokio::test]
async fn a_key_file_that_is_no_use_stops_the_start() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("key.pem");
    let environment = [("MCP_HUB_AUTH__PUBLIC_KEY_FILE", file.to_str().expect("a path"))];
    for (content, why) in [(None, "cannot be read"), (Some("hello"), "no public key")] {
        if let Some(content) = content {
            fs::write(&file, content).expect("written");
        }
        let ended = run(folder.path(), &["--listen", "127.0.0.1:0"], &environment).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("key.pem") && ended.stderr.contains(why), "{ended:?}");
    }
}

#[tokio::test]
async fn a_key_of_one_issuer_does_not_speak_for_another() {
    let folder = tempdir().expect("a folder");
    let (a, b) = (Pair::new("one", Algorithm::ES256), Pair::new("one", Algorithm::ES256));
    let (server, own) = (KeyServer::publishing(&[&a]).await, Pair::new("own", Algorithm::EdDSA));
    let (b_file, own_file) = (folder.path().join("b.pem"), folder.path().join("own.pem"));
    fs::write(&b_file, b.pem()).expect("written");
    fs::write(&own_file, own.pem()).expect("written");
    let url = server.url();
    let hub = Door::with(|config| {
        config.auth.public_key_file = Some(own_file);
        config.auth.jwks_pause = PAUSE;
        config.auth.issuers = vec![
            IssuerOptions {
                issuer: "https://a.example".into(),
                audience: Some("hub-a".into()),
                jwks_url: Some(url),
                public_key_file: None,
            },
            IssuerOptions {
                issuer: "https://b.example".into(),
                audience: None,
                jwks_url: None,
                public_key_file: Some(b_file),
            },
        ];
    })
    .await;
    let (of_a, of_b) = ("https://a.example", "https://b.example");
    for (pair, issuer, audience, status) in [
        (&a, Some(of_a), Some("hub-a"), 200),
        (&a, Some(of_a), Some("hub-b"), 401),
        (&a, Some(of_a), None, 401),
        (&b, Some(of_b), None, 200),
        (&b, Some(of_a), Some("hub-a"), 401),
        (&a, Some(of_b), None, 401),
        (&own, Some(of_a), Some("hub-a"), 401),
        (&own, Some(of_b), None, 401),
        // Who has no name of their own.
        (&own, None, None, 200),
        (&own, Some("https://c.example"), None, 200),
        (&a, None, Some("hub-a"), 401),
        (&b, Some("https://c.example"), None, 401),
    ] {
        let claims = json!({ "sub": "alice", "exp": in_an_hour(), "iss": issuer, "aud": audience });
        assert_eq!(hub.tried(&pair.sign(&claims)).await, status, "{} {claims}", pair.id);
    }
}

#[tokio::test]
async fn clients_are_led_to_the_authorization_server() {
    let pair = Pair::new("one", Algorithm::RS256);
    let server = KeyServer::publishing(&[&pair]).await;
    let hub = hub_with(&server, |config| {
        config.public_url = Some("https://Hub.example.com/".parse().expect("a URL"));
        config.auth.authorization_servers = vec!["https://login.example.com".into()];
    })
    .await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    for path in ["", "/mcp"] {
        let url = hub.url(&format!("/.well-known/oauth-protected-resource{path}"));
        let answer = http.get(&url).send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "application/json");
        let metadata: Value = answer.json().await.expect("JSON");
        assert_eq!(metadata["resource"], "https://hub.example.com/mcp");
        assert_eq!(metadata["authorization_servers"], json!(["https://login.example.com"]));
        assert_eq!(metadata["scopes_supported"], json!(["mcp:tools"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
        let foreign = http.get(&url).header("host", "evil.example.com").send().await;
        assert_eq!(foreign.expect("an answer").status(), StatusCode::FORBIDDEN);
    }
    let metadata =
        r#"resource_metadata="https://hub.example.com/.well-known/oauth-protected-resource/mcp""#;
    let challenge =
        |answer: &Reply| answer.headers["www-authenticate"].to_str().expect("ASCII").to_owned();
    let stranger = hub.client.modern("tools/list", json!({})).await;
    assert_eq!(challenge(&stranger), format!(r#"Bearer scope="mcp:tools", {metadata}"#));
    let refused = challenge(&hub.list("nonsense").await);
    assert_eq!(refused, format!(r#"Bearer error="invalid_token", scope="mcp:tools", {metadata}"#));
    let provider = http.get(hub.url("/clients/ws")).send().await.expect("an answer");
    let said = provider.headers()["www-authenticate"].to_str().expect("ASCII");
    assert_eq!(said, format!(r#"Bearer scope="mcp:provide", {metadata}"#));
    // Tokens have to be for this hub; whoever has one for another is led to where they get it.
    let claims = json!({ "sub": "alice", "exp": in_an_hour(), "scope": "openid" });
    let with = |more: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        pair.sign(&claims)
    };
    let own = "https://hub.example.com/mcp";
    assert_eq!(hub.tried(&with(json!({ "scope": "mcp:tools" }))).await, 401);
    assert_eq!(
        hub.tried(&with(json!({ "scope": "mcp:tools", "aud": "https://b/mcp" }))).await,
        401
    );
    assert_eq!(hub.tried(&with(json!({ "scope": "mcp:tools", "aud": [own] }))).await, 200);
    let narrow = hub.list(&with(json!({ "aud": own }))).await;
    assert_eq!(narrow.status, StatusCode::FORBIDDEN);
    let said = challenge(&narrow);
    for part in
        [r#"error="insufficient_scope""#, r#"scope="mcp:tools""#, metadata, "error_description="]
    {
        assert!(said.contains(part), "{said}");
    }
    let page = http.get(hub.url("/")).send().await.expect("a page").text().await.expect("text");
    assert!(page.contains("identity provider") && !page.contains("mcp-hub token --user"));
    let users = http.get(hub.url("/api/v1/users"));
    let users = users.bearer_auth(with(json!({ "scope": "mcp:tools", "aud": own }))).send().await;
    let users = users.expect("an answer");
    assert_eq!(users.status(), StatusCode::FORBIDDEN);
    let said = users.headers()["www-authenticate"].to_str().expect("ASCII");
    assert!(said.contains(r#"scope="hub:admin""#) && said.contains(metadata), "{said}");
}

#[tokio::test]
async fn without_an_authorization_server_there_is_no_metadata() {
    let hub = TestHub::with_users().await;
    for path in ["", "/mcp"] {
        let url = format!("{}/.well-known/oauth-protected-resource{path}", hub.url());
        let answer = reqwest::get(url).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_command_says_who_signs_tokens_where_the_hub_cannot() {
    let folder = tempdir().expect("a folder");
    let environment = [("MCP_HUB_AUTH__JWKS_URL", "https://login.example.com/keys")];
    let ended = run(folder.path(), &["token", "--user", "alice"], &environment).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("only public keys"), "{ended:?}");
    assert!(ended.stderr.contains("issuer"), "{ended:?}");
}
