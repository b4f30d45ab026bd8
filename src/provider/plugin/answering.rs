//! A loaded plugin as the hub knows providers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytestring::ByteString;
use mcp_hub_sandbox::{CallError, Cause, Failure, Listener, Plugin, Request};

use super::meters;
use crate::{
    hub::provider::{Answer, Attempt, Provider},
    model::{
        call::{LogMessage, Notice, Output, Progress},
        error::{AttemptError, NotHandedOver, RpcError},
        json::{self, Json},
        limits::Limits,
    },
    provider::place::Place,
};

/// Answers calls in Wasm.
pub(super) struct PluginProvider {
    plugin: Plugin,
    limits: Arc<Limits>,
    in_flight: AtomicUsize,
}

impl PluginProvider {
    pub(super) fn new(plugin: Plugin, limits: Arc<Limits>) -> Self {
        Self { plugin, limits, in_flight: AtomicUsize::new(0) }
    }

    async fn answered(&self, attempt: Arc<Attempt>) -> Result<Output, AttemptError> {
        let max = self.limits.calls_per_provider.get();
        let Some(_place) = Place::take(&self.in_flight, max) else {
            return Err(AttemptError::NotHandedOver(NotHandedOver::TooManyCalls));
        };
        let request = request(&attempt);
        let result = self.plugin.call(request, Some(Arc::new(Ear(attempt)))).await;
        let json = result.map_err(|failure| {
            meters::failed(&failure.cause);
            explained(&failure)
        })?;
        json::check(&json, self.limits.json_depth.get())
            .map_err(|fault| AttemptError::Faulty(fault.told()))?;
        Output::parse(Json::from(json)).map_err(AttemptError::Faulty)
    }
}

impl Provider for PluginProvider {
    fn call(&self, attempt: Arc<Attempt>) -> Answer<'_> {
        Box::pin(self.answered(attempt))
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

fn request(attempt: &Attempt) -> Request {
    let call = &*attempt.call;
    let text = |json: &Json| json.text().clone();
    // A plugin's own state is the text it once gave, written as JSON.
    let state = attempt.request_state.as_ref();
    let state = state.and_then(|state| serde_json::from_str::<String>(state.as_str()).ok());
    Request {
        name: ByteString::from(&*call.tool),
        arguments: call.arguments.as_ref().map_or(ByteString::from_static("{}"), text),
        input_responses: call.input_responses.as_ref().map(text),
        request_state: state.map(ByteString::from),
        meta: meta(attempt),
    }
}

fn meta(attempt: &Attempt) -> ByteString {
    let member =
        |(key, value): (&str, &Json)| format!("{}:{}", Json::of(&key).as_str(), value.as_str());
    let members: Vec<_> = attempt.meta().map(member).collect();
    if members.is_empty() {
        return ByteString::from_static("{}");
    }
    ByteString::from(format!("{{{}}}", members.join(",")))
}

/// What the hub makes of a failure.
fn explained(failure: &Failure) -> AttemptError {
    let message = failure.to_string();
    let answered = |code| {
        AttemptError::Answered(RpcError { code, message: message.clone().into(), data: None })
    };
    match &failure.cause {
        Cause::Busy { .. } => AttemptError::NotHandedOver(NotHandedOver::NoInstance),
        Cause::Faulty(why) => AttemptError::Faulty(why.clone()),
        Cause::Said(CallError::InvalidArguments(_)) => answered(RpcError::INVALID_PARAMS),
        Cause::Said(CallError::UnknownTool(_) | CallError::Failed(_) | CallError::Cancelled) => {
            answered(RpcError::INTERNAL)
        }
        Cause::OutOfTime(_)
        | Cause::OutOfMemory(_)
        | Cause::OutOfBudget
        | Cause::OutOfTable
        | Cause::TooMuchOutput(_)
        | Cause::Exited(_)
        | Cause::Trapped(_) => AttemptError::Stopped(message),
    }
}

/// Hears a guest on behalf of whoever waits for its answer.
struct Ear(Arc<Attempt>);

impl Listener for Ear {
    fn log(&self, level: &'static str, message: &str) {
        if let Ok(level) = level.parse() {
            let data = Json::of(&message);
            self.0.notice(Notice::Log(LogMessage { level, logger: None, data }));
        }
    }

    fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        self.0.notice(Notice::Progress(Progress {
            value: progress,
            progress: Json::of(&progress),
            total: total.map(|total| Json::of(&total)),
            message: message.map(|message| Json::of(&message)),
        }));
    }
}
