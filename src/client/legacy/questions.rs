//! What a provider asks back while its call runs, put to the client of a session as requests of the
//! hub's own (MCP 2025-11-25, elicitation, sampling, roots). Clients of later revisions get the
//! questions as the result of their call.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use bytesize::ByteSize;
use bytestring::ByteString;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::backlog::{Lost, Teller};
use crate::{
    client::{
        capabilities::{Abilities, InputRequest, is_question, leads_to_a_page},
        message::{RequestId, members, string},
        payload::Payload,
    },
    model::{
        call::Output,
        id::random_text,
        json::Json,
        limits::{self, Limits},
    },
};

/// One question of a provider, under the key it wants to find the answer at.
#[derive(Debug)]
pub(super) struct Question {
    key: ByteString,
    method: Box<str>,
    params: Option<Json>,
}

/// Why a call cannot go on: what its client's model is told as the tool's failure.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unasked {
    #[error("The tool asks for something that cannot be read as questions: {0}.")]
    Unreadable(String),
    #[error(
        "The tool asks {count} things at once; limits.questions_per_round is {max}. The operator of \
         the hub can raise it."
    )]
    TooMany { count: usize, max: usize },
    #[error(
        "The tool needs to ask something back before it can answer, but this client has not \
         declared that it can be asked: its capabilities lack {0}."
    )]
    Incapable(String),
    #[error(
        "The tool needs to ask something back before it can answer. Questions travel in an event \
         stream, and this client's Accept header does not name text/event-stream."
    )]
    NoStream,
    #[error(
        "The tool asked something back more than {0} times (limits.question_rounds) without \
         answering."
    )]
    TooManyRounds(usize),
    #[error(
        "The tool asked something back, and the client did not answer in time \
         (limits.question_time is {}s). You may call the tool again.",
        .0.as_secs_f32()
    )]
    NoAnswer(Duration),
    #[error("The tool asked something back when its client had left.")]
    Left,
    #[error(
        "The tool asked something back, but too much waits for clients already \
         (limits.event_bytes). You may call the tool again later."
    )]
    NoRoom,
    #[error(
        "The tool asked something back, but the hub is stopping. You may call the tool again in a \
         moment."
    )]
    Stopping,
    #[error("The tool asked something back, and the client's answer to {method} is no object.")]
    NoObject { method: Box<str> },
    #[error(
        "The tool asked something back, and the answers are larger than {0} together \
         (limits.request_body)."
    )]
    TooLarge(ByteSize),
    #[error("The tool asked something back, and the client refused to answer {method}: {message}")]
    Refused { method: Box<str>, message: String },
}

/// The questions of a result that asks for input; none where it only wants to be called again.
pub(super) fn questions(output: &Output, max: usize) -> Result<Vec<Question>, Unasked> {
    let Some(span) = &output.input_requests else { return Ok(Vec::new()) };
    let requests = Json::from(output.part(span).to_owned());
    let unreadable = |what: String| Unasked::Unreadable(what);
    if !requests.is_object() {
        return Err(unreadable("`inputRequests` is not an object".into()));
    }
    let requests =
        members(&requests).map_err(|_refusal| unreadable("`inputRequests` is no JSON".into()))?;
    if requests.len() > max {
        return Err(Unasked::TooMany { count: requests.len(), max });
    }
    requests.into_iter().map(|(key, request)| Question::parse(key, &request)).collect()
}

impl Question {
    fn parse(key: ByteString, request: &Json) -> Result<Self, Unasked> {
        let InputRequest { method, params } = InputRequest::read(request.as_str())
            .map_err(|error| Unasked::Unreadable(format!("{key:?} is no request: {error}")))?;
        if !is_question(&method) {
            let what = format!("{key:?} has the method {method:?}, by which clients are not asked");
            return Err(Unasked::Unreadable(what));
        }
        let params = params.map(|params| Json::cut(request.text(), params));
        if params.as_ref().is_some_and(|params| !params.is_object()) {
            return Err(Unasked::Unreadable(format!("the `params` of {key:?} are no object")));
        }
        Ok(Self { key, method: method.into(), params })
    }

    /// The parameters as the revisions with sessions want them: an elicitation that leads to a page
    /// has an id there.
    fn legacy_params(&self) -> Option<Cow<'_, str>> {
        let params = self.params.as_ref()?;
        let said: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(params.as_str()).unwrap_or_default();
        if !leads_to_a_page(Some(params.as_str())) || said.contains_key("elicitationId") {
            return Some(Cow::Borrowed(params.as_str()));
        }
        let id = random_text();
        Some(Cow::Owned(format!(r#"{{"elicitationId":"{id}",{}"#, &params.as_str()[1..])))
    }
}

/// Whether the client can be asked all of what `output` asks.
pub(super) fn check(output: &Output, abilities: Abilities) -> Result<(), Unasked> {
    let requests = output.input_requests.as_ref().map(|span| output.part(span));
    match requests.and_then(|requests| abilities.missing_for(requests)) {
        Some(missing) => Err(Unasked::Incapable(missing.to_string())),
        None => Ok(()),
    }
}

/// The questions of one session that wait for an answer.
#[derive(Default)]
pub(super) struct Questions {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Json, Json>>>>,
    next: AtomicU64,
}

impl Questions {
    /// The client's answer to the question `id`. One that nobody waits for is ignored: it may be
    /// late.
    pub(super) fn answer(&self, id: &RequestId, answer: Result<Json, Json>) {
        let waiting = id.question().and_then(|number| self.waiting.lock().remove(&number));
        match waiting {
            // Whoever asked may have given up in this moment. What waits for the other answers of
            // its round is not to keep the body it came in.
            Some(waiting) => {
                let own = answer.map(|result| result.detached()).map_err(|error| error.detached());
                drop(waiting.send(own));
            }
            None => tracing::debug!(id = id.as_str(), "an answer that nobody waits for"),
        }
    }

    fn ask<'a>(&'a self, question: &'a Question, teller: &'a Teller) -> Result<Asked<'a>, Lost> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        // Before it is asked: the answer may be quick.
        self.waiting.lock().insert(number, sender);
        let params = question.legacy_params();
        let id = RequestId::of_question(number);
        let request = Payload::request(&id, &question.method, params.as_deref());
        match teller.demand(request) {
            Ok(is_lost) => Ok(Asked { questions: self, question, teller, number, answer, is_lost }),
            Err(lost) => {
                self.waiting.lock().remove(&number);
                Err(lost)
            }
        }
    }

    /// Puts `round` to the client and waits for all answers until `deadline`. Returns them as
    /// `inputResponses`. What is not answered when this ends or is dropped is withdrawn.
    pub(super) async fn put(
        &self,
        round: &[Question],
        teller: &Teller,
        deadline: Instant,
        limits: &Limits,
    ) -> Result<Json, Unasked> {
        let asked: Result<Vec<_>, _> =
            round.iter().map(|question| self.ask(question, teller)).collect();
        let room = Answers { bytes: AtomicUsize::new(0), max: limits.request_body };
        let answers = asked?.into_iter().map(|asked| asked.answered(&room));
        let outcome = timeout_at(deadline, try_join_all(answers)).await;
        let answers = outcome.unwrap_or(Err(Unasked::NoAnswer(limits.question_time)))?;
        Ok(responses(&answers))
    }
}

impl Unasked {
    /// The key of the limit that was in the way.
    pub(super) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooMany { .. } => Some("limits.questions_per_round"),
            Self::TooManyRounds(_) => Some("limits.question_rounds"),
            Self::NoAnswer(_) => Some("limits.question_time"),
            Self::TooLarge(_) => Some("limits.request_body"),
            // Counted where the room is.
            Self::NoRoom => None,
            Self::Unreadable(_)
            | Self::Incapable(_)
            | Self::NoStream
            | Self::Left
            | Self::Stopping
            | Self::NoObject { .. }
            | Self::Refused { .. } => None,
        }
    }
}

impl From<Lost> for Unasked {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Left => Self::Left,
            Lost::NoRoom => Self::NoRoom,
        }
    }
}

/// How much has come of one round. Clients of later revisions send all answers in one body; these
/// may be no larger together.
struct Answers {
    bytes: AtomicUsize,
    max: ByteSize,
}

/// One question on its way. Dropped before it was answered, it is withdrawn.
struct Asked<'a> {
    questions: &'a Questions,
    question: &'a Question,
    teller: &'a Teller,
    number: u64,
    answer: oneshot::Receiver<Result<Json, Json>>,
    /// Fires when the client can no longer get it.
    is_lost: CancellationToken,
}

impl<'a> Asked<'a> {
    fn id(&self) -> String {
        RequestId::of_question(self.number)
    }

    async fn answered(mut self, all: &Answers) -> Result<(&'a ByteString, Json), Unasked> {
        let answer = tokio::select! {
            biased;
            answer = &mut self.answer => answer,
            () = self.is_lost.cancelled() => return Err(Unasked::NoRoom),
        };
        // The sender is dropped with the session only, and this with it.
        let answer = answer.unwrap_or_else(|_gone| Err(Json::of(&Value::Null)));
        let method = || self.question.method.clone();
        let answer =
            answer.map_err(|error| Unasked::Refused { method: method(), message: said(&error) })?;
        if !answer.is_object() {
            return Err(Unasked::NoObject { method: method() });
        }
        let length = answer.as_str().len();
        let bytes = all.bytes.fetch_add(length, Ordering::Relaxed) + length;
        if bytes > limits::bytes(all.max) {
            return Err(Unasked::TooLarge(all.max));
        }
        Ok((&self.question.key, answer))
    }
}

impl Drop for Asked<'_> {
    /// Lets the client know that nobody waits for its answer any more, if it still owes one.
    fn drop(&mut self) {
        if self.questions.waiting.lock().remove(&self.number).is_some() {
            let params =
                json!({ "requestId": self.id(), "reason": "nobody waits for it any more" });
            let params = params.to_string();
            self.teller.advise(Payload::notification("notifications/cancelled", Some(&params)));
        }
    }
}

/// `{"key":answer,…}`, each answer as it came.
fn responses(answers: &[(&ByteString, Json)]) -> Json {
    let mut text = String::from("{");
    for (key, answer) in answers {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(Json::of(&&***key).as_str());
        text.push(':');
        text.push_str(answer.as_str());
    }
    text.push('}');
    Json::from(text)
}

/// As much of a client's error as a model's context can bear.
fn said(error: &Json) -> String {
    const BYTES_MAX: usize = 500;
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Error<'a> {
        #[serde(borrow)]
        message: Option<&'a RawValue>,
    }
    let error: Error<'_> = serde_json::from_str(error.as_str()).unwrap_or_default();
    let message = error.message.map(|message| Json::from(message.get().to_owned()));
    let message = message.as_ref().and_then(string).unwrap_or_else(|| "it gave no reason".into());
    message[..message.floor_char_boundary(BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(requests: &str) -> Output {
        let json = format!(r#"{{"resultType":"input_required","inputRequests":{requests}}}"#);
        Output::parse(Json::from(json)).unwrap()
    }

    #[test]
    fn questions_keep_their_order_and_their_bytes() {
        let output = asking(
            r#"{"b":{"method":"roots/list"},"\u0061":{"method":"elicitation/create","params":{ "x":1.0 }}}"#,
        );
        let questions = questions(&output, 2).unwrap();
        let read: Vec<_> = questions
            .iter()
            .map(|q| (&*q.key, &*q.method, q.params.as_ref().map(Json::as_str)))
            .collect();
        assert_eq!(
            read,
            [("b", "roots/list", None), ("a", "elicitation/create", Some(r#"{ "x":1.0 }"#))]
        );
    }

    #[test]
    fn what_no_client_can_be_asked_is_told_as_such() {
        for (requests, max, why) in [
            (r#"{"a":{"method":"tools/list"}}"#, 9, "the method \"tools/list\""),
            (r#"{"a":7}"#, 9, "\"a\" is no request"),
            (r#"{"a":{"method":"roots/list","params":[1]}}"#, 9, "`params` of \"a\" are no object"),
            ("[]", 9, "`inputRequests` is not an object"),
            (r#"{"a":{"method":"roots/list"},"b":{"method":"roots/list"}}"#, 1, "asks 2 things"),
        ] {
            let told = questions(&asking(requests), max).unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn an_elicitation_of_a_page_gets_the_id_that_it_had_to_have() {
        let question = |params: &str| Question {
            key: "k".into(),
            method: "elicitation/create".into(),
            params: Some(Json::from(params.to_owned())),
        };
        let page = question(r#"{"mode":"url","url":"https://example.com"}"#);
        assert!(page.legacy_params().unwrap().starts_with(r#"{"elicitationId":""#));
        let escaped = question(r#"{"mode":"\u0075rl","url":"https://example.com"}"#);
        assert!(escaped.legacy_params().unwrap().starts_with(r#"{"elicitationId":""#));
        for untouched in [r#"{"mode":"url","elicitationId":"e"}"#, r#"{"mode":"form"}"#, "{}"] {
            assert_eq!(question(untouched).legacy_params().unwrap(), untouched);
        }
    }

    #[test]
    fn answers_go_back_byte_for_byte() {
        let (a, b) = (ByteString::from("a\""), ByteString::from("b"));
        let answers = [(&a, Json::from("{ }".to_owned())), (&b, Json::from("[1.0]".to_owned()))];
        assert_eq!(responses(&answers).as_str(), r#"{"a\"":{ },"b":[1.0]}"#);
    }
}
