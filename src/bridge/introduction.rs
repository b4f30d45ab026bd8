//! The first words with a server: which era it speaks, and who it is.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, timeout_at};

use super::link::{Era, Event, Link, Outgoing};
use crate::{
    model::json::{self, Json},
    provider::remote::frame::{self, Incoming},
};

/// The revision without handshakes.
pub(super) const MODERN: &str = "2026-07-28";
/// The newest one with them.
const LEGACY: &str = "2025-11-25";
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
    json!({ "elicitation": { "form": {}, "url": {} }, "roots": {}, "sampling": {} })
}

pub(super) fn client_info() -> Value {
    json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") })
}

/// Asks the server in the modern way first, then in the old one.
///
/// Fails with a sentence when it understands neither.
pub(super) async fn introduce(link: &mut Link) -> Result<Introduction, String> {
    let deadline = Instant::now() + START_TIME;
    ask(link, DISCOVER, "server/discover", &json!({ "_meta": envelope() }))?;
    let mut probe_ends = Some(Instant::now() + PROBE_TIME);
    let (mut is_not_modern, mut is_not_legacy) = (false, None);
    loop {
        let event = match timeout_at(probe_ends.unwrap_or(deadline), link.next()).await {
            Ok(event) => event,
            Err(_elapsed) if probe_ends.take().is_some() => {
                initialize(link)?;
                continue;
            }
            Err(_elapsed) => {
                return Err(format!("the server says nothing for {}s", START_TIME.as_secs()));
            }
        };
        let (id, outcome) = match event {
            Event::Said { message: Incoming::Answer { id: Some(id), outcome }, .. } => (
                id,
                outcome.map_err(|error| {
                    format!("it refuses to begin: {} ({})", error.message, error.code)
                }),
            ),
            Event::Said { message: Incoming::Request { id, method, .. }, .. } => {
                let json = match &*method {
                    "ping" => frame::result(&id, &json!({})),
                    _ => frame::error(&id, -32601, "it is too early for that", None),
                };
                link.send(Outgoing::Answer { json }).map_err(|error| error.to_string())?;
                continue;
            }
            Event::Said { .. } => continue,
            Event::Unanswered { id, fault } => (id, Err(fault.reason)),
            Event::Ended(why) => return Err(why),
        };
        match id {
            DISCOVER => match outcome.and_then(|result| discovered(&result)) {
                Ok(introduction) => {
                    settle(link, Era::Modern, MODERN)?;
                    return Ok(introduction);
                }
                Err(why) => {
                    tracing::debug!(why, "the server does not speak the modern era");
                    is_not_modern = true;
                    if probe_ends.take().is_some() {
                        initialize(link)?;
                    }
                }
            },
            INITIALIZE => match outcome.and_then(|result| initialized(&result)) {
                Ok((introduction, version)) => {
                    settle(link, Era::Legacy, &version)?;
                    let json = frame::notification("notifications/initialized", "{}");
                    link.send(Outgoing::Notification { json })
                        .map_err(|error| error.to_string())?;
                    return Ok(introduction);
                }
                Err(why) => is_not_legacy = Some(why),
            },
            _ => {}
        }
        // A server that spoke the modern era only, slowly, would still be waited for.
        if let (true, Some(why)) = (is_not_modern, &is_not_legacy) {
            return Err(why.clone());
        }
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

fn initialize(link: &Link) -> Result<(), String> {
    let params = json!({
        "protocolVersion": LEGACY, "capabilities": capabilities(), "clientInfo": client_info(),
    });
    ask(link, INITIALIZE, "initialize", &params)
}

fn ask(link: &Link, id: u64, method: &'static str, params: &Value) -> Result<(), String> {
    let json = frame::request(id, method, &params.to_string());
    let request = Outgoing::Request { id, method, json, headers: Default::default() };
    link.send(request).map_err(|error| error.to_string())
}

fn settle(link: &Link, era: Era, version: &str) -> Result<(), String> {
    let settled = Outgoing::Settled { era, version: version.into() };
    link.send(settled).map_err(|error| error.to_string())
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
