//! A tool, and one call of it, as its author sees them.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::{IntoOutcome, Outcome, Refused};
use crate::model::{
    call::{LogLevel, LogMessage, Notice, Progress},
    json::{self, Json},
};

/// A call, the way to say something while it runs, and nothing of who made it but what the client
/// told of itself. When nobody waits for its answer any more, the handler's future is dropped.
#[derive(Debug)]
pub struct Call {
    pub tool: Box<str>,
    pub arguments: Option<Json>,
    /// The client's answers to what was asked in an earlier round.
    pub input_responses: Option<Json>,
    /// The `requestState` given out with those questions.
    pub request_state: Option<Json>,
    /// The `_meta` of the request: the client's capabilities, its name, what it wants logged.
    pub meta: Json,
    pub(super) id: u64,
    pub(super) notices: mpsc::Sender<(u64, Notice)>,
}

impl Call {
    /// Reads the arguments into `T`; none at all are read as `{}`.
    pub fn read<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        json::object(self.arguments.as_ref().map_or("{}", Json::as_str))
    }

    /// Says how far the call has come. Like everything said on the way it may be dropped when the
    /// hub is slow to hear it.
    pub fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        let total = total.filter(|total| total.is_finite()).map(|total| Json::of(&total));
        if progress.is_finite() {
            let message = message.map(|message| Json::of(&message));
            let said = Json::of(&progress);
            self.tell(Notice::Progress(Progress {
                value: progress,
                progress: said,
                total,
                message,
            }));
        }
    }

    /// Says something to whoever follows the client's log.
    pub fn log(&self, level: LogLevel, data: &impl Serialize) {
        self.tell(Notice::Log(LogMessage { level, logger: None, data: Json::of(data) }));
    }

    /// Says something that is JSON already.
    pub fn tell(&self, notice: Notice) {
        if self.notices.try_send((self.id, notice)).is_err() {
            tracing::debug!(tool = &*self.tool, "a notice was dropped: the hub is slow or gone");
        }
    }
}

type Handler = Arc<dyn Fn(Call) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// A definition and who answers for it.
#[derive(Clone)]
pub struct Tool {
    definition: Json,
    handler: Handler,
}

impl Tool {
    /// `definition` is an MCP tool object; it is passed on as it is.
    pub fn new<F, Answer>(definition: impl Into<Json>, handler: F) -> Self
    where
        F: Fn(Call) -> Answer + Send + Sync + 'static,
        Answer: Future<Output: IntoOutcome> + Send + 'static,
    {
        let handler = move |call| handler(call).map(IntoOutcome::into_outcome).boxed();
        Self { definition: definition.into(), handler: Arc::new(handler) }
    }
}

/// A whole set, to be registered at once. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tools {
    definitions: Arc<[Json]>,
    handlers: Arc<HashMap<Box<str>, Handler>>,
}

impl Tools {
    pub(super) fn new(tools: impl IntoIterator<Item = Tool>) -> Result<Self, Refused> {
        #[derive(Deserialize)]
        struct Named {
            name: Box<str>,
        }
        let (mut definitions, mut handlers) = (Vec::new(), HashMap::new());
        for (index, Tool { definition, handler }) in tools.into_iter().enumerate() {
            let named = json::object(definition.as_str());
            let Named { name } = named.map_err(|error| {
                Refused::Definition(format!("number {} has no name: {error}", index + 1).into())
            })?;
            if handlers.insert(name.clone(), handler).is_some() {
                return Err(Refused::Definition(format!("{name:?} is there twice").into()));
            }
            definitions.push(definition);
        }
        Ok(Self { definitions: definitions.into(), handlers: Arc::new(handlers) })
    }

    /// Whether `other` is this very set, not one that looks like it.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handlers, &other.handlers)
    }

    pub(super) fn definitions(&self) -> impl Iterator<Item = &RawValue> {
        self.definitions.iter().map(|definition| {
            serde_json::from_str(definition.as_str()).expect("it was parsed for its name")
        })
    }

    pub(super) fn handler(&self, name: &str) -> Option<&Handler> {
        self.handlers.get(name)
    }
}
