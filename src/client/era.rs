//! Which era a POST belongs to: the handshake and sessions of old, or one self-contained request.

use axum::http::{HeaderMap, HeaderName};

use super::{
    error::Refusal,
    message::{Incoming, Params},
};

pub static VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub static SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");

/// The newest revision.
pub const MODERN: &str = "2026-07-28";
/// Revisions without handshake and session, newest first.
pub const MODERN_VERSIONS: &[&str] = &[MODERN];
/// The newest one with them.
pub const LEGACY: &str = "2025-11-25";
/// Revisions with them, newest first.
pub const LEGACY_VERSIONS: &[&str] = &[LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];

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
    /// One without sessions, or newer than all that are known.
    Modern(&'a str),
    Unknown(&'a str),
    /// It is there twice, and others on the way may have believed either.
    Double,
}

impl<'a> VersionHeader<'a> {
    pub fn of(headers: &'a HeaderMap) -> Self {
        let mut values = headers.get_all(&VERSION_HEADER).iter();
        let Some(value) = values.next() else { return Self::Absent };
        if values.next().is_some() {
            return Self::Double;
        }
        let version = value.to_str().unwrap_or_default().trim();
        if MODERN_VERSIONS.contains(&version) {
            Self::Modern(version)
        } else if LEGACY_VERSIONS.contains(&version) {
            Self::Legacy
        } else if is_date(version) && version >= MODERN_VERSIONS[MODERN_VERSIONS.len() - 1] {
            Self::Modern(version)
        } else {
            Self::Unknown(version)
        }
    }

    /// Refuses a version that nobody knows, and two of them.
    pub fn check_known(self) -> Result<(), Refusal> {
        match self {
            Self::Unknown(version) => {
                let what = format!(
                    "MCP-Protocol-Version {version:?} is not supported; what is: {}, {}",
                    MODERN_VERSIONS.join(", "),
                    LEGACY_VERSIONS.join(", ")
                );
                Err(Refusal::invalid_request(what))
            }
            Self::Double => Err(Refusal::header_mismatch(
                "the header MCP-Protocol-Version is there twice".into(),
            )),
            Self::Absent | Self::Legacy | Self::Modern(_) => Ok(()),
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
    let known = || header.check_known().map(|()| Era::Legacy);
    let claims_modern = claims_modern(message);
    match (message, header) {
        (_, VersionHeader::Double) => known().or_else(refuse),
        // Requests are told more, below.
        (Incoming::Response { .. } | Incoming::Notification { .. }, VersionHeader::Unknown(_)) => {
            known()
        }
        (Incoming::Notification { .. }, VersionHeader::Modern(version))
            if !MODERN_VERSIONS.contains(&version) =>
        {
            refuse(Refusal::unsupported_version(version, MODERN_VERSIONS))
        }
        (Incoming::Response { .. }, VersionHeader::Modern(_)) => {
            let what = "responses are not sent in this revision";
            refuse(Refusal::invalid_request(what.into()))
        }
        (Incoming::Response { .. }, _) => Ok(Era::Legacy),
        _ if is_initialize(message) && !claims_modern => match header {
            VersionHeader::Modern(_) => {
                let what =
                    "`initialize` belongs to revisions before the MCP-Protocol-Version named";
                refuse(Refusal::header_mismatch(what.into()))
            }
            _ => Ok(Era::Handshake),
        },
        (_, VersionHeader::Modern(_)) => Ok(Era::Modern),
        _ if claims_modern => Ok(Era::Modern),
        (_, VersionHeader::Unknown(_)) if has_session => known().or_else(refuse),
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
    header.check_known()?;
    let messages = || messages.iter().filter_map(|message| message.as_ref().ok());
    if matches!(header, VersionHeader::Modern(_)) || messages().any(claims_modern) {
        Err(Refusal::invalid_request("batches do not exist in this revision".into()))
    } else if messages().any(is_initialize) {
        Err(Refusal::invalid_request("`initialize` must not be part of a batch".into()))
    } else {
        Ok(())
    }
}

fn claims_modern(message: &Incoming) -> bool {
    message.params().is_some_and(Params::claims_modern)
}

fn is_initialize(message: &Incoming) -> bool {
    matches!(message, Incoming::Request { method, .. } if **method == *"initialize")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const CLAIM: &str = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;

    #[track_caller]
    fn check(method: &str, params: &str, version: Option<&str>, session: bool, expected: &str) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let message = Incoming::parse(&body.into(), 128).unwrap();
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

    #[test]
    fn an_unknown_version_is_refused_whatever_comes_with_it() {
        let unknown = VersionHeader::Unknown("v999");
        for body in [
            r#"{"jsonrpc":"2.0","id":"hub-0","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"hub-0","error":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            &format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{CLAIM}}}"#),
        ] {
            let message = || Incoming::parse(&body.to_owned().into(), 128).unwrap();
            for has_session in [false, true] {
                assert!(classify(unknown, has_session, &message()).is_err(), "{body}");
            }
            assert!(check_batch(unknown, &[Ok(message())]).is_err(), "{body}");
            let newer = VersionHeader::Modern("2099-01-01");
            assert!(classify(newer, false, &message()).is_err(), "{body}");
        }
    }
}
