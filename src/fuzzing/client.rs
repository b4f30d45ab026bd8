//! What MCP clients send: bodies, headers, cursors, and whole requests.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header},
    response::IntoResponse,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures_util::FutureExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{DEPTH_MAX, is_told, text};
use crate::{
    auth::{Gate, Hosts},
    client::{
        Client, Options,
        capabilities::Abilities,
        era::{self, VersionHeader},
        headers,
        message::{self, Incoming},
        tools,
    },
    hub::{Hub, router},
    lifecycle::Lifecycle,
    model::{json, limits::Limits, tool::ToolName},
};

/// A message that is read says what a parser of the whole finds; one that is refused is told why.
pub fn client_message(bytes: &[u8]) {
    let read = message::text(Bytes::copy_from_slice(bytes))
        .and_then(|text| Incoming::parse(&text, DEPTH_MAX));
    let incoming = match read {
        Ok(incoming) => incoming,
        Err(refusal) => {
            let response = refusal.into_response();
            assert!(response.status().is_client_error());
            let body = to_bytes(response.into_body(), usize::MAX).now_or_never();
            return is_an_error(&body.expect("it is there").expect("it is whole"));
        }
    };
    json::check(&String::from_utf8_lossy(bytes), DEPTH_MAX).expect("the bounds are kept");
    let Ok(whole) = serde_json::from_slice::<Value>(bytes) else { return };
    assert_eq!(whole["jsonrpc"], "2.0");
    if let Some(said) = incoming.id() {
        let said = said.as_str();
        let id: Value = serde_json::from_str(said).expect("JSON");
        assert_eq!(id, whole["id"]);
        // -0 is an integer as well, which the parser of the whole takes for a fraction.
        let is_integer = id.is_i64() || id.is_u64() || said == "-0";
        assert!(id.is_string() || is_integer, "{said}");
    }
    if let Incoming::Request { method, .. } | Incoming::Notification { method, .. } = &incoming {
        assert_eq!(**method, *whole["method"].as_str().expect("a method"));
    }
    let Some(params) = incoming.params() else { return };
    for member in ["name", "arguments", "cursor"] {
        let said = params.get(member).map(|json| serde_json::from_str(json.as_str()));
        let said: Value = said.transpose().expect("a part of JSON is JSON").unwrap_or_default();
        assert_eq!(said, whole["params"][member], "{member}");
    }
    let meta = &whole["params"]["_meta"];
    let said = params.all_meta().map(|(name, value)| {
        (name.to_string(), serde_json::from_str(value.as_str()).expect("a part of JSON is JSON"))
    });
    assert_eq!(said.collect::<Map<_, _>>(), meta.as_object().cloned().unwrap_or_default());
    let _era = era::classify(VersionHeader::Absent, true, &incoming);
}

fn is_an_error(body: &[u8]) {
    let answer: Value = serde_json::from_slice(body).expect("refusals are JSON");
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    assert!(answer["error"]["code"].is_i64(), "{answer}");
    is_told(&answer["error"]["message"].as_str().unwrap_or_default());
}

/// What a header says can be said again.
pub fn client_header(bytes: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static("mcp-protocol-version"), value)]);
        let _version = VersionHeader::of(&headers);
    }
    let Some(said) = headers::decode(bytes) else { return };
    let again = format!("=?base64?{}?=", BASE64_STANDARD.encode(said.as_bytes()));
    assert_eq!(headers::decode(again.as_bytes()).as_deref(), Some(&*said));
}

/// A cursor that is taken is one that the hub gives out.
pub fn cursor(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(name) = tools::decode_cursor(text)
        && let Some(name) = ToolName::parse(&name)
    {
        assert_eq!(tools::encode_cursor(&name), text);
    }
    if let Some(name) = ToolName::parse(text) {
        let read = tools::decode_cursor(&tools::encode_cursor(&name));
        assert_eq!(read.ok().as_deref(), Some(text));
    }
}

/// Capabilities in the first line, questions in the others: what is missing has a name, and nothing
/// is for whoever can do all.
pub fn capabilities(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let (said, asked) = text.split_once('\n').unwrap_or((text, "{}"));
    if let Some(missing) = Abilities::read(Some(said)).missing_for(asked) {
        let missing = missing.as_object().expect("an object");
        assert!(!missing.is_empty());
        let is_known = |key: &String| ["elicitation", "sampling", "roots"].contains(&key.as_str());
        assert!(missing.keys().all(is_known), "{missing:?}");
    }
    let all = json!({
        "elicitation": { "form": {}, "url": {} },
        "sampling": { "tools": {} },
        "roots": {},
    });
    assert_eq!(Abilities::read(Some(&all.to_string())).missing_for(asked), None);
}

/// A hub that nobody provides for, and the thread it runs on.
struct Door {
    runtime: Runtime,
    routes: TowerToHyperService<Router>,
}

impl Door {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let entered = runtime.enter();
        let hosts = Hosts::new([127, 0, 0, 1].into(), None, &[], &[]);
        let (gate, limits) = (Arc::new(Gate::new(hosts, None, None)), Arc::new(Limits::default()));
        let hub = Hub::new(Arc::clone(&limits), router::Options::default(), None, None);
        let client = Client::new(hub, gate, limits, Lifecycle::default(), Options::default());
        let routes = TowerToHyperService::new(Arc::new(client).routes());
        drop(entered);
        Self { runtime, routes }
    }
}

/// Lines `name: value`, an empty line, a body, as in HTTP: whatever is posted has a proper answer.
pub fn client_request(bytes: &[u8]) {
    thread_local! {
        static DOOR: Door = Door::open();
    }
    let Some(text) = text(bytes) else { return };
    let (head, body) = text.split_once("\n\n").unwrap_or(("", text));
    let mut request = Request::post("/mcp").header(header::CONTENT_TYPE, "application/json");
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let has_host = lines.clone().any(|(name, _)| name.eq_ignore_ascii_case("host"));
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            request = request.header(name, value);
        }
    }
    if !has_host {
        request = request.header(header::HOST, "localhost");
    }
    let request = request.body(Body::from(body.to_owned())).expect("a request");
    DOOR.with(|Door { runtime, routes }| {
        runtime.block_on(async {
            let response = routes.call(request).await.expect("an answer");
            let (head, body) = response.into_parts();
            assert!(!head.status.is_server_error(), "{}", head.status);
            let kind = head.headers.get(header::CONTENT_TYPE);
            if kind.is_none_or(|kind| kind != "application/json") {
                return;
            }
            let body = to_bytes(body, usize::MAX).await.expect("it is whole");
            let answer: Value = serde_json::from_slice(&body).expect("JSON");
            if head.status != StatusCode::OK || answer.get("error").is_some() {
                is_an_error(&body);
            } else {
                assert!(answer["result"].is_object(), "{answer}");
            }
        });
    });
}
