//! Sizes and times as people write them in a configuration.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de::Error};

/// `"4 MiB"`, `"300 KB"`, `"4096"`.
pub fn size<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    let text = String::deserialize(from)?;
    let expected = "write one such as \"4 MiB\"";
    text.parse().map_err(|why| D::Error::custom(format!("{text:?} is no size ({why}); {expected}")))
}

/// `"30s"`, `"2m"`, `"1h 30m"`.
pub fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let expected = "write one such as \"30s\"";
    humantime::parse_duration(&text)
        .map_err(|why| D::Error::custom(format!("{text:?} is no time ({why}); {expected}")))
}
