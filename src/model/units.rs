//! Sizes, times and addresses as people write them in a configuration.

use std::{fmt, net::SocketAddr, time::Duration};

use bytesize::ByteSize;
use serde::{
    Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// A size such as `"4 MiB"` or `"300 KB"`, or a number of bytes.
pub fn size<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    from.deserialize_any(Written {
        expected: "a size such as \"4 MiB\"",
        read: |text| text.parse().ok(),
        count: |bytes| Some(ByteSize::b(bytes)),
    })
}

/// A time such as `"30s"`, `"2m"` or `"1h 30m"`.
pub fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_any(Written {
        expected: "a time such as \"30s\"",
        read: |text| humantime::parse_duration(text).ok(),
        count: |_| None,
    })
}

/// An address to listen on, such as `"127.0.0.1:8080"`.
pub fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    from.deserialize_any(Written {
        expected: "an address such as \"127.0.0.1:8080\"",
        read: |text| text.parse().ok(),
        count: |_| None,
    })
}

/// A value that is written as a text, and perhaps as a number.
struct Written<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
    count: fn(u64) -> Option<T>,
}

impl<T> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        (self.count)(number).ok_or_else(|| E::invalid_type(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let count = u64::try_from(number).ok().and_then(self.count);
        count.ok_or_else(|| E::invalid_type(Unexpected::Signed(number), &self))
    }
}
