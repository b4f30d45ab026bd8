//! The one door to the time of day. Durations are measured with tokio's clock, which tests can pause.

use std::{
    fmt::Display,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};
use tokio::time::Instant;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, Object, RefOr, Schema, SchemaFormat, Type},
};

/// The time of day as seconds since 1970-01-01 UTC, the unit of a JWT's `NumericDate` (RFC 7519 §2).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

impl UnixTime {
    pub fn now() -> Self {
        Self(since_1970().as_secs())
    }

    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// How long from `self` until `later`; zero when that has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_secs(later.0.saturating_sub(self.0))
    }
}

/// The time of day to the microsecond, written as RFC 3339 says.
pub fn rfc3339() -> impl Display {
    humantime::format_rfc3339_micros(UNIX_EPOCH + since_1970())
}

/// When something happened, for people: milliseconds since 1970-01-01 UTC, written as RFC 3339 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    pub fn now() -> Self {
        Self(u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX))
    }

    /// When a moment of tokio's clock was, or will be.
    pub fn of(moment: Instant) -> Self {
        let (now, here) = (Self::now().0, Instant::now());
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        match moment.checked_duration_since(here) {
            Some(ahead) => Self(now.saturating_add(millis(ahead))),
            None => Self(now.saturating_sub(millis(here - moment))),
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn millis(self) -> u64 {
        self.0
    }

    pub fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
}

impl From<UnixTime> for Timestamp {
    fn from(time: UnixTime) -> Self {
        Self(time.0.saturating_mul(1_000))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // The last moment of the year 9999; RFC 3339 knows none later.
        const LAST: u64 = 253_402_300_799_999;
        let time = UNIX_EPOCH + Duration::from_millis(self.0.min(LAST));
        to.collect_str(&humantime::format_rfc3339_millis(time))
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

fn since_1970() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_as_rfc_3339() {
        let text = |millis| serde_json::to_string(&Timestamp(millis)).unwrap();
        assert_eq!(text(0), r#""1970-01-01T00:00:00.000Z""#);
        assert_eq!(text(1_795_588_286_123), r#""2026-11-25T06:31:26.123Z""#);
        assert_eq!(text(u64::MAX), r#""9999-12-31T23:59:59.999Z""#);
    }

    #[tokio::test(start_paused = true)]
    async fn moments_before_and_after_now_have_their_time() {
        let minute = Duration::from_secs(60);
        tokio::time::advance(2 * minute).await;
        let now = Instant::now();
        let of = |moment| Timestamp::of(moment).0;
        let (before, after) = (of(now - minute), of(now + minute));
        assert!((119_000..=121_000).contains(&(after - before)), "{before} {after}");
    }
}
