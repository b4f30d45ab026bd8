//! What goes on between a bridge and a server that has introduced itself: many requests at once,
//! what is heard of each, and what the server asks back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::{
    select,
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinSet,
};

use super::{
    introduction::FIRST_ID,
    link::{Event, Fault, Link, NotSent, Outgoing},
};
use crate::{
    client::capabilities::{self, Abilities},
    model::{call::Notice, error::RpcError, json::Json},
    provider::remote::frame::{self, Incoming},
};

/// Requests that may wait for the task that owns the link.
const WISHES_MAX: usize = 256;
/// Notices of one request that may wait to be heard; more are dropped.
const NOTICES_MAX: usize = 64;
/// Questions of one request that may wait to be asked; more are refused.
const QUESTIONS_MAX: usize = 64;

/// A server, to those who want something of it. Cheap to clone; when the last one is dropped, leave
/// is taken of the server.
#[derive(Clone)]
pub(super) struct Server {
    wishes: mpsc::Sender<Wish>,
    shared: Arc<Shared>,
}

/// What passes by the queue, and so cannot be lost to a full one.
struct Shared {
    next_id: AtomicU64,
    /// At most one entry for each request.
    cancelled: Mutex<Vec<u64>>,
    cancellation: Notify,
    tools_changed: Notify,
    ended: watch::Sender<Option<Arc<str>>>,
}

enum Wish {
    Request {
        id: u64,
        method: &'static str,
        json: String,
        headers: HeaderMap,
        waiting: Waiting,
        wanted: Weak<()>,
    },
    /// The answer to a question of the server's.
    Answer { json: String },
}

/// Where the task tells what it hears of a request.
struct Waiting {
    notices: mpsc::Sender<Notice>,
    questions: mpsc::Sender<Question>,
    answer: oneshot::Sender<Answer>,
    /// Of the client whose call it is; `None` for a request of the bridge's own.
    client: Option<Abilities>,
    is_parked: Arc<AtomicBool>,
}

impl Waiting {
    /// Whether it is a call whose client waits now, rather than one that is to come back.
    fn is_running(&self) -> bool {
        self.client.is_some() && !self.is_parked.load(Ordering::Relaxed)
    }
}

/// Something a server wants to know before it goes on.
#[derive(Debug)]
pub(super) struct Question {
    pub id: Json,
    pub method: Box<str>,
    pub params: Option<Json>,
}

/// How a request ended.
pub(super) type Answer = Result<Result<Json, RpcError>, Fault>;

/// The next thing heard of a request.
#[derive(Debug)]
pub(super) enum Heard {
    Notice(Notice),
    Question(Question),
    Answer(Answer),
}

/// A request in flight; dropped before its answer, it is cancelled.
pub(super) struct Request {
    id: u64,
    notices: mpsc::Receiver<Notice>,
    questions: mpsc::Receiver<Question>,
    answer: oneshot::Receiver<Answer>,
    shared: Arc<Shared>,
    /// The answer, when it came while something said before it was still to be heard.
    kept: Option<Answer>,
    is_over: bool,
    is_parked: Arc<AtomicBool>,
    /// While it is there, the request is worth sending.
    _wanted: Arc<()>,
}

impl Server {
    /// Takes over `link`; the task that owns it is one of `tasks`.
    pub(super) fn new(link: Link, tasks: &mut JoinSet<()>) -> Self {
        let (wishes, queue) = mpsc::channel(WISHES_MAX);
        let shared = Arc::new(Shared {
            next_id: AtomicU64::new(FIRST_ID),
            cancelled: Mutex::default(),
            cancellation: Notify::new(),
            tools_changed: Notify::new(),
            ended: watch::Sender::new(None),
        });
        let conversation = Conversation {
            link,
            wishes: queue,
            shared: Arc::clone(&shared),
            waiting: HashMap::new(),
            backlog: VecDeque::new(),
        };
        tasks.spawn(conversation.run());
        Self { wishes, shared }
    }

    /// An id for a request to come, so that it can name itself in its parameters.
    pub(super) fn id(&self) -> u64 {
        self.shared.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends request `id` with `params`. `client` says what the client can do whose call it is.
    pub(super) fn request(
        &self,
        id: u64,
        method: &'static str,
        params: &str,
        headers: HeaderMap,
        client: Option<Abilities>,
    ) -> Result<Request, NotSent> {
        let (notices_sender, notices) = mpsc::channel(NOTICES_MAX);
        let (questions_sender, questions) = mpsc::channel(QUESTIONS_MAX);
        let (answer_sender, answer) = oneshot::channel();
        let (is_parked, wanted) = (Arc::<AtomicBool>::default(), Arc::new(()));
        let waiting = Waiting {
            notices: notices_sender,
            questions: questions_sender,
            answer: answer_sender,
            client,
            is_parked: Arc::clone(&is_parked),
        };
        let json = frame::request(id, method, params);
        let is_wanted = Arc::downgrade(&wanted);
        self.wish(Wish::Request { id, method, json, headers, waiting, wanted: is_wanted })?;
        let shared = Arc::clone(&self.shared);
        Ok(Request {
            id,
            notices,
            questions,
            answer,
            shared,
            kept: None,
            is_over: false,
            is_parked,
            _wanted: wanted,
        })
    }

    /// Answers a question of the server's.
    pub(super) fn answer(
        &self,
        question: &Json,
        outcome: Result<&Json, &str>,
    ) -> Result<(), NotSent> {
        self.wish(Wish::Answer { json: answer_to(question, outcome) })
    }

    fn wish(&self, wish: Wish) -> Result<(), NotSent> {
        self.wishes.try_send(wish).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Busy,
            mpsc::error::TrySendError::Closed(_) => NotSent::Gone,
        })
    }

    /// Waits until the server says that its tools have changed.
    pub(super) async fn tools_changed(&self) {
        self.shared.tools_changed.notified().await;
    }

    /// Has whoever waits for a change of the tools believe that there was one.
    pub(super) fn look_again(&self) {
        self.shared.tools_changed.notify_one();
    }

    /// Waits until the server is gone, and says why.
    pub(super) async fn ended(&self) -> Arc<str> {
        let mut ended = self.shared.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await;
        let why = why.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| "the server is gone".into())
    }
}

fn answer_to(question: &Json, outcome: Result<&Json, &str>) -> String {
    match outcome {
        Ok(result) => frame::result_of(question, result),
        Err(why) => frame::error(question, RpcError::METHOD_NOT_FOUND, why, None),
    }
}

impl Request {
    /// The next thing heard; nothing after the answer. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Heard {
        let answer = match self.kept.take() {
            Some(answer) => answer,
            None => select! {
                biased;
                Some(notice) = self.notices.recv() => return Heard::Notice(notice),
                Some(question) = self.questions.recv() => return Heard::Question(question),
                answer = &mut self.answer => {
                    self.is_over = true;
                    let reason = "the server is gone".into();
                    answer.unwrap_or_else(|_gone| Err(Fault { reason, may_have_run: true }))
                }
            },
        };
        // What was said before the answer is heard before it, however close they came.
        match self.said() {
            Some(said) => {
                self.kept = Some(answer);
                said
            }
            None => Heard::Answer(answer),
        }
    }

    /// What has been said already, if anything.
    pub(super) fn said(&mut self) -> Option<Heard> {
        let notice = self.notices.try_recv().ok().map(Heard::Notice);
        notice.or_else(|| self.questions.try_recv().ok().map(Heard::Question))
    }

    /// Says whether its client has gone to think about a question: what the server asks meanwhile
    /// is more likely about another call.
    pub(super) fn park(&self, is_parked: bool) {
        self.is_parked.store(is_parked, Ordering::Relaxed);
    }

    /// The answer alone.
    pub(super) async fn answered(mut self) -> Answer {
        loop {
            if let Heard::Answer(answer) = self.next().await {
                return answer;
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.cancelled.lock().push(self.id);
            self.shared.cancellation.notify_one();
        }
    }
}

/// The task that owns the link.
struct Conversation {
    link: Link,
    wishes: mpsc::Receiver<Wish>,
    shared: Arc<Shared>,
    waiting: HashMap<u64, Waiting>,
    /// What must reach a server that is slow to read: cancellations and answers. There are no more
    /// of them than requests and questions.
    backlog: VecDeque<Outgoing>,
}

impl Conversation {
    async fn run(mut self) {
        let why = self.converse().await;
        let fault = Fault { reason: why.clone(), may_have_run: true };
        for (_, waiting) in self.waiting.drain() {
            // Whoever waited may have left.
            drop(waiting.answer.send(Err(fault.clone())));
        }
        self.shared.ended.send_replace(Some(why.into()));
        self.link.close().await;
    }

    /// Until the end, and why it came.
    async fn converse(&mut self) -> String {
        let outgoing = self.link.outgoing();
        loop {
            select! {
                event = self.link.next() => match event {
                    Event::Said { on, message } => self.said(on, message),
                    Event::Unanswered { id, fault } => self.answered(id, Err(fault)),
                    Event::Ended(why) => return why,
                },
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.wish(wish),
                    None => return "the bridge stops".into(),
                },
                () = self.shared.cancellation.notified() => self.cancel(),
                Ok(room) = outgoing.reserve(), if !self.backlog.is_empty() => {
                    if let Some(message) = self.backlog.pop_front() {
                        room.send(message);
                    }
                }
            }
        }
    }

    fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Request { id, method, json, headers, waiting, wanted } => {
                if waiting.answer.is_closed() {
                    return;
                }
                self.waiting.insert(id, waiting);
                let request = Outgoing::Request { id, method, json, headers, wanted };
                if let Err(error) = self.link.send(request) {
                    let fault = Fault { reason: error.to_string(), may_have_run: false };
                    self.answered(id, Err(fault));
                }
            }
            Wish::Answer { json } => self.send(Outgoing::Answer { json }),
        }
    }

    fn cancel(&mut self) {
        let cancelled = std::mem::take(&mut *self.shared.cancelled.lock());
        for id in cancelled {
            if self.waiting.remove(&id).is_some() {
                self.send(Outgoing::Cancel { id, reason: "nobody waits for the answer" });
            }
        }
    }

    fn said(&mut self, on: Option<u64>, message: Incoming) {
        match message {
            Incoming::Answer { id: Some(id), outcome } => self.answered(id, Ok(outcome)),
            Incoming::Answer { id: None, outcome } => {
                tracing::debug!(?outcome, "the server answered something nobody asked");
            }
            Incoming::Request { id, method, params } => {
                self.asked(on, Question { id, method, params });
            }
            Incoming::Notification { method, params } => {
                self.noticed(on, &method, params.as_ref());
            }
        }
    }

    fn answered(&mut self, id: u64, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&id) {
            // The caller may have left at this very moment.
            drop(waiting.answer.send(answer));
        }
    }

    /// A question goes to the call on whose stream it came. Over stdio it comes on none: then to
    /// the one begun last whose client can be asked, of those that wait for an answer now.
    fn asked(&mut self, on: Option<u64>, question: Question) {
        let (id, method) = (question.id.clone(), &*question.method);
        if method == "ping" {
            return self.send(Outgoing::Answer { json: frame::result(&id, &json!({})) });
        }
        if !capabilities::is_question(method) {
            let json = answer_to(&id, Err("there is no such method here"));
            return self.send(Outgoing::Answer { json });
        }
        let params = question.params.as_ref().map(Json::as_str);
        let can =
            |waiting: &Waiting| waiting.client.is_some_and(|client| client.allow(method, params));
        let call = match on {
            Some(on) => self.waiting.get(&on).filter(|waiting| can(waiting)),
            None => {
                let is_any_running = self.waiting.values().any(Waiting::is_running);
                let calls = self.waiting.iter();
                let able = calls.filter(|(_, w)| w.is_running() == is_any_running && can(w));
                able.max_by_key(|(id, _)| **id).map(|(_, waiting)| waiting)
            }
        };
        let why = match call.map(|call| call.questions.try_send(question)) {
            Some(Ok(())) => return,
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                "too many questions wait for the client"
            }
            Some(Err(mpsc::error::TrySendError::Closed(_))) => "the client has gone",
            None => "no client that can be asked this is waiting for an answer",
        };
        self.send(Outgoing::Answer { json: answer_to(&id, Err(why)) });
    }

    fn noticed(&mut self, on: Option<u64>, method: &str, params: Option<&Json>) {
        let told = match (method, params) {
            ("notifications/tools/list_changed", _) => {
                self.shared.tools_changed.notify_one();
                return;
            }
            ("notifications/progress", Some(params)) => {
                let said = frame::progress(params);
                said.map(|(id, progress)| (Some(id), Notice::Progress(progress)))
            }
            // Nothing in it says which call it is about, but over HTTP its stream does.
            ("notifications/message", Some(params)) => {
                let running = || self.waiting.iter().filter(|(_, call)| call.is_running());
                let id = on.or_else(|| running().map(|(id, _)| *id).max());
                frame::log(params).map(|log| (id, Notice::Log(log)))
            }
            _ => return,
        };
        match told {
            Some((Some(id), notice)) => {
                let said = self.waiting.get(&id).map(|waiting| waiting.notices.try_send(notice));
                if let Some(Err(_full)) = said {
                    tracing::debug!("a notice was dropped: the hub is slow to hear it");
                }
            }
            Some((None, Notice::Log(log))) => {
                tracing::info!(level = log.level.as_str(), data = log.data.as_str(), "it logs");
            }
            _ => tracing::debug!(method, "a notification of the server was not understood"),
        }
    }

    /// Sends what must not be lost, now or when there is room.
    fn send(&mut self, outgoing: Outgoing) {
        self.backlog.push_back(outgoing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::link::OUTGOING_MAX;

    #[tokio::test]
    async fn a_cancellation_reaches_a_server_that_does_not_read_for_a_while() {
        let (link, mut outgoing, _events) = Link::new(JoinSet::new());
        let mut tasks = JoinSet::new();
        let server = Server::new(link, &mut tasks);
        let ask = || {
            let request = server.request(server.id(), "tools/call", "{}", HeaderMap::new(), None);
            request.expect("it is waited for")
        };
        let mut requests: Vec<_> = (0..OUTGOING_MAX).map(|_| ask()).collect();
        while outgoing.len() < OUTGOING_MAX {
            tokio::task::yield_now().await;
        }
        // There is room for no more, which is told at once.
        let late = ask().answered().await.expect_err("no room");
        assert!(!late.may_have_run, "{late}");
        requests.clear();
        let mut cancelled = 0;
        for _ in 0..2 * OUTGOING_MAX {
            match outgoing.recv().await.expect("a message") {
                Outgoing::Request { wanted, .. } => assert_eq!(wanted.strong_count(), 0),
                Outgoing::Cancel { .. } => cancelled += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(cancelled, OUTGOING_MAX);
    }
}
