//! The names of events, by which a client says where it stopped.

use std::{fmt, num::NonZeroU64, str::FromStr};

/// Names an event, as clients send it back in `Last-Event-ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum EventId {
    /// A change of the session's tools, by its number.
    Change(u64),
    /// An event of one POST's stream, by its place there; the priming event has place 0.
    Told { stream: NonZeroU64, place: u64 },
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(number) => write!(f, "0_{number}"),
            Self::Told { stream, place } => write!(f, "{stream}_{place}"),
        }
    }
}

/// It is none that this hub gives out.
pub(in crate::client) struct NoEventId;

impl FromStr for EventId {
    type Err = NoEventId;

    fn from_str(text: &str) -> Result<Self, NoEventId> {
        let (stream, place) = text.split_once('_').ok_or(NoEventId)?;
        let number = |digits: &str| match digits.parse() {
            Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
            _ => Err(NoEventId),
        };
        let place = number(place)?;
        Ok(match NonZeroU64::new(number(stream)?) {
            Some(stream) => Self::Told { stream, place },
            None => Self::Change(place),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_as_they_were_written() {
        for text in ["0_7", "1_0", "18446744073709551615_3"] {
            assert_eq!(text.parse::<EventId>().ok().unwrap().to_string(), text);
        }
        for text in
            ["", "1", "_", "1_", "_1", "+1_1", "1_-1", "1_1_1", "a_b", "99999999999999999999_1"]
        {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
