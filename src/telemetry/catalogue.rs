//! Every metric by name, for `/metrics` to say what each means. Their labels are in `docs/metrics.md`;
//! a test compares both with what is shown.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

const METRICS: &[(Kind, &str, Unit, &str)] = &[
    (Counter, "mcp_hub_calls_total", Unit::Count, "Tool calls by how they ended"),
    (Histogram, "mcp_hub_call_duration_seconds", Unit::Seconds, "From a call's arrival to its end"),
    (Gauge, "mcp_hub_calls_in_flight", Unit::Count, "Calls being served now"),
    (
        Counter,
        "mcp_hub_attempts_total",
        Unit::Count,
        "Tries of calls at a provider, by how they ended",
    ),
    (
        Histogram,
        "mcp_hub_attempt_duration_seconds",
        Unit::Seconds,
        "From handing a call over to its end",
    ),
    (Counter, "mcp_hub_failovers_total", Unit::Count, "Calls taken on to the next provider"),
    (
        Counter,
        "mcp_hub_offers_passed_over_total",
        Unit::Count,
        "Offers a call was not tried at, by why",
    ),
    (
        Counter,
        "mcp_hub_breaker_openings_total",
        Unit::Count,
        "Providers left alone for having failed",
    ),
    (Counter, "mcp_hub_limit_hits_total", Unit::Count, "Times a limit left no room, by its key"),
    (
        Counter,
        "mcp_hub_definition_changes_total",
        Unit::Count,
        "Tools declared anew with another definition",
    ),
    (Counter, "mcp_hub_refusals_total", Unit::Count, "Requests not let in, by why"),
    (
        Counter,
        "mcp_hub_key_fetches_total",
        Unit::Count,
        "Attempts to fetch an issuer's keys, by what came of them",
    ),
    (
        Counter,
        "mcp_hub_certificates_total",
        Unit::Count,
        "Certificates that came in the place of another, by whether they were taken",
    ),
    (
        Counter,
        "mcp_hub_requests_total",
        Unit::Count,
        "Requests to /mcp by method and class of status",
    ),
    (Counter, "mcp_hub_request_bytes_total", Unit::Bytes, "Bodies of requests to /mcp"),
    (
        Counter,
        "mcp_hub_answer_bytes_total",
        Unit::Bytes,
        "Bodies of answers of /mcp, events among them",
    ),
    (Gauge, "mcp_hub_users", Unit::Count, "Users served now"),
    (Gauge, "mcp_hub_sessions", Unit::Count, "Sessions of clients before 2026-07-28"),
    (Gauge, "mcp_hub_streams", Unit::Count, "Event streams of clients and dashboards"),
    (Counter, "mcp_hub_list_changed_total", Unit::Count, "Notifications that tools have changed"),
    (Gauge, "mcp_hub_tools", Unit::Count, "Tool names on offer"),
    (Gauge, "mcp_hub_providers", Unit::Count, "Providers registered now, plugins among them"),
    (Gauge, "mcp_hub_provider_connections", Unit::Count, "Provider sockets open now"),
    (
        Counter,
        "mcp_hub_provider_connections_closed_total",
        Unit::Count,
        "Provider sockets by why they ended",
    ),
    (Counter, "mcp_hub_registrations_total", Unit::Count, "Tool sets that providers registered"),
    (Gauge, "mcp_hub_plugins", Unit::Count, "Plugin files by state"),
    (Gauge, "mcp_hub_plugins_serving", Unit::Count, "Plugins of which a version serves"),
    (Counter, "mcp_hub_plugin_loads_total", Unit::Count, "Plugin files taken in or kept out"),
    (Histogram, "mcp_hub_plugin_compile_duration_seconds", Unit::Seconds, "Compiling of plugins"),
    (Gauge, "mcp_hub_plugin_instances", Unit::Count, "Plugin instances in use now"),
    (
        Counter,
        "mcp_hub_plugin_stops_total",
        Unit::Count,
        "Plugin calls stopped or broken down, by why",
    ),
    (
        Counter,
        "mcp_hub_spans_total",
        Unit::Count,
        "Spans sent to the collector, or lost on the way",
    ),
    (Gauge, "mcp_hub_build_info", Unit::Count, "Always 1; its label is the version"),
];

/// Tells the recorder that is installed.
pub(super) fn describe() {
    for (kind, name, unit, what) in METRICS {
        match kind {
            Counter => describe_counter!(*name, *unit, *what),
            Gauge => describe_gauge!(*name, *unit, *what),
            Histogram => describe_histogram!(*name, *unit, *what),
        }
    }
    metrics::gauge!("mcp_hub_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
