//! The provider client in Rust, against the hub it is for.

use std::{sync::Arc, time::Duration};

use mcp_hub::{
    auth::Scope,
    model::call::LogLevel,
    provider_client::{self, Call, Outcome, ProviderClient, Refused, State, Tool},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::support::{
    McpClient, PATIENCE, TestHub, eventually,
    hub::{token, token_for},
    provider::tool,
};

/// A tool that answers with its own name.
fn namesake(name: &'static str) -> Tool {
    Tool::new(tool(name), move |_call: Call| std::future::ready(name))
}

async fn offering(hub: &TestHub, tools: impl IntoIterator<Item = Tool>) -> ProviderClient {
    let builder = ProviderClient::builder(hub.url()).expect("a URL").name("it");
    builder.tools(tools).connect().await.expect("let in")
}

async fn until(client: &ProviderClient, what: &str, is: impl FnMut(&State) -> bool) {
    let mut state = client.state();
    let reached = timeout(PATIENCE, state.wait_for(is)).await;
    assert!(reached.is_ok_and(|state| state.is_ok()), "never {what}: {:?}", client.state());
}

#[tokio::test]
async fn a_call_reaches_its_handler_and_its_answer_the_client() {
    let hub = TestHub::start().await;
    let sum = Tool::new(tool("sum"), async |call: Call| {
        let numbers: Vec<f64> = call.read::<Value>()?["numbers"]
            .as_array()
            .map(|numbers| numbers.iter().filter_map(Value::as_f64).collect())
            .unwrap_or_default();
        call.log(LogLevel::Info, &"adding");
        call.progress(1.0, Some(2.0), Some("half-way"));
        Ok::<_, serde_json::Error>(json!({ "sum": numbers.iter().sum::<f64>() }))
    });
    let fails = Tool::new(tool("fails"), async |_call: Call| Err::<String, _>("no luck"));
    let breaks = Tool::new(tool("breaks"), async |_call: Call| -> String { panic!("a fault") });
    let raw = Tool::new(tool("raw"), async |_call: Call| {
        Outcome::Result(r#"{"content":[], "extra":1.50}"#.to_owned().into())
    });
    let _client = offering(&hub, [sum, fails, breaks, raw]).await;
    let client = McpClient::new(&hub);
    let answer = client.call("sum", json!({ "numbers": [1, 2] })).await;
    assert_eq!(answer.result()["structuredContent"], json!({ "sum": 3.0 }));
    let answer = client.call("fails", json!({})).await;
    assert_eq!((answer.said(), &answer.result()["isError"]), ("no luck", &json!(true)));
    let answer = client.call("breaks", json!({})).await;
    assert_eq!((answer.said(), &answer.result()["isError"]), ("the tool broke down", &json!(true)));
    let answer = client.call("raw", json!({})).await;
    assert!(answer.text.contains(r#""extra":1.50"#), "{}", answer.text);
}

/// Tells a test that it was dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.try_send(()).expect("the test listens");
    }
}

#[tokio::test]
async fn a_handler_is_dropped_when_nobody_waits_any_more() {
    let hub = TestHub::start().await;
    let (begun, mut begins) = mpsc::channel(8);
    let (dropped, mut drops) = mpsc::channel(8);
    let stuck = Tool::new(tool("stuck"), move |_call: Call| {
        let (begun, dropped) = (begun.clone(), Dropped(dropped.clone()));
        async move {
            let _dropped = dropped;
            begun.send(()).await.expect("the test listens");
            std::future::pending::<String>().await
        }
    });
    let provider = offering(&hub, [stuck]).await;
    let client = McpClient::new(&hub);
    let mut calls = JoinSet::new();
    let mut call = async || {
        let request = client.modern_request("tools/call", json!({ "name": "stuck" }));
        calls.spawn(async move { drop(request.send().await) });
        timeout(PATIENCE, begins.recv()).await.expect("the handler begins");
    };
    call().await;
    call().await;
    calls.abort_all();
    for _ in 0..2 {
        timeout(PATIENCE, drops.recv()).await.expect("the handler is dropped");
    }
    let mut calls = JoinSet::new();
    let request = client.modern_request("tools/call", json!({ "name": "stuck" }));
    calls.spawn(async move { drop(request.send().await) });
    timeout(PATIENCE, begins.recv()).await.expect("the handler begins");
    provider.close().await;
    timeout(PATIENCE, drops.recv()).await.expect("the handler is dropped");
    eventually("nothing is on offer", || hub.hub().figures().providers == 0).await;
}

#[tokio::test]
async fn a_cancelled_call_does_not_hold_up_another() {
    let hub = TestHub::start().await;
    let (begun, mut begins) = mpsc::channel(8);
    let (dropped, mut drops) = mpsc::channel(8);
    let release = Arc::new(Notify::new());
    let waits = |name: &'static str, release: Arc<Notify>| {
        let (begun, dropped) = (begun.clone(), dropped.clone());
        Tool::new(tool(name), move |_call: Call| {
            let (begun, release) = (begun.clone(), Arc::clone(&release));
            let dropped = Dropped(dropped.clone());
            async move {
                let _dropped = dropped;
                begun.send(()).await.expect("the test listens");
                release.notified().await;
                name
            }
        })
    };
    let tools = [waits("stuck", Arc::default()), waits("waits", Arc::clone(&release))];
    let _provider = offering(&hub, tools).await;
    let client = McpClient::new(&hub);
    let patience = Duration::from_secs(5);
    let (answer, ()) = tokio::join!(timeout(patience, client.call("waits", json!({}))), async {
        begins.recv().await.expect("it begins");
        let stuck = client.modern_request("tools/call", json!({ "name": "stuck" }));
        let mut calls = JoinSet::new();
        calls.spawn(async move { drop(stuck.send().await) });
        begins.recv().await.expect("it begins");
        calls.shutdown().await;
        drops.recv().await.expect("it is dropped");
        release.notify_one();
    });
    assert_eq!(answer.expect("at once").said(), "waits");
}

#[tokio::test]
async fn a_set_is_replaced_at_once_or_not_at_all() {
    let hub = TestHub::start().await;
    let provider = offering(&hub, [namesake("a"), namesake("b")]).await;
    let client = McpClient::new(&hub);
    let names = async || client.tools().await;
    assert_eq!(names().await, ["a", "b"]);
    let registered = provider.set_tools([namesake("b"), namesake("c")]).await.expect("good tools");
    assert_eq!(registered.tools.len(), 2);
    assert_eq!(names().await, ["b", "c"]);
    assert_eq!(client.call("c", json!({})).await.said(), "c");

    let bad = Tool::new(json!({ "name": "no good", "inputSchema": {} }), async |_: Call| "");
    let refused = provider.set_tools([namesake("d"), bad]).await.expect_err("a faulty set");
    let Refused::Tools { tools, .. } = &refused else { panic!("{refused}") };
    assert_eq!((tools[0].index, tools[0].name.as_deref()), (1, Some("no good")));
    assert_eq!(names().await, ["b", "c"]);
    let twice = provider.set_tools([namesake("e"), namesake("e")]).await;
    assert!(matches!(twice, Err(Refused::Definition(_))), "{twice:?}");
    assert_eq!(client.call("b", json!({})).await.said(), "b");
    provider.set_tools([]).await.expect("none are good, too");
    assert!(names().await.is_empty());
}

#[tokio::test]
async fn a_refusal_ends_it_and_says_why() {
    let hub = TestHub::with_users().await;
    let connect = async |token: Option<String>, tools: Vec<Tool>| {
        let builder = ProviderClient::builder(hub.url()).expect("a URL").tools(tools);
        let builder = match token {
            Some(token) => builder.token(token),
            None => builder,
        };
        timeout(PATIENCE, builder.connect()).await.expect("an answer").map(|_| ()).unwrap_err()
    };
    let no_token = connect(None, vec![]).await;
    assert!(matches!(no_token, Refused::Token(_)), "{no_token}");
    let bad_token = connect(Some("nonsense".into()), vec![]).await;
    assert!(matches!(bad_token, Refused::Token(_)), "{bad_token}");
    let hour = Duration::from_secs(3600);
    let narrow = token_for("alice", Some(&[Scope::Tools]), hour);
    let forbidden = connect(Some(narrow), vec![]).await;
    assert!(matches!(forbidden, Refused::Forbidden(_)), "{forbidden}");
    let faulty = Tool::new(json!({ "name": "x" }), async |_: Call| "");
    let refused = connect(Some(token("alice")), vec![faulty]).await;
    assert!(matches!(refused, Refused::Tools { .. }), "{refused}");
    assert!(refused.to_string().contains("\"x\""), "{refused}");
}

#[tokio::test]
async fn a_token_that_expires_is_asked_for_again() {
    let hub = TestHub::with_users().await;
    let (asked, mut asks) = mpsc::channel(8);
    let provider = ProviderClient::builder(hub.url())
        .expect("a URL")
        .tool(namesake("a"))
        .token_from(move || {
            let asked = asked.clone();
            async move {
                asked.send(()).await.expect("the test listens");
                Some(token_for("alice", None, Duration::from_secs(1)))
            }
        })
        .connect()
        .await
        .expect("let in");
    for _ in 0..3 {
        timeout(PATIENCE, asks.recv()).await.expect("asked again").expect("asked");
    }
    until(&provider, "back", |state| matches!(state, State::Registered(_))).await;
    provider.close().await;

    let provider = ProviderClient::builder(hub.url())
        .expect("a URL")
        .token(token_for("alice", None, Duration::from_secs(1)))
        .connect()
        .await
        .expect("let in");
    let ended = timeout(PATIENCE, provider.ended()).await.expect("an end");
    assert!(matches!(ended, Refused::Token(_)), "{ended}");
}

#[tokio::test]
async fn the_same_instance_elsewhere_ends_it() {
    let hub = TestHub::start().await;
    let builder = ProviderClient::builder(hub.url()).expect("a URL").instance_id("one");
    let first = builder.clone().tool(namesake("a")).connect().await.expect("let in");
    let _second = builder.tool(namesake("a")).connect().await.expect("let in");
    let ended = timeout(PATIENCE, first.ended()).await.expect("an end");
    assert!(matches!(ended, Refused::Superseded), "{ended}");
    let late = first.set_tools([]).await;
    assert!(matches!(late, Err(Refused::Superseded)), "{late:?}");
}

/// Stands between a provider and a hub, and can cut what is between them.
struct Wire {
    url: String,
    cut: Arc<Notify>,
    _tasks: JoinSet<()>,
}

impl Wire {
    async fn to(hub: &TestHub) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let target = hub.url().trim_start_matches("http://").to_owned();
        let cut = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let cuts = Arc::clone(&cut);
        tasks.spawn(async move {
            let mut pairs = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let (target, cuts) = (target.clone(), Arc::clone(&cuts));
                pairs.spawn(async move {
                    let mut far = TcpStream::connect(target).await.expect("the hub is there");
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = cuts.notified() => {}
                    }
                });
            }
        });
        Self { url, cut, _tasks: tasks }
    }
}

#[tokio::test]
async fn a_line_that_breaks_is_mended_and_the_old_work_is_dropped() {
    let hub = TestHub::start().await;
    let wire = Wire::to(&hub).await;
    let (begun, mut begins) = mpsc::channel(8);
    let slow = Tool::new(tool("slow"), move |_call: Call| {
        let begun = begun.clone();
        async move {
            begun.send(()).await.expect("the test listens");
            sleep(Duration::from_secs(3600)).await;
            "late"
        }
    });
    let provider = ProviderClient::builder(&wire.url).expect("a URL");
    let provider = provider.tools([slow, namesake("a")]).connect().await.expect("let in");
    let client = McpClient::new(&hub);
    let (answer, ()) = tokio::join!(client.call("slow", json!({})), async {
        timeout(PATIENCE, begins.recv()).await.expect("the handler begins");
        wire.cut.notify_waiters();
    });
    assert!(answer.said().contains("unknown"), "{}", answer.said());
    eventually("the hub has noticed", || hub.hub().figures().providers == 0).await;
    // Said while the line is down, it holds when it is up again.
    let replaced = timeout(PATIENCE, provider.set_tools([namesake("b")])).await.expect("in time");
    replaced.expect("good tools");
    assert_eq!(client.tools().await, ["b"]);
    assert_eq!(client.call("b", json!({})).await.said(), "b");
}

#[tokio::test]
async fn an_answer_the_hub_would_not_take_says_so() {
    let hub = TestHub::with(|config| {
        config.limits.tool_definition = bytesize::ByteSize::kib(4);
        config.limits.provider_message = bytesize::ByteSize::kib(8);
    })
    .await;
    let large = Tool::new(tool("large"), async |_: Call| "x".repeat(10_000));
    let deep = Tool::new(tool("deep"), async |_: Call| {
        let nested = format!(r#"{{"content":[],"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        Outcome::Result(nested.into())
    });
    let _provider = offering(&hub, [large, deep]).await;
    let client = McpClient::new(&hub);
    let answer = client.call("large", json!({})).await;
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("the hub takes 8192"), "{}", answer.said());
    let answer = client.call("deep", json!({})).await;
    assert_eq!(answer.result()["isError"], true);
    assert!(answer.said().contains("nested deeper than 128"), "{}", answer.said());
}

/// A definition of some 4 KiB.
fn wordy(name: &'static str) -> Tool {
    let mut definition = tool(name);
    definition["description"] = "x".repeat(4000).into();
    Tool::new(definition, move |_call: Call| std::future::ready(name))
}

#[tokio::test]
async fn tools_that_are_too_large_together_are_refused_and_the_ones_before_stay() {
    let hub = TestHub::with(|config| {
        config.limits.tool_definition = bytesize::ByteSize::kib(5);
        config.limits.provider_message = bytesize::ByteSize::kib(10);
    })
    .await;
    let provider = offering(&hub, [namesake("a")]).await;
    let many = || ["b", "c", "d"].map(wordy);
    let refused = timeout(PATIENCE, provider.set_tools(many())).await.expect("an answer");
    let refused = refused.expect_err("too many").to_string();
    assert!(refused.contains("the hub takes 10240"), "{refused}");
    let client = McpClient::new(&hub);
    assert_eq!(client.call("a", json!({})).await.said(), "a");

    // A first set is sent to a hub whose bounds are not known yet, which hangs up.
    let first = ProviderClient::builder(hub.url()).expect("a URL").tools(many()).connect();
    let refused = timeout(PATIENCE, first).await.expect("an answer").map(|_| ()).unwrap_err();
    assert!(matches!(refused, Refused::Tools { .. }), "{refused}");
}

#[tokio::test]
async fn calls_may_be_answered_before_it_finishes() {
    let hub = TestHub::start().await;
    let (begun, mut begins) = mpsc::channel(8);
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let waits = Tool::new(tool("waits"), move |_call: Call| {
        let (begun, released) = (begun.clone(), Arc::clone(&released));
        async move {
            begun.send(()).await.expect("the test listens");
            released.notified().await;
            "done"
        }
    });
    let provider = offering(&hub, [waits]).await;
    let client = McpClient::new(&hub);
    let (answer, ()) = tokio::join!(client.call("waits", json!({})), async {
        begins.recv().await.expect("it begins");
        let finishing = timeout(PATIENCE, provider.finish(PATIENCE));
        let (finished, ()) = tokio::join!(finishing, async { release.notify_one() });
        finished.expect("it ends with its last call");
    });
    assert_eq!(answer.said(), "done");
    eventually("nothing is on offer", || hub.hub().figures().providers == 0).await;
}

#[tokio::test]
async fn a_question_finds_its_way_back() {
    let hub = TestHub::start().await;
    let ask = Tool::new(tool("ask"), async |call: Call| {
        match (call.request_state, call.input_responses) {
            (Some(state), Some(responses)) => {
                provider_client::text(&format!("{} {}", state.as_str(), responses.as_str()))
            }
            _ => {
                let request = json!({ "method": "roots/list" });
                let result = json!({
                    "resultType": "input_required", "inputRequests": { "r": request },
                    "requestState": "mine",
                });
                Outcome::Result(result.into())
            }
        }
    });
    let _provider = offering(&hub, [ask]).await;
    let client = McpClient::new(&hub);
    let mut params = json!({
        "name": "ask",
        "_meta": { "io.modelcontextprotocol/clientCapabilities": { "roots": {} } },
    });
    let asked = client.modern("tools/call", params.clone()).await;
    assert_eq!(asked.result()["resultType"], "input_required");
    params["requestState"] = asked.result()["requestState"].clone();
    params["inputResponses"] = json!({ "r": { "roots": [] } });
    let answer = client.modern("tools/call", params).await;
    assert_eq!(answer.said(), r#""mine" {"r":{"roots":[]}}"#);
    assert_eq!(answer.status, StatusCode::OK);
}
