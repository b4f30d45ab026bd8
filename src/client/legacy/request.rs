//! One request of a session.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use bytestring::ByteString;

use super::{
    backlog::{Answer, Teller},
    call::Exchange,
    dialect::Wording,
    session::Session,
};
use crate::{
    client::{
        Client,
        error::Refusal,
        message::{
            META_CAPABILITIES, META_CLIENT, META_LOG_LEVEL, META_PROGRESS_TOKEN, Params, RequestId,
        },
        payload::Payload,
        tools,
    },
    model::{
        call::{Call, Listener, LogLevel, Member, NoSuchLevel},
        client::ClientEra,
        json::Json,
    },
};

/// Log messages a client gets that never said which it wants.
const USUAL_LOG_LEVEL: LogLevel = LogLevel::Info;

pub(super) struct Request<'a> {
    pub client: &'a Client,
    pub session: &'a Arc<Session>,
    pub headers: &'a HeaderMap,
    /// Whether its answer may be an event stream.
    pub reads_events: bool,
    pub id: RequestId,
    pub method: Box<str>,
    pub params: Params,
}

impl Request<'_> {
    /// Whether its answer may take a while, and there may be something to tell before.
    pub(super) fn is_call(&self) -> bool {
        *self.method == *"tools/call"
    }

    /// The answer to anything but a call.
    pub(super) fn answer(&self) -> Answer {
        let result = self.result().map_err(|refusal| refusal.of(Some(self.id.clone())))?;
        Ok(Payload::result(&self.id, result))
    }

    fn result(&self) -> Result<Vec<Bytes>, Refusal> {
        match &*self.method {
            "ping" => Ok(vec![Bytes::from_static(b"{}")]),
            "tools/list" => {
                let page_size = self.client.limits.tools_per_page.get();
                let view = self.session.tools.view();
                tools::list(self.session.dialect().list(&view), &self.params, page_size, false)
                    .map(Vec::from)
            }
            "logging/setLevel" => {
                let level = self.params.required_string("level")?;
                let level = level.parse().map_err(|error: NoSuchLevel| {
                    Refusal::invalid_params(format!("`params.level` is {error}"))
                })?;
                self.session.set_log_level(level);
                Ok(vec![Bytes::from_static(b"{}")])
            }
            method => Err(Refusal::method_not_found(StatusCode::OK, method)),
        }
    }

    /// Answers at `teller`: a call when it has ended, in a task of its own, for a client that leaves
    /// does not cancel it.
    pub(super) fn answer_at(self, teller: Teller) {
        if !self.is_call() {
            return teller.answer(self.answer());
        }
        let (call, progress_token) = match self.call() {
            Ok(prepared) => prepared,
            Err(refusal) => return teller.answer(Err(refusal.of(Some(self.id)))),
        };
        let (call, notices) = if self.reads_events {
            let level = self.session.log_level().unwrap_or(USUAL_LOG_LEVEL);
            let (listener, queue) = Listener::new(progress_token.is_some(), Some(level));
            (Call { listener: Some(Arc::new(listener)), ..call }, Some(queue))
        } else {
            (call, None)
        };
        let Some(listed) = self.session.begin(self.id.clone()) else {
            return teller.answer(Err(Refusal::no_session().of(Some(self.id))));
        };
        let wording = self.wording(&call.tool);
        let exchange = Exchange {
            hub: self.client.hub.clone(),
            limits: Arc::clone(&self.client.limits),
            session: Arc::clone(self.session),
            listed,
            id: self.id,
            wording,
            progress_token,
            reads_events: self.reads_events,
            stopping: self.client.lifecycle.draining(),
            teller,
        };
        self.client.lifecycle.spawn_call(exchange.run(call, notices));
    }

    /// How results of `tool` are worded, by what the list says of it.
    fn wording(&self, tool: &str) -> Wording {
        let view = self.session.tools.view();
        let listed = view.stack(tool).map(|stack| &*stack.listed().tool);
        self.session.dialect().wording(listed)
    }

    fn call(&self) -> Result<(Call, Option<Json>), Refusal> {
        let name = self.params.required_string("name")?;
        let era = ClientEra::Legacy;
        let call = tools::call(name, &self.params, self.headers, self.meta(), era)?;
        Ok((call, self.params.progress_token()?))
    }

    /// What a modern client says of itself in each request, this one said in its handshake.
    fn meta(&self) -> Vec<Member> {
        let own = self.params.all_meta().filter(|(key, _)| *key != META_PROGRESS_TOKEN);
        let mut meta: Vec<_> = own.cloned().collect();
        let level = self.session.log_level().map(|level| Json::of(&level.as_str()));
        let said = [
            (META_CAPABILITIES, self.session.capabilities.clone()),
            (META_CLIENT, self.session.client.clone()),
            (META_LOG_LEVEL, level),
        ];
        for (key, value) in said {
            if let Some(value) = value
                && !meta.iter().any(|(own, _)| *own == key)
            {
                meta.push((ByteString::from_static(key), value));
            }
        }
        meta
    }
}
