//! Somebody who looks: asks `/api/v1` and follows its events.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;
use sse_stream::{Sse, SseStream};
use tokio::time::timeout;

use super::{PATIENCE, TestHub};

pub(crate) struct Looker {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A problem document and what came with it.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) detail: String,
}

/// An event of `/api/v1/events`.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

pub(crate) struct Feed(Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>);

impl Looker {
    pub(crate) fn new(hub: &TestHub) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { http, base: hub.url().to_owned(), token: None }
    }

    pub(crate) fn with_token(hub: &TestHub, token: String) -> Self {
        Self { token: Some(token), ..Self::new(hub) }
    }

    pub(crate) fn of_user(hub: &TestHub, user: &str) -> Self {
        Self::with_token(hub, super::hub::token(user))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The facts at `path`.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path).await.unwrap_or_else(|problem| panic!("{path}: {problem:?}"))
    }

    /// The problem there is with `path`.
    pub(crate) async fn refused(&self, path: &str) -> Problem {
        match self.ask(Method::GET, path).await {
            Ok(facts) => panic!("{path} is answered with {facts}"),
            Err(problem) => problem,
        }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str) -> Result<Value, Problem> {
        let sent = timeout(PATIENCE, self.request(method, path).send()).await.expect("in time");
        let answer = sent.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let text = answer.text().await.expect("a body");
        let facts: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {text}"));
        if status == StatusCode::OK {
            assert_eq!(headers["content-type"], "application/json", "{path}");
            return Ok(facts);
        }
        // RFC 9457 §3.1.
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
        assert_eq!(facts["status"], status.as_u16(), "{path}: {facts}");
        assert_eq!(facts["type"], "about:blank");
        let detail = facts["detail"].as_str().expect("a sentence").to_owned();
        Err(Problem { status, headers, detail })
    }

    /// The events from now on, or from `last` on; the first, `hello`, says whether that was possible.
    pub(crate) async fn events(&self, query: &str, last: Option<&str>) -> (Feed, bool) {
        let mut request = self.request(Method::GET, &format!("/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.send().await.expect("a stream");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let bytes = answer.bytes_stream().map(|piece| piece.map_err(std::io::Error::other));
        let mut feed = Feed(Box::pin(SseStream::from_bytes_stream(bytes)));
        let hello = feed.next().await.expect("a first event");
        assert_eq!(hello.name, "hello");
        (feed, hello.data["resumed"] == true)
    }
}

impl Feed {
    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let event = timeout(PATIENCE, self.0.next()).await.expect("an event in time")?.ok()?;
            let (Some(data), Some(name)) = (event.data, event.event) else { continue };
            let id = event.id.expect("every event has an id");
            let data = serde_json::from_str(&data).expect("JSON in an event");
            return Some(Event { id, name, data });
        }
    }

    /// The next event called `name`.
    pub(crate) async fn hear(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("no {name} before the end"));
            if event.name == name {
                return event;
            }
        }
    }

    /// Waits until the stream says that `matter` has changed.
    pub(crate) async fn changed(&mut self, matter: &str) {
        while !self.hear("changed").await.data["what"].to_string().contains(matter) {}
    }
}
