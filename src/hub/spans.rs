//! What a tracing system is told of a call: a span for it, and one below that for each attempt.
//!
//! The names are OpenTelemetry's semantic conventions for MCP where those have one. Without somebody
//! who collects spans there are none, and a call pays for none.

use opentelemetry::{
    Context, KeyValue,
    global::{BoxedSpan, BoxedTracer},
    trace::{
        Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
        TraceId, TraceState, Tracer,
    },
};

use super::{
    meters::{AttemptOutcome, Outcome},
    provider::Identity,
};
use crate::model::{
    call::Call,
    error::{AttemptError, NotHandedOver},
    id::UserId,
    json::Json,
    tool::ToolName,
    trace::TraceParent,
};

/// What both spans are about (`mcp.method.name`).
const METHOD: &str = "tools/call";

/// Makes the spans of calls.
pub struct Spans {
    tracer: BoxedTracer,
}

impl Spans {
    pub fn new(tracer: BoxedTracer) -> Self {
        Self { tracer }
    }

    /// A call begins; below what its client says it belongs to, or else a trace of its own.
    pub(super) fn begin(&self, user: &UserId, call: &Call) -> CallSpan<'_> {
        // A name nobody offers may be of any length.
        let tool = &call.tool[..call.tool.floor_char_boundary(ToolName::BYTES_MAX)];
        let mut attributes = about(tool);
        attributes.push(KeyValue::new("user.id", user.to_string()));
        attributes.push(KeyValue::new("mcp_hub.client.era", call.era.label()));
        let builder =
            SpanBuilder::from_name(METHOD).with_kind(SpanKind::Server).with_attributes(attributes);
        let parent = match call.trace_parent().and_then(context) {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let span = self.tracer.build_with_context(builder, &parent);
        let context = Context::new().with_span(span);
        CallSpan { tracer: &self.tracer, tool: tool.into(), context, attempt: None }
    }
}

/// The span of a call and, while it is tried somewhere, that of the attempt.
pub(super) struct CallSpan<'a> {
    tracer: &'a BoxedTracer,
    tool: Box<str>,
    context: Context,
    attempt: Option<BoxedSpan>,
}

impl CallSpan<'_> {
    /// The trace it belongs to, in hexadecimal digits.
    pub(super) fn trace(&self) -> Option<Box<str>> {
        let span = self.context.span();
        let context = span.span_context();
        context.is_valid().then(|| context.trace_id().to_string().into())
    }

    /// What belongs below it is told this as its parent.
    pub(super) fn parent(&self) -> Option<Json> {
        traceparent(self.context.span().span_context())
    }

    /// The call is handed to a provider; for the `number`th time, from 1. What the provider is told
    /// its own spans belong to.
    pub(super) fn tries(&mut self, provider: &Identity, number: usize) -> Option<Json> {
        let mut attributes = about(&self.tool);
        attributes.extend(who(provider));
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new("mcp_hub.attempt", number));
        let name = self.named();
        let builder =
            SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes);
        let span = self.tracer.build_with_context(builder, &self.context);
        let parent = traceparent(span.span_context());
        self.attempt = Some(span);
        parent
    }

    pub(super) fn passes_over(&self, provider: &Identity, why: NotHandedOver) {
        self.named();
        let mut attributes: Vec<_> = who(provider).into();
        attributes.push(KeyValue::new("mcp_hub.reason", why.to_string()));
        self.context.span().add_event("passed over", attributes);
    }

    /// Names the span after its tool, now that somebody is seen to offer it: else every made-up name
    /// would be one of a span.
    fn named(&self) -> String {
        let name = format!("{METHOD} {}", self.tool);
        self.context.span().update_name(name.clone());
        name
    }

    /// The last attempt has ended, if it has not yet.
    pub(super) fn ended(&mut self, outcome: AttemptOutcome, failure: Option<&AttemptError>) {
        let Some(mut span) = self.attempt.take() else { return };
        span.set_attribute(KeyValue::new("mcp_hub.outcome", outcome.label()));
        if let Some(failure) = failure {
            span.set_attribute(KeyValue::new("error.type", outcome.label()));
            span.set_status(Status::error(
                super::events::shortened(&failure.to_string()).into_string(),
            ));
        }
        span.end();
    }

    /// The call has ended; for this reason, if there is no answer.
    pub(super) fn conclude(self, outcome: Outcome, why: Option<&str>) {
        let span = self.context.span();
        span.set_attribute(KeyValue::new("mcp_hub.outcome", outcome.label()));
        if outcome.is_error() {
            span.set_attribute(KeyValue::new("error.type", outcome.label()));
            span.set_status(Status::error(why.unwrap_or_default().to_owned()));
        }
        span.end();
    }
}

fn about(tool: &str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("mcp.method.name", METHOD),
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", tool.to_owned()),
    ]
}

fn who(provider: &Identity) -> [KeyValue; 3] {
    [
        KeyValue::new("mcp_hub.provider.id", provider.id.to_string()),
        KeyValue::new("mcp_hub.provider.name", provider.name.to_string()),
        KeyValue::new("mcp_hub.provider.kind", provider.kind.label()),
    ]
}

fn context(parent: TraceParent<'_>) -> Option<SpanContext> {
    let trace = TraceId::from_hex(parent.trace).ok()?;
    let span = SpanId::from_hex(parent.parent).ok()?;
    let flags = TraceFlags::new(parent.flags);
    // The client's `tracestate` goes to the provider as it came.
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}

/// `None` when spans are not made any more, for the hub stops.
fn traceparent(context: &SpanContext) -> Option<Json> {
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
    context.is_valid().then(|| Json::of(&format!("00-{trace}-{span}-{:02x}", flags.to_u8())))
}
