//! Why a provider's connection ends, and how the provider is told.

use tokio_tungstenite::tungstenite::{
    Error as SocketError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::frame::{self, BadFrame};

/// A close frame holds at most 125 bytes, two of them the code (RFC 6455 §5.5).
const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The provider closed it.
    Left,
    /// It broke.
    Lost,
    /// Nothing was heard for too long.
    Silent,
    BadFrame(BadFrame),
    Binary,
    TooLarge,
    NeverRegistered,
    Superseded,
    TokenExpired,
    HubStops,
}

impl Ending {
    pub(super) const LABELS: [&str; 10] = [
        "left",
        "lost",
        "silent",
        "bad_frame",
        "binary",
        "too_large",
        "never_registered",
        "superseded",
        "token_expired",
        "hub_stops",
    ];

    /// Why, as a metric label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::BadFrame(_) => "bad_frame",
            Self::Binary => "binary",
            Self::TooLarge => "too_large",
            Self::NeverRegistered => "never_registered",
            Self::Superseded => "superseded",
            Self::TokenExpired => "token_expired",
            Self::HubStops => "hub_stops",
        }
    }

    /// The key of the limit that the provider went beyond, if that is why.
    pub(super) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Silent => Some("limits.ping_grace"),
            Self::BadFrame(BadFrame::Refused(fault)) => fault.limit(),
            Self::TooLarge => Some("limits.provider_message"),
            Self::NeverRegistered => Some("limits.provider_registration"),
            Self::Left
            | Self::Lost
            | Self::BadFrame(_)
            | Self::Binary
            | Self::Superseded
            | Self::TokenExpired
            | Self::HubStops => None,
        }
    }

    /// The close frame that tells the provider; `None` when there is nobody to tell.
    pub(super) fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Left | Self::Lost => return None,
            Self::Silent => (CloseCode::Policy, "no answer to pings".to_owned()),
            Self::BadFrame(fault) => (CloseCode::Policy, fault.to_string()),
            Self::Binary => (CloseCode::Policy, "binary frames are not spoken here".to_owned()),
            Self::TooLarge => (CloseCode::Size, "the message is too large".to_owned()),
            Self::NeverRegistered => {
                (CloseCode::Policy, "no providers/register came in time".to_owned())
            }
            Self::Superseded => {
                let reason = "the same instanceId has connected again";
                (CloseCode::Library(frame::CLOSE_SUPERSEDED), reason.to_owned())
            }
            Self::TokenExpired => {
                let code = CloseCode::Library(frame::CLOSE_TOKEN_EXPIRED);
                (code, "the token has expired".to_owned())
            }
            Self::HubStops => (CloseCode::Away, "the hub stops; connect again".to_owned()),
        };
        let reason = match self.limit() {
            Some(key) => format!("{reason} ({key})"),
            None => reason,
        };
        let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Some(CloseFrame { code, reason: reason[..end].into() })
    }
}

impl From<SocketError> for Ending {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Capacity(_) => Self::TooLarge,
            SocketError::Utf8(_) => Self::BadFrame(BadFrame::NotJsonRpc),
            error => {
                tracing::debug!(%error, "a provider's socket broke");
                Self::Lost
            }
        }
    }
}
