//! A collector of spans, as far as OTLP over HTTP goes.

use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use parking_lot::Mutex;
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

use super::eventually;

/// Collects until dropped.
pub(crate) struct Collector {
    pub(crate) url: String,
    received: Arc<Mutex<Received>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Received {
    requests: Vec<ExportTraceServiceRequest>,
    headers: HeaderMap,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let received = Arc::<Mutex<Received>>::default();
        let routes = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, received, _serving: serving }
    }

    /// Waits for so many spans, and tells them in the order in which they began.
    pub(crate) async fn spans(&self, count: usize) -> Vec<Span> {
        eventually("the spans come", || self.received().len() >= count).await;
        let spans = self.received();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }

    /// The spans that have come so far.
    pub(crate) fn received(&self) -> Vec<Span> {
        let received = self.received.lock();
        let resources = received.requests.iter().flat_map(|request| &request.resource_spans);
        let spans = resources.flat_map(|resource| &resource.scope_spans);
        let mut spans: Vec<_> = spans.flat_map(|scope| scope.spans.clone()).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// What those who sent spans are called.
    pub(crate) fn services(&self) -> Vec<String> {
        let received = self.received.lock();
        let resources = received.requests.iter().flat_map(|request| &request.resource_spans);
        let resources = resources.filter_map(|spans| spans.resource.as_ref());
        resources.filter_map(|resource| text(&resource.attributes, "service.name")).collect()
    }

    /// A header of the last request.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let received = self.received.lock();
        Some(received.headers.get(name)?.to_str().ok()?.to_owned())
    }
}

async fn take(State(received): State<Arc<Mutex<Received>>>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let mut received = received.lock();
    received.requests.push(request);
    received.headers = headers;
}

/// An attribute that is a text.
pub(crate) fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

pub(crate) fn hexadecimal(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
