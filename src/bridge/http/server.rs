//! Whom the requests go to, and what each of them carries besides its message.

use std::{borrow::Cow, time::Duration};

use parking_lot::Mutex;
use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
    redirect::Policy,
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{SessionLost, Settled, Target, is_here, refusal::Refusal};
use crate::{bridge::link::Era, client::era::MODERN, model::error::innermost};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams may be silent for hours; whether the other machine is still there is TCP's to find out.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;
/// Less than the five seconds after which Node and uvicorn hang up on whoever is silent: a request
/// that meets their hanging up is one of which nobody knows whether it ran.
const IDLE_FOR: Duration = Duration::from_secs(4);
/// How long a notification or an answer may take to be taken.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);

const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

pub(super) struct Server {
    http: Client,
    url: Url,
    headers: HeaderMap,
    /// As the answer to `initialize` gave it.
    session: Mutex<Option<HeaderValue>>,
}

impl Server {
    pub(super) fn new(target: Target) -> Result<Self, String> {
        let Target { url, mut headers } = target;
        headers.values_mut().for_each(|value| value.set_sensitive(true));
        let mut http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
            .tcp_keepalive_retries(KEEPALIVE_RETRIES)
            .pool_idle_timeout(IDLE_FOR)
            // A token is shown to the server that was named, not to wherever that one points.
            .redirect(Policy::none());
        if is_here(&url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| {
            format!("requests to the server cannot be made: {}", innermost(&error.without_url()))
        })?;
        Ok(Self { http, url, headers, session: Mutex::new(None) })
    }

    pub(super) fn shows_a_token(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Where the server points, as far as it may be told.
    pub(super) fn pointed(&self, location: &str) -> Option<Url> {
        let mut url = self.url.join(location).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some(url)
    }

    pub(super) fn begin_session(&self, answer: &Response) {
        let session = answer.headers().get(SESSION).cloned().map(|mut id| {
            id.set_sensitive(true);
            id
        });
        *self.session.lock() = session;
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.lock().is_some()
    }

    pub(super) fn request(
        &self,
        settled: Option<&Settled>,
        method: &'static str,
        json: String,
        extra: &HeaderMap,
    ) -> RequestBuilder {
        let is_modern = settled.is_some_and(|settled| settled.era == Era::Modern);
        let is_probe = settled.is_none() && method == "server/discover";
        let mut headers = self.headers(settled);
        if is_probe {
            headers.insert(REVISION, HeaderValue::from_static(MODERN));
        }
        if is_probe || is_modern {
            headers.insert(METHOD, HeaderValue::from_static(method));
        }
        for (name, value) in extra {
            headers.insert(name, value.clone());
        }
        self.post(headers, json)
    }

    /// The stream of what nobody asked for or, with `last_event`, the rest of another stream.
    pub(super) fn stream(
        &self,
        settled: Option<&Settled>,
        last_event: Option<&HeaderValue>,
    ) -> RequestBuilder {
        let mut headers = self.headers(settled);
        headers.insert(ACCEPT, EVENTS);
        if let Some(id) = last_event {
            headers.insert(LAST_EVENT, id.clone());
        }
        // The handshake's own answer may be such a stream.
        self.add_session(&mut headers);
        self.http.get(self.url.clone()).headers(headers)
    }

    /// The end of the session, if there is one.
    pub(super) fn leave(&self, settled: Option<&Settled>) -> Option<RequestBuilder> {
        let mut headers = self.headers(settled);
        self.add_session(&mut headers);
        let has_session = headers.contains_key(SESSION);
        has_session.then(|| self.http.delete(self.url.clone()).headers(headers))
    }

    /// Sends a notification or an answer. What becomes of it shows only if the session is lost.
    pub(super) async fn deliver(
        &self,
        settled: Option<&Settled>,
        json: String,
    ) -> Result<(), SessionLost> {
        let mut headers = self.headers(settled);
        if settled.is_some_and(|settled| settled.era == Era::Modern)
            && let Some(method) = method_of(&json)
        {
            headers.insert(METHOD, method);
        }
        let in_session = headers.contains_key(SESSION);
        let failed = |reason: &str| {
            tracing::warn!(reason, "a message did not reach the server");
        };
        let delivery = async {
            let response = match self.post(headers, json).send().await {
                Ok(response) => response,
                Err(error) => {
                    failed(&innermost(&error.without_url()));
                    return Ok(());
                }
            };
            if response.status().is_success() {
                return Ok(());
            }
            let refusal = Refusal::read(response).await;
            if in_session && refusal.loses_session(None) {
                return Err(refusal.session_lost());
            }
            failed(refusal.status().as_str());
            Ok(())
        };
        timeout(DELIVERED_WITHIN, delivery).await.unwrap_or_else(|_elapsed| {
            failed("it takes too long");
            Ok(())
        })
    }

    fn headers(&self, settled: Option<&Settled>) -> HeaderMap {
        let mut headers = self.headers.clone();
        if !headers.contains_key(USER_AGENT) {
            let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
            headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        }
        // What the protocol says is not the user's to say.
        for name in [REVISION, METHOD, SESSION, LAST_EVENT] {
            headers.remove(name);
        }
        if let Some(settled) = settled {
            if let Some(version) = &settled.version {
                headers.insert(REVISION, version.clone());
            }
            if settled.era == Era::Legacy {
                self.add_session(&mut headers);
            }
        }
        headers
    }

    fn add_session(&self, headers: &mut HeaderMap) {
        if let Some(session) = &*self.session.lock() {
            headers.insert(SESSION, session.clone());
        }
    }

    fn post(&self, mut headers: HeaderMap, json: String) -> RequestBuilder {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.post(self.url.clone()).headers(headers).body(json)
    }
}

fn method_of(json: &str) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        method: Cow<'a, str>,
    }
    let message: Message<'_> = serde_json::from_str(json).ok()?;
    HeaderValue::from_str(&message.method).ok()
}
