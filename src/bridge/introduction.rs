//! The first words with a server: which era it speaks, and who it is.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, timeout_at};

use super::link::{Era, Event, Link, Outgoing};
use crate::{
    client::era::{LEGACY, MODERN},
    model::{
        error::RpcError,
        json::{self, Json},
    },
    provider::remote::frame::{self, Incoming},
};

/// A server that does not know the modern question may ignore it; then it is asked as of old.
const PROBE_TIME: Duration = Duration::from_secs(5);
/// How long a server may take to start: it may have to be downloaded first.
const START_TIME: Duration = Duration::from_secs(180);
/// The ids of the two questions.
const DISCOVER: u64 = 1;
const INITIALIZE: u64 = 2;
/// The first id that is free after the introduction.
pub(super) const FIRST_ID: u64 = 3;

/// What a server said of itself.
#[derive(Debug)]
pub(super) struct Introduction {
    pub era: Era,
    pub name: Option<String>,
    pub version: Option<String>,
    /// Whether it tells when its tools change.
    pub tells_changes: bool,
    /// Whether it can be told what to log.
    pub logs: bool,
}

/// What we can do for a server: everything, for whoever calls may be able to. Whether a certain
/// client is, is looked up when it is asked.
pub(super) fn capabilities() -> Value {
    json!({ "elicitation": { "form": {}, "url": {} }, "roots": {}, "sampling": { "tools": {} } })
}

pub(super) fn client_info() -> Value {
    json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") })
}

/// In which way a server is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// As of 2026-07-28, and only if it does not understand that, as of old.
    Modern,
    /// As of old: it has not survived the other.
    Legacy,
}

/// Why a server could not be talked to, in a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoIntroduction {
    /// It ended when it was asked in the modern way; some do so with whatever comes before
    /// `initialize`.
    #[error("{0}")]
    NotSurvived(String),
    #[error("{0}")]
    Failed(String),
}

impl From<String> for NoIntroduction {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// What has been asked, and what is known of it.
struct Asking<'a> {
    link: &'a mut Link,
    /// Held while an answer is wanted.
    wanted: Arc<()>,
    has_asked_modern: bool,
    has_asked_legacy: bool,
    is_not_modern: bool,
    is_not_legacy: Option<String>,
}

/// Asks the server, in the other way too if it does not understand the first.
pub(super) async fn introduce(
    link: &mut Link,
    opening: Opening,
) -> Result<Introduction, NoIntroduction> {
    let deadline = Instant::now() + START_TIME;
    let mut asking = Asking {
        link,
        wanted: Arc::default(),
        has_asked_modern: false,
        has_asked_legacy: false,
        is_not_modern: false,
        is_not_legacy: None,
    };
    match opening {
        Opening::Modern => asking.discover()?,
        Opening::Legacy => asking.initialize()?,
    }
    let probe_ends = Instant::now() + PROBE_TIME;
    loop {
        let patience = if asking.has_asked_legacy { deadline } else { probe_ends };
        match timeout_at(patience, asking.link.next()).await {
            Ok(Event::Ended(why)) if asking.has_asked_legacy => return Err(why.into()),
            Ok(Event::Ended(why)) => return Err(NoIntroduction::NotSurvived(why)),
            Ok(event) => {
                if let Some(introduction) = asking.heard(event)? {
                    return Ok(introduction);
                }
            }
            Err(_elapsed) if !asking.has_asked_legacy => asking.initialize()?,
            Err(_elapsed) => {
                let seconds = START_TIME.as_secs();
                return Err(format!("the server says nothing for {seconds}s").into());
            }
        }
        // One that speaks the modern era only, slowly, is still waited for.
        if let (true, Some(why)) = (asking.is_not_modern, &asking.is_not_legacy) {
            return Err(why.clone().into());
        }
    }
}

impl Asking<'_> {
    fn heard(&mut self, event: Event) -> Result<Option<Introduction>, String> {
        let (id, outcome) = match event {
            Event::Said { message: Incoming::Answer { id: Some(id), outcome }, .. } => {
                let refusal = |error: RpcError| {
                    format!("it refuses to begin: {} ({})", error.message, error.code)
                };
                (id, outcome.map_err(refusal))
            }
            Event::Said { message: Incoming::Request { id, method, .. }, .. } => {
                let json = match &*method {
                    "ping" => frame::result(&id, &json!({})),
                    _ => frame::error(
                        &id,
                        RpcError::METHOD_NOT_FOUND,
                        "it is too early for that",
                        None,
                    ),
                };
                self.send(Outgoing::Answer { json })?;
                return Ok(None);
            }
            Event::Unanswered { id, fault } => (id, Err(fault.reason)),
            Event::Said { .. } | Event::Ended(_) => return Ok(None),
        };
        match id {
            DISCOVER => match outcome.and_then(|result| discovered(&result)) {
                Ok(introduction) => {
                    self.settle(Era::Modern, MODERN)?;
                    return Ok(Some(introduction));
                }
                Err(why) => {
                    tracing::debug!(why, "the server does not speak the modern era");
                    self.is_not_modern = true;
                    if !self.has_asked_legacy {
                        self.initialize()?;
                    }
                }
            },
            INITIALIZE => match outcome.and_then(|result| initialized(&result)) {
                Ok((introduction, version)) => {
                    self.settle(Era::Legacy, &version)?;
                    let json = frame::notification("notifications/initialized", "{}");
                    self.send(Outgoing::Notification { json })?;
                    return Ok(Some(introduction));
                }
                Err(why) => {
                    let asks_now = self.is_not_legacy.replace(why).is_none();
                    if asks_now && !self.has_asked_modern {
                        self.discover()?;
                    }
                }
            },
            _ => {}
        }
        Ok(None)
    }

    fn discover(&mut self) -> Result<(), String> {
        self.has_asked_modern = true;
        self.ask(DISCOVER, "server/discover", &json!({ "_meta": envelope() }))
    }

    fn initialize(&mut self) -> Result<(), String> {
        self.has_asked_legacy = true;
        let params = json!({
            "protocolVersion": LEGACY, "capabilities": capabilities(), "clientInfo": client_info(),
        });
        self.ask(INITIALIZE, "initialize", &params)
    }

    fn ask(&self, id: u64, method: &'static str, params: &Value) -> Result<(), String> {
        let json = frame::request(id, method, &params.to_string());
        let (headers, wanted) = (HeaderMap::new(), Arc::downgrade(&self.wanted));
        self.send(Outgoing::Request { id, method, json, headers, wanted })
    }

    fn settle(&self, era: Era, version: &str) -> Result<(), String> {
        self.send(Outgoing::Settled { era, version: version.into() })
    }

    fn send(&self, outgoing: Outgoing) -> Result<(), String> {
        self.link.send(outgoing).map_err(|error| error.to_string())
    }
}

/// The members that every modern request has in its `_meta`.
pub(super) fn envelope() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities(),
        "io.modelcontextprotocol/clientInfo": client_info(),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    tools: Option<Tools>,
    logging: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tools {
    list_changed: bool,
}

#[derive(Default, Deserialize)]
struct Software {
    name: Option<String>,
    version: Option<String>,
}

impl Introduction {
    fn new(era: Era, capabilities: Capabilities, software: Option<Software>) -> Self {
        let Software { name, version } = software.unwrap_or_default();
        Self {
            era,
            name,
            version,
            tells_changes: capabilities.tools.is_some_and(|tools| tools.list_changed),
            logs: capabilities.logging.is_some(),
        }
    }
}

fn discovered(result: &Json) -> Result<Introduction, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Discovered {
        supported_versions: Vec<String>,
        #[serde(default)]
        capabilities: Capabilities,
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "io.modelcontextprotocol/serverInfo")]
        server_info: Option<Software>,
    }
    let said: Discovered = json::object(result.as_str()).map_err(|error| error.to_string())?;
    if !said.supported_versions.iter().any(|version| version == MODERN) {
        return Err(format!("it speaks {}", said.supported_versions.join(", ")));
    }
    let software = said.meta.and_then(|meta| meta.server_info);
    Ok(Introduction::new(Era::Modern, said.capabilities, software))
}

fn initialized(result: &Json) -> Result<(Introduction, String), String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialized {
        protocol_version: String,
        #[serde(default)]
        capabilities: Capabilities,
        server_info: Option<Software>,
    }
    let said: Initialized = json::object(result.as_str()).map_err(|error| error.to_string())?;
    let introduction = Introduction::new(Era::Legacy, said.capabilities, said.server_info);
    Ok((introduction, said.protocol_version))
}
