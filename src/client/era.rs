//! Which era a POST belongs to: the handshake and sessions of old, or one self-contained request.

use axum::http::HeaderMap;

use super::{error::Refusal, message::Incoming};

pub const VERSION_HEADER: &str = "MCP-Protocol-Version";
pub const SESSION_HEADER: &str = "mcp-session-id";

/// Revisions without handshake and session, newest first.
pub const MODERN_VERSIONS: &[&str] = &["2026-07-28"];
/// Revisions with them, newest first.
pub const LEGACY_VERSIONS: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// `initialize` itself.
    Handshake,
    /// A message of a session.
    Legacy,
    Modern,
}

/// What the `MCP-Protocol-Version` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionHeader<'a> {
    Absent,
    Legacy,
    Modern,
    Unknown(&'a str),
}

impl<'a> VersionHeader<'a> {
    pub fn of(headers: &'a HeaderMap) -> Self {
        let Some(value) = headers.get(VERSION_HEADER) else { return Self::Absent };
        let version = value.to_str().unwrap_or_default().trim();
        if LEGACY_VERSIONS.contains(&version) {
            Self::Legacy
        } else if is_date(version) && version >= MODERN_VERSIONS[MODERN_VERSIONS.len() - 1] {
            Self::Modern
        } else {
            Self::Unknown(version)
        }
    }
}

/// Versions compare as text, but only when they look like one.
fn is_date(version: &str) -> bool {
    version.len() == 10
        && version.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Judges by the header and the body's own claim; where they disagree, nobody wins.
pub fn classify(
    header: VersionHeader<'_>,
    has_session: bool,
    message: &Incoming,
) -> Result<Era, Refusal> {
    let refuse = |refusal: Refusal| Err(refusal.of(message.id().cloned()));
    let claims_modern = message.params().is_some_and(super::message::Params::claims_modern);
    let is_initialize = matches!(message,
        Incoming::Request { method, .. } if **method == *"initialize");
    match (message, header) {
        (Incoming::Response { .. }, VersionHeader::Modern) => {
            let what = "responses are not sent in this revision";
            refuse(Refusal::invalid_request(what.into()))
        }
        (Incoming::Response { .. }, _) => Ok(Era::Legacy),
        _ if is_initialize && !claims_modern => match header {
            VersionHeader::Modern => {
                let what =
                    "`initialize` belongs to revisions before the MCP-Protocol-Version named";
                refuse(Refusal::header_mismatch(what.into()))
            }
            _ => Ok(Era::Handshake),
        },
        (_, VersionHeader::Modern) => Ok(Era::Modern),
        _ if claims_modern => Ok(Era::Modern),
        (_, VersionHeader::Unknown(version)) if has_session => {
            let what = format!("MCP-Protocol-Version {version:?} is not supported");
            refuse(Refusal::invalid_request(what))
        }
        // So that a client of a newer revision hears which ones are spoken here.
        (_, VersionHeader::Unknown(_)) => Ok(Era::Modern),
        (_, VersionHeader::Absent | VersionHeader::Legacy) => Ok(Era::Legacy),
    }
}

/// Batches belong to the legacy era, and so has everything in them to.
pub fn check_batch(
    header: VersionHeader<'_>,
    messages: &[Result<Incoming, Refusal>],
) -> Result<(), Refusal> {
    let messages = || messages.iter().filter_map(|message| message.as_ref().ok());
    let claims_modern =
        |message: &Incoming| message.params().is_some_and(super::message::Params::claims_modern);
    let is_initialize = |message: &Incoming| matches!(message, Incoming::Request { method, .. } if **method == *"initialize");
    if header == VersionHeader::Modern || messages().any(claims_modern) {
        Err(Refusal::invalid_request("batches do not exist in this revision".into()))
    } else if messages().any(is_initialize) {
        Err(Refusal::invalid_request("`initialize` must not be part of a batch".into()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const CLAIM: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;

    #[track_caller]
    fn check(method: &str, params: &str, version: Option<&str>, session: bool, expected: &str) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let message = Incoming::parse(&body.into()).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(version) = version {
            headers.insert("mcp-protocol-version", HeaderValue::from_str(version).unwrap());
        }
        let actual = match classify(VersionHeader::of(&headers), session, &message) {
            Ok(era) => format!("{era:?}"),
            Err(refusal) => String::from_utf8(refusal.payload().into_event().to_vec()).unwrap(),
        };
        assert!(actual.contains(expected), "{actual} should be {expected}");
    }

    #[test]
    fn the_handshake_is_legacy_whatever_version_it_names() {
        check("initialize", r#"{"protocolVersion":"2026-07-28"}"#, None, false, "Handshake");
        check("initialize", "{}", Some("2025-06-18"), false, "Handshake");
        check("initialize", "{}", Some("2026-07-28"), false, "-32020");
        check("initialize", CLAIM, Some("2026-07-28"), false, "Modern");
    }

    #[test]
    fn a_claim_or_a_header_makes_a_request_modern() {
        check("tools/list", CLAIM, None, false, "Modern");
        check("tools/list", CLAIM, Some("2025-06-18"), true, "Modern");
        check("tools/list", "{}", Some("2026-07-28"), false, "Modern");
        check("tools/list", "{}", Some("2027-01-01"), false, "Modern");
    }

    #[test]
    fn the_rest_is_legacy() {
        check("tools/list", "{}", None, true, "Legacy");
        check("tools/list", "{}", Some(" 2025-03-26 "), true, "Legacy");
    }

    #[test]
    fn an_unknown_version_is_told_what_there_is() {
        check("tools/list", "{}", Some("v999"), true, "-32600");
        check("tools/list", "{}", Some("v999"), false, "Modern");
        check("tools/list", "{}", Some("1999-01-01"), false, "Modern");
    }
}
