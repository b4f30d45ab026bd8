//! Spans on their way to a collector: OTLP over HTTP, in batches, by a thread of its own.
//!
//! No call ever waits for it. Spans beyond what the queue holds are lost, and so are those that the
//! collector does not take in time.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::Duration,
};

use axum::http::{HeaderName, HeaderValue, Uri};
use metrics::{Counter, counter};
use opentelemetry::{InstrumentationScope, KeyValue, global::BoxedTracer, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData,
        SpanExporter as Exporter,
    },
};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::{task::spawn_blocking, time::Instant};

/// What is added to the endpoint for traces (OTLP specification, OTLP/HTTP request).
const TRACES_PATH: &str = "/v1/traces";
/// Spans that wait to be sent; more are lost.
const WAITING_MAX: usize = 4_096;
/// Spans sent together, and how often.
const BATCH_MAX: usize = 512;
const BATCH_INTERVAL: Duration = Duration::from_secs(2);
/// How long the collector may take over a batch, retries included.
const EXPORT_TIME: Duration = Duration::from_secs(5);
/// How long a stop waits for the last spans to be sent.
const FLUSH_TIME: Duration = Duration::from_secs(2);
/// How often, at most, it is said that spans cannot be sent.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// The `[otlp]` table of the configuration. What it leaves open, OpenTelemetry's own variables say.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The base URL of the collector. Without one no spans are made.
    pub endpoint: Option<String>,
    /// Headers that go with every request to it, such as its token.
    pub headers: BTreeMap<String, String>,
    /// The share, from 0 to 1, of the traces that begin here. For others, their client has decided.
    pub sample: f64,
    /// What the hub is called in traces.
    pub service_name: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { endpoint: None, headers: BTreeMap::new(), sample: 1.0, service_name: None }
    }
}

/// What is wrong with `[otlp]`. No value of a header is told: it may be a token.
#[derive(Debug, thiserror::Error)]
pub enum BadOptions {
    #[error(
        "otlp.endpoint (or OTEL_EXPORTER_OTLP_ENDPOINT): {0:?} is not a URL; write the base of an \
         OTLP/HTTP collector, such as http://127.0.0.1:4318"
    )]
    Endpoint(String),
    #[error("otlp.headers: {0:?} is no header, or its value is none")]
    Header(String),
    #[error("otlp.headers is set, but there is no otlp.endpoint to send them to")]
    HeadersWithoutEndpoint,
    #[error("otlp.sample is {0}; it must be from 0 to 1")]
    Sample(f64),
}

impl Options {
    /// Fills in what is left open from OpenTelemetry's variables. Those for headers are read by its
    /// library, which lets them outrank the table.
    pub fn complete(&mut self, variable: impl Fn(&str) -> Option<String>) {
        let said = |name: &str| variable(name).filter(|text| !text.is_empty());
        self.endpoint = self.endpoint.take().or_else(|| said("OTEL_EXPORTER_OTLP_ENDPOINT"));
        self.service_name = self.service_name.take().or_else(|| said("OTEL_SERVICE_NAME"));
    }

    pub fn check(&self) -> Result<(), BadOptions> {
        if let Some(endpoint) = &self.endpoint {
            let url = endpoint.parse::<Uri>().ok();
            let is_http = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https"));
            if !url.is_some_and(|url| is_http(&url) && url.query().is_none()) {
                return Err(BadOptions::Endpoint(endpoint.clone()));
            }
        } else if !self.headers.is_empty() {
            return Err(BadOptions::HeadersWithoutEndpoint);
        }
        let is_header = |(name, value): &(&String, &String)| {
            name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok()
        };
        if let Some((name, _)) = self.headers.iter().find(|header| !is_header(header)) {
            return Err(BadOptions::Header(name.clone()));
        }
        if !(0.0..=1.0).contains(&self.sample) {
            return Err(BadOptions::Sample(self.sample));
        }
        Ok(())
    }
}

/// Why no spans can be sent although there is an endpoint.
#[derive(Debug, thiserror::Error)]
#[error("spans cannot be sent to {endpoint}: {why}")]
pub struct NoTraces {
    endpoint: String,
    why: String,
}

/// The way of spans to the collector.
#[must_use = "the last spans are sent by `finish`"]
pub struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// `None` without an endpoint.
    pub fn start(options: &Options) -> Result<Option<Self>, NoTraces> {
        let Some(endpoint) = &options.endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{TRACES_PATH}", endpoint.trim_end_matches('/')))
            .with_headers(options.headers.clone().into_iter().collect::<HashMap<_, _>>())
            .with_timeout(EXPORT_TIME)
            .build()
            .map_err(|error| NoTraces { endpoint: endpoint.clone(), why: error.to_string() })?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(BATCH_INTERVAL)
            .build();
        let exporter = Watched::new(exporter, endpoint.clone());
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let name = options.service_name.as_deref().unwrap_or(env!("CARGO_PKG_NAME")).to_owned();
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_resource(resource)
            .with_sampler(sampler)
            .build();
        tracing::info!(%endpoint, sample = options.sample, "calls are traced");
        Ok(Some(Self { provider }))
    }

    /// Makes spans that go this way.
    pub fn tracer(&self) -> BoxedTracer {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        BoxedTracer::new(Box::new(self.provider.tracer_with_scope(scope)))
    }

    /// Sends what still waits, for a short while at most.
    pub async fn finish(self) {
        let provider = self.provider.clone();
        let flushed = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIME)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("the last spans could not be sent in time");
        }
    }
}

impl Drop for Traces {
    /// Without `finish` somebody is in a hurry: the library would wait for the collector all the same.
    fn drop(&mut self) {
        drop(self.provider.shutdown_with_timeout(Duration::ZERO));
    }
}

/// Counts what is sent, and says from time to time when nothing can be.
struct Watched {
    exporter: SpanExporter,
    endpoint: String,
    sent: Counter,
    lost: Counter,
    complained: Mutex<Option<Instant>>,
}

impl Watched {
    fn new(exporter: SpanExporter, endpoint: String) -> Self {
        let spans = |outcome: &'static str| counter!("mcp_hub_spans_total", "outcome" => outcome);
        let (sent, lost) = (spans("sent"), spans("lost"));
        Self { exporter, endpoint, sent, lost, complained: Mutex::default() }
    }

    fn complain(&self, spans: usize, error: &dyn fmt::Display) {
        let mut complained = self.complained.lock();
        if complained.is_none_or(|at| at.elapsed() >= COMPLAINT_INTERVAL) {
            *complained = Some(Instant::now());
            tracing::warn!(endpoint = self.endpoint, spans, %error, "spans could not be sent");
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The headers, which may hold a token, stay unsaid.
        f.debug_struct("Watched").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Exporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.exporter.export(batch).await;
        match &outcome {
            Ok(()) => self.sent.increment(spans as u64),
            Err(error) => {
                self.lost.increment(spans as u64);
                self.complain(spans, error);
            }
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(endpoint: Option<&str>) -> Options {
        Options { endpoint: endpoint.map(Into::into), ..Options::default() }
    }

    #[test]
    fn variables_say_what_the_table_does_not() {
        let variable = |name: &str| Some(format!("of {name}"));
        let mut open = options(None);
        open.complete(variable);
        assert_eq!(open.endpoint.as_deref(), Some("of OTEL_EXPORTER_OTLP_ENDPOINT"));
        assert_eq!(open.service_name.as_deref(), Some("of OTEL_SERVICE_NAME"));
        let mut said = options(Some("http://collector:4318"));
        said.service_name = Some("hub".into());
        said.complete(variable);
        assert_eq!(said.endpoint.as_deref(), Some("http://collector:4318"));
        assert_eq!(said.service_name.as_deref(), Some("hub"));
        let mut unsaid = options(None);
        unsaid.complete(|_| Some(String::new()));
        assert_eq!(unsaid.endpoint, None, "empty is unset, says OpenTelemetry");
    }

    #[test]
    fn what_cannot_be_is_refused_and_no_token_told() {
        let with = |name: &str, value: &str| {
            let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            Options { headers, ..options(Some("http://collector:4318")) }
        };
        assert!(options(Some("https://collector.example.com/base/")).check().is_ok());
        assert!(with("authorization", "Bearer secret").check().is_ok());
        for bad in [
            options(Some("collector:4318")),
            options(Some("grpc://collector:4317")),
            options(Some("http://collector:4318/?key=1")),
            with("not a name", "x"),
            with("authorization", "secret\n"),
            Options { endpoint: None, ..with("authorization", "secret") },
            Options { sample: 1.5, ..options(None) },
            Options { sample: f64::NAN, ..options(None) },
        ] {
            let fault = bad.check().expect_err("refused").to_string();
            assert!(fault.starts_with("otlp.") && !fault.contains("secret"), "{fault}");
        }
    }
}
