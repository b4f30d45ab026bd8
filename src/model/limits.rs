//! Every bound of the hub: its name, its unit and its default.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use bytesize::ByteSize;
use serde::Deserialize;

use super::units::{size, time};

/// The least a client may be allowed for the head of a request: browsers need as much.
pub const REQUEST_HEAD_MIN: ByteSize = ByteSize::kib(8);
/// Answers up to this size, in bytes, do not count among [`Limits::answers`]: they get through even
/// while others fill it, and no more of them can wait than there may be connections and requests on
/// them.
pub const SMALL_ANSWER: usize = 64 * 1024;

/// The `[limits]` table of the configuration. Sizes read as `"4 MiB"`, times as `"30s"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections open at once, in all.
    pub connections: NonZeroUsize,
    /// Those of them that come from one address (of IPv6: one /64), trusted proxies aside.
    pub connections_per_address: NonZeroUsize,
    /// How long a TLS handshake may take.
    #[serde(deserialize_with = "time")]
    pub tls_handshake_time: Duration,
    /// The head of a request: its first line and headers. At least [`REQUEST_HEAD_MIN`].
    #[serde(deserialize_with = "size")]
    pub request_head: ByteSize,
    /// How long a client may take over a head it has begun, or over the first of a connection.
    #[serde(deserialize_with = "time")]
    pub request_head_time: Duration,
    /// How long a connection may be kept open on which nothing is asked.
    #[serde(deserialize_with = "time")]
    pub connection_idle: Duration,
    /// Requests under way at once on one HTTP/2 connection.
    pub requests_per_connection: NonZeroU32,
    /// How long bytes may wait for a peer that does not take all of them, or 64 KiB.
    #[serde(deserialize_with = "time")]
    pub write_stall: Duration,
    /// All answers that wait for their clients, small ones aside.
    #[serde(deserialize_with = "size")]
    pub answers: ByteSize,
    /// The body of one request to `/mcp`.
    #[serde(deserialize_with = "size")]
    pub request_body: ByteSize,
    /// How long a client may take to send that body.
    #[serde(deserialize_with = "time")]
    pub request_body_time: Duration,
    /// All bodies that are being received at once and did not come in one piece.
    #[serde(deserialize_with = "size")]
    pub request_bodies: ByteSize,
    /// One WebSocket message from a provider.
    #[serde(deserialize_with = "size")]
    pub provider_message: ByteSize,
    /// Levels of nesting in any JSON that comes from outside.
    pub json_depth: NonZeroUsize,
    /// One tool's definition.
    #[serde(deserialize_with = "size")]
    pub tool_definition: ByteSize,
    /// Tools one provider may declare.
    pub tools_per_provider: NonZeroUsize,
    /// Tools all providers of one user may declare together.
    pub tools_per_user: NonZeroUsize,
    /// Tools in one page of `tools/list`.
    pub tools_per_page: NonZeroUsize,
    /// Providers of one user.
    pub providers_per_user: NonZeroUsize,
    /// Sessions of one user (clients that speak a revision before 2026-07-28).
    pub sessions_per_user: NonZeroUsize,
    /// Messages in one batch (revision 2025-03-26).
    pub batch: NonZeroUsize,
    /// Events of calls kept for one session, so that a client that was cut off loses none.
    pub events_per_session: NonZeroUsize,
    /// Bytes of those events that are kept for a client that is not there to read them. One is kept
    /// whatever its size.
    #[serde(deserialize_with = "size")]
    pub event_bytes_per_session: ByteSize,
    /// Bytes of the events of all sessions together, small ones aside. A user may take a quarter,
    /// or one large answer if that is more.
    #[serde(deserialize_with = "size")]
    pub event_bytes: ByteSize,
    /// How long after a call's end its events are kept.
    #[serde(deserialize_with = "time")]
    pub resume_time: Duration,
    /// How long a call holds its connection before the client is to come back for the rest
    /// (revision 2025-11-25).
    #[serde(deserialize_with = "time")]
    pub call_stream_time: Duration,
    /// Event streams one user may hold open.
    pub streams_per_user: NonZeroUsize,
    /// How long a session lives unused.
    #[serde(deserialize_with = "time")]
    pub session_idle: Duration,
    /// Calls one user may have in flight.
    pub calls_per_user: NonZeroUsize,
    /// Calls one user may make per second, for long.
    pub calls_per_second: NonZeroU32,
    /// Calls one user may make at once after a pause.
    pub calls_burst: NonZeroU32,
    /// Calls one provider may have in flight.
    pub calls_per_provider: NonZeroUsize,
    /// How long a call may go on without a sign of progress.
    #[serde(deserialize_with = "time")]
    pub call_idle: Duration,
    /// How long a call may take in all, every attempt included.
    #[serde(deserialize_with = "time")]
    pub call_total: Duration,
    /// How long the client of a session may take over all that is asked back during one call.
    #[serde(deserialize_with = "time")]
    pub question_time: Duration,
    /// Questions a provider may ask back at once.
    pub questions_per_round: NonZeroUsize,
    /// Times a provider may ask back during one call of a session.
    pub question_rounds: NonZeroUsize,
    /// How long a provider that connected may take to register.
    #[serde(deserialize_with = "time")]
    pub provider_registration: Duration,
    /// How often a provider, or a client over HTTP/2, is pinged.
    #[serde(deserialize_with = "time")]
    pub ping_interval: Duration,
    /// How long after a ping an entirely silent one is dropped.
    #[serde(deserialize_with = "time")]
    pub ping_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: count(20_000),
            connections_per_address: count(10_000),
            tls_handshake_time: Duration::from_secs(10),
            request_head: ByteSize::kib(32),
            request_head_time: Duration::from_secs(10),
            connection_idle: Duration::from_mins(2),
            requests_per_connection: NonZeroU32::new(100).expect("it is not zero"),
            write_stall: Duration::from_secs(60),
            answers: ByteSize::mib(512),
            request_body: ByteSize::mib(4),
            request_body_time: Duration::from_secs(30),
            request_bodies: ByteSize::mib(256),
            provider_message: ByteSize::mib(16),
            json_depth: count(128),
            tool_definition: ByteSize::kib(256),
            tools_per_provider: count(1_000),
            tools_per_user: count(5_000),
            tools_per_page: count(1_000),
            providers_per_user: count(64),
            sessions_per_user: count(64),
            batch: count(64),
            events_per_session: count(256),
            event_bytes_per_session: ByteSize::mib(4),
            event_bytes: ByteSize::mib(512),
            resume_time: Duration::from_secs(2 * 60),
            call_stream_time: Duration::from_secs(5 * 60),
            streams_per_user: count(64),
            session_idle: Duration::from_secs(30 * 60),
            calls_per_user: count(64),
            calls_per_second: per_second(100),
            calls_burst: per_second(200),
            calls_per_provider: count(256),
            call_idle: Duration::from_secs(60),
            call_total: Duration::from_secs(10 * 60),
            question_time: Duration::from_secs(10 * 60),
            questions_per_round: count(16),
            question_rounds: count(16),
            provider_registration: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            ping_grace: Duration::from_secs(20),
        }
    }
}

fn count(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("a default bound is not zero")
}

fn per_second(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("a default rate is not zero")
}

/// `size` in the unit that lengths of buffers are counted in.
pub fn bytes(size: ByteSize) -> usize {
    usize::try_from(size.as_u64()).unwrap_or(usize::MAX)
}
