//! Sizes and times as people write them in a configuration.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de::Error};

/// `"4 MiB"`, `"300 KB"`, `"4096"`.
pub fn size<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    let expected = |said: &str| format!("{said:?} is no size; write one such as \"4 MiB\"");
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| D::Error::custom(expected(&text)))
}

/// `"30s"`, `"2m"`, `"1h 30m"`.
pub fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let expected = |said: &str| format!("{said:?} is no time; write one such as \"30s\"");
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|_| D::Error::custom(expected(&text)))
}
