//! Pieces that several answers are made of.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    hub::{
        health::{Breaker, Fared},
        provider::{Identity, Kind},
        traffic::Traffic,
    },
    model::clock::Timestamp,
};

/// A provider, as far as others name it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Who {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    kind: ProviderKind,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProviderKind {
    /// It dialled in over WebSocket.
    Remote,
    /// A WebAssembly component in the hub.
    Plugin,
}

impl From<&Identity> for Who {
    fn from(identity: &Identity) -> Self {
        let kind = match identity.kind {
            Kind::Remote => ProviderKind::Remote,
            Kind::Plugin => ProviderKind::Plugin,
        };
        Self {
            id: identity.id.to_string(),
            name: identity.name.to_string(),
            version: identity.version.as_deref().map(Into::into),
            kind,
        }
    }
}

/// How many calls there were and how long they took.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    pub calls: u64,
    /// Calls that failed, and results that say `isError`.
    pub errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// When the last one ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

impl From<&Traffic> for Stats {
    fn from(traffic: &Traffic) -> Self {
        Self {
            calls: traffic.calls,
            errors: traffic.errors,
            p50_ms: traffic.quantile(0.5).map(millis),
            p99_ms: traffic.quantile(0.99).map(millis),
            last: traffic.last,
        }
    }
}

/// How a provider fares.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    breaker: BreakerState,
    /// When an open breaker lets a call pass again.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_until: Option<Timestamp>,
    /// Calls it works on now; of what is offered to everybody, for admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_flight: Option<usize>,
    /// Calls handed over to it that have ended.
    calls: u64,
    /// Those among them that speak against it.
    failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<LastFailure>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum BreakerState {
    /// Calls pass.
    Closed,
    /// It failed several times running and is left alone for a while.
    Open,
    /// One call may pass, and decides.
    Probing,
}

#[derive(Debug, Serialize, ToSchema)]
struct LastFailure {
    at: Timestamp,
    tool: String,
    why: String,
}

impl Condition {
    pub(super) fn of(fared: &Fared, in_flight: Option<usize>) -> Self {
        let (breaker, open_until) = match fared.breaker {
            Breaker::Closed => (BreakerState::Closed, None),
            Breaker::Open { until } => (BreakerState::Open, Some(Timestamp::of(until))),
            Breaker::Probing => (BreakerState::Probing, None),
        };
        let last_failure = fared.last_failure.as_ref().map(|failure| LastFailure {
            at: failure.at,
            tool: failure.tool.to_string(),
            why: failure.why.to_string(),
        });
        let (calls, failures) = (fared.calls, fared.failures);
        Self { breaker, open_until, in_flight, calls, failures, last_failure }
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no duration here has 2^53 microseconds")]
    let micros = duration.as_micros() as f64;
    micros / 1_000.0
}
