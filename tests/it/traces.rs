//! Traces: what clients say of theirs reaches providers, and spans of calls reach a collector.

use std::time::Duration;

use mcp_hub::config::Config;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::Instant};

use crate::support::{
    McpClient, TestHub, TestProvider,
    collector::{Collector, hexadecimal, text as attribute},
    provider::{read_only, text, tool},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

fn call(tool: &str, meta: &Value) -> Value {
    json!({ "name": tool, "arguments": {}, "_meta": meta })
}

/// A hub that sends its spans to `endpoint`.
async fn tracing_to(endpoint: &str, change: impl FnOnce(&mut Config)) -> TestHub {
    TestHub::with(|config| {
        config.otlp.endpoint = Some(endpoint.into());
        change(config);
    })
    .await
}

/// The `_meta` the provider is asked with, which answers.
async fn asked(provider: &mut TestProvider) -> Value {
    let (id, params) = provider.next_call().await;
    provider.answer(&id, text("done")).await;
    params["_meta"].clone()
}

/// The trace, parent and flags of a `traceparent`.
fn parts(meta: &Value) -> (String, String, String) {
    let text = meta["traceparent"].as_str().expect("a traceparent").to_owned();
    let parts: Vec<_> = text.split('-').map(str::to_owned).collect();
    let [version, trace, parent, flags] = parts.try_into().expect("four parts");
    assert_eq!(version, "00");
    (trace, parent, flags)
}

#[tokio::test]
async fn a_trace_in_the_headers_reaches_the_provider_in_both_eras() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let session = client.initialize("2025-11-25").await;
    let params = call("t", &json!({}));
    for request in [
        client.modern_request("tools/call", params.clone()),
        session.prepared(1, "tools/call", &params),
    ] {
        let request = request
            .header("traceparent", traceparent("01"))
            .header("tracestate", "vendor=1")
            .header("baggage", "tenant=blue");
        let (answer, meta) = tokio::join!(McpClient::send(request), asked(&mut provider));
        assert_eq!(answer.said(), "done");
        assert_eq!(meta["traceparent"], traceparent("01"));
        assert_eq!(
            (&meta["tracestate"], &meta["baggage"]),
            (&json!("vendor=1"), &json!("tenant=blue"))
        );
    }
}

#[tokio::test]
async fn what_a_request_says_of_its_trace_outranks_its_headers() {
    let hub = TestHub::start().await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let request = client.modern_request("tools/call", call("t", &json!({ "traceparent": "mine" })));
    let request = request.header("traceparent", traceparent("01")).header("tracestate", "other=1");
    let (_, meta) = tokio::join!(McpClient::send(request), asked(&mut provider));
    assert_eq!((&meta["traceparent"], &meta["tracestate"]), (&json!("mine"), &Value::Null));
}

#[tokio::test]
async fn a_call_is_a_span_with_one_below_it_for_each_attempt() {
    let collector = Collector::start().await;
    let hub = tracing_to(&collector.url, |config| {
        config.otlp.service_name = Some("hub of tests".into());
        config.otlp.headers.insert("x-key".into(), "open sesame".into());
    })
    .await;
    let mut second = TestProvider::offering(&hub, "second", &[read_only("search")]).await;
    let mut first = TestProvider::offering(&hub, "first", &[read_only("search")]).await;
    let client = McpClient::new(&hub);
    let meta = json!({ "traceparent": traceparent("01"), "tracestate": "vendor=1" });
    let providers = async {
        let (id, params) = first.next_call().await;
        first.fail(&id, -32000, "too hot").await;
        (params["_meta"].clone(), asked(&mut second).await)
    };
    let (answer, seen) =
        tokio::join!(client.modern("tools/call", call("search", &meta)), providers);
    assert_eq!(answer.said(), "done");
    hub.stop().await;

    let spans = collector.spans(3).await;
    let [whole, failed, answered] = &spans[..] else { panic!("three spans") };
    assert!(spans.iter().all(|span| hexadecimal(&span.trace_id) == TRACE));
    assert!(spans.iter().all(|span| span.name == "tools/call search"));
    assert_eq!(hexadecimal(&whole.parent_span_id), PARENT);
    assert_eq!(
        (&failed.parent_span_id, &answered.parent_span_id),
        (&whole.span_id, &whole.span_id)
    );
    for (meta, span) in [(&seen.0, failed), (&seen.1, answered)] {
        assert_eq!(parts(meta), (TRACE.into(), hexadecimal(&span.span_id), "01".into()));
        assert_eq!(meta["tracestate"], "vendor=1");
    }
    let told = |span: &opentelemetry_proto::tonic::trace::v1::Span, key: &str| {
        attribute(&span.attributes, key).unwrap_or_default()
    };
    assert_eq!(told(whole, "mcp.method.name"), "tools/call");
    assert_eq!(told(whole, "gen_ai.tool.name"), "search");
    assert_eq!(
        (told(whole, "user.id"), told(whole, "mcp_hub.outcome")),
        ("public".into(), "ok".into())
    );
    assert_eq!(
        (told(failed, "mcp_hub.provider.name"), told(failed, "error.type")),
        ("first".into(), "error".into())
    );
    assert_eq!(
        (told(answered, "mcp_hub.provider.name"), told(answered, "error.type")),
        ("second".into(), String::new())
    );
    assert_eq!(collector.services(), ["hub of tests"]);
    assert_eq!(collector.header("x-key").as_deref(), Some("open sesame"));
}

#[tokio::test]
async fn a_tool_that_nobody_offers_names_no_span() {
    let collector = Collector::start().await;
    let hub = tracing_to(&collector.url, |_| {}).await;
    let answer = McpClient::new(&hub).modern("tools/call", call("made-up", &json!({}))).await;
    assert_eq!(answer.code(), -32602);
    hub.stop().await;
    let spans = collector.spans(1).await;
    assert_eq!(spans[0].name, "tools/call");
    assert_eq!(attribute(&spans[0].attributes, "gen_ai.tool.name").as_deref(), Some("made-up"));
}

#[tokio::test]
async fn a_client_that_does_not_sample_is_heeded_and_one_that_names_no_trace_begins_one() {
    let collector = Collector::start().await;
    let hub = tracing_to(&collector.url, |_| {}).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let unsampled = call("t", &json!({ "traceparent": traceparent("00") }));
    let (_, meta) = tokio::join!(client.modern("tools/call", unsampled), asked(&mut provider));
    let (trace, parent, flags) = parts(&meta);
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "00"));
    assert_ne!(parent, PARENT);
    let malformed = call("t", &json!({ "traceparent": "00-mine" }));
    let (_, meta) = tokio::join!(client.modern("tools/call", malformed), asked(&mut provider));
    let (trace, parent, flags) = parts(&meta);
    assert_eq!(flags, "01");
    hub.stop().await;

    let spans = collector.spans(2).await;
    assert!(spans.iter().all(|span| hexadecimal(&span.trace_id) == trace && trace != TRACE));
    assert_eq!(spans[0].parent_span_id, b"", "it begins the trace");
    assert_eq!(hexadecimal(&spans[1].span_id), parent);
}

#[tokio::test]
async fn only_the_share_that_is_set_is_sent_of_the_traces_that_begin_here() {
    let collector = Collector::start().await;
    let hub = tracing_to(&collector.url, |config| config.otlp.sample = 0.0).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
    let client = McpClient::new(&hub);
    let (_, meta) = tokio::join!(client.call("t", json!({})), asked(&mut provider));
    assert_eq!(parts(&meta).2, "00");
    let sampled = call("t", &json!({ "traceparent": traceparent("01") }));
    tokio::join!(client.modern("tools/call", sampled), asked(&mut provider));
    hub.stop().await;
    let spans = collector.spans(2).await;
    assert!(spans.iter().all(|span| hexadecimal(&span.trace_id) == TRACE));
}

#[tokio::test]
async fn a_collector_that_is_gone_or_hangs_harms_nobody() {
    let hangs = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("bound"));
    let (hanging, gone_url) = (url(&hangs), url(&gone));
    drop(gone);
    for endpoint in [gone_url, hanging] {
        let hub = tracing_to(&endpoint, |_| {}).await;
        let provider = TestProvider::offering(&hub, "p", &[tool("t")]).await;
        let _serving = provider.serve(|_| text("done"));
        let client = McpClient::new(&hub);
        // More than are sent together; each has its answer in the time of any other.
        for _ in 0..600 {
            assert_eq!(client.call("t", json!({})).await.said(), "done");
        }
        let begun = Instant::now();
        hub.stop().await;
        assert!(begun.elapsed() < Duration::from_secs(6), "{endpoint}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn the_rounds_of_a_call_that_asks_back_are_one_trace() {
    let collector = Collector::start().await;
    let hub = tracing_to(&collector.url, |_| {}).await;
    let mut provider = TestProvider::offering(&hub, "p", &[tool("ask")]).await;
    let session = McpClient::new(&hub).initialize("2025-11-25").await;
    let rounds = async {
        let (id, _) = provider.next_call().await;
        let again = json!({ "resultType": "input_required", "requestState": "again" });
        provider.answer(&id, again).await;
        let (id, _) = provider.next_call().await;
        provider.answer(&id, text("done")).await;
    };
    let (answer, ()) = tokio::join!(session.call(1, "ask", json!({})), rounds);
    assert_eq!(answer.said(), "done");
    hub.stop().await;
    let spans = collector.spans(4).await;
    assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id), "{spans:?}");
}
