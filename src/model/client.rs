//! Who asks, as it is told to people.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{clock::Timestamp, id::UserId};

/// Where a request or a provider comes from; behind a trusted proxy, what that says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// As an extension of a large answer: its body, if there is no room for it to wait
/// (`limits.answers`). The rest of its head holds for this one too.
#[derive(Debug, Clone)]
pub struct Instead(pub Bytes);

/// A client that has been here lately: a session, or all that a stateless client of one name asks.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientStatus {
    #[schema(value_type = String)]
    pub user: UserId,
    pub era: ClientEra,
    #[serde(flatten)]
    pub introduction: Introduction,
    /// The revision of MCP it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Box<str>>,
    /// When the session was opened, or the client was first seen.
    pub since: Timestamp,
    /// Tells it from others of its era.
    #[serde(skip)]
    pub number: u64,
    pub last_seen: Timestamp,
    /// Event streams it holds open.
    pub streams: usize,
    /// Calls of the session in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<usize>,
    /// Requests of the stateless client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// Which kind of MCP it speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientEra {
    /// With sessions: 2024-11-05 to 2025-11-25.
    Legacy,
    /// Without: 2026-07-28.
    #[default]
    Modern,
}

impl ClientEra {
    pub const ALL: [Self; 2] = [Self::Legacy, Self::Modern];

    pub fn label(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

/// Groups of revisions with sessions that differ in what a tool and its result may be, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// 2024-11-05: no annotations, no audio.
    Plain,
    /// 2025-03-26: no structured content, no links to resources, no titles.
    Unstructured,
    /// 2025-06-18 and 2025-11-25: structured content is an object.
    Structured,
}

impl Dialect {
    pub const ALL: [Self; 3] = [Self::Plain, Self::Unstructured, Self::Structured];

    /// The one that `version`, a revision with sessions, belongs to.
    pub fn of(version: &str) -> Self {
        match version {
            "2024-11-05" => Self::Plain,
            "2025-03-26" => Self::Unstructured,
            _ => Self::Structured,
        }
    }
}

/// What a client calls itself (`clientInfo`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Introduction {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
}

impl Introduction {
    /// The longest name, title or version that is told, in bytes.
    const BYTES_MAX: usize = 200;

    /// Reads `clientInfo`. What cannot be read is left out: it is told, and nothing depends on it.
    pub fn read(info: Option<&str>) -> Self {
        let said: Self = info.and_then(|info| serde_json::from_str(info).ok()).unwrap_or_default();
        let shortened = |text: Option<Box<str>>| {
            text.map(|text| text[..text.floor_char_boundary(Self::BYTES_MAX)].into())
        };
        Self {
            name: shortened(said.name),
            title: shortened(said.title),
            version: shortened(said.version),
        }
    }
}
