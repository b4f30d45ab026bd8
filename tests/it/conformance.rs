//! The conformance suite of the protocol's makers, run whole against the hub, once per era.

use tempfile::tempdir;

use crate::support::{TestHub, fixtures, witness::Witness};

#[tokio::test]
async fn legacy_clients_find_what_2025_11_25_requires() {
    check("2025-11-25", &["json-schema-2020-12"]).await;
}

#[tokio::test]
async fn modern_clients_find_what_2026_07_28_requires() {
    let more =
        ["json-schema-2020-12", "http-header-validation", "http-custom-header-server-validation"];
    check("2026-07-28", &more).await;
}

/// Runs what the revision requires, then scenarios that the suite holds back as pending.
async fn check(revision: &str, pending: &[&str]) {
    let hub = TestHub::start().await;
    let _provider = fixtures::serve(hub.url(), None).await;
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
