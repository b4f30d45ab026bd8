//! The modern era (MCP 2026-07-28): every request stands alone and says all there is to know.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Client,
    answer::{Reply, accepts_events},
    era::{MODERN_VERSIONS, VersionHeader},
    error::Refusal,
    headers::Repetition,
    listen,
    message::{
        META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL, META_PROGRESS_TOKEN, META_VERSION, Params,
        RequestId, string,
    },
    payload::{Payload, SERVER_INFO},
    tools,
};
use crate::{
    auth::User,
    hub::user::UserTools,
    model::{
        call::{Call, Listener, LogLevel},
        client::ClientEra,
        json::Json,
    },
};

/// One request and who sent it.
pub(super) struct Request<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    pub headers: &'a HeaderMap,
    pub id: RequestId,
    pub params: Params,
}

/// What `_meta` says of the client, found good.
struct About {
    version: Box<str>,
    capabilities: Json,
    client: Option<Json>,
    log_level: Option<LogLevel>,
    progress_token: Option<Json>,
}

impl Request<'_> {
    pub(super) async fn answer(self, method: &str) -> Response {
        let id = self.id.clone();
        match self.handle(method).await {
            Ok(response) => response,
            Err(refusal) => refusal.of(Some(id)).into_response(),
        }
    }

    /// The order of the checks is the specification's, so that clients see the error they expect.
    async fn handle(self, method: &str) -> Result<Response, Refusal> {
        let about = About::read(&self.params)?;
        self.check_version(&about.version)?;
        self.repetition().check_method(method)?;
        self.repetition().check_name(method, &self.params)?;
        let tools = self.client.hub.user(&self.user.id);
        self.client.presence.saw(&tools, about.client.as_ref(), &about.version);
        match method {
            "server/discover" => Ok(self.discover()),
            "tools/list" => {
                let page_size = self.client.limits.tools_per_page.get();
                let result = tools::list(tools.view().list(), &self.params, page_size, true)?;
                Ok(Payload::result(&self.id, result).into_response(StatusCode::OK))
            }
            "tools/call" => Box::pin(self.call(about, tools)).await,
            "subscriptions/listen" => self.listen(&about, &tools),
            _ => Err(Refusal::method_not_found(StatusCode::NOT_FOUND, method)),
        }
    }

    fn check_version(&self, claimed: &str) -> Result<(), Refusal> {
        if !self.is_excused() {
            self.repetition().check_version(claimed)?;
        }
        if MODERN_VERSIONS.contains(&claimed) {
            Ok(())
        } else {
            Err(Refusal::unsupported_version(claimed, MODERN_VERSIONS))
        }
    }

    fn repetition(&self) -> Repetition<'_> {
        Repetition { headers: self.headers, may_lack: self.is_excused() }
    }

    /// Some clients send the version header of a revision with sessions, which knows no `Mcp-*`
    /// headers, along with a body of this one. The operator may have the hub believe the body.
    fn is_excused(&self) -> bool {
        self.client.options.lenient_version_header
            && VersionHeader::of(self.headers) == VersionHeader::Legacy
    }

    fn discover(&self) -> Response {
        let mut result = json!({
            "resultType": "complete",
            "supportedVersions": MODERN_VERSIONS,
            "capabilities": { "logging": {}, "tools": { "listChanged": true } },
            // What it tells may change with the hub's next start; an hour is soon enough.
            "ttlMs": 3_600_000,
            "cacheScope": "private",
        });
        if let Some(instructions) = &self.client.options.instructions {
            result["instructions"] = json!(instructions);
        }
        let result = result.to_string();
        let open = &result[..result.len() - 1];
        let result = [open, ",\"_meta\":{", SERVER_INFO, "}}"].concat();
        Payload::result(&self.id, [Bytes::from(result)]).into_response(StatusCode::OK)
    }

    async fn call(self, about: About, tools: Arc<UserTools>) -> Result<Response, Refusal> {
        let name = self.params.required_string("name")?;
        let meta = self.params.all_meta().filter(|(key, _)| *key != META_PROGRESS_TOKEN);
        let meta = meta.cloned().collect();
        let mut call = Call {
            input_responses: self.params.object("inputResponses")?,
            request_state: self.params.string("requestState")?,
            ..tools::call(name, &self.params, self.headers, meta, ClientEra::Modern)?
        };
        if let Some(stack) = tools.view().stack(&call.tool) {
            let tool = &stack.listed().tool;
            self.repetition().check_parameters(tool, call.arguments.as_ref())?;
        }
        let accepts_events = accepts_events(self.headers);
        let mut notices = None;
        if accepts_events && (about.progress_token.is_some() || about.log_level.is_some()) {
            let wants_progress = about.progress_token.is_some();
            let (listener, queue) = Listener::new(wants_progress, about.log_level);
            call.listener = Some(Arc::new(listener));
            notices = Some(queue);
        }
        let reply = Reply {
            id: self.id,
            progress_token: about.progress_token,
            accepts_events,
            capabilities: about.capabilities,
        };
        // The call lives in the response: a client that leaves drops it, and that cancels it.
        let hub = self.client.hub.clone();
        let outcome = Box::pin(async move { hub.call(&tools, call).await });
        Ok(reply.answer(outcome, notices).await)
    }

    fn listen(&self, about: &About, tools: &Arc<UserTools>) -> Result<Response, Refusal> {
        let wanted = self
            .params
            .object("notifications")?
            .ok_or_else(|| Refusal::invalid_params("`params.notifications` is missing".into()))?;
        let wanted: Value = serde_json::from_str(wanted.as_str()).unwrap_or_default();
        let wants_tools = wanted.get("toolsListChanged") == Some(&Value::Bool(true));
        let listens = || {
            let presence = &self.client.presence;
            presence.listens(tools, about.client.as_ref(), &about.version)
        };
        listen::subscription(self, tools, wants_tools, listens)
    }
}

impl About {
    fn read(params: &Params) -> Result<Self, Refusal> {
        let fault = |what: &str| Refusal::malformed_params(format!("`_meta[{what}"));
        let version = params
            .meta(META_VERSION)
            .and_then(string)
            .ok_or_else(|| fault(&format!("\"{META_VERSION}\"]` must be a string")))?;
        let capabilities = params
            .meta(META_CAPABILITIES)
            .filter(|capabilities| capabilities.is_object())
            .ok_or_else(|| fault(&format!("\"{META_CAPABILITIES}\"]` must be an object")))?;
        let client = params.meta(META_CLIENT).cloned();
        if client.as_ref().is_some_and(|client| !client.is_object()) {
            return Err(fault(&format!("\"{META_CLIENT}\"]` must be an object")));
        }
        let log_level = match params.meta(META_LOG_LEVEL) {
            None => None,
            Some(level) => Some(string(level).unwrap_or_default().parse().map_err(
                |error: crate::model::call::NoSuchLevel| {
                    fault(&format!("\"{META_LOG_LEVEL}\"]` is {error}"))
                },
            )?),
        };
        let progress_token = params.progress_token()?;
        let capabilities = capabilities.clone();
        Ok(Self { version, capabilities, client, log_level, progress_token })
    }
}
