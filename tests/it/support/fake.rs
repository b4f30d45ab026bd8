//! A hub without sockets, and providers in this process that fail in whatever way a test names.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mcp_hub::{
    hub::{
        Hub,
        provider::{Answer, Attempt, Identity, Kind, Provider},
        registry::{Audience, Registration},
        router::Options,
        user::UserTools,
    },
    model::{
        call::{Call, Notice, Output, Progress},
        error::{AttemptError, CallError, NotHandedOver, RpcError},
        id::{InstanceId, ProviderId, UserId},
        json::Json,
        limits::Limits,
        tool::Tool,
    },
};
use parking_lot::Mutex;
use serde_json::{Value, json, value::to_raw_value};
use tokio::{task::JoinSet, time::sleep};

/// What a fake does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers with its own name.
    Answers,
    /// Answers with this result.
    Says(Value),
    /// Answers with this result, so much later.
    SaysAfter(Duration, Value),
    /// Answers with a JSON-RPC error of this code.
    Errs(i64),
    /// Never takes the call.
    Refuses(NotHandedOver),
    /// Takes the call and loses the connection.
    Loses,
    /// Takes the call and never answers.
    Hangs,
    /// Answers with something that is no result.
    Babbles,
    /// Shows progress so many times, this long apart, then answers.
    Works(u32, Duration),
}

/// What a fake saw of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) request_state: Option<String>,
    pub(crate) input_responses: Option<String>,
}

pub(crate) struct Fake {
    name: String,
    does: Mutex<Does>,
    seen: Mutex<Vec<Seen>>,
    superseded: AtomicUsize,
}

impl Fake {
    pub(crate) fn does(&self, does: Does) {
        *self.does.lock() = does;
    }

    pub(crate) fn calls(&self) -> usize {
        self.seen.lock().len()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    pub(crate) fn superseded(&self) -> usize {
        self.superseded.load(Ordering::Relaxed)
    }

    async fn answer(&self, attempt: Arc<Attempt>) -> Result<Output, AttemptError> {
        let text = |json: &Option<Json>| json.as_ref().map(|json| json.as_str().to_owned());
        self.seen.lock().push(Seen {
            request_state: text(&attempt.request_state),
            input_responses: text(&attempt.call.input_responses),
        });
        let does = self.does.lock().clone();
        let own = json!({ "content": [{ "type": "text", "text": self.name }] });
        match does {
            Does::Answers => Ok(output(&own)),
            Does::Says(result) => Ok(output(&result)),
            Does::SaysAfter(time, result) => {
                sleep(time).await;
                Ok(output(&result))
            }
            Does::Errs(code) => Err(AttemptError::Answered(RpcError {
                code,
                message: format!("{} says no", self.name).into(),
                data: Some(Json::of(&json!({ "from": self.name }))),
            })),
            Does::Refuses(why) => Err(AttemptError::NotHandedOver(why)),
            Does::Loses => Err(AttemptError::Lost),
            Does::Hangs => std::future::pending().await,
            Does::Babbles => Err(AttemptError::Faulty("it is a number".into())),
            Does::Works(steps, apart) => {
                for step in 1..=steps {
                    sleep(apart).await;
                    attempt.notice(progress(step));
                }
                sleep(apart).await;
                Ok(output(&own))
            }
        }
    }
}

impl Provider for Fake {
    fn call(&self, attempt: Arc<Attempt>) -> Answer<'_> {
        Box::pin(self.answer(attempt))
    }

    fn in_flight(&self) -> usize {
        0
    }

    fn superseded(&self) {
        self.superseded.fetch_add(1, Ordering::Relaxed);
    }
}

fn output(result: &Value) -> Output {
    Output::parse(Json::of(result)).expect("a tool result")
}

fn progress(step: u32) -> Notice {
    Notice::Progress(Progress {
        value: f64::from(step),
        progress: Json::of(&step),
        total: None,
        message: None,
    })
}

/// A hub and the task that does its chores.
pub(crate) struct Bench {
    pub(crate) hub: Hub,
    _chores: JoinSet<()>,
}

impl Bench {
    pub(crate) fn new(limits: Limits, failover: Options) -> Self {
        let hub = Hub::new(Arc::new(limits), failover, None, None);
        let mut chores = JoinSet::new();
        chores.spawn(hub.clone().run());
        Self { hub, _chores: chores }
    }

    /// Offers `tools` for the user `alice`, with provider and instance called `name`.
    pub(crate) fn offer(
        &self,
        name: &str,
        does: Does,
        tools: &[Value],
    ) -> (Arc<Fake>, Registration) {
        self.offer_to(Audience::One(user("alice")), (name, name), does, tools)
    }

    pub(crate) fn offer_to(
        &self,
        audience: Audience,
        (name, instance): (&str, &str),
        does: Does,
        tools: &[Value],
    ) -> (Arc<Fake>, Registration) {
        let fake = Arc::new(Fake {
            name: name.into(),
            does: Mutex::new(does),
            seen: Mutex::default(),
            superseded: AtomicUsize::new(0),
        });
        let identity = Identity {
            id: ProviderId::random(),
            name: name.into(),
            version: None,
            instance: InstanceId::parse(instance).expect("a good name"),
            kind: Kind::Remote,
        };
        let provider: Arc<dyn Provider> = Arc::clone(&fake) as _;
        let tools = tools.iter().map(parsed).collect();
        let registration = self.hub.offer(audience, identity, provider, tools);
        (fake, registration.expect("taken in"))
    }

    /// What `alice` has.
    pub(crate) fn alice(&self) -> Arc<UserTools> {
        self.hub.user(&user("alice"))
    }

    /// `alice` calls `tool`; the answer's JSON.
    pub(crate) async fn call(&self, tool: &str) -> Result<Value, CallError> {
        self.call_with(Call { tool: tool.into(), ..Call::default() }).await
    }

    pub(crate) async fn call_with(&self, call: Call) -> Result<Value, CallError> {
        let output = self.hub.call(&self.alice(), call).await?;
        Ok(serde_json::from_str(output.json.as_str()).expect("JSON"))
    }

    /// The first text of what `tool` answers `alice`.
    pub(crate) async fn said(&self, tool: &str) -> String {
        let result = self.call(tool).await.expect("an answer");
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// The definitions `user` is shown.
    pub(crate) fn listed(&self, user: &UserId) -> Value {
        let page = self.hub.user(user).view().list().page(None, 1_000);
        let text = [&b"["[..], &page.tools, &b"]"[..]].concat();
        serde_json::from_slice(&text).expect("JSON")
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a good name")
}

pub(crate) fn parsed(definition: &Value) -> Arc<Tool> {
    let raw = to_raw_value(definition).expect("JSON");
    Arc::new(Tool::parse(&raw, 100_000).expect("a good definition"))
}
