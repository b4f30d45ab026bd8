//! Calls that wait for somebody to answer a question. To the hub such a call has ended, with the
//! questions as its result; at the server it goes on, until the client comes back with answers.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::time::{Duration, Instant};

use super::conversation::{Question, Request, Server};
use crate::{
    model::{id::random_text, json::Json},
    provider_client::Outcome,
};

/// Calls that may wait; the one that has waited longest gives way.
const CALLS_MAX: usize = 64;
/// How long a client may take to come back.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// What our own request states begin with; a modern server has others.
const MARK: &str = "mcp-hub-connect:";

/// The calls of one server that wait. Those that are dropped are cancelled at the server.
#[derive(Default)]
pub(super) struct Questions(Mutex<HashMap<Box<str>, Asked>>);

struct Asked {
    request: Request,
    /// By the key they were asked under.
    questions: Vec<(String, Question)>,
    since: Instant,
}

/// Why a call cannot go on.
#[derive(Debug, thiserror::Error)]
#[error(
    "The question was asked too long ago, or the server has been restarted since. Call the tool again."
)]
pub(super) struct Forgotten;

impl Questions {
    /// Ends a call with `questions` as its result, and keeps the rest of it.
    pub(super) fn ask(&self, request: Request, questions: Vec<Question>) -> Outcome {
        let keyed = questions.into_iter().enumerate();
        let questions = keyed.map(|(n, question)| (format!("q{}", n + 1), question)).collect();
        request.park(true);
        self.keep(Asked { request, questions, since: Instant::now() })
    }

    fn keep(&self, asked: Asked) -> Outcome {
        let requests: Vec<_> = asked
            .questions
            .iter()
            .map(|(key, question)| {
                let method = Json::of(&question.method);
                let params = question.params.as_ref();
                let params = params.map(|params| format!(r#","params":{}"#, params.as_str()));
                let params = params.unwrap_or_default();
                format!(r#""{key}":{{"method":{}{params}}}"#, method.as_str())
            })
            .collect();
        let state = format!("{MARK}{}", random_text());
        let result = format!(
            r#"{{"resultType":"input_required","inputRequests":{{{}}},"requestState":"{state}"}}"#,
            requests.join(",")
        );
        let mut calls = self.0.lock();
        if calls.len() >= CALLS_MAX {
            let oldest = calls.iter().min_by_key(|(_, asked)| asked.since);
            let oldest = oldest.map(|(state, _)| state.clone());
            oldest.and_then(|state| calls.remove(&state));
        }
        calls.insert(state.into(), asked);
        Outcome::Result(Json::from(result))
    }

    /// Whether `state` is of a call that waits here, rather than one of the server's own.
    pub(super) fn is_ours(state: &Json) -> bool {
        state.as_str().starts_with(&format!("\"{MARK}"))
    }

    /// Takes up a call again with the client's `responses`: the request, or once more what is still
    /// not answered.
    pub(super) fn resume(
        &self,
        server: &Server,
        state: &Json,
        responses: Option<&Json>,
    ) -> Result<Result<Request, Outcome>, Forgotten> {
        self.forget_old();
        let state: Box<str> = serde_json::from_str(state.as_str()).ok().ok_or(Forgotten)?;
        let mut asked = self.0.lock().remove(&state).ok_or(Forgotten)?;
        let text = responses.map_or("{}", Json::as_str);
        let said: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
        asked.questions.retain(|(key, question)| match said.get(key) {
            Some(response) => {
                let response = Json::from(response.get().to_owned());
                // If the server is gone the request says so next.
                server.answer(&question.id, Ok(&response)).is_err()
            }
            None => true,
        });
        if !asked.questions.is_empty() {
            return Ok(Err(self.keep(asked)));
        }
        asked.request.park(false);
        Ok(Ok(asked.request))
    }

    /// Gives up the calls nobody came back to.
    pub(super) fn forget_old(&self) {
        self.0.lock().retain(|_, asked| asked.since.elapsed() < PATIENCE);
    }
}
