//! One call, from the hub to a server and back: what is said to the server differs by era, what it
//! says passes through as it is.

use std::{borrow::Cow, collections::BTreeMap};

use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Duration, timeout};

use super::{
    conversation::{Answer, Heard, Request, Server},
    headers, introduction,
    link::{Era, Fault, NotSent},
    questions::Questions,
};
use crate::{
    client::{capabilities::Abilities, era::MODERN},
    model::{call::LogLevel, error::RpcError, json::Json},
    provider_client::{self, Call, Outcome},
};

/// What the keys of a modern request's own `_meta` begin with; a legacy server must not see them.
const ENVELOPE: &str = "io.modelcontextprotocol/";
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_PROGRESS: &str = "progressToken";
/// How long a server may take to take in what it is to log.
const LEVEL_TIME: Duration = Duration::from_secs(2);

/// A tool of a server, as far as calling it takes.
#[derive(Debug)]
pub(super) struct Callable {
    /// The server's name for it.
    pub name: Box<str>,
    /// Whether it says that it may run twice.
    pub is_repeatable: bool,
    /// Where some arguments are repeated in headers, the schema that says which.
    pub schema: Option<Box<RawValue>>,
}

/// A server that is called.
pub(super) struct Caller {
    pub server: Server,
    pub era: Era,
    /// Whether parts of a modern request are repeated in headers.
    pub is_http: bool,
    pub questions: Questions,
    pub logging: Logging,
}

impl Caller {
    pub(super) async fn call(&self, tool: &Callable, call: Call) -> Outcome {
        if self.era == Era::Legacy {
            self.logging.want(&call, &self.server).await;
        }
        let mut request = match self.begin(tool, &call) {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        loop {
            match request.next().await {
                Heard::Notice(notice) => call.tell(notice),
                Heard::Answer(answer) => return outcome(tool, answer),
                Heard::Question(question) => {
                    let mut questions = vec![question];
                    while let Some(said) = request.said() {
                        match said {
                            Heard::Notice(notice) => call.tell(notice),
                            Heard::Question(question) => questions.push(question),
                            Heard::Answer(_) => {}
                        }
                    }
                    return self.questions.ask(request, questions);
                }
            }
        }
    }

    /// Sends a request of the bridge's own, with `member` among its parameters.
    pub(super) fn ask(
        &self,
        method: &'static str,
        member: Option<String>,
    ) -> Result<Request, NotSent> {
        let meta = match self.era {
            Era::Modern => Some(format!(r#""_meta":{}"#, introduction::envelope())),
            Era::Legacy => None,
        };
        let members: Vec<_> = meta.into_iter().chain(member).collect();
        let params = format!("{{{}}}", members.join(","));
        self.server.request(self.server.id(), method, &params, HeaderMap::new(), None)
    }

    /// The request at the server: a new one, or one that waited for answers.
    fn begin(&self, tool: &Callable, call: &Call) -> Result<Request, Outcome> {
        if let Some(state) = call.request_state.as_ref().filter(|state| Questions::is_ours(state)) {
            let resumed = self.questions.resume(&self.server, state, call.input_responses.as_ref());
            return resumed
                .unwrap_or_else(|forgotten| Err(provider_client::error(&forgotten.to_string())));
        }
        let id = self.server.id();
        let meta: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(call.meta.as_str()).unwrap_or_default();
        let params = self.params(id, tool, call, &meta);
        let mut headers = HeaderMap::new();
        if self.era == Era::Modern && self.is_http {
            headers.insert("mcp-name", headers::encode(&tool.name));
            if let (Some(schema), Some(arguments)) = (&tool.schema, &call.arguments)
                && let Ok(arguments) = serde_json::from_str(arguments.as_str())
            {
                headers.extend(headers::of_arguments(schema, arguments));
            }
        }
        let client = Abilities::read(meta.get(META_CAPABILITIES).map(|said| said.get()));
        let request = self.server.request(id, "tools/call", &params, headers, Some(client));
        request.map_err(|why: NotSent| {
            outcome(tool, Err(Fault { reason: why.to_string(), may_have_run: false }))
        })
    }

    fn params(
        &self,
        id: u64,
        tool: &Callable,
        call: &Call,
        meta: &BTreeMap<Cow<'_, str>, &RawValue>,
    ) -> String {
        let mut params = format!(r#"{{"name":{}"#, Json::of(&tool.name).as_str());
        let mut member = |name: &str, value: Option<&Json>| {
            if let Some(value) = value {
                params.extend([r#",""#, name, r#"":"#, value.as_str()]);
            }
        };
        member("arguments", call.arguments.as_ref());
        member("inputResponses", call.input_responses.as_ref());
        member("requestState", call.request_state.as_ref());
        params.push_str(r#","_meta":{"progressToken":"#);
        params.push_str(&id.to_string());
        let mut member = |key: &str, value: &str| {
            params.extend([",", Json::of(&key).as_str(), ":", value]);
        };
        let is_envelope = |key: &str| key.starts_with(ENVELOPE);
        for (key, value) in meta.iter().filter(|(key, _)| *key != META_PROGRESS) {
            match &**key {
                META_CAPABILITIES if self.era == Era::Modern => {
                    member(key, &without_extensions(value));
                }
                key if !is_envelope(key) => member(key, value.get()),
                META_VERSION => {}
                key if self.era == Era::Modern => member(key, value.get()),
                _ => {}
            }
        }
        if self.era == Era::Modern {
            member(META_VERSION, &format!("{MODERN:?}"));
            if !meta.contains_key(META_CAPABILITIES) {
                member(META_CAPABILITIES, "{}");
            }
            if !meta.contains_key(META_CLIENT) {
                member(META_CLIENT, &introduction::client_info().to_string());
            }
        }
        params.push_str("}}");
        params
    }
}

/// How much a legacy server logs. It has one level for all, so that is the most any client wanted;
/// the hub holds back what a client did not.
pub(super) struct Logging {
    /// `None` when the server cannot be told.
    level: Option<Mutex<Option<LogLevel>>>,
}

impl Logging {
    pub(super) fn new(can_be_told: bool) -> Self {
        Self { level: can_be_told.then(Mutex::default) }
    }

    async fn want(&self, call: &Call, server: &Server) {
        #[derive(Deserialize)]
        struct Wanted<'a> {
            #[serde(borrow, rename = "io.modelcontextprotocol/logLevel")]
            level: Option<Cow<'a, str>>,
        }
        let Some(level) = &self.level else { return };
        let said = serde_json::from_str::<Wanted<'_>>(call.meta.as_str()).ok();
        let wanted = said.and_then(|said| said.level?.parse::<LogLevel>().ok());
        let Some(wanted) = wanted else { return };
        let is_more = |known: Option<LogLevel>| known.is_none_or(|known| wanted < known);
        if !is_more(*level.lock()) {
            return;
        }
        *level.lock() = Some(wanted);
        let params = format!(r#"{{"level":"{}"}}"#, wanted.as_str());
        let request =
            server.request(server.id(), "logging/setLevel", &params, HeaderMap::new(), None);
        if let Ok(request) = request
            && timeout(LEVEL_TIME, request.answered()).await.is_err()
        {
            tracing::debug!("the server does not answer what it is told of its log level");
        }
    }
}

/// A client's capabilities but for extensions: what they allow a server to answer, such as tasks that
/// are asked after later, does not find its way through a hub.
fn without_extensions(capabilities: &RawValue) -> Cow<'_, str> {
    let text = capabilities.get();
    let members = || serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text).ok();
    match text.contains("extensions").then(members).flatten() {
        Some(mut members) => {
            members.remove("extensions");
            Json::of(&members).as_str().to_owned().into()
        }
        None => text.into(),
    }
}

/// What the hub is told. A call that may have run is not to be tried elsewhere, unless its tool says
/// that it may run twice; then an error has the hub try the next.
fn outcome(tool: &Callable, answer: Answer) -> Outcome {
    match answer {
        Ok(Ok(result)) => Outcome::Result(result),
        Ok(Err(error)) if tool.is_repeatable || is_refusal(&error) => Outcome::Error(error),
        Ok(Err(error)) => {
            let data = error.data.as_ref().map(|data| format!("\n{}", data.as_str()));
            let text = format!("{}{}", error.message, data.unwrap_or_default());
            provider_client::error(&text)
        }
        Err(fault) if fault.may_have_run && !tool.is_repeatable => {
            let text = format!(
                "The server was lost after it was handed the call: {fault}. It is unknown whether \
                 {} did its work; find out before calling it again.",
                tool.name
            );
            provider_client::error(&text)
        }
        Err(fault) => {
            let message = fault.reason.into();
            Outcome::Error(RpcError { code: RpcError::INTERNAL, message, data: None })
        }
    }
}

/// Whether an error says that the call was not begun: that it is no request, or none that fits. Many
/// servers answer with other errors when a tool has failed half-way.
fn is_refusal(error: &RpcError) -> bool {
    // Of MCP 2026-07-28: about headers, capabilities and versions.
    const OF_MCP: std::ops::RangeInclusive<i64> = -32022..=-32020;
    matches!(
        error.code,
        RpcError::PARSE_ERROR
            | RpcError::INVALID_REQUEST
            | RpcError::METHOD_NOT_FOUND
            | RpcError::INVALID_PARAMS
    ) || OF_MCP.contains(&error.code)
}

/// What of a definition the bridge itself reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Definition<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(default)]
    pub annotations: Option<Annotations>,
    #[serde(borrow, default)]
    pub input_schema: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct Annotations {
    pub read_only_hint: bool,
    pub idempotent_hint: bool,
}

impl Definition<'_> {
    /// `definition`, which one was read from, under another name.
    pub(super) fn renamed(definition: &Json, name: &str) -> Json {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            name: &'a RawValue,
        }
        let named: Named<'_> =
            serde_json::from_str(definition.as_str()).expect("it was read before");
        let (text, span) = (definition.as_str(), definition.span(named.name));
        Json::from([&text[..span.start], Json::of(&name).as_str(), &text[span.end..]].concat())
    }
}

impl Callable {
    pub(super) fn new(definition: &Definition<'_>) -> Self {
        let schema = definition.input_schema.filter(|schema| schema.get().contains("x-mcp-header"));
        Self {
            name: definition.name.as_ref().into(),
            is_repeatable: definition
                .annotations
                .as_ref()
                .is_some_and(|hints| hints.read_only_hint || hints.idempotent_hint),
            schema: schema.map(ToOwned::to_owned),
        }
    }
}
