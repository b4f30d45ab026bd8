//! The conformance suite of the protocol's makers, run whole against the hub: once per era, with the
//! suite's tools at a WebSocket provider and in a plugin.

use tempfile::tempdir;
use tokio::task::JoinSet;

use crate::support::{TestHub, fixture_plugin, fixtures, witness::Witness};

/// What of the suite is run for one revision of the protocol.
struct Requirements {
    revision: &'static str,
    /// Scenarios that the suite holds back as pending.
    pending: &'static [&'static str],
}

const LEGACY: Requirements = Requirements {
    revision: "2025-11-25",
    pending: &["json-schema-2020-12", "server-sse-polling"],
};

const MODERN: Requirements = Requirements {
    revision: "2026-07-28",
    pending: &[
        "json-schema-2020-12",
        "http-header-validation",
        "http-custom-header-server-validation",
    ],
};

#[tokio::test]
async fn legacy_clients_find_what_2025_11_25_requires() {
    check(&LEGACY, over_web_socket().await).await;
}

#[tokio::test]
async fn modern_clients_find_what_2026_07_28_requires() {
    check(&MODERN, over_web_socket().await).await;
}

#[tokio::test]
async fn legacy_clients_find_what_2025_11_25_requires_in_a_plugin() {
    check(&LEGACY, fixture_plugin::serve().await).await;
}

#[tokio::test]
async fn modern_clients_find_what_2026_07_28_requires_in_a_plugin() {
    check(&MODERN, fixture_plugin::serve().await).await;
}

async fn over_web_socket() -> (TestHub, JoinSet<()>) {
    let hub = TestHub::with(fixtures::give_back_soon).await;
    let provider = fixtures::serve(hub.url(), None).await;
    (hub, provider)
}

/// Runs what the revision requires, then the scenarios beyond that.
async fn check(requirements: &Requirements, (hub, _tools): (TestHub, JoinSet<()>)) {
    let Requirements { revision, pending } = *requirements;
    let endpoint = format!("{}/mcp", hub.url());
    let results = tempdir().expect("a folder for the results");
    let suite = || {
        let results = results.path().to_str().expect("a path in UTF-8");
        Witness::conformance().with(["server", "--url", &endpoint, "-o", results])
    };

    let expected = format!("expected-failures-{revision}.yml");
    let report = suite()
        .with(["--requirements", revision, "--expected-failures", &expected])
        .testify()
        .await;
    assert!(report.contains("Baseline check passed"), "{report}");

    for scenario in pending {
        let scenario = ["--scenario", scenario, "--spec-version", revision];
        let report = suite().with(scenario).testify().await;
        // A scenario that was skipped ends well, too.
        assert!(report.contains("0 failed, 0 warnings"), "{report}");
    }
}
