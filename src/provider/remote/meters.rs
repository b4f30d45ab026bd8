//! What is counted of remote providers. All of it is rare, so handles are looked up when they are needed.

use metrics::{Counter, Gauge, counter, gauge};

use super::ending::Ending;

/// What became of a tool set, as metric labels.
pub(super) const ACCEPTED: &str = "accepted";
pub(super) const REFUSED: &str = "refused";

/// Has all counters there from the start: what has never happened is to be seen as zero.
pub(super) fn prepare() {
    for reason in Ending::LABELS {
        closings(reason).increment(0);
    }
    for outcome in [ACCEPTED, REFUSED] {
        registrations(outcome).increment(0);
    }
    open().increment(0);
}

/// Sockets open now.
pub(super) fn open() -> Gauge {
    gauge!("mcp_hub_provider_connections")
}

/// Sockets that have ended, by why.
pub(super) fn closings(reason: &'static str) -> Counter {
    counter!("mcp_hub_provider_connections_closed_total", "reason" => reason)
}

/// Tool sets that were taken in, or refused as a whole.
pub(super) fn registrations(outcome: &'static str) -> Counter {
    counter!("mcp_hub_registrations_total", "outcome" => outcome)
}
